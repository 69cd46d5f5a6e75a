"""Joining: a token is good once, for one worker, for a short time; who else comes is refused in words, and counted."""

from __future__ import annotations

import asyncio
import http.client
import logging
import resource
import socket
import ssl
import stat
import threading
import time
import urllib.parse
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import pytest

from dynamo.errors import InfrastructureError, UserError
from dynamo.fleet import join_service
from dynamo.fleet.certificate import join_certificate
from dynamo.fleet.door import Door
from dynamo.fleet.join import JoinDesk, JoinRefusedError, JoinRequest, Ticket, digest
from dynamo.fleet.join_ledger import JoinLedger
from dynamo.fleet.join_service import Allowance, JoinService
from dynamo.fleet.queue_key import QueueKeys
from dynamo.fleet.seldom import Seldom
from dynamo.fleet.trust import AUTHORIZATIONS, LocalManager, Trust, revocation
from dynamo.fleet.worker_config import PoolPlace, worker_config

_PLACE = PoolPlace("manager.example.org:9618", "example")
_TICKET = Ticket("w-1", "order-1", "workers", "workers/here//on-demand", until=1000.0, dies=5000.0, cores=2)


@pytest.fixture
def store(tmp_path):
    """Tickets in a journal."""
    with JoinLedger(tmp_path / "journal.db") as made:
        yield made


@pytest.fixture
def desk(store):
    """What judges who comes."""
    return JoinDesk(store)


def _asks(token, *, worker="w-1", order="order-1", nonce="n" * 64):
    return JoinRequest(worker, order, token, nonce)


def _joins(desk, request, now):
    desk.spend(desk.admit(request, now), request, now)


def test_a_token_is_good_once(desk, store):
    """A second machine with the same token is refused, and that is written down."""
    token = desk.issue(_TICKET)
    _joins(desk, _asks(token), 10.0)
    with pytest.raises(JoinRefusedError, match="used already"):
        _joins(desk, _asks(token, nonce="m" * 64), 11.0)
    assert [(one.at, one.worker, one.why) for one in store.refusals()] == [
        (11.0, "w-1", "this join token was used already")
    ]


def test_who_lost_the_answer_may_ask_again_while_its_token_is_good(desk):
    """The same machine, by the number that it made up; where signing is slow the answer comes when nobody listens."""
    token = desk.issue(_TICKET)
    for now in (10.0, 11.0, 999.0):
        _joins(desk, _asks(token), now)
    with pytest.raises(JoinRefusedError, match="used already"):
        _joins(desk, _asks(token), 1000.0)


@pytest.mark.parametrize(
    ("request_", "now", "why"),
    [
        (lambda token: _asks(token + "x"), 10.0, "no join token of this worker"),
        (lambda token: _asks(digest(token)), 10.0, "no join token of this worker"),
        (lambda token: _asks(token, worker="w-2"), 10.0, "no join token of this worker"),
        (lambda token: _asks(token, order="order-2"), 10.0, "of another order"),
        (_asks, 1000.0, "expired"),
    ],
)
def test_who_should_not_join_is_refused_in_words(desk, store, request_, now, why):
    """A wrong token, the kept digest, another worker, another order, too late: refused, and nothing is spent."""
    token = desk.issue(_TICKET)
    desk.issue(replace(_TICKET, worker="w-2", order="order-2"))
    with pytest.raises(JoinRefusedError, match=why) as told:
        _joins(desk, request_(token), now)
    assert token not in str(told.value)
    assert len(store.refusals()) == 1
    assert [one.spent for one in store.tickets("w-1")] == [None]


def test_a_worker_that_was_let_go_cannot_join(desk):
    """Its token is not good any more, and who has it is told so."""
    token = desk.issue(_TICKET)
    desk.revoke("w-1", 5.0)
    with pytest.raises(JoinRefusedError, match="let go"):
        _joins(desk, _asks(token), 10.0)


def test_whom_the_pool_must_refuse_is_known(desk, store):
    """Those that joined, were let go, and whose tokens of HTCondor have not expired."""
    for name, joined in (("w-1", True), ("w-2", False), ("w-3", True)):
        token = desk.issue(replace(_TICKET, worker=name))
        if joined:
            _joins(desk, _asks(token, worker=name), 10.0)
    desk.revoke("w-1", 20.0)
    desk.revoke("w-2", 20.0)
    end = _TICKET.dies + _TICKET.grace  # a job may take so long when the lifetime of its worker is over
    assert store.revoked(21.0) == store.revoked(end - 1.0) == ["w-1"]
    assert store.revoked(end) == []


