"""What an engine must hold: products, records, failures, reuse and interruption are the same on every engine.

Each check lays its run file in a folder of its own, so all of them may run at one time.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from dynamo.testing.bench import Bench, Case, Ended, Told

__all__ = [
    "CHECKS",
    "check_failures",
    "check_interrupted",
    "check_lost_worker",
    "check_products",
    "check_reuse",
]

_MEBIBYTES = 64
#: SHA-256 of the large file.
_LARGE = "f4d4a662b182152c1bd0f8b855d3026a755b0953e5b811a3a690076152648218"
#: Names of input files, of which products are named again.
_ODD = (
    "a b.txt",
    'it, "is".txt',
    "it's.txt",
    "-dash.txt",
    "é ß 雷.txt",
    "$(x) `y` %s;&.txt",
    "a.b+c=d@e.txt",
    ".hid",
)
#: Seconds that a check waits for something to come.
_PATIENCE = 120.0

_SOURCE = {"source.txt": "src;"}
_SWITCH = {**_SOURCE, "switch.txt": "bad"}
_BOTH = {"source": "source.txt", "switch": "switch.txt"}


def check_products(bench: Bench) -> None:
    """Check that every shape of graph runs, each task once, and leaves whole products, records and logs."""
    odd = {f"odd/{name}": f"{n};" for n, name in enumerate(_ODD)}
    case = bench.case(
        "shapes", {**_SOURCE, **odd}, {"source": "source.txt", "odd": list(odd)}, mebibytes=_MEBIBYTES
    )
    _ends(case.run(), 0)
    _same_products(case, _shapes())
    for task, told in case.story().items():
        assert (told.state, told.attempts) == ("done", ("ok",)), f"{task}: {told}"
    assert case.state() == "done", f"the run is {case.state()}"
    makers = case.makers()
    for output, said in {
        "chain/2.txt": "the word is link 2",
        "fused/1.txt": "the word is two",
        "each/part 4.txt": "the word is part 4",
        'command/it\'s "LOUD", $HOME.txt': "louder",
    }.items():
        assert said in case.log(makers[output]), f"the log of {makers[output]} lacks {said!r}"


def _shapes() -> dict[str, str]:
    """Return the products that the workflow `shapes` must make; of the large file, its digest."""
    fan = [f"src;fan {n};" for n in range(6)]
    links = ["".join(f"link {n};" for n in range(last + 1)) for last in range(4)]
    joined = "|".join(fan)
    parts = [f"{joined}part {n};" for n in range(6)]
    return {
        **{f"fan/{n}.txt": text for n, text in enumerate(fan)},
        "fan/all.txt": joined,
        **{f"chain/{n}.txt": f"src;{text}" for n, text in enumerate(links)},
        "diamond/top.txt": "src;top;",
        "diamond/left.txt": "src;top;left;",
        "diamond/right.txt": "src;top;right;",
        "diamond/bottom.txt": "src;top;left;|src;top;right;",
        "-dash.txt": "src;dash;",
        **{f"fused/{n}.part": "src;one;" for n in range(3)},
        **{f"fused/{n}.txt": "src;one;two;" for n in range(3)},
        **{f"of odd/{name}": f"{n};odd {n};" for n, name in enumerate(_ODD)},
        'command/it\'s "LOUD", $HOME.txt': joined.upper(),
        "large.bin": _LARGE,
        "large.sha256": _LARGE,
        **{f"each/part {n}.txt": text for n, text in enumerate(parts)},
        "found/total.txt": "|".join(parts),
    }


def _same_products(case: Case, expected: Mapping[str, str]) -> None:
    found = {
        name: hashlib.sha256(data).hexdigest() if len(data) > 2**20 else data.decode()
        for name, data in case.products().items()
    }
    missing, more = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    assert [missing, more] == [[], []], f"products that are missing: {missing}; that nobody made: {more}"
    for name, text in expected.items():
        assert found[name] == text, f"{name!r} holds {found[name]!r}, not {text!r}"


def check_reuse(bench: Bench) -> None:
    """Check that a second run runs nothing, and a changed parameter only what depends on it."""
    case = bench.case("scales", _SOURCE, {"source": "source.txt"})
    _ends(case.run(), 0)
    first = case.products()
    _ends(case.run(), 0)
    for task, told in case.story().items():
        assert (told.state, told.attempts) == ("reused", ()), f"nothing has changed, but {task}: {told}"
    assert case.products() == first, "a run that reuses all has other products"
    _ends(case.run("--param", "factor=3"), 0)
    makers, story, now = case.makers(), case.story(), case.products()
    ran = {task for task, told in story.items() if told.state == "done"}
    assert ran == {makers["scaled.txt"], makers["of the parameter.txt"]}, f"of a new parameter, {ran} ran"
    assert now["scaled.txt"] == b"src;src;src;", "the product is that of the parameter before"
    changed = {name for name in now if now[name] != first[name]}
    assert changed == {"scaled.txt", "of the parameter.txt"}, f"of a new parameter, {changed} are others"


def check_failures(bench: Bench) -> None:
    """Check that each kind of failure is told as what it is, others still run, and resume runs only what is left."""
    case = bench.case("troubles", _SWITCH, _BOTH)
    ended = case.run()
    _ends(ended, 2)
    _failed(case, rounds=1)
    assert "could not run because of it" in ended.text, f"what is blocked is not told: {ended.text}"
    log = case.log("raises")
    assert "ValueError: no echo at all" in log, f"the log lacks the traceback: {log}"
    assert "about to fail" in log, f"the log lacks what the task printed: {log}"
    steady = case.product("steady.txt")
    _ends(case.dynamo("resume"), 2)
    _failed(case, rounds=2)
    (case.folder / "switch.txt").write_text("good")
    _ends(case.dynamo("resume"), 0)
    story = case.story()
    assert all(told.state in ("done", "reused") for told in story.values()), story
    assert all(told.attempts[-1] == "ok" for told in story.values()), story
    _ran_once(case)
    assert steady == case.product("steady.txt"), "resume ran what was done"
    assert case.product("dies.txt") == "dies: good", "what was mended has no product"


#: How each task of the workflow `troubles` fails: its attempts in one round, and what is told.
_FAILURES = {
    "raises": (("failed",), "no echo at all"),
    "tries": (("failed",) * 3, "not this time"),
    "late": (("timeout",), "timeout of 1 s"),
    "forgets": (("failed",), "did not write its output 'forgets.txt'"),
    "leaves": (("failed",), "sys.exit(7)"),
    "gives_up": (("failed",), "exit code 1"),
    "dies": (("lost",) * 3, "signal 9"),
}


def _failed(case: Case, rounds: int) -> None:
    """Check how the tasks of `troubles` stand after so many rounds in which nothing was mended."""
    story, makers = case.story(), case.makers()
    for task, (attempts, error) in _FAILURES.items():
        told = story[task]
        assert (told.state, told.attempts) == ("failed", attempts * rounds), f"{task}: {told}"
        assert error in told.reason, f"{task} is said to have failed by {told.reason!r}, not {error!r}"
        assert all(error in text for text in told.errors), f"{task}: {told.errors}"
    for output in ("blocked 1.txt", "blocked 2.txt"):
        blocked = story[makers[output]]
        assert (blocked.state, blocked.reason) == ("blocked", "raises failed"), f"{output}: {blocked}"
    for output in ("steady.txt", *(f"after/{n}.txt" for n in range(8))):
        told = story.get(makers[output], Told("not run", "", (), ()))
        assert told.attempts == ("ok",), f"{output} needs nothing that failed, but: {told}"
    steady = case.product("steady.txt")
    _same_products(
        case, {"steady.txt": steady, **{f"after/{n}.txt": f"{steady}after {n};" for n in range(8)}}
    )


def check_lost_worker(bench: Bench) -> None:
    """Check that a worker that dies is named, its task tried again, and the run blamed on the machine."""
    case = bench.case("lost", _SWITCH, _BOTH)
    _ends(case.run(), 3)
    told = case.story()["dies"]
    assert (told.state, told.attempts) == ("failed", ("lost",) * 3), f"dies: {told}"
    assert "killed by signal 9" in told.reason, told.reason
    assert "my last words" in case.log("dies"), "what the task wrote before it died is lost"
    stamp = case.product("stamp.txt")
    assert stamp, "the other task did not run"
    (case.folder / "switch.txt").write_text("good")
    _ends(case.dynamo("resume"), 0)
    assert case.product("stamp.txt") == stamp, "resume ran what was done"
    assert case.product("dies.txt") == "dies: good", "the task that was tried again has no product"


def check_interrupted(bench: Bench) -> None:
    """Check that ``dynamo cancel`` ends a run soon, and resume goes on with it; what was done is not done again."""
    case = bench.case("lengthy", _SOURCE, {"source": "source.txt"})
    ended: list[Ended] = []
    runs = threading.Thread(target=lambda: ended.append(case.run()))
    runs.start()
    _until(lambda: case.product("first.txt") or ended, "the first product")
    assert not ended, f"it ended before it could be cancelled: {ended[0].text}"
    first = case.product("first.txt")
    cancelled = case.dynamo("cancel")
    runs.join(_PATIENCE)
    _ends(cancelled, 0)
    assert ended, "a run that was cancelled goes on"
    _ends(ended[0], 130)
    assert case.state() == "interrupted", f"a run that was cancelled is {case.state()}"
    _ends(case.dynamo("resume"), 0)
    assert len(case.products()) == 7, f"products: {sorted(case.products())}"
    assert case.product("first.txt") == first, "resume ran what was done"
    _ran_once(case)


def _ran_once(case: Case) -> None:
    """Check that no task of the latest run was run to its end twice."""
    twice = {task: told for task, told in case.story().items() if told.attempts.count("ok") != 1}
    assert not twice, f"these were not run to their end once: {twice}"


def _ends(ended: Ended, code: int) -> None:
    assert ended.code == code, f"ended with {ended.code}, not {code}: {ended.text}"


def _until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end, f"not within {_PATIENCE:.0f} s: {what}"
        time.sleep(0.1)


#: All checks of an engine, by what they are about.
CHECKS: Mapping[str, Callable[[Bench], None]] = {
    "products": check_products,
    "reuse": check_reuse,
    "failures": check_failures,
    "lost worker": check_lost_worker,
    "interrupted": check_interrupted,
}
