"""Hydrometeors by fuzzy logic, on gates that are made up. Real ones are in `test_hydrometeors_real`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.hydrometeors import classes, classified, hail_differential_reflectivity, severity
from dynamo.radar.polar import Sweep
from dynamo.radar.scheme import AXES, scheme

NOW = datetime(2017, 3, 29, 7, 30, tzinfo=UTC)
S = scheme("s-band")


OTHERS = (
    "velocity", "differential_reflectivity", "differential_phase", "cross_correlation", "signal_quality",
    "signal_to_noise", "specific_differential_phase",
)  # fmt: skip


def warm(heights: np.ndarray) -> np.ndarray:
    """20 degrees at sea level, 6.5 less for each km."""
    return 20 - 0.0065 * heights


def gate(z: float, zdr: float, kdp: float, rho: float, temperature: float) -> dict[str, np.ndarray]:
    return {
        name: np.full((1, 1), v, "f4") for name, v in zip(AXES, (z, zdr, kdp, rho, temperature), strict=True)
    }


def sweep(rays: int = 36, gates: int = 60, **moments) -> Sweep:
    full = {name: np.broadcast_to(np.float32(v), (rays, gates)).copy() for name, v in moments.items()}
    return Sweep(
        np.arange(rays) * 360.0 / rays, 500 + 250.0 * np.arange(gates), 1.0, full, np.zeros((rays, gates), bool),
        33.0, -97.0, 0.0, NOW, "x.tx",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "name", "hail_class"),
    [
        ((15, 0.4, 0.0, 0.99, 15), "drizzle", 1),
        ((35, 1.3, 0.2, 0.98, 15), "rain", 1),
        ((50, 2.0, 1.2, 0.98, 20), "rain", 2),
        ((20, 0.3, 0.0, 0.99, -20), "aggregates", 1),
        ((38, 0.2, 0.0, 0.99, -25), "low-density graupel", 3),
        ((55, 0.2, 0.2, 0.98, -10), "hail", 5),
        ((54, 0.5, 0.6, 0.95, 15), "hail", 4),
        ((56, 3.0, 2.5, 0.97, 20), "big drops", 2),
        ((63, 3.0, 2.5, 0.97, 20), "big drops", 4),
        ((8, 5.0, 0.0, 0.6, 20), "not weather", 0),
    ],
)
def test_clear_cases_of_s_band(values: tuple[float, ...], name: str, hail_class: int):
    """As textbooks have them; big drops above 60 dBZ are not without hail, and hail 21 dB above rain is large."""
    number = classes(gate(*values), S)
    assert S.classes[int(number[0, 0]) - 1].name == name
    assert severity(number, gate(*values), S)[0, 0] == hail_class


@pytest.mark.parametrize(("dbz", "hail_class"), [(47.5, 4), (48.5, 5)])
def test_hail_is_large_from_21_db_above_rain(dbz: float, hail_class: int):
    """At 0 dB rain reaches 27 dBZ."""
    number = np.full((1, 1), 1 + [each.name for each in S.classes].index("hail"), "f4")
    assert severity(number, gate(dbz, 0.0, 0.2, 0.98, -10), S)[0, 0] == hail_class


def test_hail_above_rain_by_hand():
    """27 dBZ at 0 dB and below, 19 dBZ more a dB, 60 from 1.74 dB on."""
    z = np.full(5, 60, "f4")
    ratio = np.array([-1, 0, 1, 1.74, 4], "f4")
    np.testing.assert_allclose(hail_differential_reflectivity(z, ratio), [33, 33, 14, -0.06, 0], atol=1e-4)


@settings(deadline=None)  # the first call compiles
@given(
    st.tuples(
        st.floats(-30, 90), st.floats(-10, 12), st.floats(-20, 40), st.floats(0, 1.2), st.floats(-120, 80)
    ),
    st.sampled_from(["s-band", "c-band", "x-band"]),
)
def test_whatever_a_gate_holds_it_has_a_class_of_the_scheme(values: tuple[float, ...], band: str):
    """Also far outside of what is tabulated."""
    one = scheme(band)
    number = classes(gate(*values), one)
    assert number[0, 0] in range(len(one.classes) + 1)
    assert severity(number, gate(*values), one)[0, 0] in range(6)


@settings(deadline=None)
@given(missing=st.sets(st.sampled_from([n for n in AXES if n != "reflectivity"])))
def test_what_is_missing_breaks_nothing(missing: set[str]):
    """A moment that is absent and one that is NaN are the same."""
    full = gate(56, 0.2, 0.2, 0.98, -10)
    absent = {name: v for name, v in full.items() if name not in missing}
    nan = {name: v * np.nan if name in missing else v for name, v in full.items()}
    np.testing.assert_array_equal(classes(absent, S), classes(nan, S))


def test_without_differential_reflectivity_nothing_is_called_hail():
    """70 dBZ alone are doubtful."""
    alone = {"reflectivity": np.full((1, 1), 70, "f4")}
    assert severity(classes(alone, S), alone, S)[0, 0] == 3


def test_a_sweep_of_reflectivity_alone_passes():
    """It has both moments, and says which tests were made and by what scheme."""
    made = classified(sweep(reflectivity=35), S, warm)
    assert made.attributes == {"quality": "specks", "scheme": "s-band"}
    assert (made.moments["hail_class"] == 1).all()
    assert {"hail_class", "hydrometeor"} < set(made.moments)


def test_melting_hail_is_hail_at_short_waves_only_there():
    """57 dBZ, 5 dB and 0.9: near the ground it is hail at C band, big drops at S band."""
    values = gate(58, 5.0, 3.0, 0.90, 15)
    names = {
        b: scheme(b).classes[int(classes(values, scheme(b))[0, 0]) - 1].name for b in ("s-band", "c-band")
    }
    assert names == {"s-band": "big drops", "c-band": "melting hail"}


def test_hail_in_a_few_gates_alone_is_doubtful():
    """Three gates that touch are, four are not; at X band eight and nine. The class of hydrometeors stays."""
    rain = {"differential_reflectivity": 1.5, "cross_correlation": 0.98}
    for band, most in (("s-band", 3), ("x-band", 8)):
        for size in (most, most + 1):
            ratio = np.full((36, 60), 1.5, "f4")
            strength = np.full((36, 60), 38, "f4")
            strength[5, 10 : 10 + size], ratio[5, 10 : 10 + size] = 55, 0.2
            made = classified(
                sweep(**{**rain, "reflectivity": strength, "differential_reflectivity": ratio}),
                replace(scheme(band), smoothing=0.0), warm,
            ).moments  # fmt: skip
            worst = np.unique(made["hail_class"][5, 10 : 10 + size])
            assert (worst >= 4).all() == (size > most), (band, size, worst)
            assert (made["hydrometeor"][5, 10 : 10 + size] == 9).all()


@pytest.mark.parametrize("seed", range(60))
def test_whatever_a_sweep_holds_it_passes(seed: int):
    """Moments there or not, noise, constant, missing, infinite or absurd: a class of the scheme, and no warning."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 40, 2))
    moments = {}
    for name in ("reflectivity", *rng.permutation(OTHERS)[: rng.integers(0, 8)]):
        made = [
            rng.normal(0, 50, shape),
            np.full(shape, 40.0),
            rng.uniform(0, 360, shape),
            rng.uniform(0, 1, shape),
        ]
        values = made[rng.integers(4)].astype("f4")
        values[rng.random(shape) < rng.random()] = np.nan
        values[rng.random(shape) < 0.02] = rng.choice([np.inf, -np.inf, 1e30, -1e30])
        moments[name] = values
    odd = replace(
        sweep(*shape), azimuths=rng.permutation(np.linspace(0, 359, shape[0])), moments=moments,
        undetect=rng.random(shape) < 0.2, elevation=float(rng.choice([0.5, 5, 90])),
    )  # fmt: skip
    told = classified(odd, scheme(str(rng.choice(["s-band", "c-band", "x-band"]))), warm).moments
    worst = told["hail_class"]
    assert np.isin(worst[np.isfinite(worst)], range(6)).all()
    assert (np.isfinite(worst) == np.isfinite(told["hydrometeor"])).all()


