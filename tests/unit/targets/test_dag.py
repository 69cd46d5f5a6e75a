"""A DAG as it is written: the same each time, as it was, and nothing half of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import orjson
import pytest

from dynamo.errors import InfrastructureError, UserError
from dynamo.graph import Graph
from dynamo.graph.model import Task
from dynamo.planning.pack import Packing, pack
from dynamo.targets.code import carry
from dynamo.targets.dag_config import settings
from dynamo.targets.dag_folder import write_dag
from dynamo.targets.dagman import DagOptions, dag_text
from dynamo.targets.jobs import compile_jobs
from dynamo.worker.build import build
from dynamo.worker.loading import load_object
from dynamo.worker.spec import Spec

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PRODUCTS = {"folder": "/PRODUCTS", "only": ["*.png"]}


def nowcast() -> Graph:
    graph: Graph = load_object("dynamo.workflows.nowcast:nowcast").graph(
        [f"/data/f-{n}.nc" for n in range(6)]
    )
    return graph


def hello() -> Graph:
    graph: Graph = load_object(f"{ROOT}/examples/00-hello/hello.py:hello").graph()
    return graph


def compiled(graph: Graph, to: Path, **options: object) -> Path:
    calls = [task.call for task in graph.tasks.values()]
    digests = dict.fromkeys(graph.sources, "0" * 64)
    sizes = dict.fromkeys(graph.sources, 1_500_000)
    given = {"python": "/usr/bin/python3", "run": "r1", "began": 1.8e9, "sizes": sizes, **options}
    write_dag(
        to, graph, pack(graph, Packing(slots=2)), digests, carry(calls, []), DagOptions(**given), PRODUCTS
    )
    return to


def content(folder: Path) -> dict[str, str]:
    """All that stands in a folder, without what differs from host to host and from dynamo to dynamo."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}\n"
        elif path.is_file() and "/code/" not in f"/{name}":
            text = re.sub(r'"place":"[^"]*"', '"place":""', path.read_text().replace(build(), "BUILD"))
            found[name] = text
    return found


def test_where_all_is_shared_jobs_find_what_they_need_in_their_folders(tmp_path):
    """Also what other jobs are still to make; nothing is sent."""
    folder = compiled(nowcast(), tmp_path / "dag", shared=True)
    assert "transfer_input_files" not in (folder / "worker.sub").read_text()
    assert "should_transfer_files = NO\n" in (folder / "worker.sub").read_text()
    assert "inputs=" not in (folder / "nowcast.dag").read_text()
    for spec in folder.glob("jobs/*/*.spec.json"):
        said = Spec.from_json(orjson.loads(spec.read_bytes()))
        for path in (*said.graph.sources.values(), *said.reports):
            found = Path(os.path.normpath(spec.parent / (spec.parent / path).readlink())).relative_to(folder)
            assert found.parts[0] == "inputs" or found.parts[::2] == ("jobs", "out"), found


def test_what_has_a_url_is_fetched_from_there(tmp_path):
    """Nothing leads to it here; the job finds it under the last part of its URL."""
    folder = compiled(nowcast(), tmp_path / "dag", urls={"/data": "https://store.example.org/radar"})
    assert not list((folder / "inputs").iterdir())
    assert "https://store.example.org/radar/f-0.nc, https://" in (folder / "nowcast.dag").read_text()
    spec = Spec.from_json(orjson.loads(next(folder.glob("jobs/ingest*/*.spec.json")).read_bytes()))
    assert sorted(spec.graph.sources.values()) == [f"f-{n}.nc" for n in range(6)]


@pytest.mark.parametrize("graph", [nowcast, hello])
def test_what_is_written_is_as_it_was(tmp_path, graph):
    """Byte for byte that of the golden folder (`DYNAMO_WRITE_GOLDEN=1` writes it), with nothing of this machine."""
    found = content(compiled(graph(), tmp_path / "dag"))
    golden = HERE / "golden" / "dagman" / graph.__name__
    # The specs have all of the graph in them: what they say is tested by running them.
    found = {name: text for name, text in found.items() if not name.endswith(".spec.json")}
    if os.environ.get("DYNAMO_WRITE_GOLDEN"):
        for name, text in found.items():
            (golden / name).parent.mkdir(parents=True, exist_ok=True)
            (golden / name).write_text(text)
    assert found == {
        str(p.relative_to(golden)): p.read_text() for p in sorted(golden.rglob("*")) if p.is_file()
    }
    assert not any(str(ROOT) in text or str(tmp_path) in text for text in found.values())


