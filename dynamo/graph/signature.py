"""What the parameters of a user's function are: input files, output files, or plain values.

Enters: a function with annotations. Leaves: a `Signature`.
Goes wrong: `WorkflowError` at the function's own line, for annotations that mean nothing here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ForwardRef, Literal, TypeAlias, Union, get_args, get_origin

from dynamo.errors import Place, WorkflowError, nearest
from dynamo.graph.units import format_count

__all__ = ["REQUIRED", "Input", "Output", "Parameter", "Role", "Signature", "place_of"]


class Role(Enum):
    """What a parameter of a task or workflow is."""

    INPUT = "input"
    OUTPUT = "output"
    VALUE = "value"


#: Marks a parameter that takes an input file. The function gets a `pathlib.Path`.
Input: TypeAlias = Annotated[Path, Role.INPUT]
#: Marks a parameter that names an output file. The function gets the `pathlib.Path` to write.
Output: TypeAlias = Annotated[Path, Role.OUTPUT]

REQUIRED: Any = inspect.Parameter.empty


def place_of(function: Callable[..., Any]) -> Place:
    """Where `function` is defined."""
    code = inspect.unwrap(function).__code__
    return Place(code.co_filename, code.co_firstlineno)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its role, whether it takes a list of files, and its default."""

    name: str
    role: Role
    many: bool
    default: Any
    annotation: Any

    @property
    def required(self) -> bool:
        """Whether a call must give it."""
        return self.default is REQUIRED

    @property
    def may_be_none(self) -> bool:
        """Whether a call may give None for it: so it says, or that is its default."""
        return self.default is None or type(None) in get_args(self.annotation)


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of one function, by name, and the order in which positions fill them."""

    name: str
    parameters: Mapping[str, Parameter]
    positional: tuple[str, ...]

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Signature:
        """Read the signature of `function`; raise `WorkflowError` where it cannot be a task's."""
        found: dict[str, Parameter] = {}
        positional = []
        for p in inspect.signature(function).parameters.values():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                raise WorkflowError(
                    f"{function.__name__}() takes *{p.name}: name every parameter, so that it can be recorded",
                    place=place_of(function),
                )
            role, many, annotation = _read(function, p.name, p.annotation)
            found[p.name] = Parameter(p.name, role, many, p.default, annotation)
            if p.kind is not p.KEYWORD_ONLY:
                positional.append(p.name)
        return cls(function.__name__, found, tuple(positional))

    def of_role(self, role: Role) -> list[Parameter]:
        """The parameters that have `role`, in order."""
        return [p for p in self.parameters.values() if p.role is role]

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any], place: Place | str) -> dict[str, Any]:
        """Match a call's arguments to the parameters, defaults filled in, in the signature's order.

        Raises `WorkflowError` at `place` for a missing, unknown or doubled argument, and for an input that is None
        but may not be.
        """
        if len(args) > len(self.positional):
            takes = format_count(len(self.positional), "positional argument")
            raise self._fault(place, f"takes {takes}, not {len(args)}; name the others")
        given = dict(zip(self.positional, args, strict=False))
        if kwargs:
            for name in kwargs:
                if name not in self.parameters:
                    raise self._fault(place, f"has no parameter {name!r}{nearest(name, self.parameters)}")
                if name in given:
                    raise self._fault(place, f"got {name!r} twice")
            given.update(kwargs)
        bound = {}
        for name, parameter in self.parameters.items():
            value = given.get(name, parameter.default)
            if value is REQUIRED:
                what = "a file name for its output" if parameter.role is Role.OUTPUT else parameter.role.value
                raise self._fault(place, f"needs {what} {name!r}")
            if value is None and parameter.role is Role.INPUT and not parameter.may_be_none:
                hint = "a workflow that is called for a file must return it"
                raise self._fault(place, f"needs input {name!r}, which is given None; {hint}")
            bound[name] = value
        return bound

    def _fault(self, place: Place | str, text: str) -> WorkflowError:
        return WorkflowError(f"{place}: {self.name}() {text}")


def _read(function: Callable[..., Any], name: str, annotation: Any) -> tuple[Role, bool, Any]:
    """Return the role of a parameter, whether it is a list, and its evaluated annotation."""
    if isinstance(annotation, str):
        annotation = _evaluate(function, annotation)
    inner, many = annotation, False
    if get_origin(inner) in (Union, type(int | str)) and _role(inner) is None:
        rest = [a for a in get_args(inner) if a is not type(None)]
        inner = rest[0] if len(rest) == 1 else inner
    if get_origin(inner) in (list, tuple) or getattr(get_origin(inner), "__name__", "") == "Sequence":
        arguments = [a for a in get_args(inner) if a is not Ellipsis]
        if len(arguments) == 1 and _role(arguments[0]) is not None:
            inner, many = arguments[0], True
    role = _role(inner) or Role.VALUE
    if role is Role.VALUE and _mentions_file(annotation):
        raise WorkflowError(
            f"{function.__name__}(): {name!r} is annotated {annotation}; files are "
            "`Input`, `list[Input]`, `Input | None`, `Output` or `list[Output]`",
            place=place_of(function),
        )
    return role, many, annotation


def _evaluate(function: Callable[..., Any], text: str) -> Any:
    """Evaluate one annotation; a name that only a type checker knows makes it a plain value."""
    names = {"Input": Input, "Output": Output, "Literal": Literal}
    try:
        return eval(text, {**names, **function.__globals__})  # noqa: S307 - the user's own annotation
    except (NameError, AttributeError, TypeError):
        if "Input" in text or "Output" in text:
            raise WorkflowError(
                f"{function.__name__}(): cannot read the annotation {text!r}; "
                "its names must be importable at run time, not only under TYPE_CHECKING",
                place=place_of(function),
            ) from None
        return ForwardRef(text, is_argument=False) if text.isidentifier() else Any


def _role(annotation: Any) -> Role | None:
    if get_origin(annotation) is Annotated:
        return next((m for m in get_args(annotation)[1:] if isinstance(m, Role)), None)
    return None


def _mentions_file(annotation: Any) -> bool:
    return _role(annotation) is not None or any(_mentions_file(a) for a in get_args(annotation))
