"""`dynamo check`: what is said of a right run file, and of a wrong one."""

import json
import re

import pytest

from dynamo.cli import main

CHAIN = '''\
from dynamo import Input, Output, task, workflow


@task
def measure(frame: Input, numbers: Output, *, level: float) -> None:
    """Nothing."""


@workflow
def chain(frames: list[Input], level: float = 35.0, title: str = "storms") -> None:
    for n, frame in enumerate(frames):
        measure(frame, f"{n}.json", level=level)
'''


@pytest.fixture
def run_file(tmp_path):
    """A run file with two frames."""
    (tmp_path / "chain.py").write_text(CHAIN)
    for minute in (30, 31):
        (tmp_path / f"a-20170329-07{minute}40.nc").touch()
    path = tmp_path / "run.yaml"
    path.write_text("workflow: ./chain.py:chain\ninputs: {frames: '*.nc'}\nparams: {level: 40}\n")
    return path


def checked(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["check", *map(str, arguments)])
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


def test_a_right_run_file_is_told_in_short(run_file, capsys):
    """Workflow, inputs with times, parameters with defaults marked, tasks per step, where and how."""
    code, out, err = checked(capsys, run_file)
    assert (code, err) == (0, "")
    assert "2 files: a-20170329-073040.nc (2017-03-29 07:30:40 UTC) to a-20170329-073140.nc" in out
    assert "param level   40.0\n" in out
    assert "param title   storms  (default)\n" in out
    assert "2: measure x 2" in out
    assert f"{run_file.parent}/products/{{run}}" in out
    assert "local" in out


def test_json_has_the_same_facts(run_file, capsys):
    """For programs."""
    code, out, _ = checked(capsys, run_file, "--json", "--param", "level=50")
    facts = json.loads(out)
    assert (code, facts["ok"]) == (0, True)
    assert facts["tasks"] == {"measure": 2}
    assert facts["params"]["level"] == {"value": 50.0, "default": False}
    assert facts["data_time"] == "2017-03-29T07:31:40+00:00"


def test_a_deadline_is_told(run_file, capsys):
    """In words and for programs; nothing is said where there is none."""
    assert "after its start" not in checked(capsys, run_file)[1]
    run_file.write_text(f"{run_file.read_text()}deadline: 1.5 min\n")
    assert re.search(r"^  deadline +1 min 30 s after its start$", checked(capsys, run_file)[1], re.MULTILINE)
    assert json.loads(checked(capsys, run_file, "--json")[1])["deadline"] == 90


def test_faults_end_with_exit_code_2(run_file, capsys):
    """Each on its own line, in words and as JSON; no traceback."""
    run_file.write_text("workflow: ./chain.py:chain\ninput: {frames: '*.nc'}\nparams: {level: x}\n")
    code, out, err = checked(capsys, run_file)
    assert (code, out) == (2, "")
    assert f"{run_file}:2:1: unknown key 'input' (did you mean 'inputs'?)\n" in err
    assert f"{run_file}:3:17: level: expected a number, not 'x'" in err
    assert "Traceback" not in err
    code, out, _ = checked(capsys, run_file, "--json")
    told = json.loads(out)
    assert (code, told["ok"]) == (2, False)
    assert (told["faults"][0]["line"], told["faults"][0]["column"]) == (2, 1)


def test_a_broken_workflow_is_a_fault_in_json_too(run_file, capsys):
    """With the place in the user's Python."""
    (run_file.parent / "chain.py").write_text("def f(:\n")
    code, out, _ = checked(capsys, run_file, "--json")
    assert code == 2
    assert json.loads(out)["faults"][0]["file"].endswith("chain.py")


def test_a_workflow_looks_at_what_it_is_given(run_file, capsys):
    """What it returns is a note, what it raises a fault, and of a slip in it the line is told."""
    chain = run_file.parent / "chain.py"
    chain.write_text(
        CHAIN
        + "@chain.preflight\n"
        + "def look(frames, level, title):\n"
        + "    return [f'{len(frames)} {title}', str(10 / (level - 40))]\n"
    )
    code, out, _ = checked(capsys, run_file, "--param", "level=42")
    assert code == 0
    assert "2 storms\n" in out
    assert "5.0\n" in out
    code, _, err = checked(capsys, run_file)
    assert code == 2
    assert f"{chain}:15: looking at what chain is given fails: ZeroDivisionError" in err


