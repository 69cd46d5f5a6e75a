"""A run file made real: workflow, inputs, parameters, graph, products, engine."""

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dynamo.errors import RunFileError, UserError, WorkflowError
from dynamo.planning import key_of, parts_of
from dynamo.runfile import FaultyRunFileError, Products, prepare

CHAIN = '''\
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from dynamo import Input, Output, task, workflow


@task
def measure(frame: Input, numbers: Output, *, level: float) -> None:
    """Nothing."""


@task
def join(numbers: list[Input], table: Output) -> None:
    """Nothing."""


@workflow
def chain(
    frames: list[Input],
    mask: Input | None = None,
    levels: Sequence[float] = (20, 35),
    mode: Literal["fast", "slow"] = "fast",
    count: int = 3,
    title: str = "storms",
    on: bool = False,
    names: dict[str, int] | None = None,
    pair: tuple[int, str] = (1, "a"),
) -> None:
    join([measure(f, f"{i}-{v}.json", level=v) for i, f in enumerate(frames) for v in levels], "table.csv")


@workflow
def needy(frame: Input, level: float) -> None:
    measure(frame, "a.json", level=level)


@workflow
def stray(frames: list[Input]) -> None:
    measure(frames[0], "first.json", level=1.0)
    join(["frist.json"], "table.csv")


@workflow
def broken(frames: list[Input]) -> None:
    1 / 0


@workflow
def odd(frames: list[Input], thing: timedelta | Exception = timedelta(0)) -> None:
    measure(frames[0], "a.json", level=1.0)


def plain(frames):
    return frames


NUMBER = 5
'''


@pytest.fixture
def folder(tmp_path):
    """A workflow file and three frames."""
    (tmp_path / "chain.py").write_text(CHAIN)
    (tmp_path / "data").mkdir()
    for minute in (30, 31, 32):
        (tmp_path / "data" / f"a-20170329-07{minute}40.nc").touch()
    return tmp_path


def prepared(folder, text="inputs: {frames: data/*.nc}\n", workflow="./chain.py:chain", **more):
    path = folder / "run.yaml"
    path.write_text(f"workflow: {workflow}\n{text}")
    return prepare(path, **more)


def faults(folder, text, **more):
    with pytest.raises(FaultyRunFileError) as caught:
        prepared(folder, text, **more)
    return [str(f).removeprefix(f"{folder}/run.yaml:") for f in caught.value.faults]


def test_everything_is_made_real(folder):
    """Absolute paths, checked values, defaults filled in, and a graph on files that exist."""
    got = prepared(
        folder,
        "inputs: {frames: {files: data/*.nc, last: 2}}\nparams: {levels: [20, 35.5, 50]}\n"
        "products: {to: 'out/{workflow}/{time}-{run}', only: ['*.csv']}\n"
        "engine: {name: local, cores: 2, memory: 4 GiB}\nworkspace: w\n",
    )
    frames = [folder.resolve() / "data" / f"a-20170329-07{m}40.nc" for m in (31, 32)]
    assert got.inputs == {"frames": frames}
    assert got.params["levels"] == [20.0, 35.5, 50.0]
    assert got.params["mode"] == "fast"
    assert got.given == {"levels"}
    assert got.data_time == datetime(2017, 3, 29, 7, 32, 40, tzinfo=UTC)
    assert list(got.graph.sources.values()) == list(map(str, frames))
    assert {s: len(t) for s, t in got.graph.steps.items()} == {"measure": 6, "join": 1}
    assert got.products.folder("r1") == folder / "out/chain/20170329T073240Z-r1"
    assert got.products.only == ("*.csv",)
    assert (got.engine.name, got.engine.cores, got.engine.memory) == ("local", 2, 4 * 2**30)
    assert (got.workspace, got.path) == (folder / "w", folder / "run.yaml")


def test_defaults_need_no_key(folder):
    """Products, engine and workspace have defaults beside the run file."""
    got = prepared(folder)
    assert got.products.folder("r1") == folder / "products" / "r1"
    assert got.workspace == folder / ".dynamo"
    assert (got.engine.name, got.engine.cores, got.engine.memory) == ("local", None, None)
    assert got.products.only == ()


