"""Addresses of modules: read as they are written, and the same for the same file."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dynamo.worker.address import address_in, address_of

names = st.lists(st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True), min_size=1, max_size=4)


@given(folder=names, name=names, package=st.booleans())
def test_an_address_is_read_as_it_is_written(folder, name, package):
    """Home, name and path come back, for modules and packages at any depth, in the root folder too."""
    for home in ("/", f"/no_such_place/{'/'.join(folder)}"):
        end = "/__init__.py" if package else ".py"
        path = f"{home.rstrip('/')}/{'/'.join(name)}{end}"
        if name[-1] == "__init__":
            continue
        address = address_of(".".join(name), path)
        assert address == (home, ".".join(name), path)
        assert address_in(str(address)) == address
        assert Path(str(address)) == Path(path)


def test_a_module_beside_a_workflow_is_written_as_the_path_it_has():
    """Only what lies deeper says where its home ends."""
    assert str(address_of("tasks", "/home/a/tasks.py")) == "/home/a/tasks.py"
    assert str(address_of("p.tasks", "/home/a/p/tasks.py")) == "/home/a/./p/tasks.py"


def test_a_file_that_lies_elsewhere_than_its_name_says_has_no_address():
    """A package may look for its modules anywhere."""
    assert address_of("p.tasks", "/home/a/q/tasks.py") is None
    assert address_of("tasks", "/home/a/my_tasks.py") is None


def test_a_file_that_no_import_can_name_has_no_module_name(tmp_path):
    """It is loaded by its path alone."""
    for file in ("my-flow.py", "__init__.py", "a.b.py"):
        assert address_in(f"{tmp_path}/{file}").name == ""
