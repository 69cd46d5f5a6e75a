"""The true reflectivity of a made storm, before a radar looks at it.

A regime, a plane and a random generator enter; fields in dBZ leave, one a frame. A field is the greatest of
what the parts of the storm give at a point (cells; a line), plus a texture; widespread rain is a texture that
cells strengthen. Nothing can go wrong here once the arguments are right, which `dynamo.radar.storm` sees to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dynamo.radar.grid import Geometry

__all__ = ["THRESHOLD", "Plane", "Regime", "fields"]

THRESHOLD = 5.0
"""Weaker than this (dBZ) is not detected."""

NOTHING = -40.0
"""What the parts of a storm give far away from it (dBZ)."""


@dataclass(frozen=True, slots=True)
class Regime:
    """What the weather is like.

    Parameters
    ----------
    motion
        East and north, m s-1.
    density
        Living cells per 10,000 km2, or per 100 km of the line.
    peak, radius, life
        Ranges from which a cell draws its strongest reflectivity (dBZ), its size (km; the distance at which
        it is 15 dB weaker) and its lifetime (minutes).
    split
        Share of the cells that split in two at mid-life.
    texture
        Standard deviation of the texture (dB).
    outer
        Longest wavelength of the texture (km).
    wet
        Share of the grid that widespread rain covers; 0 for none.
    line
        Whether there is a squall line, on which the cells sit.
    """

    motion: tuple[float, float]
    density: float
    peak: tuple[float, float]
    radius: tuple[float, float]
    life: tuple[float, float]
    split: float
    texture: float
    outer: float
    wet: float = 0.0
    line: bool = False


@dataclass(frozen=True, slots=True)
class Plane:
    """The grid as a plane: km east and north of its middle, and the motion in km per minute."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    dx: float
    dy: float
    u: float
    v: float
    minutes: float

    @classmethod
    def of(cls, geometry: Geometry, motion: tuple[float, float], minutes: float) -> Plane:
        """Lay out `geometry` for a storm that moves with `motion` (east, north; m s-1) so many minutes."""
        dx, dy = geometry.cell_size_km()
        x = (np.arange(geometry.nx) - (geometry.nx - 1) / 2) * dx
        y = ((geometry.ny - 1) / 2 - np.arange(geometry.ny)) * dy
        return cls(
            x.astype(np.float64), y.astype(np.float64), dx, dy, motion[0] * 0.06, motion[1] * 0.06, minutes
        )

    @property
    def half(self) -> tuple[float, float]:
        """Half its width and height (km)."""
        return float(self.x[-1]), float(self.y[0])

    @property
    def heading(self) -> tuple[float, float]:
        """Unit vector of the motion; east where nothing moves."""
        speed = float(np.hypot(self.u, self.v))
        return (self.u / speed, self.v / speed) if speed else (1.0, 0.0)

    @property
    def line_start(self) -> float:
        """Where on its way (km past the middle) the line stands at first: it passes the middle half-time."""
        travel = float(np.hypot(self.u, self.v)) * self.minutes / 2
        return -min(travel, 0.8 * min(self.half))

    @property
    def line_half(self) -> float:
        """Half the length of the line (km)."""
        return min(0.85 * min(self.half), 150.0)


@dataclass(frozen=True, slots=True)
class _Cells:
    """All cells of a storm as columns: minutes, km from the middle at the start of the storm, dBZ."""

    birth: NDArray[np.float64]
    life: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    peak: NDArray[np.float64]
    radius: NDArray[np.float64]
    aspect: NDArray[np.float64]
    angle: NDArray[np.float64]
    splits: NDArray[np.bool_]


