"""``dynamo run`` and what goes with it, as processes of their own: what they say, make, and exit with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.store import AlertStore
from dynamo.cli import main

FLOW = """
import os, time
from pathlib import Path
from dynamo import Input, Output, task, workflow

@task
def first(frame: Input, out: Output, *, text: str):
    Path(out).write_text(Path(frame).read_text() + text)

@task
def second(source: Input, out: Output):
    {body}
    Path(out).write_text(Path(source).read_text())

@workflow
def flow(frame: Input, text: str = 'x'):
    second(first(frame, out='first.txt', text=text), out='second.txt')
    first(frame, out='other.txt', text='other')
"""

FUSED = """
from pathlib import Path
from dynamo import Input, Output, fuse, task, workflow

@task
def first(frame: Input, out: Output):
    raise ValueError('bad echo')

@task
def second(source: Input, out: Output):
    Path(out).write_text('')

@workflow
def flow(frame: Input):
    with fuse('both'):
        second(first(frame, out='first.txt'), out='second.txt')
"""


MANY = """
from dynamo import Input, Output, task, workflow

@task
def bad(frame: Input, out: Output, *, n: int):
    raise ValueError(f'no echo in {n}')

@task
def worse(frame: Input, out: Output):
    raise ValueError('nothing')

@task
def last(source: Input, out: Output): ...

@workflow
def flow(frame: Input):
    made = [bad(frame, out=f'{n}.txt', n=n) for n in range(12)]
    worse(frame, out='worse.txt')
    last(made[0], out='last.txt')
"""


class Bench:
    """A folder with a run file, in which ``dynamo`` is called."""

    def __init__(self, root: Path, captured: pytest.CaptureFixture[str]) -> None:
        self.root = root
        self.captured = captured
        (root / "frame.txt").write_text("frame ")
        (root / "flow.yaml").write_text(
            "workflow: ./flow.py:flow\ninputs:\n  frame: frame.txt\nproducts: out\nengine: {name: local, cores: 1}\n"
        )
        self.write("pass")

    def write(self, body: str) -> None:
        """Write the workflow with this body of its second task."""
        (self.root / "flow.py").write_text(FLOW.replace("{body}", body))

    def start(self, *arguments: str, **options) -> subprocess.Popen[str]:
        """Start ``dynamo`` as a process."""
        return subprocess.Popen(
            [sys.executable, "-c", "from dynamo.cli import main; main()", *arguments],
            cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip

    def process(self, *arguments: str, code: int = 0) -> str:
        """Call ``dynamo`` in a process of its own, as `call` does in this one."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, out + err
        assert "Traceback" not in err, err
        return out + err

    def call(self, *arguments: str, code: int = 0) -> str:
        """Call ``dynamo`` in this process and return what it printed; its exit code must be `code`."""
        with contextlib.chdir(self.root), pytest.raises(SystemExit) as end:
            main(list(arguments))
        out, err = self.captured.readouterr()
        assert end.value.code == code, out + err
        assert "Traceback" not in err, err
        return out + err

    def run_id(self, index: int = 0) -> str:
        """Return the id of a run, the latest first."""
        return json.loads(self.call("runs", "--json"))[index]["run"]


