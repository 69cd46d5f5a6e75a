"""Warnings that a product carries, after those that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["with_warnings"]


def with_warnings(about: Mapping[str, str | float], warnings: Sequence[str]) -> dict[str, str | float]:
    """Return the attributes of a grid with further warnings; empty ones are none."""
    said = [str(about.get("warning", "")), *warnings]
    return {**about, "warning": "; ".join(filter(None, said))} if any(said) else {**about}
