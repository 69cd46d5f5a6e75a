"""Run all benchmarks and write ``docs/benchmarks.md`` with its chart: ``python benchmarks/all.py [--quick]``.

Each runs in a process of its own, one after another; one that fails is reported with the end of its output,
and the others still run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil

from peer import ROOT, peer_python
from rows import Row, number

HERE = Path(__file__).resolve().parent
DOCS = ROOT / "docs"
CHART = "images/bench-ratios.svg"

ABOUT = (
    "Made by `make bench`; what each figure is and how it is taken stands in the scripts of `benchmarks/`. "
    "Peers are measured in the same run; the ratio is the peer's figure over ours, so above 1 ours is the "
    "smaller. Times on shared machines drift by a factor of two, ratios far less."
)

#: Script to the heading of its part.
SCRIPTS = {
    "startup": "Start",
    "noop": "Cost of a task",
    "chain": "Deep and wide graphs",
    "plan": "A graph of 100,000 tasks",
    "nowcast": "A nowcast cycle",
    "hail": "Hail of sweeps",
    "shi": "Hail of volumes",
    "read_sweeps": "Reading sweeps",
    "wind": "Wind of sweeps",
    "fleet_simulate": "Simulating a fleet",
    "resume": "Resume after `kill -9`",
    "pool": "On a pool",
    "watch": "From a file to an alert",
    "reprocess": "Archived days",
    "match": "Matching subscribers and hazards",
    "delivery": "Delivery of alerts",
    "alerts_week": "A week of alerts",
}
#: Scripts that print tables of their own, with their arguments and those of `--quick`; run by the peers' Python,
#: since their peers are libraries that they import.
TABLES = {
    "contour": ("Contours", (), ("--size", "300", "--times", "2")),
    "render": ("Images", (), ("--size", "300", "--times", "2")),
}


def machine():
    """Describe the machine, without its name."""
    memory = psutil.virtual_memory().total / 1e9
    load = os.getloadavg()
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores, {processor()}, {memory:.0f} GB; "
        f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}; "
        f"load average at the start {load[0]:.1f}, {load[1]:.1f}, {load[2]:.1f}; a busy process then got "
        f"{share():.0%} of a core"
    )


def share():
    """How much of a core a busy process gets: well below 1, the machine has other work and times mean little."""
    start, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < 2:
        pass
    return (time.process_time() - cpu) / (time.perf_counter() - start)


def processor():
    """Model of the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def run(name: str, *, quick: bool) -> list[Row | str]:
    """Run one script and return its rows and texts, and how it failed if it did."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.json"
        line = [sys.executable, str(HERE / f"{name}.py"), "--json", str(target)]
        process = subprocess.run(
            [*line, "--quick"] if quick else line, check=False, stderr=subprocess.PIPE, text=True
        )
        sys.stderr.write(process.stderr)
        found = json.loads(target.read_text("utf-8")) if target.exists() else []
    rows: list[Row | str] = [Row(**row) if isinstance(row, dict) else row for row in found]
    if process.returncode:
        rows.append(f"!!! {name}.py FAILED:\n" + "\n".join(process.stderr.splitlines()[-5:]))
    return rows


def table(name: str, arguments: Sequence[str]) -> str:
    """Run a script that prints its own table, and return that."""
    python = peer_python() if peer_python().exists() else Path(sys.executable)
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    process = subprocess.run(
        [str(python), str(HERE / f"{name}.py"), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    print(process.stdout, flush=True)
    if process.returncode:
        return process.stdout + f"\n!!! {name}.py FAILED: " + "\n".join(process.stderr.splitlines()[-3:])
    return process.stdout


def cells(row: Row) -> list[str]:
    """Lines of the Markdown table for one row: one for each peer."""
    budget = "" if row.budget is None else f"{number(row.budget)} {row.unit}"
    head = f"| {row.what} | **{number(row.ours)}** {row.unit} | {budget} |"
    verdict = f" {row.verdict.replace('MISSED', '**MISSED**').replace('SLOWER', '**SLOWER**')} |"
    lines = []
    for peer, figure in row.peers.items():
        told = (
            f" {peer}: **not measured** ({figure}) | |"
            if isinstance(figure, str)
            else f" {peer}: {number(figure)} {row.unit} | {number(figure / row.ours)} |"
        )
        lines.append(head + told + verdict)
        head, verdict = "| | | |", " |"
    return lines or [f"{head} | |{verdict}"]


def markdown(parts: dict[str, list[Row | str]], tables: dict[str, str], about: str, seconds: float) -> str:
    """The page."""
    rows = [row for part in parts.values() for row in part if isinstance(row, Row)]
    budgets = [row for row in rows if row.budget is not None]
    missed = [row for row in rows if "MISSED" in row.verdict or "SLOWER" in row.verdict]
    unmeasured = sorted({f"{p}: {f}" for row in rows for p, f in row.peers.items() if isinstance(f, str)})
    lines = [
        "# Benchmarks",
        "",
        ABOUT,
        "",
        f"Measured {about}. All of it took {seconds / 60:.0f} minutes.",
        "",
        f"{len(budgets) - sum(r.ours > r.budget for r in budgets)} of {len(budgets)} budgets are met.",
        *([""] + [f"* {row.what}: {row.verdict}" for row in missed] if missed else []),
        *(["", "Not measured:", ""] + [f"* {text}" for text in unmeasured] if unmeasured else []),
        "",
        f"![Each peer's figure over ours]({CHART})",
        "",
    ]
    for name, part in parts.items():
        lines += [f"## {SCRIPTS[name]}", "", f"`python benchmarks/{name}.py`", ""]
        lines += body(part)
    for name, text in tables.items():
        lines += [
            f"## {TABLES[name][0]}",
            "",
            f"`python benchmarks/{name}.py`",
            "",
            "```text",
            text.rstrip(),
            "```",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def body(part: Sequence[Row | str]) -> list[str]:
    """One part: its table, then its notes and texts."""
    rows = [row for row in part if isinstance(row, Row)]
    lines = ["| what | ours | budget | peer | ratio | |", "|---|---|---|---|---|---|"] if rows else []
    for row in rows:
        lines += cells(row)
    lines += [""] + [f"* {row.what}: {row.note}." for row in rows if row.note] + [""]
    texts = [text for text in part if isinstance(text, str)]
    return [*lines, "```text", *texts, "```", ""] if texts else lines


def chart(rows: Sequence[Row], path: Path) -> None:
    """Draw each peer's figure over ours on a logarithmic axis."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    bars = [
        (f"{row.what}\n{peer}", float(value) / row.ours)
        for row in rows
        for peer, value in row.peers.items()
        if not isinstance(value, str) and row.ours
    ]
    with mpl.rc_context({"svg.hashsalt": "dynamo", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(9, 0.42 * len(bars) + 1), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        names, ratios = [name for name, _ in bars], [ratio for _, ratio in bars]
        drawn = axes.barh(
            range(len(bars)),
            [ratio - 1 for ratio in ratios],
            left=1,
            color=["#2a7f9e" if ratio >= 1 else "#c8553d" for ratio in ratios],
        )
        axes.bar_label(drawn, [f" {number(ratio)} " for ratio in ratios])
        axes.set_xscale("log")
        axes.set_xlim(min(ratios, default=1) / 3, max(ratios, default=1) * 3)
        axes.margins(y=0.01)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_yticks(range(len(bars)), names)
        axes.invert_yaxis()
        axes.set_xlabel("peer's figure over ours; right of the line dynamo needs less")
        axes.spines[["top", "right"]].set_visible(False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Run, then write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, to see whether it works")
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the page and its chart")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # processes start as they do for a user
    start, about = time.monotonic(), machine()
    if arguments.quick:
        about += "; **QUICK: with small sizes, to see whether it works**"
    print(about, flush=True)
    parts = {}
    for name, heading in SCRIPTS.items():
        print(f"\n== {heading}", flush=True)
        parts[name] = run(name, quick=arguments.quick)
    tables = {}
    for name, (heading, full, quick) in TABLES.items():
        print(f"\n== {heading}", flush=True)
        tables[name] = table(name, quick if arguments.quick else full)
    rows = [row for part in parts.values() for row in part if isinstance(row, Row)]
    page = markdown(parts, tables, about, time.monotonic() - start)
    arguments.docs.mkdir(parents=True, exist_ok=True)
    chart(rows, arguments.docs / CHART)
    (arguments.docs / "benchmarks.md").write_text(page, "utf-8")
    print(f"\nwritten: {arguments.docs / 'benchmarks.md'}, after {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
