"""Hail by volumes: the formulas by hand, real storms by what is known of them, and what is not known told as such."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import DataError, UserError
from dynamo.radar.columns import energy_flux, layers
from dynamo.radar.gates import on_grid
from dynamo.radar.grid import Cell
from dynamo.radar.hail import hail, mesh, poh, posh
from dynamo.radar.polar import EFFECTIVE_RADIUS, Sweep, default_geometry, slant_range, to_grid
from dynamo.radar.readers import read_sweeps
from dynamo.radar.volume import Volume, volumes

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
NEAR = (5_000.0, 100_000.0)
# Uniform columns from the ground to 10 km, 0 C at 4 and -20 C at 7 km: dBZ, then flux, index, mm, %.
COLUMNS = [
    (50, 0.0792, 35.66, 15.17, 17.6),
    (55, 0.2084, 93.80, 24.60, 45.6),
    (60, 0.5482, 246.71, 39.90, 73.7),
]
#: What is known of three real storms: levels, and index, azimuth and km of the strongest column within 100 km.
STORMS = {
    "Monte Lema": ((4087, 6803), "S", 201, 266, 18.8),
    "Monte Lema at C band": ((4087, 6803), "C", 356, 266, 18.8),
    "Captains Flat": ((3900, 6900), "S", 550, 79, 34.25),
    "Captains Flat from 0 km": ((3900, 6900), "S", 522, 79, 33.25),
    "Lubbock": ((4000, 7000), "S", 15.0, 269, 48.6),
}


def storm(samples: Path, name: str) -> Volume:
    """The volume of a storm."""
    folder = samples / "hail"
    files = {"Monte": "MLL*.nc", "Captains": "40_20181220_060630.pvol.h5", "Lubbock": "KLBB*"}
    paths = sorted(folder.glob(files[name.split(maxsplit=1)[0]]))
    sweeps = [sweep for path in paths for sweep in read_sweeps(path, moments=("reflectivity",))]
    if name.endswith("from 0 km"):  # as if the file's range start were metres
        sweeps = [replace(sweep, ranges=sweep.ranges - sweep.ranges[0] + 250.0) for sweep in sweeps]
    (volume,) = volumes(sweeps, timedelta(minutes=10))
    return volume


def strongest(product: Sweep) -> tuple[float, float, float]:
    """Index, azimuth and km of the strongest column."""
    shi = product.moments["shi"]
    ray, column = np.unravel_index(np.nanargmax(shi), shi.shape)
    return float(shi[ray, column]), float(product.azimuths[ray]), float(product.ranges[column]) / 1000


def through(heights, ground=40_250.0, value: float = 55.0, *, gates=120, rays=36) -> Volume:
    """A volume at sea level whose beams pass a distance at these heights, with one reflectivity everywhere."""
    angle = ground / EFFECTIVE_RADIUS
    up = (EFFECTIVE_RADIUS + np.asarray(heights)) * np.exp(1j * (np.pi / 2 - angle)) - 1j * EFFECTIVE_RADIUS
    return Volume(
        tuple(
            Sweep(
                np.arange(rays) * 360 / rays, 250.0 + 500.0 * np.arange(gates), float(elevation),
                {"reflectivity": np.full((rays, gates), value, "f4")}, np.zeros((rays, gates), bool),
                33.0, -97.0, 0.0, NOON, "made", wavelength=0.1,
            )
            for elevation in np.degrees(np.angle(up))
        )
    )  # fmt: skip


def middles(count: int, top: float = 10_000.0):
    return (np.arange(count) + 0.5) * top / count


def at(product: Sweep, km: float) -> dict[str, float]:
    """Moments of the first ray's column at a distance."""
    column = np.abs(product.ranges - km * 1000).argmin()
    return {name: float(values[0, column]) for name, values in product.moments.items()}


