"""What counts in the version of a task's code: no change that can reach its outcome leaves the version alone."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dynamo.planning import CodeVersions, science, source
from dynamo.planning.search import Search

HEAD = "from dynamo import task, Output\n"
USE = "@task\ndef one(o: Output): o.write_text(K)\n"


class Project:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, files: dict[str, str]) -> None:
        """Write files."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def version(self, call: str = "./chain.py:one", **options) -> str:
        """Return the version of a call as a new process would tell it."""
        source._parsed.clear()
        return CodeVersions(**options).of(call.replace("./", f"{self.folder}/"))

    def changes(self, change: dict[str, str], call: str = "./chain.py:one", **options) -> bool:
        """Whether writing files changes the version."""
        before = self.version(call, **options)
        self.write(change)
        return self.version(call, **options) != before


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a folder of files; what is put onto the module path is taken off again."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    return Project(tmp_path / "here")


@pytest.mark.parametrize(
    ("chain", "files"),
    [
        ("from p.a import K\n", {"p/a.py": "from .b import K\n"}),
        ("from p.a import K\n", {"p/a.py": "from p.b import K\n"}),
        ("from p.a import K\n", {"p/a.py": "from . import b\nK = b.K\n"}),
        ("from p.a import K\n", {"p/a.py": "from .q.c import K\n", "p/q/c.py": "from ..b import K\n"}),
        ("import p\nK = p.K\n", {"p/__init__.py": "from .b import K\n"}),
        ("from p import *\n", {"p/__init__.py": "__all__ = ['b']\n"}),
        ("import p.a\nK = p.K\n", {"p/__init__.py": "from .b import K\n", "p/a.py": ""}),
        ("from h import K\n", {"h.py": "def f():\n    import p.b\nK = 1\n"}),
    ],
)
def test_a_package_beside_the_file_is_followed_at_any_depth(project, chain, files):
    """Through relative and absolute imports, in functions too, and through the package's own file."""
    project.write({"chain.py": HEAD + chain + USE, "p/b.py": "K = 'one'\n", **files})
    assert project.changes({"p/b.py": "K = 'two'\n"})


@pytest.mark.parametrize("chain", ["import p.a\n", "from p.a import K\n", "from p.q.c import K\n"])
def test_the_packages_that_a_module_lies_in_count(project, chain):
    """Python runs their ``__init__.py`` before the module."""
    project.write(
        {"chain.py": HEAD + chain + USE, "p/__init__.py": "", "p/a.py": "K = 1", "p/q/c.py": "K = 1"}
    )
    assert project.changes({"p/__init__.py": "import os\nos.environ['K'] = '1'\n"})


def test_the_package_of_a_relative_import_counts(project):
    """Also where the task itself is named by its module."""
    project.write(
        {
            "p/__init__.py": "",
            "p/q/__init__.py": "",
            "p/q/c.py": "K = 1",
            "p/flow.py": HEAD + "from .q.c import K\n" + USE,
        }
    )
    sys.path.insert(0, str(project.folder))
    assert project.changes({"p/q/__init__.py": "X = 1\n"}, "p.flow:one")
    assert project.changes({"p/__init__.py": "X = 1\n"}, "p.flow:one")


def test_a_module_sees_its_neighbours(project):
    """``workflow: chain:chain`` follows a helper beside it, and what that imports."""
    project.write(
        {
            "chain.py": HEAD + "from helper import K\n" + USE,
            "helper.py": "from deep import K",
            "deep.py": "K = 1",
        }
    )
    sys.path.insert(0, str(project.folder))
    assert project.changes({"helper.py": "from deep import K\nK += 1"}, "chain:one")
    assert project.changes({"deep.py": "K = 2"}, "chain:one")


def test_the_folders_of_the_workers_are_looked_into(project):
    """What a task finds only on its workers' module path counts: in the folder of the run file, say."""
    project.write(
        {"lib/chain.py": HEAD + "@task\ndef one(o: Output):\n    import common\n", "common.py": "K = 1"}
    )
    assert project.changes({"common.py": "K = 2"}, "./lib/chain.py:one", modules=[str(project.folder)])
    sys.path.insert(0, str(project.folder))
    assert project.changes({"common.py": "K = 3"}, "./lib/chain.py:one")


