"""YAML in: what is read, what is refused, and where."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import RunFileError
from dynamo.runfile.document import MAX_DEPTH, parse
from dynamo.runfile.faults import Faults, FaultyRunFileError


def read_text(text):
    faults = Faults("f.yaml")
    node = parse(text, faults)
    faults.check()
    return node.data() if node else None


def faults_of(text):
    with pytest.raises(FaultyRunFileError) as caught:
        read_text(text)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-7", -7), ("+7", 7), ("0", 0), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("5.", 5.0),
        ("true", True), ("False", False), ("null", None), ("~", None), ("'no'", "no"), ('"010"', "010"),
        ("2017-03-29", "2017-03-29"), ("2017-03-29 07:30", "2017-03-29 07:30"), ("y", "y"), ("n", "n"), ("=", "="),
        ("1.2.3", "1.2.3"), ("|\n  no\n", "no\n"),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text, value):
    """A plain scalar is what the core schema of YAML 1.2 says; quoted, it is text."""
    got = read_text(f"k: {text}")["k"]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    "text",
    ["no", "yes", "On", "OFF", "010", "08", "0o17", "0x1F", "0b101", "12:30", "1:02:03.5", "1_000", "1_0.5", ".inf",
     "-.INF", ".NaN", "1e999", "99999999999999999999"],
)  # fmt: skip
def test_what_other_readers_take_for_something_else_is_refused(text):
    """An ambiguous scalar is a fault at its place that says what to write instead."""
    (fault,) = faults_of(f"k:\n  - {text}\n")
    assert fault.startswith("f.yaml:2:5: ")
    assert "quote it" in fault


def test_keys_are_text_as_it_stands():
    """No key becomes a truth value or a number."""
    assert read_text("{no: 1, 010: 2, y: 3, 5: 4}") == {"no": 1, "010": 2, "y": 3, "5": 4}


def test_every_key_and_value_knows_its_place():
    """Lines and columns count from 1, in lists and flow style too."""
    node = parse("a:\n  - x\n  - {b: 1, c: [2, 3]}\n", Faults("f"))
    assert node.key(("a",)) == (1, 1)
    assert node.find(("a", 0)).mark == (2, 5)
    assert node.key(("a", 1, "c")) == (3, 12)
    assert node.find(("a", 1, "c", 1)).mark == (3, 19)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: 1\na: 2\n", "2:1", "'a' stands here twice, first at 1:1"),
        ("a: 1\n\tb: 2\n", "2:1", "a tab where only spaces may stand"),
        ("a:\n\t- 1\n", "2:1", "a tab"),
        ("a: [1, 2\n", "2:1", "not valid YAML"),
        ("a: b: c\n", "1:5", "mapping values are not allowed"),
        ("a: !!python/object:os.system x\n", "1:4", "tag"),
        ("a: !thing x\n", "1:4", "tag"),
        ("a: 1\n---\nb: 2\n", "2:1", "second document"),
        ("base: &b {x: 1}\na:\n  <<: *b\n", "3:3", "merge keys"),
        ("a: *b\n", "1:4", "no anchor &b"),
        ("a: *.nc\n", "1:5", "quote a text that starts with *"),
        ("a: &a [*a]\n", "1:8", "part of"),
        ("? [1, 2]\n: x\n", "1:3", "keys are plain text"),
        ("k: &k v\n? *k\n: x\n", "2:3", "keys are plain text"),
        ("a: x\x00y\n", "1:5", "#x0000"),
        ('a: 1\nb: [1, "x\\0y"]\n', "2:8", "'x' is followed by the character #x0000"),
        ('"x\\uD800y": 1\n', "1:1", "'x' is followed by the character #xd800"),
        ('a: "\\uD83D\\uDE00"\n', "1:4", "#xd83d"),
        ("a:\n  b: 1\n c: 2\n", "3:2", "not indented as those above"),
        ("a: 'open\n", "2:1", "not valid YAML"),
        ("%YAML 2.0\n---\na: 1\n", "1:1", "not valid YAML"),
    ],
)
def test_what_is_not_read_is_refused_at_its_place(text, place, words):
    """Each is one fault with line and column."""
    fault = faults_of(text)[0]
    assert fault.startswith(f"f.yaml:{place}: ")
    assert words in fault


def test_an_alias_bomb_is_refused():
    """Nine levels of nine aliases are not expanded to 400 million values."""
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "aliases expanded" in faults_of("\n".join(lines))[0]


def test_depth_is_bounded():
    """A text of brackets is a fault, not an exhausted stack."""
    assert f"deeper than {MAX_DEPTH}" in faults_of("[" * 50_000)[0]
    assert read_text("[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1))
    assert f"deeper than {MAX_DEPTH}" in faults_of("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH)[0]
    aliases = ["l0: &l0 [x]", *(f"l{n}: &l{n} [*l{n - 1}]" for n in range(1, 300))]
    assert f"deeper than {MAX_DEPTH}" in faults_of("\n".join(aliases))[0]


def test_an_alias_stands_for_its_anchor():
    """Scalars, lists and mappings can be named once and used again."""
    assert read_text("a: &x [1, 2]\nb: *x\nc: &y 5\nd: *y\n") == {"a": [1, 2], "b": [1, 2], "c": 5, "d": 5}


@pytest.mark.parametrize("text", ["", "   \n", "# only a comment\n", "---\n", "null\n"])
def test_nothing_is_none(text):
    """A text without a value is None."""
    assert parse(text, Faults("f")) is None


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@#,? \n\t0.~<"), max_size=60))
def test_any_text_is_read_or_refused(text):
    """Whatever the text, it is data or a `RunFileError`; never another exception."""
    try:
        read_text(text)
    except RunFileError as error:
        assert "f.yaml" in str(error)  # noqa: PT017 - the other outcome is as good
