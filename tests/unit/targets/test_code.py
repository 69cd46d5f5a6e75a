"""The user's modules, as they travel with jobs."""

from __future__ import annotations

import pytest

from dynamo.targets.code import carry


def write(folder, **files):
    for name, text in files.items():
        path = folder / f"{name.replace('_of_', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def texts(carried, to):
    carried.write(to)
    return {str(p.relative_to(to)): p.read_text() for p in to.rglob("*.py")}


def test_modules_of_two_folders_keep_apart(tmp_path):
    """Also where they have the same names; each call names its own."""
    for home in ("one", "two"):
        write(tmp_path / home, flow=home, helper=f"{home} helper", pkg_of_deep_of_mod=f"{home} mod")
    calls = [
        f"{tmp_path}/{home}/{rest}"
        for home in ("one", "two")
        for rest in ("flow.py:f", "./pkg/deep/mod.py:g")
    ]
    carried = carry([*calls, "dynamo.x:f"], tmp_path.rglob("*.py"))
    assert [carried.calls[call] for call in calls] == [
        "code/0/flow.py:f", "code/0/./pkg/deep/mod.py:g", "code/1/flow.py:f", "code/1/./pkg/deep/mod.py:g"
    ]  # fmt: skip
    assert "dynamo.x:f" not in carried.calls
    assert texts(carried, tmp_path / "to") == {
        f"code/{n}/{name}": text
        for n, home in enumerate(("one", "two"))
        for name, text in {
            "flow.py": home,
            "helper.py": f"{home} helper",
            "pkg/deep/mod.py": f"{home} mod",
        }.items()
    }
    assert carried.homes == {"code/0": str(tmp_path / "one"), "code/1": str(tmp_path / "two")}


def test_what_lies_elsewhere_stays(tmp_path):
    """Only modules in the folders of calls travel."""
    write(tmp_path / "one", flow="flow")
    write(tmp_path / "one-more", other="other")
    carried = carry([f"{tmp_path}/one/flow.py:f"], tmp_path.rglob("*.py"))
    assert set(carried.files) == {"code/0/flow.py"}


def test_a_folder_inside_another_is_in_both(tmp_path):
    """`import inner.helper` is found by the outer folder, `import helper` by the inner."""
    write(tmp_path, flow="import inner.helper", inner_of_other="import helper", inner_of_helper="x = 1")
    calls = [f"{tmp_path}/flow.py:f", f"{tmp_path}/inner/other.py:g"]
    carried = carry(calls, tmp_path.rglob("*.py"))
    assert {"code/0/inner/helper.py", "code/1/helper.py", "code/0/flow.py", "code/1/other.py"} <= set(
        carried.files
    )


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_in_the_folder_travels_as_what_it_links_to(tmp_path, kind):
    """Under the name that imports know."""
    write(tmp_path / "shared", helper="x = 1")
    write(tmp_path / "home", flow="flow")
    name, source = {"file": ("helper.py", "helper.py"), "folder": ("pkg", ".")}[kind]
    (tmp_path / "home" / name).symlink_to((tmp_path / "shared" / source).resolve())
    path = tmp_path / "home" / {"file": "helper.py", "folder": "pkg/helper.py"}[kind]
    carried = carry([f"{tmp_path}/home/flow.py:f"], [path])
    assert texts(carried, tmp_path / "to") == {
        "code/0/flow.py": "flow", f"code/0/{path.relative_to(tmp_path / 'home')}": "x = 1"
    }  # fmt: skip


def test_a_folder_that_is_a_link_is_one_with_what_it_links_to(tmp_path):
    """Its modules travel once."""
    write(tmp_path / "real", flow="flow", helper="x = 1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    calls = [f"{tmp_path}/real/flow.py:f", f"{tmp_path}/link/./flow.py:f"]
    carried = carry(calls, [tmp_path / "real/helper.py", tmp_path / "link/helper.py"])
    assert set(carried.files) == {"code/0/flow.py", "code/0/helper.py"}
    assert {carried.calls[call] for call in calls} == {"code/0/flow.py:f"}
