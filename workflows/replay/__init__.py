"""A recorded workflow, run again: an instance of WfFormat in; tasks that take as long and write as much out."""

from dynamo.workflows.replay.workflow import wfformat

__all__ = ["wfformat"]
