"""The configuration of DAGMan for one DAG: each setting with its reason.

Pure. Format: HTCondor manual 25, "DAGMan configuration".
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CONFIG", "config_text", "settings"]

#: The file.
CONFIG = "dagman.config"


def config_text(settings: Mapping[str, tuple[object, str]]) -> str:
    """Return DAGMan's configuration: each setting with its value and why."""
    return "\n".join(f"# {why}\n{key} = {value}" for key, (value, why) in settings.items()) + "\n"


def settings(idle: int) -> dict[str, tuple[object, str]]:
    """Return what DAGMan is told; `idle` jobs may wait in the queue at one time."""
    return {
        "DAGMAN_USER_LOG_SCAN_INTERVAL": (
            1,
            "Seconds between looks at the event log: what ends is seen within one.",
        ),
        "DAGMAN_SUBMIT_DELAY": (0, "No pause between submits."),
        "DAGMAN_MAX_SUBMITS_PER_INTERVAL": (100, "Jobs submitted between two looks at the event log."),
        "DAGMAN_MAX_JOBS_IDLE": (
            idle,
            "Jobs that may wait in the queue; the others are held back here.",
        ),
        "DAGMAN_USE_JOIN_NODES": (
            0,
            "No node of DAGMan's own between several parents and several children: it would take two seconds.",
        ),
        "DAGMAN_USE_STRICT": (
            0,
            "A log below /tmp is a warning and not an error: the workspace is where it is.",
        ),
        "DAGMAN_QUEUE_UPDATE_INTERVAL": (5, "Seconds between updates of the counts that condor_q shows."),
    }
