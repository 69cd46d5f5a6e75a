"""Animated previews: grids in time order in, one APNG, GIF or MP4 out, with the time and a legend burned in.

For people who look before they read; nothing here is georeferenced beyond its graticule. Grey is what is not
known: missing or out of range. APNG is the
cheapest and keeps exact colours; GIF plays everywhere; MP4 (MPEG-4 part 2) is for slides and editors. What
can go wrong: no grids, grids of different geometry or quantity, an unknown suffix, or an OpenCV without an
MP4 encoder; each is a `DataError`.
"""

from __future__ import annotations

from datetime import UTC
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.errors import DataError
from dynamo.radar import png
from dynamo.radar.graticule import degrees, ticks
from dynamo.radar.image import WEB, image_geometry, paint, palette_for
from dynamo.radar.legend import NOT_KNOWN, extended, legend, lettering, shade

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from dynamo.radar.grid import Geometry, Grid
    from dynamo.radar.palette import Palette

__all__ = ["write_animation"]

_HEADER = 30
_MARGIN = 8
_GROUND = 12  # darkness of a map on which nothing is
_SMALL, _LARGE = 360, 800  # pixels a map is at least and at most wide or tall


def write_animation(
    path: Path,
    grids: Iterable[Grid],
    *,
    palette: Palette | str | None = None,
    title: str = "",
    crs: str | None = WEB,
    milliseconds: int = 120,
) -> None:
    """Write grids as an animation that repeats for ever and rests on its last frame.

    Parameters
    ----------
    path
        ``.png`` or ``.apng``, ``.gif``, ``.mp4``.
    grids
        In the order to be shown; all of one geometry and quantity. They are taken one at a time, so that what
        is held of each is its picture of at most 800 pixels a side.
    palette
        A palette or the name of one; None means the standard one of the quantity.
    title
        Stands before the time; may be empty.
    crs
        Map projection of the frames; None keeps the grid's own.
    milliseconds
        How long each frame is shown; the last one eight times as long.

    Raises
    ------
    DataError
        For no grids, grids that do not belong together, and a suffix or encoder that is not there.
    """
    waiting = iter(grids)
    first = next(waiting, None)
    if first is None:
        raise DataError("an animation needs at least one grid")
    colouring = palette_for(first, palette)
    canvas, place = _background(image_geometry(first.geometry, crs), colouring)
    frames = []
    for grid in chain([first], waiting):
        if apart := first.geometry.difference(grid.geometry):
            raise DataError(f"the grid of {grid.time:%H:%M} does not fit the first: {apart}")
        if grid.quantity != first.quantity:
            raise DataError(f"cannot mix {first.quantity} and {grid.quantity} in one animation")
        frame = canvas.copy()
        _lay(frame[place], paint(grid, colouring, crs=crs, unseen=True), colouring)
        _write_line(frame, shade(colouring, lettering(_words(title, grid), 14)))
        frames.append(frame)
    shown = [milliseconds] * (len(frames) - 1) + [8 * milliseconds]
    _write(path, frames, extended(colouring), shown)


def _write(path: Path, frames: list[NDArray[np.uint8]], rgba: NDArray[np.uint8], shown: list[int]) -> None:
    if path.suffix in {".png", ".apng"}:
        path.write_bytes(png.animation(frames, rgba, shown))
    elif path.suffix == ".gif":
        _write_gif(path, frames, rgba, shown)
    elif path.suffix == ".mp4":
        _write_mp4(path, frames, rgba, shown)
    else:
        raise DataError(
            f"cannot animate as {path.suffix or 'a file without suffix'}: use .png, .apng, .gif or .mp4"
        )


