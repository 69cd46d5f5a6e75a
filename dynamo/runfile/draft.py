"""Read a run file: text to `RunFile`, with every fault at its line and column.

Enters: a path. Leaves: `RunFile`, or a `Draft` of what can be understood in spite of faults.
Goes wrong: `FaultyRunFileError`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dynamo.errors import Place, RunFileError, UserError, nearest
from dynamo.runfile.characters import unfit
from dynamo.runfile.document import MAX_BYTES, Mark, Node, parse, rewrite
from dynamo.runfile.environment import expand
from dynamo.runfile.faults import Faults, say
from dynamo.runfile.model import RunFile, read_run_file
from dynamo.runfile.values import At, Tell

__all__ = ["Draft", "load", "read", "tell_all", "text_of"]

#: Top-level keys whose text may refer to the environment.
_EXPANDED = ("inputs", "params", "products", "workspace")
#: Files that are looked among for one whose name was meant.
_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass
class Draft:
    """A run file as far as it can be understood.

    Parameters
    ----------
    path
        The file, absolute.
    root
        Its text as a tree with places.
    faults
        What is wrong so far.
    runfile
        What it says without what is faulty; None where not even the workflow is known.
    lost
        Inputs and parameters left out for their faults, as ``("inputs", name)``.
    """

    path: Path
    root: Node
    faults: Faults
    runfile: RunFile | None = None
    lost: set[tuple[str | int, ...]] = field(default_factory=set)

    def tell(self, at: At, message: str) -> None:
        """Add a fault of what stands at `at`."""
        self.faults.add(self.root.find(at).mark, message)


def load(path: str | os.PathLike[str], text: str | None = None) -> RunFile:
    """Return what the run file at `path` says, or would say with another `text`.

    Raises `FaultyRunFileError` (a `RunFileError`) with all its faults. Neither the workflow nor the inputs
    are looked at; `prepare` does that.
    """
    draft = read(path, text=text)
    draft.faults.check()
    assert draft.runfile is not None
    return draft.runfile


def read(
    path: str | os.PathLike[str], environment: Mapping[str, str] | None = None, *, text: str | None = None
) -> Draft:
    """Read what can be read, of the file or of a `text` that was read of it before.

    Raises `RunFileError` only where that is nothing.
    """
    file = os.fspath(path)
    if unfit(os.path.abspath(file)):  # noqa: PTH100 - pathlib says the same, and takes longer
        raise RunFileError(
            "the name of the file or of a folder above it is not UTF-8 text", place=Place(file)
        )
    faults = Faults(file)
    root = parse(text_of(file) if text is None else text, faults)
    if root is None:
        faults.add(Place(file), "is empty; the least a run file says is `workflow: ./file.py:function`")
        faults.check()
    assert root is not None
    if not isinstance(root.value, dict):
        faults.add(root.mark, f"a run file is a mapping (`workflow: ...`), not {say(root.data())}")
        faults.check()
    root = _expanded(root, faults, os.environ if environment is None else environment)
    draft = Draft(Path(file).absolute(), root, faults)
    _validate(draft)
    return draft


def text_of(
    path: str | os.PathLike[str], what: str = "run file", error: type[UserError] = RunFileError
) -> str:
    """Return the text of a run file, or of `what`; raise `RunFileError`, or `error`, where it cannot be read."""
    file = os.fspath(path)
    place = Place(file)
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - the path stays as the user wrote it
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        folder = Path(file).parent
        beside = [p.name for p in folder.iterdir() if p.suffix in _SUFFIXES] if folder.is_dir() else []
        raise error(f"there is no such {what}{nearest(Path(file).name, beside)}", place=place) from None
    except OSError as failure:
        raise error(f"cannot be read: {failure.strerror}", place=place) from None
    if len(raw) > MAX_BYTES:
        raise error(f"larger than {MAX_BYTES // 2**20} MiB; is it a {what}?", place=place)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        before = raw[: failure.start]
        place = Place(file, before.count(b"\n") + 1, failure.start - (before.rfind(b"\n") + 1) + 1)
        raise error("not UTF-8 text; save it with that encoding", place=place) from None


def _expanded(root: Node, faults: Faults, environment: Mapping[str, str]) -> Node:
    def change(text: str, mark: Mark) -> str:
        try:
            new = expand(text, environment)
        except ValueError as error:
            faults.add(mark, str(error))
            return text
        if wrong := unfit(new):
            faults.add(mark, wrong)
            return text
        return new

    pairs = {k: rewrite(v, change) if k in _EXPANDED else v for k, v in root.value.items()}
    return replace(root, value=pairs)


def _validate(draft: Draft) -> None:
    """Fill `draft.runfile`, leaving out what is faulty; an unknown key is told rather than what it lacks."""
    _refuse_nothing(draft, draft.root, ())
    draft.runfile, wrong = read_run_file(draft.root.data())
    for at in tell_all(draft.root, wrong, draft.faults):
        draft.lost.add(at[:2] if at[0] == "inputs" else at[:1])


def tell_all(root: Node, wrong: Tell, faults: Faults) -> list[At]:
    """Add all that is wrong with what stands in `root` to the faults, each at its place; return where it is."""
    for at, known in wrong.unknown:
        hint = nearest(str(at[-1]), known) or f"; known are {', '.join(known)}"
        faults.add(root.key(at), f"unknown key {at[-1]!r}{hint}")
    for at in wrong.missing:
        outer = root.find(at[:-1])
        if not any(nearest(key, [str(at[-1])]) for key in outer.value):  # else the typo says it all
            faults.add(outer.mark, f"the key {at[-1]!r} is missing", lacking=str(at[-1]))
    for at, message in wrong.values:
        faults.add(root.find(at).mark, f"{root.last_key(at)}: {message}")
    return [*(at for at, _ in wrong.unknown), *wrong.missing, *(at for at, _ in wrong.values)]


def _refuse_nothing(draft: Draft, node: Node, path: tuple[str, ...]) -> None:
    """Refuse keys without a value: a value that was forgotten is not a wish for the default."""
    for key, value in node.value.items():
        at = (*path, key)
        if value.value is None and at not in {("inputs",), ("params",)}:
            draft.faults.add(value.mark, f"{key}: has no value; give one, or leave the key out")
        elif isinstance(value.value, dict) and key != "params":
            _refuse_nothing(draft, value, at)
