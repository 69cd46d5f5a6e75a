"""What a disk says of paths."""

from __future__ import annotations

import os
from types import SimpleNamespace

import psutil
import pytest

from dynamo.triggers.disk import is_folder, is_gone, network


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("/data/in", "nfs4"), ("/data/local/x", ""), ("/data", "nfs4"), ("/database", ""), ("/cloud/a", "fuse.s3fs")],
)  # fmt: skip
def test_a_folder_is_on_the_disk_that_is_mounted_nearest_above_it(monkeypatch, folder, kind):
    """Only kinds are told whose files may change on other machines."""
    mounts = [("/", "ext4"), ("/data", "nfs4"), ("/data/local", "xfs"), ("/cloud", "fuse.s3fs")]
    found = [SimpleNamespace(mountpoint=point, fstype=kind) for point, kind in mounts]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: found)
    assert network(folder) == kind


def test_what_cannot_be_looked_at_is_not_gone(tmp_path, monkeypatch):
    """A disk that is away for a moment has not lost its files."""
    file = tmp_path / "a"
    file.touch()
    assert not is_gone(str(file))
    assert is_gone(str(tmp_path / "b"))
    assert is_gone(str(file / "below"))

    def stale(path):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(os, "stat", stale)
    assert not is_gone(str(file))


def test_a_link_that_leads_nowhere_is_no_folder(tmp_path):
    """Nor one that leads in a circle; one to a folder is."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "loop").symlink_to("loop")
    with os.scandir(tmp_path) as entries:
        assert {entry.name: is_folder(entry) for entry in entries} == {
            "there": True, "link": True, "loop": False,
        }  # fmt: skip
