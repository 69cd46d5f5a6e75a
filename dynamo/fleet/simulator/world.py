"""Worlds for simulations by name, and from files: what can be bought, within which limits, and what goes wrong.

A world file is a JSON object with the fields of `dynamo.fleet.simulator.scenario.Scenario`; `groups` is an object by
name, and each of the `faults` names its kind::

    {"offers": [{"key": "workers/a/small/spot", "group": "workers", "provider": "a", "cores": 4, "spot": true}],
     "groups": {"workers": {"max": 40, "idle": 120}}, "limits": {"cores": 100},
     "faults": [{"fault": "Outage", "provider": "a", "start": 600, "end": 1200}]}

Goes wrong: `UserError`, with the file and the place in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from dynamo.errors import Place, UserError, nearest
from dynamo.fleet.simulator.estimates import ESTIMATES
from dynamo.fleet.simulator.faults import Fault, NoBoots, NoCollector, NoStock, Outage, Reclaim, SlowBoots
from dynamo.fleet.simulator.forecast import FORECASTS
from dynamo.fleet.simulator.scenario import Scenario, plain
from dynamo.fleet.simulator.trace_file import text_of
from dynamo.fleet.view import Group, Limits, Offer

__all__ = ["WORLDS", "read_world", "troubled", "two_clouds"]

_FAULTS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Fault)}
#: What fields of a world may be.
_NAMES: dict[str, Iterable[str]] = {
    "estimates": ESTIMATES,
    "order": ("longest", "arrival"),
    "forecast": FORECASTS,
    "paid_from": ("order", "ready"),
}
_T = TypeVar("_T")


def two_clouds() -> Scenario:
    """Return a world of an academic cloud, free of charge, slow and small, and one to pay, with spot.

    Four machines of 8 cores of the first may be had at most, and of the others, by the second, 20 on spot.
    """
    group = "workers"
    free = Offer(
        "workers/campus/m3/on-demand", group, "campus", 8, speed=0.8, boot=240.0, boot_high=420.0, left=4
    )
    paid = Offer(
        "workers/public/c7/on-demand",
        group,
        "public",
        4,
        usd_per_hour=0.17,
        boot=45.0,
        boot_high=80.0,
        spot=False,
    )
    spot = replace(paid, key="workers/public/c7/spot", usd_per_hour=0.06, spot=True, left=20)
    return Scenario(
        (free, spot, paid),
        {group: Group(group, idle=120.0)},
        Limits(usd_per_hour=20.0),
        present={free.key: 1},
    )


def troubled() -> Scenario:
    """Return `two_clouds` in which all goes wrong, one thing after the other, and once two at the same time."""
    faults: tuple[Fault, ...] = (
        NoStock("workers/public/c7/spot", 1500.0, 4500.0),
        SlowBoots(1800.0, 3600.0, 3.0),
        Outage("public", 3000.0, 3600.0),
        NoBoots(4200.0, 4800.0, 0.5, after=600.0),
        NoCollector(5400.0, 5520.0),
        Reclaim("workers/public/c7/spot", 6015.0, 0.8),
    )
    return replace(two_clouds(), faults=faults)


#: Name to the world.
WORLDS: dict[str, Callable[[], Scenario]] = {"plain": plain, "two-clouds": two_clouds, "troubled": troubled}


def read_world(path: Path) -> Scenario:
    """Return the world that a file describes."""
    place = Place(str(path))
    try:
        data = json.loads(text_of(path))
    except json.JSONDecodeError as error:
        raise UserError(
            f"This is not JSON: {error.msg}.", place=Place(str(path), error.lineno, error.colno)
        ) from error
    if not isinstance(data, dict) or not data.get("offers") or not isinstance(data.get("groups"), dict):
        raise UserError("A world is an object with a list `offers` and an object `groups`.", place=place)
    given = dict(data)
    given["offers"] = tuple(_made(Offer, each, "an offer", place) for each in data["offers"])
    groups = {name: {"name": name, **each} for name, each in data["groups"].items()}
    given["groups"] = {name: _made(Group, each, f"the group {name}", place) for name, each in groups.items()}
    given["limits"] = _made(Limits, data.get("limits", {}), "the limits", place)
    given["faults"] = tuple(_fault(each, place) for each in data.get("faults", ()))
    given["boots"] = {key: (float(low), float(high)) for key, (low, high) in data.get("boots", {}).items()}
    world = _made(Scenario, given, "the world", place)
    _check(world, place)
    return world


def _fault(given: dict[str, Any], place: Place) -> Fault:
    kind = given.get("fault", "")
    if kind not in _FAULTS:
        raise UserError(
            f"There is no fault {kind!r}{nearest(str(kind), _FAULTS)}. There are: {', '.join(sorted(_FAULTS))}.",
            place=place,
        )
    rest = {key: value for key, value in given.items() if key != "fault"}
    fault: Fault = _made(_FAULTS[kind], rest, f"the fault {kind}", place)
    return fault


def _made(kind: type[_T], given: object, what: str, place: Place) -> _T:
    """Return a dataclass of these values; numbers must be numbers, and names known."""
    if not isinstance(given, dict):
        raise UserError(f"{what} must be an object.", place=place)
    known = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    for key, value in given.items():
        if key not in known:
            raise UserError(f"{what} has no {key!r}{nearest(key, known)}.", place=place)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if (known[key] in {"int", "float"} and not number) or (
            known[key] == "str" and not isinstance(value, str)
        ):
            raise UserError(f"{what}: `{key}` must be of type {known[key]}, not {value!r}.", place=place)
    try:
        return kind(**given)
    except TypeError as error:
        raise UserError(f"{what} is not complete: {error}.", place=place) from error


def _check(world: Scenario, place: Place) -> None:
    keys = [offer.key for offer in world.offers]
    for offer in world.offers:
        if offer.group not in world.groups:
            raise UserError(
                f"The offer {offer.key} is for the group {offer.group!r}, which is not there.", place=place
            )
        if offer.cores < 1 or offer.speed <= 0 or offer.boot_high < offer.boot:
            raise UserError(
                f"The offer {offer.key} must have cores, a speed above 0, and a `boot_high` of at least `boot`.",
                place=place,
            )
    for key in [*world.present, *world.boots, *(getattr(fault, "offer", "") for fault in world.faults)]:
        if key and key not in keys:
            raise UserError(f"There is no offer {key!r}{nearest(key, keys)}.", place=place)
    for field, known in _NAMES.items():
        if getattr(world, field) not in known:
            raise UserError(f"`{field}` is {' or '.join(known)}, not {getattr(world, field)!r}.", place=place)
    if world.interval <= 0:
        raise UserError("`interval` must be above 0.", place=place)