def test_the_deadline_of_a_run_is_that_of_tasks_without_one(folder):
    """Nothing else of a task changes, its key neither: what was made before is used again."""
    chain = folder / "chain.py"
    chain.write_text(
        chain.read_text().replace("@task\ndef join", "@task(deadline='40 s', memory=5)\ndef join")
    )
    inputs = "inputs: {frames: data/*.nc}\n"
    without, within = (prepared(folder, inputs + more).graph for more in ("", "deadline: 1.5 min\n"))
    assert {task.step: task.needs.deadline for task in without.tasks.values()} == {"measure": 0, "join": 40}
    assert {task.step: task.needs.deadline for task in within.tasks.values()} == {"measure": 90, "join": 40}
    assert within.tasks["join"] == without.tasks["join"]
    for name, task in within.tasks.items():
        before = without.tasks[name]
        assert replace(task, needs=replace(task.needs, deadline=before.needs.deadline)) == before
        digests = dict.fromkeys(task.input_names, "0")
        assert len({key_of(one, parts_of(one, "code", digests)) for one in (task, before)}) == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("0", "deadline: 0 is no time at all"),
        ("0 s", "deadline: '0 s' is no time at all"),
        ("60", "deadline: 60 has no unit; write '60 min' or '60 s'"),
        ("soon", "deadline: 'soon' is not a time like '60 s' or '5 min'"),
        ("-1 min", "deadline: '-1 min' is not a time"),
        ("[1 min]", "deadline: ['1 min'] is not a time"),
    ],
)
def test_what_is_no_deadline_is_told_with_its_place(folder, said, words):
    """A run that is due when it begins is none."""
    (fault,) = faults(folder, f"inputs: {{frames: data/*.nc}}\ndeadline: {said}\n")
    assert fault.startswith(f"3:11: {words}")


