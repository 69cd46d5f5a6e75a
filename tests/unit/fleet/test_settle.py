"""What became of a worker follows from what clouds list and the pool hears, and nothing is believed too soon."""

from __future__ import annotations

import pytest

from dynamo.errors import InternalError
from dynamo.fleet.life import Patience
from dynamo.fleet.machine import Machine, Tags
from dynamo.fleet.record import WorkerRecord
from dynamo.fleet.seen import Heard, Listing, Seen
from dynamo.fleet.settle import settle
from dynamo.fleet.settled import Settled

PATIENCE = Patience()
CORES = 2


def worker(token="a", stage="joined", since=0.0, **more) -> WorkerRecord:
    """Return a worker of the cloud ``c``."""
    made = {"machine": "" if stage == "requested" else f"m-{token}", "ordered": 0.0, **more}
    return WorkerRecord(
        token, "s", "workers", "c", "offer", f"s-{token}", stage, since, cores=CORES, memory=2**30, **made
    )


def machine(token="a", state="running", **more) -> Machine:
    """Return the machine of an order."""
    return Machine(f"m-{token}", Tags("s", "workers", token), f"s-{token}", state, **more)


def seen(now, *machines, heard=(), since=-1e6, fresh=True, doubles=()) -> Seen:
    """Return what was seen: machines listed just now, and workers that the pool hears of (None: it does not answer)."""
    listing = Listing(now, {one.tags.token: one for one in machines}, tuple(doubles))
    if heard is not None and not isinstance(heard, dict):
        heard = {token: Heard(CORES) for token in heard}
    return Seen(now, {"c": listing}, frozenset({"c"} if fresh else ()), heard, since)


def step(workers, what: Seen, before: Settled | None = None, under_way=(), boots=None) -> Settled:
    """Settle once, with what was noticed the time before."""
    noticed = before.noticed if before else {}
    return settle(workers, what, frozenset(under_way), noticed, boots or {}, PATIENCE)


def stages(settled: Settled) -> dict[str, str]:
    """Return the new stage of each that changed."""
    return {one.token: one.stage for one in settled.workers}


def test_nothing_changes_where_all_is_well():
    """A worker that is listed and heard of stays, and nothing is noticed."""
    assert step([worker()], seen(100, machine(), heard="a")) == Settled()


def test_a_worker_goes_through_its_life():
    """From the order to its end, each stage follows from what is seen."""
    one = worker(stage="requested")
    (one,) = step([one], seen(10, machine(state="pending"))).workers
    assert (one.stage, one.machine, one.joined) == ("booting", "m-a", None)
    (one,) = step([one], seen(60, machine(), heard="a")).workers
    assert (one.stage, one.joined) == ("joined", 60)
    (one,) = step([one], seen(500, machine(), heard={"a": Heard(CORES, busy=1, draining=True)})).workers
    assert one.stage == "draining"
    assert not step([one], seen(510, machine(), heard={"a": Heard(CORES, busy=1, draining=True)})).workers
    settled = step([one], seen(520, machine(), heard={"a": Heard(CORES, draining=True)}))
    (one,) = settled.workers
    assert one.stage == "stopping"
    assert [d.machine for d in settled.destroy] == ["m-a"]
    (one,) = step([one], seen(530)).workers
    assert (one.stage, one.ended, one.failed) == ("gone", 530, False)


@pytest.mark.parametrize("stage", ["booting", "joined", "draining", "stopping", "gone"])
def test_no_stage_leads_back(stage):
    """A worker cannot become what it was before."""
    with pytest.raises(InternalError):
        worker(stage=stage).step("requested", 1, "")


def test_an_order_whose_answer_was_lost_is_found_by_its_tag():
    """However long ago it was given."""
    assert stages(step([worker(stage="requested")], seen(9999, machine()))) == {"a": "booting"}


