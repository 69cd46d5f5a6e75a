"""CAP 1.2: an alert as XML of the Common Alerting Protocol (OASIS Standard, 1 July 2010), and back.

http://docs.oasis-open.org/emergency/cap/v1.2/CAP-v1.2-os.html (section numbers below are its)

What the standard leaves to the sender is decided here:

=========== ====================================================================================================
element     is
=========== ====================================================================================================
scope       Private, with the subscriber as its address
urgency     Immediate: within `IMMEDIATE` of now, or here; Expected: within the next hour; Future: later;
            Past: all clear
severity    by level: see `SEVERITY`; Unknown for units that it does not hold; Minor for an all clear
certainty   Observed: there at analysis time, or over; Likely: forecast for up to `LIKELY` after it; Possible: later
areas       one of the hazard's polygons, one of the circle that the subscriber asked about
parameters  all other facts, by the names that `Alert` has
=========== ====================================================================================================

A CAP polygon has no holes: the outer ring alone is sent, so what lies in a hole is told as hit; distance and
direction in the text are those of the real shape. Times are whole seconds. Identifiers may not hold spaces, commas,
``<`` and ``&`` (3.2.1): such characters are percent-encoded, so different alerts stay different.

An `Alert` enters, bytes leave. What can go wrong: bytes that are no such message (`DataError`).
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

from dynamo.alerts.alert import Alert
from dynamo.alerts.reading import alert_from
from dynamo.alerts.words import describe, hazard_words, headline, now_of, plain, where
from dynamo.errors import DataError

__all__ = ["CONTENT_TYPE", "IMMEDIATE", "LIKELY", "NAMESPACE", "SENDER", "SEVERITY", "dumps", "loads"]

CONTENT_TYPE = "application/cap+xml"
NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SENDER = "dynamo-weather"

#: Urgency is Immediate up to this.
IMMEDIATE = timedelta(minutes=10)
#: Extrapolated echoes are more likely right than wrong for about this long.
LIKELY = timedelta(minutes=30)

#: Units to (from this level on, severity), highest first. dBZ: extreme, heavy and moderate of the FAA Aeronautical
#: Information Manual 7-1-13. mm of hail and m s-1 of wind: the "severe" and "significant severe" of the US National
#: Weather Service (1 and 2 inches, 50 and 65 knots).
SEVERITY: dict[str, tuple[tuple[float, str], ...]] = {
    "dBZ": ((50.0, "Extreme"), (40.0, "Severe"), (30.0, "Moderate"), (-999.0, "Minor")),
    "mm": ((50.8, "Extreme"), (25.4, "Severe"), (0.0, "Moderate")),
    "m s-1": ((33.4, "Extreme"), (25.7, "Severe"), (0.0, "Moderate")),
}

_TYPES = {"new": "Alert", "updated": "Update", "cancelled": "Cancel"}
_KINDS = {said: kind for kind, said in _TYPES.items()}
_SAFE = "".join(c for c in string.printable if "!" <= c <= "~" and c not in "%,<>&\"'")
_PARAMETERS = (
    "id", "episode", "revision", "feed", "run", "subscriber", "lon", "lat", "hazard", "level", "units",
    "issued", "ends", "inside", "distance_km", "bearing_deg", "within_km", "source",
)  # fmt: skip


def dumps(alert: Alert, sender: str = SENDER) -> bytes:
    """Return the message as UTF-8; `sender` names who answers for it, best a domain name of theirs (3.2.1)."""
    root = ET.Element(_tag("alert"))
    _fill(root, _head(alert, _name(sender)))
    info = ET.SubElement(root, _tag("info"))
    _fill(info, _info(alert))
    for name, value in _parameters(alert):
        _fill(ET.SubElement(info, _tag("parameter")), [("valueName", name), ("value", value)])
    for area in _areas(alert):
        _fill(ET.SubElement(info, _tag("area")), area)
    said: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True, default_namespace=NAMESPACE)
    return said


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _fill(element: ET.Element, texts: Iterable[tuple[str, str]]) -> None:
    for name, text in texts:
        ET.SubElement(element, _tag(name)).text = text


def _head(alert: Alert, sender: str) -> Iterator[tuple[str, str]]:
    yield "identifier", _name(alert.id)
    yield "sender", sender
    yield "sent", _time(alert.sent)
    yield "status", "Exercise" if alert.exercise else "Actual"
    yield "msgType", _TYPES[alert.kind]
    yield "source", plain(alert.feed)
    yield "scope", "Private"
    yield "addresses", f'"{plain(alert.subscriber).replace(chr(34), chr(39))}"'  # quoted: it may hold spaces
    if alert.exercise:
        yield "note", "This is an exercise: nobody is in danger."
    if alert.references:
        said = (f"{sender},{_name(r.id)},{_time(r.sent)}" for r in alert.references)
        yield "references", " ".join(said)
    yield "incidents", _name(alert.episode)


def _info(alert: Alert) -> Iterator[tuple[str, str]]:
    over = alert.kind == "cancelled"
    yield "language", "en-US"
    yield "category", "Met"
    yield "event", plain(alert.hazard)
    yield "responseType", "AllClear" if over else "Monitor"
    yield "urgency", "Past" if over else _urgency(alert)
    yield "severity", "Minor" if over else _severity(alert)
    yield "certainty", "Observed" if over else _certainty(alert)
    if alert.onset:
        yield "onset", _time(alert.onset)
    yield "expires", _time(alert.expires)
    yield "headline", headline(alert)
    yield "description", describe(alert)


def _urgency(alert: Alert) -> str:
    if alert.onset is None:
        return "Unknown"
    lead = alert.onset - now_of(alert)
    if lead <= IMMEDIATE:
        return "Immediate"
    return "Expected" if lead <= timedelta(hours=1) else "Future"


def _severity(alert: Alert) -> str:
    steps = SEVERITY.get(alert.units, ())
    return next((severity for level, severity in steps if alert.level >= level), "Unknown")


def _certainty(alert: Alert) -> str:
    if alert.onset is None:
        return "Unknown"
    lead = alert.onset - alert.issued
    if lead <= timedelta(0):
        return "Observed"
    return "Likely" if lead <= LIKELY else "Possible"


def _parameters(alert: Alert) -> Iterator[tuple[str, str]]:
    said = replace(alert, polygons=None).to_json()
    for name in _PARAMETERS:
        value = said[name]
        if value is not None:
            yield name, str(value).lower() if isinstance(value, bool) else plain(str(value))


def _areas(alert: Alert) -> Iterator[list[tuple[str, str]]]:
    if alert.polygons:
        rings = [_ring(polygon[0]) for polygon in _polygons(alert.polygons)]
        yield [("areaDesc", f"{hazard_words(alert)} or more"), *(("polygon", ring) for ring in rings)]
    circle = f"{_degrees(alert.lat)},{_degrees(alert.lon)} {_degrees(alert.within_km)}"
    yield [("areaDesc", where(alert)), ("circle", circle)]


def _polygons(geometry: dict[str, Any]) -> list[Any]:
    coordinates: list[Any] = geometry["coordinates"]
    return [coordinates] if geometry["type"] == "Polygon" else coordinates


def _ring(ring: list[Any]) -> str:
    """Return a ring as latitude,longitude pairs, the first again at the end (3.2.4)."""
    pairs = [f"{_degrees(position[1])},{_degrees(position[0])}" for position in ring]
    return " ".join(pairs if pairs[0] == pairs[-1] else [*pairs, pairs[0]])


def _degrees(value: float) -> str:
    return f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".")  # + 0.0: no minus zero


def _time(time: datetime) -> str:
    """Return a time as 3.3.2 has it: whole seconds, and UTC written as ``-00:00``."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S}-00:00"


