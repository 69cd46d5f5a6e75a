"""Run one job: each task in its sandbox, its outputs into the store, a report for each.

A task that fails stops only what reads its files; the other tasks of the job still run.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import orjson

from dynamo.errors import UserError
from dynamo.graph.callee import Callee, Workflow
from dynamo.graph.facts import told
from dynamo.graph.units import format_bytes
from dynamo.worker.job import Job, Made, Order, Outcome, Report
from dynamo.worker.loading import load_object
from dynamo.worker.log import Log, Screen
from dynamo.worker.memory import Peak
from dynamo.worker.sandbox import Sandbox
from dynamo.worker.store import stored_path

__all__ = ["Runner"]

#: Characters of an error's message that are told; the log has all of it.
_LONGEST = 1000


class _Failure(Exception):
    """The task did wrong, or the machine did; in words for the report."""

    def __init__(self, message: str, exit_code: int | None = None, outcome: Outcome = "failed") -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.outcome = outcome


class Runner:
    """Runs jobs in one sandbox.

    Parameters
    ----------
    folder
        The sandbox; on the same file system as the store.
    log
        Where standard output and error go meanwhile.
    """

    def __init__(self, folder: str, log: Log | Screen) -> None:
        self._sandbox = Sandbox(folder)
        self._log = log
        self._peak = Peak()

    def run(self, job: Job) -> Iterator[Report]:
        """Run the tasks of `job` in order and yield a report after each."""
        made: dict[str, str] = {}
        for order in job.orders:
            absent = [name for name, path in order.paths.items() if not path and name not in made]
            if absent:
                now = time.time()
                yield Report(order.id, "blocked", now, now, f"its input {absent[0]!r} was not made")
                continue
            report = self._run(order, job.store, made)
            made.update((name, stored_path(job.store, m.digest)) for name, m in report.made.items())
            yield report

    def _run(self, order: Order, store: str, made: dict[str, str]) -> Report:
        self._peak.reset()
        told()  # what was told before is of no task
        cpu, started = _cpu(), time.time()
        files: dict[str, Made] = {}
        outcome: Outcome = "ok"
        error, exit_code = "", None
        try:
            files = _perform(order, self._sandbox, store, made, self._peak)
        except _Failure as failure:
            error = _named(_plain(str(failure)), order, self._sandbox.folder, store)
            exit_code, outcome = failure.exit_code, failure.outcome
        # What filled the disk is not kept: it would leave no room for the journal to say so.
        self._sandbox.leave(order.keep if outcome == "failed" else "")
        logged = self._log.close(order.log)
        ended, used = time.time(), _cpu() - cpu
        peak = self._peak.read(ended - started)
        facts = told() if outcome == "ok" else {}
        return Report(order.id, outcome, started, ended, error, exit_code, files, used, peak, logged, facts)


def _perform(order: Order, sandbox: Sandbox, store: str, made: dict[str, str], peak: Peak) -> dict[str, Made]:
    """Run the task and return its outputs; raise `_Failure` in words."""
    try:
        sandbox.prepare(order, store, made)
    except OSError as error:
        raise _Failure(f"its sandbox could not be made: {error}", outcome=_blame(error, "trouble")) from error
    exit_code = None
    if order.container is not None:
        exit_code = _contained(order, sandbox.folder)
    elif order.kind == "command":
        exit_code = _command(order, peak)
    else:
        _python(order, sandbox)
    absent = sandbox.missing_outputs(order)
    if absent:
        others = [name for name in sandbox.found() if name not in order.paths]
        raise _Failure(
            f"it ended well but did not write its output {', '.join(map(repr, absent))}"
            + (f"; it wrote {', '.join(map(repr, others[:5]))}" if others else ""),
            exit_code,
        )
    try:
        return sandbox.collect(order, store)
    except OSError as error:
        raise _Failure(f"its outputs could not be kept: {error}", outcome=_blame(error, "trouble")) from error


def _command(order: Order, peak: Peak) -> int:
    import subprocess

    try:
        process = subprocess.Popen(order.argv, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise _Failure(f"cannot start {order.argv[0]!r}: {error.strerror}") from error
    except ValueError as error:  # a zero byte in an argument
        raise _Failure(f"cannot start {order.argv[0]!r}: {error}") from error
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    peak.note(used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
    if code < 0:
        raise _Failure(f"{order.argv[0]} was killed by signal {-code}", code)
    if code:
        raise _Failure(f"{order.argv[0]} ended with exit code {code}", code)
    return 0


def _contained(order: Order, folder: str) -> int:
    """Run a command in a container of its own; what it needs there is not known here."""
    from dynamo.errors import InfrastructureError
    from dynamo.images.command import Box, CannotStartError, run_command

    box = Box(**order.container or {})
    try:
        ended = run_command(order.argv, box, folder)
    except CannotStartError as error:
        raise _Failure(f"cannot start {order.argv[0]!r} in {box.name}: {error}") from error
    except (InfrastructureError, UserError) as error:
        raise _Failure(str(error), outcome="trouble") from error
    if ended.oom:
        raise _Failure(
            f"{order.argv[0]} needed more memory than the {format_bytes(box.memory)} it declares, and was killed; "
            "declare more with memory=, or use less",
            ended.code,
        )
    if ended.code:
        signalled = f" (signal {ended.code - 128}?)" if 128 < ended.code < 128 + signal.NSIG else ""
        raise _Failure(f"{order.argv[0]} ended with exit code {ended.code}{signalled}", ended.code)
    return 0


def _python(order: Order, sandbox: Sandbox) -> None:
    """Call the user's function; whatever it raises becomes a `_Failure`, its traceback goes to the log."""
    process = os.getpid()
    try:
        callee = load_object(order.call)
        inputs, outputs = sandbox.bind(order.inputs), sandbox.bind(order.outputs)
        if order.kind == "expand":
            _expand(callee, order, inputs, sandbox.folder)
        else:
            function = callee.function if isinstance(callee, Callee) else callee
            optional = dict.fromkeys(_optional(callee, order))
            function(**inputs, **outputs, **order.params, **optional)
    except UserError as error:
        with suppress(OSError, ValueError):
            print(f"error: {error}", file=sys.stderr)
        raise _Failure(str(error), outcome=_blame(error, "failed")) from error
    except SystemExit as error:
        raise _Failure(
            f"it called sys.exit({error.code!r}); raise an error instead, or just return"
        ) from error
    except MemoryError as error:
        _traceback(error)
        raise _Failure(f"out of memory: {error or 'an allocation failed'}") from error
    except BaseException as error:
        # The user's code may raise anything: that is the task's failure, not the worker's.
        if isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            raise  # Ctrl-C in a process that is no worker
        _traceback(error)
        raise _Failure(_summary(error), outcome=_blame(error, "failed")) from error
    finally:
        if os.getpid() != process:  # a child that the task forked came back from it: there is one worker
            os._exit(0)


