"""``dynamo plan RUNFILE``: say what would run, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from dynamo.cli.options import overriding, runfile_of, selecting, selection
from dynamo.graph.units import format_count

if TYPE_CHECKING:
    from dynamo.planning import Plan

__all__ = ["command"]


@click.command("plan")
@click.argument("runfile", required=False)
@overriding
@selecting
@click.option(
    "--all", "everything", is_flag=True, help="One line for every task, not one for each step and reason."
)
@click.option("--json", "as_json", is_flag=True, help="Print every task with its reason as JSON.")
def command(
    runfile: str | None,
    params: tuple[str, ...],
    inputs: tuple[str, ...],
    force: tuple[str, ...],
    only: tuple[str, ...],
    until: tuple[str, ...],
    *,
    everything: bool,
    as_json: bool,
) -> int:
    """Say what `dynamo run RUNFILE` would run and what it would reuse, and why, without running anything.

    A task whose input is made anew is told as to be run; should that input turn out as it was, the run will
    reuse the task's result after all.
    """
    from dynamo.cli.fitting import unfit
    from dynamo.engine.known import Facts
    from dynamo.journal import Journal, Workspace
    from dynamo.planning import make_plan
    from dynamo.runfile import prepare
    from dynamo.runfile.overrides import input_options, param_options

    path, force = runfile_of(runfile, force)
    prepared = prepare(path, params=param_options(params), inputs=input_options(inputs))
    workspace = Workspace.open(prepared.workspace)
    with Journal(workspace.journal) as journal:
        facts = Facts(workspace, journal, (str(prepared.path.parent),), prepared.images)
        facts.here.check(prepared.graph)
        plan = make_plan(prepared.graph, facts, selection(force, only, until))
        facts.keep()
    notes = unfit(prepared.engine, plan.graph)
    if as_json:
        rows = {i: {"action": d.action, "reason": d.reason, "key": d.key} for i, d in plan.decisions.items()}
        print(json.dumps({"workflow": plan.graph.name, "tasks": rows, "notes": notes}, indent=2))
    else:
        print("\n".join([_words(plan, everything=everything), *(f"note: {one}" for one in notes)]))
    return 0


def _words(plan: Plan, *, everything: bool) -> str:
    lines: list[str] = []
    if everything:
        lines += [f"{d.action:5}  {task}: {d.reason}" for task, d in plan.decisions.items()]
    else:
        lines += _grouped(plan)
    left = len(plan.decisions) - plan.to_run - plan.to_reuse
    more = f", {left} left out" if left else ""
    lines.append(f"{plan.graph.name}: {plan.to_run} to run, {plan.to_reuse} to reuse{more}")
    return "\n".join(lines)


def _grouped(plan: Plan) -> list[str]:
    """One line for each step and action, with the first reason and how many have others."""
    groups: dict[tuple[str, str], list[str]] = {}
    for task, decision in plan.decisions.items():
        groups.setdefault((plan.graph.tasks[task].step, decision.action), []).append(decision.reason)
    width = max(len(step) for step, _ in groups)
    lines = []
    for (step, action), reasons in groups.items():
        count = f"x {len(reasons)}" if len(reasons) > 1 else ""
        others = len(set(reasons)) - 1
        more = f" (and {format_count(others, 'other reason')}; see --all)" if others else ""
        lines.append(f"{action:5}  {step:{width}} {count:>7}  {reasons[0]}{more}")
    return lines
