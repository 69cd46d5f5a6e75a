"""Universal Format: as much as a test of RHIs needs (Barnes 1980, Bull. Amer. Meteor. Soc. 61).

A file is records between their lengths (4 bytes before and after, high byte first). All that is in a record is a
16-bit word, and places are counted in words from 1: word 5 says where the data header is, 10 the sweep, 34 the
elevation in 64ths of a degree, 45 what stands for missing. The data header says how many fields there are (its word
3), then the name and place of each; a field header says where its values are (word 1), what they are divided by (2),
their start in km and m (3, 4), their spacing in m (5) and how many there are (6).
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

MOST = 999  # gates; rays of fewer are filled up


def records(path: Path) -> Iterator[bytes]:
    """Yield the records of a gzipped file."""
    data, at = gzip.decompress(path.read_bytes()), 0
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        yield data[at + 4 : at + 4 + size]
        at += size + 8


def read(path: Path) -> dict[str, np.ndarray]:
    """Return sweep number and elevation of each ray, ranges in m, and each field ``(nray, ngate)`` float32."""
    sweeps, elevations, fields = [], [], {}
    ranges = np.empty(0)
    spread = np.full(MOST, np.nan, dtype="f4")
    for record in records(path):
        words = np.frombuffer(record, ">i2")
        assert record[:2] == b"UF"
        sweeps.append(int(words[9]))
        elevations.append(words[33] / 64)
        head = int(words[4]) - 1
        for n in range(int(words[head + 2])):
            name = record[2 * (head + 3 + 2 * n) :][:2].decode()
            place = int(words[head + 4 + 2 * n]) - 1
            start, scale, km, metres, step, size = (int(word) for word in words[place : place + 6])
            values = words[start - 1 : start - 1 + size]
            row = spread.copy()
            row[: values.size] = np.where(values == words[44], np.nan, values / np.float32(scale))
            fields.setdefault(name, []).append(row)
            ranges = km * 1000 + metres + step * (np.arange(MOST) + 0.5)
    return {
        "sweep": np.array(sweeps),
        "elevation": np.array(elevations),
        "range": ranges,
        **{name: np.stack(rows) for name, rows in fields.items()},
    }