def test_an_order_of_which_no_machine_came_is_given_up():
    """But not while its call is under way, nor before its time is over, nor where the cloud does not answer."""
    one = worker(stage="requested")
    late = PATIENCE.requested + 1
    assert not step([one], seen(late), under_way="a").workers
    assert not step([one], seen(late - 2)).workers
    assert not step([one], seen(late, fresh=False)).workers
    (gone,) = step([one], seen(late)).workers
    assert (gone.stage, gone.failed) == ("gone", True)


def test_a_machine_that_comes_after_its_order_was_given_up_is_taken_away():
    """Its token is known, and its worker gone."""
    settled = step([worker(stage="gone", since=200, machine="")], seen(400, machine()))
    assert stages(settled) == {"a": "stopping"}
    assert [d.machine for d in settled.destroy] == ["m-a"]


def test_a_machine_that_boots_and_never_joins_is_taken_away():
    """After the time that its offering takes, or the usual one; it counts as failed."""
    one = worker(stage="booting", since=10)
    assert not step([one], seen(300, machine())).workers
    assert not step([one], seen(210, machine()), boots={"offer": 200.0}).workers
    settled = step([one], seen(300, machine()), boots={"offer": 200.0})
    assert stages(settled) == {"a": "stopping"}
    assert settled.workers[0].failed
    assert "did not join the pool within 200 s" in settled.destroy[0].why
    assert stages(step([one], seen(911, machine()))) == {"a": "stopping"}


def test_nobody_can_join_a_pool_that_does_not_answer():
    """The time counts from when the pool came back."""
    one = worker(stage="booting", since=10)
    assert not step([one], seen(2000, machine(), heard=None)).workers
    assert not step([one], seen(2000, machine(), since=1900)).workers


def test_a_machine_that_failed_is_taken_away_with_what_its_provider_says():
    """In any stage."""
    for stage in ("booting", "joined", "draining"):
        (one,) = step([worker(stage=stage)], seen(5, machine(state="failed", reason="no valid host"))).workers
        assert (one.stage, one.failed) == ("stopping", True)
        assert "no valid host" in one.why


def test_one_listing_without_it_does_not_make_a_machine_gone():
    """It must be so for a while; then its jobs are for others."""
    first = step([worker()], seen(100))
    assert not first.workers
    again = step([worker()], seen(100 + PATIENCE.missing - 1), first)
    assert not again.workers
    assert stages(step([worker()], seen(100 + PATIENCE.missing), again)) == {"a": "gone"}


def test_a_machine_that_comes_back_in_a_listing_is_missing_anew_later():
    """What was noticed is forgotten when it is not so any more."""
    first = step([worker()], seen(100))
    well = step([worker()], seen(110, machine(), heard="a"), first)
    assert not well.noticed
    assert not step([worker()], seen(131), well).workers


def test_a_cloud_that_does_not_answer_makes_no_machine_gone():
    """However long it takes, and what was noticed before is neither forgotten nor older."""
    first = step([worker()], seen(100))
    down = step([worker()], seen(9999, fresh=False), first)
    assert not down.workers
    assert down.noticed == first.noticed


def test_who_is_heard_of_is_there():
    """A listing without him does not count."""
    first = step([worker()], seen(100, heard="a"))
    assert not step([worker()], seen(9999, heard="a"), first).workers


def test_who_is_only_remembered_is_not_heard_of():
    """A machine that vanished is gone, though the pool still has its ad, which was not renewed since."""
    stale = {"a": Heard(CORES, busy=1, at=95.0)}
    first = step([worker()], seen(100, heard=stale))
    assert not step([worker()], seen(100 + PATIENCE.missing, heard=stale), first).workers
    assert stages(step([worker()], seen(100 + PATIENCE.said, heard=stale), first)) == {"a": "gone"}
    renewed = {"a": Heard(CORES, busy=1, at=150.0)}
    assert not step([worker()], seen(100 + PATIENCE.said, heard=renewed), first).workers


