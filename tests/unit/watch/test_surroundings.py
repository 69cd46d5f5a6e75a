"""What a run file needs of the machine is told where it is lacking, and only there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dynamo.runfile.draft import load
from dynamo.watch.surroundings import tell_lacking


@pytest.fixture
def service(tmp_path, monkeypatch):
    """The folder of a service that may write what lies in it, and not the folder itself."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs" / "deep").mkdir(parents=True)
    closed = {tmp_path, tmp_path / "theirs" / "deep"}
    # Whoever runs the tests may be root, whom no mode of a file keeps out.
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).resolve() not in closed)
    return tmp_path


def lacking(folder, products):
    """Return what is told of the products of a run file in a folder of its own."""
    home = folder / "ours"
    text = f"workflow: ./flow.py:flow\nworkspace: {home}/ws\nproducts: {products!r}\n"
    (home / "w.yaml").write_text(text)
    told = []
    tell_lacking(load(home / "w.yaml"), home, lambda at, said: told.append((at, said)))
    return told


@pytest.mark.parametrize(
    "products", ["{time}", "{run}/x", "../ours", "../ours/{time}", "../ours/a-{time}/b", "../ours/new/{run}"]
)
def test_products_in_a_folder_that_can_be_written_are_no_fault(service, products):
    """Whatever may not be written above it."""
    assert lacking(service, products) == []


@pytest.mark.parametrize(
    "products",
    ["../{time}", "../new/{run}", "../theirs/deep", "../theirs/deep/{time}", "../theirs/deep/a-{time}/b"],
)
def test_products_in_a_folder_that_cannot_be_written_are_told(service, products):
    """Also where the folder above could be, and where it is still to be made."""
    ((at, said),) = lacking(service, products)
    assert at == ("products", "to")
    assert said.startswith("products: cannot write to ")
    assert said.endswith(" may not be written")
