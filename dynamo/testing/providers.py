"""What a provider must hold: orders are made once, listings are whole, refusals are told apart, nothing is left.

Each check makes a slice of its own, and leaves nothing of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace

from dynamo.fleet.machine import Machine, Tags
from dynamo.fleet.network import NetworkSpec
from dynamo.fleet.provider import NetworkProvider, Provider
from dynamo.fleet.refusals import GoneError, OutcomeUnknownError, ProviderError
from dynamo.testing.provider_bench import MARK, OWNER, REFUSALS, ProviderBench

__all__ = [
    "PROVIDER_CHECKS",
    "ProviderBench",
    "check_listing",
    "check_lost_answer",
    "check_machine",
    "check_networks",
    "check_offerings",
    "check_once",
    "check_refusals",
    "check_silence",
]


def _there(provider: Provider, slice_: str) -> list[Machine]:
    return [one for one in provider.list(slice_) if one.there]


def check_machine(bench: ProviderBench) -> None:
    """Check that a machine is made as ordered, comes up, and is gone when it was destroyed, also twice."""
    with bench.slice() as name:
        provider, order = bench.connect(), bench.order(name)
        assert provider.list(name) == [] or not _there(provider, name), "a slice nobody used has machines"
        made = provider.create(order)
        assert made.state in {"pending", "running"}, f"a machine that was just ordered is {made.state}"
        assert (made.tags, made.name) == (order.tags, order.name), f"it was made as {made}"
        bench.settle(provider, made.id)
        found = bench.connect().describe(made.id)
        assert found.state == "running", f"it came up, and is {found.state} ({found.reason})"
        assert found.tags == order.tags, "the tags of a machine change"
        assert [one.id for one in _there(bench.connect(), name)] == [made.id], "the listing has not just it"
        listed = _there(provider, name)[0]
        assert (listed.tags, listed.name, listed.state) == (order.tags, order.name, "running"), (
            f"listed as {listed}"
        )
        provider.destroy(made.id)
        _check_gone(provider, made.id)
        with _no_error("to destroy a machine that is gone"):
            provider.destroy(made.id)
        assert _there(provider, name) == [], "a machine that was destroyed is still listed"


@contextmanager
def _no_error(what: str) -> Iterator[None]:
    try:
        yield
    except ProviderError as error:
        raise AssertionError(f"{what} is an error: {error!r}") from error


def _check_gone(provider: Provider, id_: str) -> None:
    try:
        state = provider.describe(id_).state
    except GoneError:
        return
    assert state in {"stopping", "gone"}, f"a machine that was destroyed is {state}"


def check_once(bench: ProviderBench) -> None:
    """Check that the same order is carried out once, however often it is given and by whom."""
    with bench.slice() as name:
        order = bench.order(name)
        first = bench.connect().create(order)
        again = bench.connect().create(order)
        assert again.id == first.id, "an order that was given twice made a second machine"
        other = bench.connect().create(bench.order(name))
        assert other.id != first.id, "another order made no machine"
        assert len(_there(bench.connect(), name)) == 2, "two orders did not make two machines"


def check_listing(bench: ProviderBench) -> None:
    """Check that a listing has every machine of the slice, and none of another slice or of strangers."""
    still_there = bench.stranger()[1] if bench.stranger else None
    with bench.slice() as name, bench.slice() as other:
        provider = bench.connect()
        ordered = {provider.create(bench.order(name, f"group-{n % 2}")).id for n in range(bench.many)}
        elsewhere = provider.create(bench.order(other)).id
        assert {one.id for one in _there(bench.connect(), name)} == ordered, (
            "the listing is not what was ordered"
        )
        for id_ in ordered:
            provider.destroy(id_)
        assert [one.id for one in _there(provider, other)] == [elsewhere], "another slice was touched"
    assert still_there is None or still_there(), "the machine of a stranger was touched"


def check_refusals(bench: ProviderBench) -> None:
    """Check that each refusal is told as what it is, that nothing is made, and that the next order goes through.

    Of an order whose outcome is unknown see `check_lost_answer`.
    """
    lacking = [kind.__name__ for kind in REFUSALS if kind not in {*bench.faults, *bench.cannot}]
    assert not lacking, f"nobody says how these are provoked, or why they are not: {', '.join(lacking)}"
    for kind, fault in bench.faults.items():
        if kind is OutcomeUnknownError:
            continue
        with bench.slice() as name:
            order, error = bench.order(name), None
            with fault():
                try:
                    bench.connect().create(order)
                except ProviderError as refused:
                    error = refused
            assert type(error) is kind, f"told as {error!r}, not as {kind.__name__}"
            assert _there(bench.connect(), name) == [], f"{kind.__name__} was told, and a machine made"
            assert bench.connect().create(order).tags == order.tags, (
                f"no order goes through after {kind.__name__}"
            )


def check_lost_answer(bench: ProviderBench) -> None:
    """Check that an order whose answer was lost is found in the listing, and is not carried out twice."""
    fault = bench.faults.get(OutcomeUnknownError)
    if fault is None:
        assert bench.cannot.get(OutcomeUnknownError), "nobody says how an answer is lost, or why it cannot be"
        return
    with bench.slice() as name:
        order, error = bench.order(name), None
        with fault():
            try:
                bench.connect().create(order)
            except ProviderError as told:
                error = told
        assert type(error) is OutcomeUnknownError, f"a lost answer is told as {error!r}"
        found = _there(bench.connect(), name)
        assert [one.tags for one in found] == [order.tags], f"the listing has {found}"
        assert bench.connect().create(order).id == found[0].id, (
            "an order whose answer was lost was given twice"
        )


def check_offerings(bench: ProviderBench) -> None:
    """Check that what is for sale has cores, memory, a way of purchase, and a price or none, and stands there once."""
    offered = bench.connect().offerings()
    keys = [(one.size, one.region, one.purchase) for one in offered]
    assert len(set(keys)) == len(keys), "an offering stands there twice"
    for one in offered:
        assert one.cores > 0, f"{one.size} has no cores"
        assert one.memory > 0, f"{one.size} has no memory"
        assert one.usd_per_hour is None or one.usd_per_hour >= 0, f"{one.size} costs {one.usd_per_hour}"
        assert one.quantum > 0, f"{one.size} is billed by {one.quantum} s"
        assert one.speed > 0, f"{one.size} has a speed of {one.speed}"


def check_silence(bench: ProviderBench) -> None:
    """Check that no error, and no text of an object, shows a credential or what a machine is told when it starts."""
    hidden = (MARK, *bench.secrets)
    with bench.slice() as name:
        for kind, fault in bench.faults.items():
            provider, order = bench.connect(), bench.order(name)
            texts = [repr(provider), str(provider), repr(order)]
            with fault(), suppress(ProviderError):
                try:
                    provider.create(order)
                except ProviderError as error:
                    texts += [str(error), repr(error), error.message, *map(repr, error.args)]
                    raise
            for text in texts:
                shown = [secret for secret in hidden if secret in text]
                assert not shown, f"{kind.__name__}: a secret is shown in {text!r}"


def check_networks(bench: ProviderBench) -> None:
    """Check that a network is made once, is completed where its making was cut off, and is gone when destroyed.

    It is listed with all its tags, also whose it is.
    """
    if not isinstance(bench.connect(), NetworkProvider):
        return
    for fault in (None, *bench.network_steps):
        with bench.slice() as name:
            provider = _networks(bench)
            spec = NetworkSpec(Tags(name, "data", uuid.uuid4().hex, OWNER), "10.233.77.0/24")
            if fault:
                with fault(), suppress(ProviderError):
                    provider.create_network(spec)
            made = provider.create_network(spec)
            assert (made.tags, made.cidr) == (spec.tags, spec.cidr), f"it was made as {made}"
            again = _networks(bench).create_network(spec)
            assert again == made, f"the same network was made twice: {again}"
            listed = _networks(bench).list_networks(name)
            assert list(listed) == [made], f"listed are {listed}"
            machine = provider.create(replace(bench.order(name), networks=(made.id,)))
            bench.settle(provider, machine.id)
            provider.destroy(machine.id)
            provider.destroy_network(made.id)
            with _no_error("to destroy a network that is gone"):
                provider.destroy_network(made.id)
            assert list(provider.list_networks(name)) == [], "a network that was destroyed is still listed"


def _networks(bench: ProviderBench) -> NetworkProvider:
    provider = bench.connect()
    assert isinstance(provider, NetworkProvider)
    return provider


#: Name to check; each takes a `ProviderBench`.
PROVIDER_CHECKS: Mapping[str, Callable[[ProviderBench], None]] = {
    "listing": check_listing,
    "lost-answer": check_lost_answer,
    "machine": check_machine,
    "networks": check_networks,
    "offerings": check_offerings,
    "once": check_once,
    "refusals": check_refusals,
    "silence": check_silence,
}
