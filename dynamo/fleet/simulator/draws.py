"""Random numbers that do not depend on the policy: the n-th order boots as long under each."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Draws", "lognormal"]

#: Standard normal quantile of nine in ten.
_NINE_TENTHS = 1.2815515655446004
_CHUNK = 1024


class Draws:
    """Numbers by their place in named streams; the same seed, stream and place give the same number.

    Parameters
    ----------
    seed
        Of the simulation.
    """

    __slots__ = ("_seed", "_streams")

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._streams: dict[str, tuple[np.random.Generator, list[float]]] = {}

    def normal(self, stream: str, place: int) -> float:
        """Return the standard normal number at a place of a stream."""
        made = self._streams.get(stream)
        if made is None:
            key = [self._seed, *stream.encode()]
            made = self._streams[stream] = (np.random.default_rng(key), [])
        generator, numbers = made
        while len(numbers) <= place:
            numbers.extend(generator.standard_normal(_CHUNK).tolist())
        return numbers[place]

    def uniform(self, stream: str, place: int) -> float:
        """Return the number between 0 and 1 at a place of a stream."""
        return 0.5 * math.erfc(-self.normal(stream, place) / math.sqrt(2.0))


def lognormal(median: float, high: float, normal: float) -> float:
    """Return the value of a lognormal distribution with this median and ninth decile, for a standard normal number."""
    if median <= 0.0:
        return 0.0
    return median * math.exp(max(0.0, math.log(high / median)) / _NINE_TENTHS * normal)
