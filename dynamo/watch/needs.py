"""Needs that cannot be met: what `trigger.needs` asks of an input against what a window can give of it. Pure.

A window that needs what no window has is passed over, each time, for as long as the watch runs; one that could do with
less waits for it in vain, each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from dynamo.graph.units import format_count
from dynamo.runfile.model import InputRule
from dynamo.runfile.trigger import NeedRule, TriggerRule

__all__ = ["contradictions", "vain"]

_ONE_SOURCE = (
    "sources: {} of them cannot be told apart, so {}; say with `source:`, a regular expression like '^([A-Z]+)', where "
    "in a name it stands who made the file"
)


def contradictions(trigger: TriggerRule, rule: InputRule, need: NeedRule) -> Iterator[tuple[str, str]]:
    """Yield what is needed of an input and cannot be: the key of the need, and why, with what to write."""
    fewest = need.sources if need.quorum is None else need.quorum
    if _is_vain(need) and fewest > 1:
        yield "sources", _ONE_SOURCE.format(need.sources, f"{fewest} are never there")
    most, why = _most(trigger, rule, need)
    if need.source is None and need.files > most:
        yield "files", f"files: {need.files} are never there: {why}"


def vain(need: NeedRule) -> str:
    """Return what is needed of an input in vain although windows are run without it, if anything."""
    if need.quorum == 1 and _is_vain(need):
        return _ONE_SOURCE.format(need.sources, "each window waits for the whole of `wait`")
    return ""


def _is_vain(need: NeedRule) -> bool:
    """Whether more sources are needed than can be told apart: all files are of one."""
    return need.source is None and need.sources > 1


def _most(trigger: TriggerRule, rule: InputRule, need: NeedRule) -> tuple[float, str]:
    """Return how many files of one source a window can have, and what bounds it (`History.window`)."""
    if rule.within == 0:
        return 1, "`within: 0` of the input gives a run one; make it longer"
    if rule.last is not None:
        files = format_count(rule.last, "file")
        return rule.last, f"`last: {rule.last}` of the input gives a run {files} at most; let it keep more"
    starts = need.starts and trigger.schedule is None
    if rule.within is None and not (starts and (trigger.join or trigger.same == "all")):
        return 1, "a run is given one; say at the input how many more, with `last:` or `within:`"
    return math.inf, ""
