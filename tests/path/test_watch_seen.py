"""What an operator sees of the real `dynamo watch`: in the log, by health, and with `dynamo status`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest


class _Gone(BaseHTTPRequestHandler):
    status = 410

    def do_POST(self) -> None:
        """Want nothing any more."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be silent."""


class _Taken(_Gone):
    status = 204


class _Unsigned(_Gone):
    status = 401


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    """Answer at a port; gives the address."""
    server = HTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def gone() -> Iterator[str]:
    """Address of an endpoint that answers 410."""
    with listening(_Gone) as url:
        yield url


def ran(folder: Path, secret: str, *arguments: str) -> str:
    """Run a command, and return what it prints."""
    line = [sys.executable, "-c", "from dynamo.cli import main; main()", *arguments]
    env = {**os.environ, "ALERT_SECRET": secret}
    return subprocess.run(
        line, cwd=folder, env=env, text=True, capture_output=True, check=True, timeout=60
    ).stdout


def test_a_channel_that_closed_is_seen_until_it_is_opened_again(watched, ears, gone):
    """By health, with `status` and `check`, and when the next watch begins; each says what opens it."""
    url = ears.url
    ears.url = gone
    watched.say()
    watched.start("--port", "0")
    watched.show(0, 45)
    watched.until("is closed, nothing is sent to it")
    health = watched.ask()
    assert health["ok"]
    said = health["feeds"]["watch.yaml"]["troubles"]["channels"]
    assert "channel 'watch.yaml/desk' is closed since" in said
    assert 'dynamo_trouble{feed="watch.yaml",what="channels"} 1.0' in watched.ask("/metrics")
    assert watched.end() == 130
    ears.url = url
    watched.say()
    for verb in (["status"], ["check", "watch.yaml"]):
        assert said in ran(watched.folder, ears.secret, *verb)
    watched.launch("--port", "0")
    assert said in watched.until("is closed since")
    watched.until("watching ")
    (command,) = {part for part in said.split("`") if part.startswith("dynamo alerts replay")}
    assert (
        ran(watched.folder, ears.secret, *command.split()[1:])
        == "watch.yaml/desk is open, 1 to be delivered\n"
    )
    assert ears.told() == ("new", 45)
    assert watched.ask()["feeds"]["watch.yaml"]["troubles"] == {}
    assert "is closed" not in ran(watched.folder, ears.secret, "status")
    assert watched.end() == 130


def test_refused_subscribers_are_seen_until_they_are_mended(watched, ears):
    """Without a cycle, in lines that name the run file, by health, with `status`; a killed watch troubles nobody."""
    (watched.folder / "hail.yaml").write_text(
        (watched.folder / "watch.yaml").read_text().replace("people.csv", "farms.csv")
    )
    watched.write("farms.csv", "id,lon,lat\nfarm,-97.1,32.7\n")
    watched.start("watch.yaml", "hail.yaml", "--port", "0")
    watched.show(0, 45)
    for _ in range(2):
        watched.until(" reused, in ")  # by one run file or the other
    watched.write("farms.csv", "id,lon,lat\nfarm,-97.1,132.7\n")
    assert "hail.yaml: subscribers stay as they were" in watched.until("stay as they were")
    health = watched.ask()
    assert health["ok"]
    assert "1 fault" in health["feeds"]["hail.yaml"]["troubles"]["subscribers"]
    assert health["feeds"]["watch.yaml"]["troubles"] == {}
    watched.wait(lambda: "trouble: subscribers" in ran(watched.folder, ears.secret, "status"))
    first, second = ran(watched.folder, ears.secret, "status").split("watched: ")[1:]
    assert first.startswith("hail.yaml")
    assert "trouble: subscribers" in first
    assert "farms.csv:2: 'farm'" in first
    assert "trouble" not in second
    watched.write("farms.csv", "id,lon,lat\nfarm,-97.1,32.7\n")
    assert "hail.yaml: read " in watched.until("anew: 1 subscriber")
    watched.wait(lambda: not watched.ask()["feeds"]["hail.yaml"]["troubles"])
    watched.kill()
    assert ran(watched.folder, ears.secret, "status").count("no watch is at work") == 2


