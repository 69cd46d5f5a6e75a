"""Which image a task runs in, what containers of it see, and how the table is told wrong: pure, without Docker."""

from __future__ import annotations

import pytest

from dynamo.engine.place import Place, theirs
from dynamo.errors import WorkflowError
from dynamo.graph import Graph, Needs, Task
from dynamo.images import Image, check_images, image_of
from dynamo.images.container import UNLIMITED, limits, outermost
from dynamo.images.here import how_to_get

RADAR, OTHERS = Image("radar", "radar:1"), Image("default", "others:1")


def task(image=""):
    return Task("t", "t", "python", "m:f", {}, {"o": "out"}, {}, needs=Needs(image=image), place="flow.py:3")


def test_a_task_runs_in_the_image_it_names_else_in_the_default_else_in_none():
    """Without a table that has it, a task that names none runs without a container."""
    table = {"radar": RADAR, "default": OTHERS}
    assert image_of(task("radar"), table) == RADAR
    assert image_of(task(), table) == OTHERS
    assert image_of(task(), {"radar": RADAR}) is None


def test_an_unknown_image_is_told_with_the_line_and_the_nearest():
    """Or with all that are known."""
    graph = Graph("flow", {"t": task("rader")}, {})
    with pytest.raises(
        WorkflowError, match=r"flow\.py:3: t runs in the image 'rader'.*did you mean 'radar'\?"
    ):
        check_images(graph, {"radar": RADAR})
    with pytest.raises(WorkflowError, match="known are default"):
        check_images(graph, {"default": OTHERS})


def test_only_the_outermost_folders_are_mounted(tmp_path):
    """What lies in another, or in the workspace, is there already; what does not exist cannot be."""
    for name in ("a/b", "ab", "work/in", "real"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    asked = [str(tmp_path / name) for name in ("a/b", "a", "ab", "work/in", "link", "none")]
    found = outermost([*asked, "/"], within=str(tmp_path / "work"))
    assert found == {str(tmp_path / name) for name in ("a", "ab", "link", "real")}


def test_a_container_serves_who_needs_no_more_folders_than_it_has():
    """Of the same image, with the same right to the network."""
    there = Place("id", "radar:1", network=False, folders=frozenset({"/a", "/b"}))
    assert there.serves(Place("id", "other name", network=False, folders=frozenset({"/a"})))
    assert not there.serves(Place("id", "radar:1", network=False, folders=frozenset({"/c"})))
    assert not there.serves(Place("id", "radar:1", network=True, folders=frozenset()))
    assert not there.serves(Place("id2", "radar:1", network=False, folders=frozenset()))


def test_of_the_module_path_only_what_users_wrote_is_mounted(tmp_path):
    """An image has its own Python, libraries and dynamo."""
    import sysconfig

    (tmp_path / "source" / "dynamo").mkdir(parents=True)
    (tmp_path / "source" / "dynamo" / "__init__.py").touch()
    (tmp_path / "mine").mkdir()
    folders = [str(tmp_path / "mine"), str(tmp_path / "source"), *sysconfig.get_paths().values()]
    assert theirs(folders) == [str(tmp_path / "mine")]


def test_no_memory_declared_is_no_limit_that_matters():
    """Docker can change a limit, but not take it away."""
    assert limits(0, 1)["mem_limit"] == UNLIMITED
    assert limits(5 << 20, 2)["mem_limit"] == limits(5 << 20, 2)["memswap_limit"] == 5 << 20
    assert limits(0, 2)["cpu_shares"] == 2 * limits(0, 1)["cpu_shares"]


@pytest.mark.parametrize(
    ("reference", "advice"),
    [
        ("dynamo-algorithms:0.1.0", "dynamo image build algorithms"),
        ("host:5000/x/dynamo-worker@sha256:00", "dynamo image build worker"),
        ("tracker:2", "docker pull tracker:2"),
    ],
)
def test_who_lacks_an_image_is_told_how_to_get_it(reference, advice):
    """Ours are built here; others are fetched."""
    assert advice in how_to_get(Image("x", reference))
