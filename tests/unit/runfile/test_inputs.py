"""Which files a rule means, in which order, and what is said where there are none."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.runfile.inputs import NotFoundError, find
from dynamo.runfile.model import read_run_file

NOW = datetime(2017, 3, 29, 8, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    """Ten minutes of two radars, and what must never be taken for a frame."""
    for minute in range(10):
        (tmp_path / f"b-20170329-07{30 + minute}40.nc").touch()
        (tmp_path / f"a-20170329-07{30 + minute}10.nc").touch()
    for name in (".a-20170329-073000.nc", "a-20170329-074500.nc.part", "c-20170329-074600.tmp"):
        (tmp_path / name).touch()
    (tmp_path / "d-20170329-074700.nc").mkdir()
    return tmp_path


def rule_of(rule):
    run, wrong = read_run_file({"workflow": "a:b", "inputs": {"x": rule}})
    assert not wrong
    return run.inputs["x"]


def found_by(folder, **rule):
    return [f.path.name for f in find(rule_of(rule), folder, NOW)]


def test_files_come_in_the_order_of_their_times(folder):
    """Radars are interleaved by time, whatever their names; partial, hidden files and folders stay out."""
    names = found_by(folder, files="*")
    assert len(names) == 20
    assert names[:3] == ["a-20170329-073010.nc", "b-20170329-073040.nc", "a-20170329-073110.nc"]


@pytest.mark.parametrize(
    ("rule", "count", "first", "last"),
    [
        ({"last": 3}, 3, "b-20170329-073840.nc", "b-20170329-073940.nc"),
        ({"last": 99}, 20, "a-20170329-073010.nc", "b-20170329-073940.nc"),
        ({"within": "1000000 d"}, 20, "a-20170329-073010.nc", "b-20170329-073940.nc"),
        ({"within": "1000000000000000000 s"}, 20, "a-20170329-073010.nc", "b-20170329-073940.nc"),
        ({"within": "1 min"}, 3, "b-20170329-073840.nc", "b-20170329-073940.nc"),
        ({"from": "2017-03-29T07:38:10Z"}, 4, "a-20170329-073810.nc", "b-20170329-073940.nc"),
        ({"to": "2017-03-29T07:30:40Z"}, 2, "a-20170329-073010.nc", "b-20170329-073040.nc"),
        ({"to": "2017-03-29T07:35Z", "last": 1}, 1, "b-20170329-073440.nc", "b-20170329-073440.nc"),
        ({"to": "2017-03-29T07:35Z", "within": "60 s"}, 3, "b-20170329-073340.nc", "b-20170329-073440.nc"),
    ],
)
def test_rules_of_time_keep_what_they_say(folder, rule, count, first, last):
    """Bounds are inclusive; `within` counts from the newest in the window; `last` comes last."""
    names = found_by(folder, files="*.nc", **rule)
    assert (len(names), names[0], names[-1]) == (count, first, last)


def test_a_pattern_of_the_time_replaces_the_common_stamps(tmp_path):
    """Names that only the user can read are sorted by the user's pattern."""
    for name in ("x_05-29032017.nc", "x_04-30032017.nc"):
        (tmp_path / name).touch()
    names = found_by(tmp_path, files="*", time="_%H-%d%m%Y", to="2017-04-01T00:00Z")
    assert names == ["x_05-29032017.nc", "x_04-30032017.nc"]


def test_names_without_a_time_keep_the_order_written(tmp_path):
    """Patterns in their order, matches of one glob by name, each file once."""
    for name in ("b1.nc", "a1.nc", "a2.nc", "z.nc"):
        (tmp_path / name).touch()
    assert found_by(tmp_path, files=["z.nc", "a*.nc", "*.nc"]) == ["z.nc", "a1.nc", "a2.nc", "b1.nc"]
    assert found_by(tmp_path, files="*.nc", last=1) == ["z.nc"]


def test_the_same_file_under_two_names_comes_once(folder):
    """However its path is written."""
    names = found_by(folder, files=["a-20170329-073010.nc", f"{folder}/./a-20170329-073010.nc", "a-*10.nc"])
    assert len(names) == 10


def test_a_name_that_is_a_glob_is_taken_as_it_stands(tmp_path):
    """A file called ``a[1].nc`` can be named, also in a folder called ``[x]``."""
    (tmp_path / "[x]").mkdir()
    (tmp_path / "[x]" / "a[1].nc").touch()
    assert found_by(tmp_path / "[x]", files="a[1].nc") == ["a[1].nc"]
    assert found_by(tmp_path / "[x]", files="*.nc") == ["a[1].nc"]


