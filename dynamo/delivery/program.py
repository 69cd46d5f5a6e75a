"""Program: a command of the user's own is run for every alert, with the message on its standard input.

An alert enters, a process runs. How it ends is the outcome:

=============================== ===================================================================
it ends                         then
=============================== ===================================================================
with 0                          it is sent
with 75 (EX_TEMPFAIL)           again later, as with mail programs
by a signal, or out of time     again later; out of time, its whole process group is killed
with another code               refused: it would say the same next time
it cannot be started            again later: it may be about to be installed
=============================== ===================================================================

The environment is ours, and these: ``DYNAMO_DELIVERY`` (the same at every try), ``DYNAMO_ALERT``,
``DYNAMO_ALERT_KIND`` (new, updated, cancelled), ``DYNAMO_SUBSCRIBER``, ``DYNAMO_HEADLINE`` and ``DYNAMO_EXERCISE``
(1 or empty). What it leaves running in the background when it ends goes on, for a siren may sound longer than it is
told to; what it began in a session of its own is out of reach of the time-out too. Nothing is raised.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress

from dynamo.alerts.alert import Alert
from dynamo.alerts.forms import Form, write
from dynamo.alerts.words import headline, plain
from dynamo.delivery.channel import Outcome
from dynamo.errors import UserError

__all__ = ["AGAIN", "Program"]

#: ``EX_TEMPFAIL`` of sysexits.h.
AGAIN = 75
#: Bytes of output that are kept.
KEPT = 2000
_PIPE = 1 << 16


class Program:
    """A channel that runs a command.

    Parameters
    ----------
    name
        What the run file calls it.
    command
        Program and arguments; no shell reads them.
    form
        What is on its standard input; as ``cloudevents-binary`` that is GeoJSON.
    timeout
        Seconds that one alert may take.
    """

    def __init__(
        self, name: str, command: Sequence[str], form: Form = "geojson", timeout: float = 30.0
    ) -> None:
        if not command or any("\0" in part for part in command):
            raise UserError(
                f"channel {name!r}: the command is a program and its arguments, without NUL characters"
            )
        self.name = name
        self.command = tuple(command)
        self.form = form
        self.timeout = timeout

    async def send(self, alert: Alert, delivery: str) -> Outcome:
        """Run the command once and tell how it ended, with the beginning of what it wrote."""
        try:
            with closing(_Output()) as output:
                body = write(alert, self.form).body
                return await self._run(body, _environment(alert, delivery), output)
        except OSError as error:
            return Outcome("again", f"{self.command[0]} cannot be run: {error.strerror or error}")

    async def _run(self, body: bytes, environment: dict[str, str], output: _Output) -> Outcome:
        # Files and a pipe of our own: with those of asyncio the end of a program waits for all it left behind.
        with tempfile.TemporaryFile() as message:
            message.write(body)
            message.seek(0)
            process = await asyncio.create_subprocess_exec(
                *self.command,
                stdin=message,
                stdout=output.target,
                stderr=output.target,
                env=environment,
                start_new_session=True,
            )
        output.listen()
        try:
            return _outcome(await asyncio.wait_for(process.wait(), self.timeout), output)
        except TimeoutError:
            return Outcome("again", _said(f"killed after {self.timeout:g} s", output))
        finally:  # also where the sender itself is told to end
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()

    async def close(self) -> None:
        """Nothing is kept open."""


class _Output:
    """The beginning of what a program writes; the rest is read and thrown away, so that it never blocks."""

    def __init__(self) -> None:
        self._source, self.target = os.pipe()
        os.set_blocking(self._source, False)
        self._kept = bytearray()
        self._loop = asyncio.get_running_loop()

    def listen(self) -> None:
        os.close(self.target)
        self.target = -1
        self._loop.add_reader(self._source, self._read)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._source, _PIPE)
            if not data:
                self._loop.remove_reader(self._source)
            self._kept += data[: KEPT - len(self._kept)]

    def text(self) -> str:
        self._read()  # what is in the pipe still; more than it holds was not written before the program ended
        return plain(self._kept.decode("utf-8", "replace"))

    def close(self) -> None:
        self._loop.remove_reader(self._source)
        for descriptor in (self._source, self.target):
            if descriptor >= 0:
                os.close(descriptor)


def _environment(alert: Alert, delivery: str) -> dict[str, str]:
    return {
        **os.environ,
        "DYNAMO_DELIVERY": plain(delivery),
        "DYNAMO_ALERT": plain(alert.id),
        "DYNAMO_ALERT_KIND": alert.kind,
        "DYNAMO_SUBSCRIBER": plain(alert.subscriber),
        "DYNAMO_HEADLINE": headline(alert),
        "DYNAMO_EXERCISE": "1" if alert.exercise else "",
    }


def _outcome(code: int, output: _Output) -> Outcome:
    if code == 0:
        return Outcome("sent", output.text())
    if code < 0:
        return Outcome("again", _said(f"killed by signal {-code}", output))
    return Outcome("again" if code == AGAIN else "refused", _said(f"exit code {code}", output))


def _said(what: str, output: _Output) -> str:
    text = output.text()
    return f"{what}: {text}" if text else what
