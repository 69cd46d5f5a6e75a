"""`dynamo check` of a run file that is to be watched: all that a watch would trip over, before it does."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from types import SimpleNamespace

import pytest

from dynamo.alerts.store import AlertStore
from dynamo.cli import main
from dynamo.errors import UserError
from dynamo.journal import Workspace
from dynamo.watch.equipment import equip
from dynamo.watch.feed import read_feed
from dynamo.watch.watch import Watch

CHAIN = '''\
from dynamo import Input, Output, task, workflow


@task
def draw(frame: Input, image: Output, polygons: Output) -> None:
    """Nothing."""


@workflow
def chain(frames: list[Input]) -> None:
    draw(frames[-1], "storm.png", "polygons_00.geojson")
'''
RUN = """\
workflow: ./chain.py:chain
inputs:
  frames: {files: "in/*.nc", last: 2}
trigger: {join: 30 s, needs: {frames: {files: 2}}}
alerts:
  subscribers: people.csv
  products: "polygons_*.geojson"
  rules: {hazard: STORM, level: 45, within: 10 km, to: [desk, drop]}
  webhooks:
    - {name: desk, url: "https://alerts.example.org/in", secret: env:DESK}
  folders: {name: drop, folder: out}
  programs: {name: siren, run: ["true"]}
  positions: {token: env:TOKEN}