def test_what_is_installed_does_not_count_but_for_the_tasks_own_package(project):
    """Nor is it read; a chain that is itself installed is followed within its package."""
    files = {
        "installed_chain/flow.py": HEAD + "from . import near\nfrom other import K\n" + USE,
        "installed_chain/near.py": "",
        "other.py": "K = 1",
    }
    project.write({f"lib/site-packages/{name}": text for name, text in files.items()})
    project.write({"chain.py": HEAD + "from other import K\n" + USE})
    sys.path.insert(0, str(project.folder / "lib/site-packages"))
    assert not project.changes({"lib/site-packages/other.py": "K = 2"})
    assert not project.changes({"lib/site-packages/other.py": "K = 3"}, "installed_chain.flow:one")
    assert project.changes({"lib/site-packages/installed_chain/near.py": "K = 3"}, "installed_chain.flow:one")


def test_a_link_from_site_packages_to_where_one_works_is_followed(project):
    """That is how some tools install a package so that it can be edited."""
    project.write({"work/mylib/__init__.py": "from .a import K", "work/mylib/a.py": "K = 1"})
    project.write({"chain.py": HEAD + "from mylib import K\n" + USE, "lib/site-packages/x.py": ""})
    (project.folder / "lib/site-packages/mylib").symlink_to(project.folder / "work/mylib")
    sys.path.insert(0, str(project.folder / "lib/site-packages"))
    assert project.changes({"work/mylib/a.py": "K = 2"})


def test_a_package_goes_before_a_file_of_the_same_name(project):
    """As it does where Python imports it; and in a folder without ``__init__.py`` the file does."""
    project.write(
        {
            "chain.py": HEAD + "from h import K\n" + USE,
            "h.py": "K = 1",
            "h/__init__.py": "K = 1",
            "g.py": "",
            "g/x.py": "",
        }
    )
    assert project.changes({"h/__init__.py": "K = 2"})
    assert not project.changes({"h.py": "K = 2"})
    assert Search(str(project.folder)).find("g").file.name == "g.py"


def test_contents_that_change_places_count(project):
    """Two files that are exchanged are other code."""
    one, two = "K = 1\n", "K = 2\n"
    project.write({"chain.py": HEAD + "import a, b\nK = a.K\n" + USE, "a.py": one, "b.py": two})
    assert project.changes({"a.py": two, "b.py": one})


def test_where_a_project_lies_does_not_count(project):
    """The same files in another folder are the same code."""
    files = {"chain.py": HEAD + "from p.a import K\n" + USE, "p/__init__.py": "", "p/a.py": "K = 1"}
    project.write({f"{folder}/{name}": text for folder in ("x", "y/z") for name, text in files.items()})
    assert project.version("./x/chain.py:one") == project.version("./y/z/chain.py:one")


OTHER = "@task\ndef other(o: Output): return 1\n"


