"""``dynamo check RUNFILE``: say what a run file means, or all that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.cli.options import overriding
from dynamo.cli.shown import files_text, shown, tasks_text
from dynamo.errors import UserError

if TYPE_CHECKING:
    from datetime import datetime

    from dynamo.graph import Graph
    from dynamo.runfile.draft import Draft
    from dynamo.runfile.faults import Fault
    from dynamo.runfile.model import RunFile
    from dynamo.watch.inspection import Inspection

__all__ = ["command"]


@click.command("check")
@click.argument("runfile", required=False)
@overriding
@click.option("--json", "as_json", is_flag=True, help="Print JSON, faults included.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of run files, for editors.")
def command(
    runfile: str | None, params: tuple[str, ...], inputs: tuple[str, ...], *, as_json: bool, schema: bool
) -> int:
    """Check RUNFILE, its workflow and its inputs, without running anything.

    Finds the inputs, checks the parameters and builds the graph; of one that is to be watched also the trigger,
    subscribers and channels. Prints what it would run, or every fault with file:line:column.
    """
    if schema:
        from dynamo.runfile.json_schema import schema_text

        print(schema_text(), end="")
        return 0
    if runfile is None:
        raise UserError("which run file? `dynamo check RUNFILE`")
    try:
        checked = _checked(runfile, params, inputs)
    except UserError as error:
        if not as_json:
            raise
        print(json.dumps({"ok": False, "faults": _faults(error)}, indent=2))
        return error.exit_code
    if as_json:
        notes = [{"file": None, "line": 0, "column": 0, "message": one} for one in checked.notes]
        facts = {**_facts(checked), **_watch_facts(checked)}
        print(json.dumps({"ok": True, **facts, "notes": [*facts.get("notes", []), *notes]}, indent=2))
    else:
        print(_words(runfile, checked))
    return 0


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a run file means; there is no graph where a watch still waits for the first files."""

    runfile: RunFile
    workflow: str
    inputs: Mapping[str, Sequence[Path]]
    params: Mapping[str, Any]
    given: Collection[str]
    data_time: datetime | None
    graph: Graph | None
    products: str
    workspace: Path
    inspection: Inspection | None
    #: What should be known and stands at no place of the run file.
    notes: Sequence[str] = ()


def _checked(runfile: str, params: tuple[str, ...], inputs: tuple[str, ...]) -> _Checked:
    from dynamo.runfile.draft import read
    from dynamo.runfile.overrides import input_options, param_options

    given, files = param_options(params), input_options(inputs)
    draft = read(runfile)
    if not {"trigger", "alerts"} & draft.root.value.keys():
        return _whole(draft, given, files, None)
    from dynamo.watch.inspection import inspect

    inspection = inspect(draft, files)
    return (_partly if inspection.waiting else _whole)(draft, given, files, inspection)


def _whole(
    draft: Draft,
    params: Mapping[str, str],
    inputs: Mapping[str, Sequence[str]],
    inspection: Inspection | None,
) -> _Checked:
    """Check a run file whose inputs are there, with its graph."""
    from dynamo.cli.fitting import unfit
    from dynamo.planning import units
    from dynamo.runfile.preflight import preflight
    from dynamo.runfile.preparation import make_real

    prepared = make_real(draft, params=params, inputs=inputs)
    if inspection is not None:
        from dynamo.watch.inspection import inspect_needs, inspect_products, inspect_rules

        inspect_needs(draft, inspection, prepared.workflow.signature)
        inspection = inspect_products(draft, inspection, prepared)
        inspection = inspect_rules(draft, inspection, prepared.params)
        draft.faults.check()
    units(prepared.graph)  # labels that cannot fuse are a fault too
    files = {name: _listed(paths) for name, paths in prepared.inputs.items()}
    notes = preflight(prepared.workflow, prepared.params, files)
    return _Checked(
        prepared.runfile,
        prepared.workflow.call,
        files,
        prepared.params,
        prepared.given,
        prepared.data_time,
        prepared.graph,
        str(prepared.products.folder("{run}")),
        prepared.workspace,
        inspection,
        [*notes, *unfit(prepared.engine, prepared.graph)],
    )


def _partly(
    draft: Draft, params: Mapping[str, str], inputs: Mapping[str, Sequence[str]], inspection: Inspection
) -> _Checked:
    """Check a run file of which some inputs have no file yet: all but its graph."""
    from dynamo.graph.signature import Role
    from dynamo.runfile.paths import under
    from dynamo.runfile.preflight import preflight
    from dynamo.runfile.preparation import understand
    from dynamo.watch.inspection import inspect_needs, inspect_rules

    parts = understand(draft, params=params, inputs=inputs, without=inspection.waiting)
    signature = parts.workflow.signature
    inspect_needs(draft, inspection, signature)
    draft.faults.check()
    assert draft.runfile is not None
    base, values = draft.path.parent, parts.values
    others = [p for p in signature.parameters.values() if p.role is not Role.INPUT]
    params = {p.name: values.get(p.name, p.default) for p in others}
    there = {name: [one.path for one in found] for name, found in parts.found.items()}
    return _Checked(
        draft.runfile,
        parts.workflow.call,
        {**dict.fromkeys(sorted(inspection.waiting), ()), **there},
        params,
        values.keys(),
        max((f.time for found in parts.found.values() for f in found if f.time), default=None),
        None,
        str(under(base, draft.runfile.products.to)),
        under(base, draft.runfile.workspace),
        inspect_rules(draft, inspection, params),
        preflight(parts.workflow, values, there),
    )


