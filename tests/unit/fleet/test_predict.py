"""What a job will take is known of those that are done, and what is not known is said to be a guess."""

from __future__ import annotations

import json
import math
import random
import tracemalloc
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.fleet.predict import CLASSES, GUESS, WINDOW, Estimate, Predictor, together
from dynamo.fleet.regression import fit, quantile

numbers = st.one_of(st.none(), st.floats(), st.just(0.0))
jobs = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.fixed_dictionaries(
            {}, optional={"bytes": numbers, "echo_km2": numbers, "lead": numbers, "tasks": numbers}
        ),
        st.floats(),
    ),
    max_size=40,
)


def storms(jobs, random, law, noise=0.3):
    """Yield jobs whose echo area goes over three decades, and what they take."""
    for _ in range(jobs):
        area = float(np.exp(random.uniform(np.log(50), np.log(60000))))
        yield {"echo_km2": area, "bytes": 1e5 + 20 * area}, law(area) * float(np.exp(noise * random.normal()))


def test_an_unknown_class_gets_a_guess_that_says_so():
    """The prior is what the class was made with."""
    estimate = Predictor().predict("contour", {"echo_km2": 10.0})
    assert (estimate.p50, estimate.p90, estimate.mean) == GUESS
    assert not estimate.known
    assert estimate.samples == 0


def test_a_class_is_known_from_the_third_job_on():
    """One or two might be anything: the estimate is of them, and is said to be a guess."""
    predictor = Predictor()
    found = []
    for _ in range(3):
        predictor.learn("a", {}, 10.0)
        found.append(predictor.predict("a").known)
    assert found == [False, False, True]
    assert predictor.predict("a").p50 == pytest.approx(10.0, rel=0.2)
    assert predictor.predict("a").p90 > 10.0


def test_a_class_is_taken_for_what_its_tasks_took_elsewhere_until_it_is_known():
    """Jobs that are packed otherwise than before are no guess; three that are done say more than that."""
    predictor = Predictor()
    features = {"usual": 7.0, "tasks": 96.0}
    for _ in range(3):
        made = predictor.predict("a", features)
        assert (made.p50, made.p90, made.mean, made.known) == (10.0, 20.0, 12.0, True)
        predictor.learn("a", features, 40.0)
    assert predictor.predict("a", features).p50 == pytest.approx(40.0, rel=0.1)
    for nonsense in (None, math.nan, math.inf, 0.0, -1.0):
        assert not predictor.predict("b", {"usual": nonsense}).known


@pytest.mark.parametrize("law", [lambda area: 0.4 + area / 300, lambda area: 0.05 * area**0.75])
def test_seconds_that_range_two_hundredfold_are_within_p90_nine_times_in_ten(law):
    """For work that grows with the echo area, and for work that grows less; the error is near the noise of 1.22."""
    random, predictor, rows = np.random.default_rng(1), Predictor(), []
    for n, (features, seconds) in enumerate(storms(700, random, law)):
        made = predictor.predict("a", features)
        predictor.learn("a", features, seconds)
        if n >= 100:
            rows.append((made.p50, made.p90, made.mean, seconds))
    table = np.array(rows)
    assert np.quantile(table[:, 3], 0.99) > 150 * np.quantile(table[:, 3], 0.01)
    assert 0.85 <= (table[:, 3] <= table[:, 1]).mean() <= 0.95
    assert np.exp(np.median(np.abs(np.log(table[:, 3] / table[:, 0])))) < 1.3
    assert table[:, 2].sum() == pytest.approx(table[:, 3].sum(), rel=0.15)


def test_a_storm_is_foreseen_from_the_calm_before_it():
    """Beyond what was seen the line goes on: thirty times the area is not taken for the same work."""
    random, predictor = np.random.default_rng(2), Predictor()
    for _ in range(100):
        area = random.uniform(0, 1000)
        predictor.learn("a", {"echo_km2": area}, (1.0 + area / 100) * float(np.exp(0.1 * random.normal())))
    assert predictor.predict("a", {"echo_km2": 30000.0}).p50 == pytest.approx(301.0, rel=0.5)


def test_what_the_last_storm_taught_outlasts_a_week_of_calm():
    """Old samples of large jobs are kept although thousands of small ones came since."""
    predictor = Predictor()
    for area in (20000.0, 30000.0, 40000.0) * 5:
        predictor.learn("a", {"echo_km2": area}, area / 100)
    for n in range(2000):
        predictor.learn("a", {"echo_km2": 10.0 + n % 7}, 0.5)
    rows = predictor.state()["a"]["rows"]
    assert len(rows) == WINDOW
    assert sum(row[1] >= 20000.0 for row in rows) == 15
    assert predictor.predict("a", {"echo_km2": 30000.0}).p50 == pytest.approx(300.0, rel=0.3)


def test_when_everything_takes_twice_as_long_it_is_put_right_within_thirty_jobs():
    """The under-estimate by half is what does harm."""
    random, predictor = np.random.default_rng(3), Predictor()
    for features, seconds in storms(300, random, lambda area: 0.4 + area / 300):
        predictor.learn("a", features, seconds)
    late = list(storms(60, random, lambda area: 2 * (0.4 + area / 300)))
    ratios = []
    for features, seconds in late:
        ratios.append(seconds / predictor.predict("a", features).p50)
        predictor.learn("a", features, seconds)
    assert np.median(ratios[:5]) > 1.5
    assert np.median(ratios[30:]) < 1.35