@pytest.mark.parametrize(
    "text",
    [
        "S = []\nS.append(other)\n@task\ndef one(o: Output): S[0](o)\n",
        "S = {}\nS['a'] = other\n@task\ndef one(o: Output): S['a'](o)\n",
        "S = []\nT = S.append(other)\n@task\ndef one(o: Output): S[0](o)\n",
        "S = []\ndef h(x=S.append(other)): pass\n@task\ndef one(o: Output): S[0](o)\n",
        "S = []\n@S.append\ndef h(): other\n@task\ndef one(o: Output): S[0](o)\n",
        "class B:\n    def __init_subclass__(cls): B.x = cls\nclass C(B): f = other\n@task\ndef one(o: Output): B.x\n",
        "try:\n    def h(): return other\nexcept OSError: pass\n@task\ndef one(o: Output): h()\n",
        "if 1:\n    def h(): return other\n@task\ndef one(o: Output): h()\n",
        "if 1:\n    f = other\n@task\ndef one(o: Output): f(o)\n",
        "f = 1\nif 1:\n    f = other\n@task\ndef one(o: Output): f(o)\n",
        "f = other\nf2 = f\nf = 1\n@task\ndef one(o: Output): f2(o)\n",
        "def g(): pass\ndef g(): other\n@task\ndef one(o: Output): g()\n",
        "class A:\n    f = other\n@task\ndef one(o: Output): A.f\n",
        "import sys\n@task\ndef one(o: Output): sys.modules[__name__].other(o)\n",
        "from sys import modules\nM = __name__\n@task\ndef one(o: Output): modules[M].other(o)\n",
        "@task\ndef one(o: Output): globals()['other'](o)\n",
        "@task\ndef one(o: Output):\n    import back\n    back.chain.other(o)\n",
        "@task\ndef one(o: Output):\n    import chain\n    chain.other(o)\n",
    ],
)
def test_a_task_reached_in_a_roundabout_way_counts(project, text):
    """Through a list, a decorator, a class, a name looked up by its text, a file that imports this one back."""
    project.write({"chain.py": HEAD + OTHER + text, "back.py": "import chain\n"})
    assert project.changes({"chain.py": HEAD + OTHER.replace("1", "2") + text})


@pytest.mark.parametrize(
    "text",
    [
        "import logging\nlog = logging.getLogger(__name__)\n@task\ndef one(o: Output): log.info(o)\n",
        "@task\ndef one(o: Output): 1\nif __name__ == '__main__':\n    other(1)\n",
        "TABLE = {'a': other}\ndef h(): other\nclass A:\n    f = other\n@task\ndef one(o: Output): 1\n",
    ],
)
def test_a_task_that_is_not_reached_does_not_count(project, text):
    """A logger's name, a script's last lines, and what defines other names reach nothing."""
    project.write({"chain.py": HEAD + OTHER + text})
    assert not project.changes({"chain.py": HEAD + OTHER.replace("1", "2") + text})


def test_a_package_that_offers_its_tasks_leaves_them_apart(project):
    """Its ``__init__.py`` imports the tasks' file back, but they do not get at it by that."""
    text = "from p.near import K\n" + OTHER
    project.write(
        {"p/__init__.py": "from .flow import one", "p/near.py": "K = 1", "p/flow.py": HEAD + text + USE}
    )
    sys.path.insert(0, str(project.folder))
    assert not project.changes({"p/flow.py": HEAD + text.replace("1", "2") + USE}, "p.flow:one")


@pytest.mark.parametrize(
    "line", ["from mine import task\n", "import mine\n", "def task(**_): return print\n"]
)
def test_a_decorator_that_only_has_the_name_of_ours_counts(project, line):
    """With what it is given: it may do anything with the function."""
    mark = "@mine.task" if line.startswith("import") else "@task"
    text = f"{line}{mark}(scale=1)\ndef one(o): pass\n"
    project.write({"chain.py": text})
    assert project.changes({"chain.py": text.replace("scale=1", "scale=2")})


@pytest.fixture
def radar(project, monkeypatch):
    """Put a copy of some files in the place of the science."""
    project.write(
        {"radar/a.py": "A = 1\n", "radar/readers/casa.py": "B = 1\n", "radar/palettes.json": "{}\n"}
    )
    project.write(
        {"chain.py": HEAD + "@task\ndef one(o: Output):\n    from dynamo.radar.palette import palette\n"}
    )
    for module in ("science", "code"):
        monkeypatch.setattr(f"dynamo.planning.{module}.RADAR", project.folder / "radar")
    return project


@pytest.mark.parametrize(
    "name", ["radar/a.py", "radar/readers/casa.py", "radar/palettes.json", "radar/new.json"]
)
def test_every_file_of_the_science_counts(radar, name):
    """Readers are imported by name and palettes are data: where any of it is reached, all of it counts."""
    assert radar.changes({name: "C = 2\n"})


def test_what_is_no_part_of_the_science_does_not_count(radar):
    """Python's own cache, and what an editor leaves."""
    assert not radar.changes({"radar/__pycache__/a.pyc": "x", "radar/.a.py.swp": "x", "radar/a.py~": "x"})


