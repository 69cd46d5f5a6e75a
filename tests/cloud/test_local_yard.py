"""The folder of the workers on this machine: whose files are, tags that were cut short, providers that share it."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from dynamo.provisioners import local_yard
from dynamo.provisioners.local import LocalProvider, driver

from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.provider import ProviderSettings
from dynamo.fleet.refusals import GoneError, UnavailableError


def _provider(folder: Path, name: str = "here") -> LocalProvider:
    return driver.connect(ProviderSettings(name, "local", options={"folder": str(folder)}))


def _laid(folder: Path, slice_: str = "dfw", provider: str = "here", owner: tuple[int, int] | None = None):
    """Lay a worker down that nobody starts."""
    yard = local_yard.Yard(folder, provider)
    with yard.locked():
        spec = MachineSpec(Tags(slice_, "w", uuid.uuid4().hex), "w")
        return yard.lay(spec, {"usr/local/sbin/boot": ("x", 0o755), "run/.here": ("", 0o600)}, 1, 1, owner)


@contextmanager
def _process(root: Path) -> Iterator[subprocess.Popen]:
    """A process of the worker of a root."""
    one = subprocess.Popen(["sleep", "600"], env={**os.environ, "DYNAMO_ROOT": str(root)})
    try:
        yield one
    finally:
        one.kill()
        one.wait()


def test_nobody_can_swap_what_is_given_to_him_for_what_is_not(tmp_path, monkeypatch):
    """No file is given away where its new owner can reach it already, nor a folder before what is in it."""
    given: list[Path] = []

    def chown(path, user, group, *, dir_fd=None, follow_symlinks=True):
        whole = Path(os.readlink(f"/proc/self/fd/{dir_fd}"), path) if dir_fd is not None else Path(path)
        new = next(one for one in whole.parents if one.parent == tmp_path)
        assert new.stat().st_mode & 0o777 == 0o700
        assert (user, group, follow_symlinks) == (12345, 54321, False)
        given.append(whole.relative_to(new))
        assert not set(given) & set(given[-1].parents)

    monkeypatch.setattr(os, "chown", chown)
    laid = _laid(tmp_path, owner=(12345, 54321))
    there = [laid.root, *laid.root.rglob("*")]
    assert sorted(given) == sorted(one.relative_to(laid.folder) for one in there)
    assert laid.folder.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "text", [b"", b"\0\0", b"[]", b'{"dynamo-slice":"dfw","dynamo-group":"w","dynamo-token":"7"}']
)
def test_tags_that_were_cut_short_stop_no_other_worker(text, tmp_path):
    """What a loss of power left is no worker, and is cleared away; one that runs is told of, and can be destroyed."""
    torn, other = _laid(tmp_path), _laid(tmp_path)
    (torn.folder / "machine.json").write_bytes(text)
    here = _provider(tmp_path)
    with _process(torn.root) as process:
        with pytest.raises(UnavailableError, match=f"cannot be read .{torn.folder}/machine.json.: whoever"):
            here.list("dfw")
        assert here.describe(other.machine.id).state == "pending"
        here.destroy(other.machine.id)
        here.destroy(torn.machine.id)
        assert not psutil.pid_exists(process.pid)
    assert not list(tmp_path.glob("*fleet*"))
    torn = _laid(tmp_path)
    (torn.folder / "machine.json").write_bytes(text)
    assert here.list("dfw") == []
    with pytest.raises(GoneError):
        here.describe(torn.machine.id)
    other = _laid(tmp_path)
    assert list(tmp_path.glob("*fleet*")) == [other.folder]


def test_the_processes_of_a_worker_whose_folder_somebody_removed_are_ended(tmp_path):
    """They are known by their environment."""
    laid = _laid(tmp_path)
    with _process(laid.root) as process:
        shutil.rmtree(laid.folder)
        _provider(tmp_path).destroy(laid.machine.id)
        assert not psutil.pid_exists(process.pid)


def test_two_providers_of_one_folder_have_each_its_own_workers(tmp_path):
    """Of an older version's nobody knows whose they are: they are both's, as they were."""
    mine, others, old = (_laid(tmp_path, provider=name) for name in ("here", "there", ""))
    listed = {one.id for one in _provider(tmp_path).list("dfw")}
    assert listed == {mine.machine.id, old.machine.id}
    assert {one.id for one in _provider(tmp_path, "there").list("dfw")} == {others.machine.id, old.machine.id}
