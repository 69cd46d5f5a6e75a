"""A compiled job, run in a folder of its own by the command that a scheduler calls: what comes back, and its code."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent

import orjson
import psutil
import pytest

from dynamo.graph import Graph
from dynamo.targets.code import carry
from dynamo.targets.jobs import compile_jobs, spec_of
from dynamo.worker.build import build
from dynamo.worker.loading import load_object
from dynamo.worker.logs import LIMIT
from dynamo.worker.returned import Returned
from dynamo.worker.store import digest_file

HEAD = """
import ctypes, os, signal, subprocess, sys, time
from pathlib import Path
from dynamo import Input, Output, command, fuse, task, workflow

def note(text):
    with open(MARKS, 'a') as file:
        file.write(text + '\\n')

@task
def make(out: Output, *, text: str = 'made'):
    note('make')
    Path(out).write_text(text)

@task
def copy(source: Input, out: Output):
    note('copy')
    Path(out).write_text(Path(source).read_text())
"""


@dataclass
class Job:
    """One job of a workflow, compiled, in the folder where a scheduler would put it."""

    root: Path
    graph: Graph = field(init=False)

    def __post_init__(self) -> None:
        self.home, self.folder, self.marks = self.root / "home", self.root / "job", self.root / "marks"

    def write(self, text: str, *args: object, units: Iterable[tuple[str, ...]] = (), **modules: str) -> Job:
        """Write a workflow and compile it: all of it one job, unless `units` part it; this is then the last."""
        self.home.mkdir(exist_ok=True)
        file = self.home / "flow.py"
        file.write_text(f"MARKS = {str(self.marks)!r}\n" + HEAD + dedent(text))
        for name, content in modules.items():
            path = self.home / f"{name.replace('_of_', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        self.graph = load_object(f"{file}:flow").graph(*args)
        calls = [task.call for task in self.graph.tasks.values()]
        carried = carry(calls, self.home.rglob("*.py"))
        jobs = compile_jobs(carried.renamed(self.graph), list(units) or [tuple(self.graph.order())])
        digests = {name: digest_file(path) for name, path in self.graph.sources.items()}
        *_, job = jobs.jobs.values()
        self.spec = spec_of(jobs, job, digests, build())
        (self.folder / "out").mkdir(parents=True, exist_ok=True)
        carried.write(self.folder)
        for name, path in self.graph.sources.items():
            (self.folder / self.spec.graph.sources[name]).write_bytes(Path(path).read_bytes())
        return self

    def start(self, again: int = 0) -> subprocess.Popen[str]:
        """Begin it, as the scheduler does."""
        name = f"{self.spec.job}.spec.json"
        if not (self.folder / name).exists():
            (self.folder / name).write_bytes(orjson.dumps(self.spec.to_json()))
        return subprocess.Popen(
            [sys.executable, "-m", "dynamo.worker.command", "run", name, "--again", str(again)],
            cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, again: int = 0) -> int:
        """Run it to its end, and return its exit code."""
        with self.start(again) as process:
            self.out, self.err = process.communicate(timeout=60)
        assert "Traceback" not in self.err, self.err
        assert not (self.folder / ".dynamo-job").exists()
        return process.returncode

    @property
    def report(self) -> Path:
        return self.folder / self.spec.report

    @property
    def told(self) -> Returned:
        return Returned.read(self.report)

    @property
    def ended(self) -> dict[str, str]:
        return {task: last.ended for task, last in self.told.last.items()}

    def file(self, name: str) -> Path:
        return self.folder / self.spec.outputs[name]

    def log(self, task: str, n: int = 1) -> str:
        return (self.folder / f"out/logs/{task}.{n}.log").read_text()

    def executed(self) -> list[str]:
        """What ran since the last call."""
        marks = self.marks.read_text().split() if self.marks.exists() else []
        self.marks.unlink(missing_ok=True)
        return marks


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


def test_a_task_that_was_lost_between_its_own_tries_has_the_others_still(job, tmp_path):
    """It fails by itself, is lost, and may then fail once more: twice in all, whatever the scheduler tries again."""
    job.write(
        """
        @task(retries=2)
        def out(out: Output):
            note('out')
            n = len(Path(MARKS).read_text().split())
            if n == 2:
                os.kill(os.getpid(), 9)
            if n < 4:
                raise ValueError(f'try {n}')
            Path(out).write_text('made')

        @workflow
        def flow():
            out(out='out.txt')
        """
    )
    assert job.run() == 3
    assert job.run(again=1) == 0


def test_a_job_leaves_outputs_report_and_logs(job, tmp_path):
    """All that the scheduler fetches is below one folder, whole, with the digests that the report tells."""
    (tmp_path / "in.txt").write_text("scan")
    job.write(
        """
        @task
        def say(source: Input, out: Output):
            print('hello'); sys.stderr.write('there\\n')
            Path(out).write_text(Path(source).read_text() * 2)

        @command
        def upper(source: Input, out: Output):
            return ['sh', '-c', 'tr a-z A-Z < "$1" > "$2"', 'upper', source, out]

        @workflow
        def flow(source: Input):
            upper(say(source, out='twice'), out='sub/big.txt')
        """,
        str(tmp_path / "in.txt"),
    )
    assert job.run() == 0, job.err
    assert job.file("sub/big.txt").read_text() == "SCANSCAN"
    told = job.told
    assert job.ended == {"say": "ok", "upper": "ok"}
    for name in ("twice", "sub/big.txt"):
        assert told.made[name].digest == digest_file(job.file(name))
        assert job.file(name).stat().st_mode & 0o777 == 0o644
    assert job.log("say") == "hello\nthere\n"
    assert told.last["say"].log == "out/logs/say.1.log"
    assert told.last["upper"].log == ""
    assert (told.error, told.build, told.rounds) == ("", build(), 1)
    assert told.began <= told.verified <= told.last["say"].report.started <= told.ended
    assert {p.name for p in (job.folder / "out").iterdir()} == {
        "logs", job.report.name, job.file("twice").name, job.file("sub/big.txt").name
    }  # fmt: skip


FAILS = """
    @task
    def fail(out: Output):
        note('fail')
        raise ValueError('bad weather')

    @workflow
    def flow():
        copy(fail(out='a'), out='b')
        copy(make(out='c'), out='d')
