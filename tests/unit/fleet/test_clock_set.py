"""Whatever somebody sets the machine's clock to, workers keep their ages, and the day's budget holds."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import replace

import pytest

from dynamo.fleet import steady
from dynamo.fleet.day import Day
from dynamo.fleet.guard import spent_today
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.fleet.standing import Standing
from dynamo.fleet.steady import Moment, steady_clock, uptime

HOUR, DAY = 3600.0, 86_400.0
PRICES = {"two": 1.0, "four": 1.5}
LIMIT = 6.0
#: What a few machines cost in a turn or two.
TURN = 0.15
SLICE = Slice(
    "dfw",
    {"c": ProviderRule("memory")},
    {"workers": NodeGroup((NodeOffer("c", "two"), NodeOffer("c", "four")), max=8, idle=60.0)},
    limits=SliceLimits(usd_per_day=LIMIT),
)


class Bill:
    """What the cloud itself charges, by a time that nobody sets."""

    def __init__(self, world):
        self.world, self.true, self.ahead = world, 0.0, 0.0
        self.seconds: dict[str, tuple[str, float]] = {}

    def run(self, seconds):
        """Let time pass."""
        for _ in range(round(seconds / self.world.interval)):
            self.true += self.world.interval
            for one in self.world.there:
                _, before = self.seconds.get(one.id, ("", 0.0))
                self.seconds[one.id] = one.size, before + self.world.interval
            self.world.turn()

    @property
    def usd(self):
        """Return the sum, each machine for a minute at least."""
        return sum(PRICES[size] * max(seconds, 60.0) / HOUR for size, seconds in self.seconds.values())

    def restart(self, *, set_by=0.0):
        """Start another controller: only then it is seen that the clock of its machine was set."""
        by, self.ahead = self.ahead + set_by, 0.0
        self.world.now += by
        self.world.cloud.skew -= by
        self.world.kill()

    def said(self):
        """Return what the controller says that today cost."""
        roster = self.world.controller.roster
        return spent_today(roster.all, self.world.now, roster.day)


@pytest.fixture
def bills(worlds):
    """Return what makes a bill of a world."""

    def made(*, told: bool = False) -> Bill:
        world = worlds(SLICE)
        bill = Bill(world)
        world.interval = 60.0
        if told:
            world.uptime = lambda: ("one start", bill.true)
        world.kill()
        return bill

    return made


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("back", [2 * HOUR, 30 * HOUR])
def test_what_was_spent_before_the_clock_was_put_back_stays_spent(bills, back, told):
    """It is ten o'clock, and is eight o'clock after a restart, or four o'clock of the day before."""
    bill = bills(told=told)
    bill.restart(set_by=10 * HOUR)
    bill.world.pool.submit("lead", 100_000, count=8)
    bill.run(HOUR)
    assert 3.0 < bill.usd < LIMIT
    before = {one.token: bill.world.now - one.ordered for one in bill.world.ledger.workers()}
    bill.restart(set_by=-back)
    bill.run(60)
    ages = {one.token: bill.world.now - one.ordered for one in bill.world.ledger.workers()}
    assert ages == pytest.approx({token: age + 60 for token, age in before.items()})
    assert bill.said() == pytest.approx(bill.usd, abs=TURN)
    bill.run(3 * HOUR)
    assert 0.9 * LIMIT < bill.usd <= LIMIT
    assert bill.said() == pytest.approx(bill.usd, abs=TURN)
    assert not bill.world.there


def test_a_clock_that_was_a_day_ahead_for_a_while_forgets_nothing(bills):
    """Neither there, where no new day has begun, nor back again."""
    bill = bills(told=True)
    bill.world.pool.submit("lead", 100_000, count=8)
    bill.run(HOUR)
    for days in (1, -1):
        bill.restart(set_by=days * DAY)
        bill.run(0.25 * HOUR)
        assert bill.said() == pytest.approx(bill.usd, abs=TURN)
    bill.run(6 * HOUR)
    assert 0.9 * LIMIT < bill.usd <= LIMIT


def test_a_new_day_has_a_budget_of_its_own(bills):
    """After a day as after a night in which no controller ran and its machine was off."""
    bill = bills()
    bill.world.pool.submit("lead", 1000, count=2)
    bill.run(HOUR)
    assert bill.said() > 0.2
    bill.restart(set_by=DAY)
    bill.run(60)
    assert bill.said() == 0.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("told", [False, True])
def test_the_budget_holds_whatever_the_clock_is_set_to(bills, told, seed):
    """In fewer than 24 true hours no more than one budget is spent, and never less is counted than that.

    Where it is not told whether the clock was set, one that is ahead is believed: there it is not set beyond the day.
    """
    chance = random.Random(seed)
    bill, end = bills(told=told), 12 * HOUR
    while bill.true < end:
        bill.world.pool.submit("lead", chance.choice([300, 3000, 30_000]), count=chance.randint(0, 8))
        bill.run(chance.choice([600, HOUR]))
        if chance.random() < 0.8:
            by = chance.choice([30.0, 400.0, HOUR, 5 * HOUR, DAY, 9 * DAY]) * chance.choice([-1, 1])
            if not told:
                left = bill.world.controller.roster.day.ends - bill.world.now
                by = min(by, left - bill.ahead - (end + HOUR - bill.true))
            bill.ahead += by
        if chance.random() < 0.7:
            bill.restart()
            bill.run(60)
            assert bill.said() >= bill.usd - TURN
    assert (0.9 * LIMIT if told else 0.0) < bill.usd <= LIMIT


def test_rests_take_no_longer_where_the_clock_was_put_back():
    """Nor shorter."""
    standing = Standing().withdraw("workers", "three machines came to nothing", 1000.0)
    moved = replace(standing).moved(-500.0)
    assert not moved.out_of_service(501.0)
    assert moved.out_of_service(499.0)


def test_a_day_that_the_clock_was_set_in_is_no_shorter():
    """It ends at a midnight; a minute is nothing."""
    noon = Day.of(12 * HOUR)
    assert noon.moved(30.0).ends == noon.moved(-30.0).ends == DAY
    assert noon.moved(11 * HOUR) == (11 * HOUR, 2 * DAY)
    assert noon.moved(-11 * HOUR) == (-11 * HOUR, DAY)
    assert noon.moved(DAY) == (DAY, 2 * DAY)
    assert noon.at(DAY - 1) is noon
    assert noon.at(DAY) == (DAY, 2 * DAY)


def test_a_machine_tells_which_start_it_is():
    """And how long ago."""
    (boot, up), (again, later) = uptime(), uptime()
    assert boot == again
    assert boot
    assert later >= up > 0
    assert Moment(1000.0, boot, up).set_by(Moment(1000.0 + later - up, again, later)) == 0.0


def test_a_fleet_goes_on_evenly_while_it_runs_and_knows_by_how_much_the_clock_was_set_when_it_is_started(
    fleet, monkeypatch
):
    """The clock of the machine is put on by nine hours: once while the first fleet runs, and so for the second."""
    made, _, _ = fleet
    clock, true, seen = steady_clock(), time.time, []

    def once(controller):
        monkeypatch.setattr(steady.time, "time", lambda: true() + 9 * HOUR)
        seen.append((controller.roster.set_by, clock()))
        return True

    for _ in range(2):
        made().run(threading.Event(), once)
    (first, before), (second, after) = seen
    assert first == 0.0
    assert second == pytest.approx(9 * HOUR, abs=5.0)
    assert before <= after < before + HOUR