def _faults(error: UserError) -> list[dict[str, Any]]:
    from dynamo.runfile import FaultyRunFileError

    told = error.faults if isinstance(error, FaultyRunFileError) else [error]
    return [_placed(one) for one in told]


def _placed(one: Fault | UserError) -> dict[str, Any]:
    return {
        "file": one.place.file if one.place else None,
        "line": one.place.line if one.place else 0,
        "column": one.place.column if one.place else 0,
        "message": one.message,
    }


def _facts(checked: _Checked) -> dict[str, Any]:
    graph, engine = checked.graph, checked.runfile.engine
    return {
        "workflow": checked.workflow,
        "inputs": {name: [str(path) for path in paths] for name, paths in checked.inputs.items()},
        "data_time": checked.data_time.isoformat() if checked.data_time else None,
        "params": {
            name: {"value": shown(value), "default": name not in checked.given}
            for name, value in checked.params.items()
        },
        "tasks": None if graph is None else {step: len(ids) for step, ids in graph.steps.items()},
        "products": checked.runfile.products.to,
        "engine": {"name": engine.name, "cores": engine.cores, "memory": engine.memory},
        "workspace": str(checked.workspace),
        "deadline": checked.runfile.deadline,
    }


def _watch_facts(checked: _Checked) -> dict[str, Any]:
    inspection = checked.inspection
    if inspection is None:
        return {}
    facts: dict[str, Any] = {
        "trigger": inspection.trigger,
        "notes": [_placed(one) for one in inspection.notes],
    }
    if (means := inspection.means) is not None and means.people is not None:
        facts["alerts"] = {
            "subscribers": len(means.people.known),
            "left_out": [str(fault) for fault in means.people.left_out],
            "channels": list(means.channels),
            "rules": _rules(checked.runfile),
        }
    return facts


def _rules(runfile: RunFile) -> list[str]:
    from dynamo.watch.doubts import understood

    return [understood(rule) for rule in runfile.alerts.rules] if runfile.alerts else []


def _watch_words(checked: _Checked) -> list[tuple[str, str]]:
    from dynamo.graph.units import format_count

    inspection = checked.inspection
    if inspection is None:
        return []
    rows, notes = [("trigger", inspection.trigger)], [("note", str(one)) for one in inspection.notes]
    if (means := inspection.means) is None or means.people is None:
        return rows + notes
    people, names = means.people, list(means.channels)
    told = f"{format_count(len(people.known), 'subscriber')}, {format_count(len(names), 'channel')}"
    told += f": {', '.join(names)}" if names else ": nobody is told"
    if people.left_out:
        told += f"; {format_count(len(people.left_out), 'row')} left out"
    left_out = [("left out", f"{people.path}:{one}") for one in people.left_out[:20]]
    rules = [("rule", one) for one in _rules(checked.runfile)]
    return [*rows, ("alerts", told), *rules, *left_out, *notes]


def _words(runfile: str, checked: _Checked) -> str:
    from dynamo.graph.units import format_bytes, format_count, format_seconds

    graph, engine, due = checked.graph, checked.runfile.engine, checked.runfile.deadline
    limits = [format_count(engine.cores, "core")] if engine.cores else []
    limits += [format_bytes(engine.memory)] if engine.memory else []
    rows = [("workflow", checked.workflow)]
    rows += [
        (f"input {name}", files_text(paths, checked.runfile.inputs.get(name)))
        for name, paths in checked.inputs.items()
    ]
    rows += [
        (f"param {name}", f"{shown(value)}" + ("" if name in checked.given else "  (default)"))
        for name, value in checked.params.items()
    ]
    rows += [
        ("tasks", tasks_text(graph)),
        ("products", checked.products),
        ("engine", ", at most ".join([engine.name, *limits[:1]]) + "".join(f", {x}" for x in limits[1:])),
        ("workspace", str(checked.workspace)),
        *([("deadline", f"{format_seconds(due)} after its start")] if due else []),
        *_watch_words(checked),
        *(("note", one) for one in checked.notes),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"{runfile} is right.", *(f"  {name:<{width}}  {text}" for name, text in rows)])


def _listed(paths: Path | list[Path]) -> list[Path]:
    return paths if isinstance(paths, list) else [paths]