def fields(
    weather: Regime, plane: Plane, rng: np.random.Generator, frames: int
) -> Iterator[NDArray[np.float32]]:
    """Yield the reflectivity ``(ny, nx)`` in dBZ, of so many frames evenly spread over the minutes."""
    minutes = np.linspace(0.0, plane.minutes, frames)
    cells = _birth(weather, plane, rng)
    spread = None
    for minute, texture in zip(minutes, _textures(weather, plane, rng, minutes), strict=True):
        field = np.full(texture.shape, NOTHING, dtype="f4")
        if weather.line:
            np.maximum(field, _line(plane, minute), out=field)
        _draw(field, cells, plane, minute)
        if weather.wet:
            # The offset of the first frame serves all: the share of wet cells may then wander, as it does.
            spread = float(np.quantile(texture, 1 - weather.wet)) if spread is None else spread
            rain = texture - spread + np.float32(THRESHOLD)
            # Stratiform rain seldom exceeds 35 dBZ: the upper tail of the Gaussian is bent down.
            np.minimum(rain, 22 + 0.4 * (rain - 22), out=rain)
            # Convection is embedded: a cell strengthens the rain it stands in, and shows only there.
            yield rain + 0.6 * np.maximum(field - 15, 0)
        else:
            yield field + texture


def _birth(weather: Regime, plane: Plane, rng: np.random.Generator) -> _Cells:
    """Draw all cells that live at any time of the storm, anchored where they would be at its start."""
    half_x, half_y = plane.half
    mean_life = sum(weather.life) / 2
    # Cells drift in from outside: a margin as wide as the way they go.
    margin = 20 + float(np.hypot(plane.u, plane.v)) * (plane.minutes + mean_life)
    if weather.line:
        living = weather.density * 2 * plane.line_half / 100
    else:
        living = weather.density * 4 * (half_x + margin) * (half_y + margin) / 1e4
    count = int(rng.poisson(living * (1 + plane.minutes / mean_life)))
    life = rng.uniform(*weather.life, count)
    birth = rng.uniform(-life, plane.minutes)
    if weather.line:
        along = rng.uniform(-plane.line_half, plane.line_half, count) * 0.95
        ahead = plane.line_start + _bow(plane, along) + rng.normal(-2.0, 2.5, count)
        ex, ey = plane.heading
        x, y = ahead * ex - along * ey, ahead * ey + along * ex
    else:
        x = rng.uniform(-half_x - margin, half_x + margin, count)
        y = rng.uniform(-half_y - margin, half_y + margin, count)
    # Weak cells are the many: the square makes strong ones rare.
    strength = rng.random(count) ** 2
    peak = weather.peak[0] + strength * (weather.peak[1] - weather.peak[0])
    radius = weather.radius[0] + 0.5 * (strength + rng.random(count)) * (
        weather.radius[1] - weather.radius[0]
    )
    return _Cells(
        birth, life, x, y, peak, radius,
        rng.uniform(1.0, 2.0, count), rng.uniform(0, np.pi, count), rng.random(count) < weather.split,
    )  # fmt: skip


def _draw(field: NDArray[np.float32], cells: _Cells, plane: Plane, minute: float) -> None:
    """Lay the living cells over `field`, each in its own small window."""
    ex, ey = plane.heading
    age = (minute - cells.birth) / cells.life
    for i in np.flatnonzero((age > 0) & (age < 1)):
        # Growth takes 30 % of a life and decay 40 %; both start and end 30 dB below the peak.
        growth = np.clip(min(age[i] / 0.3, (1 - age[i]) / 0.4), 0, 1)
        vigour = float(np.sin(growth * np.pi / 2))
        apart = max(age[i] - 0.5, 0.0) * cells.life[i] * 0.2 if cells.splits[i] else 0.0
        for side in (-1, 1) if apart else (0,):
            x = cells.x[i] + plane.u * minute - side * apart * ey
            y = cells.y[i] + plane.v * minute + side * apart * ex
            _draw_cell(
                field, plane, x, y,
                peak=cells.peak[i] - 30 * (1 - vigour),
                radius=cells.radius[i] * (0.5 + 0.5 * vigour) * (0.8 if apart else 1.0),
                aspect=cells.aspect[i], angle=cells.angle[i],
            )  # fmt: skip


