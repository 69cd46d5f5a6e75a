"""Tasks that do wrong: each is named with its cause, and everything else that could run has run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

FLOW = """
@workflow
def flow():
    copy(bad(out="bad.txt"), out="after.txt")
    copy(make(out="good.txt"), out="good2.txt")
"""

CASES = {
    "raises": ("raise ValueError('no echo')", r"ValueError: no echo \(flow\.py:\d+\)"),
    "raises what has no text": ("raise ValueError", r"ValueError: no message"),
    "raises what cannot be said": (
        "class E(Exception):\n        def __str__(self): raise TypeError\n    raise E",
        r"^E: ",
    ),
    "raises unspeakable text": ("raise OSError('\\udcff.nc')", r"^OSError: "),
    "raises an endless text": ("raise OSError('x' * 10**7)", r"^OSError: x{100}"),
    "is cancelled": ("import asyncio\n    raise asyncio.CancelledError", r"^CancelledError: "),
    "raises KeyboardInterrupt": ("raise KeyboardInterrupt", r"^KeyboardInterrupt: "),
    "calls sys.exit": ("sys.exit(3)", r"it called sys\.exit\(3\)"),
    "writes nothing": ("pass", r"did not write its output 'bad\.txt'"),
    "writes a wrong name": ("Path('wrong.txt').write_text('x')", r"'bad\.txt'; it wrote 'wrong\.txt'"),
    "writes a folder": ("os.mkdir(out)", r"did not write its output 'bad\.txt'"),
    "writes a link": ("os.symlink('/etc/hostname', out)", r"did not write its output 'bad\.txt'"),
    "runs out of memory": ("bytearray(1 << 60)", r"out of memory"),
    "closes its output and raises": ("sys.stderr.close(); raise ValueError('x')", r"ValueError: x"),
    "recurses": ("f = lambda: f()\n    f()", r"RecursionError"),
    "removes its folder": ("import shutil; shutil.rmtree(os.getcwd())", r"did not write"),
}


@pytest.mark.parametrize("case", CASES)
def test_task_that_does_wrong_is_named_and_the_rest_runs(lab, case):
    """The failure has the cause in words, is the user's, is tried once, and blocks only what needs it."""
    body, pattern = CASES[case]
    summary = lab.run(f"@task\ndef bad(out: Output):\n    note('bad.txt')\n    {body}\n" + FLOW)
    (failure,) = summary.failures
    assert failure.task == "bad"
    assert failure.place.endswith(f"flow.py:{_line_of(lab, 'copy(bad')}")
    assert _matches(pattern, failure.error), failure.error
    assert len(failure.error) < 3000
    assert not failure.infrastructure
    assert failure.blocked == ("copy-0",)
    assert lab.published() == {"good.txt": "made", "good2.txt": "made"}
    assert sorted(lab.ran()) == ["bad.txt", "good.txt", "good2.txt"]


def _matches(pattern: str, text: str) -> bool:
    import re

    return re.search(pattern, text) is not None


def _line_of(lab, text: str) -> int:
    lines = lab.file.read_text().splitlines()
    return next(n for n, line in enumerate(lines, 1) if text in line)


DEATHS = {
    "calls os._exit": ("os._exit(7)", r"exit code 7 \(did the task call os\._exit\?\); tried 3 times"),
    "segfaults": ("ctypes.string_at(0)", r"signal 11 \(SIGSEGV\); a fault in compiled code.*; tried 3 times"),
    "is killed": ("os.kill(os.getpid(), 9)", r"signal 9 \(SIGKILL\); .*; tried 3 times"),
}


