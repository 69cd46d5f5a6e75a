"""Whether a pool answers: found out before HTCondor waits for it, and never judged by what is not understood."""

from __future__ import annotations

import socket

import pytest

from dynamo.condor.schedd import answers


@pytest.fixture
def listening():
    """A port at which something answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "<127.0.0.1:{}?addrs=127.0.0.1-{}&alias=cm>"])
def test_an_address_at_which_something_answers(listening, address):
    """Also as HTCondor writes it."""
    assert answers(address.format(listening, listening)) is True


def test_an_address_at_which_nothing_does():
    """Its port is closed, or there is no such host."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert answers(f"127.0.0.1:{port}") is False
    assert answers("no-such-host.invalid") is False


@pytest.mark.parametrize("address", ["127.0.0.1:0", "", ":9618", "host:port", "[::1"])
def test_what_cannot_be_told_is_left_to_htcondor(address):
    """With port 0 the real one is in a file; what is not understood may be right all the same."""
    assert answers(address) is None