def test_paths_are_relative_to_the_run_file(folder, monkeypatch, tmp_path_factory):
    """Not to the folder the command is called in; ``~`` is the home."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("HOME", str(folder))
    got = prepared(folder, "inputs: {frames: ~/data/*.nc}\nproducts: ~/out\nworkspace: ~/w\n")
    assert len(got.inputs["frames"]) == 3
    assert got.products.folder("r") == folder / "out"
    assert got.workspace == folder / "w"


def test_the_command_line_wins(folder, monkeypatch):
    """Parameters as YAML, text as it is; inputs from the current folder, under the rules of the run file."""
    (folder / "other").mkdir()
    for n in (1, 2, 3):
        (folder / "other" / f"b-20180101-000{n}.nc").touch()
    monkeypatch.chdir(folder / "other")
    got = prepared(
        folder,
        "inputs: {frames: {files: data/*.nc, last: 2}}\nparams: {levels: [wrong], count: 1}\n",
        params={"levels": "[1, 2]", "title": "yes: no", "on": "true"},
        inputs={"frames": ["*.nc"], "mask": ["b-20180101-0001.nc"]},
    )
    assert [p.name for p in got.inputs["frames"]] == ["b-20180101-0002.nc", "b-20180101-0003.nc"]
    assert got.inputs["mask"] == folder.resolve() / "other" / "b-20180101-0001.nc"
    assert (got.params["levels"], got.params["title"], got.params["on"]) == ([1.0, 2.0], "yes: no", True)
    assert got.params["count"] == 1


def test_faults_of_the_command_line_name_the_option(folder):
    """Where there is no line, the option is the place."""
    told = faults(
        folder,
        "inputs: {frames: data/*.nc}\n",
        params={"levels": "[1, a]", "mode": "[", "lvls": "3", "count": "no"},
        inputs={"frmes": ["x"], "mask": ["nothing.nc"]},
    )
    assert [line.split(": ")[0] for line in told] == [
        "--param lvls", "--param levels", "--param mode", "--param count", "--input frmes", "--input mask",
    ]  # fmt: skip
    assert "did you mean 'levels'?" in told[0]


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("levels: [20, x]", 16, "levels: expected a number, not 'x'"),
        ("levels: 20", 11, "levels: "),
        ("levels: ['20']", 12, "expected a number, not '20'"),
        ("levels: [true]", 12, "expected a number, not true"),
        ("mode: fsst", 9, "did you mean 'fast'?"),
        ("count: 2.5", 10, "expected a whole number, not 2.5"),
        ("count: true", 10, "expected a whole number, not true"),
        ("count: '3'", 10, "expected a whole number, not '3'"),
        ("title: 2017", 10, "expected text, not 2017"),
        ("on: 1", 7, "expected true or false, not 1"),
        ("on: yes", 7, "write true or false"),
        ("names: {a: x}", 14, "expected a whole number, not 'x'"),
        ("pair: [a, b]", 10, "expected a whole number, not 'a'"),
        ("pair: [1]", 9, "pair: "),
        ("cuont: 3", 3, "chain has no parameter 'cuont' (did you mean 'count'?)"),
        ("frames: 3", 3, "'frames' is an input of chain: put it under `inputs`"),
    ],
)
def test_a_parameter_is_checked_against_its_annotation(folder, line, column, words):
    """At the line and column of the value, or of the key that is not known."""
    (fault,) = faults(folder, f"inputs: {{frames: data/*.nc}}\nparams:\n  {line}\n")
    assert fault.startswith(f"4:{column}: ")
    assert words in fault


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("levels: [1]", [1.0]),
        ("names: {a: 1, no: 2}", {"a": 1, "no": 2}),
        ("pair: [2, b]", (2, "b")),
        ("names: null", None),
    ],
)
def test_a_fitting_value_arrives_as_its_type(folder, text, value):
    """Whole numbers become floats where floats are asked for, lists tuples."""
    got = prepared(folder, f"inputs: {{frames: data/*.nc}}\nparams: {{{text}}}\n")
    assert got.params[text.split(":")[0]] == value


def test_text_from_the_environment_may_be_a_number(folder, monkeypatch):
    """But only one that is a number."""
    monkeypatch.setenv("COUNT", "7")
    text = 'inputs: {frames: data/*.nc}\nparams: {count: "${COUNT}"}\n'
    assert prepared(folder, text).params["count"] == 7
    monkeypatch.setenv("COUNT", "seven")
    (fault,) = faults(folder, text)
    assert fault.startswith("3:17: count: ")


@pytest.mark.parametrize(
    ("value", "text"),
    [("inf", "{levels: ['${IT}']}"), ("x\udcff", "{title: '${IT}'}"), ("\udcff", "{count: '${IT}'}")],
)
def test_what_cannot_be_recorded_is_refused_from_the_environment_too(folder, monkeypatch, value, text):
    """Infinite numbers, and bytes that are no text, at the place of the value."""
    monkeypatch.setenv("IT", value)
    (fault,) = faults(folder, f"inputs: {{frames: data/*.nc}}\nparams: {text}\n")
    assert fault.startswith("3:")
    assert "no number that can be recorded" in fault or "#xdcff" in fault
    (fault,) = faults(folder, "inputs: {frames: data/*.nc}\n", params={"title": "a\udcff"})
    assert fault == "--param title: 'a' is followed by the character #xdcff, which is not allowed"


def test_an_annotation_may_hold_anything(folder):
    """What has no hash is only what the user's own tools read; a check of the user's that fails is told."""
    source = CHAIN.replace("count: int = 3", "count: Annotated[int, {'unit': 'dBZ'}] = 3").replace(
        "title: str", "title: Annotated[str, AfterValidator(lambda title: title[99])]"
    )
    head = "from typing import Annotated\nfrom pydantic import AfterValidator\n"
    (folder / "chain.py").write_text(head + source)
    assert prepared(folder, "inputs: {frames: data/*.nc}\nparams: {count: 5}\n").params["count"] == 5
    (fault,) = faults(folder, "inputs: {frames: data/*.nc}\nparams: {count: x}\n")
    assert fault == "3:17: count: expected a whole number, not 'x'"
    (fault,) = faults(folder, "inputs: {frames: data/*.nc}\nparams: {title: x}\n")
    assert fault == "3:17: title: checking it fails: IndexError: string index out of range"


def test_a_run_file_in_a_folder_whose_name_is_no_text_is_refused(folder):
    """Its path could not be recorded."""
    with pytest.raises(RunFileError, match="is not UTF-8 text"):
        prepare(folder / "a\udcff" / "run.yaml")


def test_a_type_that_yaml_cannot_say_is_told(folder):
    """Rather than guessed at."""
    with pytest.raises(FaultyRunFileError, match="cannot be written in a run file"):
        prepared(folder, "inputs: {frames: data/*.nc}\nparams: {thing: 3}\n", "./chain.py:odd")


def test_what_is_missing_is_told(folder):
    """Inputs and parameters without a default."""
    with pytest.raises(FaultyRunFileError) as caught:
        prepared(folder, "params: {}\n", "./chain.py:needy")
    assert [f.message for f in caught.value.faults] == [
        "needy needs the input 'frame'; give it under `inputs`",
        "needy needs the parameter 'level'; give it under `params`",
    ]
    assert [f.place.line for f in caught.value.faults] == [1, 2]


def test_inputs_are_checked_against_the_workflow(folder):
    """Unknown name, a parameter, several files for one, no file: all at once, each at its place."""
    told = faults(
        folder, "inputs:\n  frmes: data/*.nc\n  levels: data/*.nc\n  mask: data/*.nc\n  frames: [data/*.h5]\n"
    )
    assert [t.split(": ")[0] for t in told] == ["3:3", "4:3", "5:9", "6:12"]
    assert "chain has no input 'frmes' (did you mean 'frames'?)" in told[0]
    assert "put it under `params`" in told[1]
    assert "takes one file, but 3 are found" in told[2]
    assert "no file matches 'data/*.h5'" in told[3]


def test_faults_of_all_parts_are_told_together(folder):
    """An unknown key does not hide a wrong parameter or a missing file."""
    told = faults(
        folder, "inputs: {frames: data/*.h5}\nparams: {count: x}\ntrigger: 1\nengine: lcal\nworkspace: no\n"
    )
    assert [t.split(":")[0] for t in told] == ["2", "3", "4", "5", "6"]


def test_a_product_folder_by_time_needs_a_time(folder):
    """{time} without a time in any name is a fault at the template."""
    (folder / "data" / "plain.nc").touch()
    (fault,) = faults(folder, "inputs: {frames: data/plain.nc}\nproducts: 'out/{time}'\n")
    assert fault.startswith("3:11: products: {time} is asked for")


AIR = """
from dynamo.graph import Input, Output, task, workflow

