"""The time of the data in a file, from the file's name, and ISO times that people write; all UTC."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["find_time", "parse_time", "reader_of"]

#: ``YYYYMMDDHHMM[SS]``, also with ``-``, ``_``, ``T`` or ``:`` between the parts; no digit before or after.
_STAMP = re.compile(r"(?<!\d)((?:19|20)\d\d)-?(\d\d)-?(\d\d)[-_T]?(\d\d)[:-]?(\d\d)(?:[:-]?(\d\d))?(?!\d)")
#: ``YYYYMMDDHH`` in one piece, as soundings have it: with anything between the parts, it may be a day and a number.
_HOUR = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(\d\d)(?!\d)")
#: What each directive of a pattern may look like, as `datetime.strptime` reads it.
_DIRECTIVES: Mapping[str, str] = {
    "Y": r"\d{4}", "y": r"\d{2}", "m": r"\d{2}", "d": r"\d{2}", "j": r"\d{3}",
    "b": r"[A-Za-z]{3}", "H": r"\d{2}", "M": r"\d{2}", "S": r"\d{2}", "f": r"\d{1,6}",
}  # fmt: skip


def find_time(name: str) -> datetime | None:
    """Return the first time in a file name, or None; one of hour and minute goes before one of the hour alone.

    >>> find_time("addison.tx-20170329-073040.netcdf.gz")
    datetime.datetime(2017, 3, 29, 7, 30, 40, tzinfo=datetime.timezone.utc)
    """
    for stamp in (_STAMP, _HOUR):
        for match in stamp.finditer(name):
            parts = [int(part or 0) for part in match.groups()]
            parts[5:] = [59 if second == 60 else second for second in parts[5:]]  # a leap second
            try:
                return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]
            except ValueError:
                continue  # digits that are no date, such as a station number
    return None


@lru_cache(maxsize=32)
def reader_of(pattern: str) -> Callable[[str], datetime | None]:
    """Return a function that finds the time which `pattern` describes anywhere in a file name.

    `pattern` is plain text with ``*`` for any characters and the directives ``%Y %y %m %b %d %j %H %M %S %f``
    of `datetime.strptime`. Raises `ValueError` for another directive, a doubled one, or a pattern that gives
    no day.

    >>> reader_of("MLL%y%j%H%M*")("MLL2217907250U.001.nc")
    datetime.datetime(2022, 6, 28, 7, 25, tzinfo=datetime.timezone.utc)
    """
    pattern = re.sub(r"\*+", "*", pattern)  # two in a row say no more, and take long
    regex, seen, i = "", [], 0
    while i < len(pattern):
        c = pattern[i]
        if c == "%" and pattern[i + 1 : i + 2] != "%":
            letter = pattern[i + 1 : i + 2]
            if letter not in _DIRECTIVES or not letter:
                known = " ".join(f"%{d}" for d in _DIRECTIVES)
                raise ValueError(f"unknown directive '%{letter}' in {pattern!r}; known are {known}")
            regex += f"({_DIRECTIVES[letter]})"
            seen.append(letter)
            i += 2
            continue
        regex += ".*" if c == "*" else re.escape(c)
        i += 2 if c == "%" else 1
    if len(set(seen)) < len(seen):
        raise ValueError(f"{pattern!r} gives a part of the time twice; use * for one of them")
    if not (set(seen) & {"Y", "y"} and ("j" in seen or ("d" in seen and set(seen) & {"m", "b"}))):
        raise ValueError(
            f"{pattern!r} gives no day; it needs %Y%m%d or %y%j, for instance '*_%Y%m%d-%H%M%S*'"
        )
    compiled, layout = re.compile(regex), " ".join(f"%{letter}" for letter in seen)

    def read(name: str) -> datetime | None:
        for match in compiled.finditer(name):
            try:
                return datetime.strptime(" ".join(match.groups()), layout).replace(tzinfo=UTC)
            except ValueError:
                continue
        return None

    return read


def parse_time(text: str) -> datetime:
    """Return the time that ISO 8601 `text` means; without an offset it is UTC.

    Raises `ValueError` where it is not one, or where it is only a day: which end of it is meant is not clear.

    >>> parse_time("2017-03-29 07:30")
    datetime.datetime(2017, 3, 29, 7, 30, tzinfo=datetime.timezone.utc)
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, AttributeError):
        clock = re.fullmatch(r"\s*T?(\d\d?:\d\d.*?)\s*", str(text))
        said = f"; say its day: 2017-03-29T{clock[1]}" if clock else ""
        raise ValueError(f"{text!r} is not a time like 2017-03-29T07:30Z{said}") from None
    if not re.search(r"\d[T ]\d", text):
        raise ValueError(f"{text!r} is a day without a time; write {text.strip()}T00:00Z")
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is, in UTC, not of the years 1 to 9999") from None
