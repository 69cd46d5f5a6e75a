"""Scores: against numbers worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dynamo.errors import DataError
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.scores import Scores, compare


def grid(values, **more):
    values = np.asarray(values, dtype="f4")
    geometry = Geometry(0, 0, 1000, -1000, values.shape[1], values.shape[0], "EPSG:3857")
    return Grid.from_values(values, geometry, datetime(2020, 6, 1, tzinfo=UTC), undetect=values < 0, **more)


FORECAST = grid([[40, 40, 0, -1], [10, 40, np.nan, 50]])
OBSERVED = grid([[50, 30, 36, -1], [40, -1, 40, np.nan]])


def test_the_table_of_events():
    """Of six cells known in both there are 1 hit, 2 misses, 2 false alarms and 1 correct negative."""
    s = compare(FORECAST, OBSERVED, 35)
    assert (s.hits, s.misses, s.false_alarms, s.correct_negatives) == (1, 2, 2, 1)
    assert (s.csi, s.pod, s.far, s.bias) == pytest.approx((1 / 5, 1 / 3, 2 / 3, 1))


def test_the_mean_error_is_over_wet_cells():
    """Errors 10, 10, 36, 30, 40 over the five cells with at least 5 dBZ; no echo counts as 0 dBZ."""
    s = compare(FORECAST, OBSERVED, 35)
    assert s.wet == 5
    assert s.mae == pytest.approx((10 + 10 + 36 + 30 + 40) / 5)


def test_fractions_in_a_window():
    """One cell forecast beside one observed: counts of 1/9 in 3 x 3 windows that overlap in six of nine."""
    a, b = np.zeros((7, 8)), np.zeros((7, 8))
    a[3, 3] = b[3, 4] = 40
    s = compare(grid(a), grid(b), 35, window_km=3)
    assert s.fss == pytest.approx(1 - 6 / 18)
    assert compare(grid(a), grid(b), 35, window_km=0.1).fss == 0


def test_pooling_adds_counts_not_scores():
    """One hit of one, pooled with no hit of three, is one of four."""
    pooled = Scores(hits=1) + Scores(misses=3)
    assert pooled.csi == 0.25


def test_a_mask_restricts():
    """Only masked cells count."""
    s = compare(FORECAST, OBSERVED, 35, mask=np.array([[True] + 3 * [False], 4 * [False]]))
    assert (s.hits, s.misses, s.false_alarms, s.correct_negatives) == (1, 0, 0, 0)


def test_nothing_at_all_has_no_score():
    """Where nothing was forecast or observed, scores are NaN, not perfect."""
    s = compare(grid(np.zeros((3, 3))), grid(np.zeros((3, 3))), 35)
    assert np.isnan([s.csi, s.pod, s.far, s.fss, s.mae, s.bias]).all()


FIELDS = hnp.arrays("f4", (5, 6), elements=st.sampled_from([0, 20, 36, 50, np.nan]))


@given(FIELDS, FIELDS)
def test_scores_are_bounded_and_symmetric(a, b):
    """CSI, FSS and MAE lie in their ranges and do not care which grid is the truth."""
    one, other = compare(grid(a), grid(b)), compare(grid(b), grid(a))
    for name in ("csi", "fss", "mae"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)
    assert not one.csi < 0
    assert not one.csi > 1
    assert not one.fss < -1e-9
    assert not one.fss > 1


@given(FIELDS)
def test_a_perfect_forecast_is_perfect(a):
    """The observation itself scores 1, or NaN where there is no event."""
    s = compare(grid(a), grid(a))
    events = bool((a >= 35).any())
    assert s.csi == 1 if events else np.isnan(s.csi)
    assert s.fss == pytest.approx(1) if events else np.isnan(s.fss)
    assert not s.mae > 0


def test_other_grids_are_refused():
    """Geometry, quantity and mask must fit; the message says how they do not."""
    with pytest.raises(DataError, match="3 x 3 cells instead of 2 x 4"):
        compare(grid(np.zeros((3, 3))), OBSERVED)
    with pytest.raises(DataError, match="rain_rate"):
        compare(grid(np.zeros((2, 4)), quantity="rain_rate"), OBSERVED)
    with pytest.raises(DataError, match="mask"):
        compare(FORECAST, OBSERVED, mask=np.ones((3, 3), dtype=bool))
