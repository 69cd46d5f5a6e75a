"""What machines cost: a dated table that is shipped, and what a user's own file says instead.

A price of a cloud changes by region, by contract and, for spot, by the hour; no table is a bill. So each set of prices
says from when it is and where it comes from, and any of it is overridden by a file of the same form: the one that
``DYNAMO_PRICES`` names, then the one that a slice names.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from dynamo.errors import UserError
from dynamo.fleet.offering import Purchase

__all__ = ["VARIABLE", "Price", "PriceTable", "price_table"]

#: Names a file of prices that go before those that are shipped.
VARIABLE = "DYNAMO_PRICES"
_PURCHASES: tuple[Purchase, ...] = ("on-demand", "spot", "reserved")
_KEYS = ("driver", "region", "purchase", "date", "source", "usd_per_hour")
_FORM = (
    'a file of prices is JSON as {"sets": [{"driver": "ec2", "region": "us-east-2", "purchase": "spot", '
    '"date": "2026-01-31", "source": "our contract", "usd_per_hour": {"c7i.4xlarge": 0.31}}]}'
)

_Key = tuple[str, str, str, Purchase]


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars an hour for one size, and how that is known.

    Parameters
    ----------
    usd_per_hour
        What it costs.
    date, source
        From when it is, and where it comes from.
    """

    usd_per_hour: float
    date: str
    source: str


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by driver, region, size and way of purchase."""

    prices: Mapping[_Key, Price] = field(default_factory=dict)

    def find(self, driver: str, region: str, size: str, purchase: Purchase = "on-demand") -> Price | None:
        """Return a price; None where nobody has said it, which is not the same as nothing."""
        return self.prices.get((driver, region, size, purchase))

    def sizes(self, driver: str, region: str) -> list[str]:
        """Return the sizes that have a price there."""
        return sorted({size for kind, where, size, _ in self.prices if (kind, where) == (driver, region)})

    def under(self, other: Self) -> Self:
        """Return this table with what another says in its place."""
        return type(self)({**self.prices, **other.prices})

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the table in a file; raises `UserError` where it cannot be read, or is not of that form."""
        try:
            document = json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise UserError(f"the prices in {path} cannot be read: {error.strerror or error}") from None
        except ValueError as error:
            raise UserError(f"{path} is no JSON ({error}): {_FORM}") from None
        sets = document.get("sets") if isinstance(document, dict) else None
        if not isinstance(sets, list):
            raise UserError(f"{path} has no list `sets`: {_FORM}")
        found: dict[_Key, Price] = {}
        for n, one in enumerate(sets, 1):
            found |= _set(one, f"{path}, set {n}")
        return cls(found)


def _set(one: Any, place: str) -> dict[_Key, Price]:
    """Return the prices of one set; raises `UserError` that says what is wrong with it."""
    if not isinstance(one, dict) or any(key not in one for key in _KEYS):
        lacking = [key for key in _KEYS if key not in one] if isinstance(one, dict) else list(_KEYS)
        raise UserError(f"{place} has no {', '.join(lacking)}: {_FORM}")
    texts = ("driver", "region", "date", "source")
    if not all(isinstance(one[key], str) for key in texts):
        raise UserError(f"{place}: {', '.join(texts)} are texts: {_FORM}")
    if one["purchase"] not in _PURCHASES:
        raise UserError(f"{place}: the purchase is one of {', '.join(_PURCHASES)}, not {one['purchase']!r}")
    if not isinstance(one["usd_per_hour"], dict):
        raise UserError(f"{place}: `usd_per_hour` has a price for each size: {_FORM}")
    return {
        (one["driver"], one["region"], size, one["purchase"]): Price(
            _dollars(value, f"{place}, {size}"), one["date"], one["source"]
        )
        for size, value in one["usd_per_hour"].items()
    }


def _dollars(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise UserError(f"{place}: a price is a number of US dollars an hour, not {value!r}")
    return float(value)


@lru_cache(maxsize=1)
def _shipped() -> PriceTable:
    return PriceTable.read(Path(__file__).with_name("prices.json"))


def price_table(files: Iterable[Path | str] = ()) -> PriceTable:
    """Return the shipped table with what the user's files say instead, the later ones before the earlier.

    Parameters
    ----------
    files
        Files that a slice names, read after the one that ``DYNAMO_PRICES`` names.

    Raises
    ------
    UserError
        A file cannot be read, or is not of the form.
    """
    table = _shipped()
    named = os.environ.get(VARIABLE)
    for path in (*([named] if named else []), *files):
        table = table.under(PriceTable.read(Path(path).expanduser()))
    return table
