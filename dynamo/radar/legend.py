"""Legends: a palette in, a bar with ticks and units out, drawn in palette indices as images are.

`extended` adds to a palette's colours what drawings need: a background, and steps from paper to ink for text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFont import FreeTypeFont, ImageFont

    from dynamo.radar.palette import Palette

__all__ = ["NOT_KNOWN", "extended", "legend", "lettering", "shade"]

#: What previews call cells that are missing, or out of range.
NOT_KNOWN = "no data"

PAPER, INK = np.array([255, 255, 255]), np.array([31, 41, 55])
_STEPS = 16
#: Pixels: letters, the bar's width, and the height of what stands below it.
_SIZE, _BAR, _FOOT = 12, 14, 22


def extended(
    palette: Palette, *, missing: tuple[int, int, int, int] = (214, 218, 224, 255)
) -> NDArray[np.uint8]:
    """Return ``(n, 4)`` colours: 0 paper, the palette, missing, then 16 steps from paper to ink."""
    ramp = PAPER + (INK - PAPER) * np.linspace(0, 1, _STEPS)[:, None]
    rgb = np.concatenate((PAPER[None], palette.rgb, [missing[:3]], ramp.round()))
    rgba = np.pad(rgb, ((0, 0), (0, 1)), constant_values=255).astype(np.uint8)
    rgba[len(palette) + 1, 3] = missing[3]
    return rgba


def shade(palette: Palette, darkness: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return indices in `extended` for darkness 0 (paper) to 255 (ink)."""
    first = len(palette) + 2
    return (first + darkness.astype(np.uint16) * (_STEPS - 1) // 255).astype(np.uint8)


@lru_cache(maxsize=8)
def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


@lru_cache(maxsize=256)
def lettering(text: str, size: int) -> NDArray[np.uint8]:
    """Return the darkness of one line of text, ``(rows, columns)``; all lines of a size are equally tall."""
    from PIL import Image, ImageDraw

    font = _font(size)
    width = int(np.ceil(font.getlength(text))) + 1
    image = Image.new("L", (max(width, 1), round(size * 1.3)), 0)
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    return np.asarray(image)


def legend(palette: Palette, height: int = 320, *, missing: str = "") -> NDArray[np.uint8]:
    """Return an upright bar with title, ticks and units, ``(height, columns)``, as indices in `extended`.

    Where there is a word for what is `missing`, its colour stands below the bar with that word.
    """
    if missing:
        return _with_missing(legend(palette, height - _FOOT), palette, missing)
    size, bar = _SIZE, _BAR
    words = {tick: lettering(palette.words(tick), size) for tick in palette.ticks}
    heading = lettering(palette.units if palette.units != "1" else palette.title.lower(), size)
    width = max(heading.shape[1], bar + 8 + max(w.shape[1] for w in words.values())) + 8
    out = np.full((height, width), shade(palette, np.zeros(1, dtype=np.uint8))[0], dtype=np.uint8)
    _put(out, palette, heading, 3, 4)
    top, bottom = 3 + heading.shape[0] + 6, height - 10
    half = 0.5 if palette.names else 0.0  # classes are equally tall, and named at their middle
    rows = (
        np.linspace(len(palette) + half, 1 - half, bottom - top)
        .round()
        .clip(1, len(palette))
        .astype(np.uint8)
    )
    out[top:bottom, 4 : 4 + bar] = rows[:, None]
    for tick, word in words.items():
        index = int(palette.index(np.array([tick], dtype=np.float32))[0])
        place = (index - 1 + half) / (len(palette) - 1 + 2 * half)
        row = round(bottom - 1 - place * (bottom - top - 1))
        out[row, 4 + bar : 4 + bar + 3] = shade(palette, np.full(3, 255, dtype=np.uint8))
        _put(out, palette, word, row - round(size * 0.72), 4 + bar + 5)
    return out


def _with_missing(bar: NDArray[np.uint8], palette: Palette, word: str) -> NDArray[np.uint8]:
    text = lettering(word, _SIZE)
    paper = shade(palette, np.zeros(1, dtype=np.uint8))[0]
    room = max(_BAR + 12 + text.shape[1] - bar.shape[1], 0)
    out = np.pad(bar, ((0, _FOOT), (0, room)), constant_values=paper)
    row = bar.shape[0] + 2
    out[row : row + _BAR, 4 : 4 + _BAR] = len(palette) + 1
    _put(out, palette, text, row - 1, 4 + _BAR + 5)
    return out


def _put(
    canvas: NDArray[np.uint8], palette: Palette, darkness: NDArray[np.uint8], row: int, column: int
) -> None:
    """Write lettering onto paper, in place."""
    rows, columns = darkness.shape
    canvas[row : row + rows, column : column + columns] = shade(palette, darkness)[
        : canvas.shape[0] - row, : canvas.shape[1] - column
    ]
