"""Folders with modules of the same names: what is planned and what runs is what lies in the workflow's own."""

from __future__ import annotations

import importlib
import sys
from textwrap import dedent

import orjson
import pytest

from dynamo.engine.source import Given
from dynamo.graph import Graph
from dynamo.planning import CodeVersions, Selection
from dynamo.runfile.workflow import load_workflow, module_folders

TASKS = """
from dynamo import Output, task

SAID = {word!r}

@task
def make(out: Output):
    out.write_text(SAID)
"""
FLOW = """
from dynamo import Input, Output, task, workflow
from {module} import make

@workflow
def flow(out: str = 'out'):
    make(out=out)

@workflow(runtime=True)
def later(out: Output):
    make(out=out)

@workflow
def grown(out: str = 'out'):
    later(out=out)
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Let no module of these folders be found by later tests."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def flow_in(lab, name, module="tasks", files=None):
    """Write a folder with a workflow, and with tasks in a module beside it that write the folder's name."""
    folder = lab.root / name
    files = {f"{module.replace('.', '/')}.py": TASKS, **(files or {}), "flow.py": FLOW}
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text.replace("{word!r}", repr(name)).replace("{module}", module))
    return folder


def graph_of(folder, out, flow="flow"):
    """Describe the workflow of a folder, to write a file."""
    return load_workflow(f"./flow.py:{flow}", folder).graph(out)


def ran(lab, engine, graphs, **options):
    """Run graphs side by side, and return what they wrote."""
    for summary in engine.run_all([lab.request(graph, **options) for graph in graphs]):
        assert summary.ok, summary.failures
    return lab.published()


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("flow", ["flow", "grown"])
def test_tasks_of_one_name_in_two_folders_are_two(lab, inline, flow):
    """One engine runs both, one after another and side by side, and reuses of each what is its own."""
    graphs = {n: graph_of(flow_in(lab, n), n, flow) for n in ("one", "two")}
    with lab.engine(inline=inline, modules=[str(lab.root / n) for n in graphs]) as engine:
        for graph in graphs.values():
            ran(lab, engine, [graph])
        assert lab.published() == {"one": "one", "two": "two"}
        forced = Selection(force=("*",))
        assert ran(lab, engine, [*graphs.values()], selection=forced) == {"one": "one", "two": "two"}
        summaries = engine.run_all([lab.request(graph) for graph in graphs.values()])
    assert [summary.ran for summary in summaries] == [0, 0]


def test_the_result_of_one_folder_is_not_that_of_another(lab):
    """Though file names, parameters and functions are called the same."""
    for name in ("one", "two"):
        with lab.engine() as engine:
            assert ran(lab, engine, [graph_of(flow_in(lab, name), "out")]) == {"out": name}


def test_an_engine_serves_both(lab):
    """Run by run as they come, whichever folder was loaded last."""
    folders = [flow_in(lab, name) for name in ("one", "two", "one")]
    graphs = [graph_of(folder, f"{n}-{folder.name}") for n, folder in enumerate(folders)]
    source = Given([lab.request(graph) for graph in graphs])
    with lab.engine(cores=2, modules=[]) as engine:
        engine.serve(source)
    assert all(summary.ok for summary in source.summaries())
    assert lab.published() == {"0-one": "one", "1-two": "two", "2-one": "one"}


def test_versions_are_those_of_the_folder(lab):
    """Also where the other folder comes first on the module path; equal code has equal versions wherever it lies."""
    folders = [flow_in(lab, name) for name in ("one", "two")]
    calls = [next(iter(graph_of(folder, "out").tasks.values())).call for folder in folders]
    assert calls == [f"{folder}/tasks.py:make" for folder in folders]
    versions = CodeVersions(modules=map(str, folders))
    assert versions.of(calls[0]) != versions.of(calls[1])
    (folders[1] / "tasks.py").write_text((folders[0] / "tasks.py").read_text())
    versions = CodeVersions(modules=map(str, folders))
    assert versions.of(calls[0]) == versions.of(calls[1])


def test_a_copy_does_not_run_what_was_copied(lab):
    """What a run-time workflow described in one folder is not taken for its copy's, since it calls files there."""
    first = flow_in(lab, "one")
    with lab.engine() as engine:
        ran(lab, engine, [graph_of(first, "out", "grown")])
        copy = flow_in(lab, "two")
        (copy / "tasks.py").write_text((first / "tasks.py").read_text())
        (first / "tasks.py").write_text("raise ValueError('edited meanwhile')\n")
        assert ran(lab, engine, [graph_of(copy, "out", "grown")]) == {"out": "one"}


