"""The durable record of a workspace: runs, attempts, results, and the digests of files.

Enters: changes of state, in transactions. Leaves: the same, after any crash.
Goes wrong: `WorkspaceError` where the disk or the database file cannot be used.
"""

from dynamo.journal.journal import Journal
from dynamo.journal.records import Attempt, Parts, Result, RunRecord, TaskRecord
from dynamo.journal.workspace import Workspace

__all__ = ["Attempt", "Journal", "Parts", "Result", "RunRecord", "TaskRecord", "Workspace"]
