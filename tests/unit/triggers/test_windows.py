"""Arrivals become windows: each once, in time, and the same in whatever order they come."""

from __future__ import annotations

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dynamo.triggers.arrival import Arrival
from dynamo.triggers.rules import InputRules, Rules
from dynamo.triggers.window import Step, Windows

WALL = 1e9


def frame(time, name="scan", source="", *, path=None, size=1):
    return Arrival(name, path or f"/{name}/{source}{time}", size, 0, time, source)


def keys(step: Step) -> list[float]:
    return [w.time for w in step.windows if not w.passed]


def outcome(step: Step, arrival: Arrival) -> str:
    return [o for a, o in step.outcomes if a == arrival][-1]


def test_a_file_of_one_input_is_a_window_at_once():
    """With nothing to join, there is nothing to wait for; the window holds the last frames, oldest first."""
    windows = Windows(Rules((InputRules("scan", last=3),)))
    for t in range(5):
        step = windows.step([frame(t)], now=0, wall=WALL)
        assert keys(step) == [t]
        assert step.due is None
    assert step.windows[0].files == {"scan": ("/scan/2", "/scan/3", "/scan/4")}


def test_frames_within_some_minutes_of_data_time():
    """`within` counts back from the window's time, and `last` limits it."""
    windows = Windows(Rules((InputRules("scan", last=2, within=10),)))
    windows.step([frame(0), frame(100), frame(105)], 0, WALL)
    assert windows.step([frame(108)], 0, WALL).windows[0].files == {"scan": ("/scan/105", "/scan/108")}
    assert windows.step([frame(117)], 0, WALL).windows[0].files == {"scan": ("/scan/108", "/scan/117")}


def test_inputs_are_joined_by_time():
    """A window waits for all inputs, and no longer than `wait` monotonic seconds from its first file."""
    rules = Rules((InputRules("a"), InputRules("b", quorum=0)), tolerance=5, wait=20)
    windows = Windows(rules)
    step = windows.step([frame(100, "a")], now=7, wall=WALL)
    assert (keys(step), step.due) == ([], 27)
    step = windows.step([frame(103, "b")], now=8, wall=WALL)
    assert (keys(step), step.due) == ([103], None)
    assert step.windows[0].complete
    windows.step([frame(160, "a")], now=60, wall=WALL - 5000)
    assert keys(windows.step([], now=79.9, wall=WALL + 5000)) == []
    step = windows.step([], now=80, wall=WALL)
    assert keys(step) == [160]
    assert not step.windows[0].complete
    assert step.windows[0].files == {"a": ("/a/160",), "b": ()}
    late = frame(158, "b")
    assert outcome(windows.step([late], 81, WALL), late) == "late"


def test_a_window_without_its_quorum_is_passed_over():
    """Where the workflow cannot do with what is there, the window says so and is not run."""
    windows = Windows(Rules((InputRules("a"), InputRules("b")), tolerance=5, wait=20))
    file = frame(100, "a")
    windows.step([file], 0, WALL)
    step = windows.step([], 20, WALL)
    assert step.windows[0].passed == "b: no file when the wait was over"
    assert outcome(step, file) == "passed"


def test_sources_of_one_input_are_counted():
    """Three radars make it complete, two do when the wait is over, and one that is silent gives no old frames."""
    windows = Windows(Rules((InputRules("scan", last=2, sources=3, quorum=2),), tolerance=30, wait=60))
    step = windows.step([frame(t, source=s) for t, s in ((0, "A"), (10, "B"), (20, "C"))], 0, WALL)
    assert keys(step) == [20]
    windows.step([frame(300, source="A"), frame(310, source="C")], 300, WALL)
    step = windows.step([], 360, WALL)
    assert step.windows[0].files == {"scan": ("/scan/A0", "/scan/C20", "/scan/A300", "/scan/C310")}


def test_an_input_that_drives_nothing_is_taken_as_it_is_known():
    """A model's field of the last hour goes with each scan, and makes no window by itself."""
    rules = Rules((InputRules("scan"), InputRules("wind", drives=False, within=3600)))
    windows = Windows(rules)
    field = frame(0, "wind")
    step = windows.step([field], 0, WALL)
    assert (keys(step), outcome(step, field)) == ([], "kept")
    for t in range(300, 3600, 300):
        step = windows.step([frame(t)], 0, WALL)
        assert step.windows[0].files["wind"] == ("/wind/0",)
    assert keys(windows.step([frame(3900)], 0, WALL)) == []  # too old: it waits for another
    assert keys(windows.step([frame(3600, "wind")], 0, WALL)) == [3900]