def test_an_order_that_is_given_again_joins_once(desk):
    """After a crash nobody knows which token the machine got: either is good, and the other is not then."""
    first, second = desk.issue(_TICKET), desk.issue(_TICKET)
    assert first != second
    _joins(desk, _asks(first), 10.0)
    with pytest.raises(JoinRefusedError, match="used already"):
        _joins(desk, _asks(second, nonce="m" * 64), 11.0)
    with pytest.raises(JoinRefusedError, match="used already"):
        _joins(desk, _asks(second), 11.0)


def test_of_many_that_come_at_once_one_joins(tmp_path):
    """Each in a thread with the file open: the one that spends the ticket joins, the others are refused."""
    path = tmp_path / "journal.db"
    with JoinLedger(path) as store:
        token = JoinDesk(store).issue(_TICKET)
    begin = threading.Barrier(8)

    def come(n):
        with JoinLedger(path) as store:
            desk, request = JoinDesk(store), _asks(token, nonce=str(n) * 64)
            ticket = desk.admit(request, 10.0)
            begin.wait()
            try:
                desk.spend(ticket, request, 10.0)
            except JoinRefusedError:
                return False
            return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(come, range(8))) == 1


def test_a_token_is_not_in_the_journal(desk, store, tmp_path):
    """Who reads the journal cannot join: of the token, and of the number, only digests are there."""
    token = desk.issue(_TICKET)
    _joins(desk, _asks(token), 10.0)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert digest(token).encode() in kept
    assert token.encode() not in kept
    assert b"n" * 64 not in kept


def test_refusals_do_not_fill_the_disk(store):
    """The last thousand are kept, and names only so far as names go."""
    for n in range(1100):
        store.refused(f"{n}-" + "x" * 1000, "no", float(n))
    kept = store.refusals()
    assert len(kept) == 1000
    assert kept[-1].worker.startswith("1099-")
    assert max(len(one.worker) for one in kept) == 64


def test_tickets_of_the_past_are_forgotten(desk, store):
    """What is over is removed when that is asked for."""
    desk.issue(_TICKET)
    end = _TICKET.dies + _TICKET.grace
    store.forget(end - 1.0)
    assert len(store.tickets("w-1")) == 1
    store.forget(end + 1.0)
    assert store.tickets("w-1") == []


def test_an_address_that_is_refused_too_often_waits():
    """Ten refusals a minute; those of another address do not count, and of many the oldest are forgotten."""
    allowance = Allowance(most=3, seconds=60.0, known=2)
    for now in (0.0, 1.0, 2.0):
        assert not allowance.spent("a", now)
        allowance.refused("a", now)
    assert allowance.spent("a", 3.0)
    assert not allowance.spent("b", 3.0)
    assert not allowance.spent("a", 60.5)
    allowance.refused("b", 4.0)
    allowance.refused("c", 5.0)
    assert not allowance.spent("a", 6.0)


class _Signer:
    """Signs by counting; fails, and waits, when told to."""

    def __init__(self):
        self.signed, self.allowed = [], []
        self.fails = None
        self.signs = threading.Event()
        self.signs.set()

    def sign(self, worker, lifetime, allowed):
        assert self.signs.wait(60)
        if self.fails:
            raise self.fails("condor_token_create failed in a place that only we know")
        self.signed.append((worker, lifetime))
        self.allowed.append(allowed)
        return f"token-{len(self.signed)}-of-{worker}"


