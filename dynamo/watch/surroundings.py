"""What a watched run file needs of the machine as it is now: programs that are there, folders that can be written.

Enters: what it says. Leaves: what is lacking, told. It may come to be there yet, so a watch goes on without it; nothing
is made or run here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dynamo.errors import nearest
from dynamo.runfile.model import RunFile
from dynamo.runfile.paths import under
from dynamo.runfile.values import At
from dynamo.watch.channels import Told, command

__all__ = ["tell_lacking"]


def tell_lacking(runfile: RunFile, base: Path, tell: Told) -> None:
    """Tell what a run file in the folder `base` names and what is not there: where it is named, and what is lacking."""
    for at, what, path in _folders(runfile, base):
        if why := _unwritable(path):
            tell(at, f"{what}: cannot write to {path}: {why}")
    for index, rule in enumerate(runfile.alerts.programs if runfile.alerts else ()):
        program = command(rule, base)[0]
        if shutil.which(program) is None:
            tell(("alerts", "programs", index, "run"), f"program {rule.name!r}: {_missing(program, base)}")


def _folders(runfile: RunFile, base: Path) -> Iterator[tuple[At, str, Path]]:
    yield ("workspace",), "workspace", under(base, runfile.workspace)
    to, field, _ = runfile.products.to.partition("{")
    # The folder that has a field in its name is made by each run.
    yield ("products", "to"), "products", under(base, os.path.split(to)[0] if field else to)
    for index, rule in enumerate(runfile.alerts.folders if runfile.alerts else ()):
        yield ("alerts", "folders", index, "folder"), f"folder {rule.name!r}", under(base, rule.folder)


def _unwritable(path: Path) -> str:
    """Return why nothing can be written into a folder, which may not be there yet."""
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    if not path.is_dir():
        return f"{path} is no folder"
    try:
        disk = os.statvfs(path)
    except OSError as error:
        return f"{path}: {error.strerror}"
    if disk.f_flag & os.ST_RDONLY:
        return f"the file system of {path} is read-only"
    if not os.access(path, os.W_OK | os.X_OK):
        return f"{path} may not be written"
    # Some count no blocks, or no files. What a quota leaves over is known only to who writes.
    full = (disk.f_blocks and not disk.f_bavail) or (disk.f_files and not disk.f_favail)
    return f"the file system of {path} is full" if full else ""


def _missing(program: str, base: Path) -> str:
    """Return why a program cannot be run: a bare name is sought on the PATH alone, not in `base`."""
    folder, name = os.path.split(program)
    where = f"in {folder}" if folder else "on the PATH"
    # Looking into a folder that may not be read would be an error.
    readable = [
        one for one in ([folder] if folder else os.get_exec_path()) if os.access(one, os.R_OK | os.X_OK)
    ]
    folders = [Path(one) for one in readable if Path(one).is_dir()]
    found = [one / name for one in folders if (one / name).exists()]
    if any(path.is_file() for path in found):
        return f"{program} cannot be executed; is it marked so (chmod +x)?"
    if not folder and (base / name).is_file():
        return f"there is no {name!r} {where}; for the one beside the run file write './{name}'"
    if found:
        return f"{program} is a folder; expected a program"
    return f"there is no {name!r} {where}{nearest(name, [path.name for one in folders for path in one.iterdir()])}"
