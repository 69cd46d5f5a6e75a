"""A command line as a task: nothing of Python is needed where it runs."""

from dynamo import Input, Output, command, workflow


@command(timeout="30 s")
def count_lines(table: Input, number: Output) -> list[object]:
    """Count the lines of a table with awk."""
    return ["awk", f'END {{ print NR > "{number}" }}', table]


@command
def join(numbers: list[Input], total: Output) -> list[object]:
    """Put all numbers into one file; a shell is needed only for the redirection."""
    return ["sh", "-c", 'out="$1"; shift; cat "$@" > "$out"', "join", total, *numbers]


@workflow
def echo_area(tables: list[Input]) -> None:
    """Count each table, then list the counts."""
    join([count_lines(table, number=f"{table.name}.txt") for table in tables], total="counts.txt")
