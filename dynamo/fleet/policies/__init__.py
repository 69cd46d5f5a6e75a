"""Policies: when to buy workers and when to let them go. Ours, and those of others to measure it against.

Enters: a `dynamo.fleet.view.View`. Leaves: a `dynamo.fleet.decision.Decision`. Nothing goes wrong:
a policy is a pure function with settings.
"""

from __future__ import annotations

__all__: list[str] = []
