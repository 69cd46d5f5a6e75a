"""KNMI HDF5 composites: reflectivity in dBZ, or rain accumulated over some minutes.

Format: Roozekrans and Holleman (2003), KNMI HDF5 Data Format Specification v3.5, KNMI IR-2003-05. The
accumulation over the product's interval becomes a mean rain rate in mm h-1.

Many KNMI files use one code both for "missing" and for "out of image". Then a patch of it that touches the
edge of the image is taken as out of range, and one that is enclosed by measurements as missing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.readers import Reader
from dynamo.radar.readers.source import HDF5, attribute, hdf5, hdf5_names, text, wrong

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

__all__ = ["reader"]

FORMULA = re.compile(r"GEO=([-+.\dEe]+)\*PV([-+][-+.\dEe]+)?")


def _sniff(path: Path, head: bytes) -> bool:
    return head.startswith(HDF5) and {"overview", "geographic"} <= hdf5_names(path)


def _read(path: Path, _geometry: Geometry | None) -> list[Grid]:
    with hdf5(path) as file:
        time, minutes = _times(path, file)
        raw, calibration, kind = _image(path, file)
        geometry = _place(path, file)
        if raw.shape != geometry.shape:
            raise wrong(path, f"image1/image_data is {raw.shape}, 'geographic' describes {geometry.shape}")
        radars = sorted(
            text(file[g].attrs.get("radar_name", "")) for g in file if re.fullmatch(r"radar\d+", g)
        )
    missing, outside = _masks(path, raw, calibration)
    slope, offset = _formula(
        path, text(attribute(path, "image1/calibration", calibration, "calibration_formulas"))
    )
    values = (raw * np.float32(slope) + np.float32(offset)).astype("f4")
    values[missing] = np.nan
    if "DBZ" in kind:
        quantity, undetect = "reflectivity", raw == 0
    elif "PRECIPITATION" in kind and "MM" in kind:
        if minutes <= 0:
            raise wrong(path, "overview: product_datetime_end is not after product_datetime_start")
        values *= 60 / minutes
        quantity, undetect = "rain_rate", values == 0
    else:
        raise wrong(
            path, f"image1: unit {kind!r} is not known; expected dBZ or accumulated precipitation in mm"
        )
    return [
        Grid.from_values(
            values, geometry, time, undetect=undetect & ~missing, out_of_range=outside, quantity=quantity,
            source="KNMI " + ", ".join(radars),
        )
    ]  # fmt: skip


def _times(path: Path, file: h5py.File) -> tuple[datetime, float]:
    """Return the end of the product's interval, and its length in minutes."""
    place = file["overview"].attrs
    ends = []
    for name in ("product_datetime_start", "product_datetime_end"):
        stamp = text(attribute(path, "overview", place, name))
        try:
            ends.append(datetime.strptime(stamp.title(), "%d-%b-%Y;%H:%M:%S.%f").replace(tzinfo=UTC))
        except ValueError as error:
            raise wrong(path, f"overview: {name} is {stamp!r}, expected DD-MON-YYYY;hh:mm:ss.fff") from error
    return ends[1], (ends[1] - ends[0]).total_seconds() / 60


def _image(path: Path, file: h5py.File) -> tuple[NDArray[Any], dict[str, Any], str]:
    for name in ("image1/image_data", "image1/calibration"):
        if name not in file:
            known = ", ".join(file.get("image1", file))
            raise wrong(path, f"holds no {name!r}; there are: {known}")
    image = file["image1"]
    kind = text(attribute(path, "image1", image.attrs, "image_geo_parameter")).upper()
    return image["image_data"][...], dict(image["calibration"].attrs), kind


def _formula(path: Path, formula: str) -> tuple[float, float]:
    if not (match := FORMULA.search(re.sub(r"\s", "", formula).replace("+-", "-"))):
        raise wrong(path, f"image1/calibration: formula {formula!r} is not of the form GEO=a*PV+b")
    return float(match[1]), float(match[2] or 0)


def _masks(
    path: Path, raw: NDArray[Any], calibration: dict[str, Any]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where there is no value, and where of that no radar looks."""
    codes = [
        int(np.ravel(attribute(path, "image1/calibration", calibration, name))[0])
        for name in ("calibration_missing_data", "calibration_out_of_image")
    ]
    missing, outside = (raw == code for code in codes)
    if codes[0] == codes[1]:
        import cv2

        framed = np.pad(missing.astype("u1"), 1, constant_values=1)
        patches = cv2.connectedComponents(framed, connectivity=4)[1]
        outside = (patches == patches[0, 0])[1:-1, 1:-1]
    return missing | outside, outside


def _place(path: Path, file: h5py.File) -> Geometry:
    """Return the geometry; KNMI counts in km from the projection's origin, and so does its PROJ text."""
    if "geographic/map_projection" not in file:
        raise wrong(path, "holds no 'geographic/map_projection'")
    where = file["geographic"].attrs

    def number(name: str) -> float:
        return float(np.ravel(attribute(path, "geographic", where, name))[0])

    projection = text(
        attribute(path, "map_projection", file["geographic/map_projection"].attrs, "projection_proj4_params")
    )
    crs = re.sub(r"\+([ab])=([\d.]+)", lambda m: f"+{m[1]}={_metres(float(m[2])):.3f}", projection)
    dx, dy = 1000 * number("geo_pixel_size_x"), 1000 * number("geo_pixel_size_y")
    west, north = number("geo_column_offset") * dx, number("geo_row_offset") * dy
    columns, rows = int(number("geo_number_columns")), int(number("geo_number_rows"))
    return Geometry(west + dx / 2, north + dy / 2, dx, dy, columns, rows, crs)


def _metres(length: float) -> float:
    return length * 1000 if length < 10_000 else length


reader = Reader("knmi", "KNMI HDF5 composite", _sniff, _read)
