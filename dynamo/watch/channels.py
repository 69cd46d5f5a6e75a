"""The channels that a run file names, made ready to send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dynamo.alerts.forms import Form, write
from dynamo.delivery.connections import Connections
from dynamo.delivery.folder import Folder
from dynamo.delivery.guard import Guard
from dynamo.delivery.mail import Mail, Server
from dynamo.delivery.program import Program
from dynamo.delivery.signature import Secret
from dynamo.delivery.webhook import Webhook
from dynamo.errors import UserError
from dynamo.runfile.alerts import AlertsRule, MailRule, WebhookRule
from dynamo.runfile.paths import under
from dynamo.watch.secret import read_secret

if TYPE_CHECKING:
    from dynamo.alerts.alert import Alert
    from dynamo.delivery.channel import Channel

__all__ = ["address", "make_channels"]

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def address(feed: str, name: str = "") -> str:
    """Return what the journal calls a channel of a feed: several run files may share a workspace."""
    return f"{feed}/{name}"


def make_channels(alerts: AlertsRule, base: Path) -> dict[str, Channel]:
    """Return all channels of a run file in the folder `base`, by name.

    Raises
    ------
    UserError
        Two have one name; a secret is missing or is none; a server or address cannot be used.
    """
    # Webhooks that may post to the same places share connections, look-ups and their bounds.
    shared = {key: Connections(Guard(key)) for key in {tuple(rule.allow) for rule in alerts.webhooks}}
    made: list[Channel] = [_webhook(rule, base, shared[tuple(rule.allow)]) for rule in alerts.webhooks]
    made += [Folder(rule.name, under(base, rule.folder), rule.form) for rule in alerts.folders]
    made += [Program(rule.name, rule.run, rule.form, rule.timeout) for rule in alerts.programs]
    made += [_mail(rule, base) for rule in alerts.mails]
    name, count = Counter(channel.name for channel in made).most_common(1)[0] if made else ("", 0)
    if count > 1:
        raise UserError(f"alerts: {count} channels are called {name!r}; give each a name of its own")
    return {channel.name: channel for channel in made}


def _webhook(rule: WebhookRule, base: Path, shared: Connections) -> Webhook:
    secrets = [_secret(rule.name, reference, base) for reference in rule.secret]
    ca = str(under(base, rule.ca)) if rule.ca else None
    return Webhook(rule.name, rule.url, secrets, _writer(rule.form), ca=ca, connections=shared)


def _secret(name: str, reference: str, base: Path) -> Secret:
    with _named(f"webhook {name!r}: {reference}"):
        return Secret(read_secret(reference, base))


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say in an error which secret is meant; no error holds one."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {error.message}") from None


def _writer(form: Form) -> Callable[[Alert], tuple[bytes, dict[str, str]]]:
    def written(alert: Alert) -> tuple[bytes, dict[str, str]]:
        message = write(alert, form)
        return message.body, dict(message.headers)

    return written


def _mail(rule: MailRule, base: Path) -> Mail:
    trust = None
    if rule.ca:
        import ssl

        try:
            trust = ssl.create_default_context(cafile=str(under(base, rule.ca)))
        except (OSError, ssl.SSLError) as error:
            raise UserError(
                f"mail {rule.name!r}: the certificates in {rule.ca} cannot be used: {error}"
            ) from None
    password = ""
    if rule.password:
        with _named(f"mail {rule.name!r}: {rule.password}"):
            password = read_secret(rule.password, base)
    server = Server(rule.host, rule.port or _PORTS[rule.tls], rule.tls, rule.user or "", password, trust)
    return Mail(rule.name, server, rule.sender, rule.to)