def test_too_few_frames_are_not_run():
    """A motion needs two frames; the first frame of all is passed over at once."""
    windows = Windows(Rules((InputRules("scan", last=6, fewest=2),)))
    assert windows.step([frame(1)], 0, WALL).windows[0].passed == "scan: 1 of 2 files"
    assert keys(windows.step([frame(2)], 0, WALL)) == [2]


def test_a_late_file_makes_no_window_but_is_used_by_later_ones():
    """What is older than the newest window is late; with `lateness` it makes its own window, once."""
    file = frame(5)
    for lateness, expected in ((0, "late"), (10, "used")):
        windows = Windows(Rules((InputRules("scan", last=2),), lateness=lateness))
        windows.step([frame(10)], 0, WALL)
        step = windows.step([file], 0, WALL)
        assert outcome(step, file) == expected
        assert keys(windows.step([file], 0, WALL)) == []
        assert (
            windows.step([frame(6, path="/x"), frame(11)], 0, WALL).windows[-1].files["scan"][0] == "/scan/10"
        )


def test_a_newer_window_overtakes_one_that_waits():
    """A window is not made after a newer one: it is decided just before it, with what is there."""
    windows = Windows(Rules((InputRules("a"), InputRules("b", quorum=0)), tolerance=5, wait=1000))
    windows.step([frame(100, "a")], 0, WALL)
    assert keys(windows.step([frame(200, "a"), frame(200, "b")], 1, WALL)) == [100, 200]


def test_of_two_files_of_one_time_the_rule_takes_the_first_or_the_last():
    """The other one is a duplicate, or was replaced."""
    one, two = frame(100, "a"), frame(100, "a", path="/a/again")
    for same, file in (("first", one), ("last", two)):
        windows = Windows(Rules((InputRules("a"), InputRules("b")), same=same))
        windows.step([one], 0, WALL)
        step = windows.step([two], 0, WALL)
        assert outcome(step, two if same == "first" else one) == (
            "duplicate" if same == "first" else "replaced"
        )
        assert windows.step([frame(100, "b")], 0, WALL).windows[0].files["a"] == (file.path,)


def test_all_files_of_one_time_count_where_the_rule_says_so():
    """As the tilts of a volume; one that is written anew is still one, and one that is deleted is gone."""
    windows = Windows(Rules((InputRules("scan", within=60, drives=False),), same="all"))
    tilts = [frame(100, path=f"/in/{n}") for n in range(4)]
    windows.step([*tilts, frame(100, path="/in/2", size=2)], 0, WALL)
    windows.remove("/in/1")
    step = windows.step([frame(120)], 0, WALL, [120])
    assert step.windows[0].files["scan"] == ("/in/0", "/in/2", "/in/3", "/scan/120")


def test_a_file_that_is_written_anew_stays_the_same_frame():
    """Its old content is gone, so the rule has no choice; and nothing runs twice."""
    windows = Windows(Rules((InputRules("scan"),)))
    windows.step([frame(1)], 0, WALL)
    again = frame(1, size=2)
    step = windows.step([again], 0, WALL)
    assert (keys(step), outcome(step, again)) == ([], "late")


def test_a_file_that_is_always_written_anew_is_a_new_frame_each_time():
    """One path whose time is that of its change: each change makes a window of that file alone."""
    windows = Windows(Rules((InputRules("scan", last=6),)))
    for t in range(5):
        step = windows.step([frame(t, path="/latest", size=t + 1)], 0, WALL)
        assert [w.files["scan"] for w in step.windows] == [("/latest",)]


def test_data_from_the_future_waits_until_our_clock_is_there():
    """One wrong name does not make all files late, and a clock that was wrong loses nothing."""
    windows = Windows(Rules((InputRules("scan"),)))
    file = frame(WALL + 1000)
    step = windows.step([file], 0, WALL)
    assert outcome(step, file) == "ahead"
    assert step.due == 30
    assert keys(windows.step([frame(WALL)], 0, WALL)) == [WALL]
    step = windows.step([], 0, WALL + 500)
    assert (keys(step), step.due) == ([WALL + 1000], None)
    windows = Windows(Rules((InputRules("scan", to=WALL + 9e9),)))
    assert keys(windows.step([file], 0, WALL)) == [WALL + 1000]


def test_data_without_a_time_or_from_outside_is_not_taken():
    """Both are told."""
    windows = Windows(Rules((InputRules("scan", from_=10, to=20),)))
    files = [frame(None), frame(9), frame(21)]
    step = windows.step(files, 0, WALL)
    assert [outcome(step, f) for f in files] == ["timeless", "outside", "outside"]
    assert keys(windows.step([frame(10), frame(20)], 0, WALL)) == [10, 20]


