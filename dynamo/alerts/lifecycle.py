"""The life cycle of an alert: what one subscriber is told on one way after one cycle, and what stays untold.

::

    (nothing) ── match ──> new ── more, sooner, longer ──> updated ── clear for N cycles ──> cancelled
                            └──────────── clear for N cycles ───────────────────────────────────┘

Pure: a state and a match enter, a state and perhaps an alert leave. All that is decided is decided by the times
of the data, so that the same cycle judged again, at any later time, gives the same.

A phone must not ring every minute. What is compared is therefore not the last cycle but the most that was told:
a level that comes and goes is told once. Only that the hazard stays longer than was said, or is near where the
subscriber has gone meanwhile, lets a person begin to judge anew; that is told at most once in each
`Policy.ends_step`, and once in each `Policy.moved_km`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Literal, TypeAlias

import orjson

from dynamo.alerts.alert import Alert, Kind, Reference
from dynamo.alerts.asked import Asked
from dynamo.alerts.match import Match
from dynamo.alerts.policy import Policy
from dynamo.alerts.seen import SeenMap
from dynamo.alerts.state import State

__all__ = ["Cycle", "Judgement", "decide", "episode_id", "exercise", "is_less", "judgement"]

#: Of a cycle as a whole. ``late``: newer data were judged before, nothing changes. ``unknown``: too little was
#: seen to call any place clear; what was seen is told.
Judgement: TypeAlias = Literal["judged", "late", "unknown"]
#: How many alerts one refers to at most: the first, since which it is told, and the newest. An episode of days has
#: hundreds; if each named all before it, they would grow as the square of that.
REFERENCES = 20


@dataclass(frozen=True, slots=True)
class Cycle:
    """One run whose products are judged for one kind of hazard.

    Parameters
    ----------
    feed
        Whose products these are, by name: times are compared, and episodes go on, within one feed.
    run
        Its id.
    hazard
        The kind.
    issued
        Analysis time of the data.
    now
        When it is judged.
    known_share
        The share of the field, 0 to 1, in which anything could be seen at analysis time.
    usual_share
        The most that this was lately.
    channels
        All channels of the feed, on which is told what comes on no way of its own.
    seen
        Where that is, of each of its fields at analysis time; empty where they do not say. Where they do, what is known
        near a subscriber decides whether it is over for him, else the share of the whole.
    """

    feed: str
    run: str
    hazard: str
    issued: datetime
    now: datetime
    known_share: float = 1.0
    usual_share: float = 0.0
    channels: tuple[str, ...] = ()
    seen: tuple[SeenMap, ...] = ()

    def known_near(self, lon: float, lat: float, within_km: float) -> float:
        """Return how much is known within a distance of a place: 1 for all of it, by each field that reaches there."""
        return sum(one.near(lon, lat, within_km) for one in self.seen)


def judgement(cycle: Cycle, newest: datetime | None, policy: Policy) -> Judgement:
    """Say whether a cycle counts; `newest` is the analysis time of the newest that did."""
    if newest is not None and cycle.issued <= newest:
        return "late"
    least = 0.0 if cycle.seen else _least(cycle.usual_share, policy)
    return "judged" if cycle.known_share >= max(least, 1e-9) else "unknown"


def is_less(cycle: Cycle, policy: Policy) -> bool:
    """Whether clearly less of the field is known than lately, of one of which something is known as a rule."""
    usual = cycle.usual_share
    return usual >= policy.least_known and cycle.known_share < policy.least_usual * usual


def _least(usual: float, policy: Policy) -> float:
    """Return the share that must be known for the rest to count as clear."""
    return max(policy.least_known, policy.least_usual * usual)


def episode_id(feed: str, subscriber: str, hazard: str, issued: datetime, way: str = "") -> str:
    """Return the id of the episode, or branch of one, that begins with data of `issued`: the same for the same."""
    parts = (feed, subscriber, hazard, issued.timestamp(), *((way,) if way else ()))
    return blake2b(orjson.dumps(parts), digest_size=10).hexdigest()


def decide(
    state: State | None, match: Match | None, cycle: Cycle, policy: Policy, asked: Asked | None = None
) -> tuple[State | None, Alert | None]:
    """Return where a way to a subscriber stands after a cycle that is not late, and what is told.

    Parameters
    ----------
    state
        Before; None where nothing is under way.
    match
        What the cycle found; None where nothing comes within the distance.
    asked
        What is asked for now, of which an all clear speaks; None for what the last alert said.

    Returns
    -------
    tuple
        The very same `state` where nothing changed; None where nothing is under way (any more). No alert where
        nothing need be told, nor where what expired long ago ends because too little was seen to clear it.
    """
    if match is None:
        return (state, None) if state is None else _clear(state, cycle, policy, asked)
    if state is None:
        return _tell(None, match, cycle, policy)
    change = _change(state, match, cycle, policy)
    if change:
        return _tell(state, match, cycle, policy, anew=change == "anew")
    here = (match.lon, match.lat)
    met = () if here == (state.lon, state.lat) else here
    if state.clear or met != tuple(state.met):
        state = state._replace(clear=(), met=met)
    return state, None


def exercise(match: Match, feed: str, now: datetime, nonce: str, policy: Policy) -> Alert:
    """Return a test of the way to a subscriber: an alert that is marked as one and belongs to no episode.

    `match` is pretended; `nonce` tells this test from all others.
    """
    cycle = Cycle(feed, "", match.hazard, now, now)
    state, alert = _tell(None, match, cycle, policy)
    episode = episode_id(nonce, match.subscriber, match.hazard, now)
    return replace(alert, episode=episode, id=state._replace(episode=episode).alert_id(0), exercise=True)


def _change(state: State, match: Match, cycle: Cycle, policy: Policy) -> Literal["", "more", "anew"]:
    """Say what a match is against what was told: nothing new, more of it, or longer or elsewhere than was said."""
    issued = cycle.issued.timestamp()
    if match.ends.timestamp() > state.ends + policy.ends_step or issued >= state.expires:
        return "anew"
    if state.km_from(match.lon, match.lat) > policy.moved_km:
        return "anew"
    # Where the told onset has passed, the hazard is there: it cannot come sooner.
    sooner = state.onset > issued and match.onset.timestamp() < state.onset - policy.arrival_step
    nearer = match.narrowest_km < state.narrowest_km or (match.inside and not state.inside)
    return "more" if match.level > state.top or sooner or nearer else ""


def _tell(
    state: State | None, match: Match, cycle: Cycle, policy: Policy, *, anew: bool = False
) -> tuple[State, Alert]:
    """Tell a match; `anew`: what was told before is no longer what the next is compared with."""
    marks = None if anew else state
    first = (cycle.feed, match.subscriber, cycle.hazard, cycle.issued, match.way)
    episode = state.episode if state else episode_id(*first)
    sent = state.sent if state else ()
    expires = max(match.ends, cycle.issued) + timedelta(seconds=policy.expiry)
    onset, ends = match.onset.timestamp(), match.ends.timestamp()
    after = State(
        episode=episode,
        sent=(*sent, cycle.now.timestamp()),
        clear=(),
        channels=state.channels if state else (match.way,) if match.way else tuple(sorted(cycle.channels)),
        top=max(marks.top, match.level) if marks else match.level,
        onset=min(marks.onset, onset) if marks else onset,
        ends=max(marks.ends, ends) if marks else ends,
        inside=match.inside or (marks is not None and marks.inside),
        expires=expires.timestamp(),
        subscriber=match.subscriber,
        lon=match.lon,
        lat=match.lat,
        level=match.level,
        units=match.units,
        # To a metre and a tenth of a degree: more is noise in every message.
        distance_km=round(match.distance_km, 3),
        bearing_deg=round(match.bearing_deg, 1) % 360,
        within_km=match.within_km,
        narrowest_km=min(marks.narrowest_km, match.narrowest_km) if marks else match.narrowest_km,
        branch=state.branch if state else "",
        branched=state.branched if state else 0,
        known=_known(state, match, cycle, policy),
    )
    return after, _alert(after, "updated" if state else "new", cycle, expires, match)


def _clear(
    state: State, cycle: Cycle, policy: Policy, asked: Asked | None
) -> tuple[State | None, Alert | None]:
    """Count a cycle in which nothing was found, where it saw enough to say so."""
    if not _sees(state, cycle, policy, asked):
        is_waited_for = cycle.issued.timestamp() < state.expires + policy.forget_after
        return (state if is_waited_for else None), None
    state = state._replace(clear=(*state.clear, cycle.issued.timestamp()))
    if len(state.clear) < policy.clear_after:
        return state, None
    over = state._replace(sent=(*state.sent, cycle.now.timestamp()))
    if asked is not None:  # the rules, or the place, may have changed since the last alert
        over = over._replace(lon=asked.lon, lat=asked.lat, within_km=asked.within_km)
        if math.isfinite(asked.level):
            over = over._replace(level=asked.level)
    expires = cycle.issued + timedelta(seconds=policy.all_clear_expiry)
    return None, _alert(over, "cancelled", cycle, expires)


def _sees(state: State, cycle: Cycle, policy: Policy, asked: Asked | None) -> bool:
    """Whether enough is known to call it clear: where he is, and where he was told of it unless he said he left."""
    if judgement(cycle, None, policy) == "unknown":
        return False
    if not cycle.seen:
        return True
    ask = asked or Asked(state.lon, state.lat, state.level, state.within_km)
    places = {(ask.lon, ask.lat), *(() if ask.posted else state.places())}
    known = min(cycle.known_near(lon, lat, ask.within_km) for lon, lat in places)
    return known >= max(_least(state.known, policy), 1e-9)


def _known(state: State | None, match: Match, cycle: Cycle, policy: Policy) -> float:
    """Return the most that was known near the subscriber when he was told, since he is where he is."""
    before = state.known if state and state.km_from(match.lon, match.lat) <= policy.moved_km else 0.0
    return max(before, cycle.known_near(match.lon, match.lat, match.within_km))


def _alert(
    after: State,
    kind: Kind,
    cycle: Cycle,
    expires: datetime,
    match: Match | None = None,
) -> Alert:
    """Return the last alert of a state."""
    *before, _ = after.sent
    known = list(enumerate(before))
    if len(known) > REFERENCES:
        known[1 : 1 - REFERENCES] = []
    return Alert(
        id=after.alert_id(len(before)),
        episode=after.episode,
        revision=len(before),
        kind=kind,
        feed=cycle.feed,
        run=cycle.run,
        subscriber=after.subscriber,
        lon=after.lon,
        lat=after.lat,
        hazard=cycle.hazard,
        level=after.level,
        units=after.units,
        issued=cycle.issued,
        sent=cycle.now,
        onset=match.onset if match else None,
        ends=match.ends if match else None,
        inside=match is not None and match.inside,
        distance_km=after.distance_km,
        bearing_deg=after.bearing_deg,
        within_km=after.within_km,
        expires=expires,
        references=tuple(Reference(after.alert_id(n), datetime.fromtimestamp(at, UTC)) for n, at in known),
        polygons=match.polygons if match else None,
        source=match.source if match else "",
    )