class _Served:
    """The join service on this machine, and one who asks."""

    def __init__(self, folder, service, certificate, signer):
        self.folder, self.service, self.certificate, self.signer = folder, service, certificate, signer

    def issue(self, **changes):
        now = time.time()
        ticket = replace(_TICKET, **{"until": now + 600, "dies": now + 3600, **changes})
        with JoinLedger(self.folder / "journal.db") as store:
            return JoinDesk(store).issue(ticket)

    def ask(
        self, token, *, worker="w-1", order="order-1", nonce="n" * 64, body=None, trusted=None, verb="POST",
        of="127.0.0.1",
    ):  # fmt: skip
        context = ssl.create_default_context(cafile=trusted or self.certificate.file)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.service.port, context=context, timeout=30, source_address=(of, 0)
        )
        form = urllib.parse.urlencode({"worker": worker, "order": order, "nonce": nonce})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        try:
            connection.request(verb, "/join", body if body is not None else form, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def _serve(folder, certificate, signer, **more):
    return JoinService(
        lambda: JoinLedger(folder / "journal.db"), signer, _PLACE, certificate,
        QueueKeys(folder, _PLACE.trust_domain), host="127.0.0.1", **more
    )  # fmt: skip


@pytest.fixture
def served(tmp_path):
    """The service, listening."""
    certificate = join_certificate(tmp_path / "keys", ["127.0.0.1"])
    signer = _Signer()
    with _serve(tmp_path, certificate, signer) as service:
        yield _Served(tmp_path, service, certificate, signer)


def test_who_has_a_token_gets_what_htcondor_needs(served):
    """The first line is the token of HTCondor, for as long as the machine lives; below is the configuration."""
    status, text = served.ask(served.issue())
    token, _, config = text.partition("\n")
    assert (status, token) == (200, "token-1-of-w-1")
    assert 'DynamoToken = "order-1"' in config
    assert "NUM_CPUS = 2" in config
    ((worker, lifetime),) = served.signer.signed
    assert worker == "w-1"
    assert 3500 < lifetime <= 3900
    assert served.service.counts.joined == 1


def test_the_answer_that_was_lost_is_given_again(served):
    """The same machine gets it, also where it asks twice at once, and it is signed once; another machine gets none."""
    token = served.issue()
    served.signer.signs.clear()
    with ThreadPoolExecutor(2) as pool:
        twice = [pool.submit(served.ask, token) for _ in range(2)]
        served.signer.signs.set()
        answers = {one.result() for one in twice} | {served.ask(token)}
    assert [status for status, _ in answers] == [200]
    assert len(served.signer.signed) == 1
    status, why = served.ask(token, nonce="m" * 64)
    assert (status, why) == (403, "this join token was used already\n")
    assert served.service.counts.refused == {"this join token was used already": 1}


def test_a_controller_that_was_started_anew_knows_who_joined(tmp_path):
    """Tokens that it gave out before are good, and those that were spent are not."""
    certificate = join_certificate(tmp_path / "keys", ["127.0.0.1"])
    signer = _Signer()
    with _serve(tmp_path, certificate, signer) as service:
        first = _Served(tmp_path, service, certificate, signer)
        spent, good = first.issue(), first.issue(worker="w-2")
        assert first.ask(spent)[0] == 200
    again = join_certificate(tmp_path / "keys", ["127.0.0.1"])
    with _serve(tmp_path, again, signer, port=service.port) as service:
        second = _Served(tmp_path, service, certificate, signer)
        assert second.ask(spent, nonce="m" * 64)[0] == 403
        assert second.ask(good, worker="w-2")[0] == 200


@pytest.mark.parametrize("error", [InfrastructureError, UserError])
def test_a_token_is_not_spent_where_the_pool_cannot_sign(served, error):
    """The machine is told to try again, without our reasons, and then joins; also where the pool was taken down."""
    token = served.issue()
    served.signer.fails = error
    status, why = served.ask(token)
    assert (status, served.service.counts.failed) == (503, 1)
    assert "only we know" not in why
    served.signer.fails = None
    assert served.ask(token, nonce="m" * 64)[0] == 200


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"token": ""}, 400),
        ({"nonce": ""}, 400),
        ({"body": "worker=w-1"}, 400),
        ({"body": b"\xff\xfe" * 100}, 400),
        ({"body": "nonce=" + "x" * 100_000}, 413),
        ({"verb": "GET"}, 405),
    ],
)
def test_what_is_no_request_is_refused(served, asked, status):
    """Nothing is read beyond 4 KiB, and nothing is spent."""
    token = served.issue()
    assert served.ask(**{"token": token, **asked})[0] == status
    assert served.ask(token)[0] == 200


def test_who_tries_and_tries_is_held_back(served):
    """After ten refusals in a minute not even a good token is taken from that address, and tokens are not judged."""
    token = served.issue()
    assert [served.ask(f"guess-{n}")[0] for n in range(10)] == [403] * 10
    assert served.ask(token)[0] == 429


def test_many_workers_behind_one_address_join_at_once(served):
    """Who is not refused does not wait: thirty machines at the same time all join."""
    tokens = {f"w-{n}": served.issue(worker=f"w-{n}") for n in range(30)}
    with ThreadPoolExecutor(15) as pool:
        statuses = list(pool.map(lambda one: served.ask(one[1], worker=one[0])[0], tokens.items()))
    assert statuses == [200] * 30
    assert served.service.counts.joined == 30


