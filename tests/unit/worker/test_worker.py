"""The pieces of a worker: store, sandbox, loading, and what crosses the wire."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo.errors import UserError
from dynamo.worker.job import Job, Made, Order, Report
from dynamo.worker.loading import load_object, split_call
from dynamo.worker.sandbox import Sandbox
from dynamo.worker.store import CHUNK, adopt, digest_file, stored_path

STORE = "/no/store"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


# The store


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_the_digest_is_sha256_of_the_bytes(tmp_path, size):
    """Files of any size, at the borders of a read too."""
    data = os.urandom(size)
    (tmp_path / "f").write_bytes(data)
    assert digest_file(tmp_path / "f") == hashlib.sha256(data).hexdigest()


def put(tmp_path: Path, text: str) -> Made:
    """Adopt a new file."""
    (tmp_path / "f").write_text(text)
    return adopt(str(tmp_path / "f"), str(tmp_path / "store"))


def test_a_file_is_moved_in_and_read_only(tmp_path):
    """It stands under its digest, cannot be written, and is gone from where it was."""
    made = put(tmp_path, "x")
    path = Path(stored_path(tmp_path / "store", made.digest))
    assert made.digest == hashlib.sha256(b"x").hexdigest()
    assert (made.size, made.mtime) == (1, path.stat().st_mtime_ns)
    assert path.stat().st_mode & 0o777 == 0o444
    assert not (tmp_path / "f").exists()


def test_equal_contents_are_one_file(tmp_path):
    """A second file of equal contents changes nothing but the time of use."""
    first = put(tmp_path, "x")
    path = stored_path(tmp_path / "store", first.digest)
    before = os.stat(path)
    os.utime(path, ns=(0, before.st_mtime_ns))
    assert put(tmp_path, "x") == first
    after = os.stat(path)
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_atime_ns > 0


@pytest.mark.parametrize("damage", ["X", "xx", ""])
def test_a_damaged_file_is_replaced_by_a_whole_one(tmp_path, damage):
    """Contents that are not what the name says do not survive, whatever their size."""
    made = put(tmp_path, "x")
    path = Path(stored_path(tmp_path / "store", made.digest))
    path.chmod(0o644)
    path.write_text(damage)
    assert put(tmp_path, "x").digest == made.digest
    assert path.read_text() == "x"


def test_a_file_with_other_links_is_copied(tmp_path):
    """A task that links to a file instead of writing one gives the store no share in it."""
    own = tmp_path / "own"
    own.write_text("x")
    os.link(own, tmp_path / "f")
    made = adopt(str(tmp_path / "f"), str(tmp_path / "store"))
    path = Path(stored_path(tmp_path / "store", made.digest))
    assert path.stat().st_ino != own.stat().st_ino
    assert own.stat().st_mode & 0o200, "the user's own file stays writable"


# The sandbox


def order(paths: dict[str, str] | None = None, outputs: tuple[str, ...] = ("out",)) -> Order:
    """Return an order with these files."""
    return Order("t", "python", "m:f", {}, {"o": outputs}, {}, (), paths or {}, "log", "keep")


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch):
    """A sandbox that leaves the current folder alone afterwards."""
    monkeypatch.chdir(tmp_path)
    return Sandbox(str(tmp_path / "box"))


def test_a_sandbox_is_clean_each_time(sandbox, tmp_path):
    """Inputs are links, folders of outputs are there, and nothing of the task before is."""
    (tmp_path / "in").write_text("x")
    sandbox.prepare(order({"a/in": str(tmp_path / "in")}, ("b/c/out",)), STORE, {})
    assert Path("a/in").read_text() == "x"
    Path("b/c/out").touch()
    Path("stray").touch()
    os.makedirs("b/c/more/deep")
    assert sandbox.found() == ["a/in", "b/c/out", "stray"]
    sandbox.leave()
    sandbox.prepare(order({"a/in": str(tmp_path / "in")}, ("b/c/out",)), STORE, {})
    assert sandbox.found() == ["a/in"]
    assert not Path("b/c/more").exists()
    sandbox.leave()
    sandbox.prepare(order(), STORE, {})
    assert os.listdir(".") == []


def test_what_a_dead_worker_left_is_not_taken_over(sandbox, tmp_path):
    """A new worker empties the folder it is given."""
    box = tmp_path / "box"
    box.mkdir()
    (box / "out").write_text("stale")
    sandbox.prepare(order(), STORE, {})
    assert sandbox.missing_outputs(order()) == ["out"]


def test_inputs_from_the_store_and_from_outside(sandbox, tmp_path):
    """A stored input is the stored file itself, an outside one a link by name; outputs made of either are our own."""
    made = put(tmp_path, "stored")
    store = str(tmp_path / "store")
    stored, outside = stored_path(store, made.digest), tmp_path / "outside"
    outside.write_text("outside")
    sandbox.prepare(order({"s": stored, "o": str(outside), "m": ""}), store, {"m": stored})
    assert [Path(n).read_text() for n in "som"] == ["stored", "outside", "stored"]
    os.rename("s", "out")
    moved = sandbox.collect(order(), store)["out"]
    assert moved.digest == made.digest
    sandbox.leave()
    assert Path(stored).stat().st_nlink == 1
    assert outside.read_text() == "outside"


def test_a_failed_sandbox_is_kept(sandbox, tmp_path):
    """It is moved away whole, in place of an earlier one."""
    for text in "ab":
        sandbox.prepare(order(), STORE, {})
        Path("file").write_text(text)
        sandbox.leave(str(tmp_path / "kept" / "t"))
    assert (tmp_path / "kept" / "t" / "file").read_text() == "b"
    assert not (tmp_path / "box").exists()


def test_outputs_are_plain_files(sandbox):
    """Links and folders are no outputs."""
    sandbox.prepare(order(), STORE, {})
    for name, make in (
        ("link", lambda: os.symlink("/etc/hostname", "link")),
        ("folder", lambda: os.mkdir("folder")),
    ):
        make()
        assert sandbox.missing_outputs(order(outputs=(name,))) == [name]


# Loading


def test_calls_are_split():
    """The name is behind the last colon; what has none, or no name, is refused."""
    assert split_call("a.b:c") == ("a.b", "c")
    assert split_call("/x:y/f.py:g.h") == ("/x:y/f.py", "g.h")
    for bad in ("", "a", ":a", "a:", "a:b c", "a:1"):
        with pytest.raises(UserError, match="does not name a function"):
            split_call(bad)


def test_what_cannot_be_loaded_is_told(tmp_path):
    """A missing file, module, name or import, and what does not parse, each with the nearest name or the place."""
    good = tmp_path / "good.py"
    good.write_text("def contour(): ...\n")
    (tmp_path / "bad.py").write_text("x = (\n")
    (tmp_path / "needs.py").write_text("import no_such_package\n")
    for call, words in [
        (f"{good}:contur", r"has no 'contur' \(did you mean 'contour'\?\)"),
        (f"{tmp_path}/none.py:f", "no file "),
        (f"{tmp_path}/bad.py:f", r"bad\.py:1:\d+: not valid Python"),
        (f"{tmp_path}/needs.py:f", "imports 'no_such_package', which is not installed"),
        ("good_as_a_module:f", r"no module 'good_as_a_module' here; .* \./good_as_a_module\.py\?"),
    ]:
        with pytest.raises(UserError, match=words):
            load_object(call)


def test_a_file_is_loaded_again_when_it_changes(tmp_path):
    """A file is one module; once changed it is read anew; a failing one can be mended."""
    file = tmp_path / "f.py"
    file.write_text("def f(): return 1\n")
    first = load_object(f"{file}:f")
    assert load_object(f"{file}:f") is first
    file.write_text("def f(): return 22\n")
    assert load_object(f"{file}:f")() == 22
    file.write_text("raise ValueError('broken')\n")
    with pytest.raises(ValueError, match="broken"):
        load_object(f"{file}:f")
    file.write_text("def f(): return 333\n")
    assert load_object(f"{file}:f")() == 333


# The wire


@settings(deadline=None)
@given(TEXT, st.dictionaries(TEXT, TEXT, max_size=2), st.lists(TEXT, max_size=3))
def test_jobs_and_reports_cross_the_wire_unchanged(text, paths, argv):
    """JSON both ways gives the same job and report, on one line."""
    one = Order(
        text, "command", "m:f", {"i": ["a", "b"]}, {"o": text}, {"p": [1, None]}, tuple(argv), paths, "l", "k"
    )
    job = Job("j", (one,), text)
    report = Report(text, "ok", 1.5, 2.5, text, -9, {text: Made("d", 1, 2)}, 0.1, 5, 6)
    for thing, read in ((job, Job.from_json), (report, Report.from_json)):
        line = orjson.dumps(thing)
        assert b"\n" not in line
        assert read(orjson.loads(line)) == thing


def test_a_worker_process_serves_jobs_and_ends_with_its_master(tmp_path):
    """A worker answers each task of a job in order, and is gone once the other end of its socket is."""
    (tmp_path / "f.py").write_text(
        dedent("""
        from pathlib import Path
        from dynamo import Input, Output, task

        @task
        def double(a: Input | None, b: Output, *, text: str = ''):
            print('doubling')
            b.write_text((a.read_text() if a else text) * 2)
        """)
    )
    call, keep = f"{tmp_path}/f.py:double", str(tmp_path / "kept")
    orders = (
        Order(
            "one", "python", call, {}, {"b": "x"}, {"text": "ab"}, (), {}, str(tmp_path / "l" / "one"), keep
        ),
        Order(
            "two",
            "python",
            call,
            {"a": "x"},
            {"b": "y"},
            {},
            (),
            {"x": ""},
            str(tmp_path / "l" / "two"),
            keep,
        ),
        Order(
            "no", "python", call, {"a": "z"}, {"b": "w"}, {}, (), {"z": ""}, str(tmp_path / "l" / "no"), keep
        ),
    )
    here, there = socket.socketpair()
    place = {"log": str(tmp_path / "log"), "sandbox": str(tmp_path / "box"), "modules": []}
    with here, subprocess.Popen(
        [sys.executable, "-m", "dynamo.worker", str(there.fileno())], pass_fds=[there.fileno()], start_new_session=True
    ) as process:  # fmt: skip
        there.close()
        with here.makefile("rwb") as wire:
            wire.write(orjson.dumps(place) + b"\n" + orjson.dumps({"prepare": [call, "none:such"]}) + b"\n")
            wire.write(orjson.dumps(Job("j", orders, str(tmp_path / "store"))) + b"\n")
            wire.flush()
            assert orjson.loads(wire.readline()) == {"ready": True}
            one, two, no = [Report.from_json(orjson.loads(wire.readline())) for _ in range(3)]
        here.close()
        assert process.wait(30) == -9
    assert (one.outcome, two.outcome, no.outcome) == ("ok", "ok", "blocked")
    assert Path(stored_path(tmp_path / "store", two.made["y"].digest)).read_text() == "abababab"
    assert (tmp_path / "l" / "two").read_text() == "doubling\n"
    assert no.error == "its input 'z' was not made"
    assert one.peak > 1 << 20


def test_a_file_changed_twice_within_a_second_runs_as_it_is(tmp_path):
    """Python's own cache of compiled files goes by whole seconds and size; a user's file is not taken from it."""
    path = tmp_path / "mine.py"
    for number in (1, 2, 3):
        path.write_text(f"def answer():\n    return {number}\n")
        assert load_object(f"{path}:answer")() == number
