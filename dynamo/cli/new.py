"""``dynamo new NAME``: make a working skeleton of a workflow of the user's own.

A name enters; a folder leaves, with a workflow, its run file, tests, a README and frames to run on. An
illegal name, or a folder that holds something already, is a `UserError`, and nothing is written.
"""

from __future__ import annotations

import ast
import keyword
import re
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import click

from dynamo.errors import UserError

__all__ = ["command"]

PLACEHOLDER = "my_chain"
FRAMES = 20


@click.command("new")
@click.argument("name")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), help="Folder to make it in; the current one."
)
def command(name: str, folder: Path | None) -> None:
    """Make a folder NAME with a small workflow of your own that runs at once.

    It holds a workflow, its run file, tests, and the frames of a made storm to run it on.
    """
    parent = folder or Path()
    target = parent / name
    texts = _texts(name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is there already; choose another name, or remove it")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _write(target, texts)
    except OSError as error:
        raise UserError(f"cannot make {target}: {error.strerror}") from None
    print(f"made {target}:")
    for file in sorted(texts):
        print(f"  {file}")
    print(f"  frames/  ({FRAMES} frames of a made storm)")
    print(f"\nNext:\n  cd {target}\n  dynamo run {name}.yaml")


def _texts(name: str) -> dict[str, str]:
    """Return the text of each file of the skeleton, for a workflow called `name`."""
    from dynamo.runfile.json_schema import schema_text

    skeleton = files("dynamo.runfile") / "skeleton"
    sources = {file.name: file.read_text(encoding="utf-8") for file in skeleton.iterdir() if file.is_file()}
    function = name.replace("-", "_")
    _check(name, function, sources["workflow.py"])
    texts = {
        f"{name}.yaml" if file == "run.yaml" else file: text.replace(
            f"{PLACEHOLDER}.yaml", f"{name}.yaml"
        ).replace(PLACEHOLDER, function)
        for file, text in sources.items()
    }
    return texts | {"run-file.schema.json": schema_text()}


def _check(name: str, function: str, workflow: str) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        raise UserError(f"{name!r} is no name for a workflow: letters, digits, - and _, a letter first")
    if keyword.iskeyword(function) or keyword.issoftkeyword(function):
        raise UserError(f"{name!r} is a word of Python; choose another name")
    if function == "dynamo" or function in sys.stdlib_module_names:
        raise UserError(
            f"{name!r} is the name of a module that every run needs, and a folder of that name could be taken for it; "
            "choose another name"
        )
    tree = ast.parse(workflow)
    taken = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    taken |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.alias))}
    taken |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    if function in taken - {PLACEHOLDER}:
        raise UserError(f"{name!r} is a name that the skeleton itself uses; choose another")


def _write(target: Path, texts: dict[str, str]) -> None:
    """Make the folder `target`, whole or not at all; an empty one may stand in its place."""
    from dynamo.radar.samples import make_storm

    made = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        for file, text in texts.items():
            (made / file).write_text(text, encoding="utf-8")
        make_storm(made / "frames", frames=FRAMES)
        made.chmod(0o755)  # made for the user's own eyes only
        made.replace(target)
    except BaseException:  # also Ctrl-C: nothing half made is left behind
        shutil.rmtree(made)
        raise
