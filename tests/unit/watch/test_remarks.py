"""Remarks on the files that arrive."""

from __future__ import annotations

from dynamo.triggers.arrival import Arrival
from dynamo.triggers.untimed import Untimed
from dynamo.watch.counts import Counts
from dynamo.watch.remarks import QUIET, Remarks


def test_files_without_a_time_are_told_at_once_and_then_once_an_hour_with_a_count(caplog):
    """However many come; in an hour without any nothing is said."""
    remarks, untimed = Remarks(Counts(), "a.yaml: "), Untimed()
    for minute in range(200):
        if minute < 100:
            untimed.take([Arrival("frames", f"/in/{minute}.nc", 1, minute, None)])
        remarks.untimed(untimed, 60.0 * minute + 7)
    first, *others = (record.getMessage() for record in caplog.records)
    assert QUIET == 3600.0
    assert first == (
        "a.yaml: '0.nc' is in no window, as no time is found in its name; say with `time:` of the input 'frames' "
        "where it stands"
    )
    assert [said[said.index("'") : said.index(" is in")] for said in others] == ["'1.nc'", "'62.nc'"]
    assert [said.partition("where it stands ")[2] for said in others] == [
        "(and 60 more files like it)",
        "(and 37 more files like it)",
    ]


def test_folders_that_cannot_be_looked_into_are_a_trouble_until_all_can(caplog):
    """In the log where they are others, and where it is over; of very many some are named."""
    counts = Counts()
    remarks = Remarks(counts, "a.yaml: ")
    for folders in ("", "", "x", "x", "xyzuv", ""):
        remarks.blind({f"/{name}": "Permission denied" for name in folders})
        assert ("folders" in counts.troubles) == bool(folders)
    first, second, third = (record.getMessage() for record in caplog.records)
    taken = "; files that come there are taken when it can be read again"
    assert first == f"a.yaml: cannot look into /x: Permission denied{taken}"
    assert second.endswith(f"cannot look into /z: Permission denied; and 2 more{taken}")
    assert third == "a.yaml: all folders can be looked into again"


def test_what_tasks_wrote_is_told_once_until_it_is_other(caplog):
    """A radar that is absent for an hour is a line of the log, not sixty; absent again after that, another."""
    caplog.set_level("INFO")
    remarks = Remarks(Counts(), "a.yaml: ")
    for run, lines in enumerate(
        [[], ["c: absent: x"], ["c: absent: x"], ["c: absent: x", "c: odd"], [], ["c: absent: x"]]
    ):
        remarks.wrote(f"flow-{run}", lines)
    assert [record.getMessage() for record in caplog.records] == [
        "a.yaml: flow-1: tasks wrote: c: absent: x",
        "a.yaml: flow-3: tasks wrote: c: absent: x; c: odd",
        "a.yaml: flow-5: tasks wrote: c: absent: x",
    ]
