"""Sample cases: where they are looked for, and what happens when they are damaged or cannot be had."""

from __future__ import annotations

import gc
import hashlib
import threading
import warnings
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import dynamo.radar.samples as module
from dynamo.errors import DataError, InfrastructureError
from dynamo.radar.netcdf import read_grid
from dynamo.radar.samples import Sample, SampleFile, cache, fetch, find, list_samples, make_storm
from dynamo.radar.storm import storm

CONTENT = b"a radar frame"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Give every test a cache and a current directory of its own."""
    monkeypatch.setattr(module, "cache", lambda: tmp_path / "cache")
    monkeypatch.delenv("DYNAMO_SAMPLES", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def case(monkeypatch):
    """Register one made-up case of one file; return a function that sets its address."""

    def register(url: str = "http://127.0.0.1:9/frame.nc", name: str = "frame.nc") -> Sample:
        sample = Sample(
            "tiny", "one file", "", "tiny", "*.nc", (SampleFile(name, len(CONTENT), DIGEST, url),)
        )
        monkeypatch.setattr(module, "_registry", lambda: (sample,))
        return sample

    return register


class Handler(BaseHTTPRequestHandler):
    def __init__(self, *arguments, asked: list[str]):
        self.asked = asked
        super().__init__(*arguments)

    def do_GET(self):
        self.asked.append(self.path)
        body = {"/frame.nc": CONTENT, "/damaged/frame.nc": CONTENT[:5]}.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    """Serve the file over HTTP; give the address and the list of what was asked for."""
    asked: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, asked=asked)) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}", asked
        http.shutdown()
    # pooch does not close the answer that reports an error; collect it here, where that is no failure.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


def test_every_public_case_is_listed_with_size_hash_and_address():
    """The registry names public files, each pinned to a commit, with a full SHA-256."""
    names = [s.name for s in list_samples()]
    assert names == ["storm", "casa", "knmi", "mrms"]
    for sample in list_samples()[1:]:
        assert sample.bytes > 500_000
        assert len({f.name for f in sample.files}) == len(sample.files)
        for file in sample.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            commit = file.url.removeprefix("https://raw.githubusercontent.com/").split("/")[2]
            assert len(bytes.fromhex(commit)) == 20
            assert file.url.endswith("/" + file.name)


@pytest.mark.parametrize("name", ["casa", "knmi", "mrms"])
def test_the_local_samples_are_the_public_files(name, samples, monkeypatch):
    """Each registered file is found in the sample folder and passes its hash."""
    monkeypatch.setenv("DYNAMO_SAMPLES", str(samples))
    paths = fetch(name)
    sample = next(s for s in list_samples() if s.name == name)
    assert [p.name for p in paths] == [f.name for f in sample.files]
    assert [p.stat().st_size for p in paths] == [f.bytes for f in sample.files]
    assert all(p.is_relative_to(samples) for p in paths)
    assert any(p.match(sample.frames) for p in paths)


def test_the_named_folder_goes_before_shared_data_and_that_before_the_cache(case, tmp_path, monkeypatch):
    """DYNAMO_SAMPLES, then ../shared/data, then the cache; in the case's folder or beside the others."""
    sample = case()
    places = [tmp_path / "named", tmp_path / "shared" / "data" / "tiny", tmp_path / "cache" / "tiny"]
    monkeypatch.setenv("DYNAMO_SAMPLES", str(places[0]))
    for place in places:
        place.mkdir(parents=True)
        (place / "frame.nc").write_bytes(CONTENT)
    for place in places:
        assert find(sample) == {"frame.nc": place / "frame.nc"}
        assert fetch("tiny") == [place / "frame.nc"]
        (place / "frame.nc").unlink()
    assert find(sample) == {}


def test_a_named_folder_that_does_not_exist_is_an_error(case, monkeypatch):
    """A wrong DYNAMO_SAMPLES is told, not passed over."""
    case()
    monkeypatch.setenv("DYNAMO_SAMPLES", "nowhere")
    with pytest.raises(DataError, match="DYNAMO_SAMPLES=nowhere is not a folder"):
        fetch("tiny")


