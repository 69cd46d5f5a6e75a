"""The local engine with containers, on real Docker: the same graphs, products, failures as without."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from dynamo.engine import Event, LocalEngine, Products, Request, Summary
from dynamo.engine.containers import sweep
from dynamo.errors import InfrastructureError, UserError
from dynamo.images import Image
from dynamo.images.container import ENGINE, labels
from dynamo.journal import Journal, Workspace
from dynamo.worker.loading import load_object

HEAD = """\
import json, os, signal, time
from pathlib import Path
from dynamo import Input, Output, command, fuse, task, workflow
"""


@dataclass
class Lab:
    """Writes workflows and runs them, in containers of `images` or without."""

    root: Path
    images: dict[str, Image]
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.workspace = Workspace.open(self.root / ".dynamo")

    def graph(self, text: str, **arguments: Any) -> Any:
        """Write a workflow named ``flow`` and describe its graph."""
        path = self.root / "flow.py"
        path.write_text(HEAD + dedent(text))
        return load_object(f"{path}:flow").graph(**arguments)

    def engine(self, **more: Any) -> LocalEngine:
        return LocalEngine(
            self.workspace,
            **{"cores": 2, "modules": (str(self.root),), "observer": self.events.append, **more},
        )

    def request(self, graph: Any, run: str = "r1", **more: Any) -> Request:
        return Request(run, graph, Products(str(self.root / run)), **{"images": self.images, **more})

    def run(self, text: str, **arguments: Any) -> Summary:
        with self.engine() as engine:
            return engine.run(self.request(self.graph(text, **arguments)))

    def product(self, name: str, run: str = "r1") -> str:
        return (self.root / run / name).read_text()


@pytest.fixture
def lab(tmp_path, worker_image):
    """A folder of its own, and one image for all tasks."""
    return Lab(tmp_path, {"default": Image("default", worker_image)})


def containers(docker, lab):
    """Containers of engines that work in the laboratory."""
    found = docker.containers.list(all=True, ignore_removed=True, filters={"label": ENGINE})
    return [one for one in found if one.labels[ENGINE].startswith(str(lab.root))]


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


ALL_KINDS = """
@task
def measure(frame: Input, out: Output, *, level: int) -> None:
    import helper
    out.write_text(helper.double(frame.read_text()) + str(level))

@task
def join(parts: list[Input], out: Output) -> None:
    out.write_text("|".join(part.read_text() for part in parts))

@command
def upper(source: Input, out: Output) -> list[object]:
    return ["sh", "-c", 'tr a-z A-Z < "$1" > "$2"', "upper", source, out]

@workflow(runtime=True)
def later(listing: Input, total: Output) -> None:
    with open(listing) as file:
        found = len(file.read()) % 3 + 1
    made = [measure(listing, out=f"found {n}.txt", level=n) for n in range(found)]
    join(made, out=total)

