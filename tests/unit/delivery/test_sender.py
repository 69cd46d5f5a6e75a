"""The sender: order, retries, isolation, and what is durable."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from aiohttp import web

from dynamo.delivery.channel import Outcome
from dynamo.delivery.outbox import Outbox
from dynamo.delivery.retry import Patience
from dynamo.delivery.sender import Sender
from dynamo.delivery.signature import Secret
from dynamo.delivery.webhook import Webhook
from dynamo.errors import WorkspaceError
from dynamo.journal.database import DiskFullError

AGAIN = Outcome("again", "busy", 503)
HASTE = Patience(first=0.02, most=0.05)


def make(rows, *channels, **options):
    return Sender(rows.path, {c.name: c for c in channels}, **{"clock": rows.clock, **options})


@pytest.fixture
def drain(rows):
    """Deliver all that waits through some channels, in real time; return what is left."""

    def go(*channels, **options):
        async def deliver():
            async with asyncio.timeout(60):
                return await make(
                    rows, *channels, **{"patience": HASTE, "chance": lambda: 1.0, **options}
                ).drain()

        return asyncio.run(deliver())

    return go


def test_each_channel_is_sent_its_own_in_order_one_at_a_time(rows, recorder, drain):
    """More than one batch of each."""
    here, there = recorder("here"), recorder("there")
    wanted = {"here": [], "there": []}
    for n in range(700):
        channel = ("here", "there")[n % 3 == 0]
        wanted[channel].append(rows.add(channel))
    assert drain(here, there) == 0
    assert {"here": here.sent, "there": there.sent} == wanted
    assert here.most == there.most == 1
    assert set(rows.states().values()) == {"sent"}
    assert rows.queues() == []


def test_one_that_fails_is_tried_again_before_those_after_it(rows, recorder, drain, ticking):
    """Each try is in the journal; what never succeeds is given up, and those after it come."""
    rows.add(), rows.add(), rows.add()
    here = recorder("here", AGAIN, AGAIN, Outcome("sent", "ok", 200), Outcome("refused", "no", 404))
    assert drain(here, clock=ticking) == 0
    assert here.sent == ["m1", "m1", "m1", "m2", "m3"]
    assert rows.states() == {"m1": "sent", "m2": "dead", "m3": "sent"}
    assert [(n, said) for n, said, *_ in rows.tries("m1")] == [(1, "again"), (2, "again"), (3, "sent")]
    assert rows.reason("m2") == "refused: HTTP 404 no"


def test_what_fails_for_too_long_is_a_dead_letter(rows, recorder, drain, ticking):
    """With the last answer."""
    rows.add()
    patience = Patience(first=0.02, most=0.02, all_in_all=0.1)
    assert drain(recorder("here", *[AGAIN] * 100), clock=ticking, patience=patience) == 0
    assert rows.states() == {"m1": "dead"}
    assert rows.reason("m1").startswith("given up after")


def test_nothing_is_tried_before_it_is_due_and_retry_after_is_heeded(rows, recorder, clock):
    """The clock decides, and a sender that is woken looks at it."""
    rows.add()
    here = recorder("here", Outcome("again", "slow down", 429, after=100.0))

    async def go():
        sender = make(rows, here)
        running = asyncio.create_task(sender.run())
        await rows.until(lambda: rows.tries("m1"))
        clock.now += 99
        rows.add("other")  # its end shows that the sender has looked
        sender.wake()
        await rows.until(lambda: rows.states()["m2"] == "dead")
        assert here.sent == ["m1"]
        clock.now += 2
        sender.wake()
        await rows.until(lambda: rows.states()["m1"] == "sent")
        sender.stop()
        await running

    asyncio.run(go())
    assert here.sent == ["m1", "m1"]


def test_channels_that_hang_or_fail_hold_back_no_other(rows, recorder, clock):
    """Not even when more of them hang than may be under way at a time."""
    hanging = [recorder(f"hangs{n}") for n in range(20)]
    healthy = [recorder(f"well{n}") for n in range(20)]

    async def go():
        over = asyncio.Event()
        for one in hanging:
            one.hold = over.wait
            rows.add(one.name)
        for one in healthy:
            rows.add(one.name)
        sender = make(rows, *hanging, *healthy, concurrency=10, slow=20)
        running = asyncio.create_task(sender.run())
        await rows.until(lambda: all(one.sent for one in healthy))
        await rows.until(lambda: all(one.sent for one in hanging))
        over.set()
        await rows.until(lambda: set(rows.states().values()) == {"sent"})
        sender.stop()
        await running

    asyncio.run(go())
    assert [len(one.sent) for one in (*hanging, *healthy)] == [1] * 40


def test_a_channel_that_raises_or_never_ends_is_tried_again(rows, recorder, drain, ticking):
    """What it raised is named, without its message: nobody knows what is in it."""
    rows.add("raises"), rows.add("hangs")
    raises, hangs = recorder("raises"), recorder("hangs")

    async def fail():
        raises.hold = None
        raise RuntimeError("hunter2")

    async def hang():
        hangs.hold = None
        await asyncio.Event().wait()

    raises.hold, hangs.hold = fail, hang
    assert drain(raises, hangs, clock=ticking, timeout=0.05) == 0
    assert rows.tries("m1")[0] == (1, "again", None, "the channel failed: RuntimeError")
    assert rows.tries("m2")[0] == (1, "again", None, "no outcome within 0.05 s")
    assert set(rows.states().values()) == {"sent"}


def test_a_channel_that_ends_its_tries_by_itself_is_given_its_time(rows, recorder, drain, ticking):
    """A run file may give a program longer than a sender gives a channel that says nothing."""
    rows.add()
    here = recorder("here")
    here.timeout = 10.0

    async def last():
        here.hold = None
        await asyncio.sleep(0.05)

    here.hold = last
    assert drain(here, clock=ticking, timeout=0.01) == 0
    assert [(n, said) for n, said, *_ in rows.tries("m1")] == [(1, "sent")]


def test_a_channel_that_is_not_in_the_run_file_is_a_dead_letter(rows, recorder, drain):
    """With the nearest name."""
    rows.add("hospitols")
    assert drain(recorder("hospitals")) == 0
    assert rows.reason("m1") == "no channel 'hospitols' in the run file (did you mean 'hospitals'?)"


def test_a_channel_that_is_gone_is_sent_nothing_more(rows, recorder, drain, caplog):
    """Also of the batch that was in hand; the log says so, and what was given up."""
    for _ in range(3):
        rows.add()
    here = recorder("here", Outcome("refused", "gone", 410, close=True))
    assert drain(here) == 0
    assert here.sent == ["m1"]
    assert set(rows.states().values()) == {"dead"}
    assert [line.message.split(";")[0] for line in caplog.records] == [
        "here: 1 alert was given up: refused: HTTP 410 gone",
        "here is closed, nothing is sent to it until `dynamo alerts replay --channel here`",
        "here: 2 alerts were given up: the channel is closed: gone",
    ]


def test_what_expires_while_it_waits_in_hand_is_not_sent(rows, recorder, clock, drain):
    """The sender looks at the clock before each."""
    rows.add(expires=100), rows.add(expires=1), rows.add(expires=100)
    here = recorder("here")

    async def time_passes():
        clock.now += 2
        here.hold = None

    here.hold = time_passes
    assert drain(here) == 0
    assert here.sent == ["m1", "m3"]
    assert rows.reason("m2") == "expired"


def test_new_rows_are_seen_at_once_when_woken_and_soon_when_not(rows, recorder):
    """A wake from another thread; or a row that another process wrote."""
    here = recorder("here")

    async def go():
        sender = make(rows, here, poll=3600.0, lease=1e5)
        running = asyncio.create_task(sender.run())
        for _ in range(5):
            rows.add()
            await asyncio.to_thread(sender.wake)
            await rows.until(lambda: set(rows.states().values()) == {"sent"})
        sender.stop()
        await running
        running = asyncio.create_task(make(rows, here, poll=0.01).run())
        rows.add()
        await rows.until(lambda: set(rows.states().values()) == {"sent"})
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(go())
    assert len(here.sent) == 6


def test_stopping_lets_what_is_in_flight_end_and_gives_the_rest_back(rows, recorder, drain):
    """Another sender goes on at once."""
    first = [rows.add() for _ in range(3)]
    here = recorder("here")

    async def go():
        flying, over = asyncio.Event(), asyncio.Event()

        async def hold():
            flying.set()
            await over.wait()

        here.hold = hold
        sender = make(rows, here)
        running = asyncio.create_task(sender.run())
        await flying.wait()
        sender.stop()
        over.set()
        await running

    asyncio.run(go())
    assert here.sent == first[:1]
    assert rows.states() == {"m1": "sent", "m2": "waiting", "m3": "waiting"}
    assert [sender for *_, sender in rows.queues()] == [""]
    here.hold = None
    assert drain(here) == 0
    assert here.sent == first


def test_a_cancelled_sender_gives_back_what_it_had(rows, recorder, drain):
    """What was in flight is sent again, with the same id."""
    rows.add()
    here = recorder("here")

    async def go():
        flying = asyncio.Event()

        async def hold():
            flying.set()
            await asyncio.Event().wait()

        here.hold = hold
        running = asyncio.create_task(make(rows, here).run())
        await flying.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(go())
    here.hold = None
    assert drain(here) == 0
    assert here.sent == ["m1", "m1"]


def test_who_is_alone_takes_over_at_once_what_one_of_its_kind_had_when_it_was_killed(rows, recorder, drain):
    """Nobody else's lease: another kind of sender may be alive; nor does another kind take over anything."""
    rows.add("here"), rows.add("there")
    for name, channel in (("alone-1", "here"), ("2", "there")):
        with Outbox(rows.path, name, lease=1e6, scope=channel) as killed:
            assert killed.claim(rows.clock(), healthy=1)
    here, there = recorder("here"), recorder("there")

    async def run(**options):
        sender = make(rows, here, there, lease=1e6, poll=0.01, **options)
        running = asyncio.create_task(sender.run())
        rows.add("other")  # its end shows that the sender has looked
        await rows.until(lambda: list(rows.states().values())[-1] == "dead")
        await rows.until(lambda: rows.states()["m1"] == ("sent" if options else "waiting"))
        sender.stop()
        await running

    asyncio.run(run())
    assert (here.sent, there.sent) == ([], [])
    asyncio.run(run(alone=True))
    assert (here.sent, there.sent) == (["m1"], [])


