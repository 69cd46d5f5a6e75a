"""What HTCondor's event log tells of the jobs of a DAG, as far as it matters here.

Enters: event logs, which grow. Leaves: `Happened`, in order, once each for this reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from dynamo.condor.holds import in_words
from dynamo.worker.limits import Lost, how_it_died

__all__ = ["Happened", "Log", "understood"]

#: ``began``: it executes; ``ended``: its process ended by itself, with ``code``; ``away``: its machine lost it or gave
#: it back, and it waits again; ``silent``: its machine is not heard of; ``back``: it is; ``held``; ``released``;
#: ``removed``: it will not run again in this submission.
Kind: TypeAlias = Literal[
    "submitted", "began", "ended", "away", "silent", "back", "held", "released", "removed"
]


#: Events in a row that cannot be read, after which nothing there can.
_TORN = 10
#: The end of an event.
_END = b"...\n"
#: Bytes of the beginning of a log that tell it from others: the number, job and time of its first event.
_HEAD = 40


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened to a job: `at` is Unix time (whole seconds), `job` empty for the DAG itself."""

    kind: Kind
    job: str
    at: float
    machine: str = ""
    code: int = 0
    text: str = ""


#: Type of event (HTCondor manual, "Job event log codes") to what it tells, the words for that, the attribute with the
#: reason, and what is said where that is empty.
_TOLD: Mapping[int, tuple[Kind, str, str, str]] = {
    0: ("submitted", "", "", ""),
    4: ("away", "evicted: {}", "Reason", "the machine wanted its slot back"),
    7: ("away", "its connection broke: {}", "Message", ""),
    9: ("removed", "{}", "Reason", ""),
    13: ("released", "", "", ""),
    22: ("silent", "{}", "DisconnectReason", "its connection broke"),
    23: ("back", "", "", ""),
    24: ("away", "its machine was lost: {}", "Reason", ""),
}


def understood(number: int, said: Mapping[str, Any], job: str, at: float) -> Happened | None:
    """Return what an event of the type `number` tells; None for those that do not matter here."""
    if number in _TOLD:
        kind, words, reason, otherwise = _TOLD[number]
        text = words.format(str(said.get(reason, "")) or otherwise)
        return Happened(kind, job, at, str(said.get("StartdName", "")), text=text)
    match number:
        case 1:
            return Happened("began", job, at, str(said.get("SlotName") or said.get("ExecuteHost", "")))
        case 5:
            if said.get("TerminatedNormally"):
                return Happened("ended", job, at, code=int(said.get("ReturnValue", 0)))
            number = int(said.get("TerminatedBySignal", 9))
            return Happened("ended", job, at, code=-number, text=how_it_died(Lost(-number, oom=False)))
        case 12:
            code = int(said.get("HoldReasonCode", 0))
            return Happened("held", job, at, code=code, text=in_words(code, str(said.get("HoldReason", ""))))
    return None


class Log:
    """Reads one event log from its beginning; it need not be there yet.

    Its file may be replaced by a longer copy of it, as one is that is brought from another machine, or by another log.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, path.name
        self._log: Any = None
        self._state = (-1, -1)
        #: Cluster to the name of the job, from the events of submission.
        self._jobs: dict[int, str] = {}
        #: The beginning of its first event, by which it is told from another log of this name.
        self.head = ""
        #: How much of it was read: the number of those of its events that matter here.
        self.count = 0

    def read(self) -> Iterator[Happened]:
        """Yield what was written since the last call."""
        try:
            with self._path.open("rb") as file:
                head, found = file.read(_HEAD).decode("utf-8", "replace"), os.fstat(file.fileno())
                file.seek(-min(len(_END), found.st_size), os.SEEK_END)
                end = file.read()
        except OSError:
            return
        state, seen = (found.st_ino, found.st_size), 0
        # HTCondor's reader waits a second for an event that is there in part, and misses one of which a byte is.
        if end != _END or (head == self.head and state == self._state):
            return
        if head != self.head:
            self.head, self.count = head, 0
        elif state[0] == self._state[0] and state[1] >= self._state[1]:
            seen = self.count  # it has grown
        if not seen:
            self._open()
        self._state = state
        for event in self._events():
            what = self._understood(event)
            seen += what is not None
            if what is not None and seen > self.count:
                self.count = seen
                yield what

    def _events(self) -> Iterator[Any]:
        """Yield what there is; HTCondor's reader goes on behind an event that is torn, as by a power cut."""
        import htcondor2

        events, torn = self._log.events(0), 0
        while torn < _TORN:
            try:
                event = next(events)
            except StopIteration:
                return
            except htcondor2.HTCondorException:
                torn += 1
            else:
                yield event
                torn = 0

    def _open(self) -> None:
        import htcondor2

        if self._log is not None:
            self._log.close()
        self._log = htcondor2.JobEventLog(str(self._path))
        self._jobs.clear()

    def _understood(self, event: Any) -> Happened | None:
        number = int(event["EventTypeNumber"])
        if number == 0:
            notes = event.get("StructuredNotes")
            self._jobs[event.cluster] = str(notes["DAGNodeName"]) if notes and "DAGNodeName" in notes else ""
        elif event.cluster not in self._jobs:  # it was submitted into a log before this one
            return None
        return understood(number, event, self._jobs[event.cluster], float(event.timestamp))
