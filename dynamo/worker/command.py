"""``dynamo-worker run SPEC``: what a compiled job calls in its container or on its machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one compiled job in the current folder, and exit with its code (see `dynamo.worker.alone`)."""
    parser = argparse.ArgumentParser(prog="dynamo-worker", description="Run one compiled job in this folder.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run the job that a spec describes")
    run.add_argument("spec", help="JSON file that `dynamo compile` wrote")
    run.add_argument("--again", type=int, default=0, help="how often the scheduler has tried this job before")
    given = parser.parse_args(arguments)

    from dynamo.worker.alone import run_alone

    sys.exit(run_alone(given.spec, given.again))


if __name__ == "__main__":
    main()
