"""The map of a run: what is put on it, and that no text in it becomes anything else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from dynamo.alerts.alert import Alert
from dynamo.cli.map import command
from dynamo.errors import UserError
from dynamo.report import map_people
from dynamo.report.map import write_map
from dynamo.report.map_frames import _rings, find_frames, find_legend
from dynamo.report.outlines import outlines

MAPPED = """
import json
from pathlib import Path
from dynamo import Input, Output, task, workflow

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)

@task
def plot(frame: Input, image: Output, bounds: Output, polygons: Output, *, lead: int):
    time = f"2024-05-01T12:{lead:02d}:00Z"
    image.write_bytes(PIXEL)
    at = {"image": image.name, "bounds": [-98, 32, -96, 34], "valid_time": time, "lead_minutes": lead}
    bounds.write_text(json.dumps(at))
    ring = [[-97, 33], [-96.5, 33], [-96.5, 33.5], [-97, 33]]
    storm = {"type": "Feature", "properties": {"level": 35}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    polygons.write_text(json.dumps({"features": [storm], "valid_time": time, "lead_minutes": lead, "units": "dBZ"}))

@workflow
def mapped(frame: Input, leads: int = 3):
    for n in range(leads):
        plot(frame, lead=n, image=f"a{n}.png", bounds=f"a{n}.json", polygons=f"p{n}.geojson")
"""
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOSTILE = "</script><img src=x onerror=alert(1)><!--"


@pytest.fixture
def mapped(chains):
    """A run with three lead times."""
    with (chains.folder / "chains.py").open("a") as file:
        file.write(MAPPED)
    chains.run(chains.graph("mapped"), "run-1")
    return chains


def add(workspace, alert, made):
    row = (alert.id, alert.episode, alert.revision, alert.kind, alert.feed, alert.run, alert.subscriber)
    with sqlite3.connect(workspace.journal) as journal:
        journal.execute(
            "INSERT INTO alerts (id, episode, revision, kind, feed, run, subscriber, hazard, made, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, alert.hazard, made, json.dumps(alert.to_json())),
        )
    journal.close()


def alert(name="a1", run="run-1", **given):
    plain = {
        "id": name, "episode": "e" + name, "revision": 0, "kind": "new", "feed": "mapped", "run": run,
        "subscriber": HOSTILE, "lon": -96.9, "lat": 33.1, "hazard": "STORM", "level": 35.0, "units": "dBZ",
        "issued": NOON, "sent": NOON, "onset": NOON, "ends": NOON + timedelta(minutes=2), "inside": True,
        "distance_km": 0.0, "bearing_deg": 0.0, "within_km": 10.0, "expires": NOON + timedelta(minutes=30),
    }  # fmt: skip
    return Alert(**plain | given)


def shown(path):
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', path.read_text())
    return json.loads(data)


def test_each_lead_time_is_there_with_its_image_and_polygons(mapped, tmp_path):
    """In the order of time; nobody need have been alerted."""
    data = shown(write_map(mapped.workspace, "run-1", tmp_path / "map.html"))
    assert [frame["lead"] for frame in data["frames"]] == [0, 1, 2]
    assert {tuple(frame["bounds"]) for frame in data["frames"]} == {(-98, 32, -96, 34)}
    assert all(frame["image"].startswith("data:image/png;base64,") for frame in data["frames"])
    assert data["frames"][0]["bands"] == [
        {"level": 35, "rings": [[-970000, 330000, 5000, 0, 0, 5000, -5000, -5000]]}
    ]
    assert data["units"] == "dBZ"
    assert data["alerts"] == data["people"] == []


def test_the_legend_is_that_of_the_image(tmp_path):
    """A run with several images has one for each, named as it."""
    (tmp_path / "image").write_bytes(b"an image")
    said = {
        "image": "mesh.png",
        "bounds": [-98, 32, -96, 34],
        "valid_time": "2024-05-01T12:00:00Z",
        "lead_minutes": 0,
    }
    (tmp_path / "json").write_text(json.dumps(said))
    names = {"mesh.png": "image", "mesh.json": "json"}
    made = {name: (str(tmp_path / file), 99) for name, file in names.items()}
    frames = find_frames(made)
    assert find_legend(made, frames) == ""
    for name in ("legend_mesh.png", "legend_shi.png", "legend.png"):
        (tmp_path / name).write_text(name)
        made[name] = (str(tmp_path / name), 9)
        expected = "legend.png" if name == "legend.png" else "legend_mesh.png"
        assert base64.b64decode(find_legend(made, frames).split(",")[1]).decode() == expected


@pytest.mark.parametrize(("units", "named"), [("1", True), ("mm", False)])
def test_levels_of_hail_have_names_where_they_have_no_unit(chains, tmp_path, units, named):
    """They are classes then; sizes keep their unit."""
    with (chains.folder / "chains.py").open("a") as file:
        file.write(MAPPED.replace('"units": "dBZ"', f'"units": "{units}", "hazard": "HAIL"'))
    chains.run(chains.graph("mapped"), "run-1")
    data = shown(write_map(chains.workspace, "run-1", tmp_path / "map.html"))
    assert ([4.5, "large hail"] in data["classes"]) == named


def test_a_browser_may_run_our_scripts_and_fetch_nothing(mapped, tmp_path):
    """The policy holds their digests; hostile names end no script and start no tag."""
    add(mapped.workspace, alert(), NOON.timestamp())
    page = write_map(mapped.workspace, "run-1", tmp_path / "map.html")
    text = page.read_text()
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)[0]
    assert len(scripts) == 2
    for script in scripts:
        assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "<img src=x" not in text
    assert shown(page)["alerts"][0]["subscriber"] == HOSTILE


def test_alerts_are_those_of_the_run_and_of_episodes_that_were_open(mapped, tmp_path):
    """Not of closed or expired ones, of other feeds, or of what came later."""
    journal = mapped.workspace.journal
    ended = sqlite3.connect(journal)
    (when,) = ended.execute("SELECT ended FROM runs").fetchone()
    ended.close()
    before = NOON - timedelta(minutes=6)
    for made, one in (
        (when, alert("own")),
        (when - 60, alert("open", "run-0", issued=before)),
        (when - 60, alert("over", "run-0", issued=before, kind="cancelled")),
        (when - 60, alert("old", "run-0", issued=before, expires=NOON)),
        (when - 60, alert("other", "run-0", issued=before, feed="hail")),
        (when + 60, alert("later", "run-2")),
        (when - 60, alert("long-0", "run-0", episode="long", issued=before)),
        (when, alert("long-1", "run-1", episode="long", revision=1, kind="updated")),
    ):
        add(mapped.workspace, one, made)
    data = shown(write_map(mapped.workspace, "run-1", tmp_path / "map.html"))
    assert {a["id"] for a in data["alerts"]} == {"own", "open", "long-0", "long-1"}


def test_an_episode_that_is_over_for_one_channel_holds_for_another(mapped, tmp_path):
    """Where rules were edited in mid-storm, each channel has its branch of it."""
    before = {"run": "run-0", "episode": "one", "issued": NOON - timedelta(minutes=6)}
    for one in (
        alert("one-0", **before),
        alert("other-1", revision=1, kind="updated", **before),
        alert("one-1", revision=1, kind="updated", **before),
        alert("one-2", revision=2, kind="cancelled", **before),
    ):
        add(mapped.workspace, one, NOON.timestamp())
    data = shown(write_map(mapped.workspace, "run-1", tmp_path / "map.html"))
    assert {a["id"] for a in data["alerts"]} == {"one-0", "other-1", "one-1", "one-2"}


def test_a_run_without_anything_for_a_map_is_told_so(chains, tmp_path):
    """With what was expected."""
    chains.run(chains.graph("steps"), "run-1")
    with pytest.raises(UserError, match="nothing to show on a map"):
        write_map(chains.workspace, "run-1", tmp_path / "map.html")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "expected a GeoJSON FeatureCollection"),
        (
            '{"type": "FeatureCollection", "features": [{"type": "Feature", "id": "a", "geometry": null}]}',
            "feature 1: 'a': it is no Point",
        ),
    ],
)
def test_bad_subscribers_are_told_with_their_place(mapped, tmp_path, text, message):
    """The file, and which feature of it."""
    (tmp_path / "people.geojson").write_text(text)
    with pytest.raises(UserError, match=message):
        write_map(mapped.workspace, "run-1", tmp_path / "map.html", subscribers=tmp_path / "people.geojson")


POINT = {"type": "Feature", "id": "school", "geometry": {"type": "Point", "coordinates": [-97, 33]}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.csv", "id,lon,lat,channel\nschool,-97,33,\nschool,-97,33,pager\nfar,5,52,\n"),
        ("p.geojson", json.dumps({"type": "FeatureCollection", "features": [POINT]})),
    ],
)
def test_subscribers_are_shown_as_a_run_file_has_them(mapped, tmp_path, name, text):
    """GeoJSON or CSV, whatever they ask for; not those who are far from all that is shown."""
    (tmp_path / name).write_text(text)
    data = shown(write_map(mapped.workspace, "run-1", tmp_path / "map.html", subscribers=tmp_path / name))
    assert data["people"] == [{"id": "school", "lon": -97, "lat": 33}]
    assert data["more"] == 0


def test_the_subscribers_of_the_run_file_are_shown_by_default(mapped, tmp_path, caplog):
    """Where it has some; a wrong row of them, or the loss of the file, is no reason to have no map."""
    file = tmp_path / "watched.yaml"
    file.write_text("workflow: ./chains.py:mapped\nalerts: {subscribers: people.csv}\n")
    (tmp_path / "people.csv").write_text("id,lon,lat\nschool,-97,33\nswapped,33,-97\n")
    mapped.run(mapped.graph("mapped"), "run-2", runfile=str(file))
    data = shown(write_map(mapped.workspace, "run-2", tmp_path / "map.html"))
    assert [one["id"] for one in data["people"]] == ["school"]
    (tmp_path / "people.csv").unlink()
    assert shown(write_map(mapped.workspace, "run-2", tmp_path / "map.html"))["people"] == []
    assert "subscribers are not shown" in caplog.text
    file.unlink()
    assert shown(write_map(mapped.workspace, "run-2", tmp_path / "map.html"))["people"] == []


def test_of_very_many_subscribers_some_are_shown(mapped, tmp_path, monkeypatch):
    """Evenly out of all, and how many are not is told."""
    monkeypatch.setattr(map_people, "MOST", 4)
    (tmp_path / "p.csv").write_text("id,lon,lat\n" + "".join(f"s{n},-97,33\n" for n in range(10)))
    data = shown(write_map(mapped.workspace, "run-1", tmp_path / "map.html", subscribers=tmp_path / "p.csv"))
    assert [one["id"] for one in data["people"]] == ["s0", "s3", "s6", "s9"]
    assert data["more"] == 6


def test_borders_near_the_window_only():
    """Counties and states around Dallas, no Europe; the Dutch coast elsewhere; nothing in an empty sea."""
    dallas = outlines((-98, 32, -96, 34))
    assert dallas["county"]
    assert not [p for lines in dallas.values() for line in lines for p in line if p[1] > -60]
    assert outlines((4, 51, 6, 53))["country"]
    assert not any(outlines((-140, -50, -139, -49)).values())


def test_positions_that_become_one_are_told_once():
    """Steps from point to point, in ten-thousandths of a degree; the first is the place itself."""
    ring = [[1, 2], [1.00001, 2.00001], [1.5, 2], [1, 2]]
    assert list(_rings({"type": "MultiPolygon", "coordinates": [[ring]]})) == [
        [10000, 20000, 5000, 0, -5000, 0]
    ]


def test_the_verb_writes_into_the_folder_of_the_run(mapped):
    """And prints where."""
    root = mapped.workspace.journal.parent
    said = CliRunner().invoke(command, ["--workspace", str(root)], catch_exceptions=False)
    assert said.output.strip() == str(mapped.workspace.runs / "run-1" / "map.html")
    assert (mapped.workspace.runs / "run-1" / "map.html").is_file()
