"""What the engine promises across runs: reuse, products, order, bounds, resume."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from dynamo.engine import LocalEngine, Products
from dynamo.engine.known import Facts
from dynamo.engine.products import Products as ProductsClass
from dynamo.errors import DataError, UserError, WorkspaceError
from dynamo.journal import Workspace
from dynamo.planning import Selection, make_plan
from dynamo.worker.store import stored_path

CHAIN = """
@workflow
def flow():
    copy(copy(make(out='a', text='{text}'), out='b'), out='c')
"""


def test_second_run_runs_nothing_and_says_why(lab):
    """What was made is reused, with the run that made it, and published again."""
    lab.run(CHAIN)
    assert lab.ran() == ["a", "b", "c"]
    for path in lab.out.iterdir():
        path.unlink()
    summary = lab.run()
    assert (summary.ran, summary.reused, summary.ok) == (0, 3, True)
    assert lab.ran() == []
    assert lab.published() == {"a": "{text}", "b": "{text}", "c": "{text}"}
    with lab.journal() as journal:
        assert {t.reason for t in journal.tasks(summary.run).values()} == {"reused from run run-0"}


def test_a_result_is_reused_by_another_workflow(lab):
    """Equal work in a workflow of another name and shape is not done again."""
    lab.run(CHAIN)
    lab.ran()
    lab.write("@workflow\ndef other():\n    copy(make(out='a', text='{text}'), out='b')\n")
    with lab.engine() as engine:
        assert engine.run(lab.request(lab.graph(name="other"))).reused == 2


def test_what_comes_out_as_before_cuts_the_rest_off(lab):
    """Where a changed task makes the same contents, its readers are reused (early cut-off)."""
    text = """
        @task
        def first(out: Output, *, how: int):
            note('first')
            Path(out).write_text('same')

        @workflow
        def flow():
            copy(copy(first(out='a', how={how}), out='b'), out='c')
    """
    lab.run(text.replace("{how}", "1"))
    assert lab.ran() == ["first", "b", "c"]
    summary = lab.run(text.replace("{how}", "2"))
    assert lab.ran() == ["first"]
    assert (summary.ran, summary.reused) == (1, 2)


@pytest.mark.parametrize("harm", ["missing", "longer", "same size", "products only"])
def test_a_damaged_result_is_made_anew_with_the_reason(lab, harm):
    """A stored file that is missing or changed is noticed, named, and made again; a lost product is just put back."""
    lab.run(CHAIN)
    lab.ran()
    (stored,) = [p for p in lab.workspace.store.rglob("*") if p.is_file()]
    if harm == "missing":
        stored.unlink()
    elif harm == "longer":
        os.chmod(stored, 0o644)
        stored.write_text("more than that")
    elif harm == "same size":
        os.chmod(stored, 0o644)
        stored.write_text("XtextX")
    else:
        (lab.out / "a").unlink()
    summary = lab.run()
    assert summary.ok
    if harm == "products only":
        assert lab.ran() == []
    else:
        assert lab.ran() == ["a"]
        word = "missing from the store" if harm == "missing" else "damaged in the store"
        with lab.journal() as journal:
            assert journal.tasks(summary.run)["make"].reason.endswith(word)
    assert lab.published() == {"a": "{text}", "b": "{text}", "c": "{text}"}
    assert lab.run().reused == 3


def test_products_are_links_where_possible_and_never_partial(lab):
    """A product is a hard link to the stored file, read-only, and nothing else is left in its folder."""
    lab.run(CHAIN)
    product = lab.out / "a"
    assert product.stat().st_nlink == 4
    assert product.stat().st_mode & 0o222 == 0
    assert sorted(os.listdir(lab.out)) == ["a", "b", "c"]


def test_products_are_copied_to_another_file_system(lab, monkeypatch):
    """Where a hard link cannot be made, a whole copy takes its place."""

    def refuse(_, target):
        if not Path(target).parent.is_dir():
            raise FileNotFoundError(2, "No such file or directory")
        raise OSError(18, "Invalid cross-device link")

    stored = lab.root / "stored"
    stored.write_text("x")
    monkeypatch.setattr(os, "link", refuse)
    products = ProductsClass(str(lab.out))
    assert products.publish("deep/er/a.txt", str(stored)) == f"{lab.out}/deep/er/a.txt"
    assert lab.published() == {"deep/er/a.txt": "x"}
    stored.write_text("y")
    products.publish("deep/er/a.txt", str(stored))
    assert lab.published() == {"deep/er/a.txt": "y"}


def test_a_product_folder_that_cannot_be_written_is_the_users_to_mend(lab):
    """A file where the folder of products should be is told with its path; all runs, and is published on resume."""
    lab.out.write_text("in the way")
    summary = lab.run(CHAIN)
    assert not summary.ok
    assert summary.ran == 3
    assert len(summary.unpublished) == 3
    assert summary.unpublished[0].startswith(f"cannot publish {lab.out}/")
    lab.out.unlink()
    with lab.engine() as engine:
        again = engine.run(lab.request(lab.graph(), run=summary.run, resume=True))
    assert (again.ok, again.ran, len(lab.published())) == (True, 0, 3)


def test_a_product_that_is_in_the_way_leaves_the_others_alone(lab):
    """A folder where one product should be costs that product, and no other."""
    (lab.out / "b").mkdir(parents=True)
    summary = lab.run(CHAIN)
    assert [f"{lab.out}/b" in said for said in summary.unpublished] == [True]
    assert len(summary.products) == 2


def test_only_chosen_outputs_are_published(lab):
    """Products are the outputs that match a pattern."""
    lab.write(CHAIN)
    with lab.engine() as engine:
        summary = engine.run(lab.request(lab.graph(), products=Products(str(lab.out), ("b*",))))
    assert summary.products == (f"{lab.out}/b",)
    assert list(lab.published()) == ["b"]


def test_a_pattern_that_no_output_matches_is_told(lab):
    """One that matches is not told."""
    lab.write(CHAIN)
    products = Products(str(lab.out), ("b*", "d*"))
    with lab.engine() as engine:
        summary = engine.run(lab.request(lab.graph(), products=products))
    assert summary.ok
    assert summary.warnings == ("products: no output has a name like 'd*'",)


def test_fused_tasks_share_a_process_and_keep_their_own_record(lab):
    """Tasks of one label run in one worker; each has its attempt, log and reuse."""
    text = """
        @task
        def say(source: Input | None, out: Output):
            note('say')
            print(out.name)
            Path(out).write_text(str(os.getpid()))

        @workflow
        def flow():
            with fuse('one'):
                say(say(None, out='x'), out='y')
                say(None, out='z')
    """
    summary = lab.run(text, cores=2)
    assert len(set(lab.published().values())) == 1
    with lab.journal() as journal:
        attempts = journal.attempts(summary.run)
    assert sorted(a.task for a in attempts) == ["say-0", "say-1", "say-2"]
    assert {a.logged for a in attempts} == {2}
    assert Path(lab.workspace.log(summary.run, "say-1", 1)).read_text() == "y\n"
    lab.ran()
    assert lab.run(text).reused == 3


FAN = """
@task
def count(source: Input, numbers: Output):
    note('count')
    Path(numbers).write_text(Path(source).read_text())