@pytest.mark.parametrize("case", DEATHS)
def test_worker_that_dies_is_an_infrastructure_failure_tried_three_times(lab, case):
    """A death is counted and named; it is retried twice, each attempt is in the journal, and the rest runs."""
    body, pattern = DEATHS[case]
    text = f"@task\ndef bad(out: Output):\n    note('bad.txt')\n    print('last words', flush=True)\n    {body}\n"
    summary = lab.run(text + FLOW)
    (failure,) = summary.failures
    assert _matches(pattern, failure.error), failure.error
    assert failure.infrastructure
    assert "last words" in failure.tail
    assert lab.published() == {"good.txt": "made", "good2.txt": "made"}
    assert lab.ran().count("bad.txt") == 3
    assert [e.kind for e in lab.events if e.task == "bad"] == [
        "started", "retried", "started", "retried", "started", "failed",
    ]  # fmt: skip
    with lab.journal() as journal:
        outcomes = [(a.n, a.outcome) for a in journal.attempts(summary.run) if a.task == "bad"]
    assert outcomes == [(1, "lost"), (2, "lost"), (3, "lost")]


def test_the_other_tasks_of_a_job_that_is_lost_wait_again(lab):
    """Who watches is told that they no longer run; they are done once the job is tried again."""
    summary = lab.run("""
        @task
        def shaky(out: Output):
            note('shaky')
            if len(open(MARKS).readlines()) == 1:
                os.kill(os.getpid(), 9)
            Path(out).write_text('well')

        @workflow
        def flow():
            with fuse('job'):
                shaky(out='first')
                copy(make(out='second'), out='third')
    """)
    assert summary.ok, summary.failures
    told = {task: [e.kind for e in lab.events if e.task == task] for task in ("shaky", "make", "copy")}
    assert told["shaky"] == ["started", "retried", "started", "done"]
    assert told["make"] == told["copy"] == ["started", "waiting", "started", "done"]


def test_a_lost_worker_costs_only_one_attempt_where_the_next_succeeds(lab):
    """A task whose first worker dies is done by the second, and the run is well."""
    summary = lab.run("""
        @task
        def shaky(out: Output):
            note('shaky')
            if len(open(MARKS).readlines()) == 1:
                os.kill(os.getpid(), 9)
            Path(out).write_text('well')

        @workflow
        def flow():
            shaky(out='shaky.txt')
    """)
    assert summary.ok
    assert lab.ran() == ["shaky"] * 2
    assert lab.published() == {"shaky.txt": "well"}


def test_user_retries_are_tried_as_often_as_declared(lab):
    """``retries=2`` tries a failing task three times and no more; success on the last is success."""
    text = """
        @task(retries=2)
        def shaky(out: Output):
            note('shaky')
            if len(open(MARKS).readlines()) < {n}:
                raise ValueError('not yet')
            Path(out).write_text('well')

        @workflow
        def flow():
            shaky(out='shaky.txt')
    """
    assert lab.run(text.replace("{n}", "3")).ok
    assert lab.ran() == ["shaky"] * 3
    summary = lab.run(text.replace("{n}", "9"))
    assert [f.error.split(" (")[0] for f in summary.failures] == ["ValueError: not yet"]
    assert lab.ran() == ["shaky"] * 3


@pytest.mark.parametrize("fate", ["well", "ill"])
def test_fused_reader_of_a_retried_task_is_not_forgotten(lab, fate):
    """In a fused job, what reads a task that is retried waits for it, and runs or is blocked with it."""
    summary = lab.run(f"""
        @task(retries=1)
        def shaky(out: Output):
            note('shaky')
            if {fate!r} == 'ill' or len(open(MARKS).readlines()) < 2:
                raise ValueError('not yet')
            Path(out).write_text('well')

        @workflow
        def flow():
            with fuse('one'):
                copy(copy(shaky(out='a'), out='b'), out='c')
                make(out='d')
    """)
    if fate == "well":
        assert summary.ok
        assert lab.published() == {"a": "well", "b": "well", "c": "well", "d": "made"}
        assert sorted(lab.ran()) == ["b", "c", "d", "shaky", "shaky"]
    else:
        assert summary.failures[0].blocked == ("copy-0", "copy-1")
        assert summary.blocked == 2
        assert lab.published() == {"d": "made"}