"""


def test_a_failure_stops_only_what_reads_its_files(job):
    """Exit code 2: another machine would not mend it; the rest is done."""
    job.write(FAILS)
    assert job.run() == 2
    assert job.ended == {"fail": "failed", "copy-0": "blocked", "make": "ok", "copy-1": "ok"}
    assert "ValueError: bad weather" in job.told.last["fail"].report.error
    assert "ValueError: bad weather" in job.log("fail")


def test_another_try_by_the_scheduler_repeats_neither_what_is_done_nor_what_failed_by_itself(job):
    """With `--again` nothing is left here; a new submission tries what failed, once more."""
    job.write(FAILS)
    job.run()
    job.executed()
    assert job.run(again=1) == 2
    assert job.executed() == []
    assert job.run(again=0) == 2
    assert job.executed() == ["fail"]
    assert [(t.n, t.round) for t in job.told.tried if t.report.task == "fail"] == [(1, 1), (2, 3)]
    assert job.told.rounds == 3


def test_what_failed_and_then_goes_well_sets_free_what_waited(job):
    """In a new submission."""
    job.write(
        """
        @task
        def fail(out: Output):
            note('fail')
            assert Path(MARKS + '.go').exists()
            Path(out).write_text('at last')

        @workflow
        def flow():
            copy(fail(out='a'), out='b')
        """
    )
    assert job.run() == 2
    Path(f"{job.marks}.go").touch()
    assert job.run() == 0
    assert job.executed() == ["fail", "fail", "copy"]
    assert job.file("b").read_text() == "at last"


def test_retries_are_made_in_the_job(job):
    """As often as the task says, and no more; each has its log, and what waits for it runs once it is done."""
    job.write(
        """
        @task(retries=2)
        def shaky(out: Output, *, good: int):
            n = len(Path(MARKS).read_text().split()) if Path(MARKS).exists() else 0
            note('shaky')
            print('try', n)
            assert n >= good
            Path(out).write_text('x')

        @workflow
        def flow():
            copy(shaky(out='a', good=2), out='b')
        """
    )
    assert job.run() == 0
    assert [t.ended for t in job.told.tried if t.report.task == "shaky"] == ["failed", "failed", "ok"]
    assert [job.log("shaky", n).splitlines()[0] for n in (1, 2, 3)] == ["try 0", "try 1", "try 2"]
    assert job.ended["copy"] == "ok"


@pytest.mark.parametrize(
    ("how", "ended", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "lost", "signal 9 (SIGKILL)"),
        ("os._exit(7)", "lost", "exit code 7"),
        ("ctypes.string_at(0)", "lost", "signal 11 (SIGSEGV)"),
        ("time.sleep(60)", "timeout", "timeout of 500 ms"),
        ("x = bytearray(300 << 20); time.sleep(60)", "memory", "more than the 200 MiB it declares"),
    ],
)
def test_a_task_that_takes_its_process_along_is_alone_in_that(job, how, ended, words):
    """The others go on in a new one, with what was made before; a lost task is the machine's fault, a limit its own."""
    job.write(
        f"""
        @task(timeout={"0.5 s" if ended == "timeout" else "60 s"!r}, memory='200 MiB')
        def die(source: Input, out: Output):
            print('last words')
            {how}

        @workflow
        def flow():
            first = make(out='first')
            copy(die(first, out='a'), out='b')
            copy(first, out='c')
        """
    )
    assert job.run() == (3 if ended == "lost" else 2)
    assert job.ended == {"make": "ok", "die": ended, "copy-0": "blocked", "copy-1": "ok"}
    assert words in job.told.last["die"].report.error
    assert job.log("die").startswith("last words\n")
    job.executed()
    assert job.run(again=1) == (3 if ended == "lost" else 2)
    assert job.executed() == []
    assert len([t for t in job.told.tried if t.report.task == "die"]) == (2 if ended == "lost" else 1)


