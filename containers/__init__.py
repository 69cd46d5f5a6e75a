"""The recipes of the images, as data: one folder per image. No code lives here."""

from __future__ import annotations

__all__: list[str] = []