def _zoom(shape: tuple[int, ...]) -> tuple[int, int]:
    """How often to repeat each pixel, and of how many to keep one."""
    longest = max(shape)
    return max(1, -(-_SMALL // longest)), max(1, -(-longest // _LARGE))


def _background(geometry: Geometry, palette: Palette) -> tuple[NDArray[np.uint8], tuple[slice, slice]]:
    """Draw what all frames share, and say where on it the map goes."""
    repeat, keep = _zoom(geometry.shape)
    ground = shade(palette, _graticule(geometry, repeat / keep))
    ground = ground[: -(-geometry.ny // keep) * repeat, : -(-geometry.nx // keep) * repeat]
    rows, columns = ground.shape
    bar = legend(palette, min(max(rows, 140), 320), missing=NOT_KNOWN)
    height = max(rows, bar.shape[0])
    canvas = np.full(
        (_HEADER + height + _MARGIN, columns + bar.shape[1] + 3 * _MARGIN),
        shade(palette, np.zeros(1, dtype=np.uint8))[0],
        dtype=np.uint8,
    )
    frame = shade(palette, np.full(1, 110, dtype=np.uint8))[0]
    canvas[_HEADER - 1 : _HEADER + rows + 1, _MARGIN - 1 : _MARGIN + columns + 1] = frame
    place = slice(_HEADER, _HEADER + rows), slice(_MARGIN, _MARGIN + columns)
    canvas[place] = ground
    canvas[_HEADER : _HEADER + bar.shape[0], -bar.shape[1] - _MARGIN : -_MARGIN] = bar
    # Movies want even sides.
    return np.pad(canvas, [(0, n % 2) for n in canvas.shape], mode="edge"), place


def _graticule(geometry: Geometry, zoom: float) -> NDArray[np.uint8]:
    """Return the darkness of a map without echoes: lines of longitude and latitude, labelled."""
    from PIL import Image, ImageDraw

    size = (max(round(geometry.nx * zoom), 1) + 1, max(round(geometry.ny * zoom), 1) + 1)
    image = Image.new("L", size, _GROUND)
    draw = ImageDraw.Draw(image)
    column, row = np.meshgrid(
        [0, (geometry.nx - 1) / 2, geometry.nx - 1], [0, (geometry.ny - 1) / 2, geometry.ny - 1]
    )
    lon, lat = geometry.lonlat(column, row)
    along_lon, along_lat = np.linspace(lon.min(), lon.max(), 60), np.linspace(lat.min(), lat.max(), 60)
    lines = [
        (np.full(60, x), along_lat, degrees(x, "EW"), False) for x in ticks(lon.min(), lon.max(), most=5)
    ]
    lines += [
        (along_lon, np.full(60, y), degrees(y, "NS"), True) for y in ticks(lat.min(), lat.max(), most=5)
    ]
    for x, y, name, is_parallel in lines:
        c, r = (zoom * (i + 0.5) for i in geometry.indices(x, y))
        draw.line([tuple(p) for p in np.stack((c, r), axis=1).tolist()], fill=45)
        where = (
            (4, float(np.interp(4, c, r)) + 1)
            if is_parallel
            else (float(np.interp(-size[1] + 4, -r[::-1], c[::-1])) + 3, size[1] - 16)
        )
        image.paste(150, (int(where[0]), int(where[1])), Image.fromarray(lettering(name, 10)))
    return np.asarray(image)


def _lay(window: NDArray[np.uint8], indices: NDArray[np.uint8], palette: Palette) -> None:
    """Lay one painted grid onto the map of a frame, in place: what is not known, below lines and letters."""
    repeat, keep = _zoom(indices.shape)
    indices = indices[::keep, ::keep]
    if repeat > 1:
        indices = indices.repeat(repeat, axis=0).repeat(repeat, axis=1)
    echo = (indices != 0) & (indices <= len(palette))
    bare = window == shade(palette, np.full(1, _GROUND, dtype=np.uint8))
    np.copyto(window, indices, where=echo | (bare & (indices != 0)))


def _words(title: str, grid: Grid) -> str:
    lead = f"+{grid.lead_minutes:g} min" if grid.lead_minutes else "observed"
    return "   ".join(([title] if title else []) + [f"{grid.time.astimezone(UTC):%Y-%m-%d %H:%M} UTC", lead])


def _write_line(frame: NDArray[np.uint8], line: NDArray[np.uint8]) -> None:
    line = line[:, : frame.shape[1] - 2 * _MARGIN]
    frame[6 : 6 + line.shape[0], _MARGIN : _MARGIN + line.shape[1]] = line


def _write_gif(
    path: Path, frames: list[NDArray[np.uint8]], rgba: NDArray[np.uint8], shown: list[int]
) -> None:
    from PIL import Image

    images = []
    for frame in frames:
        image = Image.fromarray(frame, mode="P")
        image.putpalette(rgba[:, :3].tobytes())
        images.append(image)
    images[0].save(path, save_all=True, append_images=images[1:], duration=shown, loop=0, optimize=False)


def _write_mp4(
    path: Path, frames: list[NDArray[np.uint8]], rgba: NDArray[np.uint8], shown: list[int]
) -> None:
    import cv2

    height, width = frames[0].shape
    each = shown[0]
    fourcc: Any = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), fourcc, 1000 / each, (width, height))
    if not writer.isOpened():
        raise DataError("this OpenCV cannot write MP4: use .png or .gif")
    bgr = rgba[:, 2::-1]
    for frame, duration in zip(frames, shown, strict=True):
        for _ in range(round(duration / each)):
            writer.write(np.ascontiguousarray(bgr[frame]))
    writer.release()
