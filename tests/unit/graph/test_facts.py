"""What a task may tell of what it makes."""

from __future__ import annotations

import numpy as np
import pytest

from dynamo import tell
from dynamo.errors import UserError
from dynamo.graph.facts import told


@pytest.fixture(autouse=True)
def _nothing_told():
    told()
    yield
    told()


def test_what_is_told_is_there_once():
    """The last value of a name counts; who has asked is not told again."""
    tell(echo_km2=1)
    tell(echo_km2=np.float32(2.5), storms=3)
    assert told() == {"echo_km2": 2.5, "storms": 3.0}
    assert told() == {}


@pytest.mark.parametrize("name", ["bytes", "lead", "tasks", "usual", "Echo", "9", "a b", "a;b", "a" * 33, ""])
def test_a_name_that_no_job_can_carry_is_refused(name):
    """With the name; and nothing is kept of it."""
    with pytest.raises(UserError, match=f"{name!r} cannot be the name of a fact"):
        tell(**{name: 1.0})
    assert told() == {}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "much", None, [1.0]])
def test_only_finite_numbers_are_facts(value):
    """What could not be learned from is the task's fault."""
    with pytest.raises(UserError, match=r"the fact 'echo_km2' is .*, which is no finite number"):
        tell(echo_km2=value)


def test_there_are_eight_at_most():
    """One of them may be told again."""
    tell(**{f"fact{n}": n for n in range(8)})
    tell(fact0=9)
    with pytest.raises(UserError, match="8 facts, and 'more' is one more"):
        tell(more=1)