def test_a_sweep_without_reflectivity_is_refused():
    """With the moments that it has."""
    with pytest.raises(
        DataError, match=r"sweep of x.tx: hydrometeors need reflectivity; its moments: velocity"
    ):
        classified(sweep(velocity=3), S, warm)


def test_nothing_known_is_nothing_told():
    """A sweep without a value stays without, and without a warning; nothing detected stays what it is."""
    empty = sweep(reflectivity=np.nan, differential_reflectivity=np.nan, differential_phase=np.nan)
    empty.undetect[:, 10:] = True
    made = classified(empty, S, warm)
    for name in ("hail_class", "hydrometeor"):
        assert np.isnan(made.moments[name]).all()
    np.testing.assert_array_equal(made.undetect, empty.undetect)


def test_the_order_of_rays_does_not_matter():
    """Rays of different weather, shuffled, have the same classes, shuffled."""
    rng = np.random.default_rng(9)
    rain = sweep(
        reflectivity=rng.uniform(10, 60, (36, 1)), differential_reflectivity=rng.uniform(0, 3, (36, 1)),
        cross_correlation=rng.uniform(0.85, 1, (36, 1)), differential_phase=rng.normal(60, 3, (36, 60)),
    )  # fmt: skip
    order = rng.permutation(36)
    moments = {name: values[order] for name, values in rain.moments.items()}
    shuffled = replace(rain, azimuths=rain.azimuths[order], moments=moments)
    one = classified(rain, S, warm, system_phase=60.0)
    other = classified(shuffled, S, warm, system_phase=60.0)
    for name, values in one.moments.items():
        np.testing.assert_array_equal(values[order], other.moments[name])


def test_classes_depend_on_what_it_is_above_the_ground():
    """The same moments are ice above the melting level and drizzle or rain below it."""
    column = {**gate(18, 0.6, 0.0, 0.99, 0)}
    told = []
    for temperature in (15, -25):
        number = classes({**column, "temperature": np.full((1, 1), temperature, "f4")}, S)
        told.append(S.classes[int(number[0, 0]) - 1].name)
    assert told == ["drizzle", "aggregates"]
