"""Real files in real folders: told once, when they are whole, whoever writes them and however."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from dynamo.errors import UserError
from dynamo.triggers import files, whole
from dynamo.triggers.files import Watcher
from dynamo.triggers.tree import Glob, Place, entry
from dynamo.triggers.whole import is_open_for_writing, temporary

PATIENCE = 20.0


@pytest.fixture(params=["told", "polled"])
def watch(request, monkeypatch):
    """Watchers that the kernel tells, and watchers that look by themselves."""
    monkeypatch.setattr(files, "POLL", 0.02)
    opened = []

    def make(*globs, **options):
        watcher = Watcher({"scan": [str(g) for g in globs]}, poll=request.param == "polled", **options)
        opened.append(watcher)
        return watcher

    yield make
    for watcher in opened:
        watcher.close()


def until(watcher, happened):
    """Look until something is true of the names that were told so far; return them."""
    seen, gone, end = [], [], time.monotonic() + PATIENCE
    while not happened(seen, gone):
        assert time.monotonic() < end, (seen, gone)
        changes = watcher.look()
        gone += [os.path.basename(p) for p in changes.gone]
        seen += [os.path.basename(s.path) for s in changes.seen]
        if not happened(seen, gone):
            watcher.wait(time.monotonic() + 1)
    return seen


def names(watcher, n):
    return until(watcher, lambda seen, _: len(seen) >= n)


@contextmanager
def writer(path):
    """Another process that has a file open: each line that it is sent, it writes; it closes at the end."""
    code = (
        "import sys\n"
        "with open(sys.argv[1], 'ab', buffering=0) as f:\n"
        "    print(flush=True)\n"
        "    for line in sys.stdin:\n"
        "        f.write(line.encode()); print(flush=True)\n"
        "print(flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )

    def write(text):
        process.stdin.write(text + "\n")
        process.stdout.readline()

    try:
        process.stdout.readline()
        yield write
    finally:
        process.communicate()
        process.wait()


def test_what_is_there_is_told_first_and_once(tmp_path, watch):
    """The first look tells all that is whole; the next ones only what is new."""
    for name in ("a.nc", "b.nc", "c.txt"):
        (tmp_path / name).write_text("x")
    watcher = watch(tmp_path / "*.nc")
    changes = watcher.look()
    assert sorted(os.path.basename(s.path) for s in changes.seen) == ["a.nc", "b.nc"]
    assert {s.input for s in changes.seen} == {"scan"}
    assert all(s.size == 1 and s.mtime == os.stat(s.path).st_mtime_ns for s in changes.seen)
    (tmp_path / "d.nc").write_text("x")
    assert names(watcher, 1) == ["d.nc"]


def test_a_slow_writer_is_waited_for(tmp_path, watch):
    """A file that another process still has open is not told, however long it is quiet; then once."""
    watcher = watch(tmp_path / "*.nc")
    watcher.look()
    with writer(tmp_path / "slow.nc") as write:
        for n in range(3):
            write("part")
            (tmp_path / f"fast{n}.nc").write_text("x")
            assert names(watcher, 1) == [f"fast{n}.nc"]
    assert names(watcher, 1) == ["slow.nc"]
    assert not watcher.look().seen


def test_a_file_that_is_open_at_the_start_is_waited_for(tmp_path, watch):
    """Also where nothing was told of its making."""
    with writer(tmp_path / "slow.nc") as write:
        write("part")
        watcher = watch(tmp_path / "*.nc")
        assert watcher.look().seen == ()
    assert names(watcher, 1) == ["slow.nc"]


def test_renamed_linked_and_moved_files_are_whole(tmp_path, watch):
    """However a whole file gets its name, it is told; its temporary name never is."""
    inbox, aside = tmp_path / "inbox", tmp_path / "aside"
    inbox.mkdir()
    aside.mkdir()
    watcher = watch(inbox / "*")
    watcher.look()
    for name in (".a.nc.X3b9Qz", "a.nc.tmp", "a.nc.part", "a.nc~", ".a.nc.swp"):
        (inbox / name).write_text("x")
    (inbox / "a.nc.tmp").rename(inbox / "renamed.nc")
    (aside / "b").write_text("x")
    os.link(aside / "b", inbox / "linked.nc")
    (inbox / "symlink.nc").symlink_to(aside / "b")
    (aside / "b").rename(inbox / "moved.nc")
    (aside / "b").write_text("y")
    assert sorted(names(watcher, 4)) == ["linked.nc", "moved.nc", "renamed.nc", "symlink.nc"]


def test_an_empty_file_is_not_whole(tmp_path, watch):
    """Who touches a file first and fills it later is not taken at his first word."""
    watcher = watch(tmp_path / "*.nc")
    (tmp_path / "a.nc").touch()
    (tmp_path / "b.nc").write_text("x")
    assert names(watcher, 1) == ["b.nc"]
    (tmp_path / "a.nc").write_text("x")
    assert names(watcher, 1) == ["a.nc"]


def test_a_file_deleted_before_it_was_told_is_dropped(tmp_path, watch):
    """And one deleted later is told as gone."""
    watcher = watch(tmp_path / "*.nc")
    watcher.look()
    (tmp_path / "a.nc").write_text("x")
    (tmp_path / "a.nc").unlink()
    (tmp_path / "b.nc").write_text("x")
    assert names(watcher, 1) == ["b.nc"]
    (tmp_path / "b.nc").unlink()
    until(watcher, lambda _, gone: gone == ["b.nc"])


def test_a_file_written_anew_is_told_again(tmp_path, watch):
    """Its size or time tells that it changed."""
    watcher = watch(tmp_path / "*.nc")
    (tmp_path / "a.nc").write_text("x")
    assert names(watcher, 1) == ["a.nc"]
    (tmp_path / "a.nc").write_text("longer")
    assert names(watcher, 1) == ["a.nc"]


def test_folders_may_appear_later_and_be_made_again(tmp_path, watch):
    """The folder of a glob, folders that a glob matches, and folders that are moved in with files."""
    watcher = watch(tmp_path / "in" / "radar" / "*" / "*.nc")
    assert watcher.look().seen == ()
    day = tmp_path / "in" / "radar" / "20170329"
    day.mkdir(parents=True)
    (day / "a.nc").write_text("x")
    assert names(watcher, 1) == ["a.nc"]
    full = tmp_path / "full"
    full.mkdir()
    (full / "b.nc").write_text("x")
    full.rename(tmp_path / "in" / "radar" / "20170330")
    assert names(watcher, 1) == ["b.nc"]
    (tmp_path / "in").rename(tmp_path / "old")
    until(watcher, lambda _, gone: sorted(gone) == ["a.nc", "b.nc"])
    day.mkdir(parents=True)
    (day / "c.nc").write_text("x")
    assert names(watcher, 1) == ["c.nc"]
    (tmp_path / "old" / "radar" / "20170329" / "d.nc").write_text("x")
    (day / "e.nc").write_text("x")
    assert names(watcher, 1) == ["e.nc"]


def test_several_globs_and_inputs_share_a_watcher(tmp_path):
    """Each file is told for each input whose glob it matches, by its path without links."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    globs = {"a": [f"{tmp_path}/link/a*", f"{tmp_path}/real/a*"], "b": [f"{tmp_path}/real/*"]}
    with Watcher(globs) as watcher:
        (tmp_path / "real" / "a1").write_text("x")
        seen = []
        while len(seen) < 2:
            seen += [(s.input, s.path) for s in watcher.look().seen]
        watcher._next_scan = 0.0
        assert not watcher.look().seen
    assert sorted(seen) == [("a", f"{tmp_path}/real/a1"), ("b", f"{tmp_path}/real/a1")]


def test_what_the_kernel_did_not_tell_is_found_by_the_scan(tmp_path, monkeypatch):
    """More events than the kernel keeps: it says so, and all folders are looked at."""
    from inotify_simple import Event, flags

    with Watcher({"scan": [f"{tmp_path}/*"]}) as watcher:
        watcher.look()
        monkeypatch.setattr(watcher._inotify, "read", lambda timeout: [Event(-1, flags.Q_OVERFLOW, 0, "")])
        (tmp_path / "a").write_text("x")
        assert [s.path for s in watcher.look().seen] == [f"{tmp_path}/a"]
    with Watcher({"scan": [f"{tmp_path}/*"]}, scan_every=0.01) as watcher:
        watcher.look()
        monkeypatch.setattr(watcher._inotify, "read", lambda timeout: [])
        (tmp_path / "b").write_text("x")
        assert names(watcher, 1) == ["b"]


def test_where_the_kernel_tells_nothing_the_folders_are_polled(tmp_path, monkeypatch, caplog):
    """On a network's file system, and where there are no more watches; a line in the log says it, once."""
    monkeypatch.setattr(files, "POLL", 0.02)
    monkeypatch.setattr(files, "network", lambda _: "nfs4")
    with Watcher({"scan": [f"{tmp_path}/*"]}) as watcher:
        watcher.look()
        monkeypatch.setattr(watcher._inotify, "read", lambda timeout: [])
        (tmp_path / "a").write_text("x")
        assert names(watcher, 1) == ["a"]
    assert [r.getMessage() for r in caplog.records] == [
        f"folders are looked at every 0.02 s for new files: {tmp_path} is on nfs4"
    ]


def test_a_file_of_which_nobody_says_whether_it_is_open_must_be_quiet(tmp_path, watch, monkeypatch):
    """Without leases (another owner, another system) a file counts as whole when it did not change for a while."""
    monkeypatch.setattr(whole, "is_open_for_writing", lambda _: None)
    monkeypatch.setattr(whole, "SETTLE", 0.2)
    (tmp_path / "a.nc").write_text("x")
    watcher = watch(tmp_path / "*.nc")
    assert names(watcher, 1) == ["a.nc"]


def test_a_wait_can_be_ended_from_another_thread(tmp_path):
    """`wake` is what a signal handler or another trigger calls."""
    with Watcher({"scan": [f"{tmp_path}/*"]}) as watcher:
        watcher.look()
        thread = threading.Timer(0.01, watcher.wake)
        thread.start()
        begin = time.monotonic()
        watcher.wait(begin + PATIENCE)
        thread.join()
        assert time.monotonic() < begin + PATIENCE


@pytest.fixture
def shared():
    """A folder to which any user finds the way."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    (root / "in").mkdir()
    yield root / "in"
    (root / "in").chmod(0o755)
    shutil.rmtree(root)


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111])
def test_a_folder_that_cannot_be_read_is_a_fault_of_the_user(shared, nobody, mode):
    """It is told at the start, with the input and the reason; also where names can be had, and files not."""
    shared.chmod(mode)
    with nobody(), pytest.raises(UserError, match=r"the folder .* for 'scan': Permission denied"):
        Watcher({"scan": [f"{shared}/*"]})


@pytest.mark.parametrize("mode", [0o000, 0o444])
def test_a_folder_that_is_locked_for_a_while_is_told_and_what_came_is_found(shared, nobody, watch, mode):
    """At once when it is open again, not only by the scan of each minute; nothing that was there is gone."""
    (shared / "a.nc").write_text("a")
    (shared / "a.nc").chmod(0o666)
    with nobody():
        watcher = watch(shared / "*.nc")
        names(watcher, 1)
    (shared / "b.nc").write_text("b")
    (shared / "b.nc").chmod(0o666)
    shared.chmod(mode)
    with nobody():
        assert until(watcher, lambda *_: watcher.blind) == []
    assert watcher.blind == {str(shared): "Permission denied"}
    shared.chmod(0o755)
    with nobody():
        assert until(watcher, lambda seen, gone: seen or gone) == ["b.nc"]
    assert watcher.blind == {}


@pytest.mark.parametrize("pattern", ["**/*.nc", "*/*.nc"])
def test_a_folder_below_that_could_never_be_looked_into_is_told_once_and_is_no_trouble(
    shared, nobody, watch, caplog, pattern
):
    """Such as lost+found; one that could be looked into before is a trouble, and what comes in both is found."""
    for name, mode in (("lost+found", 0o000), ("site", 0o755)):
        (shared / name).mkdir()
        (shared / name / f"{name}.nc").write_text("x")
        (shared / name / f"{name}.nc").chmod(0o666)
        (shared / name).chmod(mode)
    with nobody():
        watcher = watch(shared / pattern)
        assert names(watcher, 1) == ["site.nc"]
        watcher._next_scan = 0.0
        watcher.look()
        assert watcher.blind == {}
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"cannot look into {shared}/lost+found: Permission denied"]
    (shared / "site").chmod(0o000)
    with nobody():
        until(watcher, lambda *_: watcher.blind)
        assert watcher.blind == {f"{shared}/site": "Permission denied"}
    for name in ("lost+found", "site"):
        (shared / name).chmod(0o755)
    with nobody():
        assert names(watcher, 1) == ["lost+found.nc"]
    assert watcher.blind == {}


def test_a_lease_tells_whether_a_file_is_open_for_writing(tmp_path):
    """Readers do not count; a file that is not there says nothing."""
    path = tmp_path / "a"
    with path.open("w"):
        assert is_open_for_writing(str(path)) is True
    with path.open():
        assert is_open_for_writing(str(path)) is False
    assert is_open_for_writing(str(tmp_path / "b")) is None


def test_globs_mean_what_they_mean_to_glob(tmp_path):
    """The tree of folders that is watched finds what `glob.glob` finds."""
    from glob import glob

    for path in ("a/1.nc", "a/b/2.nc", "a/b/c/3.nc", "a/.h/4.nc", "a/.5.nc", "6.nc", "a/x[1].nc"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x")
    for pattern in (
        "*.nc",
        "a/*.nc",
        "**/*.nc",
        "a/**",
        "a/*/[12].nc",
        "a/?/**/*.nc",
        "a/1.nc",
        "a/.h/*",
        "a/.*.nc",
    ):
        expected = {p for p in glob(f"{tmp_path}/{pattern}", recursive=True) if os.path.isfile(p)}
        with Watcher({"scan": [f"{tmp_path}/{pattern}"]}) as watcher:
            found = {s.path for s in watcher.look().seen}
        assert found == {p for p in expected if not temporary().match(os.path.basename(p))}, pattern


