"""Small workflows in a file of the user's own, and a run of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynamo.engine import LocalEngine, Products, Request
from dynamo.graph import Graph
from dynamo.journal import Workspace
from dynamo.runfile import load_workflow

CHAINS = """
import json
from pathlib import Path
from dynamo import Input, Output, command, fuse, task, workflow

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)

@task
def motion(frames: list[Input], field: Output): field.write_text("m")

@task
def move(frame: Input, field: Input, grid: Output, *, lead: int): grid.write_text(str(lead))

@task
def plot(grid: Input, image: Output): image.write_bytes(PIXEL)

@task
def contour(grid: Input, polygons: Output, *, levels: list[float]):
    lead = int(grid.read_text())
    polygons.write_text(json.dumps({"type": "FeatureCollection", "features": [None] * lead}))

@command
def join(images: list[Input], film: Output):
    return ["sh", "-c", "cat > $0", film]

@workflow
def nowcast(frames: list[Input], leads: int = 31):
    field = motion(frames, field="motion.nc")
    images = []
    for lead in range(leads):
        with fuse(f"lead-{lead:02d}"):
            grid = move(frames[-1], field, lead=lead, grid=f"grid_{lead:02d}.nc")
            images.append(plot(grid, image=f"image_{lead:02d}.png"))
            contour(grid, levels=[35], polygons=f"polygons_{lead:02d}.geojson")
    join(images, film="film.gif")

@task
def fragile(frame: Input, good: Output, *, n: int):
    print("<b>about to</b> \\x1b[31mfail\\x1b[0m \\x00")
    if n: raise ValueError(f"bad <script>alert({n})</script> & more")
    good.write_text("x")

@task
def follow(good: Input, more: Output): more.write_text("y")

@workflow
def failing(frame: Input, count: int = 3):
    for n in range(count):
        follow(fragile(frame, n=n, good=f"good_{n}"), more=f"more_{n}")

@workflow(runtime=True)
def each(storms: Input, summary: Output):
    tracks = [move(storms, storms, lead=n, grid=f"track_{n}") for n in json.loads(Path(storms).read_text())]
    motion(tracks, field=summary)

@task
def find(frame: Input, storms: Output): storms.write_text("[1, 2, 3]")

@workflow
def storms(frame: Input):
    follow(each(find(frame, storms="storms.json"), summary="summary.txt"), more="end.txt")

@workflow
def steps(frame: Input):
    follow(follow(follow(frame, more="a"), more="b"), more="c")

@workflow
def loop(frame: Input, count: int = 3):
    for n in range(count):
        frame = contour(move(frame, frame, lead=1, grid=f"g{n}"), levels=[1], polygons=f"p{n}")

@workflow
def inner(frame: Input, n: int):
    follow(find(frame, storms=f"s{n}"), more=f"m{n}")

@workflow
def outer(frames: list[Input]):
    for n, frame in enumerate(frames): inner(frame, n)
"""


class Chains:
    """Describes the workflows above on made frames, and runs them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "chains.py").write_text(CHAINS)
        self.frames = [folder / f"frame_{n}.nc" for n in range(6)]
        for frame in self.frames:
            frame.write_text(frame.name)
        self.workspace = Workspace.open(folder / ".dynamo")

    def graph(self, name: str, **given: object) -> Graph:
        flow = load_workflow("./chains.py:" + name, self.folder)
        many = name in ("nowcast", "outer")
        given = {"frames": self.frames} | given if many else {"frame": self.frames[0]} | given
        return flow.graph(**given)

    def run(self, graph: Graph, run: str, *, inline: bool = True, **settings: object) -> str:
        folder = str(self.folder / "products")
        settings = {"products": folder, "only": [], "engine": "local"} | settings
        with LocalEngine(self.workspace, inline=inline) as engine:
            engine.run(Request(run, graph, Products(folder, tuple(settings["only"])), settings=settings))
        return run


@pytest.fixture
def chains(tmp_path) -> Chains:
    """Workflows to draw and to run."""
    return Chains(tmp_path)
