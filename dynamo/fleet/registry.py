"""Drivers of providers, by name: those that are installed as entry points ``dynamo.providers``."""

from __future__ import annotations

from importlib.metadata import entry_points

from dynamo.errors import InternalError, UserError, nearest
from dynamo.fleet.provider import Driver

__all__ = ["GROUP", "driver", "drivers"]

GROUP = "dynamo.providers"


def drivers() -> list[str]:
    """Return the names of the drivers that are installed."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def driver(name: str) -> Driver:
    """Return a driver; raises `UserError` where there is none of that name, or what it needs is not installed."""
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        known = drivers()
        raise UserError(f"unknown driver {name!r}{nearest(name, known)}; known are {', '.join(known)}")
    try:
        made = found[0].load()
    except ImportError as error:
        raise UserError(
            f"the driver {name!r} needs what is not installed: {error}; for those of dynamo itself: pip install "
            "'dynamo-weather[docker,fleet]'"
        ) from error
    if not isinstance(made, Driver):
        raise InternalError(f"the entry point {name!r} of {GROUP} is no Driver: {found[0].value}")
    return made
