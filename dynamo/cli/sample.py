"""``dynamo sample``: list sample cases, put one where it can be used, or make a storm.

The name of a case enters; files and their paths leave. Errors are those of `dynamo.radar.samples`, and a
`UserError` for options that do not fit the case.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.errors import UserError
from dynamo.graph.units import format_count

if TYPE_CHECKING:
    from dynamo.radar.samples import Sample

__all__ = ["command"]


@click.command("sample", short_help="List sample cases, fetch one, or make a storm.")
@click.argument("name", required=False)
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Put the files into this folder.")
@click.option(
    "--link", is_flag=True, help="With --to: link to files that are already here, do not copy them."
)
@click.option("--regime", help="The storm's weather: calm, line (default) or widespread.")
@click.option("--frames", type=click.IntRange(1, 500), help="The storm's number of frames (40).")
@click.option("--every", type=click.IntRange(1, 86400), metavar="SECONDS", help="The storm's step (60).")
@click.option("--seed", type=int, help="Another storm for every seed (0).")
@click.option("--gaps", type=float, help="Share of the storm's frames that are lost or miss a sector (0).")
@click.option("--noise", type=float, help="Share of the storm's cells that show a false echo (0).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    name: str | None, folder: Path | None, *, link: bool, as_json: bool, **storm: float | str | None
) -> None:
    """List sample cases; with NAME, fetch that case (or make the storm) and print the paths of its files.

    With --to, a run file that nowcasts the frames is written beside them. Files are looked for in the folder
    DYNAMO_SAMPLES names, then in ../shared/data, then in the cache, and are downloaded only then. The case
    `storm` is made here and needs no network.

    \b
    dynamo sample
    dynamo sample knmi --to samples/knmi
    dynamo sample storm --regime line --frames 40 --seed 1 --to samples/storm
    """  # noqa: D301 (click reads the backspace as "do not rewrap")
    asked = {option: value for option, value in storm.items() if value is not None}
    if name != "storm" and asked:
        raise UserError(f"--{next(iter(asked))} shapes the built-in storm only: dynamo sample storm ...")
    if name is None:
        _list(as_json=as_json)
        return
    paths = _make(folder, asked) if name == "storm" else _put(name, folder, link=link)
    _report(name, paths, folder, as_json=as_json)


def _list(*, as_json: bool) -> None:
    from dynamo.radar.samples import list_samples

    rows = [(sample, _where(sample)) for sample in list_samples()]
    if as_json:
        keys = ("name", "what", "source", "bytes")
        listed = [
            {key: getattr(s, key) for key in keys} | {"files": len(s.files), "where": where}
            for s, where in rows
        ]
        click.echo(json.dumps(listed, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("name", "what", "size", "where"):
        table.add_column(title, justify="right" if title == "size" else "left", overflow="fold")
    for sample, where in rows:
        table.add_row(sample.name, sample.what, _size(sample.bytes) if sample.files else "-", where)
    Console().print(table)


def _where(sample: Sample) -> str:
    from dynamo.radar.samples import find

    if not sample.files:
        return "made here"
    found = find(sample)
    folders = sorted({str(path.parent) for path in found.values()})
    if len(found) < len(sample.files):
        return f"to download ({len(sample.files) - len(found)} of {format_count(len(sample.files), 'file')})"
    return ", ".join(folders)


def _make(folder: Path | None, asked: dict[str, Any]) -> list[Path]:
    from dynamo.radar.samples import cache, make_storm

    if "every" in asked:
        asked["every"] = timedelta(seconds=asked["every"])
    return make_storm(folder or cache() / "storm", **asked)


def _put(name: str, folder: Path | None, *, link: bool) -> list[Path]:
    """Fetch a case; with a folder, put its files there."""
    from dynamo.radar.samples import fetch, place

    paths = fetch(name)
    return place(paths, folder, link=link) if folder else paths


def _report(name: str, paths: list[Path], folder: Path | None, *, as_json: bool) -> None:
    from dynamo.radar.samples import list_samples, write_runfile

    sample = next(s for s in list_samples() if s.name == name)
    # Files lie in one folder, or in two where some were found and others downloaded.
    patterns = sorted({str(path.parent / sample.frames) for path in paths})
    if as_json:
        click.echo(json.dumps({"sample": name, "files": list(map(str, paths)), "frames": patterns}, indent=2))
        return
    for path in paths:
        click.echo(path)
    total = sum(path.stat().st_size for path in paths)
    there = f"{format_count(len(paths), 'file')}, {_size(total)}"
    if folder is not None:
        click.echo(f"\n{there}. Nowcast them:")
        click.echo(f"    dynamo run {write_runfile(sample, folder)}")
        return
    click.echo(f"\n{there}. Name them in a run file, or use --to DIR to get one:")
    quoted = json.dumps(patterns[0] if len(patterns) == 1 else patterns)
    click.echo(f"    inputs: {{frames: {{files: {quoted}}}}}")


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
