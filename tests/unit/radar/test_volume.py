"""Volumes: of sweeps in any order the newest of each tilt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.composite import scans_of
from dynamo.radar.grid import Geometry
from dynamo.radar.polar import Sweep, to_grid
from dynamo.radar.readers import read_sweeps
from dynamo.radar.volume import Volume, volumes

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
SPAN = timedelta(minutes=6)
STRATEGY = (0.5, 1.5, 2.4, 3.4, 19.5)


def sweep(
    elevation: float, minute: float = 0.0, *, gates: int = 40, value: float = 30.0, radar="one"
) -> Sweep:
    azimuths = np.arange(0.0, 360.0, 10.0)
    shape = azimuths.size, gates
    return Sweep(
        azimuths, 500.0 + 1000.0 * np.arange(gates), elevation,
        {"reflectivity": np.full(shape, value, "f4"), "velocity": np.zeros(shape, "f4")},
        np.zeros(shape, bool), 33.0, -97.0, 200.0, NOON + timedelta(minutes=minute), radar,
    )  # fmt: skip


def scan(start: float = 0.0, strategy=STRATEGY) -> list[Sweep]:
    """A scan that takes 5 minutes."""
    return [sweep(elevation, start + 5 * k / len(strategy)) for k, elevation in enumerate(strategy)]


def times(volume: Volume) -> list[float]:
    return [(each.time - NOON) / timedelta(minutes=1) for each in volume.sweeps]


@given(st.permutations(scan() + scan(5.0)[:2] + [sweep(4.0, 1.0, radar="two")]))
def test_the_newest_sweep_of_each_tilt_is_taken_whatever_the_order(given):
    """In the middle of a scan the tilts to come are those of the scan before."""
    one, two = volumes(given, SPAN)
    assert one.elevations == STRATEGY
    assert times(one) == [5.0, 6.0, 2.0, 3.0, 4.0]
    assert one.time == NOON + timedelta(minutes=6)
    assert (one.radar, two.radar) == ("one", "two")
    assert two.elevations == (4.0,)


def test_what_is_as_old_as_the_span_is_left_out():
    """A scan that takes just as long as the span has each tilt once, and not the lowest twice."""
    (volume,) = volumes([sweep(0.5, 0.0), sweep(1.5, 3.0), sweep(2.4, 6.0)], SPAN)
    assert volume.elevations == (1.5, 2.4)


def test_what_is_older_than_the_span_is_left_out_and_told_where_it_was_expected():
    """A radar that stopped in the middle of its scan."""
    late = scan()[:3] + scan(9.0)[:2]
    (volume,) = volumes(late, SPAN, expected={"one": STRATEGY})
    assert volume.elevations == (0.5, 1.5)
    assert volume.missing == (2.4, 3.4, 19.5)
    (volume,) = volumes(late, timedelta(minutes=9), expected={"another": STRATEGY})
    assert volume.elevations == (0.5, 1.5, 2.4)
    assert volume.missing == ()


def test_a_tilt_that_is_lost_is_told():
    """One of five."""
    for lost in range(5):
        left = [each for k, each in enumerate(scan()) if k != lost]
        (volume,) = volumes(left, SPAN, expected={"one": STRATEGY})
        assert volume.missing == (STRATEGY[lost],)


def test_of_a_split_cut_the_surveillance_is_taken_also_of_an_older_one():
    """Its repeats within the scan (SAILS) are split cuts too: the newest surveillance, whatever comes after."""
    cuts = [
        sweep(0.48, 0.0, gates=40, value=1),
        sweep(0.53, 0.4, gates=26, value=2),
        sweep(0.48, 2.0, gates=39, value=3),
        sweep(0.53, 2.4, gates=26, value=4),
        sweep(1.5, 1.0),
    ]
    (volume,) = volumes(cuts, SPAN)
    assert len(volume.sweeps) == 2
    assert volume.sweeps[0].moments["reflectivity"][0, 0] == 3
    assert set(volume.sweeps[0].moments) == {"reflectivity"}


def test_a_sweep_that_says_nothing_is_as_one_that_was_not_sent():
    """All of it missing, or without reflectivity: the one before stays. Where it found nothing, that is news."""
    before, empty = sweep(0.5, 0.0), sweep(0.5, 3.0, value=np.nan)
    (volume,) = volumes([before, empty, sweep(1.5)], SPAN)
    assert times(volume)[0] == 0.0
    doppler = replace(before, time=empty.time, moments={"velocity": before.moments["velocity"]})
    (volume,) = volumes([before, doppler], SPAN)
    assert times(volume) == [0.0]
    clear = replace(empty, undetect=np.ones_like(empty.undetect))
    (volume,) = volumes([before, clear], SPAN)
    assert times(volume) == [3.0]
    assert volumes([empty], SPAN) == []
    assert volumes([], SPAN) == []


def test_a_clock_that_is_ahead_is_not_followed_where_the_time_is_known():
    """A sweep of tomorrow would make all others old."""
    ahead = [*scan(), sweep(0.5, 1440.0)]
    (volume,) = volumes(ahead, SPAN, at=NOON + timedelta(minutes=5))
    assert volume.elevations == STRATEGY
    assert times(volume)[0] == 0.0
    (volume,) = volumes(ahead, SPAN)
    assert times(volume) == [1440.0]
    assert volumes(ahead, SPAN, at=NOON + timedelta(minutes=20)) == []


def test_where_a_radar_changes_its_strategy_the_old_tilts_stay_until_they_are_old():
    """The tilts of the new one that are still missing are told."""
    new = (0.5, 0.9, 1.3, 1.8, 2.4)
    changed = scan() + scan(5.0, new)[:3]
    (volume,) = volumes(changed, SPAN, expected={"one": new})
    assert volume.elevations == (0.5, 0.9, 1.3, 2.4, 3.4, 19.5)  # 1.5 is 1.3 sent before
    assert volume.missing == (1.8,)
    (volume,) = volumes(changed + scan(10.0, new), SPAN, expected={"one": new})
    assert volume.elevations == new
    assert volume.missing == ()


@given(st.permutations([(elevation, place) for elevation in STRATEGY for place in (33.0, 33.01, 34.5)]))
def test_radars_of_one_name_at_several_places_are_several(given):
    """As those whose files name none; where the files of one place it anew a little each time it stays one."""
    sweeps = [replace(sweep(elevation, radar=""), latitude=latitude) for elevation, latitude in given]
    one, other = volumes(sweeps, SPAN)
    assert {s.latitude for s in one.sweeps} <= {33.0, 33.01}
    assert {s.latitude for s in other.sweeps} == {34.5}
    assert one.elevations == other.elevations == STRATEGY
    with pytest.raises(DataError, match="several radars called '', that stand at different places"):
        Volume((sweep(0.5, radar=""), replace(sweep(1.5, radar=""), latitude=34.5)))


@pytest.mark.parametrize(
    ("elevations", "count"),
    [((0.5, 0.7), 1), ((2.4, 2.6), 1), ((4.3, 4.5), 1), ((0.5, 0.75), 2), ((0.5, 0.65, 0.8, 0.95, 1.1), 3)],
)
def test_what_one_tilt_is_hangs_neither_on_rounding_nor_on_those_between(elevations, count):
    """0.2 degrees are one wherever they are; a chain of small steps is not. Of composites it is the same."""
    (volume,) = volumes([sweep(elevation, k) for k, elevation in enumerate(elevations)], SPAN)
    assert len(volume.sweeps) == count
    geometry = Geometry(-97.1, 33.1, 0.05, -0.05, 5, 5)
    grids = [to_grid(sweep(elevation), geometry) for elevation in elevations]
    assert len(set(scans_of(grids).values())) == count


def test_a_sweep_sent_twice_counts_once_and_a_vertical_one_not_at_all():
    """The second copy, and a look straight up for the calibration of ZDR."""
    (volume,) = volumes([*scan(), *scan(), sweep(90.0)], SPAN)
    assert volume.elevations == STRATEGY


def test_volumes_that_are_none_are_refused():
    """No span, no sweeps, two radars, elevations that do not rise."""
    with pytest.raises(DataError, match="span of a volume must be positive, not 0:00:00"):
        volumes(scan(), timedelta(0))
    with pytest.raises(DataError, match="at least one sweep"):
        Volume(())
    with pytest.raises(DataError, match="several radars: one, two"):
        Volume((sweep(0.5), sweep(1.5, radar="two")))
    with pytest.raises(DataError, match="of one do not rise"):
        Volume((sweep(1.5), sweep(0.5)))


def test_a_real_volume_with_split_cuts(samples: Path):
    """Lubbock: 11 sweeps of 9 tilts; those for velocity end after 1192 gates."""
    read = read_sweeps(samples / "hail" / "KLBB20160601_150025_V06", moments=("reflectivity",))
    assert len(read) == 11
    (volume,) = volumes(
        read, timedelta(minutes=10), expected={"KLBB": [0.5, 1.5, 2.4, 3.4, 4.3, 6, 9.9, 14.6, 19.5]}
    )
    assert [each.ranges.size for each in volume.sweeps] == [1832, 1632, 1312, 1076, 908, 696, 448, 308, 232]
    assert volume.missing == ()