def test_fused_tasks_after_a_death_still_run(lab):
    """Where a task of a fused job kills its worker for good, the others of the job run all the same."""
    summary = lab.run("""
        @task
        def bad(out: Output):
            os._exit(1)

        @workflow
        def flow():
            with fuse('one'):
                make(out='before')
                copy(bad(out='bad'), out='after')
                make(out='other')
    """)
    assert [f.task for f in summary.failures] == ["bad"]
    assert summary.blocked == 1
    assert lab.published() == {"before": "made", "other": "made"}
    assert sorted(lab.ran()) == ["before", "other"]


def test_timeout_kills_the_task_and_all_it_started(lab):
    """A task beyond its timeout is killed with its children, those in sessions of their own too; the log says where."""
    summary = lab.run(
        """
        @task(timeout=3)
        def bad(out: Output):
            a = subprocess.Popen(['sleep', '1000'])
            b = subprocess.Popen(['sleep', '1000'], start_new_session=True)
            note(f'{a.pid} {b.pid} {os.getpid()}')
            time.sleep(1000)
    """
        "\n" + FLOW.replace("\n", "\n        ")
    )
    (failure,) = summary.failures
    assert "ran longer than its timeout of 3 s and was killed" in failure.error
    assert not failure.infrastructure
    assert "in bad" in failure.tail
    assert lab.published() == {"good.txt": "made", "good2.txt": "made"}
    pids = [int(p) for p in next(m for m in lab.ran() if " " in m).split()]
    assert not [p for p in pids if _alive(p)]


def test_timeout_of_a_command_kills_the_command(lab):
    """A command beyond its timeout is killed, and what it started with it."""
    summary = lab.run("""
        @command(timeout=3)
        def bad(out: Output):
            return ['sh', '-c', f'sleep 1000 & echo $! $$ >> {MARKS}; wait', out]

        @workflow
        def flow():
            bad(out='bad.txt')
    """)
    assert "timeout" in summary.failures[0].error
    assert not [p for p in map(int, lab.ran()[0].split()) if _alive(p)]


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_memory_beyond_what_is_declared_is_a_failure_that_says_how_much(lab):
    """A task that holds more than its declared memory is killed and told both figures; children count."""
    summary = lab.run(
        """
        @task(memory='200 MB')
        def bad(out: Output):
            hog = "x = b'x' * 300_000_000; import time; time.sleep(1000)"
            subprocess.run([sys.executable, '-c', hog])
    """
        "\n" + FLOW.replace("\n", "\n        ")
    )
    (failure,) = summary.failures
    assert "more than the 191 MiB it declares" in failure.error
    assert lab.published() == {"good.txt": "made", "good2.txt": "made"}


@pytest.mark.parametrize("label", ["'one'", "None"])
@pytest.mark.parametrize(("left", "same"), [(150, True), (300, False)])
def test_memory_that_an_earlier_task_left_is_not_charged_to_the_next(lab, left, same, label):
    """What a worker held before is not the next task's; one that holds more than is declared is replaced first."""
    summary = lab.run(f"""
        @task
        def leaves(out: Output):
            note(str(os.getpid()))
            sys.left = b'x' * {left * 10**6}
            Path(out).write_text('x')

        @task(memory='200 MB')
        def small(source: Input, out: Output):
            note(str(os.getpid()))
            more = b'x' * 100_000_000
            time.sleep(0.6)
            Path(out).write_text('well')

        @workflow
        def flow():
            with fuse({label}) if {label} else open(os.devnull):
                small(leaves(out='a'), out='b')
    """)
    assert summary.ok, summary.failures
    first, second = lab.ran()
    assert (first == second) == (same or label != "None")


