"""``kill -9`` of the engine and of its workers at random moments, fifty times in a row."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from dynamo.journal import Journal, Workspace

KILLS = 50

FLOW = """
import hashlib, os, time
from pathlib import Path
from dynamo import Input, Output, fuse, task, workflow

def note(out, seed):
    fd = os.open(MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(fd, f'{seed} {os.path.basename(out)}\\n'.encode())
    os.close(fd)

def write(out, text):
    # Each file tells by itself whether it is whole; it is written in pieces.
    body = text.encode() * 3000
    with open(out, 'wb', buffering=0) as file:
        file.write(hashlib.sha256(body).hexdigest().encode() + b'\\n')
        for start in range(0, len(body), 1 << 14):
            file.write(body[start:start + (1 << 14)])
    time.sleep(0.01)

@task
def begin(frame: Input, out: Output, *, seed: int, name: str):
    note(out, seed)
    write(out, Path(frame).read_text()[:20] + name + str(seed))

@task
def go_on(before: list[Input], out: Output, *, seed: int):
    note(out, seed)
    write(out, ' '.join(hashlib.sha256(Path(b).read_bytes()).hexdigest() for b in before))

@workflow(runtime=True)
def each(found: Input, out: Output, *, seed: int):
    note(out + '.each', seed)
    n = 20 + len(Path(found).read_bytes()) % 7
    go_on([begin(found, out=f'part{i}', seed=seed, name=str(i)) for i in range(n)], out=out, seed=seed)

@workflow
def flow(frame: Input, seed: int = 0):
    ends = []
    for n in range(30):
        with fuse(f'lead-{n}'):
            a = begin(frame, out=f'a{n}', seed=seed, name=str(n))
            b = go_on([a], out=f'b{n}', seed=seed)
            ends.append(go_on([a, b], out=f'c{n}', seed=seed))
    for n in range(10):
        ends.append(go_on([begin(frame, out=f'd{n}', seed=seed, name=f'd{n}')], out=f'e{n}', seed=seed))
    last = go_on(ends, out='last', seed=seed)
    go_on([each(ends[0], out='sum', seed=seed), last], out='end', seed=seed)
"""


class Chaos:
    """One workspace that is killed in again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.marks = root / "marks.txt"
        self.out = root / "out"
        self.random = random.Random(20260321)
        self.seed = 0
        self.broken: list[str] = []
        self.over = threading.Event()
        self.done_before: dict[str, int] = {}
        self.kills = {"engine": 0, "worker": 0}
        (root / "frame.txt").write_text("frame")
        (root / "flow.py").write_text(f"MARKS = {str(self.marks)!r}\n" + FLOW)
        (root / "flow.yaml").write_text(
            "workflow: ./flow.py:flow\ninputs:\n  frame: frame.txt\nproducts: out/{run}\n"
            "engine: {name: local, cores: 2}\n"
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line."""
        return subprocess.Popen(
            [sys.executable, "-c", "from dynamo.cli import main; main()", *arguments],
            cwd=self.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def journal(self) -> Journal | None:
        """Open the journal once there is one."""
        path = self.root / ".dynamo" / "journal.db"
        return Journal(path) if path.exists() else None

    def unfinished(self) -> str | None:
        """Return the run to go on with."""
        journal = self.journal()
        if journal is None:
            return None
        with journal:
            return next((r.id for r in journal.runs() if r.state != "done"), None)

    def launch(self) -> subprocess.Popen[str]:
        """Go on with the run that is not done, or begin another."""
        run = self.unfinished()
        if run:
            return self.start("resume", run, "--quiet")
        return self.start("run", "flow.yaml", "--quiet", "--param", f"seed={self.seed}")

    def executions(self) -> dict[str, int]:
        """How often each output was made, over all runs: ``seed name`` to count."""
        lines = self.marks.read_text().splitlines() if self.marks.exists() else []
        return {line: lines.count(line) for line in set(lines)}

    def recorded(self) -> dict[str, int]:
        """What the journal says is done, with how often it was executed so far."""
        journal = self.journal()
        if journal is None:
            return {}
        with journal:
            made = [(result.run, name) for _, result in journal.results() for name in result.made]
            seeds = {r.id: r.settings["params"]["seed"] for r in journal.runs()}
        counts = self.executions()
        keys = [f"{seeds[run]} {Path(name).name}" for run, name in made if not name.startswith(".")]
        return {key: counts[key] for key in keys}

    def check_not_repeated(self) -> None:
        """Nothing that the journal had as done has been executed since."""
        counts = self.executions()
        repeated = {key: n for key, n in self.done_before.items() if counts[key] != n}
        assert not repeated, f"done again: {repeated}"
        self.done_before = self.recorded()

    def watch(self) -> None:
        """Read every product that is visible, all the time; note each that is not whole."""
        while not self.over.wait(0.01):
            for path in self.out.rglob("[!.]*"):
                if path.is_file():
                    head, _, body = path.read_bytes().partition(b"\n")
                    if hashlib.sha256(body).hexdigest().encode() != head or not body:
                        self.broken.append(str(path))

    def check_store(self) -> None:
        """Every stored file is what its name says."""
        for path in (self.root / ".dynamo" / "store").rglob("*"):
            if path.is_file():
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                assert path.parent.name + path.name == digest, f"{path} is not whole"

    def harass(self, engine: subprocess.Popen[str]) -> bool:
        """Kill workers and the engine at random moments; return whether the engine was killed before its end."""
        if self.random.random() < 0.8:  # else it may be killed before it has begun
            while not any(map(_is_worker, _family(engine.pid)[1:])):
                if _ended(engine, 0.01):
                    return False
        for _ in range(self.random.choice([0, 1, 2])):
            if _ended(engine, self.random.uniform(0.1, 0.4)):
                return False
            workers = [p for p in _family(engine.pid)[1:] if _is_worker(p)]
            if workers:
                with suppress(psutil.NoSuchProcess):  # it has just ended by itself
                    self.random.choice(workers).kill()
                    self.kills["worker"] += 1
        if _ended(engine, self.random.uniform(0.1, 0.6)):
            return False
        family = _family(engine.pid)
        engine.kill()
        engine.wait()
        self.kills["engine"] += 1
        _, alive = psutil.wait_procs(family[1:], timeout=60)
        assert not alive, f"these outlive the engine: {alive}"
        return True

    def finish(self, engine: subprocess.Popen[str]) -> None:
        """Wait for the end, which is well unless one task lost three workers; check what it made."""
        with engine:
            said, _ = engine.communicate(timeout=300)
        if engine.returncode == 3:
            assert "the worker process was killed by signal 9" in said
            return
        assert engine.returncode == 0, said
        (folder,) = [p for p in self.out.iterdir() if p.name in said]
        names = {p.name for p in folder.rglob("[!.]*") if p.is_file()}
        expected = {f"{k}{n}" for k in "abc" for n in range(30)} | {
            f"{k}{n}" for k in "de" for n in range(10)
        }
        assert expected | {"last", "sum", "end", "part0", "part19"} <= names
        self.seed += 1


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "dynamo.worker" in process.cmdline()
    except psutil.Error:
        return False


def _ended(engine: subprocess.Popen[str], seconds: float) -> bool:
    try:
        engine.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_fifty_kills_lose_and_repeat_nothing(tmp_path):
    """After each ``kill -9`` the run goes on: no work is repeated, no product is partial, no worker stays."""
    chaos = Chaos(tmp_path)
    watcher = threading.Thread(target=chaos.watch)
    watcher.start()
    try:
        while sum(chaos.kills.values()) < KILLS:
            engine = chaos.launch()
            with engine:
                killed = chaos.harass(engine)
                if not killed:
                    chaos.finish(engine)
            chaos.check_store()
            chaos.check_not_repeated()
            assert not chaos.broken
        while chaos.unfinished() or not chaos.seed:
            chaos.finish(chaos.launch())
            chaos.check_not_repeated()
    finally:
        chaos.over.set()
        watcher.join()
    assert not chaos.broken
    workspace = Workspace.open(tmp_path / ".dynamo")
    folder, lock = workspace.engine_folder()
    lock.close()
    assert [p.name for p in workspace.sandboxes.iterdir()] == [folder.name], "sandboxes of dead engines stay"
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or ())
    ]
    assert min(chaos.kills.values()) >= 10
    assert chaos.seed >= 1