def test_a_deleted_file_is_in_no_window():
    """Neither in one that waits, which then has nothing to wait for, nor in later ones."""
    windows = Windows(Rules((InputRules("a", last=3), InputRules("b", quorum=0)), wait=5))
    file = frame(1, "a")
    windows.step([file], 0, WALL)
    windows.remove(file.path)
    step = windows.step([], 100, WALL)
    assert (step.windows, outcome(step, file)) == ((), "gone")
    windows.step([frame(2, "a"), frame(2, "b")], 0, WALL)
    windows.remove("/a/2")
    assert windows.step([frame(3, "a"), frame(3, "b")], 0, WALL).windows[0].files["a"] == ("/a/3",)


def test_what_is_there_before_the_first_start_is_taken_by_choice():
    """All, what belongs to the latest time, or nothing; the rest serves the windows to come."""
    files = [frame(t, n) for t in (0, 10, 20) for n in ("a", "b")]
    for choice, expected in (("all", [0, 10, 20]), ("latest", [20]), ("none", [])):
        windows = Windows(Rules((InputRules("a", last=2), InputRules("b")), tolerance=2))
        step = windows.begin(files, choice, 0, WALL)
        assert keys(step) == expected
        assert [o for a, o in step.outcomes if o == "backlog"] == ["backlog"] * (6 - 2 * len(expected))
        step = windows.step([frame(30, "a"), frame(30, "b")], 0, WALL)
        assert step.windows[0].files["a"] == ("/a/20", "/a/30")


def test_a_clock_asks_for_windows_of_what_is_known():
    """A tick takes the newest frames before it; asked for again it makes no second window."""
    windows = Windows(Rules((InputRules("scan", last=2, drives=False),), wait=20))
    windows.step([frame(t) for t in (1, 2, 3, 9)], 0, WALL)
    step = windows.step([], 0, WALL, ticks=[5])
    assert [(w.time, w.files["scan"]) for w in step.windows] == [(5, ("/scan/2", "/scan/3"))]
    assert windows.step([], 0, WALL, ticks=[5]).windows == ()


def test_memory_stays_small_over_a_week_of_minutes():
    """What no window can use any more is forgotten."""
    windows = Windows(Rules((InputRules("scan", last=6), InputRules("b", within=600)), lateness=300))
    for t in range(0, 7 * 86400, 60):
        windows.step([frame(t), frame(t, "b")], t, WALL)
    kept = sum(len(h.of(-math.inf, math.inf)) for h in windows._inputs.values())
    assert kept < 40
    assert len(windows._made) < 10


CYCLES = st.lists(st.integers(0, 40), unique=True, min_size=1, max_size=8)


@given(CYCLES, st.data())
def test_any_order_gives_the_same_windows_once(cycles, data):
    """Files of three radars, shuffled, doubled, in batches and with restarts anywhere: each cycle runs once, whole."""
    rules = Rules((InputRules("scan", sources=3),), tolerance=20, wait=math.inf, lateness=math.inf)
    files = [frame(60 * c + 7 * i, source=s) for c in cycles for i, s in enumerate("ABC")]
    order = data.draw(st.permutations(files * 2))
    windows, made, known, now = Windows(rules), [], {}, 0.0
    while order:
        n = data.draw(st.integers(1, 5))
        batch, order = order[:n], order[n:]
        step = windows.step(batch, now, WALL)
        made += step.windows
        known |= dict(step.outcomes)
        if data.draw(st.booleans()):
            spans = [(w.first, w.time) for w in made]
            windows = Windows(rules, frames=[a for a, o in known.items() if o == "used"], made=spans)
            again = [a for a, o in known.items() if o == "waiting"]
            assert windows.step(again, now, WALL).windows == ()
        now += 1
    assert sorted(w.time for w in made) == sorted(60 * c + 14 for c in cycles)
    for window in made:
        assert [p[6] for p in window.files["scan"]] == ["A", "B", "C"]
    assert set(known.values()) == {"used"}


@given(
    st.lists(st.tuples(st.integers(0, 50), st.sampled_from("ab"), st.floats(0, 30)), max_size=60),
    st.booleans(),
)
def test_no_data_time_is_in_two_windows(arrivals, is_last):
    """Whatever comes, in whatever order: windows only get newer, do not overlap, and each file has one end."""
    rules = Rules(
        (InputRules("a", last=3), InputRules("b")), tolerance=2, wait=10, same="last" if is_last else "first"
    )
    windows, now, made, last = Windows(rules), 0.0, [], {}
    for n, (time, name, pause) in enumerate(arrivals):
        now += pause
        step = windows.step([frame(time, name, path=f"/{n}")], now, WALL)
        made += step.windows
        last |= dict(step.outcomes)
    step = windows.step([], now + 11, WALL)
    made += step.windows
    last |= dict(step.outcomes)
    assert step.due is None
    assert "waiting" not in last.values()
    assert len(last) == len(arrivals)
    for before, after in pairwise(made):
        assert before.time < after.first