def test_a_clock_that_is_set_back_an_hour_delays_nothing(rows, recorder, clock):
    """Neither what was written before, nor what had failed."""
    rows.add()
    here = recorder("here", AGAIN)

    async def go():
        sender = make(rows, here, poll=0.01)
        running = asyncio.create_task(sender.run())
        await rows.until(lambda: rows.tries("m1"))
        rows.add("here")
        clock.now -= 3600
        await rows.until(lambda: set(rows.states().values()) == {"sent"})
        sender.stop()
        await running
        rows.add()
        clock.now -= 3600
        await make(rows, here).drain()

    asyncio.run(go())
    assert here.sent == ["m1", "m1", "m2", "m3"]


def test_a_fault_of_our_own_ends_the_sender(rows, recorder):
    """It is raised, not lost in a task; what was leased is given back."""
    rows.add()

    def chance():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(make(rows, recorder("here"), chance=chance).run())
    assert [sender for *_, sender in rows.queues()] == [""]


def test_two_senders_share_the_work(rows, recorder):
    """Each delivery is sent once, and never two of a channel at a time."""
    names = [f"c{n}" for n in range(40)]
    for _ in range(5):
        for name in names:
            rows.add(name)
    channels = [recorder(name) for name in names]

    async def go():
        await asyncio.gather(*(make(rows, *channels, concurrency=7).drain() for _ in range(2)))

    asyncio.run(go())
    assert set(rows.states().values()) == {"sent"}
    assert all(
        one.most == 1 and len(one.sent) == 5 and one.sent == sorted(one.sent, key=by_number)
        for one in channels
    )


