"""How long tasks of one class take, fitted to the latest that are done: a line or a power law, and what is left over.

Enters: an array of features, and core-seconds. Leaves: a `Fit`, which gives quantiles for other features.

Two laws are fitted, and the one that errs less is taken: ``s = c0 + sum(c_i x_i)`` with no coefficient below zero,
which goes on well above what was seen, and ``log s = a + sum(b_i log(x_i + knee_i))``. What they miss is taken as it
was measured, of samples that are near in predicted seconds: that bends the law where it must, and gives the quantiles
without a distribution being assumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Fit", "fit", "quantile"]

Floats = NDArray[np.float64]

#: A residual of more than this many spreads counts less (Huber 1964); log seconds.
_HUBER = 1.5
#: Residuals are near when the predictions are within about a factor of e ** 0.5 of each other.
_NEAR = 0.5
#: Residuals that are assumed before any is known, as log seconds: half to double, and a few of four times.
_ASSUMED: Floats = np.array([-0.9, -0.4, 0.0, 0.4, 1.1])
_ASSUMED_WEIGHT = 0.3
#: The ridge, in samples: slopes begin at nothing.
_RIDGE = 0.3
#: The power of a feature at most: a steeper one is an accident of samples that hardly differ in it.
_STEEPEST = 1.25


@dataclass(frozen=True, slots=True)
class Fit:
    """A law for one class and one set of features; `law` gives log seconds, what it missed is in `residuals`."""

    linear: bool
    coefficients: Floats
    scale: Floats
    at: Floats
    residuals: Floats
    weights: Floats

    def law(self, features: Floats) -> Floats:
        """Return log core-seconds, before what was missed; features are (samples, features)."""
        raw = _design(features, self.scale, linear=self.linear) @ self.coefficients
        return np.log(np.maximum(raw, 1e-6)) if self.linear else np.clip(raw, -14.0, 30.0)

    def sorted(self) -> Fit:
        """Return it with what is assumed among what was missed, by size: quantiles are then read off."""
        values = np.concatenate([self.residuals, _ASSUMED])
        order = np.argsort(values, kind="stable")
        assumed = np.full(len(_ASSUMED), np.nan)  # near everything
        at = np.concatenate([self.at, assumed])[order]
        share = np.full(len(_ASSUMED), _ASSUMED_WEIGHT / len(_ASSUMED))
        weights = np.concatenate([self.weights, share])[order]
        return Fit(self.linear, self.coefficients, self.scale, at, values[order], weights)

    def spread(self, log_seconds: Floats, levels: tuple[float, ...]) -> tuple[list[Floats], Floats]:
        """Return quantiles of what was missed near each prediction (log), and the factors from these to the mean."""
        distance = (self.at - log_seconds[:, None]) / _NEAR
        # far samples still count a little: alone at the edge, they are all there is
        near = np.exp(-0.5 * distance**2) + 0.02
        weights = self.weights * np.where(np.isnan(near), 1.0, near)
        total = np.cumsum(weights, axis=1)
        ranks = total - 0.5 * weights
        *found, most = (_between(ranks, self.residuals, level * total[:, -1]) for level in (*levels, 0.98))
        capped = np.exp(np.minimum(self.residuals, most[:, None]))
        return found, (weights * capped).sum(axis=1) / total[:, -1]


def _between(ranks: Floats, values: Floats, wanted: Floats) -> Floats:
    """Return the value at a wanted rank in each row, between two values in proportion; ranks rise in each row."""
    above = (ranks < wanted[:, None]).sum(axis=1)
    low, high, row = np.maximum(above - 1, 0), np.minimum(above, len(values) - 1), np.arange(len(ranks))
    from_, to = ranks[row, low], ranks[row, high]
    share = np.where(low == high, 0.0, (wanted - from_) / np.where(low == high, 1.0, to - from_))
    found: Floats = values[low] + share * (values[high] - values[low])
    return found


def quantile(values: Floats, weights: Floats, level: float) -> float:
    """Return a weighted quantile, between samples in proportion (each stands in the middle of its weight)."""
    order = np.argsort(values, kind="stable")
    ranks = np.cumsum(weights[order]) - 0.5 * weights[order]
    return float(np.interp(level * float(weights.sum()), ranks, values[order]))


def fit(features: Floats, seconds: Floats, weights: Floats) -> Fit:
    """Fit both laws, robustly, and return the better; features are (samples, features), all finite and >= 0."""
    scale = np.array(
        [float(np.median(column[column > 0])) if (column > 0).any() else 1.0 for column in features.T]
    )
    logs = np.log(seconds)
    found = [_robust(features, logs, weights, scale, linear=linear) for linear in (True, False)]
    errors = [float(np.average(np.abs(one.residuals), weights=weights)) for one in found]
    return (found[0] if errors[0] <= 1.05 * errors[1] else found[1]).sorted()


def _design(features: Floats, scale: Floats, *, linear: bool) -> Floats:
    columns = features / scale if linear else np.log(features / scale + 0.05)
    return np.column_stack([np.ones(len(features)), columns])


def _robust(features: Floats, logs: Floats, weights: Floats, scale: Floats, *, linear: bool) -> Fit:
    design = _design(features, scale, linear=linear)
    now = weights
    result: Fit | None = None
    for _ in range(3):
        coefficients = _least(design, logs, now, linear=linear)
        result = Fit(linear, coefficients, scale, np.empty(0), np.empty(0), weights)
        at = result.law(features)
        missed = logs - at
        middle = quantile(missed, weights, 0.5)
        spread = 1.48 * quantile(np.abs(missed - middle), weights, 0.5) + 1e-3
        now = weights * np.minimum(1.0, _HUBER * spread / np.maximum(np.abs(missed - middle), 1e-9))
    return Fit(linear, coefficients, scale, at, missed, weights)


def _least(design: Floats, logs: Floats, weights: Floats, *, linear: bool) -> Floats:
    """Least squares within bounds: of the logarithm, or of the relative error with no coefficient below zero."""
    count = design.shape[1]
    if linear:
        design, target = design * np.exp(-logs)[:, None], np.ones(len(logs))
        low, high = np.zeros(count), np.full(count, np.inf)
    else:
        target = logs
        low, high = np.full(count, -1.0), np.full(count, _STEEPEST)
        low[0], high[0] = -np.inf, np.inf
    square = design.T @ (design * weights[:, None])
    right = design.T @ (target * weights)
    ridge = np.full(count, 1e-9 if linear else _RIDGE)
    ridge[0] = 1e-9
    return _bounded(square + np.diag(ridge), right, low, high)


def _bounded(square: Floats, right: Floats, low: Floats, high: Floats) -> Floats:
    """Minimise ``x square x / 2 - right x`` between bounds, one coordinate after the other."""
    free = np.linalg.solve(square + 1e-12 * np.eye(len(right)), right)
    if ((free >= low) & (free <= high)).all():
        return np.asarray(free, dtype=np.float64)
    rows, x = square.tolist(), [0.0] * len(right)
    wanted, least, most = right.tolist(), low.tolist(), high.tolist()
    for _ in range(100):
        moved = 0.0
        for n, row in enumerate(rows):
            rest = wanted[n] - sum(a * b for a, b in zip(row, x, strict=True)) + row[n] * x[n]
            new = min(max(rest / row[n], least[n]), most[n])
            moved, x[n] = max(moved, abs(new - x[n])), new
        if moved < 1e-4 * (max(map(abs, x)) + 1e-9):
            break
    return np.array(x)
