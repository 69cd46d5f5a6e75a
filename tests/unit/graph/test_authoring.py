"""Writing workflows: what a call means, and the line and words of everything that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dynamo.errors import UserError, WorkflowError
from dynamo.graph import File, Graph, Needs
from dynamo.worker.loading import load_object


def test_a_workflow_as_in_the_architecture(load, at):
    """Calls make tasks, passed outputs make edges, loops make the fan-out, labels fuse."""
    flow = load("""
        @task(image="radar", memory="512 MiB", timeout="60 s")
        def contour(grid: Input, polygons: Output, *, levels: Sequence[float]) -> None: ...

        @workflow
        def flow(frames: list[Input], leads: Sequence[int] = range(3), levels: Sequence[float] = (20, 35)):
            motion = join(frames, "motion.nc")
            for lead in leads:
                with fuse(f"lead-{lead:02d}"):
                    grid = copy(frames[-1], f"grid_{lead:02d}.nc")
                    contour(grid, levels=levels, polygons=f"polygons_{lead:02d}.geojson")
    """)
    graph = flow(["a/1.nc", Path("a/2.nc")])
    assert isinstance(graph, Graph)
    assert list(graph.tasks) == ["join", "copy-0", "contour-0", "copy-1", "contour-1", "copy-2", "contour-2"]
    assert graph.sources == {"frames/1.nc": "a/1.nc", "frames/2.nc": "a/2.nc"}
    task = graph.tasks["contour-1"]
    assert task.step == "contour"
    assert task.inputs == {"grid": "grid_01.nc"}
    assert task.outputs == {"polygons": "polygons_01.geojson"}
    assert task.params == {"levels": [20, 35]}
    assert task.needs == Needs(image="radar", memory=512 << 20, timeout=60.0)
    assert task.fuse == "lead-01"
    assert f"{task.place}: " == at("contour(grid, ")
    assert task.call.endswith("flow.py:contour")
    assert graph.parents(task) == ["copy-1"]
    assert graph.tasks["copy-2"].inputs == {"source": "frames/2.nc"}


def test_outside_a_workflow_a_task_is_its_function(load, tmp_path):
    """A task is tested as an ordinary function; a command runs."""
    double = load("@task\ndef double(n: Input, out: Output, *, by: int = 2): return n * by\n", "double")
    assert double("ab", "out", by=3) == "ababab"
    touch = load("@command\ndef touch(out: Output): return ['touch', out]\n", "touch")
    touch(tmp_path / "touched")
    assert (tmp_path / "touched").exists()
    fail = load("@command\ndef fail(out: Output): return ['false', out]\n", "fail")
    with pytest.raises(UserError, match="false ended with exit code 1"):
        fail("x")


def test_several_outputs_come_by_name(load):
    """A task with several outputs returns them by name and position; one that is None is absent."""
    graph = load("""
        @task
        def maybe(out: Output, more: Output | None = None): ...

        @workflow
        def flow():
            both = two(make('a'), left='l', right='r')
            left, right = both
            join([both.left, right, both[0]], 'joined')
            first, none = maybe('m')
            assert none is None
            copy(first, 'n')
    """)()
    assert graph.tasks["join"].inputs == {"sources": ("l", "r", "l")}
    assert graph.parents(graph.tasks["join"]) == ["two"]
    assert graph.tasks["maybe"].outputs == {"out": "m"}


def test_a_default_name_is_filled_in_from_the_arguments(load):
    """A default output name may hold the other arguments in braces."""
    graph = load("""
        @task
        def grid(frame: Input, *, lead: int, out: Output = 'grid_{lead:02d}.nc'): ...

        @workflow
        def flow(frame: Input):
            for lead in range(2):
                grid(frame, lead=lead)
    """)("f.nc")
    assert list(graph.producer) == ["grid_00.nc", "grid_01.nc"]


def test_a_command_is_its_argument_list(load):
    """A command's function is called with names while the workflow is described; all becomes text."""
    graph = load("""
        @command(cores=2)
        def merge(sweeps: list[Input], grid: Output, mask: Input | None = None, *, step: float = 0.5):
            assert str(grid) == 'out/grid.nc'
            return ['merge', '--step', step, '-o', grid, *sweeps, *([mask] if mask else [])]

        @workflow
        def flow(sweeps: list[Input]):
            merge([*sweeps, make('x')], grid='out/grid.nc')
    """)(["a.nc"])
    task = graph.tasks["merge"]
    assert task.kind == "command"
    assert task.argv == ("merge", "--step", "0.5", "-o", "out/grid.nc", "sweeps/a.nc", "x")


