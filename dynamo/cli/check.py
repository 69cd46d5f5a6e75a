"""``dynamo check RUNFILE``: say what a run file means, or all that is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dynamo.cli.options import overriding
from dynamo.errors import UserError

if TYPE_CHECKING:
    from dynamo.runfile import Prepared
    from dynamo.runfile.model import InputRule
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
        prepared, inspection = _checked(runfile, params, inputs)
    except UserError as error:
        if not as_json:
            raise
        print(json.dumps({"ok": False, "faults": _faults(error)}, indent=2))
        return error.exit_code
    if as_json:
        print(json.dumps({"ok": True, **_facts(prepared), **_watch_facts(inspection)}, indent=2))
    else:
        print(_words(runfile, prepared, inspection))
    return 0


def _checked(
    runfile: str, params: tuple[str, ...], inputs: tuple[str, ...]
) -> tuple[Prepared, Inspection | None]:
    from dynamo.planning import units
    from dynamo.runfile.draft import read
    from dynamo.runfile.overrides import input_options, param_options
    from dynamo.runfile.preparation import make_real

    given, files = param_options(params), input_options(inputs)
    draft, inspection = read(runfile), None
    is_watched = bool({"trigger", "alerts"} & draft.root.value.keys())
    if is_watched:
        from dynamo.watch.inspection import inspect, inspect_products

        inspection = inspect(draft)
    prepared = make_real(draft, params=given, inputs=files)
    if is_watched:
        inspect_products(draft, prepared)
        draft.faults.check()
    units(prepared.graph)  # labels that cannot fuse are a fault too
    return prepared, inspection


def _faults(error: UserError) -> list[dict[str, Any]]:
    from dynamo.runfile import FaultyRunFileError

    told = error.faults if isinstance(error, FaultyRunFileError) else [error]
    return [
        {
            "file": one.place.file if one.place else None,
            "line": one.place.line if one.place else 0,
            "column": one.place.column if one.place else 0,
            "message": one.message,
        }
        for one in told
    ]


def _facts(prepared: Prepared) -> dict[str, Any]:
    graph, engine = prepared.graph, prepared.engine
    return {
        "workflow": prepared.workflow.call,
        "inputs": {name: [str(p) for p in _listed(paths)] for name, paths in prepared.inputs.items()},
        "data_time": prepared.data_time.isoformat() if prepared.data_time else None,
        "params": {
            name: {"value": _shown(value), "default": name not in prepared.given}
            for name, value in prepared.params.items()
        },
        "tasks": {step: len(ids) for step, ids in graph.steps.items()},
        "products": prepared.products.template,
        "engine": {"name": engine.name, "cores": engine.cores, "memory": engine.memory},
        "workspace": str(prepared.workspace),
    }


def _watch_facts(inspection: Inspection | None) -> dict[str, Any]:
    if inspection is None:
        return {}
    facts: dict[str, Any] = {"trigger": inspection.trigger}
    if (means := inspection.means) is not None and means.people is not None:
        facts["alerts"] = {
            "subscribers": len(means.people.known),
            "left_out": [str(fault) for fault in means.people.left_out],
            "channels": list(means.channels),
        }
    return facts


def _watch_words(inspection: Inspection | None) -> list[tuple[str, str]]:
    from dynamo.graph.units import format_count

    if inspection is None:
        return []
    rows = [("trigger", inspection.trigger)]
    if (means := inspection.means) is None or means.people is None:
        return rows
    people, names = means.people, list(means.channels)
    told = f"{format_count(len(people.known), 'subscriber')}, {format_count(len(names), 'channel')}"
    told += f": {', '.join(names)}" if names else ": nobody is told"
    if people.left_out:
        told += f"; {format_count(len(people.left_out), 'row')} left out"
    return [*rows, ("alerts", told), *(("left out", f"{people.path}:{one}") for one in people.left_out[:20])]


def _words(runfile: str, prepared: Prepared, inspection: Inspection | None) -> str:
    from dynamo.graph.units import format_bytes, format_count

    graph, engine = prepared.graph, prepared.engine
    limits = [format_count(engine.cores, "core")] if engine.cores else []
    limits += [format_bytes(engine.memory)] if engine.memory else []
    steps = ", ".join(f"{step} x {len(ids)}" if len(ids) > 1 else step for step, ids in graph.steps.items())
    rows = [("workflow", prepared.workflow.call)]
    rows += [
        (f"input {name}", _files(_listed(paths), prepared.runfile.inputs.get(name)))
        for name, paths in prepared.inputs.items()
    ]
    rows += [
        (f"param {name}", f"{_shown(value)}" + ("" if name in prepared.given else "  (default)"))
        for name, value in prepared.params.items()
    ]
    rows += [
        ("tasks", f"{len(graph.tasks)}: {steps}"),
        ("products", str(prepared.products.folder("{run}"))),
        ("engine", ", at most ".join([engine.name, *limits[:1]]) + "".join(f", {x}" for x in limits[1:])),
        ("workspace", str(prepared.workspace)),
        *_watch_words(inspection),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"{runfile} is right.", *(f"  {name:<{width}}  {text}" for name, text in rows)])


def _listed(paths: Path | list[Path]) -> list[Path]:
    return paths if isinstance(paths, list) else [paths]


def _files(paths: list[Path], rule: InputRule | None) -> str:
    from dynamo.graph.units import format_count
    from dynamo.runfile.times import find_time, reader_of

    read = reader_of(rule.time) if rule and rule.time else find_time

    def one(path: Path) -> str:
        time = read(path.name)
        return f"{path.name} ({time:%Y-%m-%d %H:%M:%S} UTC)" if time else path.name

    if not paths:
        return "no file"
    last = f" to {one(paths[-1])}" if len(paths) > 1 else ""
    return f"{format_count(len(paths), 'file')}: {one(paths[0])}{last}"


def _shown(value: Any) -> Any:
    """Return a parameter as JSON would record it, or its text."""
    from dynamo.graph.digest import NotJSON, to_json

    try:
        return to_json(value, "")
    except NotJSON:
        return repr(value)
