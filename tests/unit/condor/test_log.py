"""HTCondor's event log, written in its own format and read by its own bindings."""

from __future__ import annotations

import os
import signal

import pytest

from dynamo.condor.holds import _WORDS, in_words
from dynamo.condor.log import Log


def test_every_event_that_matters_is_understood(log):
    """In order, with the name of the job, its machine, its code, and the reason in words; others are left out."""
    log.submitted("a")
    log.began("a", "slot1_2@one")
    log.image_size("a")
    log.evicted("a")
    log.began("a")
    log.silent("a")
    log.back("a")
    log.broke("a")
    log.lost("a")
    log.held("a")
    log.released("a")
    log.ended("a", 3)
    log.ended("a", -signal.SIGKILL)
    log.submitted("b")
    log.removed("b")
    log.submitted()
    log.ended()
    found = list(Log(log.path).read())
    assert [(what.kind, what.job, what.code) for what in found] == [
        ("submitted", "a", 0), ("began", "a", 0), ("away", "a", 0), ("began", "a", 0), ("silent", "a", 0),
        ("back", "a", 0), ("away", "a", 0), ("away", "a", 0), ("held", "a", 34), ("released", "a", 0),
        ("ended", "a", 3), ("ended", "a", -9), ("submitted", "b", 0), ("removed", "b", 0),
        ("submitted", "", 0), ("ended", "", 0),
    ]  # fmt: skip
    assert found[0].at == log.start + 1
    assert found[1].machine == "slot1_2@one"
    texts = [what.text for what in found]
    assert texts[2] == "evicted: the owner came back"
    assert texts[4] == "Socket between submit and execute hosts closed unexpectedly"
    assert texts[6].startswith("its connection broke: Error from slot1@one: gone")
    assert texts[7].startswith("its machine was lost: ")
    assert found[7].machine == "one"
    assert texts[8].startswith("it used more memory or disk than it asked for; declare more with memory=")
    assert "(hold code 34: Job has gone over memory limit of 1024 megabytes)" in texts[8]
    assert "signal 9 (SIGKILL)" in texts[11]
    assert "via condor_rm (by user dynamo)" in texts[13]


def test_a_log_is_read_once_as_it_grows(log):
    """It need not be there yet; an event that is written in part is read when it is whole."""
    reader = Log(log.path)
    assert list(reader.read()) == []
    log.path.touch()
    assert list(reader.read()) == []
    log.submitted("a")
    log.began("a")
    whole = log.path.read_bytes()
    seen = []
    log.path.unlink()
    for n in range(0, len(whole), 7):
        with log.path.open("ab") as file:
            file.write(whole[n : n + 7])
        seen += reader.read()
    assert [what.kind for what in seen] == ["submitted", "began"]
    assert reader.count == 2
    assert list(reader.read()) == []


def test_an_event_that_is_torn_hides_no_other(log):
    """As the power left it."""
    log.submitted("a")
    log.write(24, "a", "Job reconnection failed")
    log.write(5, "a", "Job termi")
    log.began("a")
    assert [what.kind for what in Log(log.path).read()] == ["submitted", "began"]


def test_a_longer_copy_of_a_log_is_read_on(log):
    """As one that is brought home again and again, by a rename or over itself."""
    reader = Log(log.path)
    log.submitted("a")
    assert [what.kind for what in reader.read()] == ["submitted"]
    log.began("a")
    copy = log.path.with_name("copy")
    copy.write_bytes(log.path.read_bytes())
    os.replace(copy, log.path)
    assert [(what.kind, what.job) for what in reader.read()] == [("began", "a")]
    log.ended("a")
    assert [(what.kind, what.job) for what in reader.read()] == [("ended", "a")]


def test_another_log_of_the_same_name_is_read_from_its_beginning(log):
    """A DAG that is submitted once more begins its log anew, longer than the old one before that is seen."""
    reader = Log(log.path)
    log.submitted("a")
    list(reader.read())
    log.path.write_text("")
    assert list(reader.read()) == []
    for job in ("b", "c", "d"):
        log.submitted(job)
    assert [what.job for what in reader.read()] == ["b", "c", "d"]
    assert reader.count == 3


def test_jobs_of_an_earlier_log_are_passed_over(log):
    """What was submitted before a log was put aside may still write into the next; it is not the DAG."""
    log.submitted("older")
    log.path.write_text("")
    log.began("older")
    log.submitted("a")
    log.ended("older")
    log.ended("a")
    assert [(what.kind, what.job) for what in Log(log.path).read()] == [("submitted", "a"), ("ended", "a")]


@pytest.mark.parametrize("code", [*_WORDS, 0, 999])
def test_every_hold_says_who_must_act(code):
    """With HTCondor's code and reason behind it, where it gives one."""
    said = in_words(code, "No such file. ")
    assert said.endswith(f" (hold code {code}: No such file)")
    assert said.startswith(_WORDS.get(code, "HTCondor put it on hold"))
    assert in_words(code, "").endswith(f" (hold code {code})")