def test_a_workflow_in_a_workflow_is_described_in_place(load):
    """Its tasks and files stand under its name and number; what it returns can be passed on."""
    graph = load("""
        @workflow
        def part(source: Input, n: int = 2):
            last = source
            for i in range(n):
                last = copy(last, f'{i}.nc')
            return last

        @workflow
        def flow(frame: Input):
            a = part(frame)
            with fuse('x'):
                b = part(a, n=1)
            copy(b, '0.nc')
    """)("frame.nc")
    assert list(graph.tasks) == ["part-0/copy-0", "part-0/copy-1", "part-1/copy", "copy"]
    assert graph.tasks["part-1/copy"].inputs == {"source": "part-0/1.nc"}
    assert graph.tasks["part-1/copy"].fuse == "part-1/x"
    assert graph.tasks["copy"].inputs == {"source": "part-1/0.nc"}


def test_a_fan_out_at_run_time_is_one_node_and_then_many(load):
    """A run-time workflow is a node; expanded, its tasks stand under its id and make its declared output."""
    flow = load("""
        @workflow(runtime=True)
        def storms(found: Input, out: Output, *, least: int = 1):
            lines = Path(found).read_text().split()
            join([make(f'{line}.json', text=least) for line in lines], out)

        @workflow
        def flow():
            copy(storms(make('found'), out='all.json'), 'last')
    """)
    graph = flow()
    assert [t.kind for t in graph.tasks.values()] == ["python", "expand", "python"]
    file = Path(flow.function.__code__.co_filename)
    storms, path = load_object(f"{file}:storms"), file.with_name("found")
    path.write_text("a b")
    found = storms.expand("storms", {"found": ("found", path)}, {"out": "all.json"}, {"least": 4})
    assert list(found.tasks) == ["storms/make-0", "storms/make-1", "storms/join"]
    assert found.tasks["storms/join"].outputs == {"out": "all.json"}
    assert found.tasks["storms/make-1"].outputs == {"out": "storms/b.json"}
    whole = graph.expanded("storms", found)
    assert whole.parents(whole.tasks["copy"]) == ["storms/join"]
    assert whole.order()[-1] == "copy"
    bad = load("@workflow(runtime=True)\ndef flow(found: Input, out: Output):\n    make('x')\n")
    with pytest.raises(WorkflowError, match=r"calls no task that makes its declared output 'other'"):
        bad.expand("flow", {"found": ("found", path)}, {"out": "other"}, {})


def test_the_contents_of_a_file_are_not_known_yet(load):
    """Opening a file while the workflow is described is told with what to do instead."""
    flow = load("@workflow\ndef flow():\n    open(make('x'))\n")
    with pytest.raises(WorkflowError, match=r"contents of 'x' are not known.*runtime=True"):
        flow()
    assert os.fspath(File("x", "/some/path")) == "/some/path"


def test_the_name_of_a_file_is_known(load):
    """Who makes a path of a file of the graph, for its stem, is told where the name is; there it works."""
    text = "@workflow\ndef flow():\n    make(Path(make('in/x.nc')).stem + '.json')\n"
    with pytest.raises(WorkflowError, match=r"attribute `name`.*`Path\(file\.name\)\.stem`"):
        load(text)()
    graph = load(text.replace("make('in/x.nc')", "make('in/x.nc').name"))()
    assert sorted(graph.producer) == ["in/x.nc", "x.json"]


