"""A subscriber who moves, and the real `dynamo watch`: it goes by where he said he is, also after it was killed."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from dynamo.cli import main

POSITIONS = '  positions: {token: "env:ALERT_SECRET"}\n'


def post(watched, lon, lat, who="bus"):
    """Post a position as he would; return the status."""
    line = next(line for line in reversed(watched.log) if "health at " in line)
    url = line.partition("health at ")[2].partition("/healthz")[0] + f"/subscribers/{who}/position"
    request = urllib.request.Request(
        url,
        json.dumps({"lon": lon, "lat": lat}).encode(),
        {"Authorization": f"Bearer {watched.ears.secret}"},
        method="PUT",
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_who_posts_that_he_is_in_a_storm_is_told_in_the_next_cycle(watched, ears):
    """And is still there for a watch that was killed and begun again; an operator may say it for him."""
    watched.write("people.csv", "id,lon,lat\nbus,10,50\ncar,10,50\n")
    watched.say(more=POSITIONS)
    watched.start("--port", "0")
    watched.show(1, 45.0)
    watched.until(": 1 ran")
    assert post(watched, -97.1, 32.7) == 204
    assert post(watched, -97.1, 32.7, "nobody") == 404
    watched.show(2, 45.0)
    assert ears.told() == ("new", 45.0)
    watched.kill()
    with pytest.raises(SystemExit) as end:
        main(["alerts", "move", str(watched.folder / "watch.yaml"), "car", "-97.1", "32.7"])
    assert end.value.code == 0
    watched.start("--port", "0")
    watched.show(3, 55.0)
    assert sorted([ears.told(), ears.told()]) == [("new", 55.0), ("updated", 55.0)]
    assert watched.end() == 130


def test_a_watch_without_a_port_says_that_nobody_can_post(watched):
    """Rather than that somebody wonders."""
    watched.say(more=POSITIONS)
    watched.launch()
    watched.until("positions can be posted only to a watch with --port")
    watched.until("watching ")
    assert watched.end() == 130


def test_all_that_is_wrong_is_told_before_anything_begins(watched):
    """At once, each at its place."""
    watched.write("people.csv", "id,lon,lat\nbus,10,150\n")
    watched.say(more=POSITIONS.replace("ALERT_SECRET", "NO_SECRET"))
    watched.launch()
    assert watched.code() == 2
    said = "".join(watched.log)
    assert "error: 2 faults\n" in said
    assert "watch.yaml:12:22: positions: env:NO_SECRET: the environment variable NO_SECRET is not set" in said
    assert "people.csv:2: 'bus': longitude 10, latitude 150 is out of range" in said