def test_a_missing_file_is_downloaded_once(case, server, tmp_path):
    """The second fetch takes the file from the folder of the first; nothing half done is left there."""
    url, asked = server
    case(f"{url}/frame.nc")
    for _ in range(2):
        (path,) = fetch("tiny")
        assert path == tmp_path / "cache" / "tiny" / "frame.nc"
        assert path.read_bytes() == CONTENT
    assert asked == ["/frame.nc"]
    assert [p.name for p in path.parent.iterdir()] == ["frame.nc"]


def test_downloads_go_to_the_folder_that_is_asked_for(case, server, tmp_path):
    """`folder` takes the place of the cache."""
    case(f"{server[0]}/frame.nc")
    assert fetch("tiny", folder=tmp_path / "mine" / "deep") == [tmp_path / "mine" / "deep" / "frame.nc"]


@pytest.mark.parametrize(
    ("path", "cause"), [("/damaged/frame.nc", "SHA256 hash"), ("/gone/frame.nc", "404 Client Error")]
)
def test_a_bad_download_says_what_to_do_and_leaves_nothing(case, server, tmp_path, path, cause):
    """A damaged answer and a missing page name the address, the cause, the storm and DYNAMO_SAMPLES."""
    case(server[0] + path)
    with pytest.raises(InfrastructureError) as caught:
        fetch("tiny", folder=tmp_path / "mine")
    for words in (server[0] + path, cause, "dynamo sample storm", "DYNAMO_SAMPLES"):
        assert words in str(caught.value)
    assert list((tmp_path / "mine").iterdir()) == []


def test_without_a_network_the_error_is_short(case):
    """A refused connection is named in a word, with what to do."""
    case("http://127.0.0.1:9/frame.nc")
    with pytest.raises(InfrastructureError, match=r"ConnectionError\. Use the built-in storm") as caught:
        fetch("tiny")
    assert len(str(caught.value)) < 300


def test_a_damaged_file_is_named_with_both_hashes(case, tmp_path, monkeypatch):
    """A found file of other bytes is an error, not silently used or replaced."""
    case()
    monkeypatch.setenv("DYNAMO_SAMPLES", str(tmp_path))
    (tmp_path / "frame.nc").write_bytes(CONTENT[:-1])
    with pytest.raises(DataError, match=rf"frame\.nc is damaged.*12 bytes.*expected {DIGEST[:12]}"):
        fetch("tiny")


def test_an_unknown_case_names_the_nearest():
    """A typo is met with the nearest name and all others."""
    with pytest.raises(DataError, match=r"no sample 'kmni' \(did you mean 'knmi'\?\).*storm, casa"):
        fetch("kmni")


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    """Nothing is written where a file stands."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="is a file, not a folder"):
        make_storm(tmp_path / "file", frames=1)


def test_the_storm_is_written_and_reads_back(tmp_path):
    """Frames on disk are the frames of `storm`, named by their time."""
    paths = make_storm(tmp_path, regime="calm", seed=3, frames=2, range_km=80)
    assert [p.name for p in paths] == ["storm_20240601T120000Z.nc", "storm_20240601T120100Z.nc"]
    for path, grid in zip(paths, storm("calm", 3, 2, range_km=80), strict=True):
        back = read_grid(path)
        np.testing.assert_array_equal(back.status, grid.status)
        np.testing.assert_array_equal(back.values, grid.values)
        assert back.time == grid.time
        assert back.attributes == grid.attributes


def test_a_new_storm_replaces_the_old_and_nothing_else(tmp_path):
    """A folder holds one storm: older frames go, other files stay."""
    make_storm(tmp_path, frames=3)
    (tmp_path / "storm_notes.nc").write_text("mine")
    assert len(make_storm(tmp_path, frames=1, seed=1)) == 1
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == [
        "storm_20240601T120000Z.nc",
        "storm_notes.nc",
    ]


def test_fetching_the_storm_needs_nothing(tmp_path):
    """`fetch("storm")` makes 40 frames in the cache."""
    paths = fetch("storm")
    assert len(paths) == 40
    assert {p.parent for p in paths} == {tmp_path / "cache" / "storm"}


def test_the_cache_bears_the_name_of_the_distribution():
    """The import name is shared with another package; the cache is not."""
    assert cache().name == "dynamo-weather"
