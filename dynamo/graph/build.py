"""The graph that is being described: task calls add to it, `Builder.graph` freezes it.

Enters: calls of tasks inside a workflow. Leaves: a `Graph` that has passed every check.
Goes wrong: `WorkflowError` at the line of the call.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from dynamo.errors import WorkflowError
from dynamo.graph.check import check
from dynamo.graph.digest import JSON, NotJSON, to_json
from dynamo.graph.model import Graph, Kind, Names, Task, names_of
from dynamo.graph.needs import Needs
from dynamo.graph.signature import Parameter, Role, Signature

__all__ = ["Builder", "File", "building"]

#: An empty part, ``.`` or ``..`` between slashes or at an end: absolute paths, doubled slashes, ways out.
_ODD = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")

#: Bytes of a file name that leave room for what is put beside it while it is published (most systems take 255).
LONGEST = 200

building: ContextVar[Builder | None] = ContextVar("building", default=None)


class _Draft(NamedTuple):
    """A call, before the number of calls of its step is known; the rest are the fields of `Task`."""

    step: str
    n: int
    kind: Kind
    call: str
    inputs: dict[str, Names]
    outputs: dict[str, Names]
    params: dict[str, JSON]
    argv: tuple[str, ...]
    needs: Needs
    fuse: str
    place: str


class File(os.PathLike[str]):
    """A file of the graph under description: pass it on to tasks.

    Its text and its attribute `name` are its name, so it can stand in the argument list of a command. It is a path
    that can be opened only where its contents are known: in a run-time workflow.
    """

    __slots__ = ("name", "path")

    def __init__(self, name: str, path: str = "") -> None:
        self.name = name
        self.path = path

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"File({self.name!r})"

    def __fspath__(self) -> str:
        if self.path:
            return self.path
        raise WorkflowError(
            f"{_line_of_user()}: the contents of {self.name!r} are not known while the workflow is described: "
            "read it in a task, or describe what depends on it in a workflow marked @workflow(runtime=True); "
            "if only its name is wanted, that is the attribute `name` of what the call returned, as in "
            "`Path(file.name).stem`"
        )


def _line_of_user() -> str:
    """Return ``file:line`` of the innermost frame that is neither ours nor the standard library's."""
    frame = sys._getframe(2)  # noqa: SLF001 - as in `dynamo.graph.callee`
    library = str(PurePosixPath(os.__file__).parent)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((library, "<")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def file_name(value: object, owner: str, place: str) -> str:
    """Return `value` as a legal name of an output file, or raise `WorkflowError` at `place`."""
    if type(value) is File:
        raise WorkflowError(f"{place}: {owner} is given {value!r}, which another task makes; give a new name")
    if not isinstance(value, str):
        raise WorkflowError(f"{place}: {owner} needs a file name as text, not {value!r}")
    if not value or "\0" in value or _ODD.search(value):
        raise WorkflowError(
            f"{place}: {owner} is given {value!r}; a name is relative and plain, like 'grids/lead_05.nc'"
        )
    if len(value) > LONGEST or not value.isascii():
        _check_length(value, owner, place)
    return value


def _check_length(name: str, owner: str, place: str) -> None:
    try:
        longest = max(len(part.encode()) for part in name.split("/"))
    except UnicodeEncodeError:
        raise WorkflowError(f"{place}: {owner} is given {name!r}, which is not valid text") from None
    if longest > LONGEST:
        raise WorkflowError(
            f"{place}: {owner} is given {name[:40]!r}..., which is too long: {LONGEST} bytes at most"
        )


class Builder:
    """Collects the tasks of one graph.

    Parameters
    ----------
    name
        Name of the workflow.
    keep
        File names that are used as they stand where a prefix is in force (the declared outputs of a
        run-time workflow).
    """

    def __init__(self, name: str, *, prefix: str = "", keep: frozenset[str] = frozenset()) -> None:
        self.name = name
        self.prefix = prefix
        self.keep = keep
        self.label = ""
        self.sources: dict[str, str] = {}
        self._drafts: list[_Draft] = []
        self._calls: dict[str, int] = {}

    def source(self, parameter: str, path: str | os.PathLike[str], *, many: bool = False) -> File:
        """Add a file from outside under a name made of the parameter and the file's own name.

        What a run-time workflow brings in stands under its id, apart from what the graph has.
        """
        if isinstance(path, File):
            return path
        try:
            os.fspath(path).encode()
        except UnicodeEncodeError:
            raise WorkflowError(
                f"{parameter}: the name {os.fspath(path)!r} is not UTF-8, so it cannot be recorded; rename the file"
            ) from None
        base = PurePosixPath(os.fspath(path).replace(os.sep, "/")).name
        name, n = self.prefix + (f"{parameter}/{base}" if many else base), 0
        while self.sources.get(name, os.fspath(path)) != os.fspath(path):
            n += 1
            name = f"{self.prefix}{parameter}/{n}/{base}"
        self.sources[name] = os.fspath(path)
        return File(name)

    def count(self, step: str) -> int:
        """Return how often `step` was called before, and count this call."""
        n = self._calls.get(step, 0)
        self._calls[step] = n + 1
        return n

    @contextmanager
    def within(self, step: str) -> Iterator[None]:
        """Put what is described inside under ``step-<n>/``: a workflow called in a workflow."""
        outer = self.prefix
        self.prefix = f"{outer}{step}-{self.count(outer + step)}/"
        try:
            yield
        finally:
            self.prefix = outer

    def add(
        self,
        signature: Signature,
        bound: Mapping[str, Any],
        *,
        call: str,
        kind: Kind,
        needs: Needs,
        place: str,
        argv: tuple[str, ...] = (),
    ) -> dict[str, File | list[File]]:
        """Add one task from its bound arguments; return its output files by parameter."""
        inputs: dict[str, Names] = {}
        outputs: dict[str, Names] = {}
        params: dict[str, JSON] = {}
        for name, parameter in signature.parameters.items():
            value = bound[name]
            if parameter.role is Role.VALUE:
                params[name] = _value(signature.name, name, value, place)
            elif parameter.role is Role.INPUT:
                if value is not None:
                    inputs[name] = self._input(signature.name, parameter, value, place)
            elif value is not None:
                outputs[name] = self._output(signature.name, parameter, value, bound, place)
        step = self.prefix + signature.name
        n = self.count(step)
        label = self.prefix + self.label if self.label else ""
        self._drafts.append(_Draft(step, n, kind, call, inputs, outputs, params, argv, needs, label, place))
        return {p: File(v) if type(v) is str else [File(n) for n in v] for p, v in outputs.items()}

    def _input(self, owner: str, parameter: Parameter, value: Any, place: str) -> Names:
        if type(value) is File and not parameter.many:
            return value.name
        if not parameter.many:
            return self._read(f"{owner}({parameter.name}=)", value, place)
        if isinstance(value, (str, os.PathLike)):
            raise WorkflowError(f"{place}: {owner}({parameter.name}=) takes a list of files, not {value!r}")
        return tuple(self._read(f"{owner}({parameter.name}=)", v, place) for v in value)

    def _read(self, what: str, value: Any, place: str) -> str:
        if type(value) is File:
            return value.name
        if isinstance(value, str):
            return value
        if isinstance(value, os.PathLike):
            return str(os.fspath(value))
        more = (
            "; choose one, or annotate the parameter list[Input]" if isinstance(value, (list, tuple)) else ""
        )
        raise WorkflowError(f"{place}: {what} needs a file, not {value!r}{more}")

    def _output(
        self, owner: str, parameter: Parameter, value: Any, bound: Mapping[str, Any], place: str
    ) -> Names:
        what = f"{owner}({parameter.name}=)"
        if parameter.many:
            if isinstance(value, str) or not isinstance(value, (list, tuple)):
                raise WorkflowError(f"{place}: {what} takes a list of file names, not {value!r}")
            return tuple(self._named(file_name(v, what, place)) for v in value)
        if value is parameter.default and type(value) is str and "{" in value:
            try:
                value = value.format_map(bound)
            except (LookupError, ValueError, AttributeError, TypeError) as error:
                known = ", ".join(f"{{{n}}}" for n in bound if n != parameter.name)
                raise WorkflowError(
                    f"{place}: {what} is by default {value!r}, which cannot be filled in from {known}: {error}"
                ) from None
        return self._named(file_name(value, what, place))

    def _named(self, name: str) -> str:
        return name if not self.prefix or name in self.keep else self.prefix + name

    def graph(self) -> Graph:
        """Freeze: give the tasks their final ids, resolve plain names, and check the whole."""
        produced = {name for draft in self._drafts for name in names_of(draft.outputs)}
        width = {step: len(str(count - 1)) for step, count in self._calls.items()}
        tasks: dict[str, Task] = {}
        for step, n, kind, call, inputs, outputs, params, argv, needs, label, place in self._drafts:
            task_id = step if self._calls[step] == 1 else f"{step}-{n:0{width[step]}d}"
            resolved = {p: self._resolve(p, names, produced) for p, names in inputs.items()}
            tasks[task_id] = Task(
                task_id, step, kind, call, resolved, outputs, params, argv, needs, label, place
            )
        graph = Graph(self.name, tasks, self.sources)
        check(graph)
        return graph

    def _resolve(self, parameter: str, names: Names, produced: set[str]) -> Names:
        """Turn input names that no task makes and no source has into sources (paths the user wrote)."""
        if isinstance(names, str):
            if names in produced or names in self.sources:
                return names
            return self.source(parameter, names).name
        return tuple(
            n if n in produced or n in self.sources else self.source(parameter, n).name for n in names
        )


def _value(owner: str, name: str, value: Any, place: str) -> JSON:
    kind = type(value)
    if value is None or kind is bool or (kind is str and value.isascii()):
        return value  # type: ignore[no-any-return]
    if kind is File:
        raise WorkflowError(
            f"{place}: {owner}({name}=) is a plain parameter but is given {value!r}; annotate it `Input`"
        )
    try:
        return to_json(value, f"{owner}({name}=)")
    except NotJSON as error:
        raise WorkflowError(f"{place}: {error}") from None