@pytest.mark.parametrize(("dbz", "flux", "index", "size", "chance"), COLUMNS)
def test_a_uniform_column_has_the_index_of_its_integral(dbz, flux, index, size, chance):
    """By fine beams that fill it, to every digit; and through a volume of them, to half a part in a thousand."""
    weights, share = layers(middles(1000)[:, None], (4000.0, 7000.0))
    assert share.sum() == pytest.approx(1.0)
    shi = float((weights * energy_flux(float(dbz))).sum())
    assert energy_flux(float(dbz)) == pytest.approx(flux, abs=5e-5)
    assert shi == pytest.approx(index, abs=5e-3)
    assert mesh(np.array([shi]))[0] == pytest.approx(size, abs=5e-3)
    assert posh(np.array([shi]), 4000.0)[0] == pytest.approx(chance, abs=0.05)
    seen = at(hail(through(middles(50), value=dbz), 4000.0, 7000.0), 40.25)
    assert seen["shi"] == pytest.approx(index, rel=2e-3)
    assert seen["mesh"] == pytest.approx(size, rel=1e-3)
    assert seen["posh"] == pytest.approx(chance, abs=0.1)
    assert seen["echo_top"] == pytest.approx(9900, abs=30)


@pytest.mark.parametrize(("beams", "off"), [(14, 3e-3), (20, 1e-4), (50, 1e-4)])
def test_few_beams_are_enough(beams, off):
    """Beams in the middle of the layers that they stand for."""
    weights, _ = layers(middles(beams)[:, None], (4000.0, 7000.0))
    assert (weights * energy_flux(55.0)).sum() == pytest.approx(93.80, rel=off, abs=0.006)


def test_the_lowest_and_the_highest_beam_stand_for_as_much_outwards_as_inwards():
    """Far from a radar the lowest beam may lie above 0 degrees C; one beam alone has no layer, and sees nothing."""
    weights, share = layers(np.array([6000.0, 8000.0])[:, None], (4000.0, 7000.0))
    np.testing.assert_allclose(weights[:, 0], [200 * 2 / 3, 200])
    np.testing.assert_allclose(share[:, 0], [2 / 3, 0])
    weights, share = layers(np.array([[6000.0]]), (4000.0, 7000.0))
    assert weights[0, 0] == share[0, 0] == 0


def test_a_beam_speaks_for_1500_m_on_each_side_at_most():
    """Of two that lie 5 km apart neither has seen the middle."""
    _, share = layers(np.array([4000.0, 9000.0])[:, None], (4000.0, 9000.0))
    np.testing.assert_allclose(share[:, 0], [0.3, 0.3])


def test_the_flux_rises_between_40_and_50_dbz_only():
    """Not rain, and not what is not known."""
    assert [energy_flux(dbz) for dbz in (-32.0, 40.0, np.nan, 39.9)] == [0, 0, 0, 0]
    assert energy_flux(45.0) == pytest.approx(5e-6 * 10**3.78 / 2)
    assert energy_flux(40.5) == pytest.approx(5e-6 * 10 ** (0.084 * 40.5) / 20)


def test_the_fits_of_2021_are_told_from_10_mm_on():
    """Witt says 10 mm at an index of 15.5; below, that of 2021 would say 15 mm and more of nearly nothing."""
    index = np.array([0.0, 1.0, 15.4, 15.6, 100.0])
    np.testing.assert_allclose(mesh(index), 2.54 * np.sqrt(index))
    np.testing.assert_allclose(mesh(index, "mh2021_75"), [0, 0, 0, 26.6, 38.98], atol=0.05)
    np.testing.assert_allclose(mesh(index, "mh2021_95"), [0, 0, 0, 39.7, 58.8], atol=0.1)


def test_the_warning_threshold_has_a_floor_and_counts_from_the_radar():
    """POSH is 50 % at the threshold: 109 for 4 km above the radar, 20 below 2.45 km."""
    assert posh(np.array([109.0]), 4000.0)[0] == pytest.approx(50)
    assert posh(np.array([20.0]), 1000.0)[0] == pytest.approx(50)
    np.testing.assert_array_equal(posh(np.array([0.0, 1e4]), 4000.0), [0, 100])


