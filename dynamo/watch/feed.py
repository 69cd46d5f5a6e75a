"""A watched run file: by which rules its files become windows, and which of its inputs are watched at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dynamo.errors import nearest
from dynamo.runfile.draft import Draft, read, text_of
from dynamo.runfile.model import InputRule, RunFile
from dynamo.runfile.paths import under
from dynamo.runfile.times import find_time, reader_of
from dynamo.runfile.trigger import NeedRule, TriggerRule
from dynamo.triggers.arrival import Reading
from dynamo.triggers.clock import Schedule
from dynamo.triggers.rules import InputRules, Rules
from dynamo.watch.chain import find_condition
from dynamo.watch.condition import Condition
from dynamo.watch.name import name_of
from dynamo.watch.needs import contradictions

__all__ = ["Feed", "check_trigger", "globs_of", "name_of", "read_feed", "starting_inputs"]


@dataclass(frozen=True, slots=True)
class Feed:
    """A run file as a watch sees it.

    Parameters
    ----------
    name
        The run file, relative to the folder of its workspace: the same at each start.
    path, text, runfile
        Where it is (absolute), and what it said when it was read, as text and understood.
    trigger
        Its section of that name, or the defaults.
    globs
        Absolute patterns of the inputs that are watched.
    rules, readings
        How their files become windows.
    schedule
        The clock, where it is a clock that starts runs.
    when
        The weather without which it sleeps.
    """

    name: str
    path: Path
    text: str
    runfile: RunFile
    trigger: TriggerRule
    globs: dict[str, list[str]]
    rules: Rules
    readings: dict[str, Reading]
    schedule: Schedule | None
    when: Condition | None = None

    @property
    def workspace(self) -> Path:
        """Folder of the journal (absolute)."""
        return under(self.path.parent, self.runfile.workspace)

    @property
    def dating(self) -> dict[str, Reading]:
        """The readings by whose files a window is dated: not of inputs with `starts: false`, as of soundings."""
        needs = self.trigger.needs
        return {name: one for name, one in self.readings.items() if name not in needs or needs[name].starts}


def read_feed(path: str | os.PathLike[str]) -> Feed:
    """Read a run file that is to be watched.

    Raises
    ------
    RunFileError
        It is faulty, or nothing of it can be watched: no input has a glob, and there is no clock.
    """
    text = text_of(path)
    draft = read(path, text=text)
    check_trigger(draft, watched=True)
    when = find_condition(draft)
    draft.faults.check()
    runfile, file = draft.runfile, draft.path
    assert runfile is not None
    trigger, globs = runfile.trigger or TriggerRule(), globs_of(runfile, file.parent)
    schedule = trigger.schedule
    inputs = tuple(
        _input(name, runfile.inputs[name], trigger.needs.get(name, NeedRule()), schedule) for name in globs
    )
    rules = Rules(inputs, trigger.join, trigger.wait, trigger.late, trigger.same)
    readings = {name: _reading(runfile.inputs[name], trigger.needs.get(name, NeedRule())) for name in globs}
    workspace = under(file.parent, runfile.workspace)
    return Feed(
        name_of(file, workspace), file, text, runfile, trigger, globs, rules, readings, schedule, when
    )


def check_trigger(draft: Draft, *, watched: bool = False) -> None:
    """Add to the faults of a run file why it cannot be watched; say nothing of a part that has faults itself.

    One with a clock need not be `watched`: on a pool the clock only tells a fleet when somebody runs it again.
    """
    runfile = draft.runfile
    if runfile is None or any(at[0] in {"trigger", "inputs"} for at in draft.lost):
        return
    trigger, globs = runfile.trigger or TriggerRule(), globs_of(runfile, draft.path.parent)
    if not (globs or trigger.schedule):
        draft.tell(
            ("trigger",),
            "nothing to watch: no input is a glob like 'incoming/*.nc', and the trigger has no clock",
        )
    elif not trigger.schedule and not starting_inputs(trigger, globs):
        draft.tell(
            ("trigger", "needs"),
            "needs: nothing starts a run: all watched inputs say `starts: false`, and the trigger has no clock",
        )
    needs_watch = watched or not trigger.schedule or runfile.alerts is not None or trigger.when is not None
    if runfile.engine.name != "local" and needs_watch:
        draft.tell(
            ("engine",),
            "`dynamo watch` runs tasks on this machine: `engine: local`; a pool runs what `dynamo run` gives it",
        )
    if runfile.products.keep is not None and "{run}" not in Path(runfile.products.to).name:
        draft.tell(
            ("products", "keep"), "products: 'keep' needs a folder for each run, with {run} in its name"
        )
    for name in trigger.needs:
        if name not in globs:
            mark = draft.root.key(("trigger", "needs", name))
            draft.faults.add(mark, f"trigger needs {name!r}, which is no watched input{nearest(name, globs)}")
            continue
        for key, said in contradictions(trigger, runfile.inputs[name], trigger.needs[name]):
            draft.tell(("trigger", "needs", name, key), said)
    if trigger.every and trigger.zone != "UTC":
        draft.tell(("trigger", "zone"), "'zone' is for 'cron'; 'every' counts from midnight UTC")


def globs_of(runfile: RunFile, base: Path) -> dict[str, list[str]]:
    """Return the absolute patterns of the inputs that are watched: of those that have a glob."""
    return {
        name: [str(under(base, pattern)) for pattern in rule.files]
        for name, rule in runfile.inputs.items()
        if any(_is_glob(pattern) for pattern in rule.files)
    }


def starting_inputs(trigger: TriggerRule, globs: Iterable[str]) -> list[str]:
    """Return those of the watched inputs whose files start runs, where no clock does."""
    return [name for name in globs if trigger.needs.get(name, NeedRule()).starts]


def _is_glob(pattern: str) -> bool:
    return any(c in pattern for c in "*?[")


def _input(name: str, rule: InputRule, need: NeedRule, schedule: Schedule | None) -> InputRules:
    def unix(moment: datetime | None, default: float) -> float:
        return default if moment is None else moment.timestamp()

    drives = schedule is None and need.starts
    quorum = need.sources if need.quorum is None else need.quorum
    return InputRules(
        name,
        last=rule.last,
        within=rule.within,
        from_=unix(rule.from_, float("-inf")),
        to=unix(rule.to, float("inf")),
        drives=drives,
        # What starts nothing comes when it comes: no window waits for more of it than it cannot do without.
        sources=need.sources if need.starts else quorum,
        quorum=quorum,
        fewest=need.files,
    )


def _reading(rule: InputRule, need: NeedRule) -> Reading:
    return Reading(
        reader_of(rule.time) if rule.time else find_time,
        needs_time=rule.needs_time,
        source=re.compile(need.source) if need.source else None,
    )
