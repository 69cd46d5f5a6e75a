"""CfRadial and ODIM files made for the purpose: every layout and convention, and what is not as it should be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import DataError
from dynamo.radar.readers import cfradial_fields, find, read, read_sweeps
from dynamo.radar.readers.odimpolar import _start
from dynamo.radar.readers.packed import unpack

NOON = datetime(2024, 6, 1, 12, tzinfo=UTC)
NAN = float("nan")


def cfradial(path: Path, sweeps: list[dict], *, points: bool = False, kind: str = "NETCDF4", **about) -> Path:
    """Store sweeps of ``fields`` (name to rays x gates), with what else is said of each, as CfRadial 1.

    With `points` as a row of points, each ray without the fills at its end.
    """
    first = next(iter(sweeps[0]["fields"].values()))
    ngates = max(f.shape[1] for s in sweeps for f in s["fields"].values())
    counts = [len(next(iter(s["fields"].values()))) for s in sweeps]
    starts = np.concatenate([[0], np.cumsum(counts)])
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.setncatts({"Conventions": "CF/Radial", "instrument_name": "made"} | about.get("attributes", {}))
        for name, size in (
            ("time", starts[-1]),
            ("range", ngates),
            ("sweep", len(sweeps)),
            ("string_length", 32),
        ):
            file.createDimension(name, size)

        def put(name: str, dimensions, values, dtype="f8", **attributes) -> None:
            variable = file.createVariable(
                name, dtype, dimensions, fill_value=attributes.pop("_FillValue", None)
            )
            variable.set_auto_maskandscale(False)
            variable.setncatts(attributes)
            variable[...] = values

        rays = range(starts[-1])
        put(
            "time",
            ("time",),
            about.get("times", [float(i) for i in rays]),
            units="seconds since 2024-06-01T12:00:00Z",
        )
        put("range", ("range",), 125.0 + 250 * np.arange(ngates), units="meters")
        turned = [s.get("azimuths", np.arange(n) * 360 / n) for s, n in zip(sweeps, counts, strict=True)]
        put("azimuth", ("time",), np.concatenate(turned))
        lifted = [np.broadcast_to(s.get("elevation", 1.0), n) for s, n in zip(sweeps, counts, strict=True)]
        put("elevation", ("time",), np.concatenate(lifted))
        put("fixed_angle", ("sweep",), [np.median(e) for e in lifted])
        put("sweep_start_ray_index", ("sweep",), about.get("starts", starts[:-1]), "i4")
        put("sweep_end_ray_index", ("sweep",), starts[1:] - 1, "i4")
        modes = [list(s.get("mode", "azimuth_surveillance").ljust(32, "\0").encode()) for s in sweeps]
        put("sweep_mode", ("sweep", "string_length"), np.array(modes, "u1").view("S1"), "S1")
        put("nyquist_velocity", ("time",), np.repeat([s.get("nyquist", 10.0) for s in sweeps], counts))
        for name, value in (("latitude", 47.0), ("longitude", 8.0), ("altitude", 500.0)):
            put(name, (), value)
        for name, values in about.get("per_ray", {}).items():
            put(name, ("time",), values)
        for name in {n for s in sweeps for n in s["fields"]}:
            table = np.full((starts[-1], ngates), about.get("fill", -9999.0), first.dtype)
            for i, sweep in enumerate(sweeps):
                if name in sweep["fields"]:
                    field = sweep["fields"][name]
                    table[starts[i] : starts[i + 1], : field.shape[1]] = field
            said = {"_FillValue": table.dtype.type(about.get("fill", -9999.0))} | about.get("said", {}).get(
                name, {}
            )
            if not points:
                put(name, ("time", "range"), table, table.dtype, **said)
                continue
            lengths = np.repeat([next(iter(s["fields"].values())).shape[1] for s in sweeps], counts)
            if "n_points" not in file.dimensions:
                file.createDimension("n_points", lengths.sum())
                put("ray_n_gates", ("time",), lengths, "i4")
                put("ray_start_index", ("time",), np.cumsum(lengths) - lengths, "i4")
            put(
                name,
                ("n_points",),
                np.concatenate([r[:n] for r, n in zip(table, lengths, strict=True)]),
                "f4",
                **said,
            )
    return path


def numbers(nrays: int, ngates: int, start: float = 0.0) -> np.ndarray:
    """Return a table of different numbers."""
    return (start + np.arange(nrays * ngates, dtype="f4").reshape(nrays, ngates)) / 4


@pytest.mark.parametrize("points", [False, True])
@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET"])
def test_sweeps_of_different_lengths(tmp_path: Path, kind: str, points: bool):
    """Three sweeps of 8, 12 and 4 gates in one file, as a table and as a row of points."""
    sweeps = [
        {"fields": {"DBZ": numbers(6, 8), "VEL": numbers(6, 8, 1)}, "elevation": 0.5, "nyquist": 8.0},
        {"fields": {"DBZ": numbers(4, 12, 500), "VEL": numbers(4, 12, 2)}, "elevation": 1.5, "nyquist": 16.0},
        {
            "fields": {"DBZ": numbers(5, 4, 900), "VEL": numbers(5, 4, 3)},
            "elevation": 9.0,
            "nyquist": -9999.0,
        },
    ]
    path = cfradial(tmp_path / "v.nc", sweeps, points=points, kind=kind)
    assert find(path).name == "cfradial"
    read_back = read_sweeps(path)
    assert [s.elevation for s in read_back] == [0.5, 1.5, 9.0]
    assert [s.nyquist for s in read_back] == [8.0, 16.0, None]
    assert [(s.time - NOON).total_seconds() for s in read_back] == [5, 9, 14]
    for made, sweep in zip(sweeps, read_back, strict=True):
        for name, moment in (("DBZ", "reflectivity"), ("VEL", "velocity")):
            field = made["fields"][name]
            np.testing.assert_array_equal(sweep.moments[moment][:, : field.shape[1]], field)
            assert np.isnan(sweep.moments[moment][:, field.shape[1] :]).all()
        np.testing.assert_array_equal(sweep.ranges, 125 + 250 * np.arange(sweep.ranges.size))
    assert read_back[2].ranges.size == (4 if points else 12)
    assert find(path).sweeps(path)[0].elevation == 0.5


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    codes=st.data(),
    scale=st.sampled_from([0.5, 0.01, 1.0, -1.5]),
    offset=st.sampled_from([0.0, -32.0, 100.0]),
    dtype=st.sampled_from(["u1", "i1", "i2", "u2", "i4"]),
)
def test_packed_numbers_come_back(tmp_path_factory, shape, codes, scale: float, offset: float, dtype: str):
    """Whatever the type, scale and offset: the number of each gate, the fill where nothing was detected."""
    limits = np.iinfo(dtype)
    one = st.integers(max(limits.min, -(2**20)), min(limits.max, 2**20))
    raw = np.array(
        codes.draw(st.lists(one, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])), dtype
    )
    raw = raw.reshape(shape)
    fill = codes.draw(st.sampled_from([int(raw[0, 0]), int(limits.max)]))
    path = tmp_path_factory.mktemp("packed") / "p.nc"
    said = {"DBZH": {"scale_factor": scale, "add_offset": offset}}
    cfradial(path, [{"fields": {"DBZH": raw}}], fill=fill, said=said)
    (sweep,) = read_sweeps(path)
    np.testing.assert_array_equal(sweep.undetect, raw == fill)
    want = np.where(raw == fill, np.nan, raw * scale + offset)
    np.testing.assert_allclose(sweep.moments["reflectivity"], want, rtol=1e-5, atol=1e-4)


@given(st.lists(st.integers(0, 255), min_size=300, max_size=600), st.sets(st.integers(0, 255), max_size=3))
def test_a_table_of_all_values_gives_what_arithmetic_gives(values: list[int], codes: set[int]):
    """Bytes are looked up, the same numbers as words of four are computed."""
    raw = np.array(values, "u1")
    np.testing.assert_array_equal(unpack(raw, 0.3, -7, codes), unpack(raw.astype("i4"), 0.3, -7, codes))


def test_bytes_that_stand_for_unsigned_ones(tmp_path: Path):
    """NetCDF-3 marks them by ``_Unsigned``; so is the fill."""
    raw = np.array([[0, 100, -1], [-128, -2, 5]], "i1")
    said = {"DBZ": {"_Unsigned": "true", "scale_factor": 0.5, "add_offset": -32.0}}
    path = cfradial(tmp_path / "u.nc", [{"fields": {"DBZ": raw}}], fill=-1, said=said, kind="NETCDF3_CLASSIC")
    (sweep,) = read_sweeps(path)
    np.testing.assert_array_equal(sweep.moments["reflectivity"], [[-32, 18, NAN], [32, 95, -29.5]])
    assert sweep.undetect.sum() == sweep.undetect[0, 2] == 1


@pytest.mark.parametrize(("kind", "order"), [("<i2", "little"), (">i2", "big")])
def test_unsigned_numbers_of_either_end_first(tmp_path: Path, kind: str, order):
    """The bytes are as the file says: 20 dBZ stay 20 dBZ."""
    raw = np.array([[104, -2, 104], [104, 104, -1]], kind)
    path = cfradial(tmp_path / "u.nc", [{"fields": {"DBZ": raw.astype("i2")}}], fill=-1)
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("DBZ", "old")
        variable = file.createVariable("DBZ", kind, ("time", "range"), fill_value=-1, endian=order)
        variable.set_auto_maskandscale(False)
        variable.setncatts({"_Unsigned": "true", "scale_factor": 0.5, "add_offset": -32.0})
        variable[...] = raw
    (sweep,) = read_sweeps(path, moments=["reflectivity"])
    np.testing.assert_array_equal(sweep.moments["reflectivity"], [[20, 32735, 20], [20, 20, NAN]])


def test_what_a_fill_means(tmp_path: Path):
    """A fill is undetect; with ``_Undetect`` that is, and the fill is missing; NaN is missing unless it is the fill."""
    values = np.array([[10, -9999, NAN], [9.97e36, -32, 5]], "f4")
    cases = (
        (-9999.0, {}, [[0, 1, 0], [0, 0, 0]], [[1, 0, 0], [0, 1, 1]]),
        (-9999.0, {"_Undetect": -32.0}, [[0, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 0, 1]]),
        (NAN, {"missing_value": np.float32(-9999)}, [[0, 1, 1], [0, 0, 0]], [[1, 0, 0], [0, 1, 1]]),
    )
    for i, (fill, said, undetect, known) in enumerate(cases):
        path = cfradial(tmp_path / f"{i}.nc", [{"fields": {"DBZ": values}}], fill=fill, said={"DBZ": said})
        (sweep,) = read_sweeps(path)
        np.testing.assert_array_equal(sweep.undetect, np.array(undetect, bool))
        np.testing.assert_array_equal(np.isfinite(sweep.moments["reflectivity"]), np.array(known, bool))


@pytest.mark.parametrize("dtype", ["i2", "i4", "u2"])
def test_what_was_never_written_is_no_measurement(tmp_path: Path, dtype: str):
    """Packed without a fill of its own: where nothing was written NetCDF puts -32767, which is no -163 dBZ."""
    unwritten = netCDF4.default_fillvals[dtype]
    raw = np.array([[0, 200, 65], [unwritten, 1, 2]], dtype)
    path = cfradial(
        tmp_path / "a.nc", [{"fields": {"DBZ": raw}}], said={"DBZ": {"scale_factor": 0.005}}, fill=7
    )
    with netCDF4.Dataset(path, "r+") as file:
        own = file.createVariable("ZDR", dtype, ("time", "range"))
        own.set_auto_maskandscale(False)
        own.setncattr("scale_factor", 0.005)
        own[...] = raw
    (sweep,) = read_sweeps(path, moments=["differential_reflectivity", "reflectivity"])
    found = sweep.moments["differential_reflectivity"]
    np.testing.assert_allclose(found, np.where(raw == unwritten, NAN, raw * 0.005), rtol=1e-6)
    assert np.isfinite(sweep.moments["reflectivity"]).all(), (
        "where a fill is named, another number is a number"
    )


def test_a_nyquist_velocity_for_each_sweep(tmp_path: Path):
    """In a variable of sweeps, not of rays: each has its own, not what lies between."""
    sweeps = [{"fields": {"VEL": numbers(6, 4)}, "elevation": e} for e in (0.5, 1.5, 2.5)]
    path = cfradial(tmp_path / "a.nc", sweeps)
    with netCDF4.Dataset(path, "r+") as file:
        file.renameVariable("nyquist_velocity", "other")
        file.createVariable("nyquist_velocity", "f4", ("sweep",))[...] = [8.0, 16.0, -9999.0]
    assert {s.elevation: s.nyquist for s in read_sweeps(path)} == {0.5: 8.0, 1.5: 16.0, 2.5: None}
    with netCDF4.Dataset(path, "r+") as file:
        file.renameVariable("nyquist_velocity", "another")
        file.createVariable("nyquist_velocity", "f4", ())[...] = 12.0
    assert {s.nyquist for s in read_sweeps(path)} == {12.0}


def test_rays_of_different_lengths_in_one_sweep(tmp_path: Path):
    """A shorter ray has no value beyond its end, and nothing was looked for there; a row that is too short is named."""
    field = numbers(3, 5)
    path = cfradial(tmp_path / "v.nc", [{"fields": {"DBZ": field}}], points=True)
    with netCDF4.Dataset(path, "a") as file:
        file["ray_n_gates"][:] = [5, 3, 4]
        file["ray_start_index"][:] = [0, 7, 10]
    (sweep,) = read_sweeps(path)
    row = field.ravel()
    want = np.array([row[0:5], [*row[7:10], NAN, NAN], [*row[10:14], NAN]])
    np.testing.assert_array_equal(sweep.moments["reflectivity"], want)
    assert not sweep.undetect.any()
    with netCDF4.Dataset(path, "a") as file:
        file["ray_n_gates"][2] = 6
    with pytest.raises(DataError, match=r"v\.nc: variable 'DBZ' has 15 points, its rays end at 16"):
        read_sweeps(path)


def test_rays_that_are_not_as_they_should_be(tmp_path: Path):
    """Lost azimuths, rays between sweeps and RHIs are left out; doubled rays stay, a sector is a sector."""
    field = numbers(6, 4)
    sweeps = [
        {"fields": {"DBZ": field}, "azimuths": [10, 11, -9999, 12, 12, 13]},
        {"fields": {"DBZ": field}, "azimuths": [7] * 6, "elevation": [0, 5, 10, 15, 20, 25], "mode": "rhi"},
        {
            "fields": {"DBZ": field},
            "azimuths": [9] * 6,
            "elevation": [0, 9, 18, 27, 36, 45],
            "mode": "sector",
        },
        {"fields": {"DBZ": field[:1]}, "azimuths": [3]},
        {"fields": {"DBZ": field}, "mode": "sunscan", "elevation": 30},
        {"fields": {"DBZ": field}, "elevation": [2.9, 3, 3, 3, 3, 3.1], "mode": "sector"},
    ]
    moving = np.zeros(31)
    moving[0] = 1
    path = cfradial(tmp_path / "v.nc", sweeps, per_ray={"antenna_transition": moving})
    low, high = read_sweeps(path)
    np.testing.assert_array_equal(low.azimuths, [11, 12, 12, 13])
    np.testing.assert_array_equal(low.moments["reflectivity"], field[[1, 3, 4, 5]])
    assert high.elevation == 3.0
    (grid,) = read(path)
    assert grid.attributes["elevation"] == 1.0
    only = cfradial(tmp_path / "r.nc", sweeps[1:3])
    with pytest.raises(DataError, match=r"r\.nc: holds only scans through the vertical \(RHI\)"):
        read_sweeps(only)


def test_a_moment_that_a_sweep_did_not_measure(tmp_path: Path):
    """Split cuts in one table: velocity is a moment of the second only, reflectivity without an echo of both."""
    nothing = np.full((4, 3), -9999, "f4")
    sweeps = [
        {"fields": {"DBZ": numbers(4, 3), "VEL": nothing}, "elevation": 0.5},
        {"fields": {"DBZ": nothing, "VEL": numbers(4, 3)}, "elevation": 0.5},
    ]
    first, second = read_sweeps(cfradial(tmp_path / "v.nc", sweeps))
    assert (set(first.moments), set(second.moments)) == ({"reflectivity"}, {"reflectivity", "velocity"})
    dry = [{"fields": {"DBZ": nothing, "VEL": nothing}}]
    (sweep,) = read_sweeps(cfradial(tmp_path / "d.nc", dry), moments=["velocity"])
    assert np.isnan(sweep.moments["velocity"]).all()


def test_sweeps_above_are_not_decoded(tmp_path: Path, monkeypatch):
    """But where a high sweep alone tells whether a moment was measured at all, which those below have no value of."""
    nothing = np.full((4, 3), -9999.0, "f4")
    low = {"DBZ": numbers(4, 3), "VEL": numbers(4, 3), "ZDR": nothing}
    high = {"DBZ": numbers(4, 3, 9), "VEL": numbers(4, 3, 9)}
    sweeps = [
        {"fields": low, "elevation": 0.5},
        {"fields": low, "elevation": 1.5},
        {"fields": high | {"ZDR": nothing}, "elevation": 9.0},
        {"fields": high | {"ZDR": numbers(4, 3)}, "elevation": 19.0},
    ]
    path = cfradial(tmp_path / "v.nc", sweeps)
    every = [s for s in read_sweeps(path) if s.elevation < 5]
    decoded = []
    monkeypatch.setattr(cfradial_fields, "unpack", lambda *raw: decoded.append(raw) or unpack(*raw))
    assert len(read_sweeps(path, moments=["reflectivity", "velocity"], highest=5.0)) == 2
    assert len(decoded) == 4
    for one, other in zip(read_sweeps(path, highest=5.0), every, strict=True):
        assert set(one.moments) == set(other.moments) == {"reflectivity", "velocity"}
        for moment, values in one.moments.items():
            np.testing.assert_array_equal(values, other.moments[moment])


def test_names_and_signs(tmp_path: Path):
    """What was measured before what was made of it; a standard name where no name is known; away is positive."""
    field = numbers(4, 3)
    fields = {
        "corrected_reflectivity": field + 1,
        "DBZH": field,
        "speed": field,
        "ncp": field,
        "nothing": field,
    }
    said = {"speed": {"standard_name": "radial_velocity_of_scatterers_toward_instrument"}}
    (sweep,) = read_sweeps(cfradial(tmp_path / "v.nc", [{"fields": fields}], said=said))
    assert set(sweep.moments) == {"reflectivity", "velocity", "signal_quality"}
    np.testing.assert_array_equal(sweep.moments["reflectivity"], field)
    np.testing.assert_array_equal(sweep.moments["velocity"], -field)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"starts": [90]}, None),
        ({"starts": [-1]}, "do not lie in the 4 rays"),
        ({"times": [NAN] * 4}, "'time' holds no time"),
        ({"fields": {"wind": numbers(4, 3)}}, "no sweep with any known moment"),
        ({"fields": {"DBZ": numbers(4, 1)}}, "no sweep with any known moment"),
    ],
)
def test_cfradial_that_does_not_fit_is_named(tmp_path: Path, change: dict, said: str | None):
    """Indices beyond the rays, no time, no moment, a single gate."""
    fields = change.pop("fields", {"DBZ": numbers(4, 3)})
    path = cfradial(tmp_path / "bad.nc", [{"fields": fields}], **change)
    with pytest.raises(DataError, match=rf"bad\.nc.*{said or ''}"):
        read_sweeps(path)


def test_groups_of_cfradial_2(tmp_path: Path):
    """A group for each sweep, its angle and its Nyquist velocity in it."""
    path = tmp_path / "two.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createVariable("sweep_group_name", str, ())[...] = "sweep_0"
        file.instrument_name = "two"
        for name, value in (("latitude", 47.0), ("longitude", 8.0), ("altitude", 0.5)):
            file.createVariable(name, "f8", ())[...] = value
        for number, (angle, ngates) in enumerate(((0.7, 5), (1.9, 3))):
            group = file.createGroup(f"sweep_{number}")
            group.createDimension("azimuth", 4)
            group.createDimension("range", ngates)
            for name, values in (
                ("azimuth", [0, 90, 180, 270]),
                ("elevation", [angle] * 4),
                ("time", [0, 1, 2, 3 + number]),
            ):
                group.createVariable(name, "f8", ("azimuth",))[...] = values
            group["time"].units = "seconds since 2024-06-01T12:00:00Z"
            group.createVariable("range", "f8", ("range",))[...] = 0.05 + 0.1 * np.arange(ngates)
            group["range"].units = "km"
            group.createVariable("sweep_fixed_angle", "f8", ())[...] = angle
            group.createVariable("nyquist_velocity", "f8", ())[...] = 7.0 + number
            group.createVariable("sweep_mode", str, ())[...] = "azimuth_surveillance"
            group.createVariable("ZDR", "f4", ("azimuth", "range"), fill_value=-99)[...] = numbers(4, ngates)
    first, second = read_sweeps(path)
    assert (first.elevation, first.nyquist, first.radar) == (0.7, 7.0, "two")
    assert (second.elevation, second.nyquist, second.time.second) == (1.9, 8.0, 4)
    np.testing.assert_allclose(second.ranges, [50, 150, 250])
    np.testing.assert_array_equal(second.moments["differential_reflectivity"], numbers(4, 3))


@pytest.mark.parametrize("listed", [("sweep_0001", "sweep_0000"), ("", "")])
def test_the_angles_of_cfradial_2_in_the_root(tmp_path: Path, listed: tuple[str, ...]):
    """One a sweep, in the order of ``sweep_group_name`` where it lists them, else in that of the groups."""
    path = tmp_path / "two.nc"
    angles = [0.5, 1.3][:: -1 if listed[0] else 1]
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("sweep", 2)
        file.createVariable("sweep_group_name", str, ("sweep",))[...] = np.array(listed, object)
        file.Conventions = "CF/Radial-2.0"
        file.createVariable("sweep_fixed_angle", "f8", ("sweep",))[...] = angles
        for name in ("latitude", "longitude"):
            file.createVariable(name, "f8", ())[...] = 8.0
        for number, measured in enumerate((0.53, 1.27)):
            group = file.createGroup(f"sweep_{number:04d}")
            group.createDimension("azimuth", 4)
            group.createDimension("range", 3)
            for name, values in (("azimuth", [0, 90, 180, 270]), ("elevation", measured), ("time", 0)):
                group.createVariable(name, "f8", ("azimuth",))[...] = values
            group["time"].units = "seconds since 2024-06-01T12:00:00Z"
            group.createVariable("range", "f8", ("range",))[...] = [100, 200, 300]
            group.createVariable("DBZ", "f4", ("azimuth", "range"))[...] = numbers(4, 3)
    assert [sweep.elevation for sweep in read_sweeps(path)] == [0.5, 1.3]


def odim(path: Path, sweeps: list[dict], *, version: str = "H5rad 2.2", kind: str = "PVOL", **about) -> Path:
    """Store sweeps of ``data`` (quantity to raw values and attributes), with what else is said of each, as ODIM."""
    with h5py.File(path, "w") as file:
        what = {
            "object": kind,
            "version": version,
            "date": "20240601",
            "time": "120000",
            "source": "NOD:nlmad,PLC:x",
        }
        file.create_group("what").attrs.update(
            {k: np.bytes_(v) for k, v in (what | about.get("what", {})).items()}
        )
        file.create_group("where").attrs.update(
            {"lat": 52.0, "lon": 5.0, "height": 30.0} | about.get("where", {})
        )
        file.create_group("how").attrs.update(about.get("how", {}))
        for number, sweep in enumerate(sweeps, start=1):
            group = file.create_group(f"dataset{number}")
            shape = next(iter(sweep["data"].values()))[0].shape
            where = {
                "elangle": 1.0,
                "nrays": shape[0],
                "nbins": shape[1],
                "rscale": 500.0,
                "rstart": 0.0,
                "a1gate": 2,
            }
            group.create_group("where").attrs.update(where | sweep.get("where", {}))
            if "how" in sweep:
                group.create_group("how").attrs.update(sweep["how"])
            group.create_group("what").attrs.update(
                enddate=np.bytes_("20240601"), endtime=np.bytes_(f"1200{number:02d}"), **sweep.get("what", {})
            )
            for i, (quantity, (raw, said)) in enumerate(sweep["data"].items(), start=1):
                group[f"data{i}/data"] = raw
                group.create_group(f"data{i}/what").attrs.update(quantity=np.bytes_(quantity), **said)
    return path


BYTES = np.array([[0, 1, 2, 3], [4, 5, 255, 7], [8, 9, 10, 11]], "u1")
SAID = {"gain": 0.5, "offset": -32.0, "nodata": 255.0, "undetect": 0.0}


def test_an_odim_sweep_keeps_nodata_and_undetect_apart(tmp_path: Path):
    """Codes of bytes, one code for both, and NaN; an attribute may be an array of one; SCAN is as PVOL."""
    floats = np.array([[NAN, -8888, 1, 2]] * 3, "f4")
    data = {
        "DBZH": (BYTES, SAID),
        "VRADH": (floats, {"nodata": NAN, "undetect": -8888.0, "gain": np.array([1.0]), "offset": 0.0}),
    }
    (sweep,) = read_sweeps(odim(tmp_path / "s.h5", [{"data": data}], kind="SCAN"))
    np.testing.assert_array_equal(sweep.undetect, BYTES == 0)
    want = np.where((BYTES == 0) | (BYTES == 255), np.nan, BYTES * 0.5 - 32)
    np.testing.assert_array_equal(sweep.moments["reflectivity"], want.astype("f4"))
    np.testing.assert_array_equal(sweep.moments["velocity"][0], np.array([NAN, NAN, 1, 2], "f4"))
    assert (sweep.radar, sweep.time.second) == ("nlmad", 1)
    both = {"TH": (BYTES, SAID | {"nodata": 0.0})}
    (sweep,) = read_sweeps(odim(tmp_path / "b.h5", [{"data": both}]))
    assert (sweep.undetect[0, 0], np.isnan(sweep.moments["reflectivity"]).sum()) == (True, 1)


@pytest.mark.parametrize(
    ("rstart", "version", "metres", "said"),
    [
        (1.0, (2, 2), 1000, "1 km, as ODIM 2.2"),
        (0.125, (2, 3), 125, "0.125 km, as ODIM 2.3"),
        (250.0, (2, 4), 250, "250 m, as ODIM 2.4"),
        (1.0, (3, 0), 1, "1 m, as ODIM 3.0"),
        (500.0, (2, 2), 500, "500 m, for in km, as ODIM 2.2 has it, it cannot be"),
        (0.0, (2, 0), 0, "0 km"),
    ],
)
def test_rstart_is_read_by_the_version(
    tmp_path: Path, rstart: float, version: tuple[int, int], metres: float, said: str
):
    """Km up to 2.3, m from 2.4 on, and never a start of hundreds of km."""
    assert _start(rstart, version)[0] == metres
    path = odim(
        tmp_path / "s.h5",
        [{"data": {"DBZH": (BYTES, SAID)}, "where": {"rstart": rstart}}],
        version=f"H5rad {version[0]}.{version[1]}",
    )
    (sweep,) = read_sweeps(path)
    np.testing.assert_array_equal(sweep.ranges, metres + 250 + 500 * np.arange(4.0))
    assert sweep.attributes["rstart"].startswith(said)
    (grid,) = read(path)
    assert grid.attributes["rstart"] == sweep.attributes["rstart"]


def test_where_the_rays_of_odim_look(tmp_path: Path):
    """astart shifts all, startazA and stopazA tell each, also over north and backwards; a1gate moves none."""
    data = {"DBZH": (BYTES, SAID)}
    sweeps = [
        {"data": data},
        {"data": data, "how": {"astart": -60.0}},
        {"data": data, "how": {"startazA": [359.5, 0.5, 10.0], "stopazA": [0.5, 1.5, 9.0]}},
        {"data": data, "how": {"startazA": [5.0, NAN, 7.0], "stopazA": [6.0, 7.0, 8.0]}},
    ]
    plain, shifted, told, lost = read_sweeps(odim(tmp_path / "v.h5", sweeps))
    np.testing.assert_array_equal(plain.azimuths, [60, 180, 300])
    np.testing.assert_array_equal(shifted.azimuths, [0, 120, 240])
    np.testing.assert_array_equal(told.azimuths, [0, 1, 9.5])
    np.testing.assert_array_equal(lost.azimuths, [5.5, 7.5])
    np.testing.assert_array_equal(lost.moments["reflectivity"], plain.moments["reflectivity"][[0, 2]])


def test_a_sector_of_odim_stays_a_sector(tmp_path: Path):
    """Also over north; to 360 degrees it is a turn."""
    data = {"DBZH": (BYTES, SAID)}
    said = [
        {"startaz": 30.0, "stopaz": 90.0},
        {"startaz": 330.0, "stopaz": 30.0},
        {"startaz": 0.0, "stopaz": 360.0},
    ]
    for kind in ("AZIM", "SCAN"):
        path = odim(tmp_path / f"{kind}.h5", [{"data": data, "where": where} for where in said], kind=kind)
        east, north, turn = read_sweeps(path)
        np.testing.assert_allclose(east.azimuths, [40, 60, 80])
        np.testing.assert_allclose(north.azimuths, [340, 0, 20])
        np.testing.assert_allclose(turn.azimuths, [60, 180, 300])


def test_scans_of_odim_through_the_vertical_are_left_out(tmp_path: Path):
    """They would fill a circle: a file of nothing else is refused, whatever object it says that it is."""
    data = {"DBZH": (np.tile(BYTES, (4, 1)), SAID)}
    rhi = {
        "data": data,
        "how": {"elangles": np.linspace(0.5, 60, 12), "startazA": [120.0] * 12, "stopazA": [121.0] * 12},
    }
    plain = {"data": data, "how": {"elangles": np.linspace(0.95, 1.05, 12)}}
    (sweep,) = read_sweeps(odim(tmp_path / "v.h5", [rhi, plain]))
    assert sweep.azimuths.size == 12
    for sweeps, kind in (([rhi], "SCAN"), ([plain], "ELEV")):
        with pytest.raises(DataError, match="holds only scans through the vertical"):
            read_sweeps(odim(tmp_path / "r.h5", sweeps, kind=kind))


def test_what_is_not_asked_for_is_not_touched(tmp_path: Path):
    """A velocity that cannot be read harms nobody who wants reflectivity."""
    path = odim(tmp_path / "v.h5", [{"data": {"DBZH": (BYTES, SAID), "VRADH": (BYTES, SAID)}}])
    with h5py.File(path, "a") as file:
        change_data(file, "dataset1/data2/data", BYTES[0])
    (sweep,) = read_sweeps(path, moments=["reflectivity"])
    assert list(sweep.moments) == ["reflectivity"]
    with pytest.raises(DataError, match=r"v\.h5: dataset1/data2/data is \(4,\)"):
        read_sweeps(path)


def test_nyquist_and_wavelength_of_odim(tmp_path: Path):
    """NI of the data before that of the sweep before that of the file; wavelength in cm, or a frequency in Hz."""
    data = {"VRADH": (BYTES, SAID)}
    path = odim(
        tmp_path / "v.h5",
        [{"data": data, "how": {"NI": 20.0}}, {"data": data}],
        how={"NI": 8.0, "wavelength": 5.3},
    )
    with h5py.File(path, "a") as file:
        file.create_group("dataset1/data1/how").attrs["NI"] = np.array([24.0])
    first, second = read_sweeps(path)
    assert (first.nyquist, second.nyquist, first.wavelength) == (24.0, 8.0, pytest.approx(0.053))
    (sweep,) = read_sweeps(odim(tmp_path / "f.h5", [{"data": data}], how={"frequency": 5.6e9, "NI": 0.0}))
    assert (sweep.nyquist, sweep.wavelength) == (None, pytest.approx(0.05353, abs=1e-4))
    assert read_sweeps(odim(tmp_path / "n.h5", [{"data": data}]))[0].wavelength is None


def test_mixed_sweeps_of_odim(tmp_path: Path):
    """A moment with fewer gates ends sooner; sweeps without a known quantity or with a single ray are left out."""
    sweeps = [
        {"data": {"DBZH": (BYTES, SAID), "VRADH": (BYTES[:, :2], SAID)}, "where": {"elangle": 3.0}},
        {"data": {"CLASS": (BYTES, SAID)}},
        {"data": {"DBZH": (BYTES[:1], SAID)}},
        {"data": {"VRADH": (BYTES, SAID)}, "where": {"elangle": 0.3}},
    ]
    first, last = read_sweeps(odim(tmp_path / "v.h5", sweeps))
    assert np.isnan(first.moments["velocity"][:, 2:]).all()
    assert not np.isnan(first.moments["velocity"][2, :2]).any()
    assert (first.elevation, last.elevation, set(last.moments)) == (3.0, 0.3, {"velocity"})
    (grid,) = read(tmp_path / "v.h5")
    assert grid.attributes["elevation"] == 3.0


def change_data(file: h5py.File, name: str, value) -> None:
    """Put something else in the place of an array."""
    del file[name]
    file[name] = value


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f["dataset1/where"].attrs.modify("rscale", 0.0), "dataset1/where: 'rscale' is 0"),
        (
            lambda f: f["dataset1/where"].attrs.modify("nrays", 7),
            r"holds arrays of \(3, 4\), expected 7 rays",
        ),
        (lambda f: f["dataset1/where"].attrs.create("elangle", np.bytes_("low")), "'elangle' is 'low'"),
        (lambda f: f["dataset1/where"].attrs.pop("elangle"), "dataset1/where has no attribute 'elangle'"),
        (lambda f: f["where"].attrs.pop("lat"), "where has no attribute 'lat'"),
        (lambda f: f["dataset1/data1/what"].attrs.modify("quantity", np.bytes_("CLASS")), "any known moment"),
        (
            lambda f: change_data(f, "dataset1/data1/data", BYTES[0]),
            r"is \(4,\) of uint8, expected numbers of rays",
        ),
        (
            lambda f: change_data(f, "dataset1/data1/data", np.array([[b"a"] * 4] * 3)),
            r"of \|S1, expected numbers",
        ),
        (lambda f: f.pop("dataset1/data1/data"), "holds no dataset1/data1/data"),
        (lambda f: f.pop("dataset1"), "holds no group 'dataset1'"),
        (
            lambda f: f["dataset1/what"].attrs.modify("endtime", np.bytes_("noon")),
            "the time is '20240601noon'",
        ),
    ],
)
def test_odim_that_does_not_fit_is_named(tmp_path: Path, change, said: str):
    """File, group, attribute, and what was expected."""
    path = odim(tmp_path / "bad.h5", [{"data": {"DBZH": (BYTES, SAID)}}], what={"date": "", "time": ""})
    assert read_sweeps(path)
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(DataError, match=rf"bad\.h5.*{said}"):
        read_sweeps(path)


@pytest.mark.parametrize("make", [cfradial, odim])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_truncated_files_are_named(tmp_path: Path, make, part: float):
    """Wherever it is cut."""
    raw = np.random.default_rng(1).integers(0, 200, (60, 200)).astype("u1")
    path = tmp_path / "cut.nc"
    if make is cfradial:
        cfradial(path, [{"fields": {"DBZ": raw.astype("f4")}}])
    else:
        odim(path, [{"data": {"DBZH": (raw, SAID)}}])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(DataError, match=r"cut\.nc.*(truncated|complete)"):
        read_sweeps(path)


@pytest.mark.parametrize("make", [cfradial, odim])
def test_damaged_files_do_not_give_a_traceback(tmp_path: Path, make):
    """Bytes overwritten anywhere leave what is read untouched, or are an error that names the file."""
    raw = np.random.default_rng(1).integers(0, 200, (20, 30)).astype("u1")
    path = tmp_path / "damaged"
    if make is cfradial:
        cfradial(path, [{"fields": {"DBZ": raw.astype("f4")}}], points=True, kind="NETCDF3_CLASSIC")
    else:
        odim(path, [{"data": {"DBZH": (raw, SAID)}}])
    whole, rng = path.read_bytes(), np.random.default_rng(2)
    named = 0
    for _ in range(60):
        data = bytearray(whole)
        for place in rng.integers(8, len(data), 8):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            assert read_sweeps(path)
        except DataError as error:
            assert str(path) in str(error)  # noqa: PT017 - both outcomes are right
            named += 1
    assert named


def test_a_volume_of_nan_is_legal(tmp_path: Path):
    """Every gate missing: a grid of missing cells."""
    nothing = np.full((8, 9), np.nan, "f4")
    path = cfradial(tmp_path / "v.nc", [{"fields": {"DBZ": nothing}}])
    (sweep,) = read_sweeps(path)
    assert np.isnan(sweep.moments["reflectivity"]).all()
    assert not sweep.undetect.any()
    (grid,) = read(path)
    assert not (grid.status == 0).any()
