"""Providers: what talks to each kind of cloud, one module for each.

Enters: orders for machines and networks, as `dynamo.fleet.provider` describes them. Leaves: machines, listed.
Goes wrong: what `dynamo.fleet.refusals` names. Installed as `dynamo.provisioners`, found by entry points
``dynamo.providers``.
"""

from __future__ import annotations

__all__: list[str] = []
