"""Values of parameters against annotations: the quick way says what pydantic says."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dynamo.runfile.params import _UNCLEAR, plainly

KINDS = [
    bool, int, float, str, Any, int | None, float | None, Sequence[float], Sequence[str] | None, list[int | None],
    Sequence[Sequence[float]], Literal["a", 1], tuple[int, str], dict[str, int], int | str, float | int | None,
    Annotated[int, {"unit": "dBZ"}], list[Annotated[str, ["no hash"]]],
]  # fmt: skip
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)


@given(st.sampled_from(KINDS), VALUES)
def test_what_is_plain_is_what_pydantic_makes_of_it(kind, value):
    """The same value of the same type; and what pydantic refuses is never plain."""
    found = plainly(kind, value)
    try:
        expected = TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError:
        assert found is _UNCLEAR
    else:
        assert found is _UNCLEAR or repr(found) == repr(expected)


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        (float, 3, 3.0),
        (int, 3, 3),
        (Sequence[float], [1, 2.5], [1.0, 2.5]),
        (Sequence[str] | None, None, None),
        (str | None, "a", "a"),
        (Literal["lk", "none"], "none", "none"),
    ],
)
def test_the_commonest_kinds_are_plain(kind, value, found):
    """Numbers, text, one word of some, and lists of them."""
    assert repr(plainly(kind, value)) == repr(found)