def test_a_task_that_prints_without_end_fills_neither_disk_nor_memory(lab):
    """Of a gigabyte the beginning and the end are kept, with a warning; the task is not disturbed."""
    summary = lab.run("""
        @task
        def loud(out: Output):
            print('the beginning')
            sys.stdout.flush()
            line = b'x' * (1 << 20)
            for n in range(1000):
                os.write(1, line)
            print('the end')
            Path(out).write_text('well')

        @workflow
        def flow():
            loud(out='loud.txt')
    """)
    assert summary.ok
    assert any("loud: it wrote too much" in w for w in summary.warnings)
    log = Path(lab.workspace.log(summary.run, "loud", 1))
    assert log.stat().st_size < 9 << 20
    text = log.read_bytes()
    assert text.startswith(b"the beginning\n")
    assert text.endswith(b"the end\n")


def test_a_loud_task_that_dies_leaves_a_bounded_log(lab):
    """The log of a worker that died is cut too."""
    summary = lab.run("""
        @task
        def loud(out: Output):
            line = b'x' * (1 << 20)
            for n in range(30):
                os.write(1, line)
            os._exit(1)

        @workflow
        def flow():
            loud(out='loud.txt')
    """)
    assert Path(summary.failures[0].log).stat().st_size < 9 << 20


RUDE = {
    "closes its output": "os.close(1); os.close(2)",
    "closes sys.stdout": "sys.stdout.close(); sys.stderr.close()",
    "replaces sys.stdout": "sys.stdout = sys.stderr = None",
    "redirects sys.stdout": "sys.stdout = open('elsewhere.txt', 'w')",
    "removes its input": "os.remove(source)",
    "changes the folder": "os.chdir('/')",
    "leaves stray files": "os.makedirs('a/b'); Path('a/b/c').write_text('x'); Path('copy.txt').write_text('x')",
    "leaves a locked folder": "os.mkdir('locked', 0o000)",
    "removes all": "import shutil; [os.remove(f) for f in os.listdir('.')]; Path(out).write_text('rude')",
    "starts a thread": "import threading; threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
    "catches signals": "[signal.signal(s, signal.SIG_IGN) for s in (signal.SIGTERM, signal.SIGUSR1)]",
}


@pytest.mark.parametrize("case", RUDE)
def test_a_rude_task_does_not_disturb_the_next_in_its_worker(lab, case):
    """Whatever a task leaves behind in its process and folder, the next one starts clean and is logged."""
    summary = lab.run(f"""
        @task
        def rude(source: Input, out: Output):
            Path(out).write_text('rude')
            {RUDE[case]}

        @task
        def after(source: Input, out: Output):
            print('heard')
            print('heard too', file=sys.stderr)
            Path(out).write_text(' '.join(sorted(os.listdir('.'))))

        @workflow
        def flow():
            source = make(out='source.txt')
            after(rude(source, out='rude.txt'), out='after.txt')
    """)
    assert summary.ok, summary.failures
    assert lab.published() == {"source.txt": "made", "rude.txt": "rude", "after.txt": "rude.txt"}
    log = Path(lab.workspace.log(summary.run, "after", 1)).read_text()
    assert sorted(log.splitlines()) == ["heard", "heard too"]


def test_a_forked_child_that_returns_from_the_task_is_not_taken_for_the_worker(lab):
    """A child made by ``os.fork`` that comes back from the task ends there; the task is reported once."""
    summary = lab.run("""
        @task
        def forks(out: Output):
            if os.fork() == 0:
                return
            os.wait()
            Path(out).write_text('parent')

        @workflow
        def flow():
            copy(forks(out='a'), out='b')
    """)
    assert summary.ok, summary.failures
    assert lab.published() == {"a": "parent", "b": "parent"}


def test_a_task_that_changes_its_input_fails_and_its_readers_get_no_changed_data(lab):
    """A changed input is told as such; the stored file is made anew before anything else reads it."""
    text = """
        @task
        def vandal(source: Input, out: Output):
            os.chmod(source, 0o644)
            with open(source, 'a') as f:
                f.write('!')
            Path(out).write_text('x')

        @workflow
        def flow():
            source = make(out='source.txt')
            vandal(source, out='vandal.txt')
    """
    summary = lab.run(text)
    (failure,) = summary.failures
    assert failure.error.startswith("its input 'source.txt' was changed while it ran")
    lab.ran()
    assert lab.run(text.replace("        vandal(", "        copy(")).ok
    assert lab.published()["vandal.txt"] == "made"
    assert lab.published()["source.txt"] == "made"
    assert lab.ran() == ["source.txt", "vandal.txt"]