# Each row: what stands in the workflow, on which line the fault is told (its text), and the words.
CALLS = [
    ("make()", "needs a file name for its output 'out'"),
    ("copy(out='x')", "needs input 'source'"),
    ("copy(make('a'), 'b', ad='x')", "copy() has no parameter 'ad' (did you mean 'add'?)"),
    ("copy(make('a'), 'b', source='x')", "got 'source' twice"),
    ("copy(make('a'), 'b', 'c')", "takes 2 positional arguments, not 3; name the others"),
    ("make('a'); make('a')", "make-1 makes 'a', which make-0 ("),
    ("make('a'); make('a/b')", "one name cannot be a file and a folder"),
    ("make('a/b/c'); make('a/b')", "one name cannot be a file and a folder"),
    ("copy('in/x', out='x/y')", "one name cannot be a file and a folder"),
    ("make('')", "a name is relative and plain"),
    ("make('/abs')", "a name is relative and plain"),
    ("make('../up')", "a name is relative and plain"),
    ("make('a/../b')", "a name is relative and plain"),
    ("make('a//b')", "a name is relative and plain"),
    ("make('a/')", "a name is relative and plain"),
    ("make('.')", "a name is relative and plain"),
    ("make('./a')", "a name is relative and plain"),
    ("make('a\\0b')", "a name is relative and plain"),
    ("make('\\udcff')", "is not valid text"),
    ("make('é' * 150)", "too long"),
    ("make(3)", "needs a file name as text, not 3"),
    ("make(make('a'))", "which another task makes; give a new name"),
    ("make('a', text=make('b'))", "is a plain parameter but is given File('b'); annotate it `Input`"),
    ("make('a', text=float('nan'))", "make(text=) is nan, which JSON cannot carry"),
    ("make('a', text=[1, {'k': float('inf')}])", "make(text=)[1].k is inf"),
    ("make('a', text={1: 2})", "has the key 1; keys must be text"),
    ("make('a', text=object())", "is a object; parameters are JSON"),
    ("make('a', text=1 << 70)", "does not fit 64 bits"),
    ("make('a', text='\\udcff')", "is not valid text"),
    ("copy(3, 'x')", "copy(source=) needs a file, not 3"),
    ("copy([make('a')], 'x')", "choose one, or annotate the parameter list[Input]"),
    ("join(make('a'), 'x')", "takes a list of files, not File('a')"),
    ("copy('y', 'x'); copy('x', 'y')", "these tasks wait for each other: copy-0 reads 'y' of copy-1 ("),
    ("copy('x', 'x')", "copy reads its own output 'x'"),
    ("part(nothing=1)", "part() has no parameter 'nothing'"),
    ("part()", "part() needs value 'n'"),
    ("says()", "must return its argument list, like ['merge', '-o', grid], not 'touch x'"),
    ("braces(lead=3)", "cannot be filled in from {lead}"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "words"), CALLS)
def test_a_wrong_call_is_told_at_its_line(load, at, call, words):
    """Whatever is wrong with a call, the message begins with its file and line."""
    flow = load(f"""
        @workflow
        def part(n: int): ...

        @command
        def says(out: Output = 'x'): return 'touch x'

        @task
        def braces(*, lead: int, out: Output = '{{led}}.nc'): ...

        @workflow
        def flow():
            {call}  # HERE
    """)
    with pytest.raises(WorkflowError) as raised:
        flow()
    assert words in str(raised.value)
    assert str(raised.value).startswith(at("# HERE"))


# Each row: a definition, the name to use, and the words; the fault is told at the definition.
DEFINITIONS = [
    ("@task\ndef bad(*out: Output): ...", "takes *out: name every parameter"),
    ("@task\ndef bad(out: Output, **more): ...", "takes *more: name every parameter"),
    ("@task\ndef bad(source: Input): ...", "declares no `Output`"),
    ("@task\ndef bad(out: dict[str, Output]): ...", "files are `Input`, `list[Input]`"),
    ("@task\ndef bad(out: Output, x: Input | Hidden): ...", "must be importable at run time"),
    (
        "@workflow\ndef bad(out: Output): make(out)",
        "declares an `Output`, which only a run-time workflow does",
    ),
    ("@workflow(runtime=True)\ndef bad(x: Input): ...", "declares no `Output`"),
    ("@workflow\ndef bad(): ...", "describes no task"),
    ("bad = task(lambda out: None)", "declares no `Output`"),
]


@pytest.mark.parametrize(("text", "words"), DEFINITIONS)
def test_a_wrong_definition_is_told_at_its_line(load, text, words):
    """A signature that cannot be a task's is told where the function stands."""
    bad = load(text + "\n\n@workflow\ndef flow():\n    bad()\n", "bad")
    with pytest.raises(WorkflowError) as raised:
        bad.graph() if "@workflow" in text else bad.signature
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("memory='1 GX'", "unknown unit 'GX'"),
        ("memory='lots'", "is not an amount of memory like '512 MiB'"),
        ("timeout='-3 s'", "is not a time like '60 s'"),
        ("timeout=True", "is not a time"),
        ("cores=0", "cores=0 is not a whole number from 1"),
        ("cores='2'", "cores='2' is not a whole number"),
        ("retries=-1", "retries=-1 is not a whole number from 0"),
        ("priority=1.5", "priority=1.5 is not a whole number"),
        ("image=3", "image=3 is not a name"),
        ("memroy='1 GB'", "no option 'memroy' (did you mean 'memory'?)"),
    ],
)
def test_wrong_needs_are_told_when_the_file_is_read(load, at, options, words):
    """Needs that mean nothing are refused at the decorator's line."""
    with pytest.raises(WorkflowError) as raised:
        load(f"@task({options})\ndef bad(out: Output): ...\n@workflow\ndef flow(): bad('x')\n")
    assert words in str(raised.value)
    assert str(raised.value).startswith(at(f"@task({options})"))