def by_number(name):
    return int(name[1:])


def test_a_journal_that_is_locked_for_a_while_loses_nothing(rows, recorder, monkeypatch):
    """Results are kept until they can be written."""
    monkeypatch.setattr("dynamo.journal.database.BUSY_SECONDS", 0.01)
    for _ in range(3):
        rows.add()
    here = recorder("here")

    async def go():
        locked = asyncio.Event()

        async def lock():
            here.hold = None
            rows.db.execute("BEGIN IMMEDIATE")
            locked.set()

        here.hold = lock
        sender = make(rows, here, poll=0.01)
        draining = asyncio.create_task(sender.drain())
        await locked.wait()
        async with asyncio.timeout(30):
            while sender._trouble == 0:  # noqa: ASYNC110 - the thread sets it
                await asyncio.sleep(0.01)
        rows.db.execute("COMMIT")
        return await draining

    assert asyncio.run(go()) == 0
    assert here.sent == ["m1", "m2", "m3"]
    assert [len(rows.tries(f"m{n}")) for n in (1, 2, 3)] == [1, 1, 1]


def test_a_journal_that_stays_unusable_ends_the_sender(rows, recorder, monkeypatch):
    """With the journal's own words."""
    monkeypatch.setattr("dynamo.journal.database.BUSY_SECONDS", 0.01)
    monkeypatch.setattr("dynamo.delivery.sender.TROUBLE", 0.05)
    rows.add()
    here = recorder("here")

    async def lock():
        rows.db.execute("BEGIN IMMEDIATE")

    here.hold = lock
    with pytest.raises(WorkspaceError, match="cannot use the journal"):
        asyncio.run(make(rows, here, poll=0.01).run())
    rows.db.execute("ROLLBACK")