def test_who_drains_and_is_listed_no_more_is_gone():
    """Also while the pool remembers him."""
    one = worker(stage="draining")
    first = step([one], seen(100, heard="a"))
    assert stages(step([one], seen(100 + PATIENCE.missing, heard="a"), first)) == {"a": "gone"}


def test_many_that_are_missing_are_believed_to_be_gone_later():
    """A listing that is empty without an error, just as the collector was restarted, takes nobody's machines."""
    many = [worker(token) for token in "abcdefgh"]
    before = step(many, seen(100))
    after = step(many, seen(100 + PATIENCE.missing + 1), before)
    assert not after.workers
    assert len(step(many, seen(100 + PATIENCE.many_missing), after).workers) == len(many)


def test_a_collector_that_was_restarted_takes_nobody_away():
    """All are listed, none is heard of: for less than the time after which each would have ended itself."""
    many = [worker(token) for token in "abcd"]
    listed = [machine(token) for token in "abcd"]
    before = step(many, seen(100, *listed))
    assert not before.destroy
    assert not step(many, seen(100 + PATIENCE.unheard - 1, *listed), before).workers


def test_a_worker_that_is_never_heard_of_again_is_taken_away():
    """It may hang; its jobs run again elsewhere."""
    before = step([worker()], seen(100, machine()))
    settled = step([worker()], seen(100 + PATIENCE.unheard, machine()), before)
    assert stages(settled) == {"a": "stopping"}
    assert settled.destroy


def test_a_worker_at_the_end_of_its_lifetime_is_drained():
    """So that no controller is needed for its jobs to end well."""
    assert stages(step([worker(dies=50.0)], seen(51, machine(), heard="a"))) == {"a": "draining"}


def test_a_worker_that_drains_for_too_long_is_taken_away_with_its_jobs():
    """They run again elsewhere."""
    heard = {"a": Heard(CORES, busy=1, draining=True)}
    settled = step([worker(stage="draining")], seen(PATIENCE.draining + 1, machine(), heard=heard))
    assert "run again elsewhere" in settled.destroy[0].why


def test_a_worker_that_drains_ends_itself():
    """That is no failure; nor is it when it left the pool and its machine is still there."""
    one = worker(stage="draining")
    before = step([one], seen(100))
    (gone,) = step([one], seen(131), before).workers
    assert (gone.stage, gone.failed) == ("gone", False)
    both = [one, worker("b")], [machine(), machine("b")]
    before = step(both[0], seen(100, *both[1], heard="b"))
    assert stages(step(both[0], seen(131, *both[1], heard="b"), before)) == {"a": "stopping"}


def test_a_collector_that_was_restarted_takes_no_job_of_who_drains():
    """He has not left the pool: nobody is heard of."""
    one = worker(stage="draining")
    before = step([one, worker("b")], seen(100, machine(), machine("b")))
    later = step([one, worker("b")], seen(99 + PATIENCE.unheard, machine(), machine("b")), before)
    assert not later.workers


def test_a_machine_that_is_listed_late_is_not_bought_again():
    """It was made, and no listing has it for a while."""
    one = worker(stage="booting", since=10)
    first = step([one], seen(20))
    assert not step([one], seen(19 + PATIENCE.requested), first).workers
    assert stages(step([one], seen(21 + PATIENCE.requested), first)) == {"a": "gone"}
    assert stages(step([worker(stage="gone", since=200)], seen(400, machine()))) == {"a": "booting"}


def test_nobody_is_believed_to_be_gone_so_soon_while_the_pool_does_not_answer():
    """Nor taken away when he is listed again: he may work."""
    first = step([worker()], seen(100, heard=None))
    assert not step([worker()], seen(99 + PATIENCE.many_missing, heard=None), first).workers
    assert stages(step([worker()], seen(100 + PATIENCE.many_missing, heard=None), first)) == {"a": "gone"}
    assert not step([worker(stage="gone", ended=9.0, joined=1.0)], seen(400, machine(), heard=None)).workers