def test_a_missing_feature_widens_the_estimate_and_fails_nothing():
    """Where the echo area is not known, the job may be any of its class."""
    random, predictor = np.random.default_rng(4), Predictor()
    for features, seconds in storms(200, random, lambda area: 0.4 + area / 300, noise=0.05):
        predictor.learn("a", {"echo_km2": features["echo_km2"]}, seconds)
    known, unknown = (
        predictor.predict("a", {"echo_km2": 3000.0}),
        predictor.predict("a", {"echo_km2": math.nan}),
    )
    assert known.p90 / known.p50 < 1.5
    assert unknown.p90 / unknown.p50 > 4.0


def test_an_outlier_moves_little():
    """One job in a hundred that hung for an hour is not what the others take."""
    predictor = Predictor()
    for n in range(100):
        predictor.learn("a", {"bytes": 1e6}, 3600.0 if n == 60 else 5.0)
    estimate = predictor.predict("a", {"bytes": 1e6})
    assert estimate.p50 == pytest.approx(5.0, rel=0.05)
    assert estimate.mean < 10.0


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_what_makes_no_sense_is_not_learned(seconds):
    """A job that took no time, or for ever, tells nothing."""
    predictor = Predictor()
    assert not predictor.learn("a", {}, seconds)
    assert predictor.state() == {}


@given(jobs)
@settings(deadline=None, max_examples=40)
def test_whatever_is_learned_estimates_are_sane_and_outlive_a_restart(jobs):
    """Finite and above nothing, p50 no more than p90; the state is JSON, and what is restored is the same again."""
    predictor = Predictor()
    for kind, features, seconds in jobs:
        estimate = predictor.predict(kind, features)
        assert 0.0 < estimate.p50 <= estimate.p90 < math.inf
        assert 0.0 < estimate.mean < math.inf
        predictor.learn(kind, features, seconds)
    state = predictor.state()
    again = Predictor.restore(json.loads(json.dumps(state, allow_nan=False)))
    assert again.state() == state
    assert again.predict("a", {"bytes": 1e6}).known == predictor.predict("a", {"bytes": 1e6}).known


def test_the_state_is_bounded():
    """Of classes the longest unused goes, of samples the oldest of the commonest size."""
    predictor = Predictor()
    for n in range(CLASSES + 5):
        predictor.learn(f"class {n}", {}, 1.0)
    for _ in range(WINDOW + 5):
        predictor.learn("class 9", {}, 1.0)
    state = predictor.state()
    assert len(state) == CLASSES
    assert "class 0" not in state
    assert len(state["class 9"]["rows"]) == WINDOW


def test_a_job_that_runs_has_less_left_until_it_outlasts_what_was_expected():
    """Then it is taken to go on for a part of what it took."""
    whole = Estimate(10.0, 30.0, 12.0)
    assert whole.left(4.0) == Estimate(6.0, 26.0, 8.0)
    assert whole.left(100.0) == Estimate(15.0, 15.0, 15.0)


def test_of_several_jobs_part_of_the_margin_evens_out():
    """By hand: sqrt(0.25 * 40**2 + 0.75 * 4 * 10**2) = 26.46 on top of 4 * 10."""
    mean, high = together([Estimate(8.0, 20.0, 10.0)] * 4)
    assert mean == 40.0
    assert high == pytest.approx(40.0 + 26.4575, abs=1e-3)
    assert together([]) == (0.0, 0.0)


def test_a_weighted_quantile_is_that_of_the_repeated_samples():
    """Between samples it is interpolated; beyond them it is the last."""
    values = np.array([3.0, 1.0, 2.0])
    assert quantile(values, np.ones(3), 0.5) == 2.0
    assert quantile(values, np.array([0.0, 1.0, 1.0]), 0.5) == 1.5
    assert quantile(values, np.ones(3), 0.99) == 3.0


def test_a_line_is_fitted_exactly():
    """Without noise both its coefficients come out, whatever the scale."""
    area = np.linspace(1, 30000, 50)
    made = fit(area[:, None], 0.5 + area / 700, np.ones(50))
    assert made.linear
    np.testing.assert_allclose(np.exp(made.law(np.array([[0.0], [60000.0]]))), [0.5, 86.214], rtol=0.02)


def test_many_jobs_at_once_are_expected_to_take_what_each_is_alone():
    """Of several classes, known, hardly known and not, of which not the same features are known."""
    predictor, draw = Predictor(), random.Random(7)
    for n in range(90):
        tasks = 3.0 if n % 4 else None
        predictor.learn(
            f"kind{n % 3}", {"bytes": draw.random() * 1e6, "tasks": tasks}, 5 + draw.random() * 50
        )
    predictor.learn("new", None, 30.0)
    known = [None, {}, {"bytes": 2e6}, {"bytes": 1e3, "tasks": 3.0}, {"usual": 40.0}, {"echo_km2": 1e4}]
    asked = [(kind, one) for kind in ("kind0", "new", "kind1", "nobody", "kind2") for one in known]
    for (kind, features), found in zip(asked, predictor.predict_all(asked), strict=True):
        alone = predictor.predict(kind, features)
        assert astuple(found) == pytest.approx(astuple(alone), rel=1e-12)
    assert predictor.predict_all([]) == []


def test_a_whole_storm_of_jobs_takes_little_memory():
    """Each job is compared with 200 samples: of 10,000 at a time that would be 16 MB for each of ten arrays."""
    predictor, draw = Predictor(), np.random.default_rng(5)
    for features, seconds in storms(WINDOW, draw, lambda area: 1 + area / 700):
        predictor.learn("a", features, seconds)
    asked = [("a", features) for features, _ in storms(10_000, draw, lambda area: area)]
    tracemalloc.start()
    found = predictor.predict_all(asked)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 40e6
    for place in (0, 999, 1000, 9_999):
        alone = predictor.predict(*asked[place])
        assert astuple(found[place]) == pytest.approx(astuple(alone), rel=1e-12)
