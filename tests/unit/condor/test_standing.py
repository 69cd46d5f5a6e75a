"""What is told of jobs that are not as they should be, and when."""

from __future__ import annotations

from dynamo.condor.log import Happened
from dynamo.condor.standing import Standing


def standing(*events, at=0.0):
    made = Standing()
    for kind, job, *text in events:
        made.take(Happened(kind, job, 1e9, text="".join(text)), at, counts=bool(job))
    return made


def test_a_job_that_waits_is_told_after_a_while_and_in_steps():
    """The time is that of who reads, whatever the log's clock says."""
    one = standing(("submitted", ""), ("began", ""), ("submitted", "a"))
    assert one.words(14.9) == ""
    assert one.words(15.1) == one.words(29.9) == "1 job waits for a slot, for 15 s"
    assert one.words(200.0) == "1 job waits for a slot, for 3 min 0 s"


def test_how_many_wait_is_told_with_how_many_run():
    """Only those that wait for long are counted."""
    some = standing(("submitted", "a"), ("submitted", "b"), ("submitted", "c"), ("began", "c"))
    some.take(Happened("submitted", "d", 0.0), 50.0)
    assert some.words(60.0) == "2 jobs wait for a slot, for 1 min 0 s, while one runs"
    some.take(Happened("began", "b", 0.0), 60.0)
    assert some.words(64.0) == "1 job waits for a slot, for 1 min 0 s, while 2 run"


def test_an_evicted_job_waits_anew():
    """Its time counts from there."""
    one = standing(("submitted", "a"), ("began", "a"))
    one.take(Happened("away", "a", 0.0, text="evicted"), 100.0)
    assert one.words(110.0) == ""
    assert "1 job waits" in one.words(116.0)


def test_a_machine_that_takes_jobs_and_does_not_begin_them_is_named():
    """The job waits all the while; one refusal, or two, is none of our business."""
    one = standing(("submitted", "a"))
    for second in range(20):
        one.take(
            Happened("away", "a", 0.0, "slot1@bad", text="its machine was lost: no starter"), float(second)
        )
        one.take(Happened("away", "a", 0.0, text="evicted"), float(second))
        assert ("slot1@bad" in one.words(float(second))) is (second >= 2)
    assert one.words(19.0) == (
        "a is given back by slot1@bad before it begins, again and again (its machine was lost: no starter): ask the "
        "pool's administrator to look at that machine; 1 job waits for a slot, for 15 s"
    )
    one.take(Happened("began", "a", 0.0, "slot1@good"), 20.0)
    assert one.words(20.0) == ""


def test_nodes_that_are_no_jobs_neither_wait_nor_run():
    """That of a DAG below, which is no more than a DAGMan, and the last one, which runs on the access point."""
    some = standing(("submitted", "a"))
    for kind, node in (("submitted", "final"), ("began", "more")):
        some.take(Happened(kind, node, 0.0), 0.0, counts=False)
    assert some.words(16.0) == "1 job waits for a slot, for 15 s"
    some.take(Happened("held", "final", 0.0, text="no disk"), 16.0, counts=False)
    assert some.words(16.0).startswith("1 job held, final: no disk; 1 job waits")
    some.take(Happened("released", "final", 0.0), 16.0, counts=False)
    assert some.words(16.0) == "1 job waits for a slot, for 15 s"


def test_a_held_job_is_told_at_once_until_it_is_released():
    """With its reason, and also where it is the DAG itself."""
    one = standing(("submitted", "a"), ("held", "a", "why"), ("held", "b", "another"))
    assert one.words(0.0) == "2 jobs held, a: why"
    one.take(Happened("released", "a", 0.0), 1.0)
    one.take(Happened("removed", "b", 0.0), 1.0)
    assert one.words(2.0) == ""
    assert standing(("held", "", "no disk")).words(0.0) == "1 job held, the DAG itself: no disk"


def test_a_machine_that_is_not_heard_of_is_told_until_it_is():
    """A job that then is begun elsewhere is not."""
    one = standing(("submitted", "a"), ("began", "a"), ("silent", "a", "connection broke "))
    assert one.words(31.0).startswith(
        "the machine of a has not answered for 30 s (connection broke); when its lease"
    )
    one.take(Happened("back", "a", 0.0), 40.0)
    assert one.words(99.0) == ""


def test_what_has_ended_is_no_trouble():
    """Nothing is left to tell."""
    assert standing(("submitted", "a"), ("began", "a"), ("ended", "a")).words(1e6) == ""
