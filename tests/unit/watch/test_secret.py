"""Secrets: found where the run file says, never shown."""

from __future__ import annotations

import pytest

from dynamo.errors import UserError
from dynamo.watch.secret import read_secret


def test_a_secret_is_read_from_the_environment_or_a_file_without_space_around_it(tmp_path, monkeypatch):
    """Files end with a new line; paths go from the run file."""
    monkeypatch.setenv("KEY", " hush \n")
    (tmp_path / "key").write_text("hush\n")
    assert read_secret("env:KEY", tmp_path) == "hush"
    assert read_secret("file:key", tmp_path) == "hush"
    assert read_secret(f"file:{tmp_path / 'key'}", tmp_path / "elsewhere") == "hush"


@pytest.mark.parametrize("value", ["", "  \n"])
def test_one_that_is_empty_is_told_as_that(tmp_path, monkeypatch, value):
    """Blank is no secret; one that is not there is told as not set."""
    monkeypatch.setenv("KEY", value)
    (tmp_path / "key").write_text(value)
    with pytest.raises(UserError, match="the environment variable KEY is empty; it should hold a secret"):
        read_secret("env:KEY", tmp_path)
    monkeypatch.delenv("KEY")
    with pytest.raises(UserError, match="the environment variable KEY is not set"):
        read_secret("env:KEY", tmp_path)
    with pytest.raises(UserError, match="key is empty"):
        read_secret("file:key", tmp_path)


def test_a_file_that_cannot_be_read_is_named_and_its_content_is_not(tmp_path):
    """Not there, a folder, or no text."""
    (tmp_path / "key").write_bytes(b"hush\xff")
    for name, reason in (("none", "No such file"), (".", "Is a directory"), ("key", "it is no text")):
        with pytest.raises(UserError, match=reason) as error:
            read_secret(f"file:{name}", tmp_path)
        assert "hush" not in str(error.value)
