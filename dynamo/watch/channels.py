"""The channels that a run file names, made ready to send."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dynamo.alerts.forms import Form, write
from dynamo.delivery.connections import Connections
from dynamo.delivery.folder import Folder
from dynamo.delivery.guard import Guard
from dynamo.delivery.mail import Mail, Server, check_address
from dynamo.delivery.program import Program
from dynamo.delivery.signature import Secret
from dynamo.delivery.webhook import Webhook
from dynamo.errors import UserError
from dynamo.runfile.alerts import AlertsRule, MailRule, ProgramRule, WebhookRule
from dynamo.runfile.paths import under
from dynamo.runfile.values import At
from dynamo.watch.secret import read_secret

if TYPE_CHECKING:
    from ssl import SSLContext

    from dynamo.alerts.alert import Alert
    from dynamo.delivery.channel import Channel

__all__ = ["Told", "address", "command", "make_channels"]

_Rule = TypeVar("_Rule", WebhookRule, ProgramRule, MailRule)
#: Is told where in a run file a fault is, and what.
Told = Callable[[At, str], None]


def address(feed: str, name: str = "") -> str:
    """Return what the journal calls a channel of a feed: several run files may share a workspace."""
    return f"{feed}/{name}"


def make_channels(alerts: AlertsRule, base: Path, tell: Told) -> dict[str, Channel]:
    """Return all channels of a run file in the folder `base`, by name; without those that are told to be wrong.

    `tell` gets where in the run file a fault is, and what: a secret that is missing or is none, a server, an address
    or a file of certificates that cannot be used. Nothing is looked up and nobody is connected to.
    """
    # Webhooks that may post to the same places share connections, look-ups and their bounds.
    shared: dict[tuple[str, ...], Connections] = {}
    made: list[Channel | None] = []
    for place, webhook in _each("webhooks", alerts.webhooks, tell):
        allow = tuple(webhook.allow)
        with place("allow"):
            shared[allow] = shared.get(allow) or Connections(Guard(allow))
        made.append(_webhook(webhook, base, shared.get(allow), place))
    made += [Folder(rule.name, under(base, rule.folder), rule.form) for rule in alerts.folders]
    for place, program in _each("programs", alerts.programs, tell):
        with place("run"):
            made.append(Program(program.name, command(program, base), program.form, program.timeout))
    for place, mail in _each("mails", alerts.mails, tell):
        made.append(_mail(mail, base, place))
    return {channel.name: channel for channel in made if channel is not None}


def command(rule: ProgramRule, base: Path) -> list[str]:
    """Return the command of a program; one that is named with its folder is sought from `base` on, as all paths."""
    first, *more = rule.run
    return [str(under(base, first)) if os.sep in first else first, *more]


class _Place:
    """Where a channel stands in the run file: tells what is wrong with one of its keys."""

    def __init__(self, at: At, tell: Told) -> None:
        self._at, self._tell = at, tell
        self.good = True

    def tell(self, key: str, message: str) -> None:
        """Tell a fault of `key`."""
        self.good = False
        self._tell((*self._at, key), message)

    @contextmanager
    def __call__(self, *key: str | int, name: str = "") -> Iterator[None]:
        """Take what is wrong in the body for a fault of `key`; `name` says what is meant where no text does."""
        try:
            yield
        except UserError as error:
            self.good = False
            self._tell((*self._at, *key), f"{name}: {error.message}" if name else error.message)


def _each(kind: str, rules: Sequence[_Rule], tell: Told) -> Iterator[tuple[_Place, _Rule]]:
    for index, rule in enumerate(rules):
        yield _Place(("alerts", kind, index), tell), rule


def _webhook(rule: WebhookRule, base: Path, shared: Connections | None, place: _Place) -> Webhook | None:
    secrets = []
    for number, reference in enumerate(rule.secret):
        with place("secret", number, name=f"webhook {rule.name!r}: {reference}"):
            secrets.append(Secret(read_secret(reference, base)))
    if shared is None:
        return None  # where it may lead to is not known, so its address cannot be judged
    ca = str(under(base, rule.ca)) if rule.ca else None
    with place("ca", name=f"webhook {rule.name!r}"):
        shared.trust(ca)
    with place("url"):
        shared.guard.url(rule.url, rule.name)
    return (
        Webhook(rule.name, rule.url, secrets, _writer(rule.form), ca=ca, connections=shared)
        if place.good
        else None
    )


def _writer(form: Form) -> Callable[[Alert], tuple[bytes, dict[str, str]]]:
    def written(alert: Alert) -> tuple[bytes, dict[str, str]]:
        message = write(alert, form)
        return message.body, dict(message.headers)

    return written


def _mail(rule: MailRule, base: Path, place: _Place) -> Mail | None:
    trust, password = None, ""
    if rule.ca:
        with place("ca", name=f"mail {rule.name!r}"):
            trust = _trust(rule.ca, base)
    if rule.password:
        with place("password", name=f"mail {rule.name!r}: {rule.password}"):
            password = read_secret(rule.password, base)
    if rule.user and not rule.password:
        place.tell("user", "who signs in needs a password; name it with `password: env:NAME` or `file:PATH`")
    if rule.password and not rule.user:
        place.tell("password", "nobody signs in with it; say who with `user:`, or leave it out")
    for at, written in ((("from",), rule.sender), *((("to", n), one) for n, one in enumerate(rule.to))):
        with place(*at):
            check_address(rule.name, written)
    with place("tls"):
        server = Server(rule.host, rule.port or 0, rule.tls, rule.user or "", password, trust)
    return Mail(rule.name, server, rule.sender, rule.to) if place.good else None


def _trust(ca: str, base: Path) -> SSLContext:
    import ssl

    try:
        return ssl.create_default_context(cafile=str(under(base, ca)))
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"the certificates in {ca} cannot be used: {error}") from None
