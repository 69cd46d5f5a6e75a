"""Standing: how each kind of hazard stands after a run was judged, in words, for the log and for those who look.

Enters: how the cycles of a run were judged, what no product spoke of. Leaves: a standing for each kind, and what of it
is news. Pure; nothing can go wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from dynamo.errors import nearest
from dynamo.graph.units import format_count

if TYPE_CHECKING:
    from dynamo.alerts.judged import Judged

__all__ = ["Standing", "State", "news", "standings"]

#: ``late`` and ``unknown`` as cycles are judged. ``part``: judged, but less is known than lately, or too little near
#: somebody to tell him that it is over. ``missing``: products spoke of it, people were told, and no product
#: speaks of it now. ``never``: rules ask for it, and no product ever spoke of it.
State: TypeAlias = Literal["judged", "part", "late", "unknown", "missing", "never"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How one kind of hazard stands: what state it is in, that in words, and the share of the field that was known."""

    state: State
    words: str
    known: float | None = None


def standings(
    before: Mapping[str, Standing],
    cycles: Sequence[Judged],
    missing: Mapping[str, int],
    never: Sequence[str],
    window: str = "",
    wrote: str = "",
) -> dict[str, Standing]:
    """Return how each kind of hazard stands.

    Parameters
    ----------
    before
        How they stood after the run before.
    cycles
        Of the run; what was judged before says nothing new.
    missing
        How many were told of what no product speaks of.
    never
        What is asked for and was never spoken of.
    window
        The data time of the run's window.
    wrote
        What its tasks wrote, or where that stands; for who asks why its data are not new.
    """
    after = {kind: one for kind, one in before.items() if one.state not in ("missing", "never")}
    after |= {one.cycle.hazard: _judged(one, window, wrote) for one in cycles if one.outcome is not None}
    for kind, count in missing.items():
        whom = format_count(count, "subscriber")
        said = f"no product speaks of {kind}, of which {whom} had an alert: no all clear can come"
        after[kind] = Standing("missing", f"{said}; their alerts end when they expire")
    for kind in never:
        said = f"rules ask for {kind!r}, of which no product ever spoke{nearest(kind, list(after))}"
        after[kind] = Standing("never", said)
    return after


def _judged(one: Judged, window: str, wrote: str) -> Standing:
    cycle = one.cycle
    of = f" in the window of {window}" if window else ""
    data = f"{cycle.hazard}, data of {cycle.issued:%Y-%m-%d %H:%M:%SZ}"
    # 0 also where a product was not made, or could not be read, which may have held this hazard.
    seen = f"{cycle.known_share:.0%} of the field" if cycle.known_share else "nothing for certain"
    lately = f", lately {cycle.usual_share:.0%} was" if cycle.usual_share else ""
    whom = format_count(one.unseen, "subscriber")
    waiting = (
        f": {whom} cannot be told that it is over, for too little is known near them" if one.unseen else ""
    )
    assert one.outcome is not None
    state: State = "part" if one.outcome == "judged" and (one.less or one.unseen) else one.outcome
    words = {
        "judged": f"{data}: {seen} is known",
        "part": f"{data}: {seen} is known{lately if one.less else ''}{waiting}",
        "late": f"{data}{of}: not newer than what was judged before, so nobody is told; {wrote}",
        "unknown": f"{data}: {seen} is known{lately}: nothing counts as clear",
    }
    return Standing(state, words[state], cycle.known_share)


def news(before: Mapping[str, Standing], after: Mapping[str, Standing]) -> Iterator[Standing]:
    """Yield what stands otherwise than before; that it is as it should be only where that lasted."""
    for kind, one in after.items():
        was = before[kind].state if kind in before else "judged"
        if one.state != was and (one.state, was) != ("judged", "late"):
            yield one
