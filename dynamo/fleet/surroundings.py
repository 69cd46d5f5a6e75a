"""What may change under a fleet that is at work: somebody removes its journal, or sets the clock of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from dynamo.errors import InfrastructureError
from dynamo.fleet.ledger import Ledger
from dynamo.graph.units import format_seconds

__all__ = ["Surroundings"]

#: Seconds by which a clock may be put right without a word.
_SLIGHT = 60.0


class Surroundings:
    """Looks whether all is where it was.

    Parameters
    ----------
    journal
        The file.
    clock
        The time that the fleet goes by, in Unix seconds, without jumps.
    tell
        Is told what changed and does no harm.
    """

    def __init__(self, journal: Path, clock: Callable[[], float], tell: Callable[[str], None]) -> None:
        self._journal, self._clock, self._tell = journal, clock, tell
        self._file = _file(journal)
        self._ahead = 0.0

    def sound(self, ledger: Ledger) -> bool:
        """Whether anything may be done; raises `InfrastructureError` where another file is written to than is there.

        A journal that was removed is written anew before; as long as that cannot be, nothing is done.
        """
        self._check_clock()
        found = _file(self._journal)
        if found == self._file:
            return True
        if found is None:
            try:
                ledger.save(self._journal)
            except InfrastructureError as error:
                self._tell(f"somebody removed the journal, and it cannot be written anew yet: {error}")
                self._journal.unlink(missing_ok=True)  # what was begun of it
                return False
            raise InfrastructureError(
                f"somebody removed the journal {self._journal} while this ran; it was written anew, with all "
                "that was in it: start this again"
            )
        raise InfrastructureError(
            f"somebody put another file in the place of the journal {self._journal} while this ran, so that nobody "
            "would find what is ordered from now on: start this again; it finds its machines by what their clouds list"
        )

    def _check_clock(self) -> None:
        ahead = time.time() - self._clock()
        if abs(ahead - self._ahead) > _SLIGHT:
            way = "ahead" if ahead > self._ahead else "back"
            far = format_seconds(abs(ahead - self._ahead))
            self._tell(
                f"somebody set the clock of this machine {way} by {far}: this goes on "
                "by the time that it began with, so that nothing is over or late for that; its days and hours are "
                "those of the old clock until it is started again"
            )
            self._ahead = ahead


def _file(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