@pytest.fixture
def bench(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Bench:
    """A folder with a workflow of three tasks."""
    return Bench(tmp_path, capfd)


@pytest.mark.parametrize(
    ("runfile", "words"),
    [
        ("workflow: ./flow.py:flow\ninptus: {}\n", "did you mean 'inputs'?"),
        ("workflow: ./flow.py:folw\n", "did you mean 'flow'?"),
        ("workflow: ./flow.py:flow\ninputs: {frame: none.txt}\n", "no file 'none.txt'"),
    ],
)
def test_no_worker_outlives_a_run_file_with_faults(bench, runfile, words):
    """One is started before the run file is read; it ends with the command."""
    (bench.root / "bad.yaml").write_text(runfile)
    before = psutil.Process().children()
    assert words in bench.call("run", "bad.yaml", code=2)
    assert psutil.Process().children() == before


def test_only_what_runs_tasks_starts_a_worker(bench, monkeypatch):
    """Neither looking nor planning does, nor a run in one process."""
    for module in ("workers", "spawn"):
        monkeypatch.setattr(f"dynamo.engine.{module}.Spawned", None)
    for arguments in (
        ["check", "flow.yaml"],
        ["plan", "flow.yaml"],
        ["run", "flow.yaml", "--inline"],
        ["status"],
        ["runs"],
    ):
        assert bench.call(*arguments).strip()


def test_a_run_imports_only_what_it_needs(bench):
    """What takes long to import and is not for every run is not imported by the engine of a plain one."""
    heavy = {
        "pydantic",
        "psutil",
        "numpy",
        "cv2",
        "h5py",
        "rich",
        "asyncio",
        "email",
        "networkx",
        "importlib.metadata",
    }
    code = (
        "import sys\nfrom dynamo.cli import main\n"
        "try: main(['run', 'flow.yaml', '--quiet', '--param', 'text=a'])\n"
        f"finally: print('imported:', sorted({heavy!r} & set(sys.modules)))"
    )
    out = subprocess.check_output([sys.executable, "-c", code], cwd=bench.root, text=True)
    assert "done: 3 ran" in out
    assert "imported: []" in out


def test_a_run_and_its_second_time(bench):
    """The first run makes the products, the second reuses all and says so; plan, runs, status and logs agree."""
    assert "flow: 3 to run, 0 to reuse" in bench.call("plan", "flow.yaml")
    assert "3 ran, 0 reused" in bench.process("run", "flow.yaml")
    assert (bench.root / "out" / "second.txt").read_text() == "frame x"
    assert "0 ran, 3 reused" in bench.call("run", "flow.yaml", "--quiet")
    plan = bench.call("plan", "flow.yaml", "--all")
    assert plan.count("reused from run flow-") == 3
    assert [r["state"] for r in json.loads(bench.call("runs", "--json"))] == ["done", "done"]
    status = json.loads(bench.call("status", "--json"))
    assert status["steps"]["first"]["reused"] == 2
    assert "second attempt 1 on w0-" in bench.call("logs", "--run", bench.run_id(1))
    first = bench.run_id(1)
    assert bench.call("logs", "second") == (
        f"second did not run in {bench.run_id()}: reused from run {first}; see dynamo logs second --run {first}\n"
    )
    assert f"nothing ran in {bench.run_id()}: 2 reused from run {first}" in bench.call("logs", "first")
    assert f"nothing ran in {bench.run_id()}: 3 reused from run {first}" in bench.call("logs")


def test_changed_parameters_and_code_run_what_they_reach(bench):
    """A parameter from the command line and an edited task run anew what depends on them, with the reason."""
    bench.call("run", "flow.yaml", "-q")
    plan = bench.call("plan", "flow.yaml", "--param", "text=y", "--all")
    assert "parameter text changed from 'x' to 'y'" in plan
    assert "input 'first.txt' is made anew by first-0" in plan
    assert "2 ran, 1 reused" in bench.call("run", "flow.yaml", "-q", "--param", "text=y")
    bench.write("print('edited')")
    assert "code of second changed" in bench.call("plan", "flow.yaml", "--all")
    assert "1 ran, 2 reused" in bench.call("run", "flow.yaml", "-q")
    assert bench.call("logs", "second").endswith("edited\n")


def test_run_as_json_is_json(bench):
    """``--json`` prints how the run ended, and only that, on standard output."""
    told = json.loads(bench.call("run", "flow.yaml", "--json"))
    assert (told["ok"], told["ran"]) == (True, 3)


def test_logs_as_json(bench):
    """``logs --json`` has the attempts; of one task, also what the last wrote; of one that was reused, none."""
    bench.write("print('hint', flush=True); os.write(1, bytes([255]))")
    bench.call("run", "flow.yaml", "-q")
    told = json.loads(bench.call("logs", "--json"))
    assert told["run"] == bench.run_id()
    assert sorted(a["task"] for a in told["attempts"]) == ["first-0", "first-1", "second"]
    assert "log" not in told
    assert len(json.loads(bench.call("logs", "first", "--json"))["attempts"]) == 2
    told = json.loads(bench.call("logs", "second", "--json"))
    (attempt,) = told["attempts"]
    assert (attempt["n"], attempt["outcome"], attempt["error"]) == (1, "ok", "")
    assert attempt["ended"] >= attempt["started"]
    assert told["log"] == "hint\n\N{REPLACEMENT CHARACTER}"
    assert json.loads(bench.call("logs", "first-0", "--json"))["log"] == ""
    bench.call("run", "flow.yaml", "-q")
    assert json.loads(bench.call("logs", "second", "--json")) == {
        "run": bench.run_id(),
        "attempts": [],
        "log": "",
    }


def test_gc_as_json(bench):
    """``gc --json`` has the counts, the bytes, and whether anything was removed."""
    bench.call("run", "flow.yaml", "-q")
    counts = {
        "runs": 1,
        "results": 3,
        "files": 2,
        "size": len("frame x") + len("frame other"),
        "alerts": 0,
        "left": {},
    }
    would = json.loads(bench.call("gc", "--keep", "0 s", "--dry-run", "--json"))
    assert would == {**counts, "dry_run": True}
    assert json.loads(bench.call("gc", "--keep", "0 s", "--json")) == {**counts, "dry_run": False}
    assert json.loads(bench.call("runs", "--json")) == []


def test_the_log_of_a_run_tells_how_it_ended(bench):
    """The last table in ``run.log`` has no task running: what failed in a fused job, and what it blocked, ended."""
    (bench.root / "flow.py").write_text(FUSED)
    bench.call("run", "flow.yaml", "-q", code=2)
    *_, head, first, second = (
        (bench.root / ".dynamo" / "runs" / bench.run_id() / "run.log").read_text().splitlines()
    )
    assert head.split()[0] == "step"
    assert first.split() == ["first", "1", "1"]
    assert second.split() == ["second", "1", "(+1", "blocked)"]


def test_force_only_until(bench):
    """The selections work from the command line; a name that is none is told with the nearest."""
    assert "1 ran, 0 reused" in bench.call("run", "flow.yaml", "-q", "--until", "first-0")
    assert "3 ran, 0 reused" in bench.call("run", "flow.yaml", "-q", "--force")
    assert "1 ran, 2 reused" in bench.call("run", "flow.yaml", "-q", "--force", "second")
    assert "did you mean 'second'" in bench.call("run", "flow.yaml", "--only", "secnd", code=2)


def test_inline_tells_the_products_as_a_normal_run(bench):
    """An inline run makes the same and names the same folder."""
    assert "products: out (3 .txt)" in bench.call("run", "flow.yaml", "-q", "--inline")


def test_a_failed_task_is_exit_2_and_resume_goes_on(bench):
    """The failure is told with place, error, last lines, log and folder; once mended, resume runs only the rest."""
    bench.write("print('hint'); raise ValueError('bad echo')")
    said = bench.process("run", "flow.yaml", "-q", code=2)
    assert "failed: second (" in said
    assert "flow.py:" in said
    assert "ValueError: bad echo" in said
    assert "| hint" in said
    for line in said.splitlines():
        if "full log:" in line or "its folder was kept:" in line:
            assert Path(line.partition(": ")[2]).exists()
    assert "2 ran, 0 reused, 1 failed" in said
    assert "second  " in bench.call("status")
    bench.write("pass")
    assert "1 ran, 2 reused" in bench.call("resume", "-q")
    assert "ended well; name the run to go on with" in bench.call("resume", code=2)


def test_a_failure_that_its_log_ends_with_is_told_once(bench):
    """What a task says of the data is its error and the last line of its log; the lines before it are told too."""
    bench.write("print('hint'); from dynamo.errors import DataError; raise DataError('no usable sweep')")
    said = bench.process("run", "flow.yaml", "-q", code=2)
    assert said.count("no usable sweep") == 1
    assert "  | hint\n  full log: " in said


def test_the_status_tells_how_hazards_of_a_watch_were_judged(bench):
    """With the share of the field that was known, and whether anything counts as clear."""
    bench.call("run", "flow.yaml", "-q")
    journal = bench.root / ".dynamo" / "journal.db"
    with contextlib.closing(sqlite3.connect(journal)) as db, db:
        db.execute(
            "INSERT INTO windows (feed, time, first, files, complete, state, reason, queued)"
            " VALUES ('a.yaml', 0, 0, '{}', 1, 'done', '', 0)"
        )
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    with AlertStore(journal) as store:
        store.judge(Cycle("a.yaml", "r", "HAIL", noon, noon, 0.93), [])
        store.judge(Cycle("a.yaml", "r", "STORM", noon, noon, 0.01), [])
    said = bench.call("status")
    assert "  HAIL: data of 2026-06-01T12:00:00Z, 93% of the field known\n" in said
    assert "  STORM: data of 2026-06-01T12:00:00Z, 1% of the field known: nothing counts as clear\n" in said
    (feed,) = json.loads(bench.call("status", "--json"))["watched"].values()
    assert feed["hazards"]["STORM"]["outcome"] == "unknown"


def test_the_status_tells_failures_alike_once(bench):
    """As the end of the run does: the first of a step, and the names of the others; logs say why a task did not run."""
    (bench.root / "flow.py").write_text(MANY)
    bench.call("run", "flow.yaml", "-q", code=2)
    told = bench.call("status").splitlines()
    failed = [n for n, line in enumerate(told) if line.startswith("  failed: ")]
    assert len(failed) == 2
    assert told[failed[0]].startswith("  failed: bad-00: ValueError: no echo in 0 (")
    assert told[failed[0] + 1] == (
        "    failed alike: bad-01, bad-02, bad-03, bad-04, bad-05, bad-06, bad-07, bad-08 and 3 more"
    )
    assert told[failed[1]].startswith("  failed: worse: ")
    assert len(json.loads(bench.call("status", "--json"))["failures"]) == 13
    assert bench.call("logs", "last").endswith(": bad-00 failed\n")
    bench.call("run", "flow.yaml", "-q", "--only", "worse", code=2)
    assert bench.call("logs", "bad-00").endswith(": left out by --only, or the run ended before its turn\n")


def test_a_lost_worker_is_exit_3(bench):
    """Where only the machine failed, the exit code is 3."""
    bench.write("os._exit(1)")
    assert "its worker was lost" in bench.process("run", "flow.yaml", "-q", code=3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rum", "flow.yaml"], "did you mean 'run'"),
        (["run", "no.yaml"], "no.yaml"),
        (["run"], "which run file?"),
        (["run", "flow.yaml", "--param", "texd=y"], "texd"),
        (["run", "flow.yaml", "--input", "frame=/no/such"], "/no/such"),
        (["run", "flow.yaml", "--cores", "0"], "--cores"),
        (["status"], "no workspace"),
        (["resume"], "no workspace"),
        (["gc", "--keep", "long", "--workspace", "x"], "--keep"),
        (["plan", "flow.yaml", "--until", "nothing"], "--until nothing"),
    ],
)
def test_what_the_user_does_wrong_is_exit_2_without_a_traceback(bench, arguments, said):
    """Wrong verbs, files, options and names are told in words."""
    assert said in bench.call(*arguments, code=2)


