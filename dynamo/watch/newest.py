"""The run that is meant where none is named: of the newest data, not the one that was begun last.

After a restart a watch begins runs of older data later. Enters: a journal. Leaves: a run. Goes wrong: there is none.
"""

from __future__ import annotations

from collections.abc import Sequence

from dynamo.journal import Journal, RunRecord
from dynamo.triggers.store import Store, WindowState

__all__ = ["newest_run"]

#: Windows that are looked at; some of the newest may have failed before they had a run, or had theirs removed.
LOOKED_AT = 100


def newest_run(journal: Journal, states: Sequence[WindowState] = ("running", "done", "failed")) -> RunRecord:
    """Return the run that was begun last; of those of a watch, that of the newest data.

    Parameters
    ----------
    journal
        Of the workspace.
    states
        Windows that count.

    Raises
    ------
    UserError
        There is no run.
    """
    last = journal.run(None)
    with Store(journal.path) as store:
        window = store.of_run(last.id)
        if window is None:  # begun by hand
            return last
        runs = [one.run for one in store.windows(window.feed, states, limit=LOOKED_AT)]
    known = {one.id: one for one in journal.runs()}  # runs are removed before their windows
    return next((known[run] for run in runs if run in known), last)
