"""The fleet: slices of machines on several clouds, and when to buy them and let them go.

Enters: a slice document, what the clouds list, what the pool and its queue say. Leaves: machines that join the pool and
are gone when they are not needed, and a journal of why. Goes wrong: a slice that does not fit (`UserError`, with its
place); what a cloud refuses, see `dynamo.fleet.refusals`.
"""

from __future__ import annotations

__all__: list[str] = []
