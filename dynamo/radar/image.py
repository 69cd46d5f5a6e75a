"""Images: one grid in, a palette PNG out that a web map can lay over its tiles, and a file of where it lies.

One byte a cell is what `Palette` gives; all that is left is to compress it. Nothing is drawn where there is
no echo. Where nothing is known, nothing is drawn either unless it is asked for: see `VEIL`.

A web map stretches an image evenly in the Mercator projection. A grid in even degrees laid over it would be
right at its upper and lower edge only, and 14 cells wrong in the middle of one 10 degrees tall. So images
are in EPSG:3857 unless another CRS is asked for; a table of which cell goes where is made once for each
grid and kept. Text in the PNG, and the sidecar of `write_bounds`, say which CRS it is and the bounds in
degrees.

What can go wrong: a palette for another quantity, or a grid that reaches a pole; each is a `DataError`.
"""

from __future__ import annotations

import math
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import orjson

from dynamo.errors import DataError
from dynamo.radar import png
from dynamo.radar.bounds import edge
from dynamo.radar.geojson import known_share
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.mercator import mercator, unmercator
from dynamo.radar.palette import Palette, colours
from dynamo.radar.palette import palette as find_palette
from dynamo.radar.quantities import QUANTITIES

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "VEIL",
    "WEB",
    "image_geometry",
    "paint",
    "palette_for",
    "write_bounds",
    "write_legend",
    "write_png",
]

WEB = "EPSG:3857"

#: Of what is not known, on images that warn: a thin grey that dims the map below it, be that light or dark.
VEIL = "#7f8a9948"

_KNOWN = (WEB, "EPSG:4326")
_NODES = 8  # cells between the points at which a projection is computed; between them it is interpolated


def write_png(
    path: Path,
    grid: Grid,
    *,
    palette: Palette | str | None = None,
    crs: str | None = WEB,
    missing: str | None = None,
    unseen: str | None = None,
) -> None:
    """Write a grid as a PNG with a palette, transparent where there is nothing to show.

    Parameters
    ----------
    path
        File to write.
    grid
        The field. Cells without an echo, out of range, or below the palette's first value are transparent.
    palette
        A palette or the name of one; None means the standard one of the grid's quantity.
    crs
        ``"EPSG:3857"``, which suits web maps, ``"EPSG:4326"``, or None for the grid's own rows and columns.
    missing
        ``#rrggbb`` or ``#rrggbbaa`` for missing cells (looked at, no usable value); None leaves them
        transparent.
    unseen
        The same for all that is not known: missing, out of range, outside the grid; `missing` then counts for nothing.

    Raises
    ------
    DataError
        For an unknown palette or one of another quantity, another CRS, and a grid that reaches a pole.

    Notes
    -----
    Text in the file: ``bounds`` (west south east north, WGS 84 degrees), ``crs``, ``extent`` (the same, in the
    CRS), ``quantity``, ``units``, ``valid_time``, ``lead_minutes``, ``palette``, ``index`` (how to get a value
    back), ``source`` and ``known_share`` (of the cells, 0 to 1). The same grid gives the same bytes.
    """
    colouring = palette_for(grid, palette)
    indices = paint(grid, colouring, crs=crs, unseen=unseen is not None)
    text = _text(grid, crs) | {"palette": colouring.name, "index": _index_text(colouring)}
    path.write_bytes(png.still(indices, _colours(colouring, missing if unseen is None else unseen), text))


def paint(grid: Grid, palette: Palette, *, crs: str | None = WEB, unseen: bool = False) -> NDArray[np.uint8]:
    """Return the palette index of each pixel, ``(rows, columns)``; ``len(palette) + 1`` is missing.

    Where `unseen`, that is also the index of what is out of range or outside the grid: of all that is not known.
    """
    indices, missing = palette.index(grid.values), np.uint8(len(palette) + 1)
    np.copyto(indices, missing, where=~grid.known if unseen else grid.status == np.uint8(Cell.MISSING))
    if crs is None or crs == grid.geometry.crs:
        return indices
    rows, cells = _table(grid.geometry, crs)
    if cells is None:
        return indices.take(rows, axis=0)
    # One more cell at the end is where pixels outside the grid are sent.
    return np.append(indices.ravel(), missing if unseen else np.uint8(0)).take(cells)