def test_the_probability_of_hail_is_near_the_table_it_was_fitted_to():
    """The table that is handed on with the cubic: km above 0 C, and tenths."""
    km = np.array([1.65, 1.80, 1.97, 2.17, 2.40, 2.70, 3.07, 3.55, 4.20, 5.00, 5.80])
    np.testing.assert_allclose(poh(4000 + 1000 * km, 4000.0), np.arange(0, 101, 10), atol=4)
    np.testing.assert_array_equal(poh(np.array([np.nan, 5600.0, 3000.0, 12000.0]), 4000.0), [0, 0, 0, 100])


@pytest.mark.parametrize("name", STORMS)
def test_real_storms_are_as_strong_and_where_they_are(samples: Path, name: str):
    """The index within 1 %, the place within a gate; the band is that of the radar, unless it is named."""
    levels, band, index, azimuth, km = STORMS[name]
    volume = storm(samples, name)
    shi, turn, distance = strongest(hail(volume, *levels, band=band, reach=NEAR))
    assert shi == pytest.approx(index, rel=0.01)
    assert turn == pytest.approx(azimuth, abs=1.0)
    assert distance == pytest.approx(km, abs=volume.sweeps[0].ranges[1] - volume.sweeps[0].ranges[0])


def test_monte_lema(samples: Path):
    """Sizes, probabilities and the echo top; the area above 29 mm."""
    product = hail(storm(samples, "Monte Lema"), 4087, 6803, reach=NEAR)
    assert product.attributes["band"] == "C"
    moments = product.moments
    assert np.nanmax(moments["mesh"]) == pytest.approx(47.9, abs=0.05)
    assert np.nanmax(moments["posh"]) == 100
    assert np.nanmax(moments["poh"]) == 100
    assert np.nanmax(moments["echo_top"]) == pytest.approx(11_200, abs=50)
    cell = product.ranges * 500 * 2 * np.pi / product.azimuths.size / 1e6
    assert ((moments["mesh"] > 29) * cell).sum() == pytest.approx(24, abs=0.5)
    plain = hail(storm(samples, "Monte Lema"), 4087, 6803, band="S", reach=NEAR)
    assert np.nanmax(plain.moments["mesh"]) == pytest.approx(36.0, abs=0.05)


def test_200_m_of_the_levels_make_some_percent(samples: Path):
    """Higher levels, less hail."""
    volume = storm(samples, "Monte Lema")
    usual, low, high = (
        strongest(hail(volume, 4087 + off, 6803 + off, band="S", reach=NEAR))[0] for off in (0, -200, 200)
    )
    assert 1.02 < low / usual < 1.05
    assert 0.95 < high / usual < 0.98


def test_a_lost_tilt_is_told_on_the_product(samples: Path):
    """It changes the strongest index by up to 42 %."""
    volume = storm(samples, "Monte Lema")
    usual = strongest(hail(volume, 4087, 6803, band="S", reach=NEAR))[0]
    changes = []
    for lost in range(1, 20):
        left = [sweep for k, sweep in enumerate(volume.sweeps) if k != lost]
        (less,) = volumes(left, timedelta(minutes=10), expected={volume.radar: volume.elevations})
        product = hail(less, 4087, 6803, band="S", reach=NEAR)
        assert product.attributes["missing_tilts"] == f"{volume.elevations[lost]:g}"
        assert product.attributes["tilts"] == 19
        changes.append(strongest(product)[0] / usual - 1)
    assert 0.35 < np.abs(changes).max() < 0.45
    assert "missing_tilts" not in hail(volume, 4087, 6803).attributes


