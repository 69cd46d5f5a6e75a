"""Signatures of webhooks, judged by the reference package."""

from __future__ import annotations

import base64
import time
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from dynamo.delivery.signature import TOLERANCE, Secret, sign, verify
from dynamo.errors import UserError

ONE = "whsec_" + base64.b64encode(b"first secret, of 24 byte").decode()
TWO = "whsec_" + base64.b64encode(b"another one of some bytes").decode()


@given(st.binary(min_size=1, max_size=64), st.text(max_size=200))
def test_the_reference_package_verifies_what_is_signed(key, text):
    """Any key, any text: `standardwebhooks` accepts the headers."""
    secret = "whsec_" + base64.b64encode(key).decode()
    body = text.encode("utf-8", "replace")
    headers = sign([Secret(secret)], "msg_1", int(time.time()), body)
    Webhook(secret).verify(body, headers, json_parse=False)
    assert verify([Secret(secret)], headers, body, time.time()) == ""


def test_each_of_two_secrets_verifies_while_they_are_exchanged():
    """One header holds a signature for each secret."""
    headers = sign([Secret(ONE), Secret(TWO)], "msg_1", int(time.time()), b"{}")
    for secret in (ONE, TWO):
        Webhook(secret).verify(b"{}", headers)
        assert verify([Secret(secret)], headers, b"{}", time.time()) == ""


def test_we_verify_what_the_reference_package_signs():
    """The other way round."""
    from datetime import UTC, datetime

    at = datetime.now(UTC).replace(microsecond=0)
    headers = {
        "webhook-id": "m", "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": "v1a,AAAA v1,AAAA " + Webhook(ONE).sign("m", at, '{"a": 1}'),
    }  # fmt: skip
    assert verify([Secret(ONE)], headers, b'{"a": 1}', at.timestamp()) == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-id": "other"}, "another secret"),
        ({"webhook-signature": "v1,é"}, "another secret"),
        ({"webhook-signature": ""}, "not signed"),
        ({"webhook-timestamp": "12h"}, "no number"),
        ({"webhook-timestamp": "9" * 400}, "no number"),
        ({"webhook-timestamp": "²"}, "no number"),
        ({"webhook-timestamp": "1"}, "away from the time"),
    ],
)
def test_what_was_changed_is_not_believed(change, why):
    """Each header counts."""
    headers = sign([Secret(ONE)], "m", 1000, b"{}") | change
    assert why in verify([Secret(ONE)], headers, b"{}", 1000.0)


def test_old_and_future_webhooks_are_not_believed():
    """Five minutes either way."""
    headers = sign([Secret(ONE)], "m", 10_000, b"")
    assert verify([Secret(ONE)], headers, b"", 10_000 + TOLERANCE) == ""
    assert verify([Secret(ONE)], headers, b"", 10_001 + TOLERANCE)
    assert verify([Secret(ONE)], headers, b"", 9_999 - TOLERANCE)
    assert verify([], headers, b"", 10_000)


@pytest.mark.parametrize("text", ["hunter2", "whsec_", "whsec_hunter2!", "whsec_ünter2aaaa"])
def test_a_wrong_secret_is_refused_and_not_shown(text):
    """Neither message nor traceback holds it."""
    with pytest.raises(UserError, match="whsec_") as caught:
        Secret(text)
    told = "".join(traceback.format_exception(caught.value))
    assert "nter2" not in told


def test_a_secret_hides_itself():
    """In repr, str and f-strings."""
    assert base64.b64encode(b"first").decode()[:5] not in f"{Secret(ONE)!r} {Secret(ONE)}"
    assert repr(Secret(ONE)) == "Secret(whsec_...)"