def palette_for(grid: Grid, palette: Palette | str | None) -> Palette:
    """Return the palette to draw a grid with: a given one, one of a name, or the quantity's own."""
    if palette is None:
        return colours(grid.quantity)
    found = find_palette(palette) if isinstance(palette, str) else palette
    if found.quantity != grid.quantity:
        raise DataError(f"palette {found.name!r} is for {found.quantity}, the grid holds {grid.quantity}")
    return found


@lru_cache(maxsize=16)
def _colours(palette: Palette, missing: str | None) -> NDArray[np.uint8]:
    """Return the colour of each index, ``(n, 4)``: nothing to draw, the palette, missing."""
    clear = np.zeros((1, 4), dtype=np.uint8)
    opaque = np.pad(palette.rgb, ((0, 0), (0, 1)), constant_values=255)
    return np.concatenate((clear, opaque, clear if missing is None else _rgba(missing)))


def _rgba(text: str) -> NDArray[np.uint8]:
    try:
        raw = bytes.fromhex(text.removeprefix("#"))
    except ValueError:
        raw = b""
    if len(raw) not in {3, 4}:
        raise DataError(f"{text!r} is not a colour such as #9aa3ad or #9aa3ad80")
    return np.frombuffer(raw if len(raw) == 4 else raw + b"\xff", dtype=np.uint8).reshape(1, 4)


@lru_cache(maxsize=16)
def image_geometry(geometry: Geometry, crs: str | None = WEB) -> Geometry:
    """Return where the pixels of an image lie: spread evenly over the grid's extent in `crs`.

    As many rows and columns as the grid has where rows stay rows, else pixels of about the size of a cell.
    Longitudes run on beyond 180 degrees for a grid across the antimeridian, as web maps expect of bounds.
    """
    if crs is None or crs == geometry.crs:
        return geometry
    if crs not in _KNOWN:
        raise DataError(f"images are drawn in {', '.join(_KNOWN)} or the grid's own CRS, not in {crs!r}")
    west, south, east, north = _bounds(geometry)
    around = east - west > 350 and not geometry.is_geographic
    if around or (crs == WEB and max(north, -south) > 85.06):
        raise DataError(f"a grid that reaches a pole cannot be drawn in {crs}; keep the grid's own CRS")
    if crs == WEB:
        (west, east), (south, north) = mercator(np.array([west, east]), np.array([south, north]))
    nx, ny = geometry.nx, geometry.ny
    if not geometry.is_geographic:
        cell = math.sqrt((east - west) * (north - south) / (nx * ny))
        nx, ny = max(round((east - west) / cell), 1), max(round((north - south) / cell), 1)
    dx, dy = float(east - west) / nx, float(north - south) / ny
    return Geometry(float(west) + dx / 2, float(north) - dy / 2, dx, -dy, nx, ny, crs)


def _bounds(geometry: Geometry) -> tuple[float, float, float, float]:
    """West, south, east and north of the outer edge of a grid, in degrees."""
    if geometry.crs == WEB:
        west, south, east, north = geometry.extent
        (west, east), (south, north) = unmercator(np.array([west, east]), np.array([south, north]))
        return float(west), float(south), float(east), float(north)
    return edge(geometry)


@lru_cache(maxsize=4)
def _table(geometry: Geometry, crs: str) -> tuple[NDArray[np.intp], NDArray[np.intp] | None]:
    """Return the row of the grid nearest to each row of pixels, or a flat index for each pixel."""
    target = image_geometry(geometry, crs)
    if geometry.is_geographic:
        _, lat = _lonlat(np.array([target.x0]), target.y, crs)
        rows = np.rint((lat - geometry.y0) / geometry.dy).astype(np.intp)
        return np.clip(rows, 0, geometry.ny - 1), None
    down, at_rows = _hat(target.ny)
    across, at_columns = _hat(target.nx)
    x, y = np.meshgrid(target.x0 + target.dx * at_columns, target.y0 + target.dy * at_rows)
    column, row = (np.rint(down @ part @ across.T) for part in geometry.indices(*_lonlat(x, y, crs)))
    inside = (column >= 0) & (column < geometry.nx) & (row >= 0) & (row < geometry.ny)
    cells = np.where(inside, row * geometry.nx + column, geometry.nx * geometry.ny).astype(np.intp)
    return np.empty(0, dtype=np.intp), cells