@task
def total(parts: list[Input], out: Output):
    note('total')
    Path(out).write_text('+'.join(Path(p).read_text() for p in parts))

@workflow(runtime=True)
def each(numbers: Input, out: Output):
    note('each')
    names = Path(numbers).read_text().split()
    total([make(out=f'{n}.txt', text=n) for n in names], out=out)

@workflow
def flow():
    copy(each(count(make(out='what', text=WHAT), numbers='numbers'), out='sum'), out='last')
"""


def test_a_fan_out_known_only_at_run_time(lab):
    """A run-time workflow adds tasks once its input exists; its declared output is theirs; all is reused next time."""
    summary = lab.run("WHAT = '3 1 2'\n" + FAN)
    assert summary.ok, summary.failures
    assert lab.published()["last"] == "3+1+2"
    assert sorted(lab.ran()) == sorted(["what", "count", "each", "1.txt", "2.txt", "3.txt", "total", "last"])
    with lab.journal() as journal:
        assert len(journal.graph(summary.run).tasks) == 8
        assert set(journal.tasks(summary.run)) == set(journal.graph(summary.run).tasks)
    again = lab.run()
    assert (again.ran, again.reused) == (0, 8)


def test_the_plan_follows_what_reused_fan_outs_described(lab):
    """It lists the same tasks as the run, nested ones too, and knows what their outputs are."""
    text = """
        @workflow(runtime=True)
        def inner(numbers: Input, out: Output):
            copy(make(out='part', text=Path(numbers).read_text() + '!'), out=out)

        @workflow(runtime=True)
        def outer(numbers: Input, out: Output):
            copy(inner(numbers, out='below'), out=out)

        @workflow
        def flow():
            copy(outer(make(out='a', text='1'), out='b'), out='c', add='+')
    """
    lab.write(text)
    assert planned(lab) == {
        "make": "never run before",
        "outer": "input 'a' is made anew by make",
        "copy": "input 'b' is made anew by outer",
    }
    summary = lab.run()
    assert summary.ran == 7
    reasons = planned(lab)
    assert list(reasons) == [
        "make", "outer", "copy", "outer/inner", "outer/copy", "outer/inner/make", "outer/inner/copy",
    ]  # fmt: skip
    assert set(reasons.values()) == {f"reused from run {summary.run}"}
    lab.write(text.replace("'+'", "'-'"))
    assert {t: r for t, r in planned(lab).items() if not r.startswith("reused")} == {
        "copy": "parameter add changed from '+' to '-'"
    }
    with lab.journal() as journal:
        key = journal.tasks(summary.run)["outer/inner/make"].key
        Path(
            stored_path(str(lab.workspace.store), journal.result(key).made["outer/inner/part"].digest)
        ).unlink()
    assert {t: r for t, r in planned(lab).items() if not r.startswith("reused")} == {
        "outer/inner/make": "output 'outer/inner/part' is missing from the store",
        "outer/inner/copy": "input 'outer/inner/part' is made anew by outer/inner/make",
        "outer/copy": "input 'outer/below' is made anew by outer/inner/copy",
        "copy": "input 'b' is made anew by outer/copy",
    }


def planned(lab):
    """Return the reason of each task in the plan for `flow`."""
    with lab.journal() as journal:
        plan = make_plan(lab.graph(), Facts(lab.workspace, journal))
    return {task: decision.reason for task, decision in plan.decisions.items()}


def test_a_fan_out_under_another_id_describes_anew(lab):
    """What it described stands under its id; a second call of the same workflow changes the id of the first."""
    text = """
        @workflow(runtime=True)
        def each(source: Input, out: Output):
            copy(source, out=out)

        @workflow
        def flow():
            each(make(out='a'), out='b')
    """
    assert lab.run(text).ran == 3
    summary = lab.run(f"{text.rstrip()}\n            each(make(out='c'), out='d')\n")
    assert summary.ok, summary.failures
    assert (summary.ran, summary.reused) == (4, 2)


def test_a_file_from_outside_that_a_fan_out_reads_stays_apart(lab):
    """One of the same name that the graph has is not taken for it, by neither."""
    for folder in ("ours", "theirs"):
        (lab.root / folder).mkdir()
        (lab.root / folder / "f.txt").write_text(folder)
    summary = lab.run(f"""
        @workflow(runtime=True)
        def each(source: Input, out: Output):
            copy('{lab.root}/theirs/f.txt', out=out)

        @workflow
        def flow():
            copy('{lab.root}/ours/f.txt', out='first')
            each('first', out='b')
            both('{lab.root}/ours/f.txt', 'b', out='last')

        @task
        def both(source: Input, after: Input, out: Output):
            Path(out).write_text(Path(source).read_text() + Path(after).read_text())
    """)
    assert summary.ok, summary.failures
    assert lab.published()["last"] == "ourstheirs"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("pass", "describes no task"),
        ("make(out='x')", "calls no task that makes its declared output 'sum'"),
        ("copy('/no/such/file', out=out)", "cannot read /no/such/file"),
        ("big(out=out)", "needs 64 cores"),
        ("make(out=out); make(out=out)", "makes too"),
        ("raise KeyError('x')", "KeyError: 'x'"),
    ],
)
def test_a_fan_out_that_cannot_be_run_fails_as_a_task(lab, body, error):
    """What a run-time workflow describes wrongly is its own failure, and the rest of the run goes on."""
    summary = lab.run(f"""
        @task(cores=64)
        def big(out: Output): ...

        @workflow(runtime=True)
        def each(source: Input, out: Output):
            {body}

        @workflow
        def flow():
            copy(each(make(out='a'), out='sum'), out='last')
            copy(make(out='b'), out='c')
    """)
    (failure,) = summary.failures
    assert failure.task == "each"
    assert error in failure.error
    assert failure.blocked[-1:] == ("copy-0",)
    assert summary.missing is None
    assert lab.published() == {"a": "made", "b": "made", "c": "made"}


def test_products_that_a_run_did_not_make_are_named(lab):
    """Of what failed and of what that blocked; also within what a run-time workflow described. None else."""
    lab.write("""
        @task
        def bad(out: Output, other: Output):
            raise ValueError('no')

        @workflow(runtime=True)
        def each(source: Input, out: Output):
            bad(out=out, other='rest')

        @workflow
        def flow():
            each(make(out='a'), out='sum.json')
            _, other = bad(out='x', other='y.json')
            copy(copy(other, out='z'), out='z.json')
    """)
    with lab.engine() as engine:
        summary = engine.run(lab.request(lab.graph(), products=Products(str(lab.out), ("*.json", "*/rest"))))
    assert sorted(summary.missing) == ["each/rest", "sum.json", "y.json", "z.json"]
    assert lab.run("@workflow\ndef flow(): make(out='a')").missing == ()


def test_a_fan_out_may_not_make_a_file_that_is_there_already(lab):
    """A name that the graph has too is a failure of the fan-out that names both, and the graph's file stays."""
    summary = lab.run("""
        @workflow(runtime=True)
        def each(source: Input, out: Output):
            copy(make(out='1', text='ours'), out=out)

        @workflow
        def flow():
            make(out='each/1', text='theirs')
            each(make(out='a'), out='sum')
    """)
    (failure,) = summary.failures
    assert failure.task == "each"
    assert "flow.py:" in failure.error
    assert "each/make makes 'each/1', which is there already, from make" in failure.error
    assert lab.published() == {"a": "made", "each/1": "theirs"}