def test_what_was_lost_is_done_by_the_next_try(job):
    """And what waited for it."""
    job.write(
        """
        @task
        def die(out: Output):
            if not Path(MARKS + '.go').exists():
                os._exit(1)
            Path(out).write_text('alive')

        @workflow
        def flow():
            copy(die(out='a'), out='b')
            make(out='c')
        """
    )
    assert job.run() == 3
    Path(f"{job.marks}.go").touch()
    assert job.run(again=1) == 0
    assert job.executed() == ["make", "copy"]
    assert job.file("b").read_text() == "alive"


TWO = """
    @workflow
    def flow():
        copy(make(out='a'), out='b')
"""


@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_what_did_not_come_back_whole_is_made_anew(job, damage):
    """A try goes on from what an earlier one made, once its digest is right; no attempt is forgotten."""
    job.write(TWO)
    assert job.run() == 0
    path = job.file("a")
    path.unlink()  # it shares a file with what has the same content
    if damage != "gone":
        path.write_text({"cut": "ma", "other": "MADE"}[damage])
    job.executed()
    assert job.run(again=1) == 0
    assert job.executed() == ["make"]
    assert path.read_text() == "made"
    assert [(t.report.task, t.n, t.ended) for t in job.told.tried] == [
        ("make", 1, "lost"), ("copy", 1, "ok"), ("make", 2, "ok")
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', "[]", "null"])
def test_a_report_that_was_cut_off_counts_for_nothing(job, text):
    """The job begins from the beginning."""
    job.write(TWO)
    assert job.run() == 0
    job.report.write_text(text)
    job.executed()
    assert job.run(again=1) == 0
    assert job.executed() == ["make", "copy"]


@pytest.mark.parametrize(("damage", "words"), [("gone", "did not arrive"), ("other", "arrived damaged")])
def test_an_input_that_did_not_arrive_whole_is_named(job, tmp_path, damage, words):
    """Nothing is run, and another machine may do better: exit code 3."""
    (tmp_path / "scan 1.nc").write_text("scan")
    job.write("@workflow\ndef flow(source: Input):\n    copy(source, out='b')\n", str(tmp_path / "scan 1.nc"))
    (name,) = job.spec.graph.sources
    path = job.folder / job.spec.graph.sources[name]
    path.unlink() if damage == "gone" else path.write_text("SCAN")
    assert job.run() == 3
    assert words in job.told.error
    assert repr(name) in job.told.error
    assert job.told.error in job.err
    assert job.executed() == []


def test_what_an_earlier_job_made_is_checked_by_its_report(job):
    """A damaged file is named; so is a report that did not come."""
    job.write(TWO, units=[("make",), ("copy",)])
    (path,) = job.spec.graph.sources.values()
    (job.folder / path).write_text("made")
    assert job.run() == 3
    assert "the report of an earlier job did not arrive" in job.told.error
    digest = hashlib.sha256(b"made").hexdigest()
    made = {"a": {"digest": digest, "size": 4, "mtime": 0}}
    report = {"task": "make", "outcome": "ok", "started": 0.0, "ended": 0.0, "made": made}
    tried = [{"n": 1, "ended": "ok", "report": report, "log": "", "round": 1}]
    (job.folder / job.spec.reports[0]).write_bytes(orjson.dumps({"format": 1, "job": "make", "tried": tried}))
    (job.folder / path).write_text("MADE")
    assert job.run(again=1) == 3
    assert "input 'a' arrived damaged" in job.told.error
    (job.folder / path).write_text("made")
    assert job.run(again=2) == 0
    assert job.told.error == ""


def test_another_dynamo_does_not_run_the_job(job):
    """It says which it is, and how to mend that."""
    job.write(TWO)
    job.spec = replace(job.spec, build="0.0.1+abc")
    assert job.run() == 3
    assert job.executed() == []
    for words in (build(), "0.0.1+abc", "build the worker's image anew"):
        assert words in job.told.error


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 7}', "\x00"])
def test_a_spec_that_was_cut_off_is_told(job, text):
    """And is no traceback."""
    job.write(TWO)
    (job.folder / f"{job.spec.job}.spec.json").write_text(text)
    assert job.run() in (2, 3)
    assert job.err.startswith("error: ")
    assert job.executed() == []


