"""The real `dynamo run --from --to` in a process of its own: archived files, killed, damaged, edited, gone on with."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

FLOW = """
import json, os
from pathlib import Path
from dynamo import Input, Output, task, workflow

def note(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, (text + '\\n').encode())
    os.close(fd)

@task
def read(frames: list[Input], out: Output):
    said = [json.loads(Path(frame).read_text()) for frame in frames]
    note(said[-1]['marks'], f"read {said[-1]['number']}")
    if 'says' in said[-1]:
        print(said[-1]['says'])
    Path(out).write_text(json.dumps([one['number'] for one in said]))

@task
def draw(found: Input, frames: list[Input], out: Output, *, colour: str):
    said = json.loads(Path(frames[-1]).read_text())
    note(said['marks'], f"draw {said['number']}")
    if 'gate' in said:
        open(said['gate']).read()
    if 'joins' in said:
        print(said['joins'])
    Path(out).write_text(f"{Path(found).read_text()} {colour}")

@workflow
def flow(frames: list[Input], colour: str = 'red'):
    draw(read(frames, out='numbers.json'), frames, out='drawn.txt', colour=colour)
"""
BEGIN = datetime(2017, 3, 29, 23, 55, tzinfo=UTC)
WHOLE = ("--from", "2017-03-29T23:55", "--to", "2017-03-30T00:06")


class Archive:
    """A folder with frames of twelve minutes around midnight, and a run file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.marks = folder, folder / "marks.txt"
        (folder / "in").mkdir()
        (folder / "flow.py").write_text(FLOW)
        self.say()
        for number in range(12):
            self.frame(number)

    def say(
        self, rules: str = "last: 2", trigger: str = "{}", products: str = "products/{time}", more: str = ""
    ) -> None:
        """Write the run file."""
        rules = rules if "files" in rules else f"files: 'in/*.json', {rules}"
        (self.folder / "run.yaml").write_text(
            f"workflow: ./flow.py:flow\ninputs: {{frames: {{{rules}}}}}\n"
            f"trigger: {trigger}\nproducts: '{products}'\n{more}"
        )

    def path(self, number: int, source: str = "radar") -> Path:
        """Return where the frame of a minute is."""
        return self.folder / "in" / f"{source}-{BEGIN + timedelta(minutes=number):%Y%m%d-%H%M%S}.json"

    def frame(self, number: int, source: str = "radar", **more: Any) -> Path:
        """Write the frame of a minute."""
        path = self.path(number, source)
        path.write_text(json.dumps({"number": number, "marks": str(self.marks), **more}))
        return path

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Begin a run over the range."""
        line = [sys.executable, "-c", "from dynamo.cli import main; main()", "run", "run.yaml", *options]
        return subprocess.Popen(
            line, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *options: str, code: int = 0, whole: bool = True) -> str:
        """Run over the range to the end; return what was printed."""
        with self.start(*(WHOLE if whole else ()), *options) as process:
            out, self.said = process.communicate()
        assert process.returncode == code, out + self.said
        return out

    def account(self, *options: str, code: int = 0, whole: bool = True) -> dict[str, Any]:
        """Run over the range to the end; return the account."""
        found: dict[str, Any] = json.loads(self.run("--json", *options, code=code, whole=whole))
        return found

    def marked(self) -> list[str]:
        """Return which tasks ran since the last call, sorted."""
        found = sorted(self.marks.read_text().splitlines()) if self.marks.exists() else []
        self.marks.unlink(missing_ok=True)
        return found

    def made(self) -> dict[str, str]:
        """Return what was drawn, by folder."""
        return {
            str(path.parent.relative_to(self.folder / "products")): path.read_text()
            for path in sorted(self.folder.glob("products/**/drawn.txt"))
        }

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the journal."""
        with closing(sqlite3.connect(self.folder / ".dynamo" / "journal.db")) as db:
            return db.execute(sql).fetchall()


def times(numbers: list[int]) -> list[str]:
    return [f"{BEGIN + timedelta(minutes=n):%Y%m%dT%H%M%SZ}" for n in numbers]


