"""YAML as a tree in which every key and value knows its line and column.

Enters: text. Leaves: a tree of `Node`. Goes wrong: `Faults` for what can be read on, `FaultyRunFileError` at
once for what cannot. Plain scalars follow the core schema of YAML 1.2 (section 10.3); what YAML 1.1 reads in
another way (``no``, ``010``, ``12:30``) is refused rather than guessed. Tags, merge keys and further
documents are refused; aliases may be used, and what they expand to is bounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import yaml

from dynamo.runfile.characters import unfit
from dynamo.runfile.faults import Faults

__all__ = ["Mark", "Node", "parse", "rewrite"]

#: Line and column, from 1.
Mark: TypeAlias = tuple[int, int]

MAX_BYTES = 2**20
MAX_DEPTH = 30
MAX_NODES = 50_000

_DEEP = f"nested deeper than {MAX_DEPTH} levels, aliases expanded"

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
#: What another reader of YAML would take for something else, and what to write instead.
_SURPRISES = [
    (re.compile(pattern, re.IGNORECASE), meaning)
    for pattern, meaning in (
        (r"yes|no|on|off", "YAML 1.1 takes for true or false: write true or false, or quote it"),
        (r"[-+]?0[0-9_]+", "YAML 1.1 takes for octal: drop the leading zero, or quote it"),
        (r"[-+]?0[bxo][0-9a-f_]+", "is not decimal: write it in decimal, or quote it"),
        (r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?", "YAML 1.1 takes for a number in base 60: quote it"),
        (r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?", "YAML 1.1 takes for a number: drop the _, or quote it"),
        (r"[-+]?\.inf|\.nan", "is no number that can be recorded: leave it out, or quote it"),
    )
]


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands.

    Parameters
    ----------
    value
        None, bool, int, float, text, a list of nodes, or a dict of text to node.
    mark
        Where the value starts.
    keys
        Of a mapping: where each key stands.
    weight, depth
        How many nodes it is, and how many levels they have, aliases expanded.
    expanded
        Whether text of it came from the environment.
    """

    value: Any
    mark: Mark
    keys: Mapping[str, Mark] = field(default_factory=dict)
    weight: int = 1
    depth: int = 1
    expanded: bool = False

    def data(self) -> Any:
        """Return the plain value, without the places."""
        if isinstance(self.value, dict):
            return {k: v.data() for k, v in self.value.items()}
        if isinstance(self.value, list):
            return [v.data() for v in self.value]
        return self.value

    def find(self, path: tuple[str | int, ...]) -> Node:
        """Return the node at `path`; parts that lead nowhere are skipped."""
        node = self
        for part in path:
            inside = node.value
            if isinstance(inside, dict) and part in inside:
                node = inside[str(part)]
            elif isinstance(inside, list) and isinstance(part, int) and part < len(inside):
                node = inside[part]
        return node

    def last_key(self, path: tuple[str | int, ...]) -> str:
        """Return the last part of `path` that is a key which stands in the file."""
        last, node = "", self
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                last = str(part)
            node = node.find((part,))
        return last

    def key(self, path: tuple[str | int, ...]) -> Mark:
        """Where the last key of `path` stands; the value's own place where it is not a key."""
        return self.find(path[:-1]).keys.get(str(path[-1]), self.find(path).mark)


def parse(text: str, faults: Faults) -> Node | None:
    """Read one YAML document; return None where it is empty.

    Raises `FaultyRunFileError` where the text is not YAML; other faults are added to `faults`.
    """
    composer = _Composer(faults)
    try:
        # Event by event, so that what is too deep or too much ends the reading there and then.
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        faults.add(_mark(error.problem_mark or error.context_mark), _syntax(error))
        faults.check()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        at = (before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1)
        faults.add(at, f"the character #x{error.character:04x} is not allowed in YAML")
        faults.check()
    root = composer.root
    return None if root is None or root.value is None else root


_SILENT = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentEndEvent)


def _mark(mark: Any) -> Mark:
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


def _syntax(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read"
    if "'\\t'" in problem:
        return "not valid YAML: a tab where only spaces may stand; indent with spaces"
    if "mapping values are not allowed" in problem:
        problem += " (is the line above indented as it should, or is a text with ': ' not quoted?)"
    if "expected <block end>" in problem:
        problem = "this line is not indented as those above it that it belongs to"
    if "alias" in (error.context or ""):
        problem += " (quote a text that starts with *)"
    context = f" {error.context}" if error.context else ""
    return f"not valid YAML:{context}{',' if context else ''} {problem}"


@dataclass
class _Open:
    """A list or mapping that is not complete yet."""

    mark: Mark
    anchor: str | None
    mapping: bool
    items: list[Node] = field(default_factory=list)
    pairs: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Mark] = field(default_factory=dict)
    key: str | None = None
    weight: int = 1
    depth: int = 1


