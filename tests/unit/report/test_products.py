"""What the report shows of products."""

from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image

from dynamo.report import products as module
from dynamo.report.products import find_products

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


class Made:
    """A workspace and a journal with made results, without a run."""

    def __init__(self, folder, **files: bytes) -> None:
        from dynamo.journal import Journal, Result, TaskRecord, Workspace
        from dynamo.worker.store import adopt

        self.folder = folder / "products"
        self.workspace = Workspace.open(folder / "ws")
        self.journal = Journal(self.workspace.journal)
        made = {}
        self.folder.mkdir()
        for name, data in files.items():
            (self.folder / name).write_bytes(data)
            (folder / name).write_bytes(data)
            made[name] = adopt(str(folder / name), str(self.workspace.store))
        self.made = made
        self.tasks = {"t": TaskRecord("t", "t", "done", "", "key")}
        with self.journal.change():
            self.journal.add_result(Result("key", "r", "t", made), 0.0)

    def products(self, budget=None, **settings):
        settings = {"products": str(self.folder), "only": []} | settings
        found = find_products(self.workspace, self.journal, self.tasks, settings, budget)
        self.journal.close()
        return {p.name: p for p in found}


def noise(size: int) -> bytes:
    image, out = Image.effect_noise((size, size), 80).convert("RGB"), io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_small_images_are_shown_as_they_are(tmp_path):
    """Byte for byte, so that animations move."""
    found = Made(tmp_path, **{"a.png": PNG, "b.gif": b"GIF89a"}).products()
    assert found["a.png"].image == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert found["b.gif"].image.startswith("data:image/gif;base64,")
    assert found["a.png"].path == str(tmp_path / "products" / "a.png")


def test_large_images_are_made_smaller(tmp_path):
    """To the longest side that is shown, as WebP."""
    found = Made(tmp_path, **{"a.png": noise(1200)}).products()
    kind, data = found["a.png"].image.split(",")
    assert kind == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (600, 600)


def test_all_images_together_stay_below_a_bound(tmp_path):
    """What goes beyond it is listed without a picture."""
    made = Made(tmp_path, **{f"{n}.png": PNG + bytes([n]) for n in range(4)})
    found = made.products(module.Budget(bytes=250))
    assert [bool(p.image) for p in found.values()] == [True, True, False, False]


def test_no_more_images_are_shown_than_can_be_looked_at(tmp_path):
    """Nor are more made smaller than that takes little time."""
    files = {f"{n}.png": PNG + bytes([n]) for n in range(4)}
    assert sum(bool(p.image) for p in Made(tmp_path, **files).products(module.Budget(shown=3)).values()) == 3


def test_few_large_images_are_made_smaller(tmp_path):
    """The first ones."""
    data = noise(300)
    found = Made(tmp_path, **{"a.png": data, "b.png": data}).products(module.Budget(shrunk=1))
    assert [bool(p.image) for p in found.values()] == [True, False]


@pytest.mark.parametrize("data", [b"no image" * 9000, b"", noise(300)[:60000]], ids=["text", "empty", "cut"])
def test_what_is_called_an_image_but_is_none_is_only_listed(tmp_path, data):
    """A task may write anything; the report is still made."""
    found = Made(tmp_path, **{"a.png": data}).products()
    assert "image/webp" not in found["a.png"].image


def test_features_of_geojson_are_counted(tmp_path):
    """And what is not a collection has no count."""
    good = json.dumps({"type": "FeatureCollection", "features": [{}, {}]}).encode()
    files = {"a.geojson": good, "b.geojson": b"{", "c.geojson": b"[]", "d.json": good}
    found = Made(tmp_path, **files).products()
    assert {n: p.features for n, p in found.items()} == {
        "a.geojson": 2, "b.geojson": None, "c.geojson": None, "d.json": None,
    }  # fmt: skip


def test_only_what_was_published_is_a_product(tmp_path):
    """Patterns choose; without a folder there are none; hidden files are none."""
    made = Made(tmp_path, **{"a.nc": b"1", "b.png": b"2", ".c.graph.json": b"3"})
    assert list(made.products(only=["*.nc"])) == ["a.nc"]
    assert find_products(made.workspace, made.journal, {}, {}) == []


def test_a_product_that_was_removed_has_no_path(tmp_path):
    """It is told that it was there, and linked no more; its picture comes from the store."""
    made = Made(tmp_path, **{"a.png": PNG})
    (made.folder / "a.png").unlink()
    found = made.products()
    assert found["a.png"].path == ""
    assert found["a.png"].image


def test_a_result_that_was_removed_from_the_store_has_no_picture(tmp_path):
    """The published file is still linked."""
    from pathlib import Path

    from dynamo.worker.store import stored_path

    made = Made(tmp_path, **{"a.png": PNG})
    Path(stored_path(made.workspace.store, made.made["a.png"].digest)).unlink()
    found = made.products()
    assert (found["a.png"].image, bool(found["a.png"].path)) == ("", True)