def test_a_task_that_changes_its_input_has_failed(job):
    """Else another result would stand under the digest of what was made."""
    job.write(
        """
        @task
        def spoil(source: Input, out: Output):
            with open(source, 'a') as file:
                file.write('!')
            Path(out).write_text('x')

        @workflow
        def flow():
            spoil(make(out='a'), out='b')
        """
    )
    assert job.run() == 2
    assert "its input 'a' was changed while it ran" in job.told.last["spoil"].report.error
    assert not job.file("b").exists()


RUNS = """
    @task
    def run(out: Output):
        more = [sys.executable, '-c', 'import time; time.sleep(600)  # {mark}']
        subprocess.Popen(more)
        subprocess.Popen(more, start_new_session=True)
        if os.fork() == 0:
            os.setsid()
            subprocess.Popen(more, start_new_session=True)
            os._exit(0)
        note('runs')
        {then}

    @workflow
    def flow():
        run(out='a')
"""


def left(mark: str) -> list[int]:
    """Processes with this mark that are not dead."""
    found = []
    for p in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(p.info["cmdline"] or ())
        if mark in line and p.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(p.pid)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_with_the_job_ends_all_that_its_tasks_started(job, tmp_path, eventually, number):
    """Also what has a session of its own; told to end, it writes its report first."""
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    job.write(RUNS.format(mark=mark, then="time.sleep(600)"))
    with job.start() as process:
        eventually(lambda: len(left(mark)) == 3 and job.marks.exists())
        children = psutil.Process(process.pid).children()
        process.send_signal(number)
        process.communicate(timeout=30)
    if number == signal.SIGTERM:
        assert process.returncode == 128 + signal.SIGTERM
        assert left(mark) == []
        assert job.told.ended > 0
        assert not (job.folder / ".dynamo-job").exists()
    eventually(lambda: left(mark) == [])
    eventually(lambda: not any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children))