@pytest.mark.parametrize("engine", ["htcondor", "pegasus"])
def test_cores_of_this_machine_are_refused_where_it_runs_nothing(bench, engine):
    """They would bound nothing; a debugger's run is here all the same."""
    text = (bench.root / "flow.yaml").read_text().replace("{name: local, cores: 1}", engine)
    (bench.root / "flow.yaml").write_text(text)
    said = bench.call("run", "flow.yaml", "--cores", "2", code=2)
    assert f"--cores bounds what runs on this machine, and `engine: {engine}` runs it elsewhere" in said
    assert not (bench.root / ".dynamo").exists()
    bench.call("run", "flow.yaml", "--cores", "2", "--inline")


def test_unknown_runs_are_told_with_the_nearest(bench):
    """A run is named by its id or the beginning of it; others are told."""
    bench.call("run", "flow.yaml", "-q")
    bench.call("run", "flow.yaml", "-q")
    run = bench.run_id()
    assert run in bench.call("status", run)
    assert "may be any of" in bench.call("status", "flow-", code=2)
    assert "did you mean" in bench.call("status", run + "x", code=2)
    assert "no task or step 'secund'" in bench.call("logs", "secund", code=2)


def test_a_workspace_that_cannot_be_used_is_exit_3(bench):
    """A file in place of the workspace, and a journal that is none, are told with what to do."""
    (bench.root / ".dynamo").write_text("x")
    assert "choose another" in bench.call("run", "flow.yaml", code=3)
    (bench.root / ".dynamo").unlink()
    (bench.root / ".dynamo").mkdir()
    (bench.root / ".dynamo" / "journal.db").write_text("this is no database, " * 100)
    for verb in (["run", "flow.yaml"], ["plan", "flow.yaml"], ["status"], ["runs"], ["gc"], ["resume"]):
        assert "move it away to start anew" in bench.call(*verb, code=3)


