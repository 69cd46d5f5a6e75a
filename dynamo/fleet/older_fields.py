"""What becomes of each field of a request of the older form."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dynamo.errors import nearest
from dynamo.fleet.older_values import Carried, bandwidth_text, host_name, number, seconds, span_text

__all__ = ["FIELDS", "carry", "lost_fields"]

#: Fields that are carried over, or said to be lost where they are carried over.
_CARRIED = (
    "site", "cpus", "gpus", "ramPerCpus", "diskPerCpus", "leaseStart", "leaseEnd", "hostNamePrefix", "bandwidth",
    "networkCidr", "vpcCidr", "imageName", "forceflavor", "coallocate", "slicePolicy", "sliceName", "networkType",
    "physicalNetwork", "externalNetwork",
)  # fmt: skip
#: Fields that are not, and why.
_LOST = {
    "ipAddress": "addresses are given by the provider's network; find machines by their names",
    "imageUrl": "put that image where the provider finds it, and name it in `image`",
    "imageHash": "put the image where the provider finds it, and name it in `image`",
    "postBootScript": "no script is run: what it installs belongs into the image; joining the pool is seen to",
    "stitchPortUrl": "no stitchport is made: a network that spans providers is joined by a tunnel",
    "stitchTag": "a VLAN of a stitchport, which is not made",
    "stitchIP": "an address at a stitchport, which is not made",
    "stitchBandwidth": "of a stitchport, which is not made; a network has a `bandwidth`",
    "stitchPortal": "no stitchport is made: a network that spans providers is joined by a tunnel",
    "hardwareType": "name the provider's size in `size`",
}
FIELDS = (*_CARRIED, *_LOST)
#: The beginning of a site to the driver of its provider.
_DRIVERS = {
    "chameleon": "openstack", "jetstream": "openstack", "mos": "openstack", "moc": "openstack", "kvm": "openstack",
    "openstack": "openstack", "aws": "ec2", "ec2": "ec2", "amazon": "ec2", "docker": "docker", "local": "docker",
}  # fmt: skip
#: What is in the name of a machine that is no worker; a slice has no central managers.
_SUBMIT, _MANAGERS = "submit", ("master", "manager")


def carry(request: Mapping[str, Any], to: Carried, count: int) -> None:
    """Make a group of `count` machines of a request, with its provider and its network."""
    prefix = to.text("hostNamePrefix", request.get("hostNamePrefix"))
    if not prefix:
        to.lose("hostNamePrefix", "is missing; its group is called `node`")
    if any(word in prefix.lower() for word in _MANAGERS):
        to.lose(
            "hostNamePrefix",
            f"{prefix!r} is a central manager by its name, and a slice makes none: it joins a pool that is there, "
            "which `pool` names",
        )
        return
    name = _free(host_name(prefix, "node"), to.slice["nodes"])
    if prefix and name != prefix:
        to.lose("hostNamePrefix", f"its group is called {name!r}")
    provider = _provider(request, to)
    group: dict[str, Any] = {"provider": provider, "count": count}
    if _SUBMIT in prefix.lower():
        group["role"] = "submit"
        to.lose("hostNamePrefix", f"the role 'submit' of {name!r} is guessed by its name")
    group["size"] = _size(request, to, to.slice["providers"][provider]["driver"])
    image = to.text("imageName", request.get("imageName"))
    if image:
        group["image"] = image
    network = _network(request, to, provider)
    if network:
        group["networks"] = [network]
    _lease(request, to, group, provider)
    to.slice["nodes"][name] = group


def lost_fields(request: Mapping[str, Any], to: Carried) -> None:
    """Say of each field that is not carried over why; empty ones say nothing."""
    for name, value in request.items():
        if value in (None, "", [], {}):
            continue
        if name == "postBootScript":
            to.lose(name, f"{len(str(value).splitlines())} lines: {_LOST[name]}")
        elif name in _LOST:
            to.lose(name, _LOST[name])
        elif name not in _CARRIED:
            to.lose(name, f"is no field of the older form that is known{nearest(name, FIELDS)}")
    _lost_wishes(request, to)


def _lost_wishes(request: Mapping[str, Any], to: Carried) -> None:
    """Say what was asked for by fields that are carried over in part."""
    if number(request.get("gpus")):
        to.lose("gpus", "name a size that has them in `size`")
    if number(request.get("diskPerCpus")):
        to.lose("diskPerCpus", "machines have the disk of their size: name one with enough in `size`")
    if str(request.get("coallocate") or "").lower() not in {"", "true"}:
        to.lose(
            "coallocate", "its cores are on one machine; give a higher `count` of smaller ones for several"
        )
    if str(request.get("slicePolicy") or "default") != "default":
        to.lose("slicePolicy", "all requests are one slice")
    if request.get("networkType") == "private" and not (request.get("networkCidr") or request.get("vpcCidr")):
        to.lose("networkType", "a private network needs a `networkCidr`: give one under `networks`")


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """Return a name that is not taken yet."""
    return (
        name
        if name not in taken
        else next(f"{name}-{n}" for n in range(2, 10**6) if f"{name}-{n}" not in taken)
    )


def _provider(request: Mapping[str, Any], to: Carried) -> str:
    site = to.text("site", request.get("site"))
    kind, _, region = site.partition(":")
    name, region, driver = host_name(site, "here"), region.strip(), _DRIVERS.get(kind.strip().lower(), "")
    providers = to.slice["providers"]
    if name in providers and providers[name].get("region", "") != region:
        name = _free(name, providers)  # sites whose names begin alike
    if name not in providers:
        rule = {"driver": driver or ("docker" if not site else "openstack")}
        if region:
            rule["region"] = region
        if rule["driver"] != "docker":
            rule["credentials"] = f"{'profile' if driver == 'ec2' else 'cloud'}:{host_name(kind, 'cloud')}"
            to.lose(
                "site", f"had its credentials with the service; put them where {rule['credentials']!r} says"
            )
        if not site:
            to.lose("site", "is missing: written as Docker on this machine")
        elif not driver:
            to.lose("site", f"no driver is known for it: written as one of OpenStack, {name!r}")
        providers[name] = rule
    for field, key in (("physicalNetwork", "physical_network"), ("externalNetwork", "external_network")):
        value = to.text(field, request.get(field))
        if value and providers[name]["driver"] != "openstack":
            to.lose(field, "is for OpenStack only")
        elif value and providers[name].setdefault(key, value) != value:
            to.lose(field, f"differs from that of another request at the same site, {providers[name][key]!r}")
    return name


#: MB for each core below which the number was none.
_LEAST = 2


def _size(request: Mapping[str, Any], to: Carried, driver: str) -> Any:
    flavor = to.text("forceflavor", request.get("forceflavor"))
    if flavor:
        return flavor
    cores = to.whole("cpus", request.get("cpus"), 1)
    each = to.whole("ramPerCpus", request.get("ramPerCpus"))
    if each < _LEAST:
        to.lose("ramPerCpus", f"is {'too little' if each else 'missing'}: 1024 MB for each core are taken")
        each = 1024
    memory = cores * each
    if driver != "docker":
        to.lose(
            "forceflavor",
            "is missing, and sizes have names there: write one in the place of {cores, memory} in `size`",
        )
    return {"cores": cores, "memory": f"{memory} MB"}


def _network(request: Mapping[str, Any], to: Carried, provider: str) -> str:
    """Return the name of the network of a request, which is made where it is not there; empty where it has none."""
    field = "networkCidr" if request.get("networkCidr") else "vpcCidr"
    bits = round(number(request.get("bandwidth")) or 0.0)
    if request.get("bandwidth") and not bits:
        to.lose("bandwidth", "is no number of bits a second")
    if not request.get(field):
        if bits:
            to.lose("bandwidth", "is that of a network, and there is no `networkCidr`")
        return ""
    try:
        cidr = ipaddress.IPv4Network(str(request[field]), strict=False)
    except ValueError:
        to.lose(field, "is no IPv4 network")
        return ""
    networks = to.slice["networks"]
    name = next((name for name, rule in networks.items() if rule["cidr"] == str(cidr)), "")
    if not name:
        name = _free("data", networks)
        networks[name] = {"cidr": str(cidr), "spans": []}
        if not cidr.is_private:
            to.lose(
                field, f"{cidr} belongs to somebody: take private addresses; `dynamo slice check` refuses it"
            )
    rule = networks[name]
    if provider not in rule["spans"]:
        rule["spans"].append(provider)
    if bits and rule.setdefault("bandwidth", bandwidth_text(bits)) != bandwidth_text(bits):
        to.lose("bandwidth", f"differs from that of another request in the same network, {rule['bandwidth']}")
    return name


def _lease(request: Mapping[str, Any], to: Carried, group: dict[str, Any], provider: str) -> None:
    begin, end = seconds(request.get("leaseStart")), seconds(request.get("leaseEnd"))
    for name, value in (("leaseStart", begin), ("leaseEnd", end)):
        if request.get(name) and value is None:
            to.lose(name, "is no time in Unix seconds")
    if begin and end and end > begin:
        group["lifetime"] = span_text(round(end - begin))
        to.lose("leaseStart", f"a slice begins when it is applied: that was to be {_time(begin)}")
    elif end:
        to.lose("leaseEnd", f"{_time(end)}: how long that is nobody knows here; give a `lifetime`")
    elif begin:
        to.lose("leaseStart", f"a slice begins when it is applied: that was to be {_time(begin)}")
    if re.match("chameleon", provider) and "kvm" not in provider:
        to.lose(
            "site",
            "bare metal needs a lease of Blazar: make one, and name its reservation in `reservation`",
        )


def _time(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f}"
