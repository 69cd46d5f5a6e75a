"""Hail from the files of a radar to the people below it: a real volume, with the times of now, in the real watch."""

from __future__ import annotations

import shutil
from datetime import timedelta

import netCDF4
import numpy as np
import pytest

from dynamo.radar.netcdf import read_grid

RUN = """
workflow: dynamo.workflows.hail:{flow}
inputs:
  sweeps: {{files: "incoming/*.nc"}}
  soundings: {{files: "soundings/*"}}
params: {{area: [8.0, 45.6, 9.6, 46.5], cells: [320, 250], {params}}}
trigger:
  wait: 5 s
  needs:
    sweeps: {{source: '\\.(\\d{{3}})\\.nc$', sources: 20, quorum: 10}}
    soundings: {{starts: false, quorum: 0}}
products: products/{{time}}
alerts:
  subscribers: people.csv
  rules: [{{hazard: HAIL, level: ">= {level}", within: 3 km}}]
  clear_after: 1
  webhooks: [{{name: desk, url: "{url}", secret: "env:ALERT_SECRET", allow: 127.0.0.1}}]
"""
#: By dual polarisation, sweep by sweep; and by the whole volume: parameters, level asked for, levels that are told.
CHAINS = {
    "hail": ("highest: 6.0", 3.5, {3.5, 4.5}),
    "hail_size": ("volume: '^(mll)'", 20, {20, 30}),
}


def volume(watched, samples, minutes: int, *, weaker: float = 0.0, without: tuple[int, ...] = ()) -> str:
    """Let the volume of Monte Lema come as if it were of so many minutes after the start; return its time."""
    time = watched.start_time + timedelta(minutes=minutes)
    for number in range(1, 21):
        if number in without:
            continue
        part = watched.folder / "incoming" / f".mll-{time:%Y%m%d-%H%M%S}.{number:03}.nc"
        shutil.copyfile(samples / "hail" / f"MLL2217907250U.{number:03}.nc", part)
        with netCDF4.Dataset(part, "r+") as dataset:
            dataset["time"].units = f"seconds since {time:%Y-%m-%dT%H:%M:%SZ}"
            if weaker:
                dataset["reflectivity"][:] = np.maximum(dataset["reflectivity"][:] - weaker, -30)
        part.rename(part.with_name(part.name[1:]))
    return f"{time:%Y%m%dT%H%M%SZ}"


@pytest.fixture
def below(watched, samples):
    """Somebody below the core, 18.8 km west of the radar, and the air of that day."""
    (watched.folder / "people.csv").write_text("id,lon,lat\ncamp,8.590,46.029\n")
    (watched.folder / "soundings").mkdir()
    profile = next((samples / "sounding").glob("MLL_*"))
    hour = f"{watched.start_time - timedelta(hours=1):%Y%m%d_%H%M}"
    shutil.copyfile(profile, watched.folder / "soundings" / f"MLL_{hour}_profile.txt")
    return watched


@pytest.mark.parametrize("flow", CHAINS)
def test_who_is_below_hail_is_told_once_and_told_when_it_is_over(below, samples, flow):
    """The same hail again is no second message; a lost sweep neither stops the chain nor ends the hail."""
    params, level, told = CHAINS[flow]
    below.write("watch.yaml", RUN.format(flow=flow, params=params, level=level, url=below.ears.url))
    below.start_time -= timedelta(minutes=6)
    below.start()
    first = volume(below, samples, 0)
    kind, highest = below.ears.told()
    assert kind == "new"
    assert highest in told
    below.until(" ran, ")
    volume(below, samples, 2, without=(20,))
    below.until(" ran, ")
    volume(below, samples, 4, weaker=40)
    assert below.ears.told()[0] == "cancelled"
    assert below.ears.arrived.empty()
    below.wait(lambda: below.windows() == ["done"] * 3)
    made = "mesh" if flow == "hail_size" else "hail"
    grid = read_grid(below.folder / "products" / first / f"{made}.nc")
    assert grid.attributes["environment"] == "sounding"
    assert grid.attributes["radars"].startswith("Monte Lema ")