def test_an_input_from_outside_that_changes_meanwhile_is_not_taken_for_what_it_was(lab):
    """A source that changed since its digest was taken makes no result that could be reused for the old contents."""
    source = lab.root / "frame.txt"
    text = f"""
        @task
        def slow(source: Input, out: Output, *, other: str):
            data = Path(source).read_text()
            Path(out).write_text(data)
            if data == 'old':
                Path(other).write_text('newer')

        @workflow
        def flow():
            slow('{source}', other='{source}', out='slow.txt')
    """
    source.write_text("old")
    summary = lab.run(text)
    assert summary.failures[0].error.startswith("its input 'frame.txt' was changed while it ran")
    assert lab.run(text).ok
    assert lab.published() == {"slow.txt": "newer"}


def test_commands_fail_in_words(lab):
    """A command that is not there, ends with a code, is killed, or cannot be started: each is said."""
    summary = lab.run(r"""
        @command
        def absent(out: Output):
            return ['no-such-program', out]

        @command
        def code(out: Output):
            return ['sh', '-c', 'echo why >&2; exit 5', out]

        @command
        def killed(out: Output):
            return ['sh', '-c', 'kill -15 $$', out]

        @command
        def nul(out: Output):
            return ['echo', 'a\0b', out]

        @command
        def writes(out: Output):
            return ['cp', MARKS, out]

        @workflow
        def flow():
            absent(out='1')
            code(out='2')
            killed(out='3')
            nul(out='4')
            make(out='5')
    """)
    errors = {f.task: f.error for f in summary.failures}
    assert errors["absent"] == "cannot start 'no-such-program': No such file or directory"
    assert errors["code"] == "sh ended with exit code 5"
    assert errors["killed"] == "sh was killed by signal 15"
    assert "null" in errors["nul"]
    assert next(f.tail for f in summary.failures if f.task == "code") == "why"
    assert not any(f.infrastructure for f in summary.failures)
    with lab.journal() as journal:
        exits = {a.task: a.exit for a in journal.attempts(summary.run)}
    assert (exits["code"], exits["killed"], exits["absent"]) == (5, -15, None)
    assert lab.published() == {"5": "made"}


def test_names_may_be_anything_a_file_system_takes(lab):
    """Spaces, newlines, quotes, leading dashes and other scripts in names work in tasks and commands."""
    names = ["a b.txt", "-rf", "новый/日本.txt", "new\nline", "quo'te\"", "per%cent{}", "*?[x]", " "]
    summary = lab.run(f"""
        @command
        def cat(source: Input, out: Output):
            return ['sh', '-c', 'cat "./$1" > "./$2"', 'sh', source, out]

        @workflow
        def flow():
            for name in {names!r}:
                cat(make(out=name), out='second/' + name)
    """)
    assert summary.ok, summary.failures
    assert lab.published() == dict.fromkeys(names, "made") | {f"second/{n}": "made" for n in names}


def test_a_name_too_long_for_a_file_system_is_told_where_it_is_given(lab):
    """A name that no file system takes is the user's error, at once, with its line."""
    from dynamo.errors import WorkflowError

    with pytest.raises(WorkflowError, match=r"flow\.py:\d+: make\(out=\) .*too long"):
        lab.run("@workflow\ndef flow():\n    make(out='x' * 300)\n")


def test_a_huge_parameter_arrives(lab):
    """A parameter of several megabytes reaches the task whole."""
    summary = lab.run("""
        @task
        def measure(out: Output, *, big: list):
            Path(out).write_text(str(sum(big)))

        @workflow
        def flow():
            measure(out='sum', big=list(range(700_000)))
    """)
    assert summary.ok
    assert lab.published() == {"sum": str(sum(range(700_000)))}