def _interrupted(bench: Bench, number: int) -> str:
    bench.write("Path(os.environ['BEGUN']).touch(); time.sleep(1000)")
    begun = bench.root / "begun"
    process = bench.start("run", "flow.yaml", env={**os.environ, "BEGUN": str(begun)})
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    return out + err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_is_exit_130_and_can_be_gone_on_with(bench, number):
    """An interrupted run says how to go on with it; going on redoes only what was in flight."""
    said = _interrupted(bench, number)
    run = bench.run_id()
    assert f"go on with: dynamo resume {run}" in said
    assert f"{run}: interrupted" in bench.call("status")
    bench.write("pass")
    assert "1 ran, 2 reused" in bench.call("resume", "-q")
    assert (bench.root / "out" / "second.txt").read_text() == "frame x"


def test_a_run_under_way_is_shown_and_cannot_be_gone_on_with(bench):
    """While a run is under way, status says so, resume refuses it, and gc leaves it alone; killed, it leaves nobody."""
    bench.write(
        "import subprocess; child = subprocess.Popen(['sleep', '1000'])\n"
        "    part = Path(os.environ['BEGUN'] + '.part'); part.write_text(f'{os.getpid()} {child.pid}')\n"
        "    part.rename(os.environ['BEGUN']); time.sleep(1000)"
    )
    begun = bench.root / "begun"
    process = bench.start("run", "flow.yaml", env={**os.environ, "BEGUN": str(begun)})
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.01)
    run = bench.run_id()
    assert f"{run}: running" in bench.call("status")
    assert "under way in another process" in bench.call("resume", run, code=2)
    assert "name the run to go on with" in bench.call("resume", code=2)
    assert "removed 0 runs, 0 results and 0 files" in bench.call("gc", "--keep", "0 s")
    family = [psutil.Process(int(pid)) for pid in begun.read_text().split()]
    process.kill()
    process.communicate(timeout=60)
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive, "the worker and what its task started outlive the engine"
    assert f"{run}: interrupted" in bench.call("status")
    bench.write("pass")
    assert "1 ran, 2 reused" in bench.call("resume", "-q")


