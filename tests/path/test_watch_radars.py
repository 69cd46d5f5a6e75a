"""A network whose radars are late, silent, wrong by minutes, or send rubbish: its composite comes all the same.

Real sweeps of three radars with the times of now, and the real watch, which makes a composite every few seconds.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import netCDF4
import numpy as np
import pytest

from dynamo.radar.netcdf import read_grid

RUN = """
workflow: dynamo.workflows.{flow}
inputs:
  sweeps: {{files: "incoming/*.nc", within: 10 min}}
  radars: radars.yaml
params:
  area: [-97.99, 31.775, -96.16, 33.525]
  cells: [183, 175]
  window: 5
  expected: [addison.tx, cleburne.tx, denton.tx]
{more}
trigger: {{cron: "*/4 * * * * *"}}
products: products/{{run}}
"""
#: The chain, what else it is given, and its composite.
CHAINS = {
    "hail:hail": ("  freezing_level: 4100\n  minus20_level: 7000", "hail.nc"),
    "wind:wind": ("  band: [200, 2000]", "wind.nc"),
}


@pytest.fixture(params=CHAINS)
def network(request, watched, samples):
    """Send sweeps as those of a radar, and look at composites."""
    more, product = CHAINS[request.param]
    watched.write("radars.yaml", "radars: {}\n")
    watched.write("watch.yaml", RUN.format(flow=request.param, more=more))
    return Network(watched, samples, product)


class Network:
    """Three radars and their composite."""

    def __init__(self, watched, samples, product) -> None:
        self.watched, self.product = watched, product
        self.raw = {
            name: gzip.decompress(max((samples / "casa").glob(f"{name}*.gz")).read_bytes())
            for name in ("addison", "cleburne", "denton")
        }

    def send(self, name: str, ago: float, *, empty: bool = False, elevation: float | None = None) -> datetime:
        """Let a sweep appear that ended so many seconds before now."""
        time = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=ago)
        part = self.watched.folder / f"{name}.part"
        part.write_bytes(self.raw[name])
        with netCDF4.Dataset(part, "r+") as dataset:
            dataset.set_auto_maskandscale(False)
            dataset["Time"][:] = np.full(dataset["Time"].shape, int(time.timestamp()))
            if elevation is not None:
                dataset["Elevation"][:] = np.full(dataset["Elevation"].shape, elevation)
            for variable in dataset.variables.values():
                if empty and variable.ndim == 2:
                    variable[:] = np.full(variable.shape, np.nan)
        part.rename(self.watched.folder / "incoming" / f"{name}.tx-{time:%Y%m%d-%H%M%S}.nc")
        return time

    def composite(self, **wanted: str):
        """Wait for a composite whose attributes hold these words, and return it."""

        def made():
            for line in self.watched.rows(
                "SELECT id FROM runs WHERE state = 'done' ORDER BY created DESC LIMIT 1"
            ):
                grid = read_grid(self.watched.folder / "products" / line[0] / self.product)
                if all(words in str(grid.attributes.get(name, "")) for name, words in wanted.items()):
                    found.append(grid)
            return found

        found: list = []
        self.watched.wait(made)
        return found[-1]


def test_the_composite_comes_whatever_becomes_of_a_radar(network):
    """One after the other: a silent radar, a late one, a clock that is wrong, another tilt, rubbish, an empty sweep."""
    first = network.send("addison", 20)
    network.send("cleburne", 5)
    network.watched.start()
    grid = network.composite(absent_radars="denton.tx")
    assert grid.source == "addison.tx, cleburne.tx"
    assert f"addison.tx {first:%H:%M:%S}" in grid.attributes["radars"]
    assert np.nanmax(grid.values) > 0

    network.send("denton", 200)  # its clock is three minutes behind
    grid = network.composite(radars="denton.tx", sweeps="3")
    assert "absent_radars" not in grid.attributes
    assert 150 < grid.attributes["oldest_sweep_s"] < 300

    network.send("cleburne", 3, elevation=3.0)  # another scan strategy
    network.composite(sweeps="4")

    ahead = network.send("denton", -180)  # and now three minutes ahead: its time has not come
    (network.watched.folder / "incoming" / f"addison.tx-{datetime.now(UTC):%Y%m%d-%H%M%S}.nc").write_bytes(
        network.raw["addison"][:9000]
    )
    grid = network.composite(damaged_files="addison.tx-")
    assert grid.time < ahead
    assert grid.attributes["sweeps"] == 4

    last = network.send("addison", 1)
    network.composite(radars=f"addison.tx {last:%H:%M:%S}")
    empty = network.send("addison", 0, empty=True)
    grid = network.composite(empty_sweeps=f"addison.tx {empty:%H:%M:%S}")
    # that there is no hail may be known of the sweep before; that no wind was seen is what the empty one says
    used = empty if network.product == "wind.nc" else last
    assert f"addison.tx {used:%H:%M:%S}" in grid.attributes["radars"]
    assert np.nanmax(grid.values) > 0
    states = {state for (state,) in network.watched.rows("SELECT state FROM runs")}
    assert "failed" not in states
