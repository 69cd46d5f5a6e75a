"""`dynamo check` of the chains of hail and wind: what the first storm would trip over, and a watch at its start."""

from __future__ import annotations

import gzip

import pytest

from dynamo.cli import main
from dynamo.errors import UserError
from dynamo.watch.equipment import check_workflow
from dynamo.watch.feed import read_feed

RUN = """\
workflow: dynamo.workflows.{flow}
inputs:
  sweeps: {{files: "incoming/*", within: 5 min}}
  radars: radars.yaml
{inputs}
params:
  area: [-97.99, 31.775, -96.16, 33.525]
  cells: [183, 175]
{params}
trigger: {{every: 1 min}}
"""


@pytest.fixture(params=["hail:hail", "hail:hail_size", "wind:wind"])
def flow(request):
    return request.param


@pytest.fixture
def written(tmp_path, samples):
    """Write a run file beside a registry, with a sweep or before the first has come."""

    def write(flow, *, radars="radars: {}\n", params="", inputs="", arrived=False):
        (tmp_path / "incoming").mkdir()
        (tmp_path / "radars.yaml").write_text(radars)
        if arrived:
            raw = max((samples / "casa").glob("cleburne*.gz"))
            (tmp_path / "incoming" / raw.name.removesuffix(".gz")).write_bytes(
                gzip.decompress(raw.read_bytes())
            )
        path = tmp_path / "chain.yaml"
        path.write_text(RUN.format(flow=flow, params=params, inputs=inputs))
        return path

    return write


def checked(capsys, path):
    with pytest.raises(SystemExit) as ended:
        main(["check", str(path)])
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


@pytest.mark.parametrize("arrived", [False, True])
def test_a_wrong_registry_is_a_fault(written, capsys, flow, arrived):
    """At its place in the registry; a watch does not start with it."""
    path = written(flow, radars="radars:\n  a: {band: Q}\n", arrived=arrived)
    code, _, err = checked(capsys, path)
    assert code == 2
    assert f"{path.parent / 'radars.yaml'}:2:" in err
    with pytest.raises(UserError, match="band"):
        check_workflow(read_feed(path))


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ("  levels: []", "`levels` is empty"),
        ("  window: 0", "`window` is 0"),
        ("  min_points: -1", "`min_points` is -1"),
    ],
)
def test_parameters_are_checked_before_the_first_sweep(written, capsys, flow, params, said):
    """As with one."""
    path = written(flow, params=params)
    code, _, err = checked(capsys, path)
    assert code == 2
    assert said in err
    with pytest.raises(UserError, match="expected"):
        check_workflow(read_feed(path))


@pytest.mark.parametrize("arrived", [False, True])
def test_what_is_right_is_said_to_be(written, capsys, flow, arrived):
    """Also by a watch."""
    path = written(flow, arrived=arrived)
    code, out, err = checked(capsys, path)
    assert (code, err) == (0, "")
    assert "left out" not in out
    assert check_workflow(read_feed(path)) == []


@pytest.mark.parametrize("flow", ["hail:hail", "hail:hail_size"])
@pytest.mark.parametrize("by_hand", [False, True])
def test_soundings_that_cannot_be_read_are_noted(written, capsys, flow, by_hand):
    """No fault, for a run goes on without; heights by hand need none."""
    heights = "  freezing_level: 4100\n  minus20_level: 7000"
    path = written(flow, inputs="  soundings: {files: so/*}", params=heights if by_hand else "")
    (path.parent / "so").mkdir()
    (path.parent / "so" / "FWD_2017032900.txt").write_text("not found\n")
    code, out, err = checked(capsys, path)
    assert (code, err) == (0, "")
    assert (f"  left out: {path.parent}/so/FWD_2017032900.txt: " in out) is not by_hand
