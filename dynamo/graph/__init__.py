"""Workflows as graphs: how they are written, what they are, and what makes them legal.

Enters: plain Python functions marked ``@task``, ``@command`` and ``@workflow``.
Leaves: a frozen `Graph` of tasks and files, JSON in, JSON out. Nothing here reads or writes a file.
Goes wrong: `WorkflowError` with the line of the user's file where the fault is.
"""

from dynamo.graph.authoring import Command, TaskFunction, Workflow, command, fuse, task, workflow
from dynamo.graph.build import File
from dynamo.graph.facts import tell
from dynamo.graph.model import Graph, Task
from dynamo.graph.needs import Needs
from dynamo.graph.signature import Input, Output, Signature

__all__ = [
    "Command",
    "File",
    "Graph",
    "Input",
    "Needs",
    "Output",
    "Signature",
    "Task",
    "TaskFunction",
    "Workflow",
    "command",
    "fuse",
    "task",
    "tell",
    "workflow",
]
