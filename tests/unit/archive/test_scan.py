"""All files that globs lead to are found in one look, by the rules of a watch."""

from __future__ import annotations

import os

from dynamo.archive.scan import scan
from dynamo.triggers.files import Watcher


def found(base, globs):
    scanned = scan({name: [f"{base}/{one}" for one in said] for name, said in globs.items()})
    return {(seen.input, os.path.relpath(seen.path, base)) for seen in scanned.files}, scanned


def test_files_of_all_globs_are_found_once(tmp_path):
    """Nested, by several patterns of one input, for several inputs; links by name; a path that is no pattern."""
    for path in ("a/1.nc", "a/2.nc", "b/c/3.nc", "a/.hidden.nc", "a/4.nc.part", "other/5.nc", "x.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("12")
    (tmp_path / "linked").symlink_to(tmp_path / "other")
    (tmp_path / "round").symlink_to(tmp_path)
    (tmp_path / "a" / "gone.nc").symlink_to(tmp_path / "nowhere")
    (tmp_path / "a" / "folder.nc").mkdir()
    (tmp_path / "a" / "empty.nc").touch()
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/a/odd\xff.nc")
    with open(odd, "w") as file:
        file.write("1")
    globs = {"scan": ["**/*.nc", "a/1*"], "again": ["linked/*.nc"], "one": ["x.json"], "none": ["not/here/*"]}
    files, scanned = found(tmp_path, globs)
    assert files == {
        ("scan", "a/1.nc"), ("scan", "a/2.nc"), ("scan", "b/c/3.nc"), ("scan", "other/5.nc"),
        ("again", "other/5.nc"), ("one", "x.json"),
    }  # fmt: skip
    assert [one.path for one in scanned.empty] == [str(tmp_path / "a" / "empty.nc")]
    assert sorted(scanned.unreadable) == [f"{tmp_path}/a/gone.nc", f"{tmp_path}/a/odd\\udcff.nc"]
    seen = next(one for one in scanned.files if one.input == "one")
    state = (tmp_path / "x.json").stat()
    assert (seen.size, seen.mtime, scanned.inodes[seen.path]) == (2, state.st_mtime_ns, state.st_ino)


def test_a_watch_finds_the_same(tmp_path, eventually):
    """As soon as it knows them to be whole."""
    for path in ("a/1.nc", "a/b/2.nc", "a/b/c/3.nc", "a/~.nc", "a/4.nc~"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("1")
    globs = {"scan": ["a/**/*.nc", "a/*.nc*"], "deep": ["a/*/*/*"]}
    files, _ = found(tmp_path, globs)
    with Watcher({name: [f"{tmp_path}/{one}" for one in said] for name, said in globs.items()}) as watcher:
        told = set()

        def all_told():
            told.update((seen.input, os.path.relpath(seen.path, tmp_path)) for seen in watcher.look().seen)
            return len(told) >= 5

        eventually(all_told)
    assert files == told


def test_a_folder_that_cannot_be_read_is_told(tmp_path, nobody):
    """What can be read is found all the same."""
    tmp_path.chmod(0o755)
    for name in ("open", "shut"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.nc").write_text("1")
    (tmp_path / "shut").chmod(0)
    for above in (tmp_path.parent, tmp_path.parent.parent):  # pytest lets nobody else into its folders
        above.chmod(0o755)
    with nobody():
        files, scanned = found(tmp_path, {"scan": ["*/*.nc"]})
    assert files == {("scan", "open/1.nc")}
    assert scanned.unreadable == {str(tmp_path / "shut"): "Permission denied"}