def test_an_optional_input_of_a_fan_out_may_be_left_out(lab):
    """``Input | None`` without a default is None in a run-time workflow too."""
    summary = lab.run("""
        @workflow(runtime=True)
        def each(source: Input, more: Input | None, out: Output):
            make(out=out, text=str(more))

        @workflow
        def flow():
            each(make(out='a'), None, out='b')
    """)
    assert summary.ok, summary.failures
    assert lab.published()["b"] == "None"


def test_plan_and_run_decide_alike(lab):
    """What the plan says will run or be reused is what the engine does, with the same words."""
    text = """
        @workflow
        def flow():
            b = copy(make(out='a', text='1'), out='b', add='{add}')
            copy(b, out='c')
            make(out='d')
    """
    lab.run(text)
    lab.write(text.replace("{add}", "more"))
    graph = lab.graph()
    with lab.journal() as journal:
        plan = make_plan(graph, Facts(lab.workspace, journal))
    assert {t: d.action for t, d in plan.decisions.items()} == {
        "make-0": "reuse", "make-1": "reuse", "copy-0": "run", "copy-1": "run",
    }  # fmt: skip
    assert plan.decisions["copy-0"].reason == "parameter add changed from '{add}' to 'more'"
    summary = lab.run()
    assert (summary.ran, summary.reused) == (plan.to_run, plan.to_reuse)
    with lab.journal() as journal:
        assert journal.tasks(summary.run)["copy-0"].reason == plan.decisions["copy-0"].reason


