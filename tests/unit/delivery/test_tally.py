"""Deliveries counted by state, for the metrics of one feed."""

from __future__ import annotations

from itertools import product

from dynamo.delivery.tally import tally
from dynamo.journal.database import Database

STATES = ("waiting", "sent", "dead", "dropped")


def test_only_channels_of_the_scope_are_counted(tmp_path):
    """Names that only look alike are others'; nothing is left out where there is none."""
    database = Database(tmp_path / "journal.db", ())
    database.execute("PRAGMA foreign_keys = OFF")
    channels = ("a.yaml/x", "a.yaml/", "a.yaml/\U0001f327", "a.yaml", "a.yaml0", "b.yaml/x")
    with database.change():
        for number, (channel, state) in enumerate(product(channels, STATES)):
            for again in range(2 if state == "sent" else 1):
                database.execute(
                    "INSERT INTO deliveries (id, alert, episode, channel, state, due, expires)"
                    " VALUES (?, 'a', 'e', ?, ?, 0, 0)",
                    (f"{number}-{again}", channel, state),
                )
    database.close()
    assert tally(tmp_path / "journal.db", "a.yaml/") == {"waiting": 3, "sent": 6, "dead": 3, "dropped": 3}
    assert tally(tmp_path / "journal.db", "c.yaml/") == dict.fromkeys(STATES, 0)
    assert sum(tally(tmp_path / "journal.db").values()) == 5 * len(channels)
