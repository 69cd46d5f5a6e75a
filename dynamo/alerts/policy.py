"""Policy: what is worth an alert, and what counts as clear; a value out of range is a `UserError`."""

from __future__ import annotations

from dataclasses import dataclass

from dynamo.errors import UserError

__all__ = ["Policy"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What is worth an alert.

    Parameters
    ----------
    clear_after
        Number of cycles in a row without the hazard, after which it is over.
    arrival_step
        Seconds; an onset that is earlier by more than this is told.
    ends_step
        Seconds; an end that is later by more than this is told.
    expiry
        Seconds after its end for which an alert may still be believed, where no other follows. At least
        `ends_step`, so that an alert does not expire while the hazard is there and cycles come.
    forget_after
        Seconds after it expired; an episode of which too little was seen to say that it is over then ends without a
        word. Until then a cycle that is missing or sees little now and then keeps nobody from being told.
    moved_km
        Kilometres; where a subscriber is farther than this from where he was alerted, a hazard near him is told.
    all_clear_expiry
        Seconds for which it is worth saying that it is over.
    least_known
        Share of a field, 0 to 1, that must have been seen for the rest to count as clear.
    least_usual
        Of what was seen lately, the share, 0 to 1, that must still be seen for the rest to count as clear: when one
        radar of several fails, nobody below it is told that all is well.
    usual_span
        Seconds of data time that are lately.

    Raises
    ------
    UserError
        A value is out of range.
    """

    clear_after: int = 3
    arrival_step: float = 300.0
    ends_step: float = 900.0
    expiry: float = 1800.0
    forget_after: float = 3600.0
    moved_km: float = 10.0
    all_clear_expiry: float = 86_400.0
    least_known: float = 0.05
    least_usual: float = 0.9
    usual_span: float = 3600.0

    def __post_init__(self) -> None:
        if self.clear_after < 1:
            raise UserError(f"clear_after is the number of clear cycles, at least 1, not {self.clear_after}")
        given = (self.arrival_step, self.ends_step, self.forget_after, self.all_clear_expiry, self.moved_km)
        if min(given) < 0:
            raise UserError("steps, distances and expiry of alerts are not negative")
        if self.expiry < self.ends_step:
            raise UserError(
                f"alerts would expire, after {self.expiry:g} s, before it is told that a hazard stays longer, "
                f"after {self.ends_step:g} s"
            )
        for name in ("least_known", "least_usual"):
            if not 0 <= (share := getattr(self, name)) <= 1:
                raise UserError(f"{name} is a share from 0 to 1, not {share:g}")
