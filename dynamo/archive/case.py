"""A run file that is run over a range: what its windows are made of, and what each is asked to be.

Enters: a path, and what the command line overrides. Leaves: a `Case`, and of each window a `Request`. Goes wrong:
whatever is wrong with the run file as a whole (`UserError`), before anything runs.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from dynamo import __version__
from dynamo.archive.index import States
from dynamo.engine.again import again
from dynamo.engine.products import Products
from dynamo.engine.request import Request, new_run_id
from dynamo.errors import UserError
from dynamo.journal import Journal
from dynamo.planning.code import CodeVersions
from dynamo.planning.select import Selection
from dynamo.runfile.draft import Draft, read
from dynamo.runfile.faults import Faults
from dynamo.runfile.preparation import Parts, make_real, understand
from dynamo.runfile.settings import settings
from dynamo.runfile.workflow import module_folders
from dynamo.triggers.window import Window
from dynamo.watch.feed import Feed, globs_of, read_feed

__all__ = ["Case", "open_case"]


@dataclass(frozen=True, slots=True)
class Case:
    """A run file with what the command line says.

    Parameters
    ----------
    feed
        The run file as a watch sees it; `globs` and `readings` as they hold here.
    draft
        What it says, with places.
    params, inputs
        Overrides, as `dynamo.runfile.preparation.prepare` takes them.
    selection
        What of each window is run.
    parts
        Its workflow, the values of its parameters, and the files that are the same in all windows.
    code
        The version of its code, as it was when this was first asked.
    """

    feed: Feed
    draft: Draft
    params: Mapping[str, str]
    inputs: Mapping[str, Sequence[str]]
    selection: Selection
    parts: Parts
    code: CodeVersions

    @property
    def modules(self) -> list[str]:
        """Folders from which workers import first."""
        return module_folders(self.feed.runfile.workflow, self.feed.path.parent)

    def request(self, window: Window, priority: int) -> Request:
        """Return the request for a run of a window that was never begun.

        Raises `UserError` where the run file does not fit these files.
        """
        signature, files = self.parts.workflow.signature, {n: list(p) for n, p in window.files.items()}
        for name, paths in files.items():
            if not paths and not signature.parameters[name].many:
                raise UserError(f"{name}: there is no file of it, and {signature.name} takes one")
        draft = replace(self.draft, faults=Faults(self.draft.faults.file), lost=set(self.draft.lost))
        same = {name: paths for name, paths in self.inputs.items() if name not in self.feed.globs}
        tick = datetime.fromtimestamp(window.time, UTC) if self.feed.schedule else None
        prepared = make_real(draft, params=self.params, inputs={**same, **files}, tick=tick)
        run = new_run_id(prepared.graph.name, time.time())
        products = Products(str(prepared.products.folder(run)), tuple(prepared.products.only))
        told = settings(prepared, products.folder, self.selection)
        return Request(
            run,
            prepared.graph,
            products,
            self.selection,
            settings={**told, "window": window.time},
            priority=priority,
            images=prepared.images,
        )

    def resumed(self, journal: Journal, run: str, priority: int) -> Request | None:
        """Return the request to go on with a run as it was begun; None where the journal does not know it."""
        try:
            return replace(again(journal, run), priority=priority)
        except UserError:
            return None

    def same_in_all(self, names: Collection[str]) -> Case:
        """Return the case with all files of these inputs in each window."""
        feed = self.feed
        rules = replace(feed.rules, inputs=tuple(i for i in feed.rules.inputs if i.name not in names))
        globs = {name: said for name, said in feed.globs.items() if name not in names}
        return replace(self, feed=replace(feed, rules=rules, globs=globs))

    def digest(self) -> str:
        """Return a digest of all that decides what a window makes, but for its files.

        Raises `UserError` where the source of the workflow is not found.
        """
        runfile, chosen = self.feed.runfile, self.selection
        said = (
            1,
            __version__,
            str(self.feed.path.parent),
            runfile.workflow,
            sorted(self.parts.values.items()),
            (runfile.products.to, runfile.products.only, runfile.deadline),
            sorted(runfile.images.items()),
            (chosen.force, chosen.only, chosen.until),
            self.code.of(self.parts.workflow.call),
        )
        return blake2b(repr(said).encode(), digest_size=16).hexdigest()

    def is_edited(self) -> bool:
        """Whether code was edited since `digest`: what is made now is not what that says."""
        return not self.code.unchanged(self.parts.workflow.call)

    def static(self, states: States) -> list[tuple[str, str, str]]:
        """Return input, path and look of each file that is the same in all windows."""
        return [
            (name, str(one.path), states.of(str(one.path), kept=True))
            for name, found in sorted(self.parts.found.items())
            for one in found
        ]


def open_case(
    path: str | Path,
    params: Mapping[str, str],
    inputs: Mapping[str, Sequence[str]],
    selection: Selection,
) -> Case:
    """Read a run file that is to be run over a range.

    Raises
    ------
    RunFileError
        It is faulty, is for another engine, or no window can be made: no input is a glob, and there is no clock.
    UserError
        Its workflow cannot be loaded.
    """
    draft = read(path)
    _check(draft)
    draft.faults.check()
    feed = read_feed(path)
    here = {name: [str(Path.cwd() / one) for one in said] for name, said in inputs.items()}
    globs = {name: list(here.get(name, said)) for name, said in feed.globs.items()}
    # A time of change says when a file was copied: in an archive nothing goes by it.
    readings = {name: replace(reading, needs_time=True) for name, reading in feed.readings.items()}
    parts = understand(draft, params=params, inputs=inputs, without=globs)
    draft.faults.check()
    feed = replace(feed, globs=globs, readings=readings)
    code = CodeVersions(None, module_folders(feed.runfile.workflow, feed.path.parent))
    return Case(feed, draft, params, inputs, selection, parts, code)


def _check(draft: Draft) -> None:
    """Add to the faults of a run file why it cannot be run over a range."""
    runfile = draft.runfile
    if runfile is None or any(at[0] in {"trigger", "inputs", "engine"} for at in draft.lost):
        return
    if runfile.engine.name != "local":
        draft.tell(
            ("engine",),
            "a range of time is run on this machine: `engine: local`; a pool runs what `dynamo run` gives it for one "
            "time",
        )
    if not globs_of(runfile, draft.path.parent) and not (runfile.trigger and runfile.trigger.schedule):
        draft.tell(
            ("inputs",),
            "there is nothing to make windows of: no input is a glob like 'archive/*.nc', and the trigger has no "
            "clock; leave out --from and --to",
        )
