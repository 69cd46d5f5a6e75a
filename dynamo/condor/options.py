"""Which pool runs a run's jobs, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynamo.targets.dagman import WORKER

__all__ = ["PoolOptions"]


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What a run file says of its pool.

    Parameters
    ----------
    schedd
        Name of the access point's schedd; empty is the one of this machine, or that of HTCondor's configuration.
    pool
        Central manager, ``host`` or ``host:port``; empty is that of HTCondor's configuration.
    slots
        How many jobs to pack a run into; 0 asks the pool how many it has.
    worker
        Path of ``dynamo-worker`` on the machines, or in the images, that run jobs.
    limits
        Step to how many jobs with such tasks may run at one time.
    spool
        Whether files are sent to the access point with the jobs; None finds that out: they are where HTCondor is not
        installed on this machine.
    shared
        Whether the machines see this workspace and the inputs at their paths, so that nothing is sent.
    urls
        Folder of inputs to the URL by which the machines fetch by themselves what lies in it.
    container
        ``docker``, ``apptainer`` or empty.
    """

    schedd: str = ""
    pool: str = ""
    slots: int = 0
    worker: str = WORKER
    limits: Mapping[str, int] = field(default_factory=dict)
    spool: bool | None = None
    shared: bool = False
    urls: Mapping[str, str] = field(default_factory=dict)
    container: str = ""
