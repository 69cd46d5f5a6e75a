"""The store against a model of what each channel is told, written from docs/explanation/alerts.md.

The model knows no ways, states or transactions: each channel is alone with the rule that holds for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.alerts.alert import Alert
from dynamo.alerts.asked import Asked
from dynamo.alerts.lifecycle import Cycle
from dynamo.alerts.match import Match
from dynamo.alerts.policy import Policy
from dynamo.alerts.seen import seen_map
from dynamo.alerts.store import AlertStore

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
#: Home, next door, and far away.
PLACES = ((4.5, 52.5), (4.5, 52.55), (4.5, 53.5))
#: Those of the run file, at one time or another; any is taken out, put back or renamed.
CHANNELS = (("mail",), ("mail", "phone"), ("phone",), ("mail", "phone", "pager"), ("pager",))


class Step(NamedTuple):
    """One cycle: when its data are of, what is where, and what the files say then."""

    minute: int
    levels: tuple[int, int, int]  # at each place; 0 for nothing
    onset: int  # minutes after the data
    stays: int
    inside: bool
    is_seen: bool
    seen: (
        tuple[bool, bool] | None
    )  # whether far away, and at home, something is known, if the product says so
    rules: dict[str, int]  # the lowest level by channel, or for all
    channels: tuple[str, ...]
    place: int
    posted: bool
    again: bool = False  # it is judged twice
    restart: bool = False  # before it

    def sees(self, place: int) -> bool:
        """Whether a place is not below a radar that is out."""
        return self.seen is None or self.seen[0 if place == 2 else 1]


@dataclass
class Told:
    """What a channel knows of a storm."""

    place: int
    met: int  # the place of the last match
    top: int
    onset: int
    ends: int
    inside: bool
    expires: int
    clear: int = 0


class Channel:
    """What one channel is told: at which minute of data, and of what kind; ``lapsed`` is told to nobody."""

    def __init__(self, name: str, clear_after: int) -> None:
        self.name, self.clear_after = name, clear_after
        self.told: list[tuple[int, str]] = []
        self.knows: Told | None = None
        self.newest = -1

    def judge(self, step: Step) -> None:
        """Judge a cycle."""
        if step.minute <= self.newest:
            return  # late
        self.newest = step.minute
        rule = step.rules.get(self.name, step.rules.get("")) if self.name in step.channels else None
        if rule is not None and step.levels[step.place] >= rule:
            self.met(step, step.minute)
        elif self.knows is not None:
            self.silent(step, step.minute, rule, self.knows)

    def met(self, step: Step, now: int) -> None:
        onset, ends = now + step.onset, now + step.onset + step.stays
        fresh = Told(step.place, step.place, step.levels[step.place], onset, ends, step.inside, ends + 30)
        if (knows := self.knows) is None:
            self.told.append((now, "new"))
            self.knows = fresh
            return
        knows.clear, knows.met = 0, step.place
        has_moved = step.place != knows.place and 2 in (step.place, knows.place)
        anew = ends > knows.ends + 15 or now >= knows.expires or has_moved
        sooner = knows.onset > now and onset < knows.onset - 5
        if anew or fresh.top > knows.top or sooner or (step.inside and not knows.inside):
            self.told.append((now, "updated"))
            self.knows = fresh
            if not anew:  # what is compared with is the most that was told
                fresh.top, fresh.onset = max(fresh.top, knows.top), min(onset, knows.onset)
                fresh.ends, fresh.inside = max(ends, knows.ends), step.inside or knows.inside

    def silent(self, step: Step, now: int, rule: int | None, knows: Told) -> None:
        elsewhere = set() if step.posted else {knows.place, knows.met} - {step.place}
        if rule is None or any(step.levels[place] >= rule for place in elsewhere):  # nobody knows
            knows.clear = 0
            self.wait(now, knows)
        elif step.is_seen and all(step.sees(place) for place in {step.place, *elsewhere}):
            knows.clear += 1
            if knows.clear == self.clear_after:
                self.told.append((now, "cancelled"))
                self.knows = None
        else:
            self.wait(now, knows, 60)

    def wait(self, now: int, knows: Told, after: int = 0) -> None:
        if now >= knows.expires + after:
            self.told.append((now, "lapsed"))
            self.knows = None


def judge(store: AlertStore, n: int, step: Step, clear_after: int) -> list[Alert]:
    """Judge a cycle as a watch does."""
    at = START + timedelta(minutes=step.minute)
    share = float(step.is_seen)
    maps = () if step.seen is None else (seen_map((4, 52, 5, 54), ["09"[one] for one in step.seen]),)
    cycle = Cycle(
        "flow", f"r{n}", "STORM", at, START + timedelta(days=9, seconds=n), share, 0.0, step.channels, maps
    )
    lon, lat = PLACES[step.place]
    level, onset = step.levels[step.place], at + timedelta(minutes=step.onset)
    ends = onset + timedelta(minutes=step.stays)
    matches = [
        Match("s", lon, lat, "STORM", level, "dBZ", onset, ends, step.inside, 3.0, 90.0, 10.0, 10.0, way)
        for way, least in step.rules.items()
        if level >= least
    ]
    asks = {("s", way): Asked(lon, lat, least, 10.0, step.posted) for way, least in step.rules.items()}

    def looking(places):
        found = {way: step.levels[PLACES.index(place)] for way, place in places.items()}
        least = {way: step.rules.get(way[1], step.rules.get("")) for way in places}
        return [way for way in places if found[way] >= least[way]]

    policy = Policy(clear_after=clear_after, least_usual=0.0)
    return store.judge(cycle, matches, policy, asking=lambda _: asks, looking=looking).alerts


@st.composite
def days(draw) -> list[Step]:
    """Return the cycles of a day; most come in order, files change now and then."""
    steps: list[Step] = []
    minute, place, posted, channels = 0, 0, False, draw(st.sampled_from(CHANNELS[:2]))
    rules: dict[str, int] = {"": 1}
    skies = st.sampled_from(((30, 30, 30), (30, 30, 0), (50, 30, 0), (0, 0, 0), (0, 50, 50)))
    levels = draw(skies)
    for _ in range(draw(st.integers(1, 40))):
        minute += draw(st.sampled_from((1, 1, 1, 1, 5, 12, 40, -3)))
        change = draw(st.integers(0, 5))
        if change == 0:
            least = st.sampled_from((1, 1, 40))
            some = st.dictionaries(st.sampled_from(channels), least, max_size=3)
            rules = draw(st.one_of(st.fixed_dictionaries({"": least}), some))
        elif change == 1:
            place, posted = draw(st.integers(0, 2)), draw(st.booleans())
        elif change == 2:
            channels = draw(st.sampled_from(CHANNELS))
            if "" not in rules:
                rules = {name: least for name, least in rules.items() if name in channels}
        elif change == 3:
            levels = draw(skies)
        steps.append(
            Step(
                max(minute, 0),
                levels,
                draw(st.sampled_from((0, 0, 10, 20))),
                draw(st.sampled_from((5, 10, 30))),
                draw(st.sampled_from((False, False, True))),
                draw(st.sampled_from((True, True, True, False))),
                draw(st.sampled_from((None, (True, True), (True, False), (False, True)))),
                rules,
                channels,
                place,
                posted,
                again=draw(st.booleans()),
                restart=draw(st.sampled_from((False, False, True))),
            )
        )  # fmt: skip
    return steps


@given(days(), st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_each_channel_is_told_what_it_would_be_told_alone(tmp_path_factory, steps, clear_after):
    """Once for each change, whatever is edited, repeated, late or begun again; each refers to what it knows."""
    path = tmp_path_factory.mktemp("day") / "journal.db"
    store = AlertStore(path)
    sent: dict[str, list[tuple[int, Alert]]] = {"mail": [], "phone": [], "pager": []}
    for n, step in enumerate(steps):
        if step.restart:
            store.close()
            store = AlertStore(path)
        told = judge(store, n, step, clear_after)
        assert not step.again or judge(store, n, step, clear_after) == []
        for alert in told:
            for delivery in store.deliveries(alert.id):
                sent[delivery.channel].append((step.minute, alert))
    active = store.alerts(active=True)
    count = sum(store.active().values())
    store.close()
    going = 0
    for name, alerts in sent.items():
        channel = Channel(name, clear_after)
        for step in steps:
            channel.judge(step)
        plan = channel.told
        assert [(minute, one.kind) for minute, one in alerts] == [one for one in plan if one[1] != "lapsed"]
        going += bool(plan) and plan[-1][1] in ("new", "updated")
        before: Alert | None = None
        for _, one in alerts:
            if one.kind == "new":
                assert (one.revision, one.references) == (0, ())
            else:
                assert before is not None
                assert (one.episode, one.references[-1].id) == (before.episode, before.id)
                assert one.revision == before.revision + 1 == len(one.references)
            before = one
        assert len({one.id for _, one in alerts}) == len(alerts)
    assert bool(going) == bool(count), "what no channel is told of is not under way"
    assert {one.id for one in active} <= {one.id for alerts in sent.values() for _, one in alerts}
    assert count <= going
