"""Make a run file real: import the workflow, find the inputs, check the parameters, build the graph.

Enters: a path, and what the command line overrides. Leaves: `Prepared`.
Goes wrong: `FaultyRunFileError` with everything that is wrong, or the `UserError` of the user's own Python.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dynamo.errors import DynamoError, Place, UserError, WorkflowError, nearest
from dynamo.graph import Graph, Signature, Workflow
from dynamo.graph.deadline import with_deadline
from dynamo.graph.signature import Parameter, Role
from dynamo.images.image import Image, check_images
from dynamo.runfile.draft import Draft, read
from dynamo.runfile.engine import EngineRule
from dynamo.runfile.images import images_of
from dynamo.runfile.inputs import Found, NotFoundError, find
from dynamo.runfile.model import InputRule, RunFile
from dynamo.runfile.names import check_absent, match, place_of_option
from dynamo.runfile.params import read_params
from dynamo.runfile.paths import under
from dynamo.runfile.products import Products
from dynamo.runfile.workflow import guilty, load_workflow

__all__ = ["Parts", "Prepared", "make_real", "prepare", "understand"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run file made real, ready to be planned.

    Parameters
    ----------
    runfile, path
        What the file says, and where it is (absolute).
    workflow, graph
        The workflow, and what it describes for these inputs and parameters; sources are absolute paths.
    inputs
        Input name to its file or files (absolute), oldest first.
    params
        Every parameter, defaults filled in.
    given
        Names of the parameters that the run file or the command line gave.
    data_time
        Time of the newest input whose name has one (UTC).
    products
        Where the outputs go.
    engine
        What runs the tasks, and the most it may use; None leaves that to the engine.
    images
        The image behind each name that tasks give, paths absolute; none where tasks run without containers.
    workspace
        Folder of the journal and of stored results (absolute).
    """

    runfile: RunFile
    path: Path
    workflow: Workflow
    graph: Graph
    inputs: Mapping[str, Path | list[Path]]
    params: Mapping[str, Any]
    given: frozenset[str]
    data_time: datetime | None
    products: Products
    engine: EngineRule
    images: Mapping[str, Image]
    workspace: Path


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run file names, found: its workflow, the given parameters, and the files of each input."""

    workflow: Workflow
    values: Mapping[str, Any]
    found: Mapping[str, list[Found]]


def prepare(
    path: str | os.PathLike[str],
    *,
    params: Mapping[str, str] | None = None,
    inputs: Mapping[str, Sequence[str]] | None = None,
    text: str | None = None,
    tick: datetime | None = None,
) -> Prepared:
    """Read the run file at `path` and make it real.

    Parameters
    ----------
    params
        Parameter name to a value as YAML text, instead of the run file's.
    inputs
        Input name to paths or globs, relative to the current folder, instead of the `files` of the run file;
        its other rules (`last`, `from` ...) still hold. With none, a list of files is empty.
    text
        What the file said when it was read before, where it is to hold although it may have been edited.
    tick
        The time of the clock that starts this run; the products are named by it.

    Raises
    ------
    FaultyRunFileError
        With every fault of the run file, its inputs and parameters, and of the overrides.
    UserError
        Where the user's own Python fails: it does not parse, cannot be imported, is no workflow, or describes
        no legal graph (`WorkflowError`).
    """
    return make_real(read(path, text=text), params=params, inputs=inputs, tick=tick)


def make_real(
    draft: Draft,
    *,
    params: Mapping[str, str] | None = None,
    inputs: Mapping[str, Sequence[str]] | None = None,
    tick: datetime | None = None,
) -> Prepared:
    """Make real what was read of a run file, as `prepare` does; faults that it has already are told with the rest."""
    parts = understand(draft, params=params, inputs=inputs)
    workflow, values, found = parts.workflow, parts.values, parts.found
    assert draft.runfile is not None
    runfile, base, signature = draft.runfile, draft.path.parent, workflow.signature
    data_time = max((f.time for files in found.values() for f in files if f.time), default=None)
    named = tick or _named_by(draft, found)
    images = images_of(draft)
    draft.faults.check()
    given: dict[str, Any] = {
        name: [f.path for f in files] if signature.parameters[name].many else files[0].path
        for name, files in found.items()
    }
    graph = with_deadline(_graph(workflow, {**given, **values}, base), runfile.deadline or 0.0)
    if runfile.engine.container:
        check_images(graph, images)
    _check_steps(draft, graph)
    defaults = {n: p.default for n, p in signature.parameters.items() if p.role is not Role.INPUT}
    only = tuple(runfile.products.only or ())
    return Prepared(
        runfile=runfile,
        path=draft.path,
        workflow=workflow,
        graph=graph,
        inputs=given,
        params={n: values.get(n, default) for n, default in defaults.items()},
        given=frozenset(values),
        data_time=data_time,
        products=Products(runfile.products.to, only, base, signature.name, named),
        engine=runfile.engine,
        images=images,
        workspace=under(base, runfile.workspace),
    )


def _named_by(draft: Draft, found: Mapping[str, Sequence[Found]]) -> datetime | None:
    """Return the newest time in a name of the inputs that start runs; where products go by it, it must be there."""
    assert draft.runfile is not None
    needs = draft.runfile.trigger.needs if draft.runfile.trigger else {}
    starting = [files for name, files in found.items() if name not in needs or needs[name].starts]
    newest = max((f.time for files in starting for f in files if f.time), default=None)
    if "{time}" in draft.runfile.products.to and newest is None and not draft.faults:
        at = draft.root.find(("products", "to")).mark
        which = "" if len(starting) == len(found) else " that starts runs"
        draft.faults.add(at, f"products: {{time}} is asked for, but no input{which} has a time in its name")
    return newest


def _check_steps(draft: Draft, graph: Graph) -> None:
    """Refuse a limit on what is likely a step misspelt; another may be there in another run, of more frames, say."""
    assert draft.runfile is not None
    limits = draft.runfile.engine.at_once
    if not limits or any(task.kind == "expand" for task in graph.tasks.values()):
        return
    for step in limits:
        hint = nearest(step, graph.steps)
        if step not in graph.steps and hint:
            mark = draft.root.key(("engine", "at_once", step))
            draft.faults.add(mark, f"at_once: {graph.name} has no step {step!r}{hint}")
    draft.faults.check()


def understand(
    draft: Draft,
    *,
    params: Mapping[str, str] | None = None,
    inputs: Mapping[str, Sequence[str]] | None = None,
    without: Collection[str] = (),
) -> Parts:
    """Find what a run file names, but for the files of the inputs `without`; what is wrong is added to its faults.

    Raises as `prepare` does where the workflow cannot be loaded.
    """
    if draft.runfile is None:
        draft.faults.check()
    assert draft.runfile is not None
    workflow = _workflow(draft, draft.runfile.workflow, draft.path.parent)
    values = read_params(draft, workflow.signature, params or {})
    check_absent(draft, workflow.signature)
    return Parts(workflow, values, _inputs(draft, workflow.signature, inputs or {}, without))


def _workflow(draft: Draft, reference: str, base: Path) -> Workflow:
    """Load the workflow; its error comes alone, or after the faults of the run file where there are some."""
    try:
        workflow = load_workflow(reference, base)
        workflow.signature  # noqa: B018 - read here, so that what is wrong with it is told with the rest
    except DynamoError as error:
        mark = draft.root.find(("workflow",)).mark
        if not draft.faults:
            if error.place is None:
                error.place = Place(draft.faults.file, *mark)
            raise
        draft.faults.add(error.place or mark, error.message)
        draft.faults.check()
        raise
    return workflow


def _inputs(
    draft: Draft, signature: Signature, overrides: Mapping[str, Sequence[str]], without: Collection[str]
) -> dict[str, list[Found]]:
    """Find the files of every input; what is wrong is added to the faults of `draft`."""
    assert draft.runfile is not None
    now = datetime.now(UTC)
    found: dict[str, list[Found]] = {}
    for name in match(draft, signature, "inputs", overrides):
        rule, over = draft.runfile.inputs.get(name), overrides.get(name)
        if over is not None and not over and signature.parameters[name].many:
            found[name] = []  # there is none, and a list may be without any
            continue
        if over:
            rule = replace(rule or InputRule([]), files=list(over))
        if rule is None or name in without:
            continue  # its own fault is told already
        try:
            found[name] = find(rule, Path.cwd() if over else draft.path.parent, now)
            _check_count(found[name], signature.parameters[name])
        except NotFoundError as error:
            if error.may_come and not over and _may_be_absent(draft.runfile, signature.parameters[name]):
                found[name] = []
                continue
            if over:
                draft.faults.add(place_of_option("inputs", name), str(error))
                continue
            index = () if error.index is None else ("files", error.index)
            draft.faults.add(draft.root.find(("inputs", name, *index)).mark, f"{name}: {error}")
    return found


def _may_be_absent(runfile: RunFile, parameter: Parameter) -> bool:
    """Whether a run does without any file of an input."""
    need = runfile.trigger.needs.get(parameter.name) if runfile.trigger else None
    return parameter.many and need is not None and need.quorum == 0


def _check_count(files: list[Found], parameter: Parameter) -> None:
    if len(files) > 1 and not parameter.many:
        raise NotFoundError(
            f"takes one file, but {len(files)} are found, from {files[0].path.name!r} to "
            f"{files[-1].path.name!r}; add `last: 1` for the newest"
        )


def _graph(workflow: Workflow, arguments: Mapping[str, Any], base: Path) -> Graph:
    """Describe the graph, and make its sources absolute files that exist."""
    try:
        graph = workflow.graph(**arguments)
    except DynamoError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's workflow does when it is called
        raise UserError(
            f"describing {workflow.signature.name} fails: {type(error).__name__}: {error}",
            place=guilty(error),
        ) from error
    sources = {name: str(under(base, path)) for name, path in graph.sources.items()}
    for name, path in sources.items():
        if not os.path.isfile(path):  # noqa: PTH113 - thousands of inputs
            reader = next(t for t in graph.tasks.values() if name in t.input_names)
            raise WorkflowError(
                f"{reader.place}: {reader.id} reads {graph.sources[name]!r}, which no task makes and "
                f"which is no file in {base}{nearest(graph.sources[name], graph.producer)}"
            )
    return replace(graph, sources=sources)