def test_gc_removes_what_is_old_and_nothing_else(bench):
    """``gc`` counts alike dry and wet; afterwards all is made anew; products stay."""
    bench.call("run", "flow.yaml", "-q")
    assert "removed 0 runs, 0 results and 0 files" in bench.call("gc")
    counts = "1 run, 3 results and 2 files"
    assert f"would remove {counts}" in bench.call("gc", "--keep", "0 s", "--dry-run")
    assert f"removed {counts}" in bench.call("gc", "--keep", "0 s")
    assert (bench.root / "out" / "second.txt").read_text() == "frame x"
    plan = bench.call("plan", "flow.yaml", "--all")
    assert "its earlier result was removed" in plan
    assert "3 ran, 0 reused" in bench.call("run", "flow.yaml", "-q")
    assert not list((bench.root / ".dynamo" / "store").rglob("*.gc"))


def test_output_that_nobody_reads_is_no_error(bench):
    """``dynamo runs | head`` ends quietly."""
    bench.call("run", "flow.yaml", "-q")
    with bench.start("plan", "flow.yaml", "--all") as process:
        process.stdout.close()
        assert process.stderr.read() == ""


def test_a_workflow_elsewhere_has_tasks_in_a_module_beside_it(bench):
    """Its file's folder is where they are sought, not only that of the run file; also when the run goes on."""
    (bench.root / "flows").mkdir()
    (bench.root / "flows/beside_the_flow.py").write_text(
        "from dynamo import Output, task\n@task\ndef make(out: Output):\n    out.write_text('x')\n"
    )
    (bench.root / "flows/flow.py").write_text(
        "from dynamo import workflow\nfrom beside_the_flow import make\n"
        "@workflow\ndef flow():\n    make(out='made.txt')\n"
    )
    (bench.root / "here").mkdir()
    (bench.root / "here/flow.yaml").write_text("workflow: ../flows/flow.py:flow\nproducts: out\n")
    bench.process("run", "here/flow.yaml")
    assert (bench.root / "here/out/made.txt").read_text() == "x"


def test_products_do_not_depend_on_the_current_folder(bench, tmp_path):
    """A run file called from elsewhere finds its inputs and products beside it."""
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    code = subprocess.run(
        [sys.executable, "-c", "from dynamo.cli import main; main()", "run", "../flow.yaml", "-q"],
        cwd=elsewhere, check=False, capture_output=True,
    )  # fmt: skip
    assert code.returncode == 0, code
    assert (bench.root / "out" / "second.txt").exists()
    assert list(elsewhere.iterdir()) == []


def test_our_own_fault_is_exit_4_with_a_traceback(bench, monkeypatch):
    """What nobody foresaw shows where it happened and how to report it."""

    def fail(*args, **kwargs):
        raise RuntimeError("unforeseen")

    monkeypatch.setattr("dynamo.cli.execute.execute", fail)
    with contextlib.chdir(bench.root), pytest.raises(SystemExit) as end:
        main(["run", "flow.yaml"])
    assert end.value.code == 4
    said = bench.captured.readouterr().err
    assert "RuntimeError: unforeseen" in said
    assert "please report it" in said


def test_who_calls_it_from_python_keeps_its_signals(bench):
    """What SIGTERM did before a run, it does after it."""
    before = signal.getsignal(signal.SIGTERM)
    bench.call("run", "flow.yaml", "-q")
    assert signal.getsignal(signal.SIGTERM) is before
