"""A `Grid` as an xarray dataset after CF-1.10, and back.

Apart from `dynamo.radar.grid`, because xarray takes half a second to import. Goes wrong: `DataError` for a dataset
that holds no field we know.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from dynamo.errors import DataError
from dynamo.radar.grid import Cell, Geometry, Grid, projection
from dynamo.radar.quantities import QUANTITIES

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["from_dataset", "to_dataset"]

_GEOGRAPHIC = {
    "lat": {"standard_name": "latitude", "units": "degrees_north"},
    "lon": {"standard_name": "longitude", "units": "degrees_east"},
}
_PROJECTED = {
    "y": {"standard_name": "projection_y_coordinate", "units": "m"},
    "x": {"standard_name": "projection_x_coordinate", "units": "m"},
}
_STATUS = {
    "standard_name": "status_flag",
    "flag_values": np.array(list(Cell), dtype="u1"),
    "flag_meanings": " ".join(c.name.lower() for c in Cell),
}


def to_dataset(grid: Grid) -> xr.Dataset:
    """Return the field, ``cell_status``, the coordinates and the CRS of a grid."""
    import xarray as xr

    quantity, geometry = QUANTITIES[grid.quantity], grid.geometry
    axes = _GEOGRAPHIC if geometry.is_geographic else _PROJECTED
    dims = tuple(axes)
    said = {
        **({"standard_name": quantity.standard_name} if quantity.standard_name else {}),
        "long_name": quantity.long_name,
        "units": quantity.units,
        "grid_mapping": "crs",
        "ancillary_variables": "cell_status",
    }
    lead = {"long_name": "minutes since the analysis", "units": "min"}
    coords: dict[str, Any] = {
        dims[0]: (dims[0], geometry.y, axes[dims[0]]),
        dims[1]: (dims[1], geometry.x, axes[dims[1]]),
        "time": np.datetime64(grid.time.astimezone(UTC).replace(tzinfo=None), "ns"),
        "lead_minutes": ((), grid.lead_minutes, lead),
    }
    fields: dict[str, Any] = {
        quantity.name: (dims, grid.values, said),
        "cell_status": (dims, grid.status, _STATUS),
        "crs": ((), 0, projection(geometry.crs).to_cf()),
    }
    return xr.Dataset(
        fields, coords, attrs={"Conventions": "CF-1.10", "source": grid.source, **grid.attributes}
    )


def from_dataset(dataset: xr.Dataset) -> Grid:
    """Read back what `to_dataset` made, or a dataset of the same names; raises `DataError`."""
    name = next((n for n in QUANTITIES if n in dataset), None)
    if name is None:
        raise DataError(
            f"no variable named {' or '.join(QUANTITIES)}; there are {', '.join(map(str, dataset))}"
        )
    field = dataset[name]
    y, x = (np.asarray(dataset[d].values) for d in field.dims[-2:])
    crs = "EPSG:4326"
    if "crs" in dataset and "crs_wkt" in dataset["crs"].attrs and field.dims[-2] != "lat":
        crs = str(dataset["crs"].attrs["crs_wkt"])
    stamp: datetime = dataset["time"].values.astype("datetime64[us]").item()
    known = {"Conventions", "source"}
    return Grid(
        np.asarray(field.values, dtype="f4"),
        np.asarray(dataset["cell_status"].values, dtype="u1"),
        Geometry.from_coordinates(x, y, crs),
        stamp.replace(tzinfo=UTC),
        name,
        float(dataset["lead_minutes"]) if "lead_minutes" in dataset.variables else 0.0,
        str(dataset.attrs.get("source", "")),
        {str(k): v for k, v in dataset.attrs.items() if k not in known},
    )
