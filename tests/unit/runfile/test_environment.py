"""Environment variables in a run file."""

import pytest

from dynamo.runfile.environment import expand


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}/x", "one/x"), ("${A}${B}", "onetwo"), ("${NONE:-three}", "three"), ("${EMPTY:-three}", "three"),
        ("${EMPTY}", ""), ("$${A}", "${A}"), ("$A 5$", "$A 5$"), ("${NONE:-}", ""), ("${NONE:-a:-b}", "a:-b"),
    ],
)  # fmt: skip
def test_references_are_replaced(text, value):
    """${NAME} and ${NAME:-default} are, $${ and a bare $ are not."""
    assert expand(text, {"A": "one", "B": "two", "EMPTY": ""}) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${RADER}", "RADER is not set (did you mean 'RADAR'?)"),
        ("${}", "not a variable"),
        ("${A", "not a variable"),
        ("${1}", "not a variable"),
        ("${A-b}", "not a variable"),
    ],
)
def test_what_cannot_be_replaced_is_named(text, words):
    """An unset variable without a default, and what is no reference, are errors."""
    with pytest.raises(ValueError, match="variable") as caught:
        expand(text, {"RADAR": "x"})
    assert words in str(caught.value)
