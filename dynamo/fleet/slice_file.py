"""Read a slice document, JSON or YAML: text to `Slice`, with every fault at its line and column.

Enters: a path. Leaves: a `SliceDraft`: the slice as far as it can be understood, and what is wrong with its form; what
is wrong with its sense is found by `dynamo.fleet.slice_checks`. Goes wrong: `FaultySliceError`.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any

from dynamo.errors import Place, UserError
from dynamo.fleet.slice import Slice
from dynamo.fleet.slice_keys import read_slice
from dynamo.runfile.document import Node, parse
from dynamo.runfile.draft import tell_all, text_of
from dynamo.runfile.faults import Fault, Faults, say, together
from dynamo.runfile.json_schema import schema_of
from dynamo.runfile.values import At

__all__ = ["FaultySliceError", "SliceDraft", "SliceError", "read", "schema", "schema_text"]

#: A text in double quotes, or a tab outside of one.
_TAB = re.compile(r'"(?:[^"\\]|\\.)*"|\t')
#: A character that JSON may write as two halves (UTF-16), or anything else that is escaped.
_PAIR = re.compile(r"\\(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\.")


class SliceError(UserError):
    """A slice document cannot be read, or something in it does not fit."""


class FaultySliceError(SliceError):
    """A slice has the `faults` listed; the message has one ``file:line:column: message`` a line."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        message, place = together(faults)
        super().__init__(message, place=place)
        self.faults = faults


@dataclass
class SliceDraft:
    """A slice document as far as it can be understood.

    Parameters
    ----------
    path
        The file, as it was named.
    root
        Its text as a tree with places.
    faults
        What is wrong so far.
    slice
        What it says; None where something is wrong with its form.
    """

    path: str
    root: Node
    faults: Faults
    slice: Slice | None = None

    def tell(self, at: At, message: str) -> None:
        """Add a fault of what stands at `at`."""
        last = self.root.last_key(at)
        self.faults.add(self.root.find(at).mark, f"{last}: {message}" if last else message)

    def offer_at(self, group: str, index: int) -> At:
        """Return where an offer of a group stands: in its list, or in the group itself."""
        inside = self.root.find(("nodes", group)).value
        return ("nodes", group, "offers", index) if "offers" in inside else ("nodes", group)

    def sound(self) -> Slice:
        """Return the slice; raises `FaultySliceError` with all faults where there is any."""
        self.faults.check()
        assert self.slice is not None
        return self.slice


def read(path: str | os.PathLike[str], text: str | None = None) -> SliceDraft:
    """Read the form of a slice document, of a file or of its `text`.

    Raises `SliceError` where nothing of it can be read.
    """
    file = os.fspath(path)
    faults = Faults(file, FaultySliceError)
    text = text_of(file, "slice file", SliceError) if text is None else text
    if file.endswith(".json") and text.strip():
        _check_json(text, faults)
    root = parse(_plain(text), faults)
    if root is None:
        faults.add(Place(file), "is empty; the least a slice says is its name, `providers` and `nodes`")
        faults.check()
    assert root is not None
    if not isinstance(root.value, dict):
        faults.add(root.mark, f"a slice is a mapping (`slice: ...`), not {say(root.data())}")
        faults.check()
    draft = SliceDraft(file, root, faults)
    _refuse_nothing(draft, root)
    found, wrong = read_slice(root.data())
    tell_all(root, wrong, faults)
    draft.slice = None if faults else found
    return draft


def _check_json(text: str, faults: Faults) -> None:
    """Refuse what is no JSON in a file that says it is: one that was cut short would be told of as YAML."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        faults.add((error.lineno, error.colno), f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}")
        faults.check()


def _plain(text: str) -> str:
    """Return JSON as YAML has it too: a space for each tab between values, and no halves of characters.

    Other text is returned as it is.
    """
    if not text.lstrip().startswith("{"):
        return text
    return _TAB.sub(lambda found: " " if found[0] == "\t" else _PAIR.sub(_whole, found[0]), text)


def _whole(found: re.Match[str]) -> str:
    return json.loads(f'"{found[0]}"') if found[1] else found[0]


def _refuse_nothing(draft: SliceDraft, node: Node) -> None:
    """Refuse keys without a value: a limit that was forgotten is not a wish for none."""
    for key, value in node.value.items():
        if value.value is None:
            draft.faults.add(value.mark, f"{key}: has no value; give one, or leave the key out")
        elif isinstance(value.value, dict):
            _refuse_nothing(draft, value)
        elif isinstance(value.value, list):
            for one in value.value:
                if isinstance(one.value, dict):
                    _refuse_nothing(draft, one)


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a slice document."""
    return schema_of(Slice, "dynamo slice")


def schema_text() -> str:
    """Return the schema as the text of ``dynamo/fleet/slice.schema.json``."""
    return json.dumps(schema(), indent=2) + "\n"