def test_a_place_says_where_a_folder_leads():
    """Folders that can lead to no file are not looked into."""
    start = Place(Glob.parse("scan", "/data/20*/radar/*.nc"))
    assert start.glob.base == "/data"
    assert entry([start], "1999") == (set(), set())
    below = entry([start], "2017")[1]
    assert entry(below, "log") == (set(), set())
    assert entry(entry(below, "radar")[1], "a.nc") == ({"scan"}, set())


def test_a_name_that_is_not_text_is_left_out(tmp_path, caplog):
    """It could be neither recorded nor printed; a line in the log says so, once."""
    (tmp_path / "a.nc").write_text("x")
    with open(os.fsencode(tmp_path) + b"/\xff.nc", "w") as file:
        file.write("x")
    with Watcher({"scan": [f"{tmp_path}/*.nc"]}, poll=True) as watcher:
        assert [os.path.basename(s.path) for s in watcher.look().seen] == ["a.nc"]
        watcher._next_scan = 0.0
        assert not watcher.look().seen
    (record,) = caplog.records
    assert record.getMessage().endswith(".nc' is left out: its name is not UTF-8")


def test_a_link_to_where_nothing_is_hides_no_other_file(tmp_path):
    """Links in a circle, and links to nothing, are passed over."""
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "nothing").symlink_to(tmp_path / "missing")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "deep" / "a.nc").write_text("x")
    with Watcher({"scan": [f"{tmp_path}/**/*"]}) as watcher:
        assert [s.path for s in watcher.look().seen] == [f"{tmp_path}/deep/a.nc"]


def test_many_open_files_do_not_end_the_wait(tmp_path):
    """A watch beside a busy engine has descriptors above 1024."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(2048, hard)), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with Watcher({"scan": [f"{tmp_path}/*"]}) as watcher:
            watcher.look()
            (tmp_path / "a").write_text("x")
            assert names(watcher, 1) == ["a"]
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_folder_that_is_not_there_is_told_and_waited_for(tmp_path, watch, caplog):
    """It may be a slip of the pen, or come later."""
    watcher = watch(tmp_path / "later" / "*.nc")
    watcher.look()
    assert [r.getMessage() for r in caplog.records] == [
        f"there is no folder {tmp_path}/later yet; waiting for it"
    ]
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "a.nc").write_text("x")
    assert names(watcher, 1) == ["a.nc"]
