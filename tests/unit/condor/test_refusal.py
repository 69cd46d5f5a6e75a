"""What a pool refuses, in words: who must act, and what HTCondor said."""

from __future__ import annotations

import base64
import json

import pytest

from dynamo.condor.refusal import expired, refusal

NOW = 1_800_000_000.0


def token(**claims: object) -> str:
    """A token as HTCondor writes them, but for its signature."""
    parts = ({"alg": "HS256", "kid": "POOL"}, {"iss": "pool", "sub": "dynamo@pool", **claims})
    text = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*text, "c2lnbmVk"])


@pytest.fixture
def tokens(tmp_path):
    folder = tmp_path / "tokens.d"
    folder.mkdir()
    return folder


DENIED = "\nFailed to connect to schedd: AUTHENTICATE:1003:Failed to authenticate with any method\nmore"


def test_a_schedd_that_was_started_anew_is_not_taken_for_one_that_refuses_us(tokens):
    """It knows no session of before."""
    said = refusal("ask", "SECMAN:2004:Server rejected our session id", str(tokens), reached=True)
    assert "started anew" in said
    assert "token" not in said
    gone = "Failed to fetch ads from schedd, errmsg=CEDAR:6001:Failed to connect to <10.0.0.3:9618?alias=ap>"
    assert "its schedd does not answer" in refusal("ask", gone, str(tokens), reached=True)
    other = "AUTHENTICATE:1003:Failed to create security session to <10.0.0.1> with TCP."
    assert "token" in refusal("ask", other, str(tokens), reached=True)


def test_a_token_that_has_expired_is_named(tokens):
    """Those that have not, and files that are none, are passed over."""
    (tokens / "a-good").write_text(token(exp=NOW + 1))
    (tokens / "b-for-ever").write_text(token())
    (tokens / "c-none").write_bytes(b"\xff\xfe no token")
    (tokens / "d-other").write_text(
        "a.b.c\n\n.....\n" + token(exp="soon") + "\n" + token(exp=None) + "\n" + token(exp=[1])
    )
    (tokens / "d-second").write_text("none\n" + token(exp=1))
    (tokens / "e-old").write_text(token(exp=NOW - 1) + "\n")
    (tokens / "folder").mkdir()
    assert list(expired(str(tokens), NOW)) == [str(tokens / "d-second"), str(tokens / "e-old")]
    (tokens / "d-second").unlink()
    said = refusal("submit the DAG", DENIED, str(tokens), now=NOW)
    assert said.startswith(
        f"cannot submit the DAG: your token {tokens / 'e-old'} has expired: ask the pool's admin"
    )
    assert said.endswith(
        "(Failed to connect to schedd: AUTHENTICATE:1003:Failed to authenticate with any method)"
    )


def test_a_folder_without_tokens_is_named(tokens):
    """Whether it is there or not."""
    for folder in (tokens, tokens / "none"):
        assert f"there is no token in {folder}: ask" in refusal("submit", DENIED, str(folder), now=NOW)
        assert list(expired(str(folder), NOW)) == []


def test_a_token_of_another_pool_is_told(tokens):
    """It has not expired, and the pool does not take it."""
    (tokens / "good").write_text(token(exp=NOW + 1))
    assert "the pool does not know us" in refusal("submit", DENIED, str(tokens), now=NOW)
    assert "check the token in your tokens folder" in refusal("submit", "SECMAN:2010: DENIED", "", now=NOW)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("Unable to locate local daemon", "the pool does not answer"),
        ("Failed communication with collector.", "the pool does not answer"),
        ("timed out", "the pool does not answer"),
        ("something else", "ask the pool's administrator; the schedd's own log says more (something else)"),
        ("", "(no reason given)"),
        (" \n\n", "(no reason given)"),
    ],
)
def test_who_must_act_follows_from_the_error(tokens, error, words):
    """Also where an old token lies about that has nothing to do with it."""
    (tokens / "good").write_text(token(exp=NOW + 1))
    assert words in refusal("submit", error, str(tokens), now=NOW)


def test_a_pool_that_answers_and_yet_cannot_be_spoken_to_does_not_know_us(tokens):
    """HTCondor says of both that it failed to communicate."""
    assert "there is no token in" in refusal(
        "submit", "Failed communication", str(tokens), reached=True, now=NOW
    )