def test_what_is_still_listed_is_taken_away_again():
    """Each minute, until it is not listed any more."""
    one = worker(stage="stopping")
    first = step([one], seen(100, machine(state="stopping")))
    assert first.destroy
    second = step([one], seen(100 + PATIENCE.again / 2, machine()), first)
    assert not second.destroy
    third = step([one], seen(100 + PATIENCE.again, machine()), second)
    assert third.destroy


def test_what_is_stopping_is_gone_when_a_later_listing_does_not_have_it():
    """Not by one from before."""
    one = worker(stage="stopping", since=50)
    assert not step([one], seen(50)).workers
    assert not step([one], seen(60, fresh=False)).workers
    assert stages(step([one], seen(51))) == {"a": "gone"}


def test_a_ghost_that_is_heard_of_may_be_adopted():
    """After a grace, in which the journal of another may still name it."""
    first = step([], seen(100, machine("x"), heard="x"))
    assert not first.ghosts
    later = step([], seen(100 + PATIENCE.ghost, machine("x"), heard="x"), first)
    assert [one.machine.id for one in later.ghosts] == ["m-x"]
    assert not later.destroy


def test_a_ghost_that_nobody_hears_of_is_taken_away():
    """It costs money and does nothing; but not before the pool had time to hear of it, nor where it does not answer."""
    first = step([], seen(100, machine("x")))
    later = step([], seen(100 + PATIENCE.ghost, machine("x")), first)
    assert [one.machine for one in later.destroy] == ["m-x"]
    for what in (
        seen(100 + PATIENCE.ghost, machine("x"), heard=None),
        seen(100 + PATIENCE.ghost, machine("x"), fresh=False),
        seen(100 + PATIENCE.ghost, machine("x"), since=100 + PATIENCE.ghost - PATIENCE.unheard + 1),
    ):
        assert not step([], what, first).destroy


def test_a_ghost_that_failed_or_stands_still_is_taken_away():
    """It has a place in the quota; and not in every turn, for a cloud may take its time."""
    for state in ("failed", "stopping", "pending"):
        one = machine("x", state=state)
        first = step([], seen(100, one))
        later = step([], seen(100 + PATIENCE.ghost, one), first)
        assert [d.machine for d in later.destroy] == ["m-x"]
        soon = step([], seen(110 + PATIENCE.ghost, one), later)
        assert not soon.destroy
        assert step([], seen(100 + PATIENCE.ghost + PATIENCE.again, one), soon).destroy


def test_a_machine_that_was_believed_to_be_gone_and_is_listed_as_failed():
    """Is taken away too."""
    settled = step([worker(stage="gone", since=1)], seen(100, machine(state="failed")))
    assert stages(settled) == {"a": "stopping"}


def test_a_second_machine_of_one_order_is_taken_away():
    """The cloud knew nothing of tokens."""
    double = Machine("m-b", Tags("s", "workers", "a"), "s-a", "running")
    settled = step([worker()], seen(100, machine(), heard="a", doubles=[double]))
    assert [one.machine for one in settled.destroy] == ["m-b"]
    assert not settled.workers


def test_who_was_believed_to_be_gone_and_is_there_goes_on():
    """A listing that lied takes no job."""
    one = worker(stage="gone", ended=90.0)
    (back,) = step([one], seen(100, machine(), heard="a")).workers
    assert (back.stage, back.ended) == ("joined", None)


def test_an_order_that_is_taken_back_before_its_machine_came_is_watched():
    """The machine may still come, and is then taken away."""
    one = worker(stage="stopping", since=10, machine="")
    assert not step([one], seen(20)).workers
    assert not step([one], seen(999), under_way="a").workers
    assert [d.machine for d in step([one], seen(20, machine())).destroy] == ["m-a"]
    assert stages(step([one], seen(PATIENCE.requested + 1))) == {"a": "gone"}
