"""``dynamo receive`` as a process of its own: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import aiohttp
import pytest

from dynamo.alerts.forms import write
from dynamo.delivery.signature import Secret, sign
from dynamo.errors import INTERRUPTED
from dynamo.runfile import load
from tests.unit.delivery.an_alert import ALERT

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
WORDS = "STORM 45 dBZ comes within 10 km of Baylor in 12 min (07:51 UTC)"


def start(*arguments):
    """Start ``dynamo receive`` at a free port and return it once it listens, and where."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dynamo.cli", "receive", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ALERT_SECRET": SECRET},
    )
    first = process.stderr.readline()
    found = re.search(r"listening at (http://127\.0\.0\.1:\d+/); Ctrl-C ends it", first)
    assert found, first + process.stderr.read()
    return process, found[1]


def send(url, *deliveries, secret=SECRET):
    """Post an alert once for each id of a delivery."""

    async def run():
        message = write(ALERT, "cloudevents")
        async with aiohttp.ClientSession() as session:
            for delivery in deliveries:
                said = sign([Secret(secret)], delivery, int(time.time()), message.body)
                headers = {**message.headers, **said}
                await (await session.post(url, data=message.body, headers=headers)).read()

    asyncio.run(run())


def test_each_alert_is_a_line_of_words_at_once():
    """Also into a pipe; the count ends it, with 0."""
    process, url = start("--secret", "env:ALERT_SECRET", "--count", "2")
    with process:
        send(url, "d1")
        assert re.fullmatch(rf"\d\d:\d\d:\d\d verified new {re.escape(WORDS)}\n", process.stdout.readline())
        send(url, "d1")
        assert " repeated new STORM" in process.stdout.readline()
        send(url, "d2", secret="whsec_b3RoZXI=")
        assert " unverified d2: " in process.stdout.readline()
        send(url, "d3")
        rest, errors = process.communicate()
    assert (rest.count("\n"), errors, process.returncode) == (1, "", 0)


def test_json_is_an_object_a_line():
    """With all facts of the alert."""
    process, url = start("--secret", SECRET, "--count", "1", "--json")
    with process:
        send(url, "d1")
        said = json.loads(process.stdout.read())
    assert said["alert"] == ALERT.to_json()
    assert (said["verdict"], said["delivery"], said["form"]) == ("verified", "d1", "cloudevents")


@pytest.mark.parametrize("named", ["signal", "between"])
def test_ctrl_c_ends_it_quietly(named):
    """While it waits, and after something came; the code is that of an interruption."""
    process, url = start("--secret", SECRET)
    with process:
        if named == "between":
            send(url, "d1")
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        printed, errors = process.communicate()
    assert (printed, errors.strip(), process.returncode) == ("", "", INTERRUPTED)


def test_a_secret_is_made_up_and_the_run_file_told(tmp_path):
    """What is printed can be pasted: the run file is right with it, and what it signs is verified."""
    process, url = start("--count", "1")
    with process:
        lines = [process.stderr.readline() for _ in range(4)]
        secret = lines[1].strip().removeprefix("export ALERT_SECRET=")
        send(url, "d1", secret=secret)
        assert " verified new " in process.stdout.read()
    (tmp_path / "flow.py").write_text(
        "from dynamo import Input, Output, task, workflow\n"
        "@task\ndef copy(frame: Input, out: Output): ...\n"
        "@workflow\ndef flow(frame: Input):\n    copy(frame, out='polygons.geojson')\n"
    )
    (tmp_path / "frame.txt").write_text("")
    (tmp_path / "subscribers.csv").write_text("")
    (tmp_path / "flow.yaml").write_text(
        "workflow: ./flow.py:flow\ninputs: {frame: frame.txt}\nproducts: out\n"
        f"alerts:\n  subscribers: subscribers.csv\n{lines[3]}"
    )
    (webhook,) = load(tmp_path / "flow.yaml").alerts.webhooks
    assert (webhook.url, webhook.secret, webhook.allow) == (url, ["env:ALERT_SECRET"], ["127.0.0.1"])


def ended(*arguments):
    """Run ``dynamo receive`` that cannot begin and return its exit code and what it says."""
    line = [sys.executable, "-m", "dynamo.cli", "receive", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_port_in_use_is_yours_to_change():
    """Exit code 2 and one line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, said = ended("--port", str(taken.getsockname()[1]))
    assert code == 2
    assert re.fullmatch(
        r"error: cannot listen at port \d+ of 127\.0\.0\.1: another program listens there.*\n", said
    )


def test_a_secret_comes_from_a_file(tmp_path):
    """As in a run file."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    process, url = start("--secret", f"file:{tmp_path / 'secret'}", "--count", "1")
    with process:
        send(url, "d1")
        assert " verified new " in process.stdout.read()


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("env:NO_SUCH_SECRET", "the environment has no 'NO_SUCH_SECRET'"),
        ("file:/no/such/file", "No such file"),
        ("hunter2", "whsec_"),
    ],
)
def test_a_secret_that_cannot_be_had_is_said_so(secret, said):
    """Exit code 2; a secret itself is not repeated."""
    code, told = ended("--secret", secret)
    assert code == 2
    assert said in told
    assert "hunter2" not in told