def test_it_is_the_same_each_time(compile_seeded, tmp_path):
    """Compiled twice, under other hash seeds, it is the same bytes, and nothing else."""
    seen = []
    for seed in ("1", "2"):
        found = content(compile_seeded("dagman", tmp_path / seed, seed))
        seen.append({name: text.replace(str(tmp_path / seed), "/OUT") for name, text in found.items()})
    assert seen[0] == seen[1]
    assert any(name.endswith(".dag") for name in seen[0])


def test_a_folder_that_is_in_use_is_left_alone(tmp_path):
    """Also a file of that name; an empty folder is taken."""
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine").touch()
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, said in (("used", "is there already and not empty"), ("file", "is a file, not a folder")):
        with pytest.raises(UserError, match=said):
            compiled(hello(), tmp_path / name)
    compiled(hello(), tmp_path / "empty")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "used"]


def test_nothing_half_is_left_where_the_disk_is_full(small_disk, fill_disk):
    """It is told in words."""
    fill_disk(small_disk / "filler")
    with pytest.raises(InfrastructureError, match=r"cannot write .*: No space left on device; make room"):
        compiled(nowcast(), small_disk / "dag")
    assert [p.name for p in small_disk.iterdir()] == ["filler"]


def test_nothing_is_left_where_a_dag_is_refused(tmp_path):
    """As one whose run-time workflow nobody could unfold."""
    more = Task("more", "more", "expand", "m:f", {}, {"o": "a"}, {}, place="x.py:1")
    with pytest.raises(UserError, match=r"x\.py:1: more describes more of the graph"):
        compiled(Graph("g", {"more": more}), tmp_path / "dag", python="")
    assert list(tmp_path.iterdir()) == []


def side_by_side(heads: int, tails: int) -> Graph:
    """So many tasks without inputs, and so many that each read all that these make."""
    made = tuple(f"h{n}" for n in range(heads))
    tasks = [Task(f"head-{n}", "head", "python", "m:f", {}, {"o": name}, {}) for n, name in enumerate(made)]
    tasks += [
        Task(f"tail-{n}", "tail", "python", "m:f", {"i": made}, {"o": f"t{n}"}, {}) for n in range(tails)
    ]
    return Graph("g", {task.id: task for task in tasks})


def links_of(dag: str) -> tuple[list[list[str]], set[tuple[str, str]]]:
    """Return the names of each line that orders nodes, and who waits for whom by all of them."""
    lines = re.findall(r"^PARENT (.*) CHILD (.*)$", dag, re.MULTILINE)
    pairs = {(p, c) for parents, children in lines for p in parents.split() for c in children.split()}
    return [[*parents.split(), *children.split()] for parents, children in lines], pairs


@pytest.mark.parametrize(("heads", "tails", "lines"), [(1, 31, 1), (3, 120, 3), (120, 2, 3)])
def test_jobs_that_wait_for_the_same_stand_in_one_line(heads, tails, lines):
    """As far as a line goes: none names more than fifty parents, or children."""
    graph = side_by_side(heads, tails)
    jobs = compile_jobs(graph, [(task,) for task in graph.tasks])
    found, pairs = links_of(dag_text(jobs, "g", "g", DagOptions(), final=False))
    assert pairs == {(f"head-{h}", f"tail-{t}") for h in range(heads) for t in range(tails)}
    assert len(found) == lines
    assert max(len(names) for names in found) <= 100
    # DAGMan would put a node of its own between several parents and several children, which costs seconds.
    assert settings(1)["DAGMAN_USE_JOIN_NODES"][0] == 0


def test_each_job_is_sent_all_that_it_reads(tmp_path):
    """Every path in the DAG is there, or is made by a job before it; each spec names its inputs flat."""
    folder = compiled(nowcast(), tmp_path / "dag")
    (dag,) = folder.glob("*.dag")
    made: set[Path] = set()
    jobs = dict(re.findall(r'^VARS (\S+) .*inputs="([^"]*)"', dag.read_text(), re.MULTILINE))
    assert len(jobs) > 1
    for name, inputs in jobs.items():
        place = folder / "jobs" / name
        paths = [Path(os.path.normpath(place / path)) for path in inputs.split(", ")]
        assert all(path.exists() or path.is_symlink() or path in made for path in paths), name
        spec = orjson.loads((place / f"{name}.spec.json").read_bytes())
        sent = {path.name for path in paths}
        assert set(spec["graph"]["sources"].values()) | set(spec["reports"]) <= sent
        made |= {place / path for path in (*spec["outputs"].values(), spec["report"])}