PACKAGE = {
    "pkg/__init__.py": "from .words import NAME\n",
    "pkg/words.py": "NAME = {word!r}\nclass Word: ...\n",
    "pkg/tasks.py": """
from dynamo import Output, task
from . import NAME
from .words import Word
import pkg.words

@task
def make(out: Output):
    import flow
    assert pkg.words.Word is Word
    assert flow.make.function.__globals__ is globals()
    out.write_text(NAME)
""",
}


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("package", ["with", "without"])
def test_packages_beside_two_workflows_are_two(lab, inline, package):
    """Relative imports work in them, and a module that is imported under several names is one."""
    files = {**PACKAGE}
    if package == "without":
        del files["pkg/__init__.py"]
        files["pkg/tasks.py"] = files["pkg/tasks.py"].replace("from . import", "from .words import")
    graphs = {n: graph_of(flow_in(lab, n, "pkg.tasks", files), n) for n in ("one", "two")}
    calls = [next(iter(graph.tasks.values())).call for graph in graphs.values()]
    assert calls == [f"{lab.root}/{n}/./pkg/tasks.py:make" for n in graphs]
    assert len({CodeVersions().of(call) for call in calls}) == 2
    with lab.engine(inline=inline, modules=[]) as engine:
        assert ran(lab, engine, [*graphs.values()]) == {"one": "one", "two": "two"}


def test_a_version_counts_the_package_a_task_lies_in(lab):
    """What its relative imports lead to, and its ``__init__.py``."""
    folder = flow_in(lab, "one", "pkg.tasks", PACKAGE)
    call = next(iter(graph_of(folder, "out").tasks.values())).call
    seen = {CodeVersions().of(call)}
    for file in ("pkg/words.py", "pkg/__init__.py"):
        with (folder / file).open("a") as text:
            text.write("MORE = 1\n")
        seen.add(CodeVersions().of(call))
    assert len(seen) == 3


def test_a_workflow_named_by_its_module_has_its_own_tasks(lab):
    """As one named by its file, with two run files that lie in folders of equal modules."""
    folders = [flow_in(lab, name) for name in ("one", "two")]
    graphs = [load_workflow("flow:flow", folder).graph(folder.name) for folder in folders]
    modules = [f for folder in folders for f in module_folders("flow:flow", folder)]
    with lab.engine(modules=modules) as engine:
        assert ran(lab, engine, graphs) == {"one": "one", "two": "two"}


def test_a_run_is_gone_on_with_from_its_graph_alone(lab):
    """The calls in the journal's JSON say where the code is; describing again gives the same JSON."""
    folder = flow_in(lab, "one")
    kept = orjson.dumps(graph_of(folder, "out").to_json())
    flow = graph_of(flow_in(lab, "two"), "out")
    assert orjson.dumps(graph_of(folder, "out").to_json()) == kept
    with lab.engine(modules=[]) as engine:
        ran(lab, engine, [flow])
        assert ran(lab, engine, [Graph.from_json(orjson.loads(kept))]) == {"out": "one"}


def test_a_linked_module_has_the_neighbours_of_its_link(lab):
    """As Python has it: two folders share a file, which imports another in each."""
    shared = lab.root / "shared.py"
    shared.write_text("from word import NAME\n" + dedent(TASKS).replace("{word!r}", "NAME"))
    graphs = []
    for name in ("one", "two"):
        folder = flow_in(lab, name, files={"word.py": "NAME = {word!r}\n"})
        (folder / "tasks.py").unlink()
        (folder / "tasks.py").symlink_to(shared)
        graphs.append(graph_of(folder, name))
    assert len({CodeVersions().of(next(iter(graph.tasks.values())).call) for graph in graphs}) == 2
    with lab.engine(modules=[]) as engine:
        assert ran(lab, engine, graphs) == {"one": "one", "two": "two"}


def test_a_helper_that_is_missing_is_not_found_in_another_folder(lab):
    """Neither planned nor run, though the same worker and the same process had that folder first before."""
    other = flow_in(lab, "one", files={"lonely_helper.py": "NAME = 'one'\n"})
    lacking = flow_in(lab, "two")
    with (lacking / "tasks.py").open("a") as text:
        text.write("    import lonely_helper\n")
    lacks = graph_of(lacking, "two")
    call = next(iter(lacks.tasks.values())).call
    before = CodeVersions().of(call)
    has = graph_of(other, "one")
    assert CodeVersions().of(call) == before
    modules = [f for folder in (other, lacking) for f in module_folders("./flow.py:flow", folder)]
    with lab.engine(modules=modules) as engine:
        summaries = engine.run_all([lab.request(has), lab.request(lacks)])
    assert [summary.ok for summary in summaries] == [True, False]
    assert "No module named 'lonely_helper'" in summaries[1].failures[0].error
    graph_of(lacking, "two")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("lonely_helper")


@pytest.mark.parametrize("inline", [False, True])
def test_an_edited_module_runs_as_it_was_planned(lab, inline):
    """Edited after the workflow imported it, and again after it ran, in an engine that stays."""
    folder = flow_in(lab, "one")
    graph = graph_of(folder, "out")
    with lab.engine(inline=inline) as engine:
        for word in ("two", "six"):
            (folder / "tasks.py").write_text(TASKS.replace("{word!r}", repr(word)))
            assert ran(lab, engine, [graph]) == {"out": word}


def test_what_fails_is_told_with_the_users_file(lab):
    """The file and line in which a task of a module beside the workflow fails."""
    folder = flow_in(lab, "one")
    with (folder / "tasks.py").open("a") as text:
        text.write("    raise ValueError('wrong')\n")
    with lab.engine() as engine:
        (failure,) = engine.run(lab.request(graph_of(folder, "out"))).failures
    assert failure.error.endswith("ValueError: wrong (tasks.py:9)")
