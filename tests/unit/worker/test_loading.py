"""Loading: what a name or a file stands for, and whose modules Python holds meanwhile."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from dynamo.worker.fresh import read_afresh
from dynamo.worker.loading import forget_edited, load_object, look_first

pytestmark = pytest.mark.usefixtures("as_before")


def test_a_module_that_appears_later_is_found(tmp_path):
    """A folder that is read afresh is looked into again when it changes."""
    read_afresh([str(tmp_path)])
    sys.path.insert(0, str(tmp_path))
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("fresh_later")
    (tmp_path / "fresh_later.py").write_text("K = 1\n")
    importlib.invalidate_caches()
    assert importlib.import_module("fresh_later").K == 1


def test_a_package_goes_before_a_file_of_the_same_name(tmp_path):
    """As Python has it."""
    (tmp_path / "fresh_h").mkdir()
    (tmp_path / "fresh_h/__init__.py").write_text("K = 'package'\n")
    (tmp_path / "fresh_h.py").write_text("K = 'file'\n")
    (tmp_path / "flow.py").write_text("from fresh_h import K\n")
    assert load_object(f"{tmp_path}/flow.py:K") == "package"


# Homes

SAYS = "import twin\nFIRST = twin.WORD\n\ndef now():\n    import twin\n    return twin.WORD\n"


def folder_that_says(path: Path, word: str) -> str:
    """Make a folder with a file and a helper beside it, named as in all such folders; return the file's path."""
    path.mkdir()
    (path / "flow.py").write_text(SAYS)
    (path / "twin.py").write_text(f"WORD = {word!r}\nHEARD = []\n")
    return f"{path}/flow.py"


def test_a_file_gets_the_helper_beside_it(tmp_path):
    """Though a helper of the same name was imported for a file in another folder; when loaded, and when called."""
    one, two = (folder_that_says(tmp_path / word, word) for word in ("one", "two"))
    for file, word in ((one, "one"), (two, "two"), (one, "one")):
        assert load_object(f"{file}:FIRST") == word
        assert load_object(f"{file}:now")() == word


def test_a_helper_keeps_its_state_while_others_run(tmp_path):
    """It is set aside, and not imported again."""
    one, two = (folder_that_says(tmp_path / word, word) for word in ("one", "two"))
    load_object(f"{one}:twin").HEARD.append("x")
    load_object(f"{two}:now")()
    load_object(f"{one}:now")
    assert sys.modules["twin"].HEARD == ["x"]
    assert load_object(f"{one}:twin") is sys.modules["twin"]


def test_what_is_called_by_name_is_sought_where_it_was_said(tmp_path):
    """Not beside the file that was loaded before, nor in the place of what was imported for it."""
    file = folder_that_says(tmp_path / "one", "one")
    folder_that_says(tmp_path / "named", "named")
    look_first([str(tmp_path / "named")])
    assert load_object("flow:now")() == "named"
    assert load_object(f"{file}:now")() == "one"
    assert load_object("flow:now")() == "named"
    assert load_object("twin:WORD") == "named"


def test_a_helper_below_the_named_folder_goes_before_one_in_it(tmp_path):
    """A file in a subfolder has its own neighbours first."""
    folder_that_says(tmp_path / "named", "named")
    file = folder_that_says(tmp_path / "named/below", "below")
    look_first([str(tmp_path / "named")])
    assert [load_object(c)() for c in ("flow:now", f"{file}:now", "flow:now")] == ["named", "below", "named"]


def test_what_is_elsewhere_is_shared(tmp_path):
    """A module that no folder has beside its files is imported once."""
    one, two = (folder_that_says(tmp_path / word, word) for word in ("one", "two"))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/common_to_all.py").write_text("")
    look_first([str(tmp_path / "lib")])
    for file in (one, two):
        Path(file).write_text("import common_to_all\n")
    assert load_object(f"{one}:common_to_all") is load_object(f"{two}:common_to_all")


def test_a_file_is_one_module_however_it_is_come_by(tmp_path):
    """By its path, by a link to its folder, and by what imports it: classes are the same."""
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "here")
    (tmp_path / "here/kinds_of.py").write_text("class Kind: ...\n")
    (tmp_path / "here/flow.py").write_text("from kinds_of import Kind\n")
    (tmp_path / "here/other.py").write_text("from flow import Kind\n")
    files = [
        f"{tmp_path}/{file}"
        for file in ("here/other.py", "link/flow.py", "here/kinds_of.py", "link/other.py")
    ]
    assert len({id(load_object(f"{file}:Kind")) for file in files}) == 1