def _blame(error: BaseException, otherwise: Outcome) -> Outcome:
    """Say what an error comes to: ``full`` where it, or what it was raised of, says that the disk is."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            return "full"
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return otherwise


def _optional(callee: Any, order: Order) -> list[str]:
    """The file parameters that this call left out (``Input | None = None``)."""
    if not isinstance(callee, Callee):
        return []
    return [
        p
        for p in callee.signature.parameters
        if not (p in order.inputs or p in order.outputs or p in order.params)
    ]


def _expand(callee: Any, order: Order, inputs: dict[str, Any], folder: str) -> None:
    """Describe the rest of the graph and write it to the task's one output."""
    if not isinstance(callee, Workflow):
        raise UserError(f"{order.call} is not a workflow")
    named = {
        p: list(zip(names, inputs[p], strict=True)) if not isinstance(names, str) else (names, inputs[p])
        for p, names in order.inputs.items()
    }
    declared: dict[str, Any] = dict(order.params["outputs"])
    graph = callee.expand(order.id, named, declared, dict(order.params["params"]))
    (target,) = order.outputs.values()
    with open(os.path.join(folder, str(target)), "wb") as file:
        file.write(orjson.dumps(graph.to_json()))


def _traceback(error: BaseException) -> None:
    """Print the traceback from the user's first frame on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__name__", "").startswith("dynamo.worker"):
        frames = frames.tb_next
    with suppress(OSError, ValueError, AttributeError):  # a full disk, or the task closed its output
        sys.stdout.flush()
        traceback.print_exception(type(error), error, frames)


def _summary(error: BaseException) -> str:
    """Return type, message and the innermost line of the error in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    try:
        text = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001 - the user's own __str__ may raise anything
        text = []
    return f"{type(error).__name__}: {text[0][:_LONGEST] if text else 'no message'}{where}"


def _named(text: str, order: Order, folder: str, store: str) -> str:
    """Name files as the user knows them: those from outside by their path, the others by their name."""
    for name, path in order.paths.items():
        if path and not path.startswith(store):
            text = text.replace(f"{folder}/{name}", path)
    return text.replace(f"{folder}/", "")


def _plain(text: str) -> str:
    """Return `text` as UTF-8 can carry it: file names may hold bytes that are none."""
    return text.encode("utf-8", "backslashreplace").decode()


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
