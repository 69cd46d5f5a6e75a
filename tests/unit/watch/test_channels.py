"""Channels that a run file names."""

from __future__ import annotations

import asyncio

import pytest

from dynamo.errors import UserError
from dynamo.runfile.alerts import AlertsRule, FolderRule, MailRule, ProgramRule, WebhookRule
from dynamo.watch.channels import address, make_channels

GOOD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


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
    )
    assert list(made) == ["desk", "other", "box", "siren", "post"]
    assert all(channel.name == name for name, channel in made.items())
    assert GOOD not in repr(made)

    async def close():
        for channel in made.values():
            await channel.close()

    asyncio.run(close())


def test_two_of_one_name_are_refused(tmp_path):
    """Also of two kinds."""
    with pytest.raises(UserError, match="2 channels are called 'box'"):
        make_channels(
            rule(folders=[FolderRule("box", "out")], programs=[ProgramRule("box", ["true"])]), tmp_path
        )


def test_a_secret_that_is_missing_is_told_with_its_channel(tmp_path, monkeypatch):
    """And where it was looked for."""
    monkeypatch.delenv("KEY", raising=False)
    with pytest.raises(UserError, match=r"^webhook 'desk': env:KEY: .* KEY is not set"):
        make_channels(rule(webhooks=[hook()]), tmp_path)
    mail = MailRule(
        "post", "mail.example.org", "a@example.org", ["b@example.org"], user="a", password="env:KEY"
    )
    with pytest.raises(UserError, match=r"^mail 'post': env:KEY: .* KEY is not set"):
        make_channels(rule(mails=[mail]), tmp_path)


@pytest.mark.parametrize("wrong", ["hush-hush", "whsec_%%%hush%%%"])
def test_a_secret_that_is_none_is_told_without_it(tmp_path, monkeypatch, wrong):
    """Neither in the message nor in what it came from."""
    monkeypatch.setenv("KEY", wrong)
    with pytest.raises(UserError, match=r"^webhook 'desk': env:KEY: ") as error:
        make_channels(rule(webhooks=[hook()]), tmp_path)
    assert wrong not in str(error.value)
    assert error.value.__suppress_context__


def test_certificates_that_cannot_be_used_are_told(tmp_path, monkeypatch):
    """With the file, as the run file has it."""
    monkeypatch.setenv("KEY", GOOD)
    mail = MailRule("post", "mail.example.org", "a@example.org", ["b@example.org"], ca="ca.pem")
    with pytest.raises(UserError, match=r"mail 'post': the certificates in ca\.pem cannot be used"):
        make_channels(rule(mails=[mail]), tmp_path)
    with pytest.raises(UserError, match=r"ca\.pem cannot be used"):
        make_channels(rule(webhooks=[hook(ca="ca.pem")]), tmp_path)


def test_channels_of_two_feeds_have_two_addresses():
    """So that run files may share a workspace; the address of a feed begins those of all its channels."""
    assert address("a.yaml", "desk") != address("b.yaml", "desk")
    assert address("a.yaml", "desk").startswith(address("a.yaml"))