def test_force_only_and_until(lab):
    """``force`` runs what could be reused, ``only`` leaves the others, ``until`` leaves what is not needed."""
    lab.run(CHAIN, select={"until": ("b",)})
    assert lab.ran() == ["a", "b"]
    summary = lab.run(select={"only": ("make",), "force": ("make",)})
    assert lab.ran() == ["a"]
    assert (summary.ran, summary.reused, summary.left) == (1, 1, 1)
    assert lab.run(select={"force": ("*",)}).ran == 3


def test_only_leaves_out_what_it_blocks_in_a_fused_job(lab):
    """A selection inside a fused job leaves the others of the job alone."""
    summary = lab.run(
        """
        @workflow
        def flow():
            with fuse('one'):
                copy(make(out='a'), out='b')
                make(out='c')
        """,
        select={"only": ("a", "c")},
    )
    assert sorted(lab.ran()) == ["a", "c"]
    assert (summary.ran, summary.left, summary.ok) == (2, 1, True)


def test_priority_then_deadline_then_the_order_described(lab):
    """Among ready tasks, higher priority runs first, within it the earlier deadline, within it the earlier call."""
    lab.run("""
        @task(priority=1)
        def high(out: Output):
            note('high'); Path(out).touch()

        @task(deadline='10 s')
        def soon(out: Output):
            note('soon'); Path(out).touch()

        @task(deadline='1 h')
        def later(out: Output):
            note('later'); Path(out).touch()

        @workflow
        def flow():
            make(out='plain')
            later(out='l')
            soon(out='s')
            high(out='h')
    """)
    assert lab.ran() == ["high", "soon", "later", "plain"]


