"""``dynamo run RUNFILE --from TIME --to TIME``: each window of archived files a run, and in the end what is missing."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.errors import INTERRUPTED, InfrastructureError, UserError

if TYPE_CHECKING:
    from dynamo.archive.gaps import Account
    from dynamo.archive.look import Looked
    from dynamo.archive.work import Ended
    from dynamo.cli.archive_progress import ArchiveProgress
    from dynamo.engine.spawn import Spawned
    from dynamo.planning import Selection

__all__ = ["run_range"]


def run_range(
    path: str | Path,
    first: str | None,
    last: str | None,
    *,
    params: Mapping[str, str],
    inputs: Mapping[str, Sequence[str]],
    selection: Selection,
    at_once: int | None = None,
    cores: int | None = None,
    inline: bool = False,
    spawned: Spawned | None = None,
    quiet: bool = False,
    as_json: bool = False,
) -> int:
    """Run the windows from `first` to `last` (ISO 8601; None as far as there are data); return the exit code.

    `spawned` is a worker process that was started before.
    """
    from dynamo.archive.case import open_case
    from dynamo.archive.gaps import account
    from dynamo.archive.look import look
    from dynamo.cli.archive_progress import ArchiveProgress

    begin, end = _time("--from", first), _time("--to", last)
    if begin is not None and end is not None and begin > end:
        raise UserError(f"--from {first} is after --to {last}")
    began = time.monotonic()
    case = open_case(path, params, inputs, selection)
    looked = look(case, begin, end, time.time())
    progress = ArchiveProgress(len(looked.windows), quiet=quiet or as_json)
    ended, broken = _worked(looked, progress, at_once=at_once, cores=cores, inline=inline, first=spawned)
    found = account(looked, sorted(ended, key=lambda one: one.window.time))
    tells = case.feed.runfile.alerts is not None
    with suppress(BrokenPipeError):
        _tell(found, looked.range, time.monotonic() - began, tells=tells, as_json=as_json)
    return _code(found, broken)


def _worked(
    looked: Looked,
    progress: ArchiveProgress,
    *,
    at_once: int | None,
    cores: int | None,
    inline: bool,
    first: Spawned | None,
) -> tuple[list[Ended], BaseException | None]:
    """Run the windows; return how each ended that did, and what broke the work off, if anything."""
    from dynamo.archive.archive import archive
    from dynamo.journal import Workspace

    ended: list[Ended] = []

    def begin(found: Sequence[Ended], left: int) -> None:
        ended.extend(found)
        progress.begin(found, left)

    def tell(one: Ended) -> None:
        ended.append(one)
        progress.end(one)

    workspace = Workspace.open(looked.case.feed.workspace)
    try:
        with progress.shown():
            archive(looked, workspace, begin, tell, at_once=at_once, cores=cores, inline=inline, first=first)
    except (KeyboardInterrupt, InfrastructureError) as error:
        return ended, error
    return ended, None


def _time(option: str, text: str | None) -> float | None:
    from dynamo.runfile.times import parse_time

    if text is None:
        return None
    try:
        return parse_time(text).timestamp()
    except ValueError as error:
        raise UserError(f"{option}: {error}") from None


def _tell(found: Account, range_: object, seconds: float, *, tells: bool, as_json: bool) -> None:
    from dynamo.archive.replay import Range
    from dynamo.archive.words import as_json as plain
    from dynamo.archive.words import in_words

    assert isinstance(range_, Range)
    if as_json:
        print(json.dumps(plain(found, range_, seconds), indent=2))
        return
    print(in_words(found, range_, seconds))
    if tells:
        print("nobody was told of hazards: these data are archived")


def _code(found: Account, broken: BaseException | None) -> int:
    """Say how it ended where it did not go to its end, and return the exit code that `dynamo.errors` documents."""
    if broken is not None:
        print(
            "the same command again goes on with what is not done, `dynamo resume` with one window only",
            file=sys.stderr,
        )
        if isinstance(broken, KeyboardInterrupt):
            return INTERRUPTED
        print(f"error: {broken}", file=sys.stderr)
        return InfrastructureError.exit_code
    if not found.counts["failed"]:
        return 0
    print("the same command again runs what failed; what is done is not done again", file=sys.stderr)
    return InfrastructureError.exit_code if found.machine else UserError.exit_code