def _draw_cell(
    field: NDArray[np.float32], plane: Plane, x: float, y: float, *,
    peak: float, radius: float, aspect: float, angle: float,
) -> None:  # fmt: skip
    """Raise `field` to one elliptic cell: a rounded top 15 dB weaker at one radius, then 22 dB per radius."""
    reach = 4.5 * radius * aspect
    columns = slice(*np.searchsorted(plane.x, (x - reach, x + reach)))
    rows = slice(*np.searchsorted(-plane.y, (-y - reach, -y + reach)))
    if columns.start == columns.stop or rows.start == rows.stop:
        return
    east = (plane.x[columns] - x).astype("f4")[None, :]
    north = (plane.y[rows] - y).astype("f4")[:, None]
    c, s = np.float32(np.cos(angle) / radius), np.float32(np.sin(angle) / radius)
    across = c * north - s * east
    distance = ((c * east + s * north) / np.float32(aspect)) ** 2 + across * across
    shape = np.float32(peak + 9) - 9 * np.sqrt(1 + 6 * distance, dtype="f4")
    window = field[rows, columns]
    np.maximum(window, shape, out=window)


def _bow(plane: Plane, along: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far (km) the front of the line hangs back at `along` km from its middle."""
    return -0.22 * plane.line_half * (along / plane.line_half) ** 2


def _line(plane: Plane, minute: float) -> NDArray[np.float32]:
    """Return the smooth part (dBZ) of a squall line with trailing stratiform rain.

    The profile across it (sharp leading edge, convective line, weak transition zone, secondary maximum)
    follows the leading-line trailing-stratiform archetype of Houze, Smull and Dodge (1990, Monthly Weather
    Review 118, 613-654).
    """
    ex, ey = plane.heading
    east = (plane.x - plane.u * minute)[None, :]
    north = (plane.y - plane.v * minute)[:, None]
    along = ex * north - ey * east
    ahead = ex * east + ey * north - plane.line_start - _bow(plane, along)
    profile_km = (-120, -85, -60, -40, -24, -15, -8, -2, 1.5, 4, 8, 14)
    profile_dbz = (NOTHING, 4, 24, 29, 24, 21, 33, 42, 40, 24, 4, NOTHING)
    scale = min(1.0, plane.line_half / 75)
    dbz = np.interp(ahead, np.multiply(profile_km, scale), profile_dbz)
    fade = np.clip((np.abs(along) / plane.line_half - 0.7) / 0.3, 0, None)
    return np.asarray(dbz - 22 * fade * fade, dtype="f4")


def _textures(
    weather: Regime, plane: Plane, rng: np.random.Generator, minutes: NDArray[np.float64]
) -> Iterator[NDArray[np.float32]]:
    """Yield Gaussian fields (dB) that move and forget.

    The power of a wavelength falls as the third power of its wavenumber, flat beyond `weather.outer`. Every
    Fourier mode turns by the motion, which is exact at fractions of a cell, and by a random rate of its own:
    the correlation in the moving frame is then a Gaussian in time. The rate grows with the wavenumber to the
    power 2/3, as eddies do: 40 minutes at 20 km, 11 at 3 km.
    """
    shape = plane.y.size, plane.x.size
    kx = np.fft.rfftfreq(shape[1], plane.dx)[None, :]
    ky = np.fft.fftfreq(shape[0], -plane.dy)[:, None]
    k = np.hypot(kx, ky)
    amplitude = (k * k + weather.outer**-2) ** -0.75
    amplitude[0, 0] = 0.0
    modes = amplitude * (rng.standard_normal(k.shape) + 1j * rng.standard_normal(k.shape))
    modes *= weather.texture / np.fft.irfft2(modes, s=shape).std()
    rate = rng.standard_normal(k.shape) * (20 * k) ** (2 / 3) / 40
    turn = rate - 2 * np.pi * (kx * plane.u + ky * plane.v)
    step = np.exp(1j * turn * (minutes[1] - minutes[0])) if minutes.size > 1 else np.ones_like(modes)
    for _ in minutes:
        yield np.fft.irfft2(modes, s=shape).astype("f4")
        modes *= step
