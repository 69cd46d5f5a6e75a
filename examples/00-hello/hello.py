"""The smallest chain: two tasks over files, fanned out over stations."""

from collections.abc import Sequence

from dynamo import Input, Output, task, workflow


@task
def observe(report: Output, *, station: str, dbz: float) -> None:
    """Write down what one station sees."""
    with open(report, "w") as file:
        file.write(f"{station} {dbz}\n")


@task
def strongest(reports: list[Input], summary: Output) -> None:
    """Find the strongest echo of all reports."""
    lines = [open(report).read().split() for report in reports]
    station, dbz = max(lines, key=lambda line: float(line[1]))
    with open(summary, "w") as file:
        file.write(f"strongest echo: {dbz} dBZ at {station}\n")


@workflow
def hello(stations: Sequence[str] = ("addison", "cleburne", "denton"), dbz: float = 30.0) -> None:
    """Ask every station, then compare."""
    reports = [
        observe(station=name, dbz=dbz + 5 * i, report=f"reports/{name}.txt")
        for i, name in enumerate(stations)
    ]
    strongest(reports, summary="summary.txt")
