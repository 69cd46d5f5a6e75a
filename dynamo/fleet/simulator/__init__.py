"""The simulator: what a policy would buy, and what would be late, in a world that is made up or recorded.

Enters: a trace of jobs, a policy, a scenario and a seed. Leaves: a record of all that happened, its figures and charts;
the same for the same seed. Goes wrong: a trace file that cannot be read (`UserError`, with the place).
"""

from __future__ import annotations

from dynamo.fleet.simulator.model import Record, simulate
from dynamo.fleet.simulator.outcome import Outcome, outcome
from dynamo.fleet.simulator.scenario import Scenario, plain
from dynamo.fleet.simulator.trace import Job, Trace
from dynamo.fleet.simulator.traces import TRACES

__all__ = ["TRACES", "Job", "Outcome", "Record", "Scenario", "Trace", "outcome", "plain", "simulate"]