@pytest.mark.parametrize("then", ["Path(out).write_text('x')", "os._exit(1)", "time.sleep(600)"])
def test_nothing_is_left_running_when_a_job_has_ended(job, tmp_path, then):
    """Whether its task ended well, died, or ran into its timeout; nor does the job wait for it."""
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    job.write(RUNS.replace("@task", "@task(timeout='5 s')").format(mark=mark, then=then))
    assert job.run() == {"Path": 0, "os._": 3, "time": 2}[then[:4]]
    assert left(mark) == []


def test_a_forked_child_that_holds_the_pipe_keeps_nobody_waiting(job, tmp_path):
    """The job ends with its tasks, not with what they forked."""
    job.write(
        """
        @task
        def die(out: Output):
            if os.fork() == 0:
                time.sleep(600)
            os.kill(os.getpid(), signal.SIGKILL)

        @workflow
        def flow():
            die(out='a')
            make(out='b')
        """
    )
    assert job.run() == 3
    assert job.ended == {"die": "lost", "make": "ok"}


def test_a_log_without_end_is_cut(job):
    """Its beginning and end are kept; also of a task that is killed."""
    job.write(
        """
        @task
        def talk(out: Output):
            print('first')
            for n in range(200):
                print('x' * 100_000)
            print('last')
            Path(out).write_text('x')

        @task(timeout='2 s')
        def babble(out: Output):
            print('first')
            while True:
                print('x' * 100_000)

        @workflow
        def flow():
            talk(out='a')
            babble(out='b')
        """
    )
    assert job.run() == 2
    for task in ("talk", "babble"):
        path = job.folder / f"out/logs/{task}.1.log"
        assert path.stat().st_size < LIMIT
        assert path.stat().st_blocks * 512 < LIMIT
        assert path.read_text().startswith("first\nxxx")
        assert " left out ...]" in path.read_text()
    assert job.log("talk").endswith("\nlast\n")


WEIRD = [
    "a b", "a,b", "täglich.nc", "日本", "new\nline", "-x", ".hidden", "..x", "x" * 200, "Case.txt", "case.txt",
    "CASE.TXT", "out", "code", "logs", "job.out", "final", 'q"uote', "it's", "$(JOB)", "%s", "sub/deep/er.txt",
    "sub/logs", "a;b|c&d",
]  # fmt: skip


