"""What a person asks of a controller that is at work, in another process: to pause, to drain, to bring a group back.

It is written into the journal, and the controller reads it in each turn; it writes nothing there, so neither takes the
other's word away.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from dynamo.fleet.ledger import Ledger

__all__ = ["Asked", "ask", "asked"]

_NAME = "asked"
#: Groups brought back that are remembered: the controller knows which of them it has seen.
_RESTORED = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What holds now.

    Parameters
    ----------
    paused
        Whether nothing is bought or let go; what fails or is over is still looked after.
    policy
        What decides, with settings as they are written; empty for what the controller was started with.
    drain
        Tokens of workers that are to go.
    restore
        Node groups that are brought back into service, and when that was said (Unix seconds).
    """

    paused: bool = False
    policy: str = ""
    drain: tuple[str, ...] = ()
    restore: tuple[tuple[str, float], ...] = ()


def asked(ledger: Ledger) -> Asked:
    """Return what was asked last."""
    data: dict[str, Any] = ledger.learned(_NAME) or {}
    return Asked(
        bool(data.get("paused")),
        str(data.get("policy", "")),
        tuple(data.get("drain", ())),
        tuple((str(group), float(at)) for group, at in data.get("restore", ())),
    )


def ask(ledger: Ledger, **changes: Any) -> Asked:
    """Change what is asked; return it as it is now. Groups to `restore` are added to those that were named before."""
    with ledger.change():
        before = asked(ledger)
        new = replace(before, **changes)
        if "restore" in changes:
            new = replace(new, restore=(*before.restore, *new.restore)[-_RESTORED:])
        ledger.learn(_NAME, asdict(new))
    return new
