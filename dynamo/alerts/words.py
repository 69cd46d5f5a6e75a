"""Words: an alert as people read it, for mail, logs, the head lines of CAP, and the receiver.

An `Alert` enters, plain text leaves; times are UTC, as everywhere. Nothing can go wrong: names come from outside,
and whatever would not be text on one line (line breaks, control characters, broken Unicode) is taken out.

Minutes to come are counted from when the alert was made. Of old data that is played again, which is made long
after its analysis time, they are counted from the analysis time, which is named where else *now* is said.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from dynamo.alerts.alert import Alert

__all__ = ["compass", "describe", "hazard_words", "headline", "now_of", "plain", "sentence", "where"]

#: Made later than this after the analysis, or earlier than this before it, the data is played again.
REPLAY = timedelta(hours=1)

#: Hazards whose levels are classes, without a unit: from which level on they are what.
CLASSES = {"HAIL": ((2.5, "graupel or small hail"), (3.5, "hail"), (4.5, "large hail"))}

_POINTS = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]
# Joiners are part of names in many scripts; the other format characters turn text around or hide it.
_JOINERS = "\u200c\u200d"


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Return `text` on one line, of characters that every form may hold: XML, mail headers, terminals, UTF-8."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(c if _is_plain(c) else " " for c in text).split())


def _is_plain(c: str) -> bool:
    if c in _JOINERS:
        return True
    nothing = ord(c) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(c) <= 0xFDEF  # Unicode: never a character
    return not nothing and unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def compass(bearing_deg: float) -> str:
    """Return the nearest of the 16 points of the compass; 0 is north, 90 is east.

    >>> compass(0), compass(225), compass(359)
    ('N', 'SW', 'N')
    """
    return _POINTS[round(bearing_deg / 22.5) % 16]


def now_of(alert: Alert) -> datetime:
    """Return the time from which minutes to come are counted."""
    return alert.sent if abs(alert.sent - alert.issued) <= REPLAY else alert.issued


def hazard_words(alert: Alert) -> str:
    """Return what comes, as in ``STORM 45 dBZ``, ``HAIL 20 mm`` or, where levels are classes, ``HAIL (large hail)``."""
    if alert.units not in {"", "1"}:
        return plain(f"{alert.hazard} {alert.level:g} {alert.units}")
    names = [name for least, name in CLASSES.get(alert.hazard, ()) if alert.level >= least]
    return plain(f"{alert.hazard} ({names[-1]})" if names else f"{alert.hazard} {alert.level:g}")


def headline(alert: Alert) -> str:
    """Return one line: what comes where and when; it says so where it is an exercise, an update or the end."""
    mark = "EXERCISE: " if alert.exercise else ""
    kind = {"new": "", "updated": "Update: ", "cancelled": "All clear: "}[alert.kind]
    return f"{mark}{kind}{sentence(alert)}"


def sentence(alert: Alert) -> str:
    """Return what comes where and when, as in the headline, but without what kind of alert it is."""
    if alert.kind == "cancelled":
        return f"no {hazard_words(alert)} or more {where(alert)}"
    return f"{hazard_words(alert)} {_comes(alert)}"


def where(alert: Alert) -> str:
    """Return the place, as in ``within 10 km of Baylor``, or ``at Baylor`` where no distance was asked for."""
    place = plain(alert.subscriber)
    return f"within {alert.within_km:.4g} km of {place}" if alert.within_km > 0 else f"at {place}"


def _comes(alert: Alert) -> str:
    """Say that it comes, and when: `onset` is when it is within the distance that was asked for."""
    near = alert.within_km > 0
    if alert.onset is None:
        return where(alert)
    now = now_of(alert)
    if alert.onset > now:
        verb = f"comes {where(alert)}" if near else f"reaches {plain(alert.subscriber)}"
        minutes = math.floor((alert.onset - now) / timedelta(minutes=1))
        soon = f"in {minutes} min" if minutes else "in less than a minute"
        return f"{verb} {soon} ({_clock(alert.onset, alert)})"
    if alert.ends is not None and alert.ends < now:
        # Later fields may know nothing there.
        return f"was {where(alert)} at least until {_clock(alert.ends, alert)}"
    return f"is {where(alert)} {'now' if now == alert.sent else f'at {_clock(now, alert)}'}"


def describe(alert: Alert) -> str:
    """Return a short text of a few lines: level, times, distance and direction, and what was told before."""
    lines = ["This is an exercise: nobody is in danger."] if alert.exercise else []
    if alert.kind == "cancelled":
        over = f"there is no {hazard_words(alert)} or more {where(alert)} any more"
        lines.append(f"All clear for {plain(alert.subscriber)}: {over}.")
    else:
        lines += [*_times(alert), _distance(alert)]
    lines += _told(alert)
    lines.append(
        f"Made of radar data of {_date(alert.issued)}. Do not rely on this after {_date(alert.expires)}."
    )
    return "\n".join(lines) + "\n"


def _times(alert: Alert) -> list[str]:
    said = f"{hazard_words(alert)} or more {where(alert)}"
    start = f" from {_date(alert.onset)}" if alert.onset else ""
    # The last valid time is often the end of the forecast, not of the storm.
    end = f", at least until {_date(alert.ends)}" if alert.ends else ""
    return [f"{said}{start}{end}."]


def _distance(alert: Alert) -> str:
    if alert.inside:
        return "It passes over the place itself."
    return f"At its nearest it is {alert.distance_km:.1f} km to the {compass(alert.bearing_deg)}."


def _told(alert: Alert) -> list[str]:
    """Say since when it is known, and what this replaces."""
    if not alert.references:
        return []
    first, last = alert.references[0], alert.references[-1]
    since = f"First told at {_date(first.sent)}. " if first is not last else ""
    return [f"{since}This replaces the alert of {_date(last.sent)} ({plain(last.id)})."]


def _clock(time: datetime, alert: Alert) -> str:
    """Return a time of day, with the date where that is not the one on which the alert was made."""
    if time.astimezone(UTC).date() != alert.sent.astimezone(UTC).date():
        return _date(time)
    return f"{time.astimezone(UTC):%H:%M} UTC"


def _date(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
