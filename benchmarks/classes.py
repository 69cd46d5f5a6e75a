"""The memberships of S band, fitted and judged: ``python benchmarks/classes.py [--quick] [--write FILE]``, by itself.

From each of the three RHIs of NPOL functions and weights are fitted to the classes that are stored with it, and judged
on all three; so is the scheme that comes along. ``--write`` writes that scheme with what was fitted to the first RHI in
it, which is how its ten classes were made. The stored class is made likeliest: the gradient of the cross-entropy of all
scores, over random batches of gates (Adam: Kingma and Ba 2015). Each function begins at the 2nd and 98th percentiles of
its class and is held there by a small penalty, so that what the storm says nothing of stays where it was; on open sides
the percentile is the 25th or 75th.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

from dynamo.radar.hydrometeors import classes
from dynamo.radar.polar import beam_height
from dynamo.radar.scheme import AXES, scheme
from peer import ROOT

SAMPLES = Path(os.environ.get("DYNAMO_SAMPLES", ROOT.parent / "shared" / "data"))
SCHEME = ROOT / "dynamo" / "radar" / "schemes" / "s-band.json"
FIELDS = ("CZ", "DR", "KD", "RH")  # as in AXES; the temperature is made
# Widths that are allowed, and the steepness to begin with, of each variable.
LEAST, MOST = np.array([2, 0.3, 0.1, 0.01, 2]), np.array([40, 4, 4, 0.2, 60])
STEEP = np.array([6, 2, 2, 2, 6.0])
PENALTY, RARE = 2e-3, 0.35  # rare classes count more, by this power of their number


def gates():
    """Variables ``(n, 5)``, stored class from 0 and RHI of each gate."""
    sys.path.insert(0, str(ROOT))
    from tests.unit.radar import uf

    file = uf.read(SAMPLES / "hail" / "MC3E_NPOL_2011_0524_2356_hid.uf.gz")
    heights = np.stack([beam_height(file["range"], e) for e in file["elevation"]])
    known = file["FH"] >= 1
    values = [*(file[name] for name in FIELDS), -0.0065 * (heights - 3600)]
    rhi = np.broadcast_to(file["sweep"][:, None], known.shape)
    return (
        np.stack([v[known] for v in values], axis=1).astype("f8"),
        file["FH"][known].astype(int) - 1,
        rhi[known],
    )


def open_sides():
    """``(class, variable)``: 1 where all above the middle fit, -1 where all below do, as the scheme says."""
    sides = {"above": 1, "below": -1, None: 0}
    about = list(json.loads(SCHEME.read_text())["classes"].values())[:10]
    return np.array([[sides[each[v].get("open")] for v in AXES] for each in about])


def start(x, y, side):
    """Middles, logarithms of widths and of steepness, and of the weights, to begin with; and that of a sharpness."""
    middle, width = np.zeros(side.shape), np.zeros(side.shape)
    for k, v in np.ndindex(side.shape):
        low, quarter, three, high = np.percentile(x[y == k, v], [2, 25, 75, 98])
        middle[k, v] = ((low + high) / 2, three, quarter)[side[k, v]]
        width[k, v] = ((high - low) / 2, three - low, high - quarter)[side[k, v]]
    width = np.where(side == 0, np.clip(width, LEAST, MOST), np.maximum(width, LEAST))
    steep = np.log(np.broadcast_to(STEEP, side.shape))
    return [middle, np.log(width), steep, np.log([0.8, 1, 0.8]), np.log(4.0)]


def scores(p, x, side):
    """Logarithm of the score of each gate for each class, with what its gradient needs."""
    off = x[:, None] - p[0]
    off = np.where(np.abs(off) < 1e-4, 1e-4, off)
    t = np.clip(np.exp(p[2]) * 2 * (np.log(np.abs(off)) - p[1]), -30, 30)
    beyond = off * side > 0
    fit = np.where(beyond, 0, -np.logaddexp(0, t))
    weight = np.exp(p[3])
    mean = (np.exp(fit[:, :, 1:4]) * weight).sum(axis=2) / weight.sum() + 1e-6
    return (
        fit[:, :, 0] + fit[:, :, 4] + np.log(mean),
        off,
        t,
        np.where(beyond, 0, -1 / (1 + np.exp(-t))),
        fit,
        mean,
    )


def gradient(p, first, x, y, side, worth):
    score, off, t, dt, fit, mean = scores(p, x, side)
    sharp, weight = np.exp(p[4]), np.exp(p[3])
    share = np.exp(sharp * (score - score.max(axis=1, keepdims=True)))
    share /= share.sum(axis=1, keepdims=True)
    share[np.arange(y.size), y] -= 1
    share *= (worth[y] / worth[y].sum())[:, None]
    by_score = share * sharp
    by_mean, part = (by_score / mean)[:, :, None], np.exp(fit[:, :, 1:4])
    by_fit = np.repeat(by_score[:, :, None], 5, axis=2)
    by_fit[:, :, 1:4] = by_mean * weight / weight.sum() * part
    by_t, steep = by_fit * dt, np.exp(p[2])
    return [
        (by_t * steep * (-2 / off)).sum(axis=0) + PENALTY * (p[0] - first[0]) / np.exp(2 * first[1]),
        (by_t * -2 * steep).sum(axis=0) + PENALTY * (p[1] - first[1]),
        (by_t * t).sum(axis=0) + PENALTY * (p[2] - first[2]),
        (by_mean * (part - mean[:, :, None])).sum(axis=(0, 1)) / weight.sum() * weight,
        (share * score).sum() * sharp,
    ]


def fitted(x, y, side, steps):
    rng, first = np.random.default_rng(0), start(x, y, side)
    p = [np.array(q) for q in first]
    worth = np.maximum(np.bincount(y, minlength=10), 30.0) ** -RARE
    scale = [np.exp(first[1]), 1, 1, 1, 1]
    means, squares = ([np.zeros_like(q) for q in p] for _ in range(2))
    for step in range(steps):
        batch = rng.integers(0, y.size, 12000)
        rate = 0.03 * min(1, (steps - step) / (0.4 * steps))
        for k, slope in enumerate(gradient(p, first, x[batch], y[batch], side, worth)):
            means[k] = 0.9 * means[k] + 0.1 * slope * scale[k]
            squares[k] = 0.99 * squares[k] + 0.01 * (slope * scale[k]) ** 2
            ahead = (
                means[k] / (1 - 0.9 ** (step + 1)) / (np.sqrt(squares[k] / (1 - 0.99 ** (step + 1))) + 1e-8)
            )
            p[k] = p[k] - rate * scale[k] * ahead
        p[1], p[2] = np.clip(p[1], np.log(LEAST / 2), np.log(MOST)), np.clip(p[2], 0, np.log(20))
    return p


def told(name, number, y, rhi):
    for n in (1, 2, 3):
        ours, stored = number[rhi == n], y[rhi == n]
        hail = stored == 8
        figures = (ours == stored).mean(), (ours[hail] == 8).mean(), hail[ours == 8].mean()
        print(
            f"{name} on RHI {n}: {{:.1%}} agree, {{:.1%}} of hail found, {{:.1%}} of it right".format(
                *figures
            ),
            flush=True,
        )


def write(p, path):
    """Write the scheme that comes along with other functions and weights."""
    about, weight = json.loads(SCHEME.read_text()), np.exp(p[3])
    for k, name in enumerate(list(about["classes"])[:10]):
        for v, variable in enumerate(AXES):
            numbers = p[0][k, v], np.exp(p[1][k, v]), np.exp(p[2][k, v])
            about["classes"][name][variable]["beta"] = [round(float(n), 3) for n in numbers]
    about["weights"] = {
        n: round(float(w), 2) for n, w in zip(list(AXES)[1:4], weight / weight.sum(), strict=True)
    }
    path.write_text(json.dumps(about, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the steps")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write a scheme fitted to the first RHI")
    given = parser.parse_args()
    x, y, rhi = gates()
    columns = {name: x[None, :, v].astype("f4") for v, name in enumerate(AXES)}
    told("s-band", classes(columns, scheme("s-band"))[0] - 1, y, rhi)
    side = open_sides()
    for n in (1, 2, 3):
        p = fitted(x[rhi == n], y[rhi == n], side, 70 if given.quick else 700)
        told(f"fitted to RHI {n},", scores(p, x, side)[0].argmax(axis=1), y, rhi)
        if given.write and n == 1:
            write(p, given.write)


if __name__ == "__main__":
    main()
