"""A run file in, `RunFile` out: every key, every wrong value, every typo."""

from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import RunFileError
from dynamo.runfile import FaultyRunFileError, load
from dynamo.runfile.engine import EngineRule
from dynamo.runfile.keys import KEYS
from dynamo.runfile.model import InputRule, ProductsRule, RunFile

FULL = """\
workflow: ./chain.py:chain
inputs:
  frames:
    files: ["in/*.nc", "more/a.nc"]
    last: 6
    from: 2017-03-29T07:30Z
    to: 2017-03-29T08:30Z
    within: 10 min
    time: "*%Y%m%d%H%M*"
params:
  levels: [20, 35]
products:
  to: "out/{workflow}/{time}/{run}"
  only: "*.png"
  keep: 2 d
engine:
  name: htcondor
  cores: 2
  memory: 4 GiB
  container: docker
  pool: cm.example.org
  schedd: ap.example.org
  slots: 8
  worker: /opt/dynamo/bin/dynamo-worker
  at_once: {plot: 4}
  transfer: sent
  urls: {/data/radar: "https://store.example.org/radar"}
images:
  radar: "dynamo-algorithms:0.1"
workspace: work
deadline: 90 s
"""
TYPOS = {
    "workflow": "workflo", "inputs": "input", "params": "parms", "products": "product", "engine": "engin",
    "workspace": "workspce", "files": "fils", "last": "lst", "from": "form", "to": "too", "within": "withn",
    "time": "tme", "only": "olny", "keep": "kep", "name": "nam", "cores": "core", "memory": "memry",
    "container": "contaner", "images": "imags", "pool": "pol", "schedd": "sched", "slots": "slot",
    "worker": "workr", "at_once": "at_onec", "transfer": "transfr", "urls": "url", "deadline": "dedline",
}  # fmt: skip
WRONG = {
    "workflow": ["5", "[a]", "", "chain", "'./chain.txt:f'", "'./dir/chain:f'", "'a:1b'"],
    "inputs": ["5", "[a, b]", "text"],
    "frames": ["5", "[]", "[a, 5]", "", "{last: 3}"],
    "files": ["5", "[]", "{a: b}", "[a, 5]", "", "''"],
    "last": ["0", "2.5", "'3'", "true", "many", ""],
    "from": ["5", "soon", "[1]", "2017-03-29", "2018-01-01T00:00Z"],
    "to": ["5", "soon", "[1]", "", "2016-01-01T00:00Z", "9999-12-31T23:59-05:00"],
    "within": ["soon", "-5", "5 fortnights", "[1]", "true", "99999999999999 d"],
    "time": ["5", "'%Q'", "'%H'", "''"],
    "params": ["5", "[a]", "text"],
    "products": [
        "5",
        "[a]",
        "'{rum}'",
        "'{run'",
        "'{run!r}'",
        "'{run:>5}'",
        "'{}'",
        "",
        r'"x\0y"',
        r'"x\uD800y"',
    ],
    "only": ["5", "[]", "{a: b}", "[1]"],
    "keep": ["soon", "-5", "[1]", "true"],
    "engine": ["5", "locl", "slurm", "[local]", ""],
    "name": ["5", "locl", ""],
    "cores": ["0", "1.5", "two", "true", ""],
    "memory": ["much", "0", "-1", "4 GiBB", "[4]", "", "99999999 TiB", f"'{'9' * 400}'"],
    "container": ["5", "dockr", "[docker]", "", "true"],
    "pool": ["5", "[a]", "", "''"],
    "schedd": ["5", "[a]", "", "''"],
    "slots": ["0", "1.5", "two", "true", ""],
    "worker": ["5", "[a]", "", "''"],
    "at_once": ["5", "[a]", "text", "{plot: 0}", "{plot: many}"],
    "transfer": ["5", "[a]", "condorio", ""],
    "urls": [
        "5",
        "[a]",
        "text",
        "{data: 'https://a/b'}",
        "{/data: 5}",
        "{/data: a/b}",
        "{/data: 'http://a b'}",
        "{/data: 'http://a/b?c=1'}",
    ],
    "images": ["5", "[a]", "text", "{radar: Not An Image}"],
    "workspace": ["5", "[a]", "", "''"],
    "deadline": ["soon", "-5", "5", "0", "0 s", "[1]", "true", "''"],
}


