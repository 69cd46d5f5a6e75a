"""The fleet in simulated time: any policy against the same storms, the same clouds and the same faults.

Enters: a trace of jobs, a model of clouds, a policy, a seed. Leaves: what was late, what was paid, what was bought and
when. Goes wrong: a trace that cannot be read (`UserError`).
"""

from __future__ import annotations

__all__: list[str] = []