def test_what_is_described_while_it_runs_is_due_when_its_workflow_is(lab):
    """Unless a task of it says otherwise."""
    lab.run("""
        @task(deadline='1 h')
        def later(source: Input, out: Output):
            note('later'); Path(out).touch()

        @task(deadline='2 h')
        def last(source: Input, out: Output):
            note('last'); Path(out).touch()

        @workflow(runtime=True, deadline='10 s')
        def more(source: Input, out: Output):
            last(source, out='of its own')
            copy(source, out=out)

        @workflow
        def flow():
            first = make(out='first')
            later(first, out='l')
            more(first, out='described')
    """)
    assert lab.ran() == ["first", "described", "later", "last"]


def test_cores_bound_what_runs_at_a_time(lab):
    """Tasks that declare more cores together than there are do not overlap; others do."""
    text = """
        @task(cores={cores})
        def span(out: Output):
            note('begin')
            {meet}
            note('end')
            Path(out).touch()

        @workflow
        def flow():
            for n in range(2):
                span(out=str(n))
    """
    lab.run(text.replace("{cores}", "2").replace("{meet}", "time.sleep(0.05)"), cores=2)
    assert lab.ran() == ["begin", "end", "begin", "end"]
    meet = "while open(MARKS).read().count('begin') < 2: time.sleep(0.01)"
    lab.run(text.replace("{cores}", "1").replace("{meet}", meet), cores=2)
    assert lab.ran()[:2] == ["begin", "begin"]


@pytest.mark.parametrize("need", ["cores=9", "memory='900 TB'"])
def test_a_task_that_can_never_fit_is_refused_at_once(lab, need):
    """A task that asks for more than the engine has is the user's error before anything runs."""
    text = f"@task({need})\ndef big(out: Output): ...\n@workflow\ndef flow():\n    make(out='a')\n    big(out='b')\n"
    with pytest.raises(UserError, match=r"flow\.py:\d+: big needs .* this engine has"):
        lab.run(text)
    assert lab.ran() == []
    with lab.journal() as journal:
        assert journal.runs() == []


def test_a_task_that_needs_more_than_is_free_just_now_runs_alone(lab, monkeypatch):
    """Only what the machine could never give is refused; on a busy one such a task runs, with nothing beside it."""
    monkeypatch.setattr("dynamo.engine.capacity.available_memory", lambda: 1000)
    text = """
        @task(memory='300 MB')
        def big(out: Output):
            note('begin')
            time.sleep(0.05)
            note('end')
            Path(out).write_text('x')

        @workflow
        def flow():
            big(out='a')
            big(out='b')
    """
    assert lab.run(text, cores=2).ok
    assert lab.ran() == ["begin", "end", "begin", "end"]


