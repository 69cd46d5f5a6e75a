"""Forms: the ways in which one alert is written for those who read it, each by its name in a run file.

An `Alert` enters, a `Message` leaves: bytes and the headers of an HTTP request that carries them. `read` turns
such a request into the alert again. What can go wrong: a request that holds none (`DataError`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from dynamo.alerts import cap, cloudevents, geojson
from dynamo.alerts.alert import Alert
from dynamo.alerts.words import describe, headline
from dynamo.errors import DataError

__all__ = ["FORMS", "Form", "Message", "read", "write"]

Form = Literal["cloudevents", "cloudevents-binary", "geojson", "cap", "text"]
#: The names of all forms.
FORMS: tuple[Form, ...] = get_args(Form)


@dataclass(frozen=True, slots=True)
class Message:
    """An alert in one form.

    Parameters
    ----------
    body
        What is sent, or written to a file.
    headers
        Of the HTTP request, names in lower case; ``content-type`` is always there.
    suffix
        What the name of a file with it ends in.
    """

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""

    @property
    def content_type(self) -> str:
        """The media type of the body."""
        return self.headers["content-type"]


def write(alert: Alert, form: Form) -> Message:
    """Return `alert` in a form."""
    return _WRITERS[form](alert)


def _structured(alert: Alert) -> Message:
    return Message(*cloudevents.structured(alert), ".json")


def _binary(alert: Alert) -> Message:
    return Message(*cloudevents.binary(alert), ".geojson")


def _geojson(alert: Alert) -> Message:
    return Message(geojson.dumps(alert), {"content-type": geojson.CONTENT_TYPE}, ".geojson")


def _cap(alert: Alert) -> Message:
    return Message(cap.dumps(alert), {"content-type": cap.CONTENT_TYPE}, ".xml")


def _text(alert: Alert) -> Message:
    text = f"{headline(alert)}\n\n{describe(alert)}"
    return Message(text.encode(), {"content-type": "text/plain; charset=utf-8"}, ".txt")


_WRITERS: dict[Form, Callable[[Alert], Message]] = {
    "cloudevents": _structured,
    "cloudevents-binary": _binary,
    "geojson": _geojson,
    "cap": _cap,
    "text": _text,
}


def read(body: bytes, headers: Mapping[str, str]) -> tuple[Alert, Form]:
    """Return the alert that a request carries, and in which form; names of headers are in lower case.

    Raises
    ------
    DataError
        It carries none, or not in a form that is read: text is for people.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if cloudevents.BINARY_MARK in headers:
        return geojson.loads(body), "cloudevents-binary"
    if kind == cloudevents.CONTENT_TYPE:
        return cloudevents.read_structured(body), "cloudevents"
    if kind in {geojson.CONTENT_TYPE, "application/json"}:
        return geojson.loads(body), "geojson"
    if kind in {cap.CONTENT_TYPE, "application/xml", "text/xml"}:
        return cap.loads(body), "cap"
    raise DataError(f"an alert is not told by {kind or 'a body without content-type'}")