def test_readers_of_other_packages_count_where_the_science_does(radar):
    """They are found by entry points: which there are counts, and so does their code, with its package."""
    place = "lib/site-packages"
    entry = {
        f"{place}/my-1.dist-info/entry_points.txt": "[x]\na = b\n\n[dynamo.readers]\nmine = my.reader:reader\n"
    }
    radar.write(
        {
            f"{place}/my/__init__.py": "",
            f"{place}/my/reader.py": "from . import deep\n",
            f"{place}/my/deep.py": "",
        }
    )
    sys.path.insert(0, str(radar.folder / place))
    assert radar.changes(entry)
    assert radar.changes({f"{place}/my/reader.py": "from . import deep\nX = 1\n"})
    assert radar.changes({f"{place}/my/deep.py": "X = 1\n"})
    radar.write({"plain.py": HEAD + "@task\ndef one(o: Output): pass\n"})
    assert not radar.changes({f"{place}/my/deep.py": "X = 2\n"}, "./plain.py:one")


class Kept(dict):
    """What a journal keeps of files."""

    def parsed(self, path, state):
        """Return what was kept."""
        return self.get((path, state))

    def keep_parsed(self, path, state, found):
        """Keep it."""
        self[path, state] = found


def test_the_science_is_read_once_for_all_processes(radar, monkeypatch):
    """A second process only looks at the state of its files."""
    memory = Kept()
    first = radar.version(memory=memory)
    monkeypatch.setattr(science, "_known", {})
    monkeypatch.setattr(science, "_digest", lambda _: pytest.fail("read again"))
    assert radar.version(memory=memory) == first


def test_what_an_older_dynamo_kept_of_a_file_is_not_used(project, monkeypatch):
    """What is kept carries the number of its form."""
    memory = Kept()
    project.write({"chain.py": HEAD + "K = 1\n" + USE})
    monkeypatch.setattr(source, "FORMAT", source.FORMAT - 1)
    project.version(memory=memory)
    monkeypatch.undo()
    assert len(memory) == 1
    project.version(memory=memory)
    assert len(memory) == 2


def test_an_edit_that_keeps_size_and_date_is_noticed(project):
    """The time at which the inode changed cannot be set back."""
    memory = Kept()
    project.write({"chain.py": HEAD + "K = 1\n" + USE})
    path = project.folder / "chain.py"
    before, state = project.version(memory=memory), path.stat()
    with path.open("r+b") as file:
        file.write(path.read_bytes().replace(b"K = 1", b"K = 2"))
    while path.stat().st_ctime_ns == state.st_ctime_ns:  # the file system's clock has its steps
        os.utime(path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert project.version(memory=memory) != before


def test_states_tell_every_file_that_was_reached(project):
    """So an engine that stays can see that code which its workers imported was edited."""
    project.write({"chain.py": HEAD + "from p.a import K\n" + USE, "p/__init__.py": "", "p/a.py": "K = 1"})
    code = CodeVersions()
    code.of(f"{project.folder}/chain.py:one")
    assert {p.relative_to(project.folder).as_posix() for p in code.states()} == {
        "chain.py",
        "p/__init__.py",
        "p/a.py",
    }
    assert all(source.state_of(path) == state for path, state in code.states().items())
    assert code.unchanged(f"{project.folder}/chain.py:one")
    project.write({"p/__init__.py": "X = 1"})
    assert not code.unchanged(f"{project.folder}/chain.py:one")


def test_one_version_does_not_depend_on_those_told_before(project):
    """Each is told as if it were the only one."""
    text = HEAD + "from p.a import K\n@task\ndef two(o: Output):\n    from p import b\n" + USE
    project.write(
        {"chain.py": text, "p/__init__.py": "", "p/a.py": "from . import b\nK = 1", "p/b.py": "import chain"}
    )
    calls = [f"{project.folder}/chain.py:{name}" for name in ("one", "two")]
    there, back = CodeVersions(), CodeVersions()
    assert {c: there.of(c) for c in calls} == {c: back.of(c) for c in reversed(calls)}