def scattered(seed: int, rays=40, gates=60) -> list[Sweep]:
    """Sweeps with rays anywhere, cells of hail, missing gates and nothing in between."""
    rng = np.random.default_rng(seed)
    sweeps = []
    for k, elevation in enumerate((0.5, 2.0, 5.0, 9.0, 15.0, 24.0)):
        values = rng.uniform(20, 65, (rays, gates)).astype("f4")
        undetect = rng.random((rays, gates)) < 0.2
        values[undetect | (rng.random((rays, gates)) < 0.05)] = np.nan
        azimuths = (np.arange(rays) * 360 / rays + rng.uniform(-3, 3, rays)) % 360
        sweeps.append(
            Sweep(azimuths, 500 + 1000.0 * np.arange(gates), elevation, {"reflectivity": values}, undetect,
                  46.0, 8.8, 1600.0, NOON + timedelta(seconds=20 * k), "made", wavelength=0.05)
        )  # fmt: skip
    return sweeps


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_neither_the_order_of_rays_nor_that_of_sweeps_matters(seed):
    """Rays are matched by their azimuths."""
    sweeps, rng = scattered(7), np.random.default_rng(seed)
    shuffled = []
    for sweep in sweeps:
        order = rng.permutation(sweep.azimuths.size)
        moments = {name: values[order] for name, values in sweep.moments.items()}
        shuffled.append(
            replace(sweep, azimuths=sweep.azimuths[order], moments=moments, undetect=sweep.undetect[order])
        )
    shuffled = [shuffled[k] for k in rng.permutation(len(shuffled))]
    one, other = (hail(volumes(each, timedelta(minutes=5))[0], 4000, 7000) for each in (sweeps, shuffled))
    assert np.isfinite(one.moments["shi"]).any()
    np.testing.assert_array_equal(one.azimuths, other.azimuths)
    np.testing.assert_array_equal(one.undetect, other.undetect)
    for name, values in one.moments.items():
        np.testing.assert_array_equal(values, other.moments[name])