@workflow
def flow(frame: Input) -> None:
    parts = [measure(frame, out=f"sub/é part '{n}\\" $x.txt", level=n) for n in range(5)]
    with fuse("end"):
        joined = join(parts, out="all of them.txt")
        big = upper(joined, out="BIG.txt")
    later(big, total="total.txt")
"""


def test_products_are_those_of_the_engine_without_containers(lab, tmp_path, worker_image):
    """Byte for byte: fan-out, chain, command, fused tasks, run-time fan-out, a module beside the file, odd names."""
    (tmp_path / "helper.py").write_text("def double(text):\n    return text * 2\n")
    odd = tmp_path / "in put: (1)"
    odd.mkdir()
    (odd / "frame, one.txt").write_text("abc")
    graph = lab.graph(ALL_KINDS, frame=str(odd / "frame, one.txt"))
    with lab.engine() as engine:
        inside = engine.run(lab.request(graph, "inside"))
        outside = engine.run(lab.request(graph, "outside", images={}))
    assert inside.ok, [failure.error for failure in inside.failures]
    assert outside.ok
    assert (inside.ran, outside.ran) == (
        outside.ran,
        inside.ran,
    )  # nothing of the one was reused by the other
    assert files(tmp_path / "inside") == files(tmp_path / "outside")
    with Journal(lab.workspace.journal) as journal:
        workers = {a.worker for a in journal.attempts("inside")}
        assert all("-dynamo-" in worker for worker in workers), workers
        assert not any("-dynamo-" in a.worker for a in journal.attempts("outside"))


def test_a_task_is_the_user_sees_no_network_and_cannot_write_its_inputs(lab, tmp_path):
    """And its limits are those that it declares."""
    (tmp_path / "frame").write_text("x")
    summary = lab.run(
        """
        def limit():
            for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
                if os.path.exists(path):
                    return int(Path(path).read_text())

        @task(memory="200 MiB")
        def look(frame: Input, out: Output) -> None:
            try:
                Path(os.path.realpath(frame)).write_text("y")
                written = True
            except OSError:
                written = False
            out.write_text(json.dumps([os.getuid(), os.listdir("/sys/class/net"), written, limit()]))

        @workflow
        def flow(frame: Input) -> None:
            look(frame, out="seen.json")
        """,
        frame=str(tmp_path / "frame"),
    )
    assert summary.ok, summary.failures
    user, net, written, limit = json.loads(lab.product("seen.json"))
    assert (user, set(net), written) == (os.getuid(), {"lo"}, False)
    assert 200 << 20 < limit < 500 << 20
    assert (tmp_path / "r1" / "seen.json").stat().st_uid == os.getuid()


def test_a_task_that_raises_is_told_with_its_log(lab):
    """As without a container: not tried again, with the line and the traceback."""
    summary = lab.run(
        """
        @task
        def bad(out: Output) -> None:
            print("before")
            raise ValueError("no echo")

        @workflow
        def flow() -> None:
            bad(out="a")
        """
    )
    (failure,) = summary.failures
    assert failure.error == "ValueError: no echo (flow.py:8)"
    assert not failure.infrastructure
    assert "before" in failure.tail
    assert "Traceback" in failure.tail


def test_a_timeout_ends_the_task_and_its_container(lab, docker, eventually):
    """What it was doing is in its log, and no container is left."""
    summary = lab.run(
        """
        @task(timeout="500 ms")
        def slow(out: Output) -> None:
            time.sleep(600)

        @workflow
        def flow() -> None:
            slow(out="a")
        """
    )
    (failure,) = summary.failures
    assert "ran longer than its timeout of 500 ms" in failure.error
    assert "flow.py" in failure.tail
    eventually(lambda: containers(docker, lab) == [])


DIES_ONCE = """
@task
def dies(out: Output) -> None:
    mark = Path({mark!r})
    if not mark.exists():
        mark.touch()
        {how}
    out.write_text("done")

@workflow
def flow() -> None:
    dies(out="a")
"""


@pytest.mark.parametrize(
    "how",
    ["os.kill(os.getpid(), signal.SIGKILL)", "os.abort()", "time.sleep(600)"],
    ids=["kill", "abort", "docker"],
)
def test_a_worker_that_dies_is_named_and_its_task_tried_again(lab, docker, how):
    """Whether the task kills it, or somebody the container."""
    mark = str(lab.workspace.root / "mark")
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.05):
            if Path(mark).exists():
                for one in containers(docker, lab):
                    one.kill()
                return

    killer = threading.Thread(target=kill)
    if "sleep" in how:
        killer.start()
    try:
        summary = lab.run(DIES_ONCE.format(mark=mark, how=how))
    finally:
        over.set()
        if "sleep" in how:
            killer.join()
    assert summary.ok, summary.failures
    (retried,) = [e for e in lab.events if e.kind == "retried"]
    assert f"killed by signal {6 if 'abort' in how else 9}" in retried.text, retried


def test_a_task_that_outgrows_its_container_is_told_what_to_declare(lab):
    """The kernel ends it before the engine looks, or the engine does."""
    summary = lab.run(
        """
        @task(memory="50 MiB")
        def grow(out: Output) -> None:
            held = [b"x" * (600 << 20)]
            out.write_text(str(len(held)))

        @workflow
        def flow() -> None:
            grow(out="a")
        """
    )
    (failure,) = summary.failures
    assert "declare more with memory=" in failure.error, failure.error


def test_workers_stay_warm_for_the_next_run(lab, docker, eventually):
    """One container serves both runs, and is gone when the engine is."""
    text = """
        @task
        def make(out: Output) -> None:
            out.write_text("a")

        @workflow
        def flow() -> None:
            make(out="a")
        """
    graph = lab.graph(text)
    with lab.engine(cores=1) as engine:
        engine.run(lab.request(graph, "r1"))
        (first,) = containers(docker, lab)
        from dynamo.planning import Selection

        again = engine.run(lab.request(graph, "r2", selection=Selection(force=("*",))))
        assert again.ran == 1
        assert [one.id for one in containers(docker, lab)] == [first.id]
    eventually(lambda: containers(docker, lab) == [])


def test_an_image_that_is_not_here_is_told_before_anything_runs(lab):
    """With the task's line, and who must build or fetch it."""
    text = """
        @task(image="radar")
        def make(out: Output) -> None:
            out.write_text("a")

        @workflow
        def flow() -> None:
            make(out="a")
        """
    for reference, advice in (
        ("dynamo-algorithms:none", "`dynamo image build algorithms`"),
        ("a/b:1", "docker pull a/b:1"),
    ):
        lab.images = {"radar": Image("radar", reference)}
        with pytest.raises(
            UserError, match=rf"flow\.py:\d+: make.* {reference} is not on this machine: .*{advice}"
        ):
            lab.run(text)
    with Journal(lab.workspace.journal) as journal:
        assert journal.runs() == []


def test_without_docker_it_is_told_what_to_do(lab, monkeypatch):
    """No traceback of a library."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(
        InfrastructureError, match=r"Docker does not answer at unix:///nowhere.sock: start it"
    ):
        lab.run("@task\ndef make(out: Output) -> None: ...\n\n@workflow\ndef flow() -> None: make(out='a')\n")


def test_containers_of_an_engine_that_is_no_more_are_removed_at_the_next_start(lab, docker, worker_image):
    """Those of engines that live are left alone."""
    dead = lab.workspace.sandboxes / "dead"
    with lab.engine() as engine:
        options = {"entrypoint": ["sleep", "600"], "detach": True}
        left = docker.containers.run(worker_image, labels=labels(str(dead), "x"), **options)
        lives = docker.containers.run(worker_image, labels=labels(str(engine._folder), "x"), **options)
        try:
            sweep()
            assert [one.id for one in containers(docker, lab)] == [lives.id]
        finally:
            lives.remove(force=True)
            assert left.id not in {one.id for one in containers(docker, lab)}
