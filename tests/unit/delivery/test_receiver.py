"""The receiver, over real HTTP: it believes what is signed, tells each alert once, and reads every form."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from standardwebhooks import Webhook

from dynamo.alerts.forms import FORMS, write
from dynamo.delivery import receiver as receiver_module
from dynamo.delivery.receiver import Arrival, Receiver, new_secret
from dynamo.delivery.signature import Secret
from dynamo.errors import UserError
from tests.unit.delivery.an_alert import ALERT as BASE

ALERT = replace(BASE, subscriber="Klinik Süd")
SECRET = new_secret()


def signed(body, delivery="d1", secret=SECRET, now=None):
    """Return the headers that the outside package would send."""
    at = datetime.fromtimestamp(int(now or time.time()), UTC)
    signature = Webhook(secret).sign(delivery, at, body.decode())
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def post(*requests, secrets=(SECRET,)):
    """Send (body, headers) one after another; return the statuses and what arrived."""

    async def run():
        async with Receiver([Secret(s) for s in secrets]) as receiver, aiohttp.ClientSession() as session:
            statuses = []
            for body, headers in requests:
                async with session.post(f"{receiver.url}in", data=body, headers=headers) as answer:
                    statuses.append(answer.status)
                    await answer.read()
            return statuses, [receiver.arrivals.get_nowait() for _ in range(receiver.arrivals.qsize())]

    return asyncio.run(run())


def message(form="cloudevents", alert=ALERT, **how):
    """Return body and headers of a signed alert."""
    said = write(alert, form)
    return said.body, {**said.headers, **signed(said.body, **how)}


@pytest.mark.parametrize("form", [f for f in FORMS if f != "text"])
def test_an_alert_signed_by_the_outside_package_is_verified_and_read(form):
    """In every form for machines."""
    statuses, (arrival,) = post(message(form))
    assert statuses == [200]
    assert (arrival.verdict, arrival.delivery, arrival.form, arrival.reason) == ("verified", "d1", form, "")
    assert arrival.alert == ALERT
    assert abs(arrival.at - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_was_told_before_is_told_apart_and_taken_again():
    """The same delivery is repeated, whatever else differs; another of the same alert is not."""
    again = message(alert=replace(ALERT, level=55.0))
    statuses, arrivals = post(message(), again, message(delivery="d2"))
    assert statuses == [200, 200, 200]
    assert [a.verdict for a in arrivals] == ["verified", "repeated", "verified"]


def test_only_so_many_deliveries_are_remembered(monkeypatch):
    """The latest: memory is bounded over months."""
    monkeypatch.setattr(receiver_module, "REMEMBERED", 2)
    _, arrivals = post(*(message(delivery=d) for d in ("d1", "d2", "d3", "d3", "d1")))
    assert [a.verdict for a in arrivals] == ["verified", "verified", "verified", "repeated", "verified"]


BODY, HEADERS = message()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY + b" ", HEADERS),
        (BODY, {k: v for k, v in HEADERS.items() if k != "webhook-signature"}),
        (BODY, {k: v for k, v in HEADERS.items() if k != "webhook-id"}),
        (BODY, {**HEADERS, "webhook-id": "d2"}),
        (BODY, {**HEADERS, "webhook-signature": "v1,"}),
        (BODY, {**HEADERS, "webhook-timestamp": "0"}),
        (BODY, {**HEADERS, **signed(BODY, secret=new_secret())}),
        (BODY, {**HEADERS, **signed(BODY, now=time.time() - 3600)}),
        (b"", {}),
    ],
)
def test_what_is_not_signed_as_it_should_be_is_not_believed(body, headers):
    """401, with the reason and nothing of the body; and it does not take the place of the true one."""
    statuses, arrivals = post((body, headers), message())
    assert statuses == [401, 200]
    assert [a.verdict for a in arrivals] == ["unverified", "verified"]
    assert arrivals[0].reason
    assert arrivals[0].alert is None


def test_any_of_several_secrets_will_do():
    """So that one can be replaced by another."""
    other = new_secret()
    assert post(message(), message(secret=other, delivery="d2"), secrets=(SECRET, other))[0] == [200, 200]


def test_without_a_secret_nothing_is_believed():
    """There is no way to turn it off by leaving something out."""
    assert post(message(), secrets=())[0] == [401]


def test_what_is_signed_but_no_alert_is_told():
    """400, and it may come again, better."""
    bad = b"{}"
    statuses, arrivals = post((bad, {"content-type": "application/geo+json", **signed(bad)}), message())
    assert statuses == [400, 200]
    assert [a.verdict for a in arrivals] == ["unreadable", "verified"]
    assert "no GeoJSON" in arrivals[0].reason


def test_a_body_without_end_is_cut_off(monkeypatch):
    """413, and nothing arrives."""
    monkeypatch.setattr(receiver_module, "LONGEST", 1000)
    assert post((b"x" * 5000, {})) == ([413], [])


def test_a_port_that_is_taken_is_said_so():
    """With its number, and what to do."""

    async def both():
        async with Receiver([]) as first:
            second = Receiver([], first.port)
            with pytest.raises(
                UserError, match=rf"port {first.port} .*another program listens there; name another"
            ):
                await second.start()

    asyncio.run(both())


def test_it_may_be_stopped_twice_and_started_again():
    """And has another port each time, where any will do."""

    async def run():
        receiver = Receiver([])
        await receiver.stop()
        await receiver.start()
        assert receiver.url == f"http://127.0.0.1:{receiver.port}/"
        await receiver.stop()
        await receiver.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("arrival", "said"),
    [
        (
            {"alert": ALERT},
            "verified new STORM 45 dBZ comes within 10 km of Klinik Süd in 12 min (07:51 UTC)",
        ),
        (
            {"alert": replace(ALERT, kind="cancelled", exercise=True)},
            "verified EXERCISE cancelled no STORM 45 dBZ or more within 10 km of Klinik Süd",
        ),
        ({"verdict": "unverified", "reason": "why"}, "unverified d1: why"),
        ({"verdict": "unverified", "delivery": "", "reason": "why"}, "unverified without an id: why"),
    ],
)
def test_a_line_says_what_arrived(arrival, said):
    """Time (UTC), verdict, kind and words; or the id and what is wrong."""
    at = datetime(2024, 5, 1, 7, 41, 10, tzinfo=UTC)
    assert (
        Arrival(**{"at": at, "verdict": "verified", "delivery": "d1", **arrival}).line() == f"07:41:10 {said}"
    )


def test_secrets_are_never_the_same_and_are_secrets():
    """As Standard Webhooks wants them: at least 24 random bytes."""
    assert len({new_secret() for _ in range(100)}) == 100
    Secret(new_secret())
    assert len(new_secret()) == len("whsec_") + 44