def test_where_signing_is_slow_forty_wait(served):
    """Who comes then is told so at once, for he would wait in vain; the forty join, and he when he asks again."""
    tokens = {f"w-{n}": served.issue(worker=f"w-{n}") for n in range(41)}
    served.signer.signs.clear()
    with ThreadPoolExecutor(41) as pool:
        asked = {
            pool.submit(served.ask, token, worker=name, of=f"127.0.0.{n // 15 + 1}"): name
            for n, (name, token) in enumerate(tokens.items())
        }
        try:
            (late,), _ = wait(asked, timeout=30, return_when=FIRST_COMPLETED)
            assert late.result() == (503, "too many workers join at once: try again\n")
        finally:
            served.signer.signs.set()
    assert sorted(one.result()[0] for one in asked) == [200] * 40 + [503]
    assert served.ask(tokens[asked[late]], worker=asked[late])[0] == 200


def _connects(service, of="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", service.port), timeout=30, source_address=(of, 0))


def _is_ended(connection):
    """Wait for the other side to end a connection, which may do so by a reset."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


@pytest.mark.parametrize(
    "sent", [None, b"", b"POST /join HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_who_sends_no_whole_request_is_not_listened_to(tmp_path, monkeypatch, sent):
    """He does not begin TLS, says nothing, stops in the midst, or stays when all is said: his connection is ended."""
    monkeypatch.setattr(join_service, "Door", partial(Door, patience=1.0))
    certificate = join_certificate(tmp_path / "keys", ["127.0.0.1"])
    context = ssl.create_default_context(cafile=certificate.file)
    with _serve(tmp_path, certificate, _Signer()) as service, _connects(service) as plain:
        if sent is None:
            assert _is_ended(plain)
            return
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as one:
            one.sendall(sent)
            assert _is_ended(one)


def test_a_body_that_never_ends_is_not_waited_for(tmp_path, monkeypatch):
    """As above, where a header announces more than comes."""
    monkeypatch.setattr(join_service, "Door", partial(Door, patience=1.0))
    certificate = join_certificate(tmp_path / "keys", ["127.0.0.1"])
    context = ssl.create_default_context(cafile=certificate.file)
    with (
        _serve(tmp_path, certificate, _Signer()) as service,
        context.wrap_socket(_connects(service), server_hostname="127.0.0.1") as one,
    ):
        one.sendall(b"POST /join HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nworker=")
        assert _is_ended(one)


def test_an_address_has_twenty_connections_that_say_nothing(tmp_path, monkeypatch):
    """One more is ended at once, and who comes from elsewhere joins meanwhile."""
    monkeypatch.setattr(join_service, "Door", partial(Door, patience=600.0))
    certificate, signer = join_certificate(tmp_path / "keys", ["127.0.0.1"]), _Signer()
    with _serve(tmp_path, certificate, signer) as service, ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(_connects(service))
        with _connects(service) as more:
            assert _is_ended(more)
        served = _Served(tmp_path, service, certificate, signer)
        assert served.ask(served.issue(), of="127.0.0.2")[0] == 200


def test_all_together_have_so_many_connections(tmp_path, monkeypatch):
    """However many addresses somebody has, files are left for all else."""
    monkeypatch.setattr(join_service, "Door", partial(Door, most=3, patience=600.0))
    certificate = join_certificate(tmp_path / "keys", ["127.0.0.1"])
    with _serve(tmp_path, certificate, _Signer()) as service, ExitStack() as stack:
        for n in range(3):
            stack.enter_context(_connects(service, f"127.0.0.{n + 1}"))
        with _connects(service, "127.0.0.9") as more:
            assert _is_ended(more)


def test_connections_leave_files_to_others(monkeypatch):
    """They have no more than a quarter of what this process may open."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    assert Door(asyncio.Protocol, ssl.create_default_context())._most == 64


def test_refusals_do_not_fill_the_log(served, caplog):
    """Of each reason one line a minute, however many ask."""
    for n in range(15):
        served.ask(f"guess-{n}")
    lines = [one.getMessage() for one in caplog.records if "refused" in one.getMessage()]
    assert lines == [
        "a machine was refused: this is no join token of this worker",
        "a machine was refused: too many refusals of this address: wait a minute",
    ]


