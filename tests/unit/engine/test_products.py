"""Where outputs are published."""

from __future__ import annotations

from dynamo.engine.products import Products


def test_a_name_may_be_as_long_as_a_file_system_allows(tmp_path):
    """255 bytes, which letters that take two reach early; nothing else is left in the folder."""
    stored = tmp_path / "stored"
    stored.write_text("made")
    name = "ü" * 126 + ".nc"
    assert len(name.encode()) == 255
    folder = tmp_path / "products"
    for content in ("made", "anew"):
        stored.unlink()
        stored.write_text(content)
        Products(str(folder)).publish(name, str(stored))
        assert {p.name: p.read_text() for p in folder.iterdir()} == {name: content}
