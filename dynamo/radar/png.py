"""PNG: palette indices in, the bytes of a still or animated PNG out (W3C PNG, third edition).

Written here because it is on the path of every image: a general library takes ten times as long to write
what are a few headers around one call of the compressor. Same pixels, same bytes. Nothing can go wrong with
arrays of the right shape and type.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from isal import isal_zlib

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["animation", "still"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def still(
    indices: NDArray[np.uint8], rgba: NDArray[np.uint8], text: Mapping[str, str] | None = None
) -> bytes:
    """Return an 8-bit palette PNG.

    Parameters
    ----------
    indices
        ``(rows, columns)``, north up.
    rgba
        ``(n <= 256, 4)`` colours.
    text
        Keys (1 to 79 Latin-1 characters) and values to keep in the file, as iTXt.
    """
    return b"".join(
        (*_head(indices, rgba, text or {}), _chunk(b"IDAT", _scanlines(indices)), _chunk(b"IEND", b""))
    )


def animation(
    frames: Sequence[NDArray[np.uint8]],
    rgba: NDArray[np.uint8],
    milliseconds: Sequence[int],
    text: Mapping[str, str] | None = None,
) -> bytes:
    """Return an animated PNG that repeats for ever; where animation is unknown, its first frame is shown.

    Parameters
    ----------
    frames
        At least one, of one shape ``(rows, columns)``.
    rgba, text
        As for `still`.
    milliseconds
        How long each frame is shown.
    """
    height, width = frames[0].shape
    parts = [*_head(frames[0], rgba, text or {}), _chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    number = 0
    for i, (frame, shown) in enumerate(zip(frames, milliseconds, strict=True)):
        control = struct.pack(">IIIIIHHBB", number, width, height, 0, 0, shown, 1000, 0, 0)
        parts.append(_chunk(b"fcTL", control))
        number += 1
        if i == 0:
            parts.append(_chunk(b"IDAT", _scanlines(frame)))
        else:
            parts.append(_chunk(b"fdAT", struct.pack(">I", number) + _scanlines(frame)))
            number += 1
    return b"".join((*parts, _chunk(b"IEND", b"")))


def _head(indices: NDArray[np.uint8], rgba: NDArray[np.uint8], text: Mapping[str, str]) -> list[bytes]:
    """Everything that stands before the first pixel."""
    height, width = indices.shape
    clear = np.flatnonzero(rgba[:, 3] != 255)
    alpha = rgba[: clear[-1] + 1, 3] if clear.size else rgba[:0, 3]
    return [
        _SIGNATURE,
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", rgba[:, :3].tobytes()),
        *([_chunk(b"tRNS", alpha.tobytes())] if alpha.size else []),
        *(_chunk(b"iTXt", key.encode("latin-1") + b"\0" * 5 + value.encode()) for key, value in text.items()),
    ]


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = isal_zlib.crc32(data, isal_zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", check)))


def _scanlines(indices: NDArray[np.uint8]) -> bytes:
    """Rows, each with a filter byte of nought before it, compressed."""
    height, width = indices.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = indices
    packed: bytes = isal_zlib.compress(rows.data, 1)
    return packed