def test_what_was_not_logged_is_counted(caplog):
    """The next line of a kind says how often it was; another kind has its own."""
    seldom = Seldom(logging.getLogger("x"))
    for what, now in (("a", 0.0), ("a", 1.0), ("b", 2.0), ("a", 59.9), ("a", 60.0), ("a", 120.0)):
        seldom.warn(what, now)
    assert [one.getMessage() for one in caplog.records] == [
        "a", "b", "a (and 2 times since the last line of this)", "a",
    ]  # fmt: skip


def test_the_log_shows_no_secret(served, caplog):
    """Who joined and who was refused is logged; tokens are not."""
    token = served.issue()
    with caplog.at_level(logging.DEBUG):
        served.ask(token)
        served.ask(token, nonce="m" * 64)
    assert "w-1 joined" in caplog.text
    assert "used already" in caplog.text
    for secret in (token, "token-1-of-w-1", "n" * 64, "m" * 64):
        assert secret not in caplog.text
    assert token not in repr(_asks(token))


def test_another_certificate_is_not_believed(served, tmp_path):
    """A worker that knows the one certificate talks to nobody else."""
    other = join_certificate(tmp_path / "other", ["127.0.0.1"])
    with pytest.raises(ssl.SSLCertVerificationError):
        served.ask("x", trusted=other.file)


def test_a_place_that_is_taken_is_told(served):
    """Two services cannot listen at one place."""
    with (
        pytest.raises(InfrastructureError, match="cannot join at"),
        _serve(served.folder, served.certificate, served.signer, port=served.service.port),
    ):
        pass


def test_the_certificate_stays_while_it_fits(tmp_path):
    """Machines that were ordered before know it; it is made anew for a name that it lacks. The key is ours alone."""
    first = join_certificate(tmp_path, ["10.0.0.1", "cm.example.org"])
    assert join_certificate(tmp_path, ["cm.example.org"]).text == first.text
    assert join_certificate(tmp_path, ["10.0.0.2"]).text != first.text
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    (tmp_path / "join.pem").write_text("not a certificate")
    assert "BEGIN CERTIFICATE" in join_certificate(tmp_path, ["10.0.0.2"]).text


@pytest.mark.parametrize("left", ["another", "nothing"])
def test_a_certificate_without_its_key_is_made_anew(tmp_path, left):
    """Of the two files that are written the first may be new when there is a crash: they are of no use together."""
    first = join_certificate(tmp_path / "one", ["127.0.0.1"])
    other = join_certificate(tmp_path / "two", ["127.0.0.1"])
    first.key.write_text(other.key.read_text() if left == "another" else "")
    made = join_certificate(tmp_path / "one", ["127.0.0.1"])
    assert made.text != first.text
    with _serve(tmp_path, made, _Signer()) as service:
        assert service.port


def test_the_configuration_names_the_pool():
    """A collector at a port of its own, IPv6 and one without a port are all understood."""
    for place, host, collector in (
        ("cm.example.org:9700", "cm.example.org", "cm.example.org:9700"),
        ("cm.example.org", "cm.example.org", "cm.example.org:9618"),
        ("[2001:db8::1]:9618", "[2001:db8::1]", "[2001:db8::1]:9618"),
    ):
        lines = worker_config(PoolPlace(place, "example"), _TICKET).splitlines()
        assert f"CONDOR_HOST = {host}" in lines
        assert f"COLLECTOR_HOST = {collector}" in lines


def test_an_access_point_gets_a_queue_and_no_slots(served):
    """Its token offers a queue alone; behind it are the key of that, and a token with which one can only ask."""
    status, text = served.ask(served.issue(idle=0.0))
    first, _, config = text.partition("\n")
    assert (status, first) == (
        200, f"token-1-of-w-1 {QueueKeys(served.folder, _PLACE.trust_domain).file('order-1')} token-2-of-w-1"
    )  # fmt: skip
    assert served.signer.allowed == [AUTHORIZATIONS["submit"], ("READ",)]
    lines = config.splitlines()
    assert "DAEMON_LIST = MASTER, SHARED_PORT, SCHEDD" in lines
    assert "SCHEDD_ATTRS = $(SCHEDD_ATTRS) DynamoToken DynamoGroup DynamoOffer ClassAdLifetime" in lines
    assert not any("STARTD" in line for line in lines if line.startswith(("DAEMON_LIST", "STARTD_")))


@pytest.mark.parametrize("text", ['a"b', "a\nALLOW_WRITE = *", "$(SEC_PASSWORD_FILE)", "a`b`"])
def test_a_name_cannot_become_a_setting(text):
    """What HTCondor would take for more than a text is refused, in a ticket and in the place of a pool."""
    with pytest.raises(UserError):
        worker_config(_PLACE, replace(_TICKET, group=text))
    with pytest.raises(UserError):
        PoolPlace("cm.example.org", text)
    with pytest.raises(UserError):
        revocation(_PLACE, [text])