def test_processes_do_not_outlive_the_engine(lab):
    """When the engine is closed, its workers and what tasks left running are gone."""
    lab.write("""
        @task
        def leaves(out: Output):
            child = subprocess.Popen(['sleep', '1000'])
            note(f'{child.pid} {os.getpid()} {os.getppid()}')
            Path(out).write_text('x')

        @workflow
        def flow():
            leaves(out='x')
    """)
    with lab.engine() as engine:
        assert engine.run(lab.request(lab.graph())).ok
    child, worker, parent = map(int, lab.ran()[0].split())
    assert parent == os.getpid()
    assert not _alive(child)
    assert not _alive(worker)


def test_workers_do_not_import_from_the_current_folder(lab, monkeypatch):
    """Files that have the names of Python's own modules, in the folder where a run is started, disturb no worker."""
    elsewhere = lab.root / "elsewhere"
    elsewhere.mkdir()
    for name in ("json", "orjson", "socket", "ctypes"):
        (elsewhere / f"{name}.py").write_text("raise ImportError('not me')\n")
    monkeypatch.chdir(elsewhere)
    summary = lab.run("@workflow\ndef flow():\n    make(out='a')\n")
    assert summary.ok, summary.failures


SCRIPT = """
import dynamo
from flows.chain import chain

assert dynamo.run(chain(), products={products!r}, workspace={workspace!r}).ok
"""


def test_a_script_may_run_a_workflow_of_a_module_beside_it(lab):
    """Workers import from where the script does, wherever it is started."""
    folder = lab.root / "scripts"
    (folder / "flows").mkdir(parents=True)
    (folder / "flows" / "chain.py").write_text(
        "from dynamo import Output, task, workflow\n\n"
        "@task\ndef write(out: Output) -> None:\n    from flows.words import WORD\n\n    out.write_text(WORD)\n\n"
        "@workflow\ndef chain() -> None:\n    write(out='word.txt')\n"
    )
    (folder / "flows" / "words.py").write_text("WORD = 'hail'\n")
    script = folder / "script.py"
    script.write_text(SCRIPT.format(products=str(lab.out), workspace=str(lab.root / "kept")))
    done = subprocess.run([sys.executable, script], cwd=lab.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert lab.published() == {"word.txt": "hail"}


def test_what_is_imported_ahead_is_not_charged_to_a_task(lab):
    """Time and memory of an import that a waiting worker made for another task are not those of the job it gets."""
    (lab.root / "heavy.py").write_text(
        "import time\nheld = bytearray(300 << 20)\nprint('heavy speaks', flush=True)\ntime.sleep(4.5)\n"
    )
    lab.write("""
        @task
        def large(out: Output):
            import heavy
            Path(out).write_text('well')

        @task(memory='100 MiB', timeout='4 s')
        def small(out: Output):
            print('small speaks')
            Path(out).write_text('well')

        @workflow
        def flow():
            small(out='small')
    """)
    graph = lab.graph()
    with lab.engine() as engine:
        call = next(iter(graph.tasks.values())).call
        engine.warm(1, [call.replace("small", "large")])
        summary = engine.run(lab.request(graph))
    assert summary.ok, summary.failures
    assert Path(lab.workspace.log(summary.run, "small", 1)).read_text() == "small speaks\n"


def test_a_worker_that_dies_is_missed_though_its_child_lives(lab):
    """A child that the task forked holds no end of the socket, nor is it waited for."""
    summary = lab.run("""
        @task
        def bad(out: Output):
            if not os.fork():
                import time
                time.sleep(600)
            os.kill(os.getpid(), 9)

        @workflow
        def flow():
            bad(out='out.txt')
    """)
    assert summary.failures[0].infrastructure
    with lab.journal() as journal:
        assert all(a.ended > a.started for a in journal.attempts(summary.run))
