"""Go on with a run that the journal knows."""

from __future__ import annotations

from dynamo.engine.products import Products
from dynamo.engine.request import Request
from dynamo.errors import UserError
from dynamo.images.image import Image
from dynamo.journal import Journal
from dynamo.planning.select import Selection

__all__ = ["again"]


def again(journal: Journal, run: str) -> Request:
    """Return the request to go on with a run.

    Raises
    ------
    UserError
        There is no such run, or not from a run file.
    """
    record = journal.run(run)
    settings = record.settings
    if "selection" not in settings:
        raise UserError(
            f"run {record.id} was not started by `dynamo run`; go on with it where it was started"
        )
    chosen = {k: tuple(v) for k, v in settings["selection"].items()}
    return Request(
        record.id,
        journal.graph(record.id, expanded=False),
        Products(settings["products"], tuple(settings["only"])),
        Selection(**chosen),
        resume=True,
        settings=settings,
        images={name: Image(**said) for name, said in settings.get("images", {}).items()},
    )
