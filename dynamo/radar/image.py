"""Images: one grid in, a palette PNG out that a web map can lay over its tiles, and a file of where it lies.

One byte a cell is what `Palette` gives; all that is left is to compress it. Nothing is drawn where there is
no echo.

A web map stretches an image evenly in the Mercator projection. A grid in even degrees laid over it would be
right at its upper and lower edge only, and 14 cells wrong in the middle of one 10 degrees tall. So images
are in EPSG:3857 unless another CRS is asked for; a table of which cell goes where is made once for each
grid and kept. Text in the PNG, and the sidecar of `write_bounds`, say which CRS it is and the bounds in
degrees.

What can go wrong: a palette for another quantity, or a CRS that PROJ does not know; each is a `DataError`.
"""

from __future__ import annotations

import math
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from dynamo.errors import DataError
from dynamo.radar import png
from dynamo.radar.grid import Cell, Geometry, Grid
from dynamo.radar.palette import Palette, colours
from dynamo.radar.palette import palette as find_palette

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["WEB", "image_geometry", "paint", "palette_for", "write_bounds", "write_legend", "write_png"]

WEB = "EPSG:3857"

_NODES = 16  # cells between the points at which a projection is computed; between them it is interpolated


def write_png(
    path: Path,
    grid: Grid,
    *,
    palette: Palette | str | None = None,
    crs: str | None = WEB,
    missing: str | None = None,
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
        CRS of the image; ``"EPSG:3857"`` suits web maps, None keeps the grid's own rows and columns.
    missing
        ``#rrggbb`` or ``#rrggbbaa`` for missing cells (looked at, no usable value); None leaves them
        transparent.

    Notes ----- Text in the file: ``bounds`` (west south east north, WGS 84 degrees), ``crs``, ``extent``
    (the same, in the CRS), ``quantity``, ``units``, ``valid_time``, ``lead_minutes``, ``palette``,
    ``index`` (how to get a value back) and ``source``. The same grid gives the same bytes.

    Raises
    ------
    DataError
        For an unknown palette or one of another quantity, and for a CRS that PROJ does not know.
    """
    colouring = palette_for(grid, palette)
    indices = paint(grid, colouring, crs=crs)
    clear = np.array([[0, 0, 0, 0]], dtype=np.uint8)
    extra = clear if missing is None else _rgba(missing)
    colour = np.concatenate((clear, np.pad(colouring.rgb, ((0, 0), (0, 1)), constant_values=255), extra))
    text = _text(grid, crs) | {"palette": colouring.name, "index": _index_text(colouring)}
    path.write_bytes(png.still(indices, colour, text))


def paint(grid: Grid, palette: Palette, *, crs: str | None = WEB) -> NDArray[np.uint8]:
    """Return the palette index of each pixel, ``(rows, columns)``; ``len(palette) + 1`` is missing."""
    indices = palette.index(grid.values)
    indices[grid.status == Cell.MISSING] = len(palette) + 1
    if crs is None or crs == grid.geometry.crs:
        return indices
    rows, columns, cells = _table(grid.geometry, crs)
    if cells is None:
        tall = indices[rows]
        return tall if columns is None else tall[:, columns]
    # One more cell at the end, index 0, is where pixels outside the grid are sent.
    return np.append(indices.ravel(), np.uint8(0))[cells]


def palette_for(grid: Grid, palette: Palette | str | None) -> Palette:
    """Return the palette to draw a grid with: a given one, one of a name, or the quantity's own."""
    if palette is None:
        return colours(grid.quantity)
    found = find_palette(palette) if isinstance(palette, str) else palette
    if found.quantity != grid.quantity:
        raise DataError(f"palette {found.name!r} is for {found.quantity}, the grid holds {grid.quantity}")
    return found


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
    """Return where the pixels of an image lie: as many rows and columns, spread over the grid's extent.

    Pixels of a projected grid that is turned against `crs` keep about the size of a cell.
    """
    if crs is None or crs == geometry.crs:
        return geometry
    move = _transformer(geometry.crs, crs)
    try:
        west, south, east, north = move.transform_bounds(*geometry.extent, densify_pts=101, errcheck=True)
    except Exception as error:  # pyproj.exceptions.ProjError: pyproj is not imported for an except clause
        raise DataError(f"the grid cannot be drawn in {crs}: {error}") from error
    if not (east > west and north > south):
        raise DataError(f"the grid cannot be drawn in {crs}: it crosses the edge of that map")
    nx, ny = geometry.nx, geometry.ny
    if not _separable(geometry, crs):
        cell = math.sqrt((east - west) * (north - south) / (nx * ny))
        nx, ny = max(round((east - west) / cell), 1), max(round((north - south) / cell), 1)
    dx, dy = (east - west) / nx, (north - south) / ny
    return Geometry(west + dx / 2, north - dy / 2, dx, -dy, nx, ny, crs)


def _transformer(source: str, target: str) -> Any:
    import pyproj

    try:
        return pyproj.Transformer.from_crs(source, target, always_xy=True)
    except pyproj.exceptions.CRSError as error:
        raise DataError(f"PROJ does not know the CRS {target!r}: {error}") from error


def _separable(geometry: Geometry, crs: str) -> bool:
    """Whether rows stay rows and columns stay columns."""
    return geometry.is_geographic and crs in {WEB, "EPSG:4326"}


@lru_cache(maxsize=4)
def _table(
    geometry: Geometry, crs: str
) -> tuple[NDArray[np.intp], NDArray[np.intp] | None, NDArray[np.intp] | None]:
    """Return the cell nearest to each pixel: rows and columns (None: as they are), or flat indices."""
    target = image_geometry(geometry, crs)
    move = _transformer(crs, geometry.crs)
    if _separable(geometry, crs):
        x, _ = move.transform(target.x, np.full(target.nx, target.y0))
        _, y = move.transform(np.full(target.ny, target.x0), target.y)
        columns = np.rint((np.asarray(x) - geometry.x0) / geometry.dx).astype(np.intp)
        rows = np.rint((np.asarray(y) - geometry.y0) / geometry.dy).astype(np.intp)
        rows, columns = np.clip(rows, 0, geometry.ny - 1), np.clip(columns, 0, geometry.nx - 1)
        return rows, None if (columns == np.arange(geometry.nx)).all() else columns, None
    down, at_rows = _hat(target.ny)
    across, at_columns = _hat(target.nx)
    x, y = move.transform(*np.meshgrid(target.x0 + target.dx * at_columns, target.y0 + target.dy * at_rows))
    column = np.rint(down @ ((x - geometry.x0) / geometry.dx) @ across.T)
    row = np.rint(down @ ((y - geometry.y0) / geometry.dy) @ across.T)
    inside = (column >= 0) & (column < geometry.nx) & (row >= 0) & (row < geometry.ny)
    cells = np.where(inside, row * geometry.nx + column, geometry.nx * geometry.ny).astype(np.intp)
    return np.empty(0, dtype=np.intp), None, cells


def _hat(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights ``(n, nodes)`` of linear interpolation from nodes, and where the nodes lie in 0..n-1."""
    nodes = np.linspace(0, max(n - 1, 1), max((n - 1) // _NODES, 1) + 1)
    step = nodes[1] - nodes[0]
    weights: NDArray[np.float64] = np.maximum(0, 1 - np.abs(np.arange(n)[:, None] - nodes) / step)
    return weights, nodes


def _index_text(palette: Palette) -> str:
    step = f"{palette.step:g} (i - 1)"
    value = f"{palette.start:g} + {step}" if palette.scale == "linear" else f"{palette.start:g} * 2^({step})"
    return f"pixel i from 1 to {len(palette)} is {value} {palette.units} or more"


def _bounds(geometry: Geometry, crs: str | None) -> tuple[float, float, float, float]:
    """West, south, east and north of the image in degrees, 6 decimals."""
    target = image_geometry(geometry, crs)
    if target.is_geographic:
        bounds = target.extent
    else:
        bounds = _transformer(target.crs, "EPSG:4326").transform_bounds(*target.extent)
    west, south, east, north = (round(float(b), 6) for b in bounds)
    return west, south, east, north


def _text(grid: Grid, crs: str | None) -> dict[str, str]:
    target = image_geometry(grid.geometry, crs)
    return {
        "bounds": " ".join(f"{b:.6f}" for b in _bounds(grid.geometry, crs)),
        "crs": target.crs,
        "extent": " ".join(repr(round(e, 6)) for e in target.extent),
        "quantity": grid.quantity,
        "units": colours(grid.quantity).units,
        "valid_time": grid.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "lead_minutes": f"{grid.lead_minutes:g}",
        "source": grid.source,
    }


def write_bounds(path: Path, grid: Grid, *, crs: str | None = WEB, image: str = "") -> None:
    """Write where an image lies, beside it.

    Parameters
    ----------
    path
        With the suffix ``.pgw`` a world file (six numbers, in the CRS of the image), else JSON: ``bounds``
        (west, south, east, north in WGS 84 degrees), ``corners`` as web maps take them (``[[south, west],
        [north, east]]``), ``crs``, ``extent`` (in that CRS), ``width``, ``height``, ``quantity``, ``units``,
        ``valid_time``, ``lead_minutes``, ``source``.
    grid, crs
        As given to `write_png`.
    image
        Name of the image, for the reader of the JSON.
    """
    target = image_geometry(grid.geometry, crs)
    if path.suffix == ".pgw":
        lines = (target.dx, 0.0, 0.0, target.dy, target.x0, target.y0)
        path.write_text("".join(f"{line:.10f}\n" for line in lines), encoding="ascii")
        return
    bounds = west, south, east, north = _bounds(grid.geometry, crs)
    content = {
        "image": image,
        **_text(grid, crs),
        "bounds": bounds,
        "corners": [[south, west], [north, east]],
        "extent": [round(e, 6) for e in target.extent],
        "width": target.nx,
        "height": target.ny,
        "lead_minutes": grid.lead_minutes,
    }
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_legend(path: Path, palette: Palette | str, *, height: int = 320) -> None:
    """Write a palette as an upright bar with ticks and units, to lay over the corner of a map.

    Parameters
    ----------
    path
        PNG to write.
    palette
        A palette or the name of one.
    height
        Of the image, in pixels.
    """
    from dynamo.radar.legend import extended, legend

    found = find_palette(palette) if isinstance(palette, str) else palette
    text = {"title": found.title, "units": found.units, "palette": found.name}
    path.write_bytes(png.still(legend(found, height), extended(found), text))