def test_what_the_machine_could_never_give_is_refused(lab, monkeypatch):
    """A task that needs more than the machine has is refused, whatever is said to be free."""
    monkeypatch.setattr("dynamo.engine.capacity.total_memory", lambda: 10_000)
    with pytest.raises(UserError, match=r"big needs .* this engine has 1 cores and 9\.77 KiB"):
        lab.run("@task(memory='1 MB')\ndef big(out: Output): ...\n@workflow\ndef flow():\n    big(out='b')\n")


def test_inputs_that_cannot_be_read_are_told_before_anything_runs(lab):
    """A missing input and a folder in place of one are named with their path."""
    lab.write("@workflow\ndef flow(frame: Input):\n    make(out='x')\n    copy(frame, out='y')\n")
    with lab.engine() as engine:
        with pytest.raises(DataError, match="cannot read /no/where: No such file"):
            engine.run(lab.request(lab.graph("/no/where")))
        with pytest.raises(DataError, match="is a folder, not a file"):
            engine.run(lab.request(lab.graph(lab.root)))
        good = lab.root / "frame"
        good.write_text("frame")
        assert engine.run(lab.request(lab.graph(good))).ok, "the engine is still of use"
    assert lab.published() == {"x": "made", "y": "frame"}


def test_a_run_that_cannot_begin_takes_no_other_with_it(lab):
    """Where the second of two runs cannot begin, the first is marked as interrupted and can be gone on with."""
    lab.write("@workflow\ndef flow(frame: Input | None = None):\n    copy(make(out='a'), out='b')\n")
    lab.file.write_text(lab.file.read_text() + "    if frame: copy(frame, out='c')\n")
    first, second = lab.request(lab.graph()), lab.request(lab.graph("/no/where"))
    with lab.engine() as engine:
        with pytest.raises(DataError):
            engine.run_all([first, second])
        assert engine.journal.run(first.run).state == "interrupted"
        third = lab.request(lab.graph())
        assert engine.run(third).ran == 2
        assert [r.state for r in engine.journal.runs()] == ["done", "interrupted"]


def test_two_runs_at_once_in_one_engine(lab):
    """Graphs run together each end for themselves; what both need is made at most once for each."""
    lab.write("@workflow\ndef flow(n: int):\n    copy(make(out=f'{n}a'), out=f'{n}b')\n")
    with lab.engine(cores=2) as engine:
        summaries = engine.run_all([lab.request(lab.graph(n)) for n in (1, 2, 3)])
    assert [s.ran for s in summaries] == [2, 2, 2]
    assert len(lab.published()) == 6


def test_two_engines_on_one_workspace(lab):
    """Two engines at work on the same graph in one workspace both end well, with whole products."""
    lab.write(
        "@workflow\ndef flow():\n    for n in range(20):\n        copy(make(out=f'{n}a'), out=f'{n}b')\n"
    )
    results = []

    def work(request):
        with LocalEngine(lab.workspace, cores=1) as engine:
            results.append(engine.run(request))

    # Described here: what is imported is one for all threads.
    requests = [lab.request(lab.graph(), run=f"run-{n}") for n in "ab"]
    threads = [threading.Thread(target=work, args=(request,)) for request in requests]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [s.ok for s in results] == [True, True]
    assert len(lab.published()) == 40
    assert set(lab.published().values()) == {"made"}


@pytest.mark.parametrize("inline", [False, True])
def test_a_helper_that_is_edited_runs_as_it_is_in_a_warm_engine(lab, inline):
    """Also where it is another task that imports it now: no worker keeps the code as it was."""
    helper = lab.root / "helper.py"
    text = """
        @task
        def first(out: Output):
            import helper
            Path(out).write_text(helper.said)

        @task
        def second(out: Output):
            import helper
            Path(out).write_text(helper.said)

        @workflow
        def flow(n: int = 1):
            (first if n == 1 else second)(out=f'{n}')
    """
    helper.write_text("said = 'as it was'\n")
    lab.write(text)
    with lab.engine(inline=inline) as engine:
        engine.run(lab.request(lab.graph(n=1), run="one"))
        helper.write_text("said = 'as it is now'\n")
        engine.run(lab.request(lab.graph(n=2), run="two"))
    assert lab.published() == {"1": "as it was", "2": "as it is now"}


