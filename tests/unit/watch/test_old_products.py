"""A watch removes products that are older than its run file wants to keep, and nothing else."""

from __future__ import annotations

import pytest

from dynamo.graph.model import Graph
from dynamo.journal import Journal, Workspace
from dynamo.journal.retention import collect
from dynamo.watch.old_products import remove_products


@pytest.fixture
def kept(tmp_path):
    """A workspace, its journal, and a function that records a run with a folder of products."""
    workspace = Workspace.open(tmp_path / "ws")
    with Journal(workspace.journal) as journal:

        def add(run, *, folder="", feed="a.yaml", ended=100.0, keeps=True):
            products = tmp_path / "products" / (folder or run)
            products.mkdir(parents=True, exist_ok=True)
            (products / "a.png").write_text("x")
            told = {"products": str(products), "feed": feed, "keeps": keeps}
            journal.add_run(run, Graph("flow", {}, {}), told, 50.0)
            journal.set_run(run, "done", ended)

        yield workspace, journal, add


def left(workspace):
    """The folders of products that are there."""
    return sorted(path.name for path in (workspace.root.parent / "products").iterdir())


def test_only_old_folders_of_the_feed_that_are_of_one_run_are_removed(kept):
    """Younger ones, those of other feeds, and folders that several runs share, stay."""
    workspace, journal, add = kept
    add("old-1")
    add("young-2", ended=300.0)
    add("other-3", feed="b.yaml")
    add("shared-4", folder="shared")
    assert remove_products(journal, "a.yaml", 200.0) == 1
    assert left(workspace) == ["other-3", "shared", "young-2"]
    assert remove_products(journal, "a.yaml", 200.0) == 0


def test_products_may_be_kept_for_longer_than_the_runs_that_made_them(kept):
    """When a run is forgotten, by whomever, it is noted where its products are; once they are removed, no more."""
    workspace, journal, add = kept
    add("old-1")
    add("old-2", ended=150.0)
    add("for-ever-3", keeps=False)
    collect(workspace, journal, before=200.0)
    assert journal.runs() == []
    assert left(workspace) == ["for-ever-3", "old-1", "old-2"]
    assert journal.forgotten_products("a.yaml", 120.0) == [
        ("old-1", str(workspace.root.parent / "products" / "old-1"))
    ]
    assert remove_products(journal, "b.yaml", 1e9) == 0
    assert remove_products(journal, "a.yaml", 120.0) == 1
    assert remove_products(journal, "a.yaml", 200.0) == 1
    assert left(workspace) == ["for-ever-3"]
    assert journal.forgotten_products("a.yaml", 1e9) == []