class _Composer:
    """Builds nodes from events, without recursion, so that no text can exhaust the stack."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.anchors: dict[str, Node | None] = {}
        self.open: list[_Open] = []
        self.root: Node | None = None

    def take(self, event: Any) -> None:
        """Go on by one event of the parser."""
        if isinstance(event, _SILENT):
            return
        mark = _mark(event.start_mark)
        if getattr(event, "tag", None):
            self.faults.add(mark, f"the tag {event.tag!r} has no meaning here; quote a value that is text")
        if isinstance(event, yaml.ScalarEvent) and (wrong := unfit(event.value)):
            self._stop(mark, wrong)
        if isinstance(event, yaml.DocumentStartEvent):
            if self.root is not None:
                self._stop(mark, "a second document starts here; a file is one")
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._start(event, mark)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            done = self.open.pop()
            value = done.pairs if done.mapping else done.items
            self._put(self._anchored(done.anchor, Node(value, done.mark, done.keys, done.weight, done.depth)))
        elif self._wants_key():
            self._put_key(event, mark)
        elif isinstance(event, yaml.AliasEvent):
            self._put(self._alias(str(event.anchor), mark))
        else:
            value = self._scalar(event.value, mark) if event.style is None else event.value
            self._put(self._anchored(event.anchor, Node(value, mark)))

    def _start(self, event: Any, mark: Mark) -> None:
        if self._wants_key():
            self._stop(mark, "a key is a list or a mapping; keys are plain text")
        if len(self.open) == MAX_DEPTH:
            self._stop(mark, _DEEP)
        if event.anchor:
            self.anchors[event.anchor] = None
        self.open.append(_Open(mark, event.anchor, isinstance(event, yaml.MappingStartEvent)))

    def _wants_key(self) -> bool:
        return bool(self.open) and self.open[-1].mapping and self.open[-1].key is None

    def _put_key(self, event: Any, mark: Mark) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            self._stop(mark, "an alias stands as a key; keys are plain text")
        top = self.open[-1]
        top.key = event.value
        if event.value == "<<":
            self._stop(mark, "merge keys (<<) are not read; write the keys out")
        if event.value in top.keys:
            line, column = top.keys[event.value]
            self.faults.add(mark, f"the key {event.value!r} stands here twice, first at {line}:{column}")
        else:
            top.keys[event.value] = mark

    def _put(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        top.weight += node.weight
        top.depth = max(top.depth, node.depth + 1)
        if len(self.open) + node.depth > MAX_DEPTH:
            self._stop(node.mark, _DEEP)
        if top.weight > MAX_NODES:
            self._stop(node.mark, f"more than {MAX_NODES} values, aliases expanded")
        if top.mapping:
            top.pairs.setdefault(str(top.key), node)
            top.key = None
        else:
            top.items.append(node)

    def _anchored(self, anchor: str | None, node: Node) -> Node:
        if anchor:
            self.anchors[anchor] = node
        return node

    def _alias(self, anchor: str, mark: Mark) -> Node:
        if anchor not in self.anchors:
            self._stop(mark, f"no anchor &{anchor} stands before; quote a text that starts with *")
        node = self.anchors[anchor]
        if node is None:
            self._stop(mark, f"*{anchor} refers to what it is a part of")
        assert node is not None
        return node

    def _scalar(self, text: str, mark: Mark) -> Any:
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        for pattern, meaning in _SURPRISES:
            if pattern.fullmatch(text):
                self.faults.add(mark, f"{text} {meaning}")
                return text
        if _INT.fullmatch(text) and len(text) < 19:
            return int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if not math.isfinite(number) or _INT.fullmatch(text):
                self.faults.add(mark, f"{text[:30]} is too large for a number: quote it, if it is text")
            return number
        return text

    def _stop(self, mark: Mark, message: str) -> None:
        self.faults.add(mark, message)
        self.faults.check()


def rewrite(node: Node, change: Callable[[str, Mark], str]) -> Node:
    """Return the tree with `change` applied to every text value; changed texts are marked as expanded."""
    if isinstance(node.value, dict):
        pairs = {k: rewrite(v, change) for k, v in node.value.items()}
        return replace(node, value=pairs, expanded=_any_expanded(iter(pairs.values())))
    if isinstance(node.value, list):
        items = [rewrite(v, change) for v in node.value]
        return replace(node, value=items, expanded=_any_expanded(iter(items)))
    if isinstance(node.value, str):
        new = change(node.value, node.mark)
        return node if new == node.value else replace(node, value=new, expanded=True)
    return node


def _any_expanded(nodes: Iterator[Node]) -> bool:
    return any(n.expanded for n in nodes)
