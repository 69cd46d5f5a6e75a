"""What HTCondor's bindings are asked: called in a process apart (`dynamo.fleet.apart`), for they stop their own.

All that goes in and comes out is plain: texts, numbers, and dictionaries of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dynamo.errors import UserError

__all__ = ["CondorError", "collected", "ended", "queued"]

#: Where HTCondor looks for tokens: a setting of the whole process.
_FOLDER = "SEC_TOKEN_DIRECTORY"
#: Jobs that run or can run, on a worker: not DAGMan (7) nor what runs on the access point itself (12).
_QUEUE = "(JobStatus == 1 || JobStatus == 2) && JobUniverse != 7 && JobUniverse != 12"
#: Jobs of the history that are read at one time at most.
_MOST = 10_000

#: What crosses over; `classad2.Value.Undefined` is an `int` too.
_PLAIN = frozenset({str, int, float, bool})

Plain = dict[str, Any]


class CondorError(Exception):
    """HTCondor did not do as it was asked: its own words, and the folder of the tokens by which we asked."""

    def __init__(self, text: str, tokens: str) -> None:
        super().__init__(text, tokens)
        self.text, self.tokens = text, tokens

    def __str__(self) -> str:
        return self.text


def collected(manager: str, kind: str, which: str, attributes: list[str]) -> list[Plain]:
    """Return ads of a collector (``host:port``; empty for the configured one): of a kind, that `which` is true of."""
    with _asking() as condor:
        found = condor.Collector(manager or None).query(getattr(condor.AdType, kind), which, attributes)
        return _plain(found, attributes)


def queued(schedd: Mapping[str, Any], tokens: str, attributes: list[str]) -> list[Plain]:
    """Return these attributes of the jobs in the queue of a schedd.

    Parameters
    ----------
    schedd
        Its ad.
    tokens
        Folder of the tokens by which to ask it; empty for the configured one.
    attributes
        Of jobs.
    """
    with _schedd(schedd, tokens) as there:
        return _plain(there.query(_QUEUE, attributes), attributes)


def ended(schedd: Mapping[str, Any], tokens: str, attributes: list[str], begin: int, end: int) -> list[Plain]:
    """Return likewise the jobs that ended well in a time of whole seconds: Unix seconds from `begin`, before `end`."""
    which = f"CompletionDate >= {begin} && CompletionDate < {end} && JobStatus == 4 && ExitCode =?= 0"
    which = f"({which}) && JobUniverse != 7 && JobUniverse != 12"
    with _schedd(schedd, tokens) as there:
        return _plain(there.history(which, attributes, match=_MOST), attributes)


@contextmanager
def _schedd(schedd: Mapping[str, Any], tokens: str) -> Iterator[Any]:
    with _asking() as condor, _by(condor, tokens):
        import classad2

        yield condor.Schedd(classad2.ClassAd(dict(schedd)))


@contextmanager
def _asking() -> Iterator[Any]:
    """Give the bindings, and tell plainly what they raise."""
    try:
        import htcondor2
    except ImportError:
        raise UserError(
            "a fleet needs HTCondor's Python bindings: pip install 'dynamo-weather[fleet]'"
        ) from None
    try:
        yield htcondor2
    except (htcondor2.HTCondorException, OSError, RuntimeError, ValueError) as error:
        tokens = htcondor2.param.get(_FOLDER) or "~/.condor/tokens.d"
        raise CondorError(str(error), str(tokens)) from None


@contextmanager
def _by(condor: Any, tokens: str) -> Iterator[None]:
    """Ask by the tokens of a folder."""
    before = condor.param.get(_FOLDER)
    if tokens:
        condor.param[_FOLDER] = tokens
    try:
        yield
    finally:
        if tokens:
            condor.param[_FOLDER] = before or ""


def _plain(ads: Iterable[Mapping[str, Any]], attributes: list[str]) -> list[Plain]:
    """Return these attributes of ads, without what is undefined or an expression."""
    return [{name: ad[name] for name in attributes if type(ad.get(name)) in _PLAIN} for ad in ads]