@pytest.mark.parametrize("name", ["json", "builtins", "dynamo", "my-flow", "1st", "shadowed"])
def test_a_file_whose_name_stands_for_another_module_is_loaded_all_the_same(tmp_path, name):
    """One of Python's, of dynamo, a package beside it, or none that an import statement could say."""
    (tmp_path / "shadowed").mkdir()
    (tmp_path / "shadowed/__init__.py").write_text("K = 'package'\n")
    other = sys.modules.get(name)
    (tmp_path / f"{name}.py").write_text(
        "from dynamo import task\nK = 'file'\n@task\ndef t(out: 'Output'): ...\n"
    )
    assert load_object(f"{tmp_path}/{name}.py:K") == "file"
    assert load_object(f"{tmp_path}/{name}.py:t").call == f"{tmp_path}/{name}.py:t"
    assert sys.modules.get(name) is other or name == "shadowed"


MARKED = """
from dynamo import Output, task
from {word}_only import mark

@task
@mark
def make(out: Output): ...
"""
MARK = """
import functools

def mark(f):
    @functools.wraps(f)
    def marked(*a, **k): return f(*a, **k)
    return marked
"""


def test_a_task_is_called_by_its_own_file_whatever_was_loaded_since(tmp_path):
    """Also where somebody else's decorator wraps it."""
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "jobs.py").write_text(MARKED.format(word=name))
        (tmp_path / name / f"{name}_only.py").write_text(MARK)
        (tmp_path / name / "flow.py").write_text("from jobs import make\n")
        found.append(load_object(f"{tmp_path}/{name}/flow.py:make"))
    assert [task.call for task in found] == [f"{tmp_path}/{name}/jobs.py:make" for name in ("one", "two")]


def test_what_dynamo_did_not_put_on_the_module_path_keeps_its_name(tmp_path):
    """It is there for workers too, and is one module for all folders."""
    for folder in ("lib", "one"):
        (tmp_path / folder).mkdir()
    (tmp_path / "lib/lib_jobs.py").write_text(
        "from dynamo import Output, task\n@task\ndef make(out: Output): ...\n"
    )
    (tmp_path / "one/flow.py").write_text("from lib_jobs import make\n")
    sys.path.append(str(tmp_path / "lib"))
    assert load_object(f"{tmp_path}/one/flow.py:make").call == "lib_jobs:make"


def test_a_helper_in_a_folder_that_is_no_package_is_forgotten_when_it_was_edited(tmp_path):
    """The folder has no ``__init__.py`` to be edited, and would go on giving the helper that it had."""
    (tmp_path / "bare/inner").mkdir(parents=True)
    (tmp_path / "flow.py").write_text("from bare.inner import word\nK = word.K\n")
    for text in ("one", "three"):
        (tmp_path / "bare/inner/word.py").write_text(f"K = {text!r}\n")
        forget_edited()
        assert load_object(f"{tmp_path}/flow.py:K") == text


def test_a_helper_of_a_package_that_stays_is_forgotten_when_it_was_edited(tmp_path):
    """One that was imported before dynamo heard of it, or by a finder of its own."""
    (tmp_path / "staying").mkdir()
    (tmp_path / "staying/__init__.py").write_text("")
    (tmp_path / "flow.py").write_text("from staying import word\nK = word.K\n")
    sys.path.append(str(tmp_path))
    importlib.import_module("staying")
    for text in ("one", "three"):
        (tmp_path / "staying/word.py").write_text(f"K = {text!r}\n")
        forget_edited()
        assert load_object(f"{tmp_path}/flow.py:K") == text


@pytest.mark.parametrize("package", [True, False])
def test_a_workflow_that_is_found_elsewhere_on_the_module_path_is_seen_as_edited(tmp_path, package):
    """As by PYTHONPATH, with what it imports of its neighbours; its tasks keep their name."""
    folder = tmp_path / "mine_elsewhere"
    folder.mkdir()
    if package:
        (folder / "__init__.py").write_text("")
    (folder / "flows.py").write_text(
        "import beside_mine\nfrom dynamo import Output, task\nK = beside_mine.K\n@task\ndef t(out: Output): ...\n"
    )
    sys.path.append(str(tmp_path))
    for text in ("one", "three"):
        (tmp_path / "beside_mine.py").write_text(f"K = {text!r}\n")
        forget_edited()
        assert load_object("mine_elsewhere.flows:K") == text
    with (folder / "flows.py").open("a") as file:
        file.write("K = 'edited'\n")
    forget_edited()
    assert load_object("mine_elsewhere.flows:K") == "edited"
    assert load_object("mine_elsewhere.flows:t").call == "mine_elsewhere.flows:t"


def test_a_workflow_that_is_installed_is_loaded_as_python_does(tmp_path):
    """From its cache, and once."""
    place = tmp_path / "lib/site-packages"
    place.mkdir(parents=True)
    (place / "installed_flow.py").write_text("K = 'one'\n")
    sys.path.append(str(place))
    assert load_object("installed_flow:K") == "one"
    (place / "installed_flow.py").write_text("K = 'three'\n")
    forget_edited()
    assert load_object("installed_flow:K") == "one"