@task
def read(frame: Input, out: Output) -> None: ...

@workflow
def air(frames: list[Input], air: list[Input]) -> None:
    read(frames[0], "a.json")
"""


def test_a_product_folder_is_named_by_what_starts_runs(folder):
    """Not by a sounding that is newer; where the clock starts them, by its tick."""
    (folder / "air.py").write_text(AIR)
    (folder / "data" / "air_2017032912.txt").touch()
    text = "inputs: {frames: data/*.nc, air: data/*.txt}\nproducts: '{time}'\n"
    starts = "trigger: {needs: {air: {starts: false}}}\n"
    got = {"workflow": "./air.py:air"}
    assert prepared(folder, text, **got).products.folder("r").name == "20170329T120000Z"
    assert prepared(folder, text + starts, **got).products.folder("r").name == "20170329T073240Z"
    tick = datetime(2017, 3, 29, 7, 33, tzinfo=UTC)
    assert prepared(folder, text + starts, tick=tick, **got).products.folder("r").name == "20170329T073300Z"
    (folder / "data" / "plain").touch()
    (fault,) = faults(folder, text.replace("*.nc", "plain") + starts, **got)
    assert fault.endswith("no input that starts runs has a time in its name")


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("./chan.py:chain", "no file"),
        ("./chain.py:chan", "has no 'chan' (did you mean 'chain'?)"),
        ("./chain.py:plain", "plain is a plain function: mark it with @workflow"),
        ("./chain.py:measure", "measure is a task, not a workflow"),
        ("./chain.py:NUMBER", "NUMBER is a int, not a workflow"),
        ("no_such_package.chain:chain", "no module 'no_such_package.chain'"),
        ("dynamo.errors:nearest", "plain function"),
    ],
)
def test_what_is_no_workflow_is_told_at_its_place(folder, reference, words):
    """The place of `workflow` in the run file, and what is there instead."""
    with pytest.raises(UserError) as caught:
        prepared(folder, workflow=reference)
    assert str(caught.value).startswith(f"{folder}/run.yaml:1:11: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("source", "place", "words"),
    [
        ("x = 1\ndef f(:\n", ":2", "not valid Python"),
        ("\nimport no_such_thing\n", "", "'no_such_thing', which is not installed"),
        ("\nraise ValueError('boo')\n", ":2", "ValueError: boo"),
        ("\nx = undefined\n", ":2", "NameError"),
        ("import sys\n\nsys.exit(3)\n", ":3", "SystemExit: 3"),
    ],
)
def test_a_users_file_that_fails_is_told_with_its_line(folder, source, place, words):
    """A short message with the place, never a traceback."""
    (folder / "own.py").write_text(source)
    with pytest.raises(UserError) as caught:
        prepared(folder, workflow="./own.py:chain")
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{folder}/{f'own.py{place}' if place else 'run.yaml:1:11'}")


def test_a_module_beside_the_run_file_is_found(folder):
    """A module name works as a path does, and is looked for beside the run file first."""
    (folder / "beside_the_run_file.py").write_text(CHAIN)
    try:
        assert prepared(folder, workflow="beside_the_run_file:chain").workflow.signature.name == "chain"
    finally:
        sys.modules.pop("beside_the_run_file", None)
        sys.path.remove(str(folder))


def test_a_file_that_nobody_makes_is_told(folder):
    """At the line of the user's call, with the nearest output."""
    with pytest.raises(WorkflowError) as caught:
        prepared(folder, workflow="./chain.py:stray")
    assert "chain.py:41: join reads 'frist.json'" in str(caught.value)
    assert "did you mean 'first.json'?" in str(caught.value)


