"""A policy with settings as a person writes it: ``work:hold=300,margin=1.2``."""

from __future__ import annotations

from typing import Any

from dynamo.errors import UserError

__all__ = ["written"]


def written(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the settings; raises `UserError` where one is not written as a setting is.

    >>> written("work:hold=300,margin=1.2")
    ('work', {'hold': 300, 'margin': 1.2})
    """
    name, colon, rest = text.partition(":")
    settings: dict[str, Any] = {}
    for each in rest.split(",") if colon else ():
        key, equals, value = each.partition("=")
        if not equals:
            raise UserError(f"A setting of a policy is written NAME=VALUE, not {each!r}.")
        try:
            settings[key] = int(value) if value.lstrip("-").isdigit() else float(value)
        except ValueError:
            settings[key] = value
    return name, settings
