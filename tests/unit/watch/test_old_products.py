"""A watch removes products that are older than its run file wants to keep, and nothing else."""

from __future__ import annotations

from dynamo.journal import RunRecord
from dynamo.watch.old_products import old_products, remove_products


def run(name, folder, *, feed="a.yaml", ended=100.0):
    return RunRecord(name, "flow", "done", 50.0, ended, {"products": str(folder), "feed": feed})


def test_only_old_folders_of_the_feed_that_are_of_one_run_are_removed(tmp_path):
    """Younger ones, those of other feeds, and folders that several runs share, stay."""
    folders = {name: tmp_path / name for name in ("old-1", "young-2", "other-3", "shared")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "a.png").write_text("x")
    runs = [
        run("old-1", folders["old-1"]),
        run("young-2", folders["young-2"], ended=300.0),
        run("other-3", folders["other-3"], feed="b.yaml"),
        run("shared-4", folders["shared"]),
        run("gone-5", tmp_path / "gone-5"),
    ]
    assert remove_products(old_products(runs, "a.yaml", 200.0)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other-3", "shared", "young-2"]
