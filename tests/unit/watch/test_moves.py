"""Subscribers post where they are, to a real server over real HTTP."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

from dynamo.alerts.positions import Position, positions_since
from dynamo.runfile.alerts import AlertsRule, MatchRule, PositionsRule
from dynamo.watch import moves as module
from dynamo.watch.moves import Door, Moves
from dynamo.watch.people import People

TOKEN = "correct horse"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
PLACE = {"lon": -96.5, "lat": 33.5}


def door(folder, feed="a.yaml", token=TOKEN, ids=("car", "a/b c%"), keep=3600.0):
    """A door for the subscribers of a file of its own."""
    name = f"{feed}.csv"
    (folder / name).write_text("id,lon,lat\n" + "".join(f"{one},-97,32\n" for one in ids))
    people = People(
        AlertsRule(name, [MatchRule("STORM")], positions=PositionsRule("env:T", keep)), folder, []
    )
    return Door(feed, token, keep, people)


@asynccontextmanager
async def served(folder, *doors):
    """The URL of a server with these doors, and a client."""
    application = web.Application()
    application.router.add_routes(Moves(folder / "journal.db", lambda: filter(None, doors)).routes())
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession() as client:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}", client
    finally:
        await runner.cleanup()


def put(folder, body=PLACE, headers=AUTHORIZED, who="car", doors=None):
    """Put one position; return status, headers, and what is said."""

    async def main():
        async with served(folder, *(doors or [door(folder)])) as (url, client):
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            path = f"{url}/subscribers/{who}/position"
            async with client.put(path, data=data, headers=headers) as answer:
                return answer.status, answer.headers, (await answer.json(content_type=None)) or {}

    return asyncio.run(main())


def known(folder, feed="a.yaml"):
    return positions_since(folder / "journal.db", feed, 0.0)


def at(**ago):
    return (datetime.now(UTC) - timedelta(**ago)).isoformat()


def test_a_position_is_in_the_journal_when_it_is_answered(tmp_path):
    """With 204 and nothing to read."""
    status, _, said = put(tmp_path, {**PLACE, "time": at(seconds=5)})
    assert (status, said) == (204, {})
    assert known(tmp_path) == {"car": (-96.5, 33.5)}


def test_without_a_time_it_is_now(tmp_path):
    """By our clock."""
    before = time.time()
    assert put(tmp_path)[0] == 204
    assert positions_since(tmp_path / "journal.db", "a.yaml", before - 1e-3) == {"car": (-96.5, 33.5)}
    assert put(tmp_path, {"lon": 1, "lat": 2, "time": at(minutes=5)})[0] == 409


def test_numbers_the_wrong_way_round_are_refused(tmp_path):
    """Also after the file of subscribers was read anew: what counts is where they are now."""
    one = door(tmp_path)
    assert put(tmp_path, {"lon": 47.5, "lat": 8.5}, doors=[one])[0] == 204
    (tmp_path / "a.yaml.csv").write_text("id,lon,lat\ncar,8.4,47.4\nvan,8.9,47.9\n")
    one.people.look(), one.people.look()
    status, _, said = put(tmp_path, {"lon": 47.5, "lat": 8.5}, doors=[one])
    assert status == 422
    assert said["detail"].endswith("and among them if swapped: give the longitude first")
    assert put(tmp_path, {"lon": 8.5, "lat": 47.5}, doors=[one])[0] == 204
    other = door(tmp_path, "b.yaml", ids=("car",))
    assert put(tmp_path, {"lon": 47.5, "lat": 8.5}, doors=[one, other])[0] == 204


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": TOKEN}, {"Authorization": "Bearer "}, {"Authorization": "Bearer correct horsf"},
    {"Authorization": f"Basic {TOKEN}"}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": "Bearer cörrect"},
])  # fmt: skip
def test_who_does_not_show_the_token_learns_nothing(tmp_path, headers):
    """Not even whether there is such a subscriber."""
    for who in ("car", "nobody"):
        status, sent, said = put(tmp_path, headers=headers, who=who)
        assert (status, sent["WWW-Authenticate"]) == (401, "Bearer")
        assert said["title"] == "Unauthorized"
        assert TOKEN not in str(said)
    assert not (tmp_path / "journal.db").exists()


def test_who_is_not_in_the_file_is_not_found(tmp_path):
    """With the name, as problem details."""
    status, sent, said = put(tmp_path, who="cab")
    assert status == 404
    assert sent["Content-Type"].startswith("application/problem+json")
    assert said == {"title": "Not Found", "status": 404, "detail": "there is no subscriber 'cab'"}


def test_an_id_may_hold_what_has_a_meaning_in_a_path(tmp_path):
    """Where it is quoted."""
    from yarl import URL

    async def main():
        async with served(tmp_path, door(tmp_path)) as (url, client):
            path = URL(f"{url}/subscribers/a%2Fb%20c%25/position", encoded=True)
            async with client.put(path, json=PLACE, headers=AUTHORIZED) as answer:
                return answer.status

    assert asyncio.run(main()) == 204
    assert set(known(tmp_path)) == {"a/b c%"}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[1, 2]", "expected an object"),
        ({"lon": 1}, "'lat' is missing"),
        ({"lon": "1", "lat": 2}, "'lon' is no number"),
        ({"lon": True, "lat": 2}, "'lon' is no number"),
        (b'{"lon": NaN, "lat": 2}', "not JSON"),
        ({"lon": 181, "lat": 2}, "longitude 181, latitude 2 is out of range; expected -180 to 180"),
        ({"lon": 32, "lat": -97}, "are they swapped?"),
        ({"lng": 1, "lat": 2}, "unknown key 'lng' (did you mean 'lon'?)"),
        ({**PLACE, "time": "now"}, "'time' is no time like"),
        ({**PLACE, "time": 5}, "'time' is no time like"),
        ({**PLACE, "time": "2026-03-25T05:00:00"}, "'time' is no time like"),
        (
            {**PLACE, "time": "2199-03-25T05:00:00Z"},
            " min ahead of our clock; up to 60 s counts as now: is a clock",
        ),
    ],
)
def test_what_is_no_position_is_refused_in_words(tmp_path, body, detail):
    """And nothing is recorded."""
    status, _, said = put(tmp_path, body)
    assert status == 422
    assert detail in said["detail"]
    assert not (tmp_path / "journal.db").exists()


def test_a_clock_that_is_a_little_ahead_is_taken_at_once_and_by_its_own_order(tmp_path):
    """Nobody waits until it is that late; of two that are ahead the later one counts."""
    assert put(tmp_path, {**PLACE, "time": at(seconds=-50)})[0] == 204
    assert known(tmp_path) == {"car": (-96.5, 33.5)}
    assert put(tmp_path, {"lon": 1, "lat": 2, "time": at(seconds=-40)})[0] == 409
    assert known(tmp_path) == {"car": (-96.5, 33.5)}
    status, _, said = put(tmp_path, {"lon": 1, "lat": 2, "time": at(seconds=-3700)})
    assert (status, "1 h 1 min ahead of our clock" in said["detail"]) == (422, True)


def test_a_watch_that_takes_no_positions_says_so(tmp_path):
    """No token would help."""
    status, _, said = put(tmp_path, doors=[None])
    assert (status, said["detail"]) == (404, "no run file of this watch takes positions")


def test_what_is_wrong_with_the_token_is_told(tmp_path):
    """Whether it is missing or another."""
    assert put(tmp_path, headers={})[2]["detail"] == "expected the header 'Authorization: Bearer TOKEN'"
    wrong = {"Authorization": "Bearer incorrect"}
    assert put(tmp_path, headers=wrong)[2]["detail"] == "this is not the right token"


def test_an_older_position_than_the_known_one_is_a_conflict(tmp_path):
    """Also one that is too old to be used at all."""
    assert put(tmp_path, {**PLACE, "time": at(minutes=5)})[0] == 204
    status, _, said = put(tmp_path, {"lon": 1, "lat": 2, "time": at(minutes=6)})
    assert status == 409
    assert "a later position is known, of 20" in said["detail"]
    status, _, said = put(tmp_path, {"lon": 1, "lat": 2, "time": at(minutes=61)})
    assert status == 409
    assert "older than 1 h 0 min" in said["detail"]
    assert known(tmp_path) == {"car": (-96.5, 33.5)}


def test_a_long_body_is_refused_before_it_is_all_there(tmp_path):
    """However it is said to be long, or not said."""
    assert put(tmp_path, b'{"lon": 1, "lat": 2' + b" " * 5000 + b"}")[0] == 413


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path, monkeypatch):
    """For ever."""
    monkeypatch.setattr(module, "PATIENCE", 0.05)

    async def main():
        async with served(tmp_path, door(tmp_path)) as (url, client):
            never = asyncio.Event()

            async def body():
                yield b"{"
                await never.wait()

            path = f"{url}/subscribers/car/position"
            async with client.put(path, data=body(), headers=AUTHORIZED) as answer:
                return answer.status

    assert asyncio.run(main()) == 408


def test_a_token_opens_the_feeds_that_have_it(tmp_path):
    """Several feeds of a watch may have the subscriber: he moves in all that know him and the token."""
    doors = [
        door(tmp_path, "a.yaml"),
        door(tmp_path, "b.yaml"),
        door(tmp_path, "c.yaml", token="other"),
        door(tmp_path, "d.yaml", ids=["bus"]),
    ]
    assert put(tmp_path, doors=doors)[0] == 204
    assert [bool(known(tmp_path, feed)) for feed in ("a.yaml", "b.yaml", "c.yaml", "d.yaml")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert put(tmp_path, who="bus", headers={"Authorization": "bearer other"}, doors=doors)[0] == 404


def test_many_at_a_time_are_all_recorded(tmp_path):
    """Each is answered after it is on disk; those that wait go together."""
    ids = [f"car-{n}" for n in range(300)]

    async def main():
        async with served(tmp_path, door(tmp_path, ids=ids)) as (url, client):

            async def one(n, name):
                place = {"lon": n / 10, "lat": 0}
                path = f"{url}/subscribers/{name}/position"
                async with client.put(path, json=place, headers=AUTHORIZED) as answer:
                    assert answer.status == 204
                    return name in known(tmp_path)

            return await asyncio.gather(*(one(n, name) for n, name in enumerate(ids)))

    assert all(asyncio.run(main()))
    assert known(tmp_path)["car-299"] == (29.9, 0)


def test_a_journal_that_cannot_be_written_is_told_and_the_next_one_is_tried_again(tmp_path, caplog):
    """503, so that it is posted once more; nothing of our disk is told to who asked."""
    journal = tmp_path / "journal.db"
    journal.mkdir()
    status, _, said = put(tmp_path)
    assert (status, said["detail"]) == (503, "it cannot be kept now; try again")
    assert "positions cannot be kept" in caplog.text
    journal.rmdir()
    assert put(tmp_path)[0] == 204


def test_whatever_goes_wrong_in_writing_is_answered_and_the_next_one_is_tried_again(
    tmp_path, caplog, monkeypatch
):
    """Also what nobody thought of, like no room for a thread: no post hangs, and all of it is in the log."""
    record = module.record_positions

    def first(journal, positions):
        monkeypatch.setattr(module, "record_positions", record)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module, "record_positions", first)

    async def main():
        async with served(tmp_path, door(tmp_path)) as (url, client), asyncio.timeout(20):
            path = f"{url}/subscribers/car/position"
            statuses = []
            for _ in range(2):
                async with client.put(path, json=PLACE, headers=AUTHORIZED) as answer:
                    statuses.append(answer.status)
            return statuses

    assert asyncio.run(main()) == [503, 204]
    assert "RuntimeError: can't start new thread" in caplog.text


def test_a_writer_that_is_stopped_lets_go_of_those_who_wait(tmp_path, monkeypatch):
    """Who posts after it has another."""
    called, written = threading.Event(), threading.Event()

    def slow(journal, positions):
        called.set()
        written.wait(20)
        return [None for _ in positions]

    monkeypatch.setattr(module, "record_positions", slow)

    async def main():
        moves = Moves(tmp_path / "journal.db", list)
        kept = moves._keep(Position("a.yaml", "car", 1, 2, 3.0))
        assert await asyncio.to_thread(called.wait, 20)
        moves._writing.cancel()
        async with asyncio.timeout(20):
            await asyncio.wait([kept])
        written.set()
        async with asyncio.timeout(20):
            return kept.cancelled(), await moves._keep(Position("a.yaml", "car", 1, 2, 3.0))

    assert asyncio.run(main()) == (True, None)


def test_a_door_does_not_show_its_token(tmp_path):
    """In no log."""
    assert TOKEN not in repr(door(tmp_path))
