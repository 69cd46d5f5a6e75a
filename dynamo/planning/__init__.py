"""What of a graph must run, and for each task the reason; which tasks share a job.

Enters: a `Graph` and what is known of files, code and earlier results. Leaves: a `Plan`.
Goes wrong: `UserError` for a source that cannot be read, code that cannot be found, or labels that cannot fuse.
"""

from dynamo.planning.code import CodeVersions
from dynamo.planning.decision import Decision, decide
from dynamo.planning.fuse import units
from dynamo.planning.key import key_of, parts_of
from dynamo.planning.plan import Plan, make_plan
from dynamo.planning.select import Selection

__all__ = [
    "CodeVersions",
    "Decision",
    "Plan",
    "Selection",
    "decide",
    "key_of",
    "make_plan",
    "parts_of",
    "units",
]