class _Manager:
    """A central manager that remembers what it was asked."""

    def __init__(self, answer=""):
        self.answer, self.ran, self.written = answer, [], {}

    def run(self, command):
        self.ran.append(list(command))
        return self.answer

    def write(self, path, text):
        self.written[path] = text

    def fragment(self, slice_):
        return f"/revoked-{slice_}"


def test_a_worker_s_token_is_for_offering_slots():
    """What is signed names one worker, ends, and allows no more than to be there and to ask."""
    manager = _Manager("a.b.c\n")
    assert Trust(manager, _PLACE, "s").sign("w-1", 90.5) == "a.b.c"
    (command,) = manager.ran
    assert command[command.index("-identity") + 1] == "worker-w-1@example"
    assert command[command.index("-lifetime") + 1] == "90"
    allowed = [command[n + 1] for n, one in enumerate(command) if one == "-authz"]
    assert allowed == ["ADVERTISE_STARTD", "ADVERTISE_MASTER", "READ"]


def test_a_manager_that_signs_nothing_is_told():
    """An answer that is no token is an error, and not sent to a worker."""
    with pytest.raises(InfrastructureError, match="gave no token"):
        Trust(_Manager("what?"), _PLACE, "s").sign("w-1", 90)


def test_nobody_revoked_leaves_no_fragment():
    """A list that became empty refuses nobody."""
    manager = _Manager()
    Trust(manager, _PLACE, "s").revoke([])
    assert not manager.written
    assert manager.ran[1:] == [["rm", "-f", "/revoked-s"], ["condor_reconfig"]]


def test_two_slices_with_one_central_manager_keep_their_word():
    """Each has a fragment of its own."""
    manager = _Manager()
    Trust(manager, _PLACE, "dfw").revoke(["w-1"])
    Trust(manager, _PLACE, "chi").revoke(["w-2"])
    assert "worker-w-1@" in manager.written["/revoked-dfw"]
    assert "worker-w-2@" in manager.written["/revoked-chi"]


def test_many_that_were_let_go_are_named_in_several_commands():
    """No argument comes near the 128 KiB that Linux takes; each worker is named in one of them, and in the fragment."""
    manager = _Manager()
    names = [f"a-slice-of-some-length-workers-{n:08x}" for n in range(3000)]
    Trust(manager, _PLACE, "s").revoke(names)
    said = [command[-1] for command in manager.ran if "INVALIDATE_STARTD_ADS" in command]
    assert max(map(len, said)) < 64 * 1024
    assert all(sum(f"worker-{name}@" in one for one in said) == 1 for name in names)
    assert all(f"worker-{name}@" in text for name in names[::500] for text in manager.written.values())


def test_a_central_manager_on_this_machine_is_asked_here(tmp_path):
    """Commands run here, files are written whole, and what goes wrong says what and why."""
    manager = LocalManager()
    assert manager.run(["echo", "signed"]) == "signed\n"
    with pytest.raises(InfrastructureError, match=r"ls failed \(\d\).*no-such-file"):
        manager.run(["ls", "no-such-file"])
    with pytest.raises(UserError, match="no such-command on this machine"):
        manager.run(["such-command"])
    manager.write(str(tmp_path / "fragment.conf"), "A = 1\n")
    manager.write(str(tmp_path / "fragment.conf"), "A = 2\n")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("fragment.conf", "A = 2\n")]
    with pytest.raises(InfrastructureError, match="cannot write"):
        manager.write(str(tmp_path / "no-folder" / "x"), "")


def test_workers_let_go_are_named_where_htcondor_of_this_machine_looks(tmp_path, monkeypatch):
    """The fragment is in the last folder of its configuration, whoever runs it; where it names none, that is told."""
    says = tmp_path / "condor_config_val"
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    says.write_text("#!/bin/sh\necho /usr/share/condor/config.d, /home/me/config.d\n")
    says.chmod(0o755)
    assert LocalManager().fragment("dfw") == "/home/me/config.d/90-dynamo-revoked-dfw.conf"
    says.write_text("#!/bin/sh\necho\n")
    with pytest.raises(UserError, match="names no LOCAL_CONFIG_DIR"):
        LocalManager().fragment("dfw")
