"""Alert: what one subscriber is told of one hazard, and how it hangs together with what was told before.

Frozen data and its JSON, nothing else. What can go wrong: a text that is no alert (`InternalError`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from dynamo.errors import InternalError

__all__ = ["Alert", "Kind", "Reference"]

Kind = Literal["new", "updated", "cancelled"]


@dataclass(frozen=True, slots=True)
class Reference:
    """An earlier alert of the same episode: its id, and when it was made."""

    id: str
    sent: datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """One change that one subscriber is told.

    Parameters
    ----------
    id
        Of this very alert; the same alert always has the same one.
    episode
        The same from the first alert to the all clear.
    revision
        0 for the first of an episode, then one more for each.
    kind
        ``new``, ``updated`` or ``cancelled``.
    feed
        The workflow whose products were judged.
    run
        Which run made them.
    subscriber, lon, lat
        Who is told, and where that is (WGS 84 degrees).
    hazard, level, units
        What comes, and the highest level of it. Of a cancelled one the lowest that the subscriber asks for, of which
        there is none any more; where he asks for any, the last that was told.
    issued
        Analysis time of the data.
    sent
        When the alert was made.
    onset, ends
        From when to when the hazard is within the distance asked for; None where it is not (any more).
    inside
        Whether the place lies within the hazard itself.
    distance_km, bearing_deg
        To the nearest edge at its nearest (0 within), to the metre; the bearing clockwise from north, to a tenth of a
        degree. Of a cancelled one as it was told last.
    within_km
        The distance that the subscriber asked for.
    expires
        From when on it should not be believed without another.
    references
        What it replaces, oldest first; of more than 20 the first and the newest.
    polygons
        GeoJSON geometry of the hazard near the place, at its highest level; None where there is none.
    source
        Digest of the product that it was read from.
    exercise
        A test: nobody is in danger.
    """

    id: str
    episode: str
    revision: int
    kind: Kind
    feed: str
    run: str
    subscriber: str
    lon: float
    lat: float
    hazard: str
    level: float
    units: str
    issued: datetime
    sent: datetime
    onset: datetime | None
    ends: datetime | None
    inside: bool
    distance_km: float
    bearing_deg: float
    within_km: float
    expires: datetime
    references: tuple[Reference, ...] = ()
    polygons: dict[str, Any] | None = None
    source: str = ""
    exercise: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values; times are RFC 3339, UTC."""
        return {name: _plain(getattr(self, name)) for name in _NAMES}

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> Alert:
        """Return what `to_json` gave.

        Raises
        ------
        InternalError
            It is no alert.
        """
        try:
            values = {name: said[name] for name in _NAMES}
            for name in ("issued", "sent", "onset", "ends", "expires"):
                values[name] = values[name] and datetime.fromisoformat(values[name])
            values["references"] = tuple(
                Reference(r["id"], datetime.fromisoformat(r["sent"])) for r in values["references"]
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InternalError(f"the journal holds an alert that cannot be read: {error!r}") from error
        if values["kind"] not in get_args(Kind):
            raise InternalError(f"the journal holds an alert of an unknown kind: {values['kind']!r}")
        return cls(**values)


_NAMES = tuple(field.name for field in fields(Alert))
_PLAIN = frozenset({float, int, str, bool, type(None)})


def _plain(value: Any) -> Any:
    # The many numbers of a polygon first; `asdict` would copy each of them.
    if type(value) in _PLAIN:
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, Reference):
        return {"id": value.id, "sent": _plain(value.sent)}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