@pytest.mark.parametrize("parted", [False, True])
def test_files_may_have_any_name(job, parted):
    """Of inputs and outputs; none takes another's place, nor that of what travels with the job."""
    text = f"""
        WEIRD = {[*WEIRD, "copies.spec.json", "copies.report.json", "_condor_stdout"]!r}

        @workflow
        def flow():
            files = [make(out=name, text=name) for name in WEIRD]
            with fuse('copies'):
                for n, file in enumerate(files):
                    copy(file, out=f'to/{{WEIRD[n]}}')
    """
    job.write(text)
    if parted:
        tasks = job.graph.order()
        job.write(
            text,
            units=[
                tuple(t for t in tasks if t.startswith("make")),
                tuple(t for t in tasks if t.startswith("copy")),
            ],
        )
        made = {}
        for name, path in job.spec.graph.sources.items():
            assert not (job.folder / path).exists(), path
            (job.folder / path).write_text(name)
            digest = hashlib.sha256(name.encode()).hexdigest()
            made[name] = {"digest": digest, "size": 1, "mtime": 0}
        report = {"task": "make", "outcome": "ok", "started": 0.0, "ended": 0.0, "made": made}
        tried = [{"n": 1, "ended": "ok", "report": report, "log": "", "round": 1}]
        (path,) = job.spec.reports
        assert not (job.folder / path).exists()
        (job.folder / path).write_bytes(orjson.dumps({"format": 1, "job": "make", "tried": tried}))
    assert job.run() == 0, job.err
    assert len({path.lower() for path in job.spec.outputs.values()}) == len(job.spec.outputs)
    for name in job.spec.outputs:
        assert job.file(name).read_text() == name.removeprefix("to/")


def test_empty_and_equal_files_are_files(job):
    """The same content under two names is two files, of which one may be changed without the other."""
    job.write(
        """
        @workflow
        def flow():
            for name in ('a', 'b'):
                copy(make(out=name, text=''), out=f'{name}2')
                make(out=f'{name}3', text='same')
        """
    )
    assert job.run() == 0
    assert {job.file(n).read_bytes() for n in ("a", "b", "a2", "b2")} == {b""}
    assert {job.file(n).read_bytes() for n in ("a3", "b3")} == {b"same"}
    assert job.run(again=1) == 0


def test_what_a_run_time_workflow_describes_names_modules_that_travelled(job):
    """By their paths below the folder of the job, which is elsewhere for the next."""
    job.write(
        """
        @workflow(runtime=True)
        def more(source: Input, outs: list[Output]):
            for n, out in enumerate(outs):
                copy(source, out=out)

        @workflow
        def flow():
            more(make(out='a'), outs=['b', 'c'])
        """
    )
    assert job.run() == 0, job.err + job.out
    (name,) = (n for n in job.spec.outputs if n.endswith(".graph.json"))
    text = job.file(name).read_text()
    assert str(job.folder) not in text
    found = Graph.from_json(orjson.loads(text))
    assert {t.call for t in found.tasks.values()} == {"code/0/flow.py:copy"}
    assert job.told.made[name].digest == digest_file(job.file(name))
    job.executed()
    assert job.run(again=1) == 0
    assert job.executed() == []


def test_the_modules_of_the_user_travel(job):
    """Those beside the workflow, and packages there, also where a task is in one of them."""
    job.write(
        """
        import beside
        from pkg.tasks import shout

        @task
        def say(out: Output):
            Path(out).write_text(beside.word)

        @workflow
        def flow():
            shout(say(out='a'), out='b')
        """,
        beside="word = 'boo'",
        pkg_of___init__="",
        pkg_of_tasks="from dynamo import Input, Output, task\nfrom pkg.how import loud\n\n@task\n"
        "def shout(source: Input, out: Output):\n    open(out, 'w').write(loud(open(source).read()))\n",
        pkg_of_how="def loud(text):\n    return text.upper()\n",
    )
    for path in sorted(job.home.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()  # at the far end there is none of it
    assert job.run() == 0, job.out + job.err
    assert job.file("b").read_text() == "BOO"


@pytest.mark.parametrize("size", [20_000_000, 3_500_000])
def test_a_full_disk_is_the_machines_fault(small_disk, size):
    """Whether the task or the report finds it full; the message says so."""
    job = Job(small_disk).write(
        f"""
        @task
        def big(out: Output, *, text: str):
            Path(out).write_bytes(text.encode() * {size})

        @workflow
        def flow():
            for n in range(3):
                big(out=f'big-{{n}}', text=str(n))
        """
    )
    assert job.run() == 3
    assert "No space left on device" in job.out + job.err or "is full" in job.err
