"""The `alerts` section of a run file: who is told, of what, and by which channels.

Secrets are named here, not held: ``env:NAME`` or ``file:PATH``; they are read when a watch begins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from dynamo.alerts.forms import FORMS, Form
from dynamo.errors import nearest
from dynamo.graph.units import parse_duration
from dynamo.runfile.keys import (
    COUNT,
    DURATION,
    KEYS,
    NEEDED,
    TEXT,
    TEXTS,
    Key,
    form_of,
    items,
    mapping,
    one_of,
    rule,
)
from dynamo.runfile.trigger import choice
from dynamo.runfile.values import At, Tell, by, count, some_seconds, text, text_by, texts

__all__ = [
    "AlertsRule", "FolderRule", "MailRule", "MatchRule", "PositionsRule", "ProgramRule", "WebhookRule", "parse_km",
    "parse_level", "read_alerts",
]  # fmt: skip

#: What programs read; text is for people, and mail has it anyway.
_FORMS = tuple(form for form in FORMS if form != "text")

_KM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(km|m|mi|nmi)?\s*")
_IN_KM = {"km": 1.0, "m": 0.001, "mi": 1.609344, "nmi": 1.852}
_LEVEL = re.compile(r"\s*(?:>=)?\s*(-?\d+(?:\.\d+)?)\s*")


def parse_km(value: Any) -> float:
    """Return kilometres from ``"10 km"``, ``"6 mi"`` or a plain number (km).

    Raises `ValueError` in plain words.

    >>> parse_km("500 m")
    0.5
    """
    found = _KM.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise ValueError(f"{value!r} is no distance like '10 km' or '6 mi'")
    return float(found[1]) * _IN_KM[found[2] or "km"]


def parse_level(value: Any) -> float:
    """Return the lowest level from ``">= 45"`` or a plain number, in the units of the product.

    Raises `ValueError` in plain words.

    >>> parse_level(">= 45")
    45.0
    """
    found = _LEVEL.fullmatch(str(value)) if not isinstance(value, bool) else None
    if found is None:
        raise ValueError(f"{value!r} is no lowest level like '>= 45'")
    return float(found[1])


@dataclass(frozen=True, slots=True)
class MatchRule:
    """Who is told of what, unless a subscriber says it for himself."""

    hazard: str
    level: float = float("-inf")
    within: float = 0.0
    lead: float | None = None
    to: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class WebhookRule:
    """An endpoint that alerts are posted to, signed after Standard Webhooks."""

    name: str
    url: str
    secret: list[str]
    form: Form = "cloudevents"
    allow: list[str] = field(default_factory=list)
    ca: str | None = None


@dataclass(frozen=True, slots=True)
class FolderRule:
    """A folder into which each alert is put as a file."""

    name: str
    folder: str
    form: Form = "geojson"


@dataclass(frozen=True, slots=True)
class ProgramRule:
    """A program that is given each alert on its standard input."""

    name: str
    run: list[str]
    form: Form = "geojson"
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class MailRule:
    """A mailbox that each alert is sent to."""

    name: str
    host: str
    sender: str
    to: list[str]
    port: int | None = None
    user: str | None = None
    password: str | None = None
    tls: Literal["starttls", "tls", "none"] = "starttls"
    ca: str | None = None


@dataclass(frozen=True, slots=True)
class PositionsRule:
    """Who may post new positions of subscribers, and for how many seconds such a position holds."""

    token: str | None = None
    keep: float = 3600.0


@dataclass(frozen=True, slots=True)
class AlertsRule:
    """Who is told of which hazards, and how."""

    subscribers: str
    rules: list[MatchRule] = field(default_factory=list)
    products: list[str] = field(default_factory=lambda: ["*.geojson", "*.geojson.gz"])
    faults: Literal["refuse", "skip"] = "refuse"
    clear_after: int = 3
    webhooks: list[WebhookRule] = field(default_factory=list)
    folders: list[FolderRule] = field(default_factory=list)
    programs: list[ProgramRule] = field(default_factory=list)
    mails: list[MailRule] = field(default_factory=list)
    positions: PositionsRule = PositionsRule()

    @property
    def names(self) -> list[str]:
        """Of all channels."""
        channels: tuple[list[Any], ...] = (self.webhooks, self.folders, self.programs, self.mails)
        return [channel.name for several in channels for channel in several]


def _secret(value: str) -> None:
    if not value.startswith(("env:", "file:")):
        raise ValueError("a secret does not stand in a run file; write env:NAME or file:PATH")


def _secrets(value: Any, at: Any, tell: Any) -> Any:
    found = texts(value, at, tell)
    for one in found if isinstance(found, list) else []:
        try:
            _secret(str(one))
        except ValueError as error:
            tell(at, str(error))
    return found


def _url(value: str) -> None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(value)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"{value!r} is no address like https://alerts.example.org/in")


_NAME = Key(text, TEXT, "What rules and subscribers call this channel.")
_FORM = Key(choice(*_FORMS), {"enum": list(_FORMS)}, "How the alert is written.")
_SECRETS = Key(
    _secrets, one_of(TEXT, TEXTS), "env:NAME or file:PATH of the secret; several while it changes."
)
_CA = Key(text, TEXT, "A file of the only certificates that are trusted, in place of those of the system.")


def _list(form: type, said: str) -> Key:
    several = {"type": "array", "items": form_of(form), "minItems": 1}
    return Key(items(form), one_of(form_of(form), several), said)


KEYS[MatchRule] = {
    "hazard": Key(text, TEXT, "The kind of hazard, as the products call it, like STORM."),
    "level": Key(by(parse_level), one_of(TEXT, {"type": "number"}), "The lowest level, like '>= 45'."),
    "within": Key(by(parse_km), one_of(TEXT, {"type": "number", "minimum": 0}), "How near, like '10 km'."),
    "lead": Key(by(parse_duration), DURATION, "How far ahead, like '30 min'."),
    "to": Key(texts, one_of(TEXT, TEXTS), "Names of channels; all of them by default."),
}
KEYS[WebhookRule] = {
    "name": _NAME,
    "url": Key(text_by(_url), TEXT, "Where to; http or https."),
    "secret": _SECRETS,
    "form": _FORM,
    "allow": Key(texts, one_of(TEXT, TEXTS), "Private names, addresses or networks that it may lead to."),
    "ca": _CA,
}
KEYS[FolderRule] = {
    "name": _NAME,
    "folder": Key(text, TEXT, "Which folder, relative to the run file."),
    "form": _FORM,
}
KEYS[ProgramRule] = {
    "name": _NAME,
    "run": Key(texts, one_of(TEXT, TEXTS), "The program and its arguments."),
    "form": _FORM,
    "timeout": Key(by(some_seconds), TEXT, "It is ended after so long."),
}
KEYS[MailRule] = {
    "name": _NAME,
    "host": Key(text, TEXT, "The mail server."),
    "port": Key(count, COUNT, "Its port; by default that of `tls`."),
    "from": Key(text, TEXT, "The address that it comes from.", "sender"),
    "to": Key(texts, one_of(TEXT, TEXTS), "The addresses that it goes to."),
    "user": Key(text, TEXT, "Who signs in there."),
    "password": Key(text_by(_secret), TEXT, "env:NAME or file:PATH of the password."),
    "tls": Key(
        choice("starttls", "tls", "none"), {"enum": ["starttls", "tls", "none"]}, "How it is kept private."
    ),
    "ca": _CA,
}
KEYS[PositionsRule] = {
    "token": Key(
        text_by(_secret), TEXT, "env:NAME or file:PATH of what who posts positions must show as bearer token."
    ),
    "keep": Key(
        by(some_seconds),
        {**TEXT, "default": "1 h"},
        "For so long it holds; then the file's does again.",
    ),
}
KEYS[AlertsRule] = {
    "subscribers": Key(text, TEXT, "A GeoJSON or CSV file of those who are told."),
    "rules": _list(MatchRule, "For subscribers that say none of their own."),
    "products": Key(texts, one_of(TEXT, TEXTS), "Globs of the names of products that hold hazards."),
    "faults": Key(
        choice("refuse", "skip"),
        {"enum": ["refuse", "skip"], "default": "refuse"},
        "What is done where lines of subscribers are wrong: nothing begins, or they are left out and told.",
    ),
    "clear_after": Key(count, {**COUNT, "default": 3}, "So many cycles must be clear before the all-clear."),
    "webhooks": _list(WebhookRule, "Endpoints."),
    "folders": _list(FolderRule, "Folders."),
    "programs": _list(ProgramRule, "Programs."),
    "mails": _list(MailRule, "Mailboxes."),
    "positions": Key(
        rule(PositionsRule), form_of(PositionsRule), "How subscribers that move say where they are."
    ),
}
NEEDED.update(
    {
        AlertsRule: ("subscribers",),
        MatchRule: ("hazard",),
        WebhookRule: ("name", "url", "secret"),
        FolderRule: ("name", "folder"),
        ProgramRule: ("name", "run"),
        MailRule: ("name", "host", "from", "to"),
    }
)


def read_alerts(value: Any, at: At, tell: Tell) -> AlertsRule | None:
    """Read the section; the channels that its rules name must be there, each name once."""
    before = len(tell)
    alerts: AlertsRule | None = mapping(AlertsRule, value, at, tell)
    if alerts is None or len(tell) > before:
        return alerts
    names: dict[str, At] = {}
    for kind in ("webhooks", "folders", "programs", "mails"):
        for index, channel in enumerate(getattr(alerts, kind)):
            here = (*at, kind, index, "name")
            if names.setdefault(channel.name, here) != here:
                tell(here, f"{channel.name!r} is the name of a channel above; give each its own")
    for index, one in enumerate(alerts.rules):
        for number, name in enumerate(one.to):
            if name not in names:
                tell(
                    (*at, "rules", index, "to", number), f"there is no channel {name!r}{nearest(name, names)}"
                )
    return alerts
