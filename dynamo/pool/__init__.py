"""A small real HTCondor pool in containers on this machine, for a first try and for tests.

Enters: how many workers. Leaves: a central manager, an access point and execution points that trust each other by
tokens, and a configuration by which clients on this machine reach them. Goes wrong: no Docker (`UserError` that says
how to get it); an image that cannot be built, a pool that does not come up (`InfrastructureError`).
"""

from __future__ import annotations

__all__: list[str] = []
