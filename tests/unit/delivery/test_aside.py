"""What is set aside: a delivery that fails again and again lets those of other episodes go ahead of it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from aiohttp import web

from dynamo.delivery.channel import Outcome
from dynamo.delivery.outbox import Outbox
from dynamo.delivery.records import Tried
from dynamo.delivery.retry import ENOUGH, Patience, judge
from dynamo.delivery.sender import Sender
from dynamo.delivery.signature import Secret
from dynamo.delivery.webhook import Webhook

NO = Outcome("again", "sick", 500)
YES = Outcome("sent", "ok", 200)


@pytest.fixture
def outbox(rows):
    """As one sender sees it."""
    with Outbox(rows.path, "one") as found:
        yield found


@pytest.fixture
def serve_next(outbox, clock):
    """Serves one batch of the only channel as a sender does, with answers by id; returns what was sent."""

    def go(answers, path=None):
        sent = []
        for batch in outbox.claim(clock(), healthy=1, failing=1):
            failures, tried = batch.failures, []
            for item in batch.items:
                outcome = answers.get(item.id, YES)
                end = judge(
                    outcome, tries=item.tries + 1, begun=item.begun or clock(), now=clock(), chance=1.0,
                    patience=Patience(), failures=failures, aside=item.aside,
                )  # fmt: skip
                failures = end.failures
                tried.append(Tried(batch.channel, item.seq, clock(), 0.1, outcome, end))
                sent.append(item.id)
                if failures or outcome.close:
                    break
            outbox.record(tried, [batch.channel], clock())
        return sent

    return go


@pytest.fixture
def until_idle(serve_next, outbox, clock):
    """Serves at each time at which there is something to do, for so many seconds; returns when what was sent."""

    def go(answers, seconds):
        sent, end = [], clock.now + seconds
        while True:
            times = [at for at in (outbox.ready(failing=False), outbox.ready(failing=True)) if at is not None]
            if not times or min(times) > end:
                return sent
            clock.now = max(clock.now, min(times))
            sent += [(clock.now, name) for name in serve_next(answers)]

    return go


def deliver(rows, serve, ticking, poison, over):
    """Send what waits to a server that fails at one delivery, until `over`; return the ids in the order of requests."""
    seen = []

    async def answer(request):
        await request.read()
        seen.append(request.headers["webhook-id"])
        return web.Response(status=500 if seen[-1] == poison else 200)

    def form(told):
        return told.id.encode(), {"content-type": "text/plain"}

    async def go():
        async with serve(answer) as url:
            hook = Webhook("here", url, [Secret("whsec_c2VjcmV0")], form, allow=["127.0.0.1"], clock=ticking)
            haste = Patience(first=0.02, most=0.05)
            sender = Sender(rows.path, {"here": hook}, patience=haste, clock=ticking, chance=lambda: 1.0)
            running = asyncio.create_task(sender.run())
            await rows.until(over)
            sender.stop()
            await running
            await hook.close()

    asyncio.run(go())
    return seen


def test_one_that_the_receiver_never_takes_holds_back_no_other_subscriber(rows, serve, ticking):
    """Twenty others of the channel arrive in order; it goes on being tried."""
    poison, others = rows.add(), [rows.add() for _ in range(20)]
    seen = deliver(
        rows, serve, ticking, poison,
        lambda: all(rows.states()[name] == "sent" for name in others) and len(rows.tries(poison)) > ENOUGH + 2,
    )  # fmt: skip
    assert [name for name in seen if name != poison] == others
    assert seen[:ENOUGH] == [poison] * ENOUGH
    assert rows.states()[poison] == "waiting"


def test_an_update_of_what_is_never_taken_comes_after_it(rows, serve, ticking):
    """It says more, so it is not held back by what it supersedes; nor are the others."""
    poison = rows.add(episode="p")
    others = [rows.add() for _ in range(10)]
    late = []

    def over():
        if not late and len(rows.tries(poison)) > ENOUGH:
            late.extend(
                [rows.add(episode="p", kind="updated"), rows.add(), rows.add(episode="p", kind="updated")]
            )
        return late and all(rows.states()[name] == "sent" for name in (*others, *late))

    seen = deliver(rows, serve, ticking, poison, over)
    assert [name for name in seen if name in others] == others
    assert [name for name in seen if name in (poison, late[0], late[2])][-2:] == [late[0], late[2]]
    assert rows.reason(poison) == "superseded by a later alert of its episode"


def test_what_fails_is_set_aside_after_three_tries_and_the_next_has_its_turn(rows, clock, until_idle):
    """Within seconds; until then the order of the channel is kept."""
    poison, other = rows.add(), rows.add()
    begun = clock.now
    sent = until_idle({poison: NO}, 30)
    assert [name for _, name in sent[: ENOUGH + 1]] == [poison] * ENOUGH + [other]
    assert sent[ENOUGH][0] - begun == 1 + 2 + 4
    assert rows.states()[other] == "sent"


def test_what_comes_while_only_what_is_aside_waits_goes_at_once(rows, clock, until_idle):
    """Nothing but the pause of the channel is waited for."""
    poison = rows.add()
    until_idle({poison: NO}, 100)
    ready = rows.queues()[0][1]
    assert ready > clock.now
    clock.now += 10  # since its last try
    other = rows.add()
    assert until_idle({poison: NO}, 0) == [(clock.now, other)]


def test_one_that_is_aside_costs_the_others_no_pause(rows, clock, until_idle):
    """Its failure says nothing of a channel that was well."""
    poison, _ = rows.add(), rows.add()
    until_idle({poison: NO}, 100)
    for _ in range(20):
        clock.now = max(clock.now, rows.queues()[0][1])
        names = [rows.add() for _ in range(3)]
        sent = until_idle({poison: NO}, 0)
        assert sorted(sent) == sorted((clock.now, name) for name in (poison, *names))
        assert [name for _, name in sent if name != poison] == names


def test_an_endpoint_that_is_down_gets_one_request_a_pause(rows, clock, until_idle):
    """At most a minute apart in the end; line and aside alternate, and the order comes back with it."""
    names = [rows.add() for _ in range(50)]
    down = dict.fromkeys(names, NO)
    begun = clock.now
    sent = until_idle(down, 1500)
    times = [at for at, _ in sent]
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses == sorted(pauses)
    assert set(pauses[-15:]) == {60}
    aside = [name for n, (_, name) in enumerate(sent) if name in {told for _, told in sent[:n]}]
    assert len(sent) // 3 < len(aside) < 2 * len(sent) // 3
    # It is back.
    probe, *back = [name for _, name in until_idle({}, 200)]
    assert back == [name for name in names if name != probe]
    assert clock.now - begun < 1800


def test_retry_after_pauses_the_channel_whoever_was_asked(rows, clock, until_idle):
    """Also when it was what is aside."""
    poison, _ = rows.add(), rows.add()
    until_idle({poison: NO}, 100)
    clock.now = rows.queues()[0][1]
    until_idle({poison: Outcome("again", "slow down", 429, after=200.0)}, 0)
    other, begun = rows.add(), clock.now
    assert until_idle({}, 250) == [(begun + 200, other), (begun + 200, poison)]


def test_the_last_of_an_episode_waits_for_its_all_clear_that_is_aside(rows, clock, until_idle):
    """An all clear is superseded by nothing, and the order of an episode is always kept."""
    clear = rows.add(episode="e", kind="cancelled")
    until_idle({clear: NO}, 40)
    after, other = rows.add(episode="e"), rows.add()
    sent = [name for _, name in until_idle({clear: NO}, 300)]
    assert other in sent
    assert after not in sent
    sent = [name for _, name in until_idle({}, 300)]
    assert sent == [clear, after]


def test_the_channel_that_closes_keeps_what_was_aside_as_a_dead_letter(rows, clock, until_idle, outbox):
    """Replayed it stands in the line again."""
    poison, _ = rows.add(), rows.add()
    until_idle({poison: NO}, 30)
    gone = rows.add()
    until_idle({gone: Outcome("refused", "gone", 410, close=True), poison: NO}, 100)
    assert rows.states() == {poison: "dead", "m2": "sent", gone: "dead"}
    assert outbox.replay(None, clock()) == 2
    assert [name for _, name in until_idle({}, 0)] == [poison, gone]


def test_what_is_replayed_while_its_channel_fails_waits_for_the_pause(rows, clock, until_idle, outbox):
    """Then it has its old place."""
    first, second = rows.add(), rows.add()
    until_idle({first: Outcome("refused", "no", 404), second: NO}, 0)
    pause = rows.queues()[0][1]
    assert pause > clock()
    outbox.replay(first, clock())
    sent = until_idle({}, 5)
    assert sent == [(pause, first), (pause, second)]


def test_what_is_aside_expires_like_all_else(rows, clock, until_idle):
    """And leaves nothing behind."""
    poison = rows.add(expires=100.0)
    until_idle({poison: NO}, 300)
    assert rows.reason(poison) == "expired"
    assert rows.queues() == []


def test_a_clock_that_is_set_back_delays_nothing(rows, clock, until_idle, outbox):
    """Neither what waits, nor a pause, nor the lease of one that was killed."""
    poison, other = rows.add(), rows.add("there")
    until_idle({poison: NO}, 10)
    rows.add()
    late = rows.add("there")
    outbox.claim(clock(), healthy=9)
    clock.now -= 3600
    outbox.set_back(clock(), 0)
    with Outbox(rows.path, "two") as two:
        assert two.claim(clock(), healthy=9) == []
        clock.now += 5.1
        found = [item.id for batch in two.claim(clock(), healthy=9, failing=9) for item in batch.items]
    assert {late} <= set(found)
    assert rows.states()[other] == "sent"
