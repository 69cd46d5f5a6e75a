"""The user's own modules, which travel with the jobs: a call of a file becomes one of its copy.

A file is carried with what it leads to by imports in its folder, and nothing else: data that lie beside a module are
inputs of its tasks, or belong into the image.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dynamo.errors import UserError
from dynamo.graph.model import Graph
from dynamo.worker.address import address_in
from dynamo.worker.loading import split_call

__all__ = ["Carried", "carry"]

#: Folder below which the modules travel.
FOLDER = "code"


@dataclass(frozen=True, slots=True)
class Carried:
    """What travels: paths there to files here, what each call becomes, and folders there to folders here."""

    files: Mapping[str, Path]
    calls: Mapping[str, str]
    homes: Mapping[str, str]

    def renamed(self, graph: Graph) -> Graph:
        """Return the graph with calls as the far end finds them."""
        tasks = {t.id: replace(t, call=self.calls.get(t.call, t.call)) for t in graph.tasks.values()}
        return replace(graph, tasks=tasks)

    def write(self, folder: Path) -> None:
        """Copy all files below `folder`; raises `OSError`."""
        for name, source in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def carry(calls: Iterable[str], sources: Iterable[Path]) -> Carried:
    """Return how the modules of `calls` travel, with those of `sources` that lie in their folders.

    Parameters
    ----------
    calls
        Calls of tasks; those by the path of a file travel, those by the name of a module are installed at the far end.
    sources
        Every source file that the calls rest on (`dynamo.planning.CodeVersions.states`).

    Raises
    ------
    UserError
        Where a module lies so that its copy could not be found as it is here.
    """
    homes: dict[str, str] = {}
    files: dict[str, Path] = {}
    named: dict[str, str] = {}
    for call in dict.fromkeys(calls):
        where, name = split_call(call)
        if not where.endswith(".py"):
            continue
        address = address_in(where)
        home = homes.setdefault(os.path.realpath(address.home), f"{FOLDER}/{len(homes)}")
        inner = os.path.relpath(address.path, address.home)
        files[f"{home}/{inner}"] = Path(address.path)
        mark = "" if os.sep not in inner else "./"
        named[call] = f"{home}/{mark}{inner}:{name}"
    for path in sources:
        for found in _below(path, homes):
            files.setdefault(found, path)
    _check(files)
    return Carried(files, named, {there: here for here, there in homes.items()})


def _below(path: Path, homes: Mapping[str, str]) -> Iterator[str]:
    """Yield where a source file travels: below each of the folders that it lies in, by whatever links.

    Below each, for a module of a folder inside another is imported by one name from here and by another from there.
    """
    folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100 - no link is followed
    ways = dict.fromkeys([f"{folder}/{name}", f"{os.path.realpath(folder)}/{name}", os.path.realpath(path)])
    for home, there in homes.items():
        for text in ways:
            if text.startswith(f"{home.rstrip(os.sep)}{os.sep}"):
                yield f"{there}/{os.path.relpath(text, home)}"


def _check(files: Mapping[str, Path]) -> None:
    for name, path in files.items():
        if name.startswith("/") or "/../" in f"/{name}":
            raise UserError(f"{path} cannot travel with the jobs: it lies outside the folder of its workflow")
