"""The program channel, with real processes: how one ends is the outcome, and none is left behind."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dynamo.alerts.forms import FORMS, write
from dynamo.alerts.words import headline
from dynamo.delivery.program import Program
from dynamo.errors import UserError
from tests.unit.delivery.an_alert import ALERT as BASE

ALERT = replace(BASE, subscriber="Baylor\x00\n; rm *", exercise=True)


def send(*command, form="geojson", timeout=60.0):
    """Send one alert through a command."""

    async def once():
        channel = Program("hook", command, form, timeout)
        outcome = await channel.send(ALERT, "d1")
        await channel.close()
        return outcome

    return asyncio.run(once())


def shell(script, **options):
    """Send one alert through a shell script."""
    return send("sh", "-c", script, **options)


@pytest.mark.parametrize("form", FORMS)
def test_the_message_is_on_standard_input(tmp_path, form):
    """Byte by byte, and nothing follows it."""
    outcome = shell(f"cat > '{tmp_path}/got'", form=form)
    assert (outcome.said, outcome.response) == ("sent", "")
    assert (tmp_path / "got").read_bytes() == write(ALERT, form).body


def test_the_environment_tells_what_a_short_script_needs():
    """As text on one line each; the rest of the environment stays."""
    names = "DYNAMO_DELIVERY DYNAMO_ALERT DYNAMO_ALERT_KIND DYNAMO_SUBSCRIBER DYNAMO_HEADLINE DYNAMO_EXERCISE PATH"
    outcome = shell("for n in " + names + "; do printenv $n; done")
    told = f"d1 a2 new Baylor ; rm * {headline(ALERT)} 1 {os.environ['PATH']}"
    assert (outcome.said, outcome.response) == ("sent", told)


@pytest.mark.parametrize(
    ("script", "said", "response"),
    [
        ("exit 0", "sent", ""),
        ("echo ok 17", "sent", "ok 17"),
        ("echo busy >&2; exit 75", "again", "exit code 75: busy"),
        ("echo no such number; exit 1", "refused", "exit code 1: no such number"),
        ("kill -9 $$", "again", "killed by signal 9"),
        ("printf '\\033[2J\\377'", "sent", "[2J\ufffd"),
    ],
)
def test_how_it_ends_is_the_outcome(script, said, response):
    """0 is sent, 75 and a signal are again, all else is refused; what it wrote is told as plain text."""
    outcome = shell(script)
    assert (outcome.said, outcome.response) == (said, response)


def test_a_program_that_is_not_there_may_come():
    """It is tried again, and named."""
    outcome = send("/no/such/program")
    assert (outcome.said, outcome.response) == (
        "again",
        "/no/such/program cannot be run: No such file or directory",
    )


def test_a_program_that_cannot_be_executed_is_named(tmp_path):
    """A file without the permission, or a folder."""
    outcome = send(str(tmp_path))
    assert outcome.said == "again"
    assert "Permission denied" in outcome.response


@pytest.mark.parametrize("command", [(), ("echo", "a\0b")])
def test_a_command_that_can_never_run_is_refused_at_once(command):
    """Before any alert needs it."""
    with pytest.raises(UserError, match="'hook'"):
        Program("hook", command)


def test_out_of_time_the_whole_group_is_killed(tmp_path):
    """The program and what it started, also where that ignores a polite signal; its words so far are told."""
    held = tmp_path / "held"
    os.mkfifo(held)
    line = f"trap '' TERM; echo began; (trap '' TERM; sleep 1000 > '{held}') & sleep 1000"

    async def both():
        # The end of the pipe comes when the last that holds it is gone.
        read = asyncio.create_task(asyncio.to_thread(held.read_text))
        outcome = await Program("hook", ("sh", "-c", line), timeout=4.0).send(ALERT, "d1")
        return outcome, await read

    outcome, text = asyncio.run(both())
    assert (outcome.said, outcome.response, text) == ("again", "killed after 4 s: began", "")


def test_cancelled_nothing_goes_on(tmp_path):
    """A sender that ends takes its programs with it."""
    os.mkfifo(tmp_path / "began")

    async def cancel():
        line = f"echo $$ > '{tmp_path}/began'; exec sleep 1000"
        task = asyncio.create_task(Program("hook", ("sh", "-c", line)).send(ALERT, "d1"))
        pid = int(await asyncio.to_thread((tmp_path / "began").read_text))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid

    assert not psutil.pid_exists(asyncio.run(cancel()))


def test_what_it_leaves_in_the_background_is_not_waited_for(tmp_path):
    """A program that ends is done, though a child of its holds its output open; the child goes on."""
    outcome = shell(f"sleep 1000 & echo $! > '{tmp_path}/child'; echo done", timeout=60)
    assert (outcome.said, outcome.response) == ("sent", "done")
    child = psutil.Process(int((tmp_path / "child").read_text()))
    assert child.is_running()
    child.kill()


def test_endless_output_is_cut():
    """A flood neither blocks the program nor fills memory; its beginning is told."""
    code = "import sys; [sys.stdout.write('x' * 65536) for _ in range(400)]"
    outcome = send(sys.executable, "-c", code)
    assert (outcome.said, outcome.response) == ("sent", "x" * 2000)


def test_input_that_is_not_read_does_no_harm():
    """A program may end without a look at a long message."""
    assert send("true", form="cap").said == "sent"


def test_descriptors_are_given_back():
    """A hundred alerts leave as many open files as there were before."""

    async def many():
        channel = Program("hook", ("sh", "-c", "cat > /dev/null; exit $((RANDOM % 2))"))
        missing = Program("hook", ("/no/such/program",))
        await channel.send(ALERT, "d")  # what asyncio opens once
        before = len(os.listdir("/proc/self/fd"))
        for n in range(50):
            await channel.send(ALERT, f"d{n}")
            await missing.send(ALERT, f"d{n}")
        return before, len(os.listdir("/proc/self/fd"))

    if not Path("/proc/self/fd").is_dir():
        pytest.fail("run this where /proc is")
    before, after = asyncio.run(many())
    assert after <= before
