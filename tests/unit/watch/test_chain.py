"""What is wrong with what a run file waits for: told at its place, by `dynamo check` and before a watch begins."""

from __future__ import annotations

import json

import pytest

from dynamo.cli import main
from dynamo.errors import RunFileError
from dynamo.journal import Journal, Workspace
from dynamo.runfile.draft import read
from dynamo.runfile.json_schema import schema
from dynamo.watch.chain import find_condition
from dynamo.watch.feed import read_feed

FLOW = """
from collections.abc import Sequence
from dynamo import Input, Output, task, workflow

@task
def draw(frame: Input, out: Output):
    pass

@workflow
def flow(frame: Input, levels: Sequence[float] = (35, 45, 55)):
    draw(frame, out='polygons_00.geojson')
"""
OTHER = "workflow: ./flow.py:flow\ninputs: {frame: 'in/*.txt'}\n"
TEXT = (
    OTHER
    + """\
trigger:
  when:
    run: nowcast.yaml
    product: "polygons_*.geojson"
    level: ">= 45"
    area: 10 km2
    within: 60 km
    of: [[-96.84, 32.98]]
"""
)
#: The line of each key in it.
LINE = {name: n for n, name in enumerate(["run", "product", "level", "area", "within", "of"], start=5)}


@pytest.fixture
def folder(tmp_path):
    """Two run files; a frame is there."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a_20170329_073000.txt").touch()
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "nowcast.yaml").write_text(OTHER)
    (tmp_path / "hail.yaml").write_text(TEXT)
    return tmp_path


def checked(folder, capsys, text=TEXT):
    """Check a run file of this text."""
    (folder / "hail.yaml").write_text(text)
    with pytest.raises(SystemExit) as ended:
        main(["check", str(folder / "hail.yaml")])
    out = capsys.readouterr()
    return ended.value.code, out.out + out.err


def test_what_is_waited_for_is_said_in_words(folder, capsys):
    """Asleep, or with a price; the hold is half an hour."""
    code, said = checked(folder, capsys)
    assert code == 0, said
    assert (
        "while there is 45 over 10 km2 within 60 km in nowcast.yaml, and 30 min 0 s after; asleep else"
        in said
    )
    code, said = checked(folder, capsys, TEXT + "    priority: 5\n    hold: 1 h\n")
    assert "with priority 5 while there is 45 over 10 km2" in said
    assert "1 h 0 min after" in said


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("run", "nowcats.yaml", "run: no run file 'nowcats.yaml'"),
        ("run", "hail.yaml", "run: waits for itself: for hail.yaml, which waits for hail.yaml"),
        ("run", "''", "run: is empty"),
        ("level", "'< 45'", "level: '< 45' is no lowest level like '>= 45' or '>= 45 dBZ'"),
        ("level", "60", "level: no polygon of nowcast.yaml reaches 60: its `levels` are 35, 45, 55"),
        ("area", "10", "area: 10 has no unit; write '10 km2'"),
        ("area", "10 km", "area: '10 km' has an unknown unit 'km'"),
        ("area", "0 km2", "area: '0 km2' is no area at all"),
        ("within", "60 kg", "within: '60 kg' is no distance like '10 km' or '6 mi'"),
        ("within", "20000 km", "of: 20000 km around -96.84, 32.98 reach a pole"),
        ("of", "[[-96.84]]", "expected longitude and latitude in degrees like [-96.84, 32.98]"),
        ("of", "[[32.98, -96.84]]", "expected longitude and latitude in degrees like [-96.84, 32.98]"),
        ("of", "places.geojson", "the file cannot be read"),
    ],
)
def test_what_is_wrong_is_told_at_its_key(folder, capsys, key, value, said):
    """With the file, line and column of the value; and a watch does not begin with it."""
    old = next(line for line in TEXT.splitlines() if line.startswith(f"    {key}: "))
    text = TEXT.replace(old, f"    {key}: {value}")
    code, told = checked(folder, capsys, text)
    assert code == 2
    assert said in told
    line = LINE["of"] if "reach a pole" in said else LINE[key]
    assert f"hail.yaml:{line}:" in told
    if (
        key != "level" or value != "60"
    ):  # that needs the other's workflow, which is loaded as the watch begins
        with pytest.raises(RunFileError):
            read_feed(folder / "hail.yaml")


def test_run_files_that_wait_for_each_other_are_told(folder, capsys):
    """Over several, with the way."""
    for name, other in (("nowcast.yaml", "third.yaml"), ("third.yaml", "hail.yaml")):
        (folder / name).write_text(TEXT.replace("nowcast.yaml", other))
    code, said = checked(folder, capsys)
    assert code == 2
    way = "for nowcast.yaml, which waits for third.yaml, which waits for hail.yaml"
    assert f"hail.yaml:5:10: run: waits for itself: {way}" in said


def test_the_other_must_be_right_and_share_the_workspace(folder, capsys):
    """What it tells goes by the journal."""
    (folder / "nowcast.yaml").write_text(OTHER + "workspace: elsewhere\n")
    code, said = checked(folder, capsys)
    assert code == 2
    assert "give them the same `workspace:`" in said
    (folder / "nowcast.yaml").write_text("workflow: 5\n")
    code, said = checked(folder, capsys)
    assert code == 2
    assert "run: nowcast.yaml is faulty itself; see `dynamo check nowcast.yaml`" in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("    hold: 30\n", "hold: 30 has no unit; write '30 min' or '30 s'"),
        ("    hold: 13 h\n", "hold: more than 12 h 0 min"),
        ("    priority: high\n", "priority: expected a whole number"),
        ("    price: 10\n", "unknown key 'price'"),
        ("engine: htcondor\n", "`dynamo watch` runs tasks on this machine"),
    ],
)
def test_other_faults_are_told(folder, capsys, more, said):
    """Each in words."""
    code, told = checked(folder, capsys, TEXT + more)
    assert code == 2
    assert said in told


def test_places_and_nearness_come_together(folder, capsys):
    """Neither says anything alone; without both it is anywhere."""
    within, of = TEXT.splitlines(keepends=True)[-2:]
    for left, other in ((within, "of"), (of, "within")):
        code, said = checked(folder, capsys, TEXT.replace(left, ""))
        assert code == 2
        assert f"{other}: says nothing without" in said
    code, said = checked(folder, capsys, TEXT.replace(within, "").replace(of, ""))
    assert code == 0
    assert "while there is 45 over 10 km2 in nowcast.yaml" in said


def test_a_level_between_those_of_the_polygons_is_noted(folder, capsys):
    """The next one above counts."""
    code, said = checked(folder, capsys, TEXT.replace(">= 45", ">= 40"))
    assert code == 0
    assert "hail.yaml:7:12: level: nowcast.yaml has polygons of 35, 45, 55; those of 45 count" in said


def test_a_product_that_the_other_does_not_make_is_noted(folder, capsys):
    """Before it ever ran; where it has no files yet, nobody knows."""
    misspelt = TEXT.replace("polygons_*", "polygon_*")
    said = checked(folder, capsys, misspelt)[1]
    note = "hail.yaml:6:14: product: with the files that are there nowcast.yaml makes nothing like "
    assert f"{note}'polygon_*.geojson', but polygons_00.geojson" in said
    assert "makes nothing like" not in checked(folder, capsys)[1]
    (folder / "nowcast.yaml").write_text(OTHER.replace("in/", "none/"))
    assert "makes nothing like" not in checked(folder, capsys, misspelt)[1]


def test_places_may_be_points_of_a_file(folder):
    """One or several of a feature; all else is told with its place."""
    points = [
        {"type": "Point", "coordinates": [1, 2, 300]},
        {"type": "MultiPoint", "coordinates": [[3, 4], [5, 6]]},
    ]
    features = [{"type": "Feature", "properties": {}, "geometry": one} for one in points]
    path = folder / "places.geojson"
    text = TEXT.replace("[[-96.84, 32.98]]", "places.geojson")
    (folder / "hail.yaml").write_text(text)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    assert read_feed(folder / "hail.yaml").when.places == ((1, 2), (3, 4), (5, 6))
    for geometry in ({"type": "Polygon"}, {"type": "Point", "coordinates": ["a", 2]}, None):
        features[0]["geometry"] = geometry
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        with pytest.raises(RunFileError, match=r"places\.geojson: feature 1: its "):
            read_feed(folder / "hail.yaml")


def test_the_other_is_known_as_its_own_watch_calls_it(folder):
    """From the folder of the workspace, wherever the run files lie."""
    (folder / "etc").mkdir()
    (folder / "etc" / "hail.yaml").write_text(
        TEXT.replace("nowcast.yaml", "../nowcast.yaml").replace("./flow", "../flow")
        + "workspace: ../.dynamo\n"
    )
    found = find_condition(read(folder / "etc" / "hail.yaml"))
    assert found.feed == read_feed(folder / "nowcast.yaml").name == "nowcast.yaml"
    assert found.digest == read_feed(folder / "hail.yaml").when.digest


def test_a_run_file_that_is_well_known_to_the_schema(folder):
    """Editors complete its keys."""
    form = schema()["$defs"]["WhenRule"]
    assert set(form["properties"]) == {*LINE, "hold", "priority"}
    assert form["required"] == ["run", "product", "level", "area"]


def test_the_clock_of_one_that_waits_is_no_promise(folder, tmp_path):
    """A fleet is not to expect it at each tick."""
    from dynamo.planning.select import Selection
    from dynamo.runfile.preparation import prepare
    from dynamo.runfile.settings import settings

    (folder / "hail.yaml").write_text(TEXT.replace("trigger:\n", "trigger:\n  every: 1 min\n"))
    assert "clock" not in settings(prepare(folder / "hail.yaml"), "out", Selection())
    (folder / "nowcast.yaml").write_text(OTHER + "trigger: {every: 1 min}\n")
    assert settings(prepare(folder / "nowcast.yaml"), "out", Selection())["clock"] == "every 60 s"


def test_what_cannot_be_known_is_no_fault(folder, capsys):
    """A workflow of the other that cannot be loaded is its own fault; a journal without runs says nothing."""
    (folder / "nowcast.yaml").write_text(OTHER.replace("./flow.py", "./gone.py"))
    Journal(Workspace.open(folder / ".dynamo").journal).close()
    code, said = checked(folder, capsys)
    assert code == 0, said