@pytest.mark.parametrize("inline", [False, True])
def test_helpers_of_one_name_in_two_folders_are_two(lab, inline):
    """A warm worker runs the code beside each workflow's file, which is what the keys count."""
    text = """
        import helper

        @task
        def say(out: Output):
            import helper as now
            Path(out).write_text(f'{helper.said} {now.said}')

        @workflow
        def flow(word: str):
            say(out=word)
    """
    graphs = {}
    for name in ("one", "two"):
        (lab.root / name).mkdir()
        (lab.root / name / "helper.py").write_text(f"said = {name!r}\n")
        lab.file = lab.root / name / "flow.py"
        lab.write(text)
        graphs[name] = lab.graph(word=name)
    with lab.engine(inline=inline) as engine:
        for name in ("one", "two", "one"):
            engine.run(lab.request(graphs[name], selection=Selection(force=("say",))))
            assert lab.published()[name] == f"{name} {name}"


def test_one_run_cannot_be_under_way_twice(lab):
    """A run whose lock another process holds is refused in words."""
    lab.write(CHAIN)
    under_way = pytest.raises(UserError, match="run run-x is under way in another process")
    with lab.workspace.lock("run-x"), lab.engine() as engine, under_way:
        engine.run(lab.request(lab.graph(), run="run-x", resume=True))


def test_inline_runs_in_this_process_and_leaves_it_as_it_was(lab, capfd):
    """Inline tasks run here, show what they print, and leave the current folder alone."""
    here = os.getcwd()
    text = """
        @task
        def where(source: Input, out: Output):
            print('heard')
            Path(out).write_text(str(os.getpid()))

        @task
        def bad(out: Output):
            sys.exit(1)

        @workflow
        def flow():
            where(make(out='a'), out='b')
            copy(bad(out='x'), out='y')
    """
    summary = lab.run(text, inline=True)
    assert lab.published() == {"a": "made", "b": str(os.getpid())}
    assert os.getcwd() == here
    assert "heard" in capfd.readouterr().out
    assert [f.task for f in summary.failures] == ["bad"]
    assert summary.blocked == 1


def test_a_signal_ends_the_run_and_resume_goes_on(lab):
    """SIGTERM marks the run as interrupted and ends the workers; going on does only what was not done."""
    lab.write("""
        @task
        def hang(source: Input, out: Output):
            note('hang')
            if Path(SWITCH).exists():
                Path(out).touch()
            else:
                os.kill(os.getppid(), signal.SIGTERM)
                time.sleep(1000)

        @workflow
        def flow():
            copy(hang(make(out='a'), out='b'), out='c')
    """)
    switch = lab.root / "switch"
    lab.file.write_text(f"SWITCH = {str(switch)!r}\n" + lab.file.read_text())
    request = lab.request(lab.graph())
    with lab.engine() as engine, pytest.raises(KeyboardInterrupt):
        engine.run(request)
    assert lab.ran() == ["a", "hang"]
    with lab.journal() as journal:
        assert journal.run(request.run).state == "interrupted"
        assert {a.task: a.outcome for a in journal.attempts(request.run)} == {"make": "ok", "hang": "lost"}
        assert "hang" not in journal.tasks(request.run)
    switch.touch()
    with lab.engine() as engine:
        summary = engine.run(lab.request(lab.graph(), run=request.run, resume=True))
        assert [(a.task, a.n) for a in engine.journal.attempts(request.run)] == [
            ("make", 1), ("hang", 1), ("hang", 2), ("copy", 1),
        ]  # fmt: skip
    assert (summary.ran, summary.reused, summary.ok) == (2, 1, True)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_going_on_forces_only_what_was_not_forced_yet(lab):
    """A forced run that failed half-way is gone on with: done tasks stay, the others are forced as asked."""
    text = """
        @task
        def gate(source: Input, out: Output):
            note('gate')
            if not Path(SWITCH).exists():
                raise ValueError('shut')
            Path(out).write_text('x')

        @workflow
        def flow():
            copy(gate(make(out='a'), out='b'), out='c')
    """
    switch = lab.root / "switch"
    switch.touch()
    lab.write(f"SWITCH = {str(switch)!r}\n" + __import__("textwrap").dedent(text))
    assert lab.run().ok
    switch.unlink()
    lab.ran()
    forced = Selection(force=("*",))
    request = lab.request(lab.graph(), selection=forced)
    with lab.engine() as engine:
        assert not engine.run(request).ok
    assert lab.ran() == ["a", "gate"]
    switch.touch()
    with lab.engine() as engine:
        assert engine.run(lab.request(lab.graph(), run=request.run, resume=True, selection=forced)).ok
    assert lab.ran() == ["gate", "c"]