def _name(text: str) -> str:
    return quote(plain(text), safe=_SAFE)


def loads(body: bytes) -> Alert:
    """Return the alert of a message that `dumps` made; times to the second, polygons without holes.

    Raises
    ------
    DataError
        It is no XML, or no CAP message of an alert of ours.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314 - Expat since 2.4.1 bounds entities, and reads no outside one
    except (ET.ParseError, ValueError, LookupError) as error:  # or an encoding that is none
        raise DataError(f"this is no XML: {error}") from None
    at = {"": NAMESPACE}
    info = root.find("info", at)
    if root.tag != _tag("alert") or info is None:
        raise DataError("this is no CAP 1.2 message with an info")
    text = {child.tag.rpartition("}")[2]: child.text or "" for element in (info, root) for child in element}
    said: dict[str, Any] = {"source": "", "units": "", "ends": None, "onset": text.get("onset")}
    for parameter in info.findall("parameter", at):
        said[parameter.findtext("valueName", "", at)] = parameter.findtext("value", "", at)
    try:
        said |= {"sent": text["sent"], "expires": text["expires"], "kind": _KINDS[text["msgType"]]}
        said |= {"exercise": text["status"] != "Actual"}
        said |= {"references": [_reference(each) for each in text.get("references", "").split()]}
        said |= {"polygons": _geometry([p.text or "" for p in info.iterfind("area/polygon", at)])}
    except (KeyError, ValueError, IndexError) as error:
        raise DataError(f"this is no CAP message of an alert: {error!r}") from None
    return alert_from(said)


def _reference(said: str) -> dict[str, str]:
    _, identifier, sent = said.split(",")
    return {"id": unquote(identifier), "sent": sent}


def _geometry(polygons: list[str]) -> dict[str, Any] | None:
    rings = [[[float(x) for x in pair.split(",")[::-1]] for pair in text.split()] for text in polygons]
    if not rings:
        return None
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
