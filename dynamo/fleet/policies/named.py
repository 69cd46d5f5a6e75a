"""Policies by name, with their settings."""

from __future__ import annotations

import dataclasses
import importlib
import math
from typing import Any

from dynamo.errors import UserError, nearest
from dynamo.fleet.decision import Policy
from dynamo.fleet.policies.oracle import Oracle, needed
from dynamo.fleet.policies.static import Static
from dynamo.fleet.policies.written import written
from dynamo.fleet.simulator import estimates
from dynamo.fleet.simulator.draws import Draws
from dynamo.fleet.simulator.scenario import Scenario
from dynamo.fleet.simulator.trace import Trace

__all__ = ["FORESEEING", "NAMES", "by_name", "for_trace", "named"]

_MODULES = {
    "work": ("dynamo.fleet.policies.work", "WorkPerDeadline"),
    "careful": ("dynamo.fleet.policies.careful", "Careful"),
    "queue_depth": ("dynamo.fleet.policies.queue_depth", "QueueDepth"),
    "cobald": ("dynamo.fleet.policies.cobald", "Cobald"),
    "dask": ("dynamo.fleet.policies.dask", "Dask"),
    "parsl": ("dynamo.fleet.policies.parsl", "Parsl"),
    "keda": ("dynamo.fleet.policies.keda", "Keda"),
    "static": ("dynamo.fleet.policies.static", "Static"),
    "least": ("dynamo.fleet.policies.least", "Least"),
}
#: Names of policies that decide from a view alone, and so could run live.
NAMES = tuple(_MODULES)
#: What a setting is in words, by the kind of what it usually is.
_KINDS = {float: "a number of 0 or more", int: "a whole number of 0 or more", str: "a word"}
#: Settings by which something is divided.
_DIVISORS = frozenset({"queue_length", "target_duration", "use"})
#: Names of policies that are told what is in a trace, which only a simulation can do.
FORESEEING = ("static_mean", "static_peak", "oracle")


def named(text: str) -> Policy:
    """Return the policy that is written ``NAME[:SETTING=VALUE,...]``, and is called as it is written.

    Raises `UserError` where there is no such policy or setting, or where a setting cannot have that value.
    """
    name, settings = written(text)
    policy: Any = by_name(name, **settings)
    made: Policy = dataclasses.replace(policy, name=text) if settings else policy
    return made


def by_name(name: str, /, **settings: Any) -> Policy:
    """Return the policy of that name with these settings, those of its `terms` among them; raises as `named`."""
    if name not in _MODULES:
        raise UserError(f"There is no policy {name!r}{nearest(name, NAMES)}. There are: {', '.join(NAMES)}.")
    module, attribute = _MODULES[name]
    usual = getattr(importlib.import_module(module), attribute)()
    terms: Any = getattr(usual, "terms", None)
    of_terms = _settings(terms) if terms else {}
    known = _settings(usual) | of_terms
    for setting, value in settings.items():
        if setting not in known:
            has = f"Its settings are: {', '.join(known)}." if known else "It has none."
            raise UserError(f"The policy {name} has no setting {setting!r}{nearest(setting, known)}. {has}")
        if not _may_be(value, known[setting]):
            raise UserError(
                f"The setting {setting} of the policy {name} is {_KINDS[type(known[setting])]}, as "
                f"{known[setting]}, not {value!r}."
            )
        if setting in _DIVISORS and value == 0:
            raise UserError(
                f"The setting {setting} of the policy {name} is above 0, as {known[setting]}, not 0."
            )
    own = {setting: value for setting, value in settings.items() if setting not in of_terms}
    inner = {setting: value for setting, value in settings.items() if setting in of_terms}
    policy: Policy = dataclasses.replace(
        usual, **own, **({"terms": dataclasses.replace(terms, **inner)} if inner else {})
    )
    return policy


def _settings(of: Any) -> dict[str, Any]:
    """Return what can be set, and what it is where nobody does."""
    usual = {field.name: getattr(of, field.name) for field in dataclasses.fields(of) if field.name != "name"}
    return {name: value for name, value in usual.items() if type(value) in _KINDS}


def _may_be(value: Any, usual: Any) -> bool:
    """Whether that is a value of a setting that is usually another: a number is never negative, nor without end."""
    if isinstance(value, str) or isinstance(usual, str):
        return type(value) is type(usual)
    return 0 <= value < math.inf and (type(usual) is float or type(value) is int)


def for_trace(name: str, trace: Trace, scenario: Scenario, seed: int = 0, /, **settings: Any) -> Policy:
    """Return the policy of that name for a simulation: as `by_name`, or one that is told what is in the trace.

    `seed` is that of the simulation: by what is expected of its jobs they are put in order.
    """
    if name not in FORESEEING:
        if name not in _MODULES:
            names = (*NAMES, *FORESEEING)
            raise UserError(
                f"There is no policy {name!r}{nearest(name, names)}. There are: {', '.join(names)}."
            )
        return by_name(name, **settings)
    speed = scenario.offers[0].speed
    if name == "static_mean":
        return Static(math.ceil(trace.work / speed / trace.until), name)
    times, cores = needed(trace, speed, scenario.match + 1.0, _lengths(trace, scenario, seed))
    if name == "static_peak":
        return Static(math.ceil(max(cores) / speed), name)
    return Oracle(times, cores, interval=scenario.interval)


def _lengths(trace: Trace, scenario: Scenario, seed: int) -> list[float] | None:
    """Return the seconds by which the pool of a simulation puts jobs in order; None where they run as they come."""
    if scenario.order != "longest":
        return None
    expected = estimates.by_name(scenario.estimates, Draws(seed))
    return [expected.of(number, job)[0] / job.cores for number, job in enumerate(trace.jobs)]
