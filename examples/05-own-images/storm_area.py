"""Two programs, each in an image of its own: one in C with nothing beside it, and a shell script."""

from dynamo import Input, Output, command, workflow


@command(image="area", timeout="30 s", memory="64 MiB")
def area(table: Input, count: Output, *, level: float) -> list[object]:
    """Count the cells of a table that reach a level (dBZ)."""
    return ["/area", level, table, count]


@command(image="total")
def total(counts: list[Input], total: Output) -> list[object]:
    """Add up the counts."""
    return ["total", total, *counts]


@workflow
def storm_area(tables: list[Input], level: float = 35.0) -> None:
    """Count each table, then add up."""
    total([area(table, level=level, count=f"{table.name}.count") for table in tables], total="area.txt")