def test_a_disk_that_is_full_for_long_ends_no_sender(rows, recorder, monkeypatch):
    """What waits goes out as soon as there is room."""
    monkeypatch.setattr("dynamo.delivery.sender.TROUBLE", 0.0)
    rows.add()
    here, claim, full = recorder("here"), Outbox.claim, iter(range(5))

    def claimed(self, *arguments, **more):
        if next(full, None) is not None:
            raise DiskFullError("full")
        return claim(self, *arguments, **more)

    monkeypatch.setattr(Outbox, "claim", claimed)
    assert asyncio.run(make(rows, here, poll=0.01).drain()) == 0
    assert here.sent == ["m1"]


def test_webhooks_arrive_signed_in_order_over_one_connection(rows, serve, clock):
    """The whole path to a real server; what it acknowledged is in the journal."""
    arrived, ports = [], set()
    for _ in range(300):
        rows.add()

    async def answer(request):
        await request.read()
        arrived.append(request.headers["webhook-id"])
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.Response(text="ok")

    def form(told):
        return told.id.encode(), {"content-type": "text/plain"}

    async def go():
        async with serve(answer) as url:
            hook = Webhook("here", url, [Secret("whsec_c2VjcmV0")], form, allow=["127.0.0.1"], clock=clock)
            assert await make(rows, hook).drain() == 0
            await hook.close()

    asyncio.run(go())
    assert arrived == [f"m{n}" for n in range(1, 301)]
    assert len(ports) == 1
    with sqlite3.connect(rows.path) as db:
        assert db.execute("SELECT count(*) FROM tries WHERE status = 200").fetchone() == (300,)
    db.close()