def test_the_schema_needs_no_run_file(capsys):
    """It is printed as it is published."""
    code, out, _ = checked(capsys, "--schema")
    assert code == 0
    assert json.loads(out)["title"] == "dynamo run file"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "which run file?"),
        (["--param", "level"], "--param 'level': write a name, = and a value"),
        (["--param", "=3"], "write a name"),
        (["--input", "frames="], "write a name"),
    ],
)
def test_arguments_that_say_nothing_are_told(run_file, capsys, arguments, words):
    """With an example of what to write."""
    code, _, err = checked(capsys, *([run_file] if arguments else []), *arguments)
    assert code == 2
    assert words in err


def test_labels_that_cannot_fuse_are_a_fault_here_as_in_a_run(run_file, capsys):
    """Check and plan refuse what a run would refuse before anything runs."""
    (run_file.parent / "chain.py").write_text(
        "from dynamo import Input, Output, fuse, task, workflow\n\n"
        "@task\ndef step(frame: Input, out: Output) -> None: ...\n\n"
        "@workflow\ndef chain(frames: list[Input], level: float = 35.0) -> None:\n"
        "    with fuse('one'):\n        a = step(frames[0], 'a')\n"
        "    b = step(a, 'b')\n"
        "    with fuse('one'):\n        step(b, 'c')\n"
    )
    code, _, err = checked(capsys, run_file)
    assert code == 2
    assert "the tasks fused as 'one' cannot share a job" in err
    code, out, _ = checked(capsys, run_file, "--json")
    assert (code, json.loads(out)["ok"]) == (2, False)
    with pytest.raises(SystemExit) as ended:
        main(["plan", str(run_file)])
    assert ended.value.code == 2
    assert "the tasks fused as 'one' cannot share a job" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("needs", "said"),
    [("memory='100 TiB'", "needs 1 cores and 100 TiB"), ("cores=100_000", "needs 100000 cores")],
)
def test_what_this_machine_cannot_run_is_a_note(run_file, capsys, needs, said):
    """As `run` would say it, in words and as JSON, in check and plan; a pool is not asked, and has no note."""
    (run_file.parent / "chain.py").write_text(CHAIN.replace("@task", f"@task({needs})"))
    place = f"{run_file.parent}/chain.py:12: measure-0 {said}; this engine has "
    code, out, _ = checked(capsys, run_file)
    (note,) = [line for line in out.splitlines() if line.startswith("  note ")]
    assert (code, place in note, note.endswith("; `dynamo run` here refuses that")) == (0, True, True)
    (told,) = json.loads(checked(capsys, run_file, "--json")[1])["notes"]
    assert told["message"].startswith(place)
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit):
            main(["plan", str(run_file), *more])
        out = capsys.readouterr().out
        text = json.loads(out)["notes"][0] if more else out.splitlines()[-1].removeprefix("note: ")
        assert text == told["message"]
    with pytest.raises(SystemExit) as ended:
        main(["run", str(run_file), "-q"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.strip() == "error: " + text.removesuffix(
        "; `dynamo run` here refuses that"
    )
    run_file.write_text(run_file.read_text() + "engine: htcondor\n")
    assert "note" not in checked(capsys, run_file)[1]
    assert json.loads(checked(capsys, run_file, "--json")[1])["notes"] == []


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("trigger: {every: 5 min}", ""),
        ("trigger: {cron: '*/5 * * * *'}", ""),
        ("trigger: {join: 30 s}", "`dynamo watch` runs tasks on this machine"),
    ],
)
def test_on_a_pool_a_clock_tells_when_it_is_run_again(run_file, capsys, more, fault):
    """By whoever runs it then: nothing need be watched. What files start only a watch can."""
    with run_file.open("a") as file:
        file.write(f"engine: htcondor\n{more}\n")
    code, _, err = checked(capsys, run_file)
    assert code == (2 if fault else 0), err
    assert fault in err