def test_two_stars_reach_into_folders(tmp_path):
    """At any depth."""
    (tmp_path / "2017" / "03").mkdir(parents=True)
    (tmp_path / "2017" / "03" / "a.nc").touch()
    assert found_by(tmp_path, files="**/*.nc") == ["a.nc"]


def test_a_link_keeps_its_name(tmp_path):
    """The name that the user sees says the time, not the name of what is linked to."""
    (tmp_path / "raw").touch()
    (tmp_path / "a_20170329-0730.nc").symlink_to("raw")
    (found,) = find(rule_of({"files": "a_*"}), tmp_path, NOW)
    assert found.path == tmp_path.resolve() / "a_20170329-0730.nc"
    assert found.time == datetime(2017, 3, 29, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"files": "*.grib2"}, ["no file matches '*.grib2'", "in {folder}", "there: a-20170329-073010.nc", "19 more"]),
        ({"files": "a-20170329-073011.nc"}, ["no file 'a-20170329-073011.nc'", "did you mean 'a-20170329-07"]),
        ({"files": "incoming/*.nc"}, ["there is no folder {folder}/incoming"]),
        ({"files": "d-20170329-074700.nc"}, ["is a folder, not a file", "d-20170329-074700.nc/*"]),
        ({"files": "d-20170329-074700.nc/*"}, ["which is empty"]),
        ({"files": "~nobody-of-this-name/*.nc"}, ["there is no folder"]),
        ({"files": "x" * 300}, ["no file"]),
        ({"files": "a\0b"}, ["no file"]),
        ({"files": "*.nc", "from": "2018-01-01T00:00Z"}, ["none of 20 files", "2017-03-29 07:30:10", "07:39:40"]),
        ({"files": "*.nc", "time": "x%Y%m%d"}, ["the name", "has no time as 'x%Y%m%d' describes it"]),
    ],
)  # fmt: skip
def test_finding_nothing_says_what_was_sought_and_what_is_there(folder, rule, words):
    """The folder looked in, the nearest name, the first names there."""
    with pytest.raises(NotFoundError) as caught:
        found_by(folder, **rule)
    for word in words:
        assert word.format(folder=folder) in str(caught.value)


@pytest.mark.parametrize(
    "rule", [{"last": 1}, {"from": "2017-01-01T00:00Z"}, {"within": "60 s"}, {"to": "2018-01-01T00:00Z"}]
)
def test_a_name_without_a_time_is_named_where_a_rule_needs_one(folder, rule):
    """One frame that cannot be placed in time is an error, not a frame left out."""
    (folder / "mask.nc").touch()
    with pytest.raises(NotFoundError, match=r"'mask\.nc' has no time, which '(last|from|within|to)' goes by"):
        found_by(folder, files="*.nc", **rule)


def test_a_frame_from_the_future_is_an_error(tmp_path):
    """More than ten minutes ahead of the clock, unless the run file says up to when."""
    for name in ("a_20170329-0800.nc", "a_20170329-0811.nc"):
        (tmp_path / name).touch()
    with pytest.raises(NotFoundError, match=r"'a_20170329-0811\.nc' is from the future"):
        found_by(tmp_path, files="*", last=2)
    assert found_by(tmp_path, files="*", to="2017-03-29T08:00Z") == ["a_20170329-0800.nc"]
    found = find(rule_of({"files": "*"}), tmp_path, NOW + timedelta(minutes=1))
    assert len(found) == 2


@settings(deadline=None)
@given(
    minutes=st.lists(st.integers(0, 59), min_size=1, max_size=12, unique=True),
    last=st.integers(1, 15),
    within=st.integers(0, 3600),
)
def test_what_is_kept_is_the_newest_part(tmp_path_factory, minutes, last, within):
    """Whatever the rules, the newest file is kept, in order, none older than `within`, at most `last`."""
    folder = tmp_path_factory.mktemp("frames")
    for minute in minutes:
        (folder / f"a_20170329-06{minute:02d}.nc").touch()
    kept = find(rule_of({"files": "*.nc", "last": last, "within": f"{within} s"}), folder, NOW)
    times = [f.time.minute for f in kept]
    assert times == sorted(m for m in minutes if (max(minutes) - m) * 60 <= within)[-last:]