def test_a_run_time_workflow_has_needs(load, at):
    """It is bounded like a task; on a plain workflow, which nothing runs, they are refused at its line."""
    text = """
        @workflow({}timeout="2 s", memory="1 GiB")  # HERE
        def each(source: Input, out: Output = 'y'): make(out)

        @workflow
        def flow(): each(make('x'))
    """
    needs = load(text.format("runtime=True, "))().tasks["each"].needs
    assert (needs.timeout, needs.memory) == (2.0, 1 << 30)
    with pytest.raises(WorkflowError, match=r"timeout, memory would bound nothing.*runtime=True") as raised:
        load(text.format(""))
    assert str(raised.value).startswith(at("# HERE"))
    with pytest.raises(WorkflowError, match="did you mean 'timeout'"):
        load(text.format("runtime=True, timeot=1, "))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "def outer():\n    @task\n    def inner(out: Output): ...\n    return inner\nbad = outer()",
            "inside a function",
        ),
        (
            "bad = task(eval('lambda out: 0', {}))\nbad.function.__annotations__ = {'out': Output}",
            "a lambda has no name",
        ),
    ],
)
def test_a_task_that_no_worker_could_find_is_refused(load, text, words):
    """A function that has no name at the top of a file is told so at its line."""
    flow = load(text + "\n@workflow\ndef flow():\n    bad('x')\n")
    with pytest.raises(WorkflowError, match=words):
        flow()


def test_types_only_a_checker_knows_are_plain_values(load):
    """An annotation under TYPE_CHECKING does not hinder a plain parameter."""
    graph = load("""
        @task
        def typed(out: Output, *, x: Hidden, y: list[Hidden] | None = None): ...

        @workflow
        def flow(z: Hidden = 3):
            typed('x', x=z)
    """)()
    assert graph.tasks["typed"].params == {"x": 3, "y": None}


def test_text_from_enumerations_and_numbers_of_numpy_are_plain(load):
    """NumPy numbers and arrays, ranges, tuples and text enumerations become plain JSON."""
    graph = load("""
        import enum
        import numpy as np

        class Kind(str, enum.Enum):
            HAIL = 'hail'

        @workflow
        def flow():
            make('x', text=[np.float32(0.5), np.arange(2), range(2), (1,), Kind.HAIL, True, None])
    """)()
    assert graph.tasks["make"].params == {"text": [0.5, [0, 1], [0, 1], [1], "hail", True, None]}


def test_inputs_of_the_same_name_stay_apart(load):
    """Files of one base name from several folders get names of their own; one file twice is one source."""
    flow = load("@workflow\ndef flow(frames: list[Input]):\n    join(frames, 'x')\n")
    graph = flow(["a/f.nc", "b/f.nc", "a/f.nc"])
    assert graph.sources == {"frames/f.nc": "a/f.nc", "frames/1/f.nc": "b/f.nc"}
    assert graph.tasks["join"].inputs["sources"] == ("frames/f.nc", "frames/1/f.nc", "frames/f.nc")


def test_arguments_of_the_workflow_itself(load):
    """A missing, unknown or unfit argument of the workflow is told at its definition."""
    flow = load("@workflow\ndef flow(frame: Input, frames: list[Input] = ()):\n    copy(frame, 'x')\n")
    for arguments, words in [
        ({}, "needs input 'frame'"),
        ({"fram": "x"}, "did you mean 'frame'"),
        ({"frame": 3}, "needs a path, not 3"),
        ({"frame": "x", "frames": "y"}, "takes a list of paths"),
    ]:
        with pytest.raises(WorkflowError, match=r"flow\.py:\d+") as raised:
            flow.graph(**arguments)
        assert words in str(raised.value)
