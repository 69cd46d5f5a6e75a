"""What EC2 sells in a region: sizes as it tells them, at the prices of our own table.

Where the account may not ask for sizes, those that Libcloud knows of are taken. Its prices never are: many of them are
zero, missing, or of another kind of contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dynamo.provisioners.ec2_calls import Calls

from dynamo.fleet.offering import Offering, Purchase
from dynamo.fleet.prices import PriceTable
from dynamo.fleet.refusals import AuthError, BadRequestError

__all__ = ["offerings"]

_MIB = 2**20
_GB = 10**9
_WAYS: Sequence[Purchase] = ("on-demand", "spot")


class _Size(NamedTuple):
    name: str
    cores: int
    memory: int
    disk: int
    gpus: int
    ways: tuple[Purchase, ...]


def offerings(calls: Calls, prices: PriceTable) -> list[Offering]:
    """Return each size in each way of purchase; the price is None where the table has none."""
    try:
        sizes = list(_told(calls))
    except (AuthError, BadRequestError):
        sizes = list(_known(calls.region))
        if not sizes:
            raise
    made = []
    for size in sorted(sizes):
        for way in size.ways:
            price = prices.find("ec2", calls.region, size.name, way)
            made.append(
                Offering(
                    size.name,
                    size.cores,
                    size.memory,
                    purchase=way,
                    region=calls.region,
                    usd_per_hour=price.usd_per_hour if price else None,
                    disk=size.disk,
                    gpus=size.gpus,
                )
            )
    return made


def _told(calls: Calls) -> Iterator[_Size]:
    for one in calls.pages("DescribeInstanceTypes", {}, "instanceTypeSet/item"):
        uses = {use.text for use in one.iterfind("supportedUsageClasses/item")}
        size = _Size(
            one.findtext("instanceType") or "",
            int(one.findtext("vCpuInfo/defaultVCpus") or 0),
            int(one.findtext("memoryInfo/sizeInMiB") or 0) * _MIB,
            int(one.findtext("instanceStorageInfo/totalSizeInGB") or 0) * _GB,
            sum(int(gpu.findtext("count") or 0) for gpu in one.iterfind("gpuInfo/gpus/item")),
            tuple(way for way in _WAYS if not uses or way in uses),
        )
        if size.name and size.cores and size.memory:
            yield size


def _known(region: str) -> Iterator[_Size]:
    from libcloud.compute.constants.ec2_instance_types import INSTANCE_TYPES
    from libcloud.compute.constants.ec2_region_details_complete import REGION_DETAILS

    regions: Mapping[str, Any] = REGION_DETAILS
    sizes: Mapping[str, Any] = INSTANCE_TYPES
    for name in regions.get(region, {}).get("instance_types", ()):
        told = sizes.get(name, {})
        cores = (told.get("extra") or {}).get("vcpu")
        if cores and told.get("ram"):
            yield _Size(name, int(cores), int(told["ram"]) * _MIB, 0, 0, tuple(_WAYS))
