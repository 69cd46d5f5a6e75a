"""Channels that a run file names."""

from __future__ import annotations

import asyncio

import pytest

from dynamo.errors import UserError
from dynamo.runfile.alerts import AlertsRule, FolderRule, MailRule, ProgramRule, WebhookRule
from dynamo.watch.channels import address, command, make_channels

GOOD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def refuse(_at, message):
    """Stop at the first fault."""
    raise UserError(message)


def rule(**channels) -> AlertsRule:
    """An alerts section with these channels."""
    return AlertsRule("people.csv", **channels)


def hook(name="desk", secret="env:KEY", **more) -> WebhookRule:
    """A webhook."""
    return WebhookRule(name, "https://alerts.example.org/in", [secret], **more)


def test_each_kind_of_channel_is_made_under_its_name(tmp_path, monkeypatch):
    """Webhook, folder, program and mail."""
    monkeypatch.setenv("KEY", GOOD)
    made = make_channels(
        rule(
            webhooks=[hook(), hook("other")],
            folders=[FolderRule("box", "out")],
            programs=[ProgramRule("siren", ["true"])],
            mails=[MailRule("post", "mail.example.org", "from@example.org", ["to@example.org"])],
        ),
        tmp_path,
        refuse,
    )
    assert list(made) == ["desk", "other", "box", "siren", "post"]
    assert all(channel.name == name for name, channel in made.items())
    assert GOOD not in repr(made)

    async def close():
        for channel in made.values():
            await channel.close()

    asyncio.run(close())


def test_all_faults_are_told_each_at_its_key(tmp_path, monkeypatch):
    """What is right is made all the same; no name is looked up."""
    monkeypatch.setenv("KEY", GOOD)
    monkeypatch.delenv("GONE", raising=False)
    monkeypatch.setattr("socket.getaddrinfo", None)
    told = {}
    made = make_channels(
        rule(
            webhooks=[
                hook("a"),
                WebhookRule("b", "http://10.0.0.1/", ["env:KEY", "env:GONE", "file:none"], ca="ca.pem"),
                WebhookRule("c", "http://10.0.0.1/", ["env:KEY"], allow=["10.0.0.0/8"]),
                WebhookRule("d", "http://10.0.0.1/", ["env:GONE"], allow=["http://x"]),
                WebhookRule("e", "http://user@example.org/", ["env:KEY"]),
            ],
            programs=[ProgramRule("f", ["a\0b"])],
            mails=[
                MailRule("g", "example.org", "no address", ["b@example.org", "none"]),
                MailRule("h", "example.org", "a@example.org", ["b@example.org"], user="u", tls="none"),
                MailRule(
                    "i", "example.org", "a@example.org", ["b@example.org"], user="u", password="env:GONE"
                ),
                MailRule("j", "example.org", "a@example.org", ["b@example.org"], password="env:KEY"),
            ],
        ),
        tmp_path,
        told.setdefault,
    )
    assert list(made) == ["a", "c"]
    assert [at[1:] for at in told] == [
        ("webhooks", 1, "secret", 1),
        ("webhooks", 1, "secret", 2),
        ("webhooks", 1, "ca"),
        ("webhooks", 1, "url"),
        ("webhooks", 3, "allow"),
        ("webhooks", 3, "secret", 0),
        ("webhooks", 4, "url"),
        ("programs", 0, "run"),
        ("mails", 0, "from"),
        ("mails", 0, "to", 1),
        ("mails", 1, "user"),
        ("mails", 1, "tls"),
        ("mails", 2, "password"),
        ("mails", 3, "password"),
    ]
    assert (
        "its URL names the private address 10.0.0.1; put 10.0.0.1 under `allow`"
        in told["alerts", "webhooks", 1, "url"]
    )
    assert "env:GONE: the environment variable GONE is not set" in told["alerts", "webhooks", 1, "secret", 1]
    assert "user" not in told["alerts", "webhooks", 4, "url"].replace("user name", "")


def test_a_program_with_a_folder_in_its_name_lies_beside_the_run_file(tmp_path):
    """As all paths in it; one without is sought on the path of the system, and arguments stay as they are."""
    assert command(ProgramRule("a", ["./ring", "./x"]), tmp_path) == [str(tmp_path / "ring"), "./x"]
    assert command(ProgramRule("a", ["/bin/ring"]), tmp_path) == ["/bin/ring"]
    assert command(ProgramRule("a", ["ring"]), tmp_path) == ["ring"]


def test_a_secret_that_is_missing_is_told_with_its_channel(tmp_path, monkeypatch):
    """And where it was looked for."""
    monkeypatch.delenv("KEY", raising=False)
    with pytest.raises(UserError, match=r"^webhook 'desk': env:KEY: .* KEY is not set"):
        make_channels(rule(webhooks=[hook()]), tmp_path, refuse)
    mail = MailRule(
        "post", "mail.example.org", "a@example.org", ["b@example.org"], user="a", password="env:KEY"
    )
    with pytest.raises(UserError, match=r"^mail 'post': env:KEY: .* KEY is not set"):
        make_channels(rule(mails=[mail]), tmp_path, refuse)


@pytest.mark.parametrize("wrong", ["hush-hush", "whsec_%%%hush%%%"])
def test_a_secret_that_is_none_is_told_without_it(tmp_path, monkeypatch, wrong):
    """Neither in the message nor in what it came from."""
    monkeypatch.setenv("KEY", wrong)
    with pytest.raises(UserError, match=r"^webhook 'desk': env:KEY: ") as error:
        make_channels(rule(webhooks=[hook()]), tmp_path, refuse)
    assert wrong not in str(error.value)
    assert wrong not in repr(error.value.__context__)


def test_certificates_that_cannot_be_used_are_told(tmp_path, monkeypatch):
    """With the file, as the run file has it."""
    monkeypatch.setenv("KEY", GOOD)
    mail = MailRule("post", "mail.example.org", "a@example.org", ["b@example.org"], ca="ca.pem")
    with pytest.raises(UserError, match=r"mail 'post': the certificates in ca\.pem cannot be used"):
        make_channels(rule(mails=[mail]), tmp_path, refuse)
    with pytest.raises(UserError, match=r"ca\.pem cannot be used"):
        make_channels(rule(webhooks=[hook(ca="ca.pem")]), tmp_path, refuse)


def test_channels_of_two_feeds_have_two_addresses():
    """So that run files may share a workspace; the address of a feed begins those of all its channels."""
    assert address("a.yaml", "desk") != address("b.yaml", "desk")
    assert address("a.yaml", "desk").startswith(address("a.yaml"))
