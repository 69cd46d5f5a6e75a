"""Severe hail index and size against `pyhail` (Soderholm), on real storms, over all gates that count.

It takes ray i of each sweep for ray i of the others, so rays are matched before; it takes heights and ranges of the
nearest gate, so figures differ by some percent. Its POSH counts 0 degrees C from the sea and has no floor, and is not
compared.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pyhail import mesh_ppi

from dynamo.radar.hail import hail
from dynamo.radar.readers import read_sweeps
from dynamo.radar.volume import Volume, volumes

# It hands lists to compiled functions, which Numba will drop some day.
pytestmark = pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPendingDeprecationWarning")

STORMS = {
    "MLL*.nc": (4087, 6803),
    "40_20181220_060630.pvol.h5": (3900, 6900),
    "KLBB20160601_150025_V06": (4000, 7000),
}
METHODS = {"witt1998": "witt1998", "mh2021_75": "mh2019_75", "mh2021_95": "mh2019_95"}


def volume_of(samples: Path, files: str) -> Volume:
    paths = sorted((samples / "hail").glob(files))
    sweeps = [sweep for path in paths for sweep in read_sweeps(path, moments=("reflectivity",))]
    (volume,) = volumes(sweeps, timedelta(minutes=10))
    return volume


def judged(volume: Volume, levels, *, band: str, method: str):
    """Index and size by pyhail, ``(nray, ngate)`` of the lowest sweep, its rays by rising azimuth."""
    turns = np.sort(volume.sweeps[0].azimuths % 360)
    fields = []
    for sweep in volume.sweeps:
        apart = np.abs((sweep.azimuths[None, :] - turns[:, None] + 180) % 360 - 180)
        fields.append(sweep.moments["reflectivity"][apart.argmin(axis=1)].copy())
    _, shi, size, _ = mesh_ppi.main(
        fields, list(volume.elevations), [turns] * len(fields), [sweep.ranges for sweep in volume.sweeps],
        volume.sweeps[0].altitude, list(levels), radar_band=band, min_range=5, max_range=100, mesh_method=method,
    )  # fmt: skip
    return shi["data"], size["data"]


def on_their_gates(volume: Volume, values, ranges):
    """Ours, brought from ground ranges to the gates of the lowest sweep; NaN out of reach."""
    lowest = volume.sweeps[0]
    ground = lowest.ranges * np.cos(np.radians(lowest.elevation))
    column = np.rint((ground - ranges[0]) / (ranges[1] - ranges[0])).astype(int)
    inside = (column >= 0) & (column < ranges.size)
    return np.where(inside, values[:, np.where(inside, column, 0)], np.nan)


@pytest.mark.parametrize("band", ["S", "C"])
@pytest.mark.parametrize("files", STORMS)
def test_the_index_is_that_of_pyhail(samples: Path, files: str, band: str):
    """The strongest column is the same and within 1 %, all of more than 10 within some percent."""
    volume = volume_of(samples, files)
    theirs, _ = judged(volume, STORMS[files], band=band, method="witt1998")
    product = hail(volume, *STORMS[files], band=band, reach=(5_000.0, 100_000.0))
    ours = on_their_gates(volume, product.moments["shi"], product.ranges)
    known = np.isfinite(ours)
    there, here = (np.array(np.unravel_index(np.nanargmax(each), each.shape)) for each in (theirs, ours))
    np.testing.assert_allclose(there, here, atol=1)
    assert np.nanmax(ours) == pytest.approx(np.nanmax(theirs), rel=0.01)
    # what we say we do not know, it tells by beams that do not reach; what is nothing is NaN here
    strong = known & ((theirs > 10) | (ours > 10))
    assert strong.sum() >= 5
    off = np.abs(ours[strong] / theirs[strong] - 1)
    assert np.median(off) < 0.015
    assert np.quantile(off, 0.95) < 0.045
    assert np.corrcoef(ours[strong], theirs[strong])[0, 1] > 0.999
    nothing = on_their_gates(volume, np.where(product.undetect, 1.0, 0.0), product.ranges) == 1
    assert np.nanmax(theirs[nothing]) < 1


@pytest.mark.parametrize("fit", METHODS)
def test_the_size_is_that_of_pyhail(samples: Path, fit: str):
    """The names of 2019 stand for the coefficients of 2021 there."""
    volume = volume_of(samples, "MLL*.nc")
    _, theirs = judged(volume, STORMS["MLL*.nc"], band="C", method=METHODS[fit])
    product = hail(volume, *STORMS["MLL*.nc"], band="C", fit=fit, reach=(5_000.0, 100_000.0))
    ours = on_their_gates(volume, product.moments["mesh"], product.ranges)
    large = ours > 11
    assert large.sum() > 100
    np.testing.assert_allclose(ours[large], theirs[large], rtol=0.08)
    assert np.nanmax(ours) == pytest.approx(np.nanmax(theirs), rel=0.005)
