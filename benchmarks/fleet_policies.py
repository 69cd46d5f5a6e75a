"""What each policy of the fleet costs and how much of the work is late: the table of docs/explanation/when-to-buy.md.

Run it as ``.venv/bin/python benchmarks/fleet_policies.py``: ten seeds that no setting was tuned on, each policy on the
same traces with the same boots and errors. ``--seeds 2 --traces first --boots 45`` is a short try. With ``--keep FILE``
what is done is kept in it, one JSON object a line, and not done again; ``--only-table`` prints what the file holds.
``--pool arrival`` is a pool that runs the jobs of one deadline as they come, ``--pool noisy`` one in which less is
known of each job beforehand.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from dynamo.fleet.decision import Policy
from dynamo.fleet.demand import Terms
from dynamo.fleet.policies.named import for_trace
from dynamo.fleet.policies.work import WorkPerDeadline
from dynamo.fleet.simulator.model import simulate
from dynamo.fleet.simulator.outcome import outcome
from dynamo.fleet.simulator.scenario import plain
from dynamo.fleet.simulator.traces import TRACES

#: Settings were chosen on seeds 101 to 104 of first, onset, burst and squall, and on no seed of calm.
FIRST, SEEDS = 300, 10
TRACE_NAMES = ("first", "onset", "burst", "squall", "calm")
BOOTS = (45, 120, 300)
POLICIES = (
    "oracle", "work", "careful", "work, as live", "careful, as live", "work, no forecast", "queue_depth", "keda",
    "cobald", "dask", "static_peak",
)  # fmt: skip
#: For a pool that takes jobs as they come.
ARRIVAL = WorkPerDeadline(margin=1.1, hold=60.0, terms=Terms(tail=0.45, doubt=0.0))
ARRIVAL_CAREFUL = WorkPerDeadline(
    margin=1.2, hold=180.0, ahead=30.0, terms=Terms(tail=0.67, caution=0.5, doubt=0.0)
)
#: Which jobs of one deadline run first, and what is known of each: the pool of dynamo, and two that are worse off.
POOLS = {
    "dynamo": {"order": "longest", "estimates": "seasoned"},
    "noisy": {"order": "longest", "estimates": "noisy"},
    "arrival": {"order": "arrival", "estimates": "noisy"},
}

#: What is told of the cycles to come, by what stands after the policy's name.
FORECASTS = {"as live": "clocks", "no forecast": "none"}

Task = tuple[str, int, str, int, str]


def run(task: Task) -> dict[str, object]:
    """Simulate once."""
    name, boot, label, seed, pool = task
    trace = TRACES[name](seed)
    world = replace(plain(boot), forecast=FORECASTS.get(label.partition(", ")[2], "nowcast"), **POOLS[pool])
    policy: Policy = for_trace(label.partition(",")[0], trace, world, seed)
    if pool == "arrival" and label.startswith("careful"):
        policy = ARRIVAL_CAREFUL
    elif pool == "arrival" and label.startswith("work"):
        policy = ARRIVAL
    found = outcome(simulate(trace, policy, world, seed))
    figures = {"late": found.late, "p99": found.late_p99, "cores": found.cores, "usd": found.usd}
    return {"task": task, **figures, "used": found.utilisation, "launches": found.launches}


def tasks(args: argparse.Namespace) -> Iterator[Task]:
    """Yield what is to be simulated, trace by trace."""
    for name in args.traces:
        for seed in range(FIRST, FIRST + args.seeds):
            for boot in args.boots:
                for label in args.policies:
                    yield name, boot, label, seed, args.pool


def grouped(rows: list[dict]) -> dict[tuple[str, int], dict[str, list[dict]]]:
    """Return the rows by trace and boot, and by policy."""
    sets: dict[tuple[str, int], dict[str, list[dict]]] = {}
    for row in sorted(
        rows, key=lambda row: (TRACE_NAMES.index(row["task"][0]), row["task"][1], row["task"][3])
    ):
        name, boot, label = row["task"][:3]
        sets.setdefault((name, boot), {}).setdefault(label, []).append(row)
    return sets


def short(rows: list[dict]) -> Iterator[str]:
    """Yield a table in Markdown: mean cores paid, and per cent of the jobs that were late, medians over the seeds."""
    yield f"| trace, boot | {' | '.join(POLICIES)} |"
    yield f"|---|{'---|' * len(POLICIES)}"
    for (name, boot), found in grouped(rows).items():
        cells = []
        for label in POLICIES:
            some = found.get(label, [])
            middle = [statistics.median(row[key] for row in some) for key in ("cores", "late") if some]
            cells.append("{:.1f}, {:.3f} %".format(*middle) if some else "")
        yield f"| {name}, {boot} s | {' | '.join(cells)} |"


def table(rows: list[dict]) -> Iterator[str]:
    """Yield a table in Markdown: medians over the seeds, with the least and the most of the cores paid."""
    sets = grouped(rows)
    yield "| trace | boot | policy | seeds | cores paid (least-most) | to the oracle | late % | p99 late | used % |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for (name, boot), found in sorted(
        sets.items(), key=lambda one: (TRACE_NAMES.index(one[0][0]), one[0][1])
    ):
        for label in [label for label in POLICIES if label in found]:
            some = found[label]
            cores, late, p99, used = (
                statistics.median(row[key] for row in some) for key in ("cores", "late", "p99", "used")
            )
            least, most = min(row["cores"] for row in some), max(row["cores"] for row in some)
            oracle = {tuple(row["task"])[3]: row["cores"] for row in found.get("oracle", [])}
            ratios = [row["cores"] / oracle[row["task"][3]] for row in some if row["task"][3] in oracle]
            ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
            yield (
                f"| {name} | {boot} s | {label} | {len(some)} | {cores:.1f} ({least:.0f}-{most:.0f}) | {ratio} "
                f"| {late:.3f} | {p99:.0f} s | {used:.0f} |"
            )


def main() -> None:
    """Simulate, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--traces", nargs="+", default=TRACE_NAMES)
    parser.add_argument("--boots", nargs="+", type=int, default=BOOTS)
    parser.add_argument("--policies", nargs="+", default=POLICIES)
    parser.add_argument("--pool", choices=POOLS, default="dynamo")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only-table", action="store_true")
    args = parser.parse_args()
    kept = args.keep.read_text().splitlines() if args.keep and args.keep.exists() else []
    rows = [row for row in map(json.loads, kept) if row["task"][4] == args.pool]
    done = {tuple(row["task"]) for row in rows}
    todo = [] if args.only_table else [task for task in tasks(args) if task not in done]
    with ProcessPoolExecutor(2) as pool:
        for row in pool.map(run, todo):
            rows.append(row)
            if args.keep:
                with args.keep.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    print("\n".join([*short(rows), "", *table(rows)]))


if __name__ == "__main__":
    main()