def test_a_plain_path_in_a_workflow_is_relative_to_the_run_file(folder):
    """It becomes an absolute source."""
    (folder / "frist.json").touch()
    assert str(folder / "frist.json") in prepared(folder, workflow="./chain.py:stray").graph.sources.values()


def test_a_workflow_that_raises_is_told_with_its_line(folder):
    """The user's own exception, at the user's own line."""
    with pytest.raises(UserError) as caught:
        prepared(folder, workflow="./chain.py:broken")
    assert str(caught.value).startswith(f"{folder}/chain.py:46: describing broken fails: ZeroDivisionError")


def test_a_workflow_that_leaves_python_is_told(folder):
    """``sys.exit`` while the workflow is described is its fault, not the end of the command."""
    chain = folder / "chain.py"
    chain.write_text(
        chain.read_text() + "\n\n@workflow\ndef leaving(frames: list[Input]):\n    raise SystemExit(0)\n"
    )
    with pytest.raises(UserError, match="describing leaving fails: SystemExit: 0"):
        prepared(folder, workflow="./chain.py:leaving")


def test_the_faults_of_a_run_file_come_with_those_of_its_workflow(folder):
    """A wrong function name does not hide an unknown key."""
    told = faults(folder, "tigger: 1\n", workflow="./chain.py:chan")
    assert [t.split(" ")[0] for t in told] == ["1:11:", "2:1:"]


def test_products_are_told_apart_by_run():
    """An absolute or relative template, filled in."""
    at = datetime(2017, 3, 29, 7, 30, tzinfo=UTC)
    assert Products("/p/{run}", (), Path("/b"), "w", at).folder("1") == Path("/p/1")
    assert Products("{workflow}/{time}", (), Path("/b"), "w", at).folder("1") == Path("/b/w/20170329T073000Z")


def test_a_run_file_error_is_the_users(folder):
    """Exit code 2."""
    with pytest.raises(RunFileError) as caught:
        prepared(folder, "trigger: 1\n")
    assert caught.value.exit_code == 2


def test_a_limit_on_a_step_misspelt_is_refused(folder):
    """With the nearest. One that is unlike all may be there in a run of other inputs, or is still to be described."""
    said = "inputs: {frames: data/*.nc}\nengine: {name: htcondor, at_once: {%s: 1}}\n"
    assert faults(folder, said % "mesure") == [
        "3:36: at_once: chain has no step 'mesure' (did you mean 'measure'?)"
    ]
    assert prepared(folder, said % "plot").engine.at_once == {"plot": 1}
    assert prepared(folder, said % "measure").engine.at_once == {"measure": 1}
    later = """
@workflow(runtime=True)
def more(frame: Input, out: Output) -> None: ...


@workflow
def unknown(frames: list[Input]) -> None:
    more(frames[0], "m")
"""
    (folder / "later.py").write_text(CHAIN + later)
    assert prepared(folder, said % "mesure", workflow="./later.py:unknown").engine.at_once == {"mesure": 1}
