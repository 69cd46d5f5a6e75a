"""Times on the command line: with a unit, or refused in plain words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from dynamo.cli.options import kept, moment_of
from dynamo.cli.watch import command as watch
from dynamo.errors import UserError

NOW = datetime(2026, 11, 22, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["10 min", "600 s", "2026-11-22T10:50Z", "2026-11-22 11:50+01:00", "2026-11-22T10:50"]
)
def test_since_is_a_span_or_a_moment(text):
    """What has no offset is UTC."""
    assert moment_of(text, NOW) == datetime(2026, 11, 22, 10, 50, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("30", "--since: 30 has no unit; write '30 min' or '30 s'"),
        ("1 fortnight", "known are ms, s, min, h, d; or a time like 2026-11-22T10:50Z"),
        ("2026-11-22", "is a day without a time; write 2026-11-22T00:00Z"),
        ("999999 d", "is before all times"),
        ("99999999999999 d", "99999999999999 d' is too large for a time"),
    ],
)
def test_what_is_neither_is_refused(text, said):
    """With what may be written."""
    with pytest.raises(UserError) as told:
        moment_of(text, NOW)
    assert said in str(told.value)


def test_what_is_kept_needs_a_unit():
    """Seven are no days: all would be lost."""
    assert (kept("7 d"), kept("0")) == (7 * 86400, 0)
    with pytest.raises(UserError, match="--keep: 7 has no unit; write '7 min' or '7 s'"):
        kept("7")


@pytest.mark.parametrize("text", ["0", "0 s"])
def test_a_watch_does_not_take_0_for_never(tmp_path, text):
    """`dynamo gc --keep 0` removes all; who wants to keep all says so."""
    runfile = tmp_path / "flow.yaml"
    runfile.write_text("workflow: a:b\n")
    with pytest.raises(UserError, match=f"{text} would remove all that is done; write 'never'"):
        watch.main([str(runfile), "--keep", text], standalone_mode=False)
