"""How many core-seconds a job will take, learned of those that are done.

Enters: features that are known before it runs, and afterwards what it took. Leaves: an `Estimate`. Nothing goes wrong:
a class that is not known gets a guess that says so, a value that makes no sense is left out. Where a job tells what its
tasks took in other jobs, that is the estimate until three of its class are done: jobs are packed otherwise as it
becomes known how long tasks take, and are another class then.

Each class keeps `WINDOW` samples, and a law fitted to them (`dynamo.fleet.regression`). What is kept is the latest of
each size of job (a factor of two in echo area, or bytes), so that a week of calm does not drive out what the last storm
taught; newer ones of a size weigh more. Two corrections follow what the law is slow to see: `bias`, the mean of what
the latest predictions missed (an estimate that is half of what it should be is put right within some ten jobs), and
`level`, the quantile that is taken for p90, moved until nine jobs of ten are below it (Gibbs and Candes 2021, eq. 2).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynamo.fleet.regression import Fit, fit

__all__ = ["FEATURES", "GUESS", "WINDOW", "Estimate", "Predictor", "together"]

#: Input bytes; square kilometres with an echo above 20 dBZ; minutes ahead; how many tasks the job does.
FEATURES = ("bytes", "echo_km2", "lead", "tasks")
#: Samples kept of a class, and classes kept in all: the state is bounded.
WINDOW, CLASSES = 200, 200
#: One that is followed by this many of its size weighs half.
_HALF = 30
#: How much the latest sample moves the bias, and the level.
_BIAS_STEP, _LEVEL_STEP = 0.1, 0.01
_KNOWN = 3  # samples from which on an estimate is called known
_BLOCK = 1000  # jobs that are predicted at a time: each is compared with all samples
_ALIKE = 0.25  # the share of what jobs of one class miss that they miss together: it is the same storm

#: Before anything is known: a minute's job. (p50, p90, mean)
GUESS = (20.0, 120.0, 45.0)
#: Of a class of which too little is known, where the job tells what its tasks took in other jobs (``usual``): seconds
#: that a job costs beside its tasks, and p90 and mean over p50.
_USUAL, _BESIDE, _WIDE, _ABOVE = "usual", 3.0, 2.0, 1.2


@dataclass(frozen=True, slots=True)
class Estimate:
    """Core-seconds of a job: half take no longer than `p50`, nine of ten no longer than `p90`; `known` if learned."""

    p50: float
    p90: float
    mean: float
    known: bool = True
    samples: int = 0

    def left(self, done: float) -> Estimate:
        """Return what is left after `done` core-seconds: one that outlasts what was expected goes on for a while."""
        rest = [max(value - done, 0.15 * done) for value in (self.p50, self.p90, self.mean)]
        return Estimate(rest[0], max(rest[1], rest[2]), rest[2], self.known, self.samples)


def together(
    estimates: Iterable[Estimate], counts: Iterable[int] = itertools.repeat(1)
) -> tuple[float, float]:
    """Return core-seconds of several jobs: what is expected, and what is not exceeded nine times in ten.

    Of each estimate there are so many jobs. Part of what they miss they miss together, the rest evens out: four alike
    jobs need not four times the margin.
    """
    mean = apart = joint = 0.0
    for one, count in zip(estimates, counts, strict=False):
        more = max(one.p90 - one.mean, 0.0)
        mean, apart, joint = mean + count * one.mean, apart + count * more * more, joint + count * more
    return mean, mean + math.sqrt(_ALIKE * joint * joint + (1 - _ALIKE) * apart)


@dataclass(slots=True)
class _Kind:
    """What is kept of one class: rows of features (NaN where one was not known) and seconds, the oldest first."""

    rows: list[list[float]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=lambda: [0] * len(FEATURES))
    bias: float = 0.0
    level: float = 0.9
    count: int = 0
    fits: dict[tuple[int, ...], tuple[int, Fit]] = field(default_factory=dict)

    def add(self, row: list[float]) -> None:
        """Keep a sample, and let the oldest of the commonest size go if they are too many."""
        self.rows.append(row)
        self.sizes.append(_size(row))
        self._count(row, 1)
        if len(self.rows) > WINDOW:
            gone = self.sizes.index(Counter(self.sizes).most_common(1)[0][0])
            self._count(self.rows.pop(gone), -1)
            del self.sizes[gone]

    def _count(self, row: list[float], step: int) -> None:
        for n in range(len(FEATURES)):
            self.seen[n] += 0 if math.isnan(row[n]) else step

    def weights(self) -> NDArray[np.float64]:
        """Return how much each sample counts: less, the more of its size came after it."""
        younger: Counter[int] = Counter()
        weights = []
        for size in reversed(self.sizes):
            weights.append(0.5 ** (younger[size] / _HALF))
            younger[size] += 1
        return np.array(weights[::-1])


class Predictor:
    """Estimates by class; `state` is plain JSON, from which `restore` makes it again."""

    def __init__(self, guess: tuple[float, float, float] = GUESS) -> None:
        self._guess = guess
        self._kinds: dict[str, _Kind] = {}

    def predict(self, kind: str, features: Mapping[str, float | None] | None = None) -> Estimate:
        """Return what a job of this class is expected to take."""
        return self.predict_all([(kind, features)])[0]

    def predict_all(self, asked: Sequence[tuple[str, Mapping[str, float | None] | None]]) -> list[Estimate]:
        """Return what jobs of these classes and features are expected to take, those of one class in one go."""
        p50, p90, mean = self._guess
        estimates = [Estimate(p50, p90, mean, known=False)] * len(asked)
        alike: dict[tuple[str, tuple[bool, ...]], list[tuple[int, list[float]]]] = {}
        for n, (kind, features) in enumerate(asked):
            found = self._kinds.get(kind)
            if (found is None or found.count < _KNOWN) and (usual := _usual(features)):
                estimates[n] = usual
            elif found is not None and found.rows:
                row = _row(features)
                alike.setdefault((kind, tuple(map(math.isnan, row))), []).append((n, row))
        for (kind, _), same in alike.items():
            for start in range(0, len(same), _BLOCK):
                some = same[start : start + _BLOCK]
                rows = [row for _, row in some]
                for (n, _), estimate in zip(some, _estimates(self._kinds[kind], rows), strict=True):
                    estimates[n] = estimate
        return estimates

    def learn(self, kind: str, features: Mapping[str, float | None] | None, seconds: float) -> bool:
        """Learn what a job took; False where that makes no sense (not finite, not above zero).

        Only of jobs that ended well: one that failed, was removed or lost its machine tells nothing.
        """
        if not math.isfinite(seconds) or seconds <= 0.0:
            return False
        seconds = min(max(seconds, 1e-3), 1e8)
        row = _row(features)
        found = self._kinds.pop(kind, None) or _Kind()
        self._kinds[kind] = found  # the one that was used last stands last
        if len(self._kinds) > CLASSES:
            del self._kinds[next(iter(self._kinds))]
        if found.rows:
            self._check(found, row, math.log(seconds))
        found.add([*row, seconds])
        found.count += 1
        return True

    def state(self) -> dict[str, Any]:
        """Return all that was learned, as plain JSON: at most `CLASSES` classes of `WINDOW` samples."""
        return {
            kind: {
                "bias": round(one.bias, 6),
                "level": round(one.level, 6),
                "count": one.count,
                "rows": [
                    [None if math.isnan(value) else float(f"{value:.6g}") for value in row]
                    for row in one.rows
                ],
            }
            for kind, one in self._kinds.items()
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any], guess: tuple[float, float, float] = GUESS) -> Predictor:
        """Return the predictor that wrote this state."""
        made = cls(guess)
        for kind, one in state.items():
            rows = [[math.nan if value is None else float(value) for value in row] for row in one["rows"]]
            rows = [row for row in rows if len(row) == len(FEATURES) + 1]  # of a version with other features
            found = _Kind(bias=float(one["bias"]), level=float(one["level"]), count=int(one["count"]))
            for row in rows:
                found.add(row)
            made._kinds[kind] = found
        return made

    def _check(self, found: _Kind, row: list[float], actual: float) -> None:
        """Compare with what would have been predicted, and move the bias and the level."""
        middle, low, high, _ = (float(one[0]) for one in _raw(found, [row]))
        missed = actual - (middle + low)
        found.bias += _BIAS_STEP * (min(max(missed, -1.5), 1.5) - found.bias)
        above = actual > middle + _shrunk(found) + high
        found.level = min(max(found.level + _LEVEL_STEP * (above - 0.1), 0.8), 0.985)


def _raw(found: _Kind, rows: Sequence[list[float]]) -> tuple[NDArray[np.float64], ...]:
    """Return log seconds by the law, two quantiles of what it misses, and factors to the mean; without the bias.

    Of all rows the same features are known.
    """
    usable = _usable(found, rows[0])
    made = _fitted(found, usable)
    middle = made.law(np.array([[row[n] for n in usable] for row in rows], dtype=np.float64))
    (low, high), factor = made.spread(middle, (0.5, found.level))
    return middle, low, high, factor


def _estimates(found: _Kind, rows: Sequence[list[float]]) -> list[Estimate]:
    """Return what jobs of one class are expected to take, of all of which the same features are known."""
    middle, low, high, factor = _raw(found, rows)
    base = middle + _shrunk(found)
    p50 = np.exp(base + low)
    p90, mean = np.maximum(np.exp(base + high), p50), np.exp(base) * factor
    known, count = found.count >= _KNOWN, found.count
    return [
        Estimate(*one, known, count) for one in zip(p50.tolist(), p90.tolist(), mean.tolist(), strict=True)
    ]


def _shrunk(found: _Kind) -> float:
    """Return the bias, without what is mere noise of so few samples."""
    noise = 0.1 if found.count >= 10 else 0.3
    return math.copysign(max(abs(found.bias) - noise, 0.0), found.bias)


def _row(features: Mapping[str, float | None] | None) -> list[float]:
    given = features or {}
    values = [given.get(name) for name in FEATURES]
    return [float(v) if v is not None and math.isfinite(v) and v >= 0.0 else math.nan for v in values]


def _usual(features: Mapping[str, float | None] | None) -> Estimate | None:
    """Return what a job says that its tasks took in other jobs; None where it does not."""
    seconds = (features or {}).get(_USUAL)
    if seconds is None or not (math.isfinite(seconds) and seconds > 0.0):
        return None
    p50 = seconds + _BESIDE
    return Estimate(p50, _WIDE * p50, _ABOVE * p50)


def _usable(found: _Kind, row: list[float]) -> tuple[int, ...]:
    """Return the features that are known of this job and of most samples; none as long as there are few samples."""
    size = len(found.rows)
    if size < 6:
        return ()
    least = max(0.7 * size, 6)
    return tuple(n for n, seen in enumerate(found.seen) if seen >= least and not math.isnan(row[n]))


def _size(row: list[float]) -> int:
    """Return the size of a job: a step for each factor of two; 0 where nothing is known of it."""
    known = next((value for value in (row[1], row[0]) if not math.isnan(value)), 0.0)
    return round(math.log2(known + 1.0))


def _fitted(found: _Kind, usable: tuple[int, ...]) -> Fit:
    """Return the law for these features: fitted again when a tenth of the samples is new."""
    kept = found.fits.get(usable)
    if kept is not None and found.count - kept[0] < max(1, min(len(found.rows), WINDOW) // 10):
        return kept[1]
    samples: NDArray[np.float64] = np.array(found.rows, dtype=np.float64)
    features = samples[:, list(usable)]
    if usable:
        features = np.where(np.isnan(features), np.nanmedian(features, axis=0), features)
    made = fit(features, samples[:, -1], found.weights())
    found.fits[usable] = (found.count, made)
    return made