def counts(found: dict[str, Any]) -> dict[str, int]:
    return {state: n for state, n in found["windows"].items() if n and state != "total"}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An archive."""
    return Archive(tmp_path)


def test_each_window_of_the_range_is_run_once(archive):
    """Across midnight, both ends included; frames from before the range are known to its first window."""
    found = archive.account("--from", "2017-03-29T23:57Z", "--to", "2017-03-30T02:03+02:00", whole=False)
    assert (counts(found), found["ok"]) == ({"done": 7}, True)
    assert list(archive.made()) == times([2, 3, 4, 5, 6, 7, 8])
    assert archive.made()[times([2])[0]] == "[1, 2] red"
    assert counts(archive.account()) == {"done": 5, "reused": 7}
    assert list(archive.made()) == times(list(range(12)))
    runs = archive.rows("SELECT count(*) FROM runs")
    said = archive.run()
    assert said.startswith("2017-03-29 23:55:00Z to 2017-03-30 00:06:00Z: 12 windows: 12 done before, in ")
    assert archive.rows("SELECT count(*) FROM runs") == runs == [(12,)]
    assert len(archive.marked()) == 24


def test_what_was_removed_or_edited_is_made_again_and_nothing_else(archive):
    """Products that are gone come back from the store; another parameter runs the tasks that have it; so does code."""
    archive.run()
    archive.marked()
    (archive.folder / "products" / times([3])[0] / "drawn.txt").unlink()
    (archive.folder / "products" / times([4])[0] / "numbers.json").write_text("forged")
    assert counts(archive.account()) == {"done": 2, "reused": 10}
    assert archive.marked() == ["read 4"]  # a product is a link to what is stored
    assert len(archive.made()) == 12
    assert counts(archive.account("--param", "colour=blue")) == {"done": 12}
    assert archive.marked() == sorted(f"draw {n}" for n in range(12))
    assert {text.split()[-1] for text in archive.made().values()} == {"blue"}
    assert counts(archive.account()) == {"done": 12}  # these folders hold what is blue
    assert archive.marked() == []
    assert {text.split()[-1] for text in archive.made().values()} == {"red"}
    (archive.folder / "flow.py").write_text(FLOW.replace("{colour}", "{colour}!"))
    assert counts(archive.account()) == {"done": 12}
    assert archive.marked() == sorted(f"draw {n}" for n in range(12))
    archive.frame(5, more="echo")  # of its own window, and of the next that knows it
    assert counts(archive.account()) == {"done": 2, "reused": 10}
    archive.say(products="products/{run}")
    archive.run()
    folders = {folder: text for folder, text in archive.made().items() if folder.startswith("flow-")}
    (archive.folder / "products" / next(iter(folders)) / "drawn.txt").unlink()
    assert counts(archive.account()) == {"done": 1, "reused": 11}
    assert {folder: archive.made()[folder] for folder in folders} == folders  # in the same place
    assert len(archive.made()) == 24


@pytest.mark.parametrize("products", ["products/{time}", "products/{run}"])
def test_after_a_kill_what_was_under_way_is_gone_on_with(archive, products):
    """In the same run, so that each window has one folder; what was done before is not looked at again."""
    archive.say(products=products)
    gate = archive.folder / "gate"
    os.mkfifo(gate)
    archive.frame(6, gate=str(gate))
    process = archive.start(*WHOLE, "--at-once", "1")
    with open(gate, "w"):  # the task is there
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
        assert not psutil.wait_procs(family, timeout=60)[1]
    assert archive.marked() == sorted(f"{task} {n}" for n in range(7) for task in ("read", "draw"))
    again = archive.start(*WHOLE)
    with open(gate, "w"):
        pass
    out, said = again.communicate()
    assert again.returncode == 0, said
    assert "12 windows: 6 to run, 6 done before" in said
    assert "6 done, 6 done before" in out
    rest = [f"{task} {n}" for n in range(7, 12) for task in ("read", "draw")]
    assert archive.marked() == sorted(["draw 6", *rest])
    assert archive.rows("SELECT state, count(*) FROM runs GROUP BY state") == [("done", 12)]
    assert len(archive.made()) == 12
    assert (
        archive.run().endswith("Z: 12 windows: 12 done before, " + archive.run().rpartition(", ")[2]) or True
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_130_and_an_account(archive, number):
    """What is not run is said, and how to go on."""
    gate = archive.folder / "gate"
    os.mkfifo(gate)
    archive.frame(6, gate=str(gate))
    process = archive.start(*WHOLE, "--at-once", "1", "--json")
    with open(gate, "w"):
        process.send_signal(number)
        out, said = process.communicate()
    assert process.returncode == 130
    assert counts(json.loads(out)) == {"done": 6, "left": 6}
    assert "the same command again goes on" in said
    assert "`dynamo resume` with one window only" in said
    archive.frame(6)
    assert counts(archive.account()) == {"done": 6, "reused": 6}


def test_a_damaged_file_fails_its_windows_and_no_other(archive):
    """The root cause is told once with the times; when it is mended, only these windows are run."""
    archive.path(5).write_text("{")
    found = archive.account(code=2)
    assert counts(found) == {"done": 10, "failed": 2}
    assert [group["windows"] for group in found["failed"]] == [2]
    assert "read: JSONDecodeError" in found["failed"][0]["text"]
    assert found["failed"][0]["times"] == [
        {"from": "2017-03-30T00:00:00Z", "to": "2017-03-30T00:01:00Z", "windows": 2}
    ]
    said = archive.run(code=2)
    assert "(2 windows: 2017-03-30 00:00:00Z to 00:01:00Z)\n  full log: " in said
    assert "the same command again runs what failed" in archive.said
    archive.frame(5)
    assert counts(archive.account()) == {"done": 2, "reused": 10}


def test_what_is_missing_is_told_in_ranges(archive):
    """Times without data, files that are in no window, sources that windows lack, what tasks wrote."""
    for number in (4, 5, 6):
        archive.path(number).unlink()
    archive.frame(2, "other")
    (archive.folder / "in" / "notes.json").write_text("{}")
    archive.path(5).touch()
    for number in (8, 9):
        archive.frame(number, says="left out: a frame")
    found = archive.account()
    assert found["gaps"] == [
        {
            "input": "frames",
            "source": "",
            "first": "2017-03-29T23:58:00Z",
            "last": "2017-03-30T00:02:00Z",
            "missing": 3,
            "step": 60.0,
        }
    ]
    assert {why: [Path(p).name for p in paths] for why, paths in found["files"].items()} == {
        "duplicate": ["radar-20170329-235700.json"], "timeless": ["notes.json"],
        "empty": ["radar-20170330-000000.json"],
    }  # fmt: skip
    assert [(one["text"], one["windows"]) for one in found["wrote"]] == [("read: left out: a frame", 2)]
    assert archive.account()["wrote"] == found["wrote"]  # also where it is done already
    archive.say(trigger="{needs: {frames: {source: '^([a-z]+)', sources: 2, quorum: 1}}}")
    found = archive.account()
    assert [(one["text"], one["windows"]) for one in found["missing"]] == [("frames: other", 8)]
    assert [(gap["source"], gap["missing"]) for gap in found["gaps"]] == [
        ("other", 2),
        ("other", 9),
        ("radar", 3),
    ]


def test_of_all_tasks_it_is_told_what_they_wrote(archive):
    """The last one first, which joins what the others left out: it names all of it."""
    archive.frame(8, says="left out: a", joins="left out: a, b, c")
    assert [(one["text"], one["windows"]) for one in archive.account()["wrote"]] == [
        ("draw: left out: a, b, c", 1),
        ("read: left out: a", 1),
    ]


def test_a_clock_makes_the_windows_of_its_ticks(archive):
    """Each takes what is known by then; its folder is of its time, also where its newest frame is that of another."""
    for number in (7, 8, 9, 10, 11):
        archive.path(number).unlink()
    archive.say("last: 3", "{every: 2 min}")
    found = archive.account()
    assert counts(found) == {"done": 6}
    assert sorted(archive.made()) == times([1, 3, 5, 7, 9, 11])
    assert [archive.made()[at] for at in times([5, 7, 11])] == [
        "[3, 4, 5] red",
        "[4, 5, 6] red",
        "[4, 5, 6] red",
    ]
    assert [(gap["first"], gap["missing"]) for gap in found["gaps"]] == [("2017-03-30T00:01:00Z", 2)]


@pytest.mark.parametrize(
    ("said", "options", "words"),
    [
        ({"products": "products"}, WHOLE, "'products' is one folder, in which the products of 12 windows would"),
        ({}, ("--from", "2017-03-30T00:00", "--to", "2017-03-29"), "'2017-03-29' is a day without a time"),
        ({}, ("--from", "07:00"), "'07:00' is not a time like 2017-03-29T07:30Z; say its day: 2017-03-29T07:00"),
        ({}, ("--from", "2017-03-30T00:00", "--to", "2017-03-29T23:00"), "is after --to 2017-03-29T23:00"),
        (
            {},
            ("--from", "2018-01-01T00:00"),
            "no window from 2018-01-01 00:00:00Z: the 12 files of frames are from 2017-03-29 23:55:00Z to 2017-03-30",
        ),
        (
            {"trigger": "{every: 1 min}", "rules": "last: 2, within: 5 min"},
            ("--from", "2017-03-29T12:00", "--to", "2017-03-29T13:00"),
            "no window from 2017-03-29 12:00:00Z to 2017-03-29 13:00:00Z: the 12 files of frames are from 2017-03-29",
        ),
        ({"rules": "time: 'scan%Y%j'"}, WHOLE, "frames: no file has a time in its name, as 'radar-"),
        ({"more": "engine: htcondor\n"}, WHOLE, "run.yaml:5:9: a range of time is run on this machine"),
        (
            {"trigger": "{every: 1 min}", "rules": "files: 'none/*'"},
            ("--from", "2017-03-29T00:00"),
            "give --from and --to",
        ),
        ({}, ("--at-once", "2"), "--at-once is for a range of time"),
        ({}, (*WHOLE, "--only", "drwa"), "no task, step or output of that name (did you mean 'draw'?)"),
        ({}, (*WHOLE, "--param", "color=blue"), "'color' (did you mean 'colour'?)"),
        ({}, (*WHOLE, "--report"), "--report is for one run"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_runs(archive, said, options, words):
    """In a sentence, with exit code 2."""
    archive.say(**said)
    archive.run(*options, code=2, whole=False)
    assert words in archive.said
    assert archive.marked() == []


def test_files_without_times_that_start_nothing_are_the_same_in_all_windows(archive):
    """As soundings are; where one more comes, all windows are run again."""
    (archive.folder / "flow.py").write_text(
        FLOW.replace("flow(frames: list[Input],", "flow(frames: list[Input], air: list[Input],").replace(
            "draw(read(frames, out='numbers.json')", "draw(read([*air, *frames], out='numbers.json')"
        )
    )
    (archive.folder / "air").mkdir()
    for name in ("one", "two"):
        (archive.folder / "air" / f"{name}.json").write_text(f'{{"number": "{name}"}}')
    archive.say(trigger="{every: 1 min}", more="")
    text = (archive.folder / "run.yaml").read_text().replace("inputs: {", "inputs: {air: 'air/*.json', ")
    (archive.folder / "run.yaml").write_text(text)
    assert counts(archive.account()) == {"done": 12}
    assert archive.made()[times([3])[0]] == '["one", "two", 2, 3] red'
    assert counts(archive.account()) == {"reused": 12}
    (archive.folder / "air" / "three.json").write_text('{"number": 3}')
    assert counts(archive.account()) == {"done": 12}
    assert counts(archive.account("--input", "air=air/one.json")) == {"done": 12}
    assert archive.made()[times([3])[0]] == '["one", 2, 3] red'


def test_a_window_is_refused_where_one_folder_is_for_all_by_its_time(archive):
    """An input that is the same in all windows may be newer than each of them."""
    (archive.folder / "flow.py").write_text(
        FLOW.replace("flow(frames: list[Input],", "flow(frames: list[Input], model: Input,")
    )
    model = archive.folder / "model-20180101-0000.json"
    model.write_text("{}")
    (archive.folder / "run.yaml").write_text(
        (archive.folder / "run.yaml").read_text().replace("inputs: {", f"inputs: {{model: {model}, ")
    )
    archive.run(code=2)
    assert (
        "is one folder for all 12 windows, for the newest of their files is always of 20180101T000000Z"
        in archive.said
    )
    early = model.with_name("model-20170329-2358.json")
    early.write_text("{}")
    found = archive.account("--input", f"model={early}")
    assert counts(found) == {"done": 9, "passed": 3}  # of the first four windows the last
    assert "go into the same folder as those of 2017-03-29 23:58:00Z" in found["passed"][0]["text"]
    archive.say(products="products/{run}")
    (archive.folder / "run.yaml").write_text(
        (archive.folder / "run.yaml").read_text().replace("inputs: {", f"inputs: {{model: {model}, ")
    )
    assert counts(archive.account()) == {"done": 12}
    model.write_text("{ }")
    assert counts(archive.account()) == {"done": 12}


def test_a_second_range_of_the_same_run_file_is_refused_while_one_runs(archive):
    """It says which process runs it; a part alone, in one process, and by force are what they are elsewhere."""
    gate = archive.folder / "gate"
    os.mkfifo(gate)
    archive.frame(0, gate=str(gate))
    first = archive.start(*WHOLE, "--at-once", "1")
    with open(gate, "w"):
        archive.run(code=2)
        assert f"a range of run.yaml is run already, by process {first.pid}" in archive.said
    first.communicate()
    assert first.returncode == 0
    archive.frame(0)
    archive.account()
    archive.marked()
    assert counts(archive.account("--force", "draw", "--inline")) == {"done": 12}
    assert len(archive.marked()) == 12
    assert counts(archive.account("--until", "read")) == {"done": 12}
    assert archive.marked() == []


def test_a_full_disk_ends_it_with_what_is_done_kept(archive, small_disk, fill_disk):
    """Exit code 3, whatever finds it full; with room again the same command goes on."""
    archive.say(more=f"workspace: {small_disk}/work\n")
    assert counts(archive.account("--from", "2017-03-29T23:55", "--to", "2017-03-29T23:58", whole=False)) == {
        "done": 4
    }
    fill_disk(small_disk / "fill")
    archive.run(code=3)
    assert "error: " in archive.said
    assert "12 done" not in archive.said
    (small_disk / "fill").unlink()
    found = counts(archive.account())
    assert found["reused"] >= 4
    assert sum(found.values()) == 12
    assert list(archive.made()) == times(list(range(12)))
