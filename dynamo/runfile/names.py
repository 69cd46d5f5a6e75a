"""Hold the names under ``inputs`` and ``params`` against the signature of the workflow."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from dynamo.errors import Place, nearest
from dynamo.graph.signature import Role, Signature
from dynamo.runfile.document import Mark, Node
from dynamo.runfile.draft import Draft

__all__ = ["check_absent", "match", "place_of_option", "written"]

Section = Literal["inputs", "params"]
_ONE = {"inputs": "input", "params": "param"}
_WORD = {"inputs": "input", "params": "parameter"}


def written(draft: Draft, section: Section) -> dict[str, Node]:
    """Return what the run file gives under `section`, by name."""
    node = draft.root.value.get(section)
    return node.value if node and isinstance(node.value, dict) else {}


def place_of_option(section: Section, name: str) -> Place:
    """Return the place of ``--input NAME=`` or ``--param NAME=`` on the command line."""
    return Place(f"--{_ONE[section]} {name}")


def match(draft: Draft, signature: Signature, section: Section, overrides: Collection[str]) -> list[str]:
    """Return the names given in `section` or `overrides` that the workflow has.

    Adds a fault for each that it has not, with the nearest that it has, and for each that it needs and is not
    given.
    """
    known = {n: p for n, p in signature.parameters.items() if (p.role is Role.INPUT) == (section == "inputs")}
    given = dict.fromkeys([*written(draft, section), *overrides])
    unknown = [name for name in given if name not in known]
    for name in unknown:
        at: Mark | Place = draft.root.key((section, name))
        if name in overrides:
            at = place_of_option(section, name)
        draft.faults.add(at, _unknown(name, list(known), signature, section))
    # What is missing because its key is misspelt or faulty has been told already.
    told = (section,) in draft.lost or (
        section not in draft.root.value and any(nearest(key, [section]) for key in draft.root.value)
    )
    for name, parameter in known.items():
        typo = any(nearest(other, [name]) for other in unknown)
        if parameter.required and name not in given and not typo and not told:
            at = draft.root.key((section,)) if section in draft.root.value else draft.root.mark
            message = f"{signature.name} needs the {_WORD[section]} {name!r}; give it under `{section}`"
            draft.faults.add(at, message, lacking=name)
    return [name for name in given if name in known]


def check_absent(draft: Draft, signature: Signature) -> None:
    """Add to the faults each input that the trigger lets be absent and the workflow does not."""
    trigger = draft.runfile.trigger if draft.runfile else None
    for name, need in trigger.needs.items() if trigger else ():
        parameter = signature.parameters.get(name)
        if need.quorum == 0 and parameter is not None and not parameter.many:
            said = (
                f"quorum: {signature.name} takes one file as {name!r}, never none; annotate it `list[Input]`"
            )
            draft.tell(("trigger", "needs", name, "quorum"), said)


def _unknown(name: str, known: list[str], signature: Signature, section: Section) -> str:
    if name in signature.parameters:
        other: Section = "params" if section == "inputs" else "inputs"
        return f"{name!r} is an {_WORD[other]} of {signature.name}: put it under `{other}`".replace(
            "an parameter", "a parameter"
        )
    hint = nearest(name, known) or f"; it has {', '.join(known) or 'none'}"
    return f"{signature.name} has no {_WORD[section]} {name!r}{hint}"