def test_what_the_beams_do_not_reach_is_missing_and_not_nothing():
    """Near the radar they pass below -20 C; far out they end; between, all is known."""
    sweeps = through([500, 2000, 3500, 5000, 6500, 8000], value=30.0)
    product = hail(sweeps, 4000.0, 7000.0)
    grid = to_grid(product, default_geometry([product]), moment="mesh")
    ground = np.hypot(*np.meshgrid(grid.geometry.x + 97, grid.geometry.y - 33)) * [111.2]
    assert product.ranges[0] == pytest.approx(5250, abs=300)
    known = product.undetect[0]
    column = known.argmax()
    assert not known[:column].any()
    assert known[column:-2].all()
    assert 25_000 < product.ranges[column] < 35_000
    assert (grid.status[ground > 75] == Cell.OUT_OF_RANGE).all()
    middle = grid.status[grid.geometry.ny // 2, grid.geometry.nx // 2 + 20 : grid.geometry.nx // 2 + 30]
    assert (middle == Cell.MISSING).all()


def test_lost_gates_within_the_layer_leave_a_column_unknown():
    """Of a sector; below 0 degrees C they do not matter, nor where the radar found nothing there."""
    volume = through([1000, 2500, 4500, 6000, 7500, 9000], value=60.0)

    def without(*lost: int, undetect: bool = False) -> np.ndarray:
        sweeps = list(volume.sweeps)
        for k in lost:
            values, nothing = sweeps[k].moments["reflectivity"].copy(), sweeps[k].undetect.copy()
            values[:5] = np.nan
            nothing[:5] = undetect
            sweeps[k] = replace(sweeps[k], moments={"reflectivity": values}, undetect=nothing)
        product = hail(Volume(tuple(sweeps)), 4000.0, 7000.0)
        column = np.abs(product.ranges - 40_000).argmin()
        return np.isfinite(product.moments["shi"][:, column])

    assert without(0, 1).all()
    assert without(3, undetect=True).all()
    np.testing.assert_array_equal(without(3), np.arange(36) >= 5)


def test_a_gap_between_rays_is_not_filled():
    """Of one tilt within the layer 90 degrees were not sent."""
    sweeps = list(through([1000, 2500, 4500, 6000, 7500, 9000]).sweeps)
    kept = np.arange(36) >= 9
    sweeps[3] = replace(
        sweeps[3], azimuths=sweeps[3].azimuths[kept], undetect=sweeps[3].undetect[kept],
        moments={"reflectivity": sweeps[3].moments["reflectivity"][kept]},
    )  # fmt: skip
    product = hail(Volume(tuple(sweeps)), 4000.0, 7000.0)
    column = np.abs(product.ranges - 40_000).argmin()
    np.testing.assert_array_equal(np.isfinite(product.moments["shi"][:, column]), kept)


def test_rays_that_only_the_lowest_sweep_lost_are_there():
    """It passes below 0 degrees C; what the others saw counts."""
    sweeps = list(through([1000, 2500, 4500, 6000, 7500, 9000]).sweeps)
    kept = (np.arange(36) >= 9) & (np.arange(36) != 20)
    sweeps[0] = replace(
        sweeps[0], azimuths=sweeps[0].azimuths[kept], undetect=sweeps[0].undetect[kept],
        moments={"reflectivity": sweeps[0].moments["reflectivity"][kept]},
    )  # fmt: skip
    product = hail(Volume(tuple(sweeps)), 4000.0, 7000.0)
    np.testing.assert_allclose(product.azimuths, np.arange(36) * 10.0)
    assert np.isfinite(product.moments["shi"][:, np.abs(product.ranges - 40_000).argmin()]).all()


@pytest.mark.parametrize("case", ["nothing known", "one sweep", "0 C above all beams", "two beams far apart"])
def test_where_nothing_is_known_nothing_is_told(case: str):
    """Missing everywhere, and nowhere "no hail"."""
    heights = {"one sweep": [5000], "two beams far apart": [500, 14_000]}.get(case, [1000, 3000, 5000, 7000])
    volume = through(heights, value=np.nan if case == "nothing known" else 60.0)
    levels = (12_000.0, 15_000.0) if case == "0 C above all beams" else (4000.0, 7000.0)
    product = hail(volume, *levels)
    column = np.abs(product.ranges - 40_000).argmin()
    assert not product.undetect[:, column].any()
    assert all(np.isnan(values[:, column]).all() for values in product.moments.values())


def test_below_0_c_there_is_no_hail():
    """Warm rain of 60 dBZ has an echo top and no index; without 45 dBZ there is nothing."""
    sweeps = list(through([1000, 2500, 4500, 6000, 7500, 9000], value=30.0).sweeps)
    wet = {"reflectivity": np.full(sweeps[0].undetect.shape, 60.0, "f4")}
    product = hail(Volume((replace(sweeps[0], moments=wet), *sweeps[1:])), 4000.0, 7000.0)
    seen = at(product, 40)
    assert seen["echo_top"] == pytest.approx(1000, abs=20)
    assert (seen["shi"], seen["mesh"], seen["posh"], seen["poh"]) == (0, 0, 0, 0)
    assert hail(Volume(tuple(sweeps)), 4000.0, 7000.0).undetect[:, 100].all()


@pytest.mark.parametrize(
    ("strong", "top", "chance"),
    [
        ([(5, 0)], 0, 0),  # one gate: a plane at 9 km
        ([(5, 0), (5, 35)], 9000, 90),  # and its neighbour to the west of north
        ([(5, 0), (3, 1)], 6000, 20),  # as high as the neighbour's
        ([(5, 0), (5, 2)], 0, 0),  # not next to each other
    ],
)
def test_a_strong_gate_that_stands_alone_is_no_hail(strong, top, chance):
    """Sweep and ray of the only gates of 55 dBZ, 40.25 km from the radar: of one alone no size and no probability."""
    sweeps = list(through([1000, 2500, 4500, 6000, 7500, 9000], value=30.0).sweeps)
    for k, ray in strong:
        values = sweeps[k].moments["reflectivity"].copy()
        slant = slant_range(np.array([40_250.0]), sweeps[k].elevation)
        values[ray, np.abs(sweeps[k].ranges - slant).argmin()] = 55.0
        sweeps[k] = replace(sweeps[k], moments={"reflectivity": values})
    seen = at(hail(Volume(tuple(sweeps)), 4000.0, 7000.0), 40.25)
    assert seen["shi"] > 0
    assert (seen["mesh"] > 0) == (top > 0)
    assert (seen["posh"] > 0) == (top > 0)
    assert seen["echo_top"] == pytest.approx(top, abs=20)
    assert seen["poh"] == pytest.approx(chance, abs=4)


def test_all_quantities_go_on_a_grid():
    """Those of the product are those of grids."""
    product = hail(through(middles(20), value=60.0), 4000.0, 7000.0)
    assert set(product.moments) == {"shi", "mesh", "posh", "poh", "echo_top"}
    geometry = default_geometry([product])
    for name in product.moments:
        grid = to_grid(product, geometry, moment=name)
        assert grid.quantity == name
        assert (grid.status == Cell.ECHO).sum() > 1000
        assert grid.attributes["mesh_fit"] == "witt1998"


def test_no_strong_gate_is_lost_on_a_coarse_grid(samples: Path):
    """Cells of 1 km take the highest of gates of 500 m; what each other cell is stays as it is by the nearest gate."""
    product = hail(storm(samples, "Captains Flat"), 3900, 6900)
    geometry = default_geometry([product])
    assert geometry.cell_size_km()[1] == pytest.approx(1, rel=0.01)
    for name, values in product.moments.items():
        near, most = to_grid(product, geometry, moment=name), on_grid(product, geometry, name)
        assert np.nanmax(most.values) == np.nanmax(values)
        more = most.status != near.status
        assert (most.status[more] == Cell.ECHO).all()
        assert more.sum() < 0.5 * (near.status == Cell.ECHO).sum()
        assert (most.values[near.known] >= near.values[near.known]).all()
        np.testing.assert_array_equal(np.isnan(most.values), most.status >= Cell.MISSING)
    assert np.nanmax(to_grid(product, geometry, moment="shi").values) < 0.8 * np.nanmax(
        product.moments["shi"]
    )


def test_the_band_is_that_of_the_wavelength_and_x_is_refused():
    """C is brought to S for the index alone: the echo top is that of the reflectivity as measured."""
    volume = through(middles(20), value=60.0)

    def of(wavelength: float | None) -> Volume:
        return Volume(tuple(replace(sweep, wavelength=wavelength) for sweep in volume.sweeps))

    at_s, at_c = (at(hail(of(wavelength), 4000.0, 7000.0), 40) for wavelength in (0.107, 0.055))
    assert at_c["shi"] / at_s["shi"] == pytest.approx(10 ** (0.084 * (0.113 * 60 - 3.929)), rel=1e-4)
    assert at_c["echo_top"] == at_s["echo_top"]
    volume = through(middles(20), value=44.8)  # 45.9 dBZ, if it were of S band
    faint = at(hail(of(0.055), 4000.0, 7000.0), 40)
    assert faint["shi"] > 0
    assert faint["echo_top"] == 0
    with pytest.raises(UserError, match="made is of X band, for which nobody has fitted hail sizes"):
        hail(of(0.032), 4000.0, 7000.0)
    for unknown in (None, 0.3, 0.008):
        with pytest.raises(UserError, match="band of made is not known"):
            hail(of(unknown), 4000.0, 7000.0)
    with pytest.raises(UserError, match="band of made is 'K'"):
        hail(volume, 4000.0, 7000.0, band="K")


def test_what_cannot_be_is_refused():
    """A fit that is not there, levels upside down, a reach that no sweep reaches."""
    volume = through(middles(20))
    with pytest.raises(UserError, match=r"no fit 'witt98' of hail sizes \(did you mean 'witt1998'\?\)"):
        hail(volume, 4000.0, 7000.0, fit="witt98")
    with pytest.raises(UserError, match=r"-20 degrees C \(4000 m\) must lie above that of 0 \(4000 m\)"):
        hail(volume, 4000.0, 4000.0)
    with pytest.raises(
        DataError, match=r"no column of made lies between 100 and 150 km: its sweeps end at 59.7 km"
    ):
        hail(volume, 4000.0, 7000.0, reach=(100_000.0, 150_000.0))
