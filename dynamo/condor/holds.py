"""Why HTCondor holds a job, in words, and who must act.

Codes: HTCondor manual 25, "Job ClassAd attributes", HoldReasonCode.
"""

from __future__ import annotations

__all__ = ["in_words"]

_WORDS = {
    1: "somebody put it on hold; release it with condor_release, or cancel the run",
    3: "the job's own policy put it on hold; see the reason",
    4: "its credential was refused; renew it",
    6: "its program could not be started on the worker; see that dynamo-worker is installed there at the path that "
    "`worker:` in the run file names (or is in the image)",
    7: "its output could not be opened where it was submitted; the disk there may be full, or not writable for you",
    8: "its input could not be opened where it was submitted; it may have been removed",
    12: "its output could not be brought back; the disk of the submit machine or the worker may be full",
    13: "its input could not be sent; a file may have been removed, or the worker's scratch disk may be full",
    14: "its folder is gone or not yours where it was submitted; leave the run's folder where it is",
    21: "the worker put it on hold; ask the pool's administrator",
    22: "its event log cannot be written; the disk of the submit machine may be full, or not writable for you",
    23: "the submit machine has no such user; ask its administrator",
    26: "the pool's policy put it on hold; ask its administrator",
    32: "its input is larger than the pool allows (MAX_TRANSFER_INPUT_MB); ask the pool's administrator",
    33: "its output is larger than the pool allows (MAX_TRANSFER_OUTPUT_MB); ask the pool's administrator",
    34: "it used more memory or disk than it asked for; declare more with memory= on the task",
    35: "its container image cannot be used; see that `images:` in the run file names one that workers can fetch",
    45: "Apptainer does not work on the worker; ask the pool's administrator",
    46: "it took longer than the pool allows; ask the pool's administrator, or split the task",
}


def in_words(code: int, reason: str) -> str:
    """Return why a job is held and what to do, with HTCondor's own reason behind it."""
    if code == 3 and "could not open image" in reason:  # after some tries, by what we submit
        code = 35
    words = _WORDS.get(code, "HTCondor put it on hold")
    return (
        f"{words} (hold code {code}: {reason.strip().rstrip('.')})"
        if reason
        else f"{words} (hold code {code})"
    )