def _lonlat(
    x: NDArray[np.float64], y: NDArray[np.float64], crs: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return unmercator(x, y) if crs == WEB else (x, y)


def _hat(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights ``(n, nodes)`` of linear interpolation from nodes, and where the nodes lie in 0..n-1."""
    nodes = np.linspace(0, max(n - 1, 1), max((n - 1) // _NODES, 1) + 1)
    step = nodes[1] - nodes[0]
    weights: NDArray[np.float64] = np.maximum(0, 1 - np.abs(np.arange(n)[:, None] - nodes) / step)
    return weights, nodes


def _index_text(palette: Palette) -> str:
    step = f"{palette.step:g} (i - 1)"
    value = f"{palette.start:g} + {step}" if palette.scale == "linear" else f"{palette.start:g} * 2^({step})"
    return f"pixel i from 1 to {len(palette)} is {value} {palette.units} or more; {len(palette) + 1} is not known"


def _text(grid: Grid, crs: str | None) -> dict[str, str]:
    target = image_geometry(grid.geometry, crs)
    return {
        "bounds": " ".join(f"{b:.6f}" for b in _bounds(target)),
        "crs": target.crs,
        "extent": " ".join(repr(round(e, 6)) for e in target.extent),
        "quantity": grid.quantity,
        "units": QUANTITIES[grid.quantity].units,
        "valid_time": grid.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "lead_minutes": f"{grid.lead_minutes:g}",
        "source": grid.source,
        "known_share": f"{known_share(grid):g}",
        **({"about": orjson.dumps(dict(grid.attributes)).decode()} if grid.attributes else {}),
    }


def write_bounds(
    path: Path, grid: Grid, *, crs: str | None = WEB, image: str = "", unseen: str | None = None
) -> None:
    """Write where an image lies, beside it.

    Parameters
    ----------
    path
        With the suffix ``.pgw`` a world file (six numbers, in the CRS of the image), else JSON: ``bounds``
        (west, south, east, north in WGS 84 degrees), ``corners`` as web maps take them (``[[south, west],
        [north, east]]``), ``crs``, ``extent`` (in that CRS), ``width``, ``height``, ``quantity``, ``units``,
        ``valid_time``, ``lead_minutes``, ``source``, ``known_share`` (of the cells, 0 to 1), ``not_known`` (the
        colour of the others; without it they are as transparent as where it does not rain), and ``about``, the
        attributes of the grid, where it has any.
    grid, crs, unseen
        As given to `write_png`.
    image
        Name of the image, for the reader of the JSON.
    """
    target = image_geometry(grid.geometry, crs)
    if path.suffix == ".pgw":
        lines = (target.dx, 0.0, 0.0, target.dy, target.x0, target.y0)
        path.write_text("".join(f"{line:.10f}\n" for line in lines), encoding="ascii")
        return
    bounds = west, south, east, north = [round(b, 6) for b in _bounds(target)]
    content = {
        "image": image,
        **_text(grid, crs),
        "bounds": bounds,
        "corners": [[south, west], [north, east]],
        "extent": [round(e, 6) for e in target.extent],
        "width": target.nx,
        "height": target.ny,
        "lead_minutes": grid.lead_minutes,
        "known_share": known_share(grid),
        **({} if unseen is None else {"not_known": unseen}),
        **({"about": dict(grid.attributes)} if grid.attributes else {}),
    }
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_legend(path: Path, palette: Palette | str, *, height: int = 320, unseen: str | None = None) -> None:
    """Write a palette as an upright bar with ticks and units, to lay over the corner of a map.

    Parameters
    ----------
    path
        PNG to write.
    palette
        A palette or the name of one.
    height
        Of the image, in pixels.
    unseen
        As given to `write_png`; it stands below the bar as it looks on paper, and is called "no data".
    """
    from dynamo.radar.legend import NOT_KNOWN, PAPER, extended, legend

    found = find_palette(palette) if isinstance(palette, str) else palette
    text = {"title": found.title, "units": found.units, "palette": found.name}
    rgba, word = extended(found), "" if unseen is None else NOT_KNOWN
    if unseen is not None:
        *ink, alpha = _rgba(unseen)[0].tolist()
        rgba[len(found) + 1, :3] = np.rint(PAPER + (np.array(ink) - PAPER) * alpha / 255)
    path.write_bytes(png.still(legend(found, height, missing=word), rgba, text))
