"""What happens again and again stands once a minute in the log, with how often, and not all of it is remembered."""

from __future__ import annotations

import logging

from dynamo.fleet import seldom
from dynamo.fleet.seldom import Seldom


def test_what_is_told_each_time_in_other_words_is_forgotten(caplog):
    """The texts of errors may each hold an address or a time: the oldest go, the others are still told once."""
    told = Seldom(logging.getLogger("dynamo.fleet.test"))
    for n in range(3 * seldom._KINDS):
        told.warn(f"error {n}", 1000.0)
        told.warn("refused", 1000.0 + n / 100)
        told.warn(f"error {n}", 1000.0)
    assert len(told._told) <= seldom._KINDS
    assert len(told._since) <= seldom._KINDS
    assert [record.message for record in caplog.records].count("error 7") == 1
    told.warn("refused", 1090.0)
    assert caplog.records[-1].message.startswith("refused (and ")
