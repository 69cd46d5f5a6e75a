"""What ``@task``, ``@command`` and ``@workflow`` make of a function, and what calling it does.

Inside a workflow a call of a task adds a node and returns its output files; passing them on makes the edges.
Outside, a task is an ordinary function, and a workflow returns its `Graph`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, update_wrapper
from inspect import unwrap
from typing import Any, TypeAlias, cast

from dynamo.errors import UserError, WorkflowError
from dynamo.graph.build import Builder, File, building
from dynamo.graph.collection import uncollected
from dynamo.graph.model import Graph, Kind
from dynamo.graph.needs import Needs
from dynamo.graph.signature import Role, Signature, place_of

__all__ = ["Callee", "Command", "Function", "TaskFunction", "Workflow"]

#: The user's function. What it is called with differs inside a workflow (files of the graph, names) and outside
#: (paths), so only its body is type-checked, not the calls.
Function: TypeAlias = Callable[..., Any]


class Callee:
    """What the three decorators share: the user's function, its signature, and its name far away."""

    kind: Kind = "python"

    def __init__(self, function: Function, needs: Needs) -> None:
        update_wrapper(cast("Function", self), function)
        self.function = function
        self.needs = needs

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.call}>"

    @cached_property
    def signature(self) -> Signature:
        """The parameters and their roles; read at first use, so that annotations may name later things."""
        signature = Signature.of(self.function)
        self.check(signature)
        return signature

    def check(self, signature: Signature) -> None:
        """Raise `WorkflowError` where `signature` does not suit this kind of function."""
        if not signature.of_role(Role.OUTPUT):
            raise WorkflowError(
                f"{signature.name}() declares no `Output`: a task must leave a file; annotate the parameter "
                "that names it, like `polygons: Output`",
                place=place_of(self.function),
            )

    @cached_property
    def call(self) -> str:
        """``module:function``, or ``path/to/file.py:function`` where only some have its folder on their module path."""
        name = self.function.__qualname__
        if "<lambda>" in name:
            raise WorkflowError(
                "a lambda has no name that a worker could find it by; write it with def",
                place=place_of(self.function),
            )
        if "<locals>" in name:
            raise WorkflowError(
                f"{name} is defined inside a function; define it at the top of a file, so that a worker can find it",
                place=place_of(self.function),
            )
        module = self.function.__module__
        path = self._globals(module).get("__dynamo_path__")
        if module == "__main__":
            path = getattr(sys.modules["__main__"], "__file__", None)
        return f"{path or module}:{name}"

    def _globals(self, module: str) -> dict[str, Any]:
        """Return what is in the module, which need not be the one that has its name by now."""
        found: dict[str, Any] = getattr(unwrap(self.function), "__globals__", {})
        return found if found.get("__name__") == module else getattr(sys.modules.get(module), "__dict__", {})

    @cached_property
    def returned(self) -> Function | None:
        """What a call in a workflow returns where there are several outputs: a named tuple."""
        outputs = self.signature.of_role(Role.OUTPUT)
        if len(outputs) == 1:
            return None
        return namedtuple(self.signature.name, [p.name for p in outputs], rename=True)  # noqa: PYI024

    def describe(self, builder: Builder, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Add a node for this call and return its output file or files."""
        frame = sys._getframe(2)  # noqa: SLF001 - the line of the user's call, for every later message
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        signature = self.signature
        bound = signature.bind(args, kwargs, place)
        made = builder.add(
            signature,
            bound,
            call=self.call,
            kind=self.kind,
            needs=self.needs,
            place=place,
            argv=self.arguments(bound, place),
        )
        if self.returned is None:
            return next(iter(made.values()), None)
        return self.returned(*(made.get(p.name) for p in signature.of_role(Role.OUTPUT)))

    def arguments(self, bound: dict[str, Any], place: str) -> tuple[str, ...]:  # noqa: ARG002 - see Command
        """Return the argument list, for a command."""
        return ()


class TaskFunction(Callee):
    """A Python function as a task."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a node to the workflow under description; outside one, just call the function."""
        builder = building.get()
        if builder is None:
            return self.function(*args, **kwargs)
        return self.describe(builder, args, kwargs)


class Command(Callee):
    """A command line as a task: the function returns the argument list."""

    kind: Kind = "command"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a node to the workflow under description; outside one, run the command here and now."""
        builder = building.get()
        if builder is not None:
            return self.describe(builder, args, kwargs)
        said = self.function(*args, **kwargs)
        line = [os.fspath(a) if isinstance(a, os.PathLike) else str(a) for a in said]
        done = subprocess.run(line, check=False)
        if done.returncode:
            raise UserError(f"{self.signature.name}: {line[0]} ended with exit code {done.returncode}")
        return None

    def arguments(self, bound: dict[str, Any], place: str) -> tuple[str, ...]:
        """Call the user's function with file names, and return what it says as text."""
        named = {}
        for name, parameter in self.signature.parameters.items():
            value = bound[name]
            if parameter.role is Role.VALUE or value is None:
                named[name] = value
            elif parameter.many:
                named[name] = [v if isinstance(v, File) else File(os.fspath(v)) for v in value]
            else:
                named[name] = value if isinstance(value, File) else File(os.fspath(value))
        token = building.set(None)
        try:
            line = self.function(**named)
        finally:
            building.reset(token)
        if not isinstance(line, Sequence) or isinstance(line, str) or not line:
            raise WorkflowError(
                f"{place}: {self.signature.name}() must return its argument list, like "
                f"['merge', '-o', grid], not {line!r}"
            )
        return tuple(a.name if isinstance(a, File) else str(a) for a in line)


class Workflow(Callee):
    """A function that describes a graph by calling tasks.

    A plain workflow called inside another is described in place. With ``runtime=True`` the call is one node;
    once its inputs exist, the function is called with files that can be opened, and what it describes is
    added to the run. Its declared outputs must then be made by the tasks it calls.
    """

    kind: Kind = "expand"

    def __init__(self, function: Function, needs: Needs, *, runtime: bool) -> None:
        super().__init__(function, needs)
        self.runtime = runtime
        self.looks: Callable[..., Iterable[str]] | None = None

    def preflight(self, function: Callable[..., Iterable[str]]) -> Callable[..., Iterable[str]]:
        """Have `function` look at what no graph shows, such as what an input file says, before the first run.

        `dynamo check` calls it, and `dynamo watch` at its start, with every parameter of the workflow by name: of
        inputs the paths, and None or an empty list where no file is there yet. It raises `UserError` where no run
        could go on, and returns in words what else should be known.
        """
        self.looks = function
        return function

    def check(self, signature: Signature) -> None:
        """Require declared outputs of a run-time workflow, and none of a plain one."""
        if self.runtime:
            super().check(signature)
        elif signature.of_role(Role.OUTPUT):
            raise WorkflowError(
                f"{signature.name}() declares an `Output`, which only a run-time workflow does: "
                "name the outputs in the calls of its tasks",
                place=place_of(self.function),
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Describe: inside a workflow, add to its graph; outside, return a `Graph`."""
        builder = building.get()
        if builder is None:
            return self.graph(*args, **kwargs)
        if self.runtime:
            return self.describe(builder, args, kwargs)
        frame = sys._getframe(1)  # noqa: SLF001 - the line of the user's call, for every later message
        self.signature.bind(args, kwargs, f"{frame.f_code.co_filename}:{frame.f_lineno}")
        with builder.within(self.signature.name):
            return self.function(*args, **kwargs)

    def graph(self, *args: Any, **kwargs: Any) -> Graph:
        """Return the graph for these inputs (paths) and parameters."""
        place = str(place_of(self.function))
        bound = self.signature.bind(args, kwargs, place)
        builder = Builder(self.signature.name)
        with _described(builder):
            if self.runtime:
                self.describe(builder, (), self._sourced(builder, bound, place))
            else:
                self.function(**self._sourced(builder, bound, place))
            return builder.graph()

    def expand(
        self, task_id: str, paths: dict[str, Any], outputs: dict[str, Any], params: dict[str, Any]
    ) -> Graph:
        """Describe what a run-time workflow adds, now that its inputs exist.

        `paths` maps each input parameter to ``(name, path)`` or a list of these; file names and task ids of the
        result stand under ``task_id/``, but for the declared `outputs`. Raises `WorkflowError` where a declared
        output is made by no task.
        """
        names = [n for v in outputs.values() for n in ([v] if isinstance(v, str) else v)]
        builder = Builder(task_id, prefix=f"{task_id}/", keep=frozenset(names))
        files = {
            p: [File(n, str(f)) for n, f in v] if isinstance(v, list) else File(v[0], str(v[1]))
            for p, v in paths.items()
        }
        for v in files.values():
            for file in v if isinstance(v, list) else [v]:
                builder.sources[file.name] = ""
        given = {**files, **outputs, **params}
        absent = [p for p in self.signature.parameters if p not in given]  # ``Input | None`` that got None
        with _described(builder):
            self.function(**given, **dict.fromkeys(absent))
        graph = builder.graph()
        for name in names:
            if name not in graph.producer:
                raise WorkflowError(
                    f"{self.signature.name}() calls no task that makes its declared output {name!r}",
                    place=place_of(self.function),
                )
        return graph

    def _sourced(self, builder: Builder, bound: dict[str, Any], place: str) -> dict[str, Any]:
        """Replace the paths given for inputs by files of the graph."""
        made = dict(bound)
        for parameter in self.signature.of_role(Role.INPUT):
            name, value = parameter.name, bound[parameter.name]
            if value is None:
                continue
            if parameter.many:
                if isinstance(value, (str, os.PathLike)):
                    raise WorkflowError(f"{place}: {self.signature.name}({name}=) takes a list of paths")
                made[name] = [builder.source(name, v, many=True) for v in value]
            elif isinstance(value, (str, os.PathLike)):
                made[name] = builder.source(name, value)
            else:
                raise WorkflowError(f"{place}: {self.signature.name}({name}=) needs a path, not {value!r}")
        return made


@contextmanager
def _described(builder: Builder) -> Iterator[None]:
    token = building.set(builder)
    try:
        with uncollected():
            yield
    finally:
        building.reset(token)
