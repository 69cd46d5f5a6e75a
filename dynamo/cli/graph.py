"""``dynamo graph RUNFILE``: draw the graph of a run file, without running anything."""

from __future__ import annotations

from pathlib import Path

import click

from dynamo.cli.options import overriding

__all__ = ["command"]


@click.command("graph")
@click.argument("runfile")
@overriding
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write to FILE: .svg, .png, .mmd or .json.",
)
@click.option("--expand", is_flag=True, help="Draw every task and every input file by itself.")
@click.option("--until", multiple=True, metavar="PATTERN", help="Only what this task, step or output needs.")
def command(
    runfile: str,
    output: Path | None,
    until: tuple[str, ...],
    params: tuple[str, ...],
    inputs: tuple[str, ...],
    *,
    expand: bool,
) -> None:
    """Draw the graph of RUNFILE; without -o, print it as Mermaid text.

    A fan-out is one box with a count unless --expand is given. Tasks that share a job have a frame around
    them; a dashed box describes more of the graph at run time.
    """
    from dynamo.planning.select import Selection
    from dynamo.report.drawing import draw, write_drawing
    from dynamo.runfile import prepare
    from dynamo.runfile.overrides import input_options, param_options

    graph = prepare(runfile, params=param_options(params), inputs=input_options(inputs)).graph
    selection = Selection(until=until)
    selection.check(graph)
    graph = selection.restrict(graph)
    if output is None:
        print(draw(graph, "mmd", expand=expand), end="")
        return
    write_drawing(graph, output, expand=expand)
    print(output)
