"""What a job tells of itself in the queue, for who buys machines for it: its kind, its size, and when it is due.

Pure. The values are variables of its submit description, which makes attributes of its ClassAd of them. They have no
sign in them that HTCondor reads otherwise: letters, digits and ``. _ + - / ; =``.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from statistics import fmean
from types import MappingProxyType

from dynamo.targets.jobs import Compiled, TargetJob

__all__ = ["LINES", "attributes", "clock_lines"]

#: The lines of a submit description.
LINES = (
    'My.DynamoKind = "$(kind)"',
    'My.DynamoFeatures = "$(features)"',
    "My.DynamoDue = $(due)",
    # Of jobs of one priority the one that is due first, and of these the longest, runs first: else a long one that
    # begins last makes its run late.
    "My.PostJobPrio1 = -$(due)",
    "My.PostJobPrio2 = $(length)",
)
_OTHERS = re.compile(r"[^A-Za-z0-9._/+-]+")
#: What a clock is written with.
_CLOCK = re.compile(r"[A-Za-z0-9 ._+*,/?#-]+")
#: Of the calls of a workflow in a workflow, or at run time: how many there are differs from cycle to cycle.
_NUMBER = re.compile(r"-\d+/")
_LONGEST = 100
#: The parameter by which a task says how many minutes ahead it looks, and from where on a number is none of these.
_LEAD, _NO_LEAD = "lead", 1e9
#: Of the order by length: tenths of a second first, up to so many; then bytes, so many steps for a factor of two.
_TENTHS, _STEPS, _DIGITS = 20_000, 3_000, 100_000


def attributes(
    compiled: Compiled,
    job: TargetJob,
    began: float,
    sizes: Mapping[str, int],
    facts: Mapping[str, float] = MappingProxyType({}),
    seconds: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, str]:
    """Return the values of a job, by the variables of `LINES`.

    Parameters
    ----------
    began
        When its run began, in Unix seconds; 0 where that is not known.
    sizes
        Bytes of files that are there before its DAG runs, by their name in the graph.
    facts
        What tasks told that ran before, as the echo area a minute ago: see `dynamo.graph.facts`.
    seconds
        Step to the seconds that one of its tasks took lately; of a job all of whose steps are known it is told what
        that comes to, for who knows nothing of jobs that are packed like this.
    """
    deadline = job.needs.deadline
    told = {name: f"{value:.6g}" for name, value in facts.items()}
    features = {**told, **_features(compiled, job, sizes), **_usual(compiled, job, seconds)}
    return {
        "kind": _kind(compiled, job),
        "features": ";".join(f"{name}={value}" for name, value in features.items()),
        "due": str(math.floor(began + deadline)) if began and deadline else "undefined",
        "length": str(_length(features, job.needs.cores)),
    }


def _length(features: Mapping[str, str], cores: float) -> int:
    """Return a number that is larger for a job that takes longer, as far as is known: it is to begin earlier.

    First by what its tasks took lately, and of those that are alike, or of which nothing is known, by their bytes.
    """
    seconds, size = (max(float(features.get(name, 0.0)), 0.0) for name in ("usual", "bytes"))
    return min(round(10 * seconds / cores), _TENTHS) * _DIGITS + min(
        round(_STEPS * math.log2(1.0 + size)), _DIGITS - 1
    )


def clock_lines(feed: str, clock: str) -> list[str]:
    """Return the lines of a submit description that tell which run file, and which clock, starts the next run."""
    if not (feed and _CLOCK.fullmatch(clock)):
        return []
    return [f'My.DynamoFeed = "{_plain(feed)}"', f'My.DynamoClock = "{clock}"']


def _kind(compiled: Compiled, job: TargetJob) -> str:
    """Return the name of the workflow and the steps of the job's tasks: the same in each cycle."""
    steps = dict.fromkeys(_unnumbered(compiled.graph.tasks[task].step) for task in job.tasks)
    return _plain(f"{compiled.graph.name}/{'+'.join(steps)}")


@lru_cache(maxsize=1024)
def _unnumbered(step: str) -> str:
    return _NUMBER.sub("/", step)


@lru_cache(maxsize=1024)
def _plain(kind: str) -> str:
    """Return `kind`; where it is too long, or has other signs, what is left of it with a digest."""
    plain = _OTHERS.sub("_", kind)
    if plain == kind and len(kind) <= _LONGEST:
        return kind
    mark = hashlib.sha256(kind.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain[: _LONGEST - 1 - len(mark)]}-{mark}"


def _features(compiled: Compiled, job: TargetJob, sizes: Mapping[str, int]) -> dict[str, str]:
    """Return what is known of the job before it runs, and tells how long that takes; what is not known is left out."""
    found: dict[str, str] = {}
    known = [sizes[name] for name in job.inputs if name in sizes]
    if known:
        found["bytes"] = str(sum(known))
    if leads := list(_leads(compiled, job)):
        found[_LEAD] = f"{fmean(leads):.6g}"
    return {**found, "tasks": str(len(job.tasks))}


def _usual(compiled: Compiled, job: TargetJob, seconds: Mapping[str, float]) -> dict[str, str]:
    """Return the core-seconds that the tasks of the job took lately, one after the other, where that is known."""
    steps = [compiled.graph.tasks[task].step for task in job.tasks]
    if not all(step in seconds for step in steps):
        return {}
    return {"usual": f"{job.needs.cores * sum(seconds[step] for step in steps):.4g}"}


def _leads(compiled: Compiled, job: TargetJob) -> Iterator[float]:
    for task in job.tasks:
        lead = compiled.graph.tasks[task].params.get(_LEAD)
        if isinstance(lead, (int, float)) and not isinstance(lead, bool) and abs(lead) < _NO_LEAD:
            yield lead