"""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PEOPLE = "id,lon,lat,channel\nschool,-97.1,32.7,\nairport,-97.0,32.9,siren\n"


@pytest.fixture
def run_file(tmp_path, monkeypatch):
    """A run file that is right, with two frames."""
    monkeypatch.setenv("DESK", SECRET)
    monkeypatch.setenv("TOKEN", "hush")
    monkeypatch.setattr("socket.getaddrinfo", None)  # no name is looked up
    (tmp_path / "chain.py").write_text(CHAIN)
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "in").mkdir()
    for minute in (30, 31):
        (tmp_path / "in" / f"a-20170329-07{minute}40.nc").touch()
    path = tmp_path / "run.yaml"
    path.write_text(RUN)
    return path


def checked(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["check", *map(str, arguments)])
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


def edit(path, old, new):
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))


def test_what_is_right_is_told_in_a_word(run_file, capsys):
    """How many are told, by which channels; nothing is made, not even the workspace."""
    code, out, err = checked(capsys, run_file)
    assert (code, err) == (0, "")
    assert "alerts        2 subscribers, 3 channels: desk, drop, siren\n" in out
    assert "trigger       each new file of frames\n" in out
    assert "rule          STORM >= 45 within 10 km, at any lead time -> desk, drop\n" in out
    assert "note" not in out
    assert sorted(p.name for p in run_file.parent.iterdir() if p.name != "__pycache__") == [
        "chain.py", "in", "people.csv", "run.yaml",
    ]  # fmt: skip
    code, out, _ = checked(capsys, run_file, "--json")
    facts = json.loads(out)
    assert facts["alerts"] == {
        "subscribers": 2, "left_out": [], "channels": ["desk", "drop", "siren"],
        "rules": ["STORM >= 45 within 10 km, at any lead time -> desk, drop"],
    }  # fmt: skip
    assert facts["trigger"] == "each new file of frames"


@pytest.mark.parametrize("there", [True, False])
def test_rules_that_can_never_match_are_noted(run_file, capsys, caplog, there):
    """By what the workflow is given, also where no file is there yet; its parameters may mean something else."""
    edit(run_file, "inputs:", "params: {levels: [20, 35]}\ninputs:")
    edit(run_file, "within: 10 km, to", "within: 10 km, lead: 3 h, to")
    chain = run_file.parent / "chain.py"
    chain.write_text(
        CHAIN.replace("list[Input])", "list[Input], levels: list[float] = [60.0], horizon: int = 30)")
    )
    if not there:
        for file in (run_file.parent / "in").iterdir():
            file.unlink()
    code, out, _ = checked(capsys, run_file)
    assert code == 0
    assert f"{run_file}:9:33: level: no polygon reaches 45: `levels` of the workflow ends at 35\n" in out
    assert "lead: 180 min, but `horizon` of the workflow is 30 min\n" in out
    watch = Watch([read_feed(run_file)])
    watch._turns.runs.close()
    assert [said[:30] for said in caplog.messages if "level:" in said or "lead:" in said] == [
        "run.yaml: level: no polygon re", "run.yaml: lead: 180 min, but `",
    ]  # fmt: skip


def test_a_hazard_that_no_product_ever_spoke_of_is_noted(run_file, capsys):
    """Once something was judged; with the right spelling, for case counts."""
    edit(run_file, "hazard: STORM", "hazard: Storm")
    assert "note" not in checked(capsys, run_file)[1]
    workspace = Workspace.open(run_file.parent / ".dynamo")
    AlertStore(workspace.journal).close()
    with contextlib.closing(sqlite3.connect(workspace.journal)) as db, db:
        db.execute(
            "INSERT INTO cycles (run, hazard, feed, issued, judged, outcome, known)"
            " VALUES ('r', 'STORM', 'run.yaml', 0, 0, 'judged', 1)"
        )
    out = checked(capsys, run_file)[1]
    assert "hazard: no product ever spoke of 'Storm' (did you mean 'STORM'?)\n" in out


def test_products_that_are_not_called_as_geojson_are_noted(run_file, capsys):
    """They may be it all the same."""
    edit(run_file, '"polygons_*.geojson"', '"*"')
    code, out, _ = checked(capsys, run_file)
    assert code == 0
    assert "7:13: products: '*' takes 1 product like 'storm.png'; are they GeoJSON?" in out


FAULTS = [
    ("{files: 2}}}", "{files: 3}}}", "4:47: files: 3 are never there: `last: 2` of the input"),
    (
        "{files: 2}}}",
        "{files: 2, sources: 3, quorum: 2}}}",
        "4:59: sources: 3 of them cannot be told apart, so 2 are never there; say with `source:`",
    ),
    (
        "  positions",
        "  mails: {name: m, host: h, from: a@b.org, to: [c@d.org], user: u}\n  positions",
        "13:65: who signs in needs a password",
    ),
    (
        "  positions",
        "  mails: {name: m, host: h, from: a@b.org, to: [c@d.org], password: env:DESK}\n  positions",
        "13:69: nobody signs in with it",
    ),
    (
        "needs: {frames",
        "needs: {frame",
        "4:31: trigger needs 'frame', which is no watched input (did you mean",
    ),
    ("join: 30 s", "every: 1 h, zone: Europe/Berlin", "4:29: 'zone' is for 'cron'"),
    ("in/*.nc", "im/*.nc", "there is no folder"),
    ("subscribers: people.csv", "subscribers: peple.csv", "6:16: subscribers: no file 'peple.csv'"),
    ("subscribers: people.csv", "subscribers: peple.csv", "(did you mean 'people.csv'?)"),
    (
        "polygons_*",
        "polygon_*",
        "7:13: products: no output of the workflow has a name like 'polygon_*.geojson'",
    ),
    ("to: [desk, drop]", "to: [desk, drp]", "8:63: to: there is no channel 'drp' (did you mean 'drop'?)"),
    ("env:DESK", "env:DSK", "10:66: webhook 'desk': env:DSK: the environment variable DSK is not set"),
    ("env:DESK", "file:none", "10:66: webhook 'desk': file:none: the secret in"),
    (
        "https://alerts.example.org/in",
        "ftp://a.example.org/",
        "10:25: url: 'ftp://a.example.org/' is no address",
    ),
    (
        "https://alerts.example.org/in",
        "http://127.0.0.1:8080/",
        "10:25: channel 'desk': its URL names the loopback",
    ),
    ("secret: env:DESK}", "secret: env:DESK, ca: none.pem}", "10:80: webhook 'desk': the certificates in"),
    ("folder: out", "folder: run.yaml/out", "11:33: folder 'drop': cannot write to"),
    ('run: ["true"]', 'run: ["tru"]', "12:32: program 'siren': there is no 'tru' on the PATH"),
    ('run: ["true"]', 'run: ["./chain"]', "(did you mean 'chain.py'?)"),
    ('run: ["true"]', 'run: ["./chain.py"]', "chain.py cannot be executed; is it marked so"),
    (
        'run: ["true"]',
        "run: [chain.py]",
        "there is no 'chain.py' on the PATH; for the one beside the run file write './chain.py'",
    ),
    ('run: ["true"]', "run: [./in]", "in is a folder; expected a program"),
    ("env:TOKEN", "env:TOKN", "13:22: positions: env:TOKN: the environment variable TOKN is not set"),
    ("workflow:", "workspace: chain.py\nworkflow:", "1:12: workspace: cannot write to"),
    ("workflow:", "products: chain.py/x\nworkflow:", "1:11: products: cannot write to"),
    ("workflow:", "products: chain.py\nworkflow:", "1:11: products: cannot write to"),
    ("workflow:", "products: 'chain.py/{time}'\nworkflow:", "1:11: products: cannot write to"),
    ("workflow:", "products: 'chain.py/a-{time}/b'\nworkflow:", "1:11: products: cannot write to"),
]


@pytest.mark.parametrize(("old", "new", "said"), FAULTS)
def test_each_fault_is_told_at_its_place(run_file, capsys, old, new, said):
    """With the nearest name, and no secret."""
    edit(run_file, old, new)
    code, out, err = checked(capsys, run_file)
    assert (code, out) == (2, "")
    assert said in err
    assert SECRET not in err
    assert "hush" not in err


def test_a_program_beside_the_run_file_is_named_with_its_folder(run_file, capsys, monkeypatch):
    """Where one stands does not matter: a bare name is sought on the PATH, executable or not."""
    monkeypatch.chdir(run_file.parent)
    edit(run_file, '["true"]', "[siren.sh]")
    siren = run_file.parent / "siren.sh"
    siren.write_text("#!/bin/sh\n")
    for mode in (0o755, 0o644):
        siren.chmod(mode)
        code, _, err = checked(capsys, run_file.name)
        assert (code, "write './siren.sh'" in err) == (2, True)
    edit(run_file, "[siren.sh]", "[./siren.sh]")
    assert "siren.sh cannot be executed; is it marked so" in checked(capsys, run_file.name)[2]
    siren.chmod(0o755)
    assert checked(capsys, run_file.name)[0] == 0


def test_all_faults_are_told_at_once(run_file, capsys):
    """Those of the run file and those of the rows of subscribers, each with file and line."""
    (run_file.parent / "people.csv").write_text(PEOPLE + "depot,-97,132,\nplant,-97,32,sirn\n,1,1,\n")
    edit(run_file, "env:DESK", "env:DSK")
    edit(run_file, "needs: {frames", "needs: {frame")
    edit(run_file, '["true"]', '["tru"]')
    code, _, err = checked(capsys, run_file)
    assert code == 2
    people = run_file.parent / "people.csv"
    assert err.startswith("error: 6 faults\n")
    for line in (
        f"{run_file}:4:31: trigger needs 'frame'",
        f"{run_file}:10:66: webhook 'desk': env:DSK",
        f"{run_file}:12:32: program 'siren'",
        f"{people}:4: 'depot': longitude -97, latitude 132 is out of range",
        f"{people}:5: 'plant': its channel 'sirn' is not known (did you mean 'siren'?)",
        f"{people}:6: it has no id",
    ):
        assert f"\n{line}" in err
    _, out, _ = checked(capsys, run_file, "--json")
    assert [(one["file"], one["line"]) for one in json.loads(out)["faults"]][-1] == (str(people), 6)


def test_rows_that_are_skipped_are_told_and_no_fault(run_file, capsys):
    """As `faults: skip` says."""
    (run_file.parent / "people.csv").write_text(PEOPLE + "depot,-97,132,\n")
    edit(run_file, "subscribers: people.csv", "subscribers: people.csv\n  faults: skip")
    code, out, err = checked(capsys, run_file)
    assert (code, err) == (0, "")
    assert "2 subscribers, 3 channels: desk, drop, siren; 1 row left out\n" in out
    assert f"left out      {run_file.parent / 'people.csv'}:4: 'depot': " in out
    _, out, _ = checked(capsys, run_file, "--json")
    assert json.loads(out)["alerts"]["left_out"][0].startswith("4: 'depot'")


def test_very_many_faulty_rows_are_counted(run_file, capsys):
    """After the first twenty."""
    (run_file.parent / "people.csv").write_text(PEOPLE + "depot,-97,132,\n" * 1030)
    _, _, err = checked(capsys, run_file)
    assert "error: 21 faults" in err
    assert "6:16: subscribers: 1,010 more rows of people.csv are wrong" in err


def test_features_that_are_wrong_are_each_told(run_file, capsys):
    """By their number."""
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [500, 0]}, "properties": {}}
    said = {"type": "FeatureCollection", "features": [{**point, "id": "a"}, {**point, "id": "b"}]}
    (run_file.parent / "people.json").write_text(json.dumps(said))
    edit(run_file, "people.csv", "people.json")
    _, _, err = checked(capsys, run_file)
    assert "2 faults" in err
    assert "feature 2: 'b': longitude 500" in err


def test_products_that_are_not_published_cannot_be_judged(run_file, capsys):
    """Nor where none is a GeoJSON and no name is given."""
    edit(run_file, "workflow:", "products: {to: p, only: '*.png'}\nworkflow:")
    assert (
        "8:13: products: `only` leaves out all outputs like 'polygons_*.geojson'"
        in checked(capsys, run_file)[2]
    )
    edit(run_file, '  products: "polygons_*.geojson"\n', "")
    assert (
        "no output that is published has a name like '*.geojson' or '*.geojson.gz'"
        in checked(capsys, run_file)[2]
    )


@pytest.mark.parametrize(
    ("trigger", "said"),
    [("every: 5 min", "every 5 min 0 s"), ("cron: '*/5 * * * *'", "at '*/5 * * * *', UTC")],
)
def test_what_starts_runs_is_told(run_file, capsys, trigger, said):
    """Where it is a clock, which."""
    edit(run_file, "join: 30 s", trigger)
    assert f"trigger       {said}\n" in checked(capsys, run_file)[1]


def test_a_run_file_that_is_not_watched_needs_nothing_of_that(run_file, capsys):
    """It may well name its files one by one."""
    run_file.write_text("workflow: ./chain.py:chain\ninputs: {frames: in/a-20170329-073040.nc}\n")
    code, out, _ = checked(capsys, run_file)
    assert code == 0
    assert "trigger" not in out


def test_a_faulty_section_brings_no_faults_that_follow_from_it(run_file, capsys):
    """Who asks for a channel that is there but faulty asks for nothing wrong."""
    edit(run_file, "programs: {name: siren, run", "programs: {name: siren, rum")
    _, _, err = checked(capsys, run_file)
    assert "unknown key 'rum'" in err
    assert "sirn" not in err
    assert "its channel" not in err


@pytest.mark.parametrize("there", ["nothing", "another", "old"])
def test_a_watched_input_may_have_no_file_yet(run_file, capsys, there):
    """A watch is checked before data comes: all but the graph, with a note of what is waited for."""
    for file in (run_file.parent / "in").iterdir():
        file.unlink()
    if there == "another":
        (run_file.parent / "in" / "read.me").touch()
    if there == "old":
        (run_file.parent / "in" / "a-20170329-073040.nc").touch()
        edit(run_file, "last: 2}", 'last: 2, from: "2020-01-01T00:00Z"}')
    code, out, err = checked(capsys, run_file)
    assert (code, err) == (0, "")
    assert "input frames  no file\n" in out
    assert "tasks         not known before the first files are there\n" in out
    place = "3:11" if there == "old" else "3:19"
    assert f"note          {run_file}:{place}: frames: no" in out
    assert "; a watch waits for them\n" in out
    code, out, _ = checked(capsys, run_file, "--json")
    facts = json.loads(out)
    assert (code, facts["tasks"], facts["inputs"]) == (0, None, {"frames": []})
    assert [(one["line"], one["column"]) for one in facts["notes"]] == [tuple(map(int, place.split(":")))]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("inputs:", "params: {speed: 3}\ninputs:", "chain has no parameter 'speed'"),
        ('frames: {files: "in', 'frame: {files: "in', "chain has no input 'frame'"),
        ("env:DESK", "env:DSK", "the environment variable DSK is not set"),
    ],
)
def test_without_files_all_else_is_checked(run_file, capsys, old, new, said):
    """As with them."""
    for file in (run_file.parent / "in").iterdir():
        file.unlink()
    edit(run_file, old, new)
    code, out, err = checked(capsys, run_file)
    assert (code, out) == (2, "")
    assert said in err


def test_files_that_a_workflow_cannot_take_are_told_before_they_come(run_file, capsys):
    """It takes one; a run of several would fail each time."""
    chain = run_file.parent / "chain.py"
    chain.write_text(CHAIN.replace("frames: list[Input]", "frames: Input").replace("frames[-1]", "frames"))
    for file in (run_file.parent / "in").iterdir():
        file.unlink()
    code, _, err = checked(capsys, run_file)
    assert code == 2
    assert "3:36: last: chain takes one file as 'frames'; write `last: 1`" in err
    assert "4:47: files: chain takes one file as 'frames'" in err


def test_a_run_file_that_is_not_watched_needs_its_files(run_file, capsys):
    """It is run now."""
    for file in (run_file.parent / "in").iterdir():
        file.unlink()
    run_file.write_text("workflow: ./chain.py:chain\ninputs: {frames: in/*.nc}\n")
    assert "no file matches 'in/*.nc'" in checked(capsys, run_file)[2]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("people.csv", "id,lon,lat,channel\n"),
        ("people.json", '{"type": "FeatureCollection", "features": []}'),
    ],
)
def test_a_file_without_subscribers_is_noted(run_file, capsys, name, text):
    """It may be meant so; nobody is told."""
    (run_file.parent / name).write_text(text)
    if name != "people.csv":
        edit(run_file, "people.csv", name)
    code, out, _ = checked(capsys, run_file)
    assert code == 0
    assert (
        f"note          {run_file}:6:16: there is no subscriber in {run_file.parent / name}: nobody is told"
        in out
    )


def test_sources_that_are_waited_for_in_vain_are_noted(run_file, capsys):
    """A quorum of one is run all the same, so it is no fault."""
    edit(run_file, "{files: 2}}}", "{sources: 2, quorum: 1}}}")
    code, out, _ = checked(capsys, run_file)
    said = "sources: 2 of them cannot be told apart, so each window waits for the whole of `wait`; say with `source:`"
    assert code == 0
    assert f"note          {run_file}:4:49: {said}" in out


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        ({"f_bavail": 0}, "the file system of {} is full"),
        ({"f_favail": 0}, "the file system of {} is full"),
        ({"f_flag": os.ST_RDONLY}, "the file system of {} is read-only"),
        ({"f_blocks": 0, "f_bavail": 0, "f_files": 0, "f_favail": 0}, ""),
    ],
)
def test_a_file_system_that_takes_nothing_is_told(run_file, capsys, monkeypatch, disk, said):
    """Whoever asks: rights say nothing of that. One that counts no blocks and no files may take some."""
    usual = {"f_flag": 0, "f_blocks": 9, "f_bavail": 9, "f_files": 9, "f_favail": 9}
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(**{**usual, **disk}))
    code, _, err = checked(capsys, run_file)
    assert code == (2 if said else 0)
    assert said.format(run_file.parent) in err


def test_a_watch_refuses_the_same_and_only_warns_of_what_may_yet_come(run_file, caplog):
    """It is the same code: all faults at once; a program that is missing now stops nobody else from being told."""
    edit(run_file, "env:TOKEN", "env:TOKN")
    edit(run_file, "subscribers: people.csv", "subscribers: peple.csv")
    feed = read_feed(run_file)
    with pytest.raises(UserError, match=r"(?s)2 faults.*:6:16: .*:13:22: "):
        equip(feed, run_file.parent / "journal.db")
    run_file.write_text(RUN.replace('["true"]', '["tru"]'))
    equipment = equip(read_feed(run_file), run_file.parent / "journal.db")
    assert list(equipment.channels) == ["desk", "drop", "siren"]
    assert equipment.door is not None
    assert "there is no 'tru' on the PATH" in caplog.text


def test_an_input_that_starts_nothing_and_may_be_absent_is_told(run_file, capsys):
    """In words; the check and a run by hand go on without any file of it, and a workflow that takes one cannot."""
    (run_file.parent / "so").mkdir()
    workflow = run_file.parent / "chain.py"
    edit(workflow, "frames: list[Input])", "frames: list[Input], soundings: list[Input])")
    edit(run_file, "last: 2}\n", "last: 2}\n  soundings: {files: 'so/*.txt', last: 1}\n")
    edit(run_file, "frames: {files: 2}", "frames: {files: 2}, soundings: {starts: false, quorum: 0}")
    code, out, err = checked(capsys, run_file)
    assert (code, err) == (0, "")
    assert "each new file of frames; with soundings as known then" in out
    edit(workflow, "soundings: list[Input])", "soundings: Input)")
    code, _, err = checked(capsys, run_file)
    assert code == 2
    assert "takes one file as 'soundings', never none; annotate it `list[Input]`" in err
