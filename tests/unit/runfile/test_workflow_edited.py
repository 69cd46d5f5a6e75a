"""A workflow that was edited is described as it is now, in a process that stays."""

from __future__ import annotations

import pytest

from dynamo.errors import UserError
from dynamo.runfile.workflow import load_workflow

FLOW = """
from dynamo import Output, task, workflow
from helper_of_{name} import N

@task
def make(out: Output, *, n: int):
    pass

@workflow
def flow():
    make(out='x', n=N + {add})
"""


@pytest.mark.parametrize("name", ["a_file", "a_module"])
def test_an_edited_workflow_and_what_it_imports_are_read_again(tmp_path, name):
    """Whether it is named by its file or as a module; a fault is told, and gone once it is mended."""
    file, helper = tmp_path / f"flow_in_{name}.py", tmp_path / f"helper_of_{name}.py"
    reference = f"./{file.name}:flow" if name == "a_file" else f"{file.stem}:flow"

    def described() -> int:
        (task,) = load_workflow(reference, tmp_path).graph().tasks.values()
        return task.params["n"]

    helper.write_text("N = 1\n")
    file.write_text(FLOW.format(name=name, add=0))
    assert described() == 1
    same = load_workflow(reference, tmp_path)
    assert load_workflow(reference, tmp_path) is same
    file.write_text(FLOW.format(name=name, add=10))
    assert described() == 11
    helper.write_text("N = 2\n")
    assert described() == 12
    helper.write_text("N = = 3\n")
    with pytest.raises(UserError, match="not valid Python"):
        described()
    helper.write_text("N = 3\n")
    assert described() == 13
    helper.unlink()
    with pytest.raises(UserError, match="which is not installed"):
        described()