def place_of_key(text, key):
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(f"{key}:"):
            return number, len(line) - len(line.lstrip()) + 1
    raise AssertionError(key)


def with_value(key, value):
    """Replace a key's value and what hangs under it."""
    lines = FULL.splitlines()
    number, column = place_of_key(FULL, key)
    end = number
    while end < len(lines) and lines[end].startswith(" " * column):
        end += 1
    return "\n".join([*lines[: number - 1], f"{' ' * (column - 1)}{key}: {value}", *lines[end:]]) + "\n"


def faults_in(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(FaultyRunFileError) as caught:
        load(path)
    return caught.value.faults


def test_the_tables_of_this_test_know_every_key():
    """A new key of the run file needs a typo and a wrong value here."""
    forms = (RunFile, InputRule, ProductsRule, EngineRule)
    keys = {name for form in forms for name in KEYS[form]} - {
        "trigger",
        "alerts",
    }  # see test_watch_sections.py
    assert set(TYPOS) == keys
    assert set(WRONG) == keys | {"frames"}


def test_a_full_run_file_is_read(tmp_path):
    """Every key arrives as its type."""
    path = tmp_path / "run.yaml"
    path.write_text(FULL)
    run = load(path)
    frames = run.inputs["frames"]
    assert run.workflow == "./chain.py:chain"
    assert frames.files == ["in/*.nc", "more/a.nc"]
    assert (frames.last, frames.within) == (6, 600.0)
    assert frames.from_ == datetime(2017, 3, 29, 7, 30, tzinfo=UTC)
    assert run.params == {"levels": [20, 35]}
    assert run.products == ProductsRule(to="out/{workflow}/{time}/{run}", only=["*.png"], keep=172800.0)
    assert (run.engine.cores, run.engine.memory) == (2, 4 * 2**30)


def test_one_key_is_enough(tmp_path):
    """All but the workflow has a default; empty inputs and params are none."""
    path = tmp_path / "run.yaml"
    path.write_text("workflow: a.b:c\ninputs:\nparams:\n")
    run = load(path)
    assert (run.inputs, run.params) == ({}, {})
    assert (run.products.to, run.engine.name, run.workspace) == ("products/{run}", "local", ".dynamo")


@pytest.mark.parametrize("value", ["a.nc", "[a.nc]", "{files: a.nc}", "{files: [a.nc]}"])
def test_an_input_has_short_forms(tmp_path, value):
    """A path, a list of paths, and a mapping say the same."""
    path = tmp_path / "run.yaml"
    path.write_text(f"workflow: a:b\ninputs: {{x: {value}}}\n")
    assert load(path).inputs["x"].files == ["a.nc"]


@pytest.mark.parametrize("key", TYPOS)
def test_a_typo_in_any_key_is_told_with_its_place(tmp_path, key):
    """One fault, at the line and column of the key, that names the nearest key."""
    typo = TYPOS[key]
    line, column = place_of_key(FULL, key)
    (fault,) = faults_in(tmp_path, FULL.replace(f"{key}:", f"{typo}:", 1))
    assert str(fault) == f"{tmp_path}/run.yaml:{line}:{column}: unknown key {typo!r} (did you mean {key!r}?)"


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in WRONG.items() for value in values]
)
def test_a_wrong_value_of_any_key_is_told_with_its_place(tmp_path, key, value):
    """One fault, on the line of the key and past it, in plain words."""
    line, column = place_of_key(FULL, key)
    (fault,) = faults_in(tmp_path, with_value(key, value))
    contradiction = key in {"from", "to"} and value.endswith("00:00Z")  # of two keys: a fault of the input
    assert fault.place.line == (4 if contradiction else line)
    assert fault.place.column > column or contradiction
    assert fault.message
    for foreign in ("pydantic", "Input should", "validation", "NoneType", "model"):
        assert foreign not in fault.message


