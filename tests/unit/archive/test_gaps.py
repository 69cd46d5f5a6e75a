"""What is missing in a range, and in what words."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from dynamo.archive.gaps import account, usual_step
from dynamo.archive.look import Looked
from dynamo.archive.ranges import stretches
from dynamo.archive.replay import Range, replay
from dynamo.archive.scan import Scanned
from dynamo.archive.words import as_json, in_words
from dynamo.archive.work import Ended
from dynamo.runfile.trigger import NeedRule
from dynamo.triggers.arrival import Arrival
from dynamo.triggers.clock import Every
from dynamo.triggers.rules import InputRules, Rules

DAY = 1490745600  # 2017-03-29 00:00 UTC


def frame(seconds, source="", name="scan"):
    time = DAY + seconds
    return Arrival(name, f"/{name}/{source}{time}", 1, 0, time, source)


def looked(rules, arrivals, first, last, schedule=None, needs=None):
    range_ = Range(DAY + first, DAY + last)
    found = replay(rules, schedule, arrivals, range_, 1e10)
    case = SimpleNamespace(feed=SimpleNamespace(rules=rules, trigger=SimpleNamespace(needs=needs or {})))
    passed = {w.time: w.passed for w in found.windows if w.passed}
    return Looked(
        case,
        range_,
        found.windows,
        passed,
        tuple(arrivals),
        found.left_out,
        Scanned((), (), {}, {"/lost": "no"}),
    )


def gaps(found):
    return [(g.input, g.source, g.first - DAY, g.last - DAY, g.missing) for g in found.gaps]


ONE = Rules((InputRules("scan"),))


def test_a_day_without_a_gap_has_none():
    """Also where data come at slightly different times, or after unequal steps in turn."""
    for steps in ([60], [58, 61, 60], [24, 36]):
        times, n = [0], 0
        while times[-1] < 3600:
            times.append(times[-1] + steps[n % len(steps)])
            n += 1
        there = looked(ONE, [frame(t) for t in times], 0, times[-1])
        assert gaps(account(there, [])) == []


def test_gaps_are_where_data_are_missing():
    """At the beginning, in between, and at the end, each with how many are missing; of each source by itself."""
    times = [t for t in range(300, 3000, 60) if not 900 < t < 1200]
    found = account(looked(ONE, [frame(t) for t in times], 0, 3600), [])
    assert gaps(found) == [
        ("scan", "", 900, 1200, 4), ("scan", "", 0, 300, 5), ("scan", "", times[-1], 3600, 11),
    ]  # fmt: skip
    rules = Rules((InputRules("scan", sources=2, quorum=1),), tolerance=10)
    other = [frame(t + 5, "B") for t in times if t != 600] + [frame(100, "C")]
    found = account(looked(rules, [frame(t, "A") for t in times] + other, 300, 2400), [])
    assert gaps(found) == [
        ("scan", "A", 900, 1200, 4),
        ("scan", "B", 545, 665, 1),
        ("scan", "B", 905, 1205, 4),
        ("scan", "C", 300, 2400, None),
    ]


def test_where_each_file_is_a_source_of_its_own_they_are_one():
    """`source: ".+"` tells names apart, not who made them: a volume of which all is missing is a gap."""
    times = [t for t in range(0, 3600, 300) if t != 1200]
    tilts = [frame(t, f"MLL{t}.{n:03}") for t in times for n in range(20)]
    rules = Rules((InputRules("scan", within=600, drives=False),))
    found = account(looked(rules, tilts, 0, 3300, Every(300)), [])
    assert gaps(found) == [("scan", "", 900, 1500, 1)]
    assert gaps(account(looked(rules, tilts, 9000, 9600, Every(300)), [])) == [("scan", "", 9000, 9600, None)]


def test_what_starts_no_runs_has_no_gaps_but_where_there_is_none():
    """A sounding serves until the next one."""
    needs = {"sounding": NeedRule(starts=False, quorum=0)}
    rules = Rules((InputRules("scan"), InputRules("sounding", last=8, drives=False, quorum=0)))
    scans = [frame(t) for t in range(0, 3600, 60)]
    soundings = [frame(t, "MLL", "sounding") for t in (-7200, -3600)]
    assert gaps(account(looked(rules, scans + soundings, 0, 3540, needs=needs), [])) == []
    assert gaps(account(looked(rules, scans, 0, 3540, needs=needs), [])) == [("sounding", "", 0, 3540, None)]


def test_with_a_clock_data_need_not_come_more_often_than_it_ticks():
    """A gap is longer than its step, and than that of the data."""
    rules = Rules((InputRules("scan", last=1, drives=False),))
    times = [t for t in range(0, 3600, 60) if not 600 < t < 780 and not 1200 < t < 2400]
    found = account(looked(rules, [frame(t) for t in times], 0, 3540, Every(300)), [])
    assert gaps(found) == [("scan", "", 1200, 2400, 3)]


@given(st.sets(st.integers(0, 200), min_size=3), st.integers(1, 100))
def test_gaps_and_data_do_not_overlap(present, step):
    """Whatever is missing, no gap has data inside, and all data of a whole day has no gap."""
    times = sorted(t * step for t in present)
    found = account(looked(ONE, [frame(t) for t in times], times[0], times[-1]), [])
    for gap in found.gaps:
        assert not [t for t in times if gap.first - DAY < t < gap.last - DAY]
        assert gap.missing >= 1
    whole = list(range(0, 200 * step, step))
    assert usual_step(whole) == step


def test_sources_that_windows_lack_are_told_as_stretches():
    """Of those that are run, and of those that are passed over; and where one never came."""
    rules = Rules((InputRules("scan", sources=3, quorum=2),), tolerance=10)
    there = [frame(t, "A") for t in range(0, 600, 60)]
    there += [frame(t + 5, "B") for t in range(0, 600, 60) if not 100 < t < 300]
    never = [frame(9000, "C")]  # of another time: nobody waits for it now
    found = account(looked(rules, there + never, 0, 600), [])
    assert [(g.text, g.windows, len(g.stretches)) for g in found.missing] == [
        ("scan: B", 3, 1), ("scan: 2 of 3 sources were ever there", 10, 1),
    ]  # fmt: skip


@given(st.lists(st.booleans(), max_size=30))
def test_stretches_are_all_of_it_and_nothing_else(chosen):
    """They have each time once, in order, and are as few as can be."""
    among = [float(n * 7) for n in range(len(chosen))]
    times = [time for time, yes in zip(among, chosen, strict=True) if yes]
    found = stretches(times, among)
    assert [t for one in found for t in among if one.first <= t <= one.last] == times
    assert sum(one.windows for one in found) == len(times)
    changes = sum(1 for a, b in zip([False, *chosen], chosen, strict=False) if b and not a)
    assert len(found) == changes


def test_the_account_in_words_and_as_json():
    """Alike in both; bounded in words, whole in JSON."""
    there = looked(ONE, [frame(t) for t in range(0, 3600, 60)], 0, 3540)
    ended = [
        Ended(w, "failed" if n % 3 == 0 else "done", f"run-{n}", f"read: no echo in {n}", wrote="read: odd")
        if n < 57
        else Ended(w, "reused", "before", warnings=(f"draw-{n}: code changed",))
        for n, w in enumerate(there.windows)
    ]
    found = account(there, ended[:-1])
    found = replace(found, files={**found.files, "timeless": ["/in/a"], "empty": ["/in/b", "/in/c"]})
    said = in_words(found, there.range, 30.0).splitlines()
    assert said[0] == "failed: read: no echo in 0 (1 window: 2017-03-29 00:00:00Z)"
    assert said[1] == "  see dynamo status run-0"
    assert "failed: 26 more lines; `--json` has all" in said
    assert "left out: 1 file that could not be read: lost: no" in said
    assert "left out: 1 file that has no time in its name: a" in said
    assert "left out: 2 files that are empty: b, c" in said
    assert "tasks wrote: read: odd (57 windows: 2017-03-29 00:00:00Z to 00:56:00Z)" in said
    assert "warning: draw-57: code changed (2 windows: 2017-03-29 00:57:00Z to 00:58:00Z)" in said
    assert said[-1] == (
        "2017-03-29 00:00:00Z to 00:59:00Z: 60 windows: 38 done, 2 done before, 19 failed, 1 not run, in 30 s "
        "(114 a minute)"
    )
    plain = json.loads(json.dumps(as_json(found, there.range, 30.0)))
    assert (plain["ok"], plain["from"], len(plain["failed"])) == (False, "2017-03-29T00:00:00Z", 19)
    assert plain["windows"] == {
        "total": 60, "done": 38, "reused": 2, "failed": 19, "passed": 0, "left": 1,
    }  # fmt: skip
    assert plain["failed"][1]["times"] == [
        {"from": "2017-03-29T00:03:00Z", "to": "2017-03-29T00:03:00Z", "windows": 1}
    ]