def test_a_task_behind_many_is_only_recorded_not_recursed(lab):
    """A chain of thousands of reused tasks is gone through in one turn, without recursion."""
    lab.write("""
        @workflow
        def flow():
            last = make(out='0')
            for n in range(1, 1500):
                with fuse('all'):
                    last = copy(last, out=str(n))
    """)
    with lab.engine(inline=True) as engine:
        assert engine.run(lab.request(lab.graph(), products=Products())).ran == 1500
        assert engine.run(lab.request(lab.graph(), products=Products())).reused == 1500


def test_a_workspace_that_cannot_be_written_is_named(tmp_path):
    """A file in place of the workspace is the infrastructure's fault, with what to do."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(WorkspaceError, match=r"cannot use the workspace .*choose another"):
        Workspace.open(tmp_path / "file")


def test_a_workspace_of_another_user_is_named(tmp_path, monkeypatch):
    """Its folders are there, and closed: said at once, not where the first run would be written."""
    Workspace.open(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != tmp_path / "runs")
    with pytest.raises(WorkspaceError, match=r"cannot use the workspace .*Permission denied: whose is it"):
        Workspace.open(tmp_path)


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize("where", ["task", "neighbour"])
def test_code_edited_between_two_runs_of_one_engine_is_the_code_that_runs(lab, where, inline):
    """A warm worker runs what the key says: an edited task, and an edited neighbour that it imports."""
    neighbour = lab.root / "neighbour_of_the_flow.py"
    text = """
        from neighbour_of_the_flow import WORD

        @task
        def say(out: Output):
            Path(out).write_text('{one} ' + WORD)

        @workflow
        def flow():
            say(out='x')
    """
    neighbour.write_text("WORD = 'first'\n")
    lab.write(text.replace("{one}", "one"))
    with lab.engine(inline=inline) as engine:
        engine.run(lab.request(lab.graph()))
        assert lab.published() == {"x": "one first"}
        if where == "task":
            lab.write(text.replace("{one}", "two"))
        else:
            neighbour.write_text("WORD = 'second'\n")
        assert engine.run(lab.request(lab.graph())).ran == 1
        assert lab.published() == {"x": "two first" if where == "task" else "one second"}
        assert engine.run(lab.request(lab.graph())).reused == 1


def test_what_a_task_tells_is_kept_with_it_alone(lab):
    """In one process: nothing of a task that failed, nor of the one before; the next run knows it, and reuses it."""
    text = """
        from dynamo import tell

        @task
        def measure(source: Input, out: Output, *, area: float):
            tell(echo_km2=area)
            if area > 1000:
                raise ValueError('too much')
            Path(out).write_text('measured')

        @workflow
        def flow():
            source = make(out='a')
            with fuse('all'):
                copy(measure(source, out='b', area=812.5), out='c')
                measure(source, out='d', area=5000.0)
                copy(source, out='e')
    """
    summary = lab.run(text)
    assert [failure.task for failure in summary.failures] == ["measure-1"]
    with lab.journal() as journal:
        assert journal.facts("next", "flow", None, time.time()) == {"echo_km2": 812.5}
        rows = journal._db.execute("SELECT task FROM attempts WHERE facts != ''").fetchall()
        assert rows == [("measure-0",)]
        again = lab.run(select={"force": ("copy",)})
        assert again.reused > 0
        assert journal.facts(again.run, "of no run", None, time.time()) == {"echo_km2": 812.5}
