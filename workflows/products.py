"""The tasks that make of a grid what is published: an image, polygons, a legend. All chains share them.

Enters: a grid of any quantity. Leaves: files for web maps.
Goes wrong: `DataError` that names the file, or the level that cannot be contoured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dynamo.workflows.kept import field_of

from dynamo.graph import Input, Output, task

#: What a map for people tells below it of what the grid says of itself, and how it is called there.
NOTES = {
    "radars": "radars, each with its newest sweep (UTC)",
    "absent_radars": "absent",
    "ahead_radars": "not used, their clock is ahead",
    "damaged_files": "not used, damaged",
    "warning": "warning",
}

__all__ = ["contour", "draw", "legend", "plot", "publish"]


@task(memory="512 MiB", timeout="1 min")
def plot(grid: Input, image: Output, bounds: Output, *, veiled: bool = False) -> None:
    """Paint a grid as a transparent PNG for web maps, and write beside it where it lies (WGS 84).

    Where `veiled`, what is not known is a thin grey: it must not be taken for "nothing there".
    """
    from dynamo.radar.image import VEIL, write_bounds, write_png

    shown, unseen = field_of(grid), VEIL if veiled else None
    write_png(Path(image), shown, unseen=unseen)
    write_bounds(Path(bounds), shown, image=Path(image).name, unseen=unseen)


@task(memory="512 MiB", timeout="1 min", priority=5)
def contour(
    grid: Input, polygons: Output, *, levels: Sequence[float], min_points: int = 12, hazard: str = "STORM"
) -> None:
    """Trace the areas at or above each of `levels` (in the grid's units) as GeoJSON polygons with their holes.

    Outlines of fewer than `min_points` positions are left out. `hazard` is what the polygons warn of.
    """
    from dynamo.radar.bounds import bounds
    from dynamo.radar.contour import contour as trace
    from dynamo.radar.geojson import hazard_properties, known_share, write_geojson
    from dynamo.radar.known_map import known_map

    seen = field_of(grid)
    write_geojson(
        Path(polygons),
        trace(seen, levels, min_points=min_points),
        properties=hazard_properties(seen, hazard=hazard),
        known_share=known_share(seen),
        field_bounds=bounds(seen.geometry),
        known_map=known_map(seen),
        about=seen.attributes,
    )


@task(memory="512 MiB", timeout="1 min")
def legend(grid: Input, image: Output, *, veiled: bool = False) -> None:
    """Paint the legend of the palette that images of `grid` have, to lay over a map; `veiled` as for `plot`."""
    from dynamo.radar.image import VEIL, write_legend
    from dynamo.radar.palette import colours

    write_legend(Path(image), colours(field_of(grid).quantity), unseen=VEIL if veiled else None)


@task(memory="1 GiB", timeout="2 min", priority=-10)
def draw(grid: Input, figure: Output, *, levels: Sequence[float], title: str) -> None:
    """Draw the whole of a grid as a map for people, with outlines at `levels`, scale, legend, and what it is made of.

    `title` stands above it, before the time. Classes have colours, and no outlines.
    """
    from dynamo.radar.figure import write_contact_sheet

    seen = field_of(grid)
    notes = [f"{said}: {seen.attributes[name]}" for name, said in NOTES.items() if seen.attributes.get(name)]
    write_contact_sheet(Path(figure), [seen], levels=levels, title=title, whole=True, notes=notes)


def publish(
    grid: Input,
    name: str,
    *,
    levels: Sequence[float],
    min_points: int,
    hazard: str,
    title: str,
    previews: bool,
    palette: str = "legend.png",
) -> None:
    """Describe all products of a grid that people are warned by: image, polygons, legend, and with `previews` a map."""
    plot(grid, image=f"{name}.png", bounds=f"{name}.json", veiled=True)
    contour(grid, levels=levels, min_points=min_points, hazard=hazard, polygons=f"{name}.geojson")
    legend(grid, image=palette, veiled=True)
    if previews:
        draw(grid, levels=levels, title=title, figure=f"{name}_map.png")
