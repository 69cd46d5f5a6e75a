"""What jobs of Pegasus tell of themselves in the queue, as those of our own DAGs do: see `dynamo.targets.attributes`.

Pure. Tasks of one label become one job, to which Pegasus gives the profiles of its tasks: all have those of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping

from dynamo.targets.attributes import attributes
from dynamo.targets.jobs import compile_jobs
from dynamo.targets.pegasus_work import Work

__all__ = ["told"]


def told(work: Work, labels: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return, by task, attributes of ClassAds as profiles of the namespace ``condor``; `labels` are those of tasks."""
    groups: dict[str, list[str]] = {}
    for task in work.graph.order():
        groups.setdefault(labels.get(task, f" {task}"), []).append(task)
    compiled = compile_jobs(work.graph, [tuple(tasks) for tasks in groups.values()])
    found: dict[str, dict[str, str]] = {}
    for job in compiled.jobs.values():
        said = attributes(compiled, job, work.began, work.sizes, work.facts, work.seconds)
        profiles = {"+DynamoKind": f'"{said["kind"]}"', "+DynamoFeatures": f'"{said["features"]}"'}
        if said["due"] != "undefined":
            profiles["+DynamoDue"] = said["due"]
        found |= dict.fromkeys(job.tasks, profiles)
    return found
