"""Images: the colours of known cells, where they lie on a web map, the text they carry, and legends."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import netCDF4
import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer

from dynamo.errors import DataError
from dynamo.radar.grid import Geometry, Grid
from dynamo.radar.image import VEIL, image_geometry, paint, write_bounds, write_legend, write_png
from dynamo.radar.palette import colours, palette, palettes

NOON = datetime(2024, 5, 1, 12, 5, tzinfo=UTC)
LAEA = "+proj=laea +lat_0=55 +lon_0=10 +x_0=1950000 +y_0=-2100000 +units=m +ellps=WGS84"


def small_grid(values, geometry=None, **more):
    values = np.asarray(values, dtype="f4")
    ny, nx = values.shape
    return Grid.from_values(values, geometry or Geometry(-97.0, 33.0, 0.01, -0.01, nx, ny), NOON, **more)


def read_pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA")), dict(image.info), image.mode


def hexa(pixel):
    return "#" + bytes(pixel[:3].tolist()).hex()


def test_known_values_have_the_colours_of_the_weather_service(tmp_path):
    """Values at and just below each 5 dBZ step, and beyond the ends."""
    values = [[0, 4.5, 5, 9.5, 35, 39.5, 40, 50, 65, 74.5, 75, 80]]
    write_png(tmp_path / "a.png", small_grid(values), crs=None)
    pixels, _, mode = read_pixels(tmp_path / "a.png")
    assert mode == "P"
    assert [hexa(p) for p in pixels[0]] == (
        [
            "#9aa3ad",
            "#9aa3ad",
            "#04e9e7",
            "#04e9e7",
            "#fdf802",
            "#fdf802",
            "#e5bc00",
            "#fd0000",
            "#f800fd",
            "#9854c6",
            "#fdfdfd",
            "#fdfdfd",
        ]
    )
    assert (pixels[..., 3] == 255).all()


def test_no_echo_out_of_range_and_below_the_palette_are_transparent(tmp_path):
    """Three kinds of nothing show the map below."""
    mask = np.array([[True, False, False]])
    grid = small_grid([[np.nan, np.nan, -5.0]], undetect=mask, out_of_range=np.roll(mask, 1))
    write_png(tmp_path / "a.png", grid, crs=None, missing="#808080")
    assert (read_pixels(tmp_path / "a.png")[0][..., 3] == 0).all()


def test_missing_cells_are_drawn_only_when_asked_for(tmp_path):
    """A gap in the data is transparent, or of the colour given, alpha included."""
    grid = small_grid([[np.nan, 50.0]])
    write_png(tmp_path / "a.png", grid, crs=None)
    write_png(tmp_path / "b.png", grid, crs=None, missing="#10203040")
    assert read_pixels(tmp_path / "a.png")[0][0, 0, 3] == 0
    assert read_pixels(tmp_path / "b.png")[0][0, 0].tolist() == [0x10, 0x20, 0x30, 0x40]
    with pytest.raises(DataError, match="not a colour"):
        write_png(tmp_path / "c.png", grid, missing="grey")


def test_all_that_is_not_known_is_drawn_when_asked_for(tmp_path):
    """Missing and out of range; what was looked at and is empty stays clear. The sidecar names the colour."""
    nothing = np.array([[False, True, False, False]])
    grid = small_grid([[np.nan, np.nan, np.nan, 50.0]], undetect=nothing, out_of_range=np.roll(nothing, 1))
    write_png(tmp_path / "a.png", grid, crs=None, unseen=VEIL)
    write_bounds(tmp_path / "a.json", grid, crs=None, unseen=VEIL)
    pixels, info, _ = read_pixels(tmp_path / "a.png")
    veil = list(bytes.fromhex(VEIL[1:]))
    assert 0 < veil[3] < 128
    assert pixels[0].tolist() == [veil, [0, 0, 0, 0], veil, [0xFD, 0, 0, 255]]
    assert json.loads((tmp_path / "a.json").read_text())["not_known"] == VEIL
    assert info["index"].endswith("; 152 is not known")


def test_what_lies_beside_a_projected_grid_is_not_known_either(tmp_path):
    """The corners of its image, though all its cells are known."""
    clear = np.ones((60, 60), dtype=bool)
    place = Geometry(4.0e5, -6.0e5, 5e4, -5e4, 60, 60, LAEA)
    write_png(tmp_path / "a.png", small_grid(np.full((60, 60), np.nan), place, undetect=clear), unseen=VEIL)
    alpha = read_pixels(tmp_path / "a.png")[0][..., 3]
    assert alpha[0, 0] == alpha[0, -1] == bytes.fromhex(VEIL[1:])[3]
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] == 0


def test_the_legend_shows_what_is_not_known_as_it_looks_on_paper(tmp_path):
    """Below the bar, where images show it; else it stays as it was."""
    for name, unseen in (("a", None), ("b", VEIL)):
        write_legend(tmp_path / f"{name}.png", "hail_class", unseen=unseen)
    plain, veiled = (read_pixels(tmp_path / f"{name}.png")[0] for name in "ab")
    *ink, alpha = bytes.fromhex(VEIL[1:])
    on_paper = [round(255 + (c - 255) * alpha / 255) for c in ink] + [255]
    assert plain.shape[0] == veiled.shape[0]
    assert (veiled[-14, 8] == on_paper).all()
    assert not (plain == on_paper).all(axis=-1).any()


def test_a_value_can_be_read_back_from_its_index():
    """Half a dB, and an eighth of an octave of rain."""
    values = np.arange(0, 75.5, 0.5, dtype="f4")
    np.testing.assert_array_equal(
        colours("reflectivity").value(colours("reflectivity").index(values)), values
    )
    rain = colours("rain_rate")
    rates = np.geomspace(0.125, 120, 500).astype("f4")
    back = rain.value(rain.index(rates))
    assert ((back <= rates * 1.001) & (rates < back * 2 ** (1 / 8) * 1.001)).all()
    assert rain.index(np.array([0, 0.12, np.nan], dtype="f4")).tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", palettes())
def test_every_palette_fits_a_byte_and_has_ticks_inside(name):
    """With room for nothing, missing and 16 greys."""
    entry = palette(name)
    assert len(entry) <= 238
    assert entry.rgb.shape == (len(entry), 3)
    assert entry.stops[0] <= min(entry.ticks)
    assert max(entry.ticks) <= entry.stops[-1]
    assert [entry.value(entry.index(np.array([t], dtype="f4")))[0] for t in entry.ticks] == pytest.approx(
        entry.ticks
    )
    assert entry.colour(entry.stops[0]) == hexa(entry.rgb[0])


def test_the_palette_for_all_eyes_darkens_with_the_level():
    """Within its cool and its warm half each colour is darker than the one below it."""
    entry = palette("reflectivity-cvd")
    luminance = entry.rgb @ np.array([0.2126, 0.7152, 0.0722])
    warm = int(entry.index(np.array([35], dtype="f4"))[0]) - 1
    cool_end = int(entry.index(np.array([30], dtype="f4"))[0])
    assert (np.diff(luminance[:cool_end]) <= 0.5).all()
    assert (np.diff(luminance[warm:]) <= 0.5).all()


def test_unknown_palettes_are_named_with_the_nearest(tmp_path):
    """A typo, and a palette of another quantity."""
    grid = small_grid([[1.0]])
    with pytest.raises(DataError, match="did you mean 'reflectivity'"):
        palette("reflectivty")
    with pytest.raises(DataError, match="is for rain_rate, the grid holds reflectivity"):
        write_png(tmp_path / "a.png", grid, palette="rain_rate")


def test_a_tall_grid_is_stretched_as_web_maps_stretch_it(tmp_path):
    """In EPSG:3857 each pixel shows the cell at its own latitude; unstretched it would be 20 rows off."""
    rows = np.repeat(np.arange(1000)[:, None] % 150 / 2, 4, axis=1)
    grid = small_grid(rows, Geometry(-101.495, 37.995, 0.01, -0.01, 4, 1000))
    write_png(tmp_path / "a.png", grid)
    pixels, info, _ = read_pixels(tmp_path / "a.png")
    assert pixels.shape[:2] == (1000, 4)
    west, south, east, north = map(float, info["bounds"].split())
    assert (west, south, east, north) == pytest.approx((-101.5, 28.0, -101.46, 38.0))
    mercator = Transformer.from_crs(4326, 3857, always_xy=True)
    _, ends = mercator.transform([west, west], [south, north])
    middles = ends[1] - (np.arange(1000) + 0.5) / 1000 * (ends[1] - ends[0])
    _, lat = mercator.transform(np.full(1000, west), middles, direction="INVERSE")
    rows_shown = np.rint((37.995 - lat) / 0.01).astype(int)
    np.testing.assert_array_equal(
        paint(grid, colours("reflectivity"))[:, 0], colours("reflectivity").index(grid.values)[rows_shown, 0]
    )
    assert np.abs(rows_shown - np.arange(1000)).max() >= 14


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4326"])
def test_a_projected_grid_shows_at_each_pixel_the_nearest_cell(crs):
    """Against PROJ itself, one pixel at a time: but for three in a thousand, those on a border."""
    rng = np.random.default_rng(1)
    grid = small_grid(rng.integers(0, 150, (300, 200)) / 2, Geometry(2e6, -6e5, 2000, -2000, 200, 300, LAEA))
    target = image_geometry(grid.geometry, crs)
    column, row = np.meshgrid(np.arange(target.nx), np.arange(target.ny))
    back = Transformer.from_crs(crs, LAEA, always_xy=True)
    x, y = back.transform(target.x0 + target.dx * column, target.y0 + target.dy * row)
    c, r = np.rint((x - 2e6) / 2000).astype(int), np.rint((y + 6e5) / -2000).astype(int)
    inside = (c >= 0) & (c < 200) & (r >= 0) & (r < 300)
    entry = colours("reflectivity")
    expected = np.zeros(target.shape, dtype="u1")
    expected[inside] = entry.index(grid.values)[r[inside], c[inside]]
    assert (paint(grid, entry, crs=crs) != expected).mean() < 3e-3
    expected[~inside] = len(entry) + 1
    assert (paint(grid, entry, crs=crs, unseen=True) != expected).mean() < 3e-3


def test_real_frames_come_back_cell_by_cell(samples, tmp_path):
    """Every pixel of a CASA frame has the colour of its cell."""
    with netCDF4.Dataset(samples / "grids" / "casa_dfw_merged_1min_40x400x400.nc") as file:
        values = np.ma.filled(file["reflectivity"][30].astype("f4"), np.nan)
        geometry = Geometry.from_coordinates(file["lon"][:], file["lat"][:])
    grid = Grid.from_values(values, geometry, NOON, undetect=np.isnan(values))
    write_png(tmp_path / "a.png", grid, crs=None)
    pixels, _, _ = read_pixels(tmp_path / "a.png")
    shown = grid.values >= 0
    np.testing.assert_array_equal(pixels[..., 3] > 0, shown)
    steps = np.clip((grid.values[shown] * 2).astype(int), 0, 150)
    np.testing.assert_array_equal(pixels[shown][:, :3], colours("reflectivity").rgb[steps])


def test_text_and_sidecar_say_what_it_is_and_where(tmp_path):
    """Time, units, bounds and CRS in the PNG and beside it; non-Latin text survives."""
    grid = small_grid(np.full((20, 30), 40.0), lead_minutes=5.0, source="радар Kuopio")
    write_png(tmp_path / "a.png", grid)
    _, info, _ = read_pixels(tmp_path / "a.png")
    assert info["crs"] == "EPSG:3857"
    assert info["bounds"] == "-97.005000 32.805000 -96.705000 33.005000"
    assert (info["units"], info["valid_time"], info["lead_minutes"]) == ("dBZ", "2024-05-01T12:05:00Z", "5")
    assert info["source"] == "радар Kuopio"
    assert info["palette"] == "reflectivity"
    write_bounds(tmp_path / "a.json", grid, image="a.png")
    sidecar = json.loads((tmp_path / "a.json").read_text())
    assert sidecar["bounds"] == [-97.005, 32.805, -96.705, 33.005]
    assert sidecar["corners"] == [[32.805, -97.005], [33.005, -96.705]]
    assert (sidecar["image"], sidecar["width"], sidecar["height"]) == ("a.png", 30, 20)
    assert sidecar["valid_time"] == info["valid_time"]
    assert (sidecar["known_share"], info["known_share"]) == (1.0, "1")


def test_the_sidecar_tells_an_outage_from_dry_weather(tmp_path):
    """Both are transparent; only one has cells of which something is known."""
    values = np.full((20, 30), np.nan)
    for half, share in ((0, 0.0), (15, 0.5), (30, 1.0)):
        dry = np.arange(30) < half
        write_bounds(tmp_path / "a.json", small_grid(values, undetect=np.tile(dry, (20, 1))))
        assert json.loads((tmp_path / "a.json").read_text())["known_share"] == share


def test_a_world_file_gives_the_first_pixel_and_the_steps(tmp_path):
    """Six lines, in the CRS of the image."""
    grid = small_grid(np.full((20, 30), 40.0))
    write_bounds(tmp_path / "a.pgw", grid, crs=None)
    numbers = [float(line) for line in (tmp_path / "a.pgw").read_text().split()]
    assert numbers == pytest.approx([0.01, 0, 0, -0.01, -97.0, 33.0])


def test_the_same_grid_gives_the_same_bytes(tmp_path):
    """No clock in the file."""
    grid = small_grid(np.full((20, 30), 40.0))
    for name in ("a.png", "b.png"):
        write_png(tmp_path / name, grid)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_another_crs_is_refused(tmp_path):
    """The message names those that there are."""
    with pytest.raises(DataError, match=r"EPSG:3857, EPSG:4326 or the grid's own CRS, not in 'EPSG:2154'"):
        write_png(tmp_path / "a.png", small_grid([[1.0, 2.0]]), crs="EPSG:2154")


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4326"])
def test_a_grid_around_a_pole_is_drawn_in_its_own_crs_only(tmp_path, crs):
    """Neither map has a pole in its middle."""
    geometry = Geometry(-10_000, 10_000, 1000, -1000, 21, 21, "+proj=stere +lat_0=90 +ellps=WGS84")
    grid = small_grid(np.zeros((21, 21)), geometry)
    with pytest.raises(DataError, match=f"cannot be drawn in {crs}"):
        write_png(tmp_path / "a.png", grid, crs=crs)
    write_png(tmp_path / "a.png", grid, crs=None)
    assert read_pixels(tmp_path / "a.png")[0].shape == (21, 21, 4)


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry(179.5, -17, 0.01, -0.01, 100, 60),
        Geometry(-50_000, 30_000, 1000, -1000, 100, 60, "+proj=aeqd +lat_0=-17 +lon_0=180 +ellps=WGS84"),
    ],
)
def test_an_image_across_the_antimeridian_is_one_piece(tmp_path, geometry):
    """Fiji: bounds run on beyond 180 degrees, as web maps take them."""
    write_png(tmp_path / "a.png", small_grid(np.full((60, 100), 40.0), geometry))
    pixels, info, _ = read_pixels(tmp_path / "a.png")
    west, _, east, _ = map(float, info["bounds"].split())
    assert 179 < west < 180 < east < 181
    assert (pixels[5:-5, 5:-5, 3] == 255).all()
    assert abs(pixels.shape[1] - 100) < 5


@pytest.mark.parametrize("name", palettes())
def test_a_legend_shows_the_palette_from_top_to_bottom(tmp_path, name):
    """The bar holds the first and the last colour, in that order from below."""
    write_legend(tmp_path / "legend.png", name, height=300)
    pixels, info, _ = read_pixels(tmp_path / "legend.png")
    assert pixels.shape[0] == 300
    bar = [hexa(p) for p in pixels[:, 8]]
    low, high = hexa(palette(name).rgb[0]), hexa(palette(name).rgb[-1])
    assert bar.index(high) < bar.index(low)
    assert info["units"] == palette(name).units
