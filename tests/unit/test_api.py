"""Running and planning from Python."""

import pytest

import dynamo
from dynamo.errors import UserError

CHAIN = """
from dynamo import Input, Output, task, workflow

@task
def write(text: Output, *, word: str):
    text.write_text(word)

@task
def shout(text: Input, loud: Output):
    loud.write_text(text.read_text().upper())

@workflow
def chain(word: str = "hail"):
    shout(write(word=word, text="word.txt"), loud="loud.txt")
"""


@pytest.fixture
def chain(tmp_path, monkeypatch):
    from dynamo.worker.loading import load_object

    monkeypatch.chdir(tmp_path)
    (tmp_path / "chain.py").write_text(CHAIN)
    return load_object(f"{tmp_path}/chain.py:chain")


def test_a_graph_is_run_and_then_reused(chain, tmp_path):
    """The products stand in the folder; the second run computes nothing."""
    first = dynamo.run(chain())
    assert (first.ok, first.ran) == (True, 2)
    assert (tmp_path / "products" / "loud.txt").read_text() == "HAIL"
    assert dynamo.run(chain()).reused == 2


def test_a_plan_says_why(chain):
    """Before the first run everything is new; after it, a changed parameter is named."""
    assert {d.reason for d in dynamo.plan(chain()).decisions.values()} == {
        "never run before",
        "input 'word.txt' is made anew by write",
    }
    dynamo.run(chain(), inline=True)
    assert dynamo.plan(chain()).to_reuse == 2
    assert (
        dynamo.plan(chain("rain")).decisions["write"].reason == "parameter word changed from 'hail' to 'rain'"
    )


def test_only_what_was_asked_for_is_published_and_run(chain, tmp_path):
    """Patterns choose products; a selection stops early; events are told."""
    told = []
    summary = dynamo.run(
        chain(), publish=["loud.*"], selection=dynamo.Selection(until=("write",)), observer=told.append
    )
    assert (summary.ran, summary.products) == (1, ())
    assert [event.kind for event in told] == ["started", "done"]
    dynamo.run(chain(), publish=["loud.*"])
    assert [p.name for p in (tmp_path / "products").iterdir()] == ["loud.txt"]


def test_more_cores_than_there_are_is_told_before_anything_runs(chain, tmp_path):
    """A task that asks for more than the engine has raises at once."""
    source = (tmp_path / "chain.py").read_text().replace("@task\ndef write", "@task(cores=3)\ndef write")
    (tmp_path / "chain.py").write_text(source)
    from dynamo.worker.loading import load_object

    graph = load_object(f"{tmp_path}/chain.py:chain")()
    with pytest.raises(UserError, match="needs 3 cores"):
        dynamo.run(graph, cores=2)


def test_the_public_names_are_there_and_no_others():
    """`__all__` is what can be imported from the top."""
    for name in dynamo.__all__:
        assert getattr(dynamo, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nowcast'"):
        dynamo.nowcast  # noqa: B018


def test_code_that_is_edited_while_it_runs_leaves_no_result_for_others(tmp_path, monkeypatch):
    """Which of the two versions made the file cannot be told: this run has it, the next makes it anew."""
    from dynamo.worker.loading import load_object

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "edited.py"
    path.write_text(
        "from dynamo import Input, Output, task, workflow\n"
        "@task\ndef write(text: Output):\n"
        "    text.write_text('hail')\n"
        "    with open(__file__, 'a') as file:\n"
        "        file.write('# edited\\n')\n"
        "@task\ndef shout(text: Input, loud: Output):\n"
        "    loud.write_text(text.read_text().upper())\n"
        "@workflow\ndef chain():\n"
        "    shout(write(text='word.txt'), loud='loud.txt')\n"
    )
    first = dynamo.run(load_object(f"{path}:chain")())
    assert (first.ok, first.ran) == (True, 2)
    assert any("code changed while it ran" in warning for warning in first.warnings)
    assert dynamo.run(load_object(f"{path}:chain")()).ran >= 1
