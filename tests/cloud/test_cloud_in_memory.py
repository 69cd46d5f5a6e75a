"""The cloud in memory passes the suite that every provider passes, and fails as it is told to."""

from __future__ import annotations

import pytest

from dynamo.fleet.machine import MachineSpec, Tags
from dynamo.fleet.offering import Offering
from dynamo.fleet.refusals import (
    AuthError,
    BadRequestError,
    NoCapacityError,
    OutcomeUnknownError,
    QuotaError,
    ThrottledError,
    UnavailableError,
)
from dynamo.testing import PROVIDER_CHECKS, Cloud, ProviderBench

SIZES = (Offering("small", 2, 2**32, usd_per_hour=0.1), Offering("small", 2, 2**32, "spot"))
ERRORS = (AuthError, BadRequestError, NoCapacityError, QuotaError, ThrottledError, UnavailableError)


def bench(cloud: Cloud) -> ProviderBench:
    """Return the bench of a cloud in memory."""
    faults = {kind: lambda kind=kind: cloud.failing("create", kind("so it is told")) for kind in ERRORS}
    faults[OutcomeUnknownError] = lambda: cloud.failing("create", OutcomeUnknownError("lost"), done=True)
    steps = (lambda: cloud.failing("create_network", OutcomeUnknownError("lost"), done=True),)
    spec = MachineSpec(Tags("", "", ""), "", size="small")
    return ProviderBench(cloud.provider, spec, faults=faults, many=120, network_steps=steps)


@pytest.mark.parametrize("name", PROVIDER_CHECKS)
def test_the_cloud_in_memory_passes(name):
    """Every check holds, and leaves nothing."""
    cloud = Cloud(SIZES)
    PROVIDER_CHECKS[name](bench(cloud))
    assert not cloud.machines
    assert not cloud.networks


class Broken:
    """A provider that does one thing wrong."""

    def __init__(self, cloud: Cloud, wrong: str) -> None:
        self.good, self.wrong = cloud.provider(), wrong

    def __getattr__(self, name):
        return getattr(self.good, name)

    def create(self, spec):
        """Forget the token, or let a refusal through."""
        if self.wrong == "twice":
            made = self.good._cloud._new(spec.tags, spec.name, spec)
            self.good._cloud.machines[made.id] = made
            return self.good.describe(made.id)
        try:
            return self.good.create(spec)
        except QuotaError as error:
            if self.wrong == "quota":
                raise BadRequestError(error.message) from error
            raise
        except OutcomeUnknownError as error:
            if self.wrong == "unknown":
                raise UnavailableError(error.message) from error
            if self.wrong == "loud":
                raise OutcomeUnknownError(f"cannot send {spec.user_data}") from error
            raise

    def list(self, slice_):
        """Leave out what is beyond the first page, or list those of others."""
        found = self.good.list(slice_)
        if self.wrong == "strangers":
            return list(self.good._cloud.machines.values())
        return found[:100] if self.wrong == "page" else found

    def destroy(self, id_):
        """Leave it there, or fail where it is gone."""
        if self.wrong == "stays":
            return
        if self.wrong == "gone":
            self.good.describe(id_)
        self.good.destroy(id_)

    def offerings(self):
        """Sell the same twice."""
        return [*self.good.offerings()] * (2 if self.wrong == "double" else 1)


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        ("twice", "once"),
        ("twice", "lost-answer"),
        ("quota", "refusals"),
        ("unknown", "lost-answer"),
        ("loud", "silence"),
        ("strangers", "listing"),
        ("page", "listing"),
        ("stays", "machine"),
        ("gone", "machine"),
        ("double", "offerings"),
    ],
)
def test_what_is_wrong_is_found(wrong, check):
    """Each check fails for a provider that does what it looks for."""
    cloud = Cloud(SIZES)
    good = bench(cloud)
    broken = ProviderBench(
        lambda: Broken(cloud, wrong),
        good.spec,
        faults=good.faults,
        many=120,
        network_steps=good.network_steps,
    )
    with pytest.raises(AssertionError):
        PROVIDER_CHECKS[check](broken)
