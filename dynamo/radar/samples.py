"""Find or fetch public sample cases, and the storm that needs nothing.

The name of a case enters; paths of its files leave. Each file is looked for in the folder that
``DYNAMO_SAMPLES`` names, then in ``../shared/data`` seen from the current directory and from the repository,
then in the user's cache, and is downloaded only then. Whatever is found is held against its SHA-256 in
``samples.json``: a damaged file is a `DataError`, a download that fails an `InfrastructureError`.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamo.errors import DataError, nearest
from dynamo.radar.sample_file import VARIABLE, SampleFile, check, download, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "Sample",
    "SampleFile",
    "cache",
    "fetch",
    "find",
    "list_samples",
    "make_storm",
    "place",
    "write_runfile",
]

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample case.

    Parameters
    ----------
    name
        What one calls it by.
    what
        What it shows, in a line.
    source
        The page of those who publish it; empty for what is made here.
    folder
        The folder of its files inside a folder of samples.
    frames
        Which of its files are radar frames, as a glob pattern.
    files
        All its files; none for the storm, which is made on demand.
    params
        Parameters of the nowcast that suit it.
    notes
        Why, for some of them: comments of the run file.
    """

    name: str
    what: str
    source: str
    folder: str
    frames: str
    files: tuple[SampleFile, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(f.bytes for f in self.files)


STORM = Sample(
    "storm",
    "a made storm of known motion, as many frames as you like; needs no download",
    "",
    "storm",
    "storm_*.nc",
    (),
)


@lru_cache(maxsize=1)
def _registry() -> tuple[Sample, ...]:
    cases = json.loads((files("dynamo.radar") / "samples.json").read_text(encoding="utf-8"))
    return tuple(
        Sample(
            **{name: case[name] for name in ("name", "what", "source", "folder", "frames", "params")},
            notes=case.get("notes", {}),
            files=tuple(
                SampleFile(f["name"], f["bytes"], f["sha256"], f"{case['base']}/{f['at']}/{f['name']}")
                for f in case["files"]
            ),
        )
        for case in cases
    )


def list_samples() -> list[Sample]:
    """Return all sample cases, the built-in storm first."""
    return [STORM, *_registry()]


def cache() -> Path:
    """Return the folder where downloads are kept, as the operating system has it (it may not exist yet)."""
    import pooch

    return Path(pooch.os_cache("dynamo-weather"))


def find(sample: Sample) -> dict[str, Path]:
    """Return the files of `sample` that are on this machine, unchecked, by name.

    Raises
    ------
    DataError
        ``DYNAMO_SAMPLES`` is set but is not a folder.
    """
    folders = [folder for root in (*_roots(), cache()) for folder in (root / sample.folder, root)]
    found: dict[str, Path] = {}
    for file in sample.files:
        path = next((folder / file.name for folder in folders if (folder / file.name).is_file()), None)
        if path:
            found[file.name] = path
    return found


def fetch(name: str, *, folder: Path | None = None) -> list[Path]:
    """Return the paths of a sample's files, after downloading those that are not on this machine.

    Parameters
    ----------
    name
        A name of `list_samples`. ``"storm"`` is made anew with its defaults; see `make_storm` for more.
    folder
        Where downloads and the storm go instead of the user's cache. Files found elsewhere stay there.

    Raises
    ------
    DataError
        No sample of this name, or a file does not have the bytes it should have.
    InfrastructureError
        A file cannot be downloaded.
    """
    samples = {s.name: s for s in list_samples()}
    if name not in samples:
        raise DataError(f"no sample {name!r}{nearest(name, samples)}; there are {', '.join(samples)}")
    sample = samples[name]
    folder = folder or cache() / sample.folder
    if sample is STORM:
        return make_storm(folder)
    found = find(sample)
    paths = []
    for file in sample.files:
        path = found.get(file.name, folder / file.name)
        if not path.is_file():
            download(file, folder)
        check(path, file)
        paths.append(path)
    return paths


def make_storm(
    folder: Path, *, regime: str = "line", seed: int = 0, frames: int = 40, every: timedelta = MINUTE,
    **more: Any,
) -> list[Path]:  # fmt: skip
    """Write the frames of `dynamo.radar.storm.storm` as CF NetCDF files into `folder`, named by their time.

    Frames of an older storm in `folder` are removed first, so that what is there is one storm; `more` goes to
    `storm`.

    Raises
    ------
    DataError
        Arguments that `storm` refuses, or `folder` is a file.
    """
    from dynamo.radar.netcdf import write_grid
    from dynamo.radar.storm import storm

    grids = storm(regime, seed, frames, every, **more)
    make_folder(folder)
    for old in folder.glob("storm_[0-9]*Z.nc"):
        old.unlink()
    paths = []
    for grid in grids:
        path = folder / f"storm_{grid.time:%Y%m%dT%H%M%S}Z.nc"
        part = path.with_suffix(".part")
        write_grid(part, grid)
        part.replace(path)
        paths.append(path)
    return paths


def place(paths: Iterable[Path], folder: Path, *, link: bool = False) -> list[Path]:
    """Copy files into `folder`, or make links there; each appears whole or not at all.

    Raises
    ------
    DataError
        `folder` is a file, or cannot be made.
    """
    make_folder(folder)
    placed = []
    for source in paths:
        target = folder / source.name
        if not (target.exists() and target.samefile(source)):
            part = folder / f"{source.name}.part"
            part.unlink(missing_ok=True)
            if link:
                part.symlink_to(source.resolve())
            else:
                shutil.copyfile(source, part)
            part.replace(target)
        placed.append(target)
    return placed


def _roots() -> list[Path]:
    """Return the folders of samples on this machine, the user's own first."""
    roots = []
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_dir():
            raise DataError(
                f"{VARIABLE}={named} is not a folder; set it to one that holds samples, or unset it"
            )
        roots.append(Path(named))
    repository = Path(__file__).resolve().parents[2]
    roots += [here.parent / "shared" / "data" for here in (Path.cwd(), repository)]
    return [root for root in roots if root.is_dir()]


def write_runfile(sample: Sample, folder: Path) -> Path:
    """Write a run file beside the frames of a sample that nowcasts them; return its path.

    One that is there already stays as it is.
    """
    path = folder / "nowcast.yaml"
    if path.exists():
        return path
    lines = [
        f"# Nowcast of {sample.what}.",
        f"# Run it with: dynamo run {path.name}",
        "workflow: dynamo.workflows.nowcast:nowcast",
        "inputs:",
        f'  frames: "{sample.frames}"',
    ]
    if sample.params:
        lines.append("params:")
    for name, value in sample.params.items():
        note = f"  # {sample.notes[name]}" if name in sample.notes else ""
        lines.append(f"  {name}: {json.dumps(value)}{note}")
    lines += ['products: "products/{run}"', ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