def test_windows_that_bring_no_newer_data_are_seen_until_one_does(watched, ears):
    """A radar that sends damaged frames alone: what its task said of them, and the age of the data, also anew."""
    watched.start("--port", "0")
    first, last = (watched.start_time + timedelta(seconds=number) for number in (-1800, 4))
    watched.show(-1800, 45)
    watched.until("1 ran")
    for number in (-1799, -1798, 0):
        assert watched.ask()["feeds"]["watch.yaml"]["troubles"] == {}
        watched.show(number, 45, time=first.isoformat(), says="left out: x.nc is truncated")
        watched.until("1 ran")
    health = watched.ask()
    assert health["ok"]
    said = health["feeds"]["watch.yaml"]
    assert said["troubles"]["times"].startswith("3 windows in a row: STORM, data of ")
    wrote = "its task draw wrote: left out: x.nc is truncated; see dynamo logs draw --run flow-"
    assert wrote in said["troubles"]["times"]
    assert said["data_time"] == first.timestamp()
    assert 'dynamo_trouble{feed="watch.yaml",what="times"} 1.0' in watched.ask("/metrics")
    watched.wait(lambda: "trouble: times: 3 windows in a row" in ran(watched.folder, ears.secret, "status"))
    assert watched.end() == 130
    watched.start("--port", "0")
    assert watched.ask()["feeds"]["watch.yaml"]["data_time"] == first.timestamp()
    for number in (5, 6, 7):
        watched.show(number, 45, time=(first if number < 7 else last).isoformat())
        watched.until("1 ran")
    said = watched.ask()["feeds"]["watch.yaml"]
    assert (said["troubles"], said["data_time"]) == ({}, last.timestamp())
    assert watched.end() == 130


def test_a_watch_that_has_run_nothing_yet_is_seen(watched, ears):
    """With what troubles it."""
    watched.start()
    assert "no run yet\nwatched: watch.yaml: nothing to run yet; newest data done: none\n" in ran(
        watched.folder, ears.secret, "status"
    )
    watched.say(more="engine: {nam: local}\n")
    watched.until("watch.yaml stays as it was")
    watched.wait(lambda: "trouble: run file: " in ran(watched.folder, ears.secret, "status"))
    assert watched.end() == 130
    line = [sys.executable, "-c", "from dynamo.cli import main; main()", "status"]
    refused = subprocess.run(
        line, cwd=watched.folder, text=True, capture_output=True, check=False, timeout=60
    )
    assert "no runs in" in refused.stderr


def test_what_of_an_edit_needs_a_new_start_is_told(watched, ears):
    """The engine is one for all run files, and begins once; all else holds at once."""
    watched.start()
    watched.say(more="engine: {cores: 1}\n")
    assert "`engine:` was edited: that holds when the watch is started anew" in watched.until("`engine:`")
    watched.until("watch.yaml was edited")
    watched.show(0, 45)
    assert ears.told() == ("new", 45)
    assert watched.end() == 130


def test_a_channel_where_nobody_listens_is_seen_until_it_works_again(watched, ears):
    """With since when and why: in the log, by health, and with `status`, whether a watch is at work or not."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    ears.url = f"http://127.0.0.1:{port}/"
    watched.say()
    watched.start("--port", "0")
    watched.show(0, 45)
    why = f": cannot connect to 127.0.0.1:{port}: Connection refused"
    line = watched.until("watch.yaml/desk fails since")
    assert why in line
    assert why in watched.ask()["feeds"]["watch.yaml"]["troubles"]["channels"]
    assert 'dynamo_trouble{feed="watch.yaml",what="channels"} 1.0' in watched.ask("/metrics")
    assert why in ran(watched.folder, ears.secret, "status")
    with listening(_Taken, port):
        watched.until("watch.yaml/desk works again; it failed since")
    assert watched.ask()["feeds"]["watch.yaml"]["troubles"] == {}
    assert "fails since" not in ran(watched.folder, ears.secret, "status")


def test_a_channel_that_refuses_everything_is_seen(watched, ears):
    """As where the receiver has another secret: all that was made is a dead letter, and health and `status` say so."""
    with listening(_Unsigned) as url:
        ears.url = url
        watched.say()
        watched.start("--port", "0")
        for number in range(3):
            watched.show(number, 45 + number)
            watched.until("1 alert was given up: refused: HTTP 401")
        watched.wait(lambda: watched.ask()["feeds"]["watch.yaml"]["troubles"])
        health = watched.ask()
    assert health["ok"]
    assert "watch.yaml/desk fails since" in health["feeds"]["watch.yaml"]["troubles"]["channels"]
    assert 'dynamo_trouble{feed="watch.yaml",what="channels"} 1.0' in watched.ask("/metrics")
    said = ran(watched.folder, ears.secret, "status")
    assert ": refused: HTTP 401" in said
    assert "3 dead letters for watch.yaml/desk" in said