@pytest.mark.parametrize("key", ["fleet", "webhooks", "no", "Workflow"])
def test_keys_of_things_that_do_not_exist_are_unknown(tmp_path, key):
    """No key is silently ignored."""
    (fault,) = faults_in(tmp_path, f"workflow: a:b\n{key}: 1\n")
    assert fault.message.startswith(f"unknown key {key!r}")
    assert (fault.place.line, fault.place.column) == (2, 1)
    assert "workflow" in fault.message


def test_all_faults_are_told_at_once_in_order(tmp_path):
    """One line for each, sorted by place, as editors and terminals understand it."""
    faults = faults_in(tmp_path, "engin: local\ninputs: {x: {files: 5, lst: 1}}\nworkspace: no\nparams: 3\n")
    assert [(f.place.line, f.place.column) for f in faults] == [
        (1, 1),
        (1, 1),
        (2, 21),
        (2, 24),
        (3, 12),
        (4, 9),
    ]
    with pytest.raises(RunFileError) as caught:
        load(tmp_path / "run.yaml")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()[1:]] == [
        str(f.place) for f in faults
    ]


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"", "", "is empty"),
        (b"# nothing\n", "", "is empty"),
        (b"- a\n- b\n", ":1:1", "a run file is a mapping"),
        (b"just text\n", ":1:1", "a run file is a mapping"),
        (b"workflow: a:b\nworkspace: \xe9t\xe9\n", ":2:12", "not UTF-8"),
        ("workflow: a:b\n".encode("utf-16"), ":1:1", "not UTF-8"),
        (b"workflow: a:b\n" + b"#" * 2**20, "", "larger than 1 MiB"),
        (b"workflow: a:b\nworkflow: a:c\n", ":2:1", "twice"),
    ],
)
def test_a_file_that_is_no_run_file_is_told(tmp_path, content, place, words):
    """Each with its reason, and its place where there is one."""
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(RunFileError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}{place}: ")
    assert words in str(caught.value)


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path):
    """As some editors write them."""
    path = tmp_path / "run.yaml"
    path.write_bytes(b"\xef\xbb\xbfworkflow: a:b\r\nworkspace: w\r\n")
    assert load(path).workspace == "w"


def test_a_missing_run_file_names_its_neighbour(tmp_path):
    """The nearest YAML file of the folder is offered; a folder is no run file."""
    (tmp_path / "nowcast.yaml").write_text("workflow: a:b\n")
    with pytest.raises(RunFileError, match=r"no such run file \(did you mean 'nowcast.yaml'\?\)"):
        load(tmp_path / "nowcst.yaml")
    with pytest.raises(RunFileError, match="directory"):
        load(tmp_path)


def test_environment_is_put_in_and_missed(tmp_path, monkeypatch):
    """In inputs, params, products and workspace; an unset variable is a fault at its place."""
    monkeypatch.setenv("DATA", "/data")
    monkeypatch.delenv("NOT_THERE", raising=False)
    path = tmp_path / "run.yaml"
    path.write_text('workflow: a:b\ninputs: {x: "${DATA}/*.nc"}\nworkspace: ${NOT_THERE:-w}\n')
    run = load(path)
    assert (run.inputs["x"].files, run.workspace) == (["/data/*.nc"], "w")
    (fault,) = faults_in(tmp_path, "workflow: a:b\nproducts: ${NOT_THERE}/{run}\n")
    assert (fault.place.line, fault.place.column) == (2, 11)
    assert "NOT_THERE is not set" in fault.message


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a:b", "a.nc"])
)
NAMES = st.sampled_from([*TYPOS, *TYPOS.values(), "frames"]) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_yaml_is_a_run_file_or_its_faults(tmp_path_factory, data):
    """Whatever stands under whatever key, each fault has a line and a column, and no other exception comes."""
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    try:
        load(path)
    except FaultyRunFileError as error:
        for fault in error.faults:
            assert fault.place.line >= 1 or "is empty" in fault.message
            assert fault.message
