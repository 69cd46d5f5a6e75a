"""What may stand in a slice document: the single source of its JSON Schema and of every check of a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

from dynamo.fleet.offering import Purchase
from dynamo.fleet.slice import (
    Measure,
    NetworkRule,
    NodeGroup,
    NodeOffer,
    PoolRule,
    ProviderRule,
    Role,
    Slice,
    SliceLimits,
    TunnelRule,
)
from dynamo.fleet.slice_values import each, memory, named, option, parse_bandwidth, port, tuple_of, usd, whole
from dynamo.graph.units import parse_duration
from dynamo.runfile.keys import (
    COUNT,
    DURATION,
    KEYS,
    NEEDED,
    OTHERS,
    TEXT,
    TEXTS,
    Key,
    form_of,
    mapping,
    one_of,
    rule,
)
from dynamo.runfile.values import At, Tell, by, choice, count, text, texts

__all__ = ["read_slice"]


def _size(value: Any, at: At, tell: Tell) -> Any:
    if isinstance(value, dict):
        return mapping(Measure, value, at, tell)
    if not isinstance(value, str):
        tell.expected("the name of a size, or {cores: ..., memory: ...}", value, at)
        return value
    return text(value, at, tell)


def _role(value: Any, at: At, tell: Tell) -> Any:
    if value == "manager":
        tell(
            at,
            "a slice joins a pool that is there, and makes no central manager: `dynamo pool up` makes a pool on this "
            "machine, and `pool` names the one to join; leave this group out",
        )
        return "submit"
    return choice(_ROLES)(value, at, tell)


def _group(value: Any, at: At, tell: Tell) -> Any:
    """Read a group; what stands beside it of one offer is the only one."""
    if not isinstance(value, dict):
        tell.expected("a mapping", value, at)
        return None
    own = {name: inner for name, inner in value.items() if name in _OFFER and name != "image"}
    before = len(tell)
    group = mapping(NodeGroup, {name: inner for name, inner in value.items() if name not in own}, at, tell)
    if "offers" not in value:
        offer = mapping(NodeOffer, own, at, tell)
        group = replace(group, offers=(offer,)) if offer else None
    elif own:
        tell(
            (*at, next(iter(own))), "stands beside 'offers', which say it each for themselves: leave one out"
        )
    if len(tell) == before:
        _how_many(value, at, tell)
    return group


def _how_many(value: Mapping[str, Any], at: At, tell: Tell) -> None:
    elastic = [name for name in ("min", "max", "warm") if name in value]
    if "count" in value and elastic:
        tell((*at, elastic[0]), "stands beside 'count', which is how many there are always: leave one out")
    elif "count" not in value and "max" not in value:
        tell(at, "says not how many: give 'count', or 'max' for a group that grows and shrinks")


def _schema(form: Mapping[str, Any], values: str = "object") -> dict[str, Any]:
    if values == "object":
        return {"type": "object", "additionalProperties": dict(form)}
    return {"type": "array", "items": dict(form)}


def _needs(*keys: str) -> list[dict[str, list[str]]]:
    return [{"required": [key]} for key in keys]


_WHOLE = {"type": "integer", "minimum": 0}
_USD = {"type": "number", "minimum": 0}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_SIZE = one_of(TEXT, form_of(Measure))
_PURCHASES, _ROLES = get_args(Purchase), get_args(Role)
_GROUP = {
    **form_of(NodeGroup),
    "allOf": [{"oneOf": _needs("count", "max")}, {"oneOf": _needs("provider", "offers")}],
}

#: What an offer says; a group of only one says it itself.
_OFFER = {
    "provider": Key(text, TEXT, "Name of the provider that sells it."),
    "size": Key(
        _size, _SIZE, "What the provider calls it, like c7i.4xlarge; or {cores, memory}, made to measure."
    ),
    "purchase": Key(
        choice(_PURCHASES),
        {"enum": list(_PURCHASES)},
        "How it is bought: reserved where there is a `reservation`, else on-demand by default.",
    ),
    "max_price": Key(usd, _USD, "US dollars an hour that are paid for spot at most."),
    "reservation": Key(
        text, TEXT, "Id of what was reserved before: a Blazar lease's, a capacity reservation's."
    ),
    "usd_per_hour": Key(
        usd, _USD, "Its price in US dollars an hour, where the catalogue has none or another."
    ),
    "image": Key(text, TEXT, "What machines start from, in the provider's words."),
}
KEYS.update(
    {
        Measure: {
            "cores": Key(count, COUNT, "How many cores."),
            "memory": Key(by(memory), TEXT, "How much memory, like 4 GiB."),
        },
        PoolRule: {
            "central_manager": Key(text, TEXT, "Host, or host:port, of the central manager."),
            "trust_domain": Key(text, TEXT, "The trust domain in which its tokens are good."),
            "name": Key(text, TEXT, "A pool of `dynamo pool up` on this machine, in the place of these two."),
            "join": Key(text, TEXT, "Where machines reach this one to join the pool: host, or host:port."),
        },
        ProviderRule: {
            "driver": Key(
                text, TEXT, "Which kind of provider: local, docker, ec2, openstack, or one that is installed."
            ),
            "region": Key(text, TEXT, "Where, in the words of the cloud."),
            "credentials": Key(
                text,
                TEXT,
                "Where its credentials are: env:PREFIX, profile:NAME or cloud:NAME; never a secret itself.",
            ),
        },
        TunnelRule: {
            "hub": Key(
                text,
                TEXT,
                "Where machines reach the central manager by UDP, as host:port: its end of the tunnel.",
            ),
            "from": Key(
                tuple_of(texts),
                one_of(TEXT, TEXTS),
                "Providers whose machines come through it; all of `spans` by default.",
                "providers",
            ),
            "to": Key(
                tuple_of(texts),
                one_of(TEXT, TEXTS),
                "What they reach through it beside the hub, as CIDRs: access points of the pool. One of `dynamo pool` "
                "is known.",
            ),
        },
        NetworkRule: {
            "cidr": Key(text, TEXT, "Its addresses, private ones, like 192.168.10.0/24."),
            "spans": Key(
                tuple_of(texts),
                one_of(TEXT, TEXTS),
                "Names of the providers where it is; each has a part of it.",
            ),
            "bandwidth": Key(
                by(parse_bandwidth), TEXT, "What each machine's connection is shaped to, like 500 Mb/s."
            ),
            "ports": Key(
                each(port),
                _schema(_PORT, "array"),
                "TCP ports that machines of the slice reach on each other; [9618].",
            ),
            "udp": Key(each(port), _schema(_PORT, "array"), "UDP ports, likewise; none."),
            "peers": Key(
                tuple_of(texts),
                one_of(TEXT, TEXTS),
                "Addresses outside of the slice that may reach those ports, as CIDRs.",
            ),
            "tunnel": Key(
                rule(TunnelRule),
                form_of(TunnelRule),
                "How machines come to the pool where nothing else leads there; `bandwidth` is then that of the tunnel.",
            ),
        },
        NodeOffer: {
            **_OFFER,
            "max": Key(count, COUNT, "How many machines are bought by it at most.", "at_most"),
        },
        NodeGroup: {
            "role": Key(
                _role,
                {"enum": list(_ROLES), "default": "worker"},
                "What its machines are to the pool.",
            ),
            "count": Key(whole, _WHOLE, "How many machines, always."),
            "min": Key(whole, _WHOLE, "How many machines at least."),
            "max": Key(count, COUNT, "How many machines at most."),
            "warm": Key(whole, _WHOLE, "How many machines are kept without work, for what may come."),
            **_OFFER,
            "offers": Key(
                each(rule(NodeOffer)),
                {**_schema(form_of(NodeOffer), "array"), "minItems": 1},
                "Ways to buy its machines, best first.",
            ),
            "networks": Key(
                tuple_of(texts), one_of(TEXT, TEXTS), "Names of the networks that its machines are in."
            ),
            "lifetime": Key(
                by(parse_duration), DURATION, "After how long a machine ends, like 12 h; never by default."
            ),
            "idle": Key(
                by(parse_duration),
                DURATION,
                "How long a machine without a job is kept, like 10 min, which is the default.",
            ),
        },
        SliceLimits: {
            "cores": Key(count, COUNT, "Cores that all machines have together at most."),
            "usd_per_hour": Key(usd, _USD, "US dollars that all machines cost an hour at most."),
            "usd_per_day": Key(
                usd, _USD, "US dollars that all machines cost a day at most, from midnight UTC."
            ),
        },
        Slice: {
            "slice": Key(text, TEXT, "Its name, which every machine and network of it has as a tag.", "name"),
            "pool": Key(rule(PoolRule), form_of(PoolRule), "The HTCondor pool that the machines join."),
            "providers": Key(
                named(rule(ProviderRule), "providers"), _schema(form_of(ProviderRule)), "Clouds, by name."
            ),
            "networks": Key(
                named(rule(NetworkRule), "networks"), _schema(form_of(NetworkRule)), "Networks, by name."
            ),
            "nodes": Key(named(_group, "groups of nodes"), _schema(_GROUP), "Groups of machines, by name."),
            "limits": Key(
                rule(SliceLimits), form_of(SliceLimits), "What all machines may have and cost together."
            ),
        },
    }
)
NEEDED.update(
    {
        Measure: ("cores", "memory"),
        ProviderRule: ("driver",),
        TunnelRule: ("hub",),
        NetworkRule: ("cidr", "spans"),
        NodeOffer: ("provider", "size"),
        Slice: ("slice", "providers", "nodes"),
    }
)
OTHERS[ProviderRule] = Key(
    option, {"type": ["string", "number", "boolean"]}, "A key that only its driver knows.", "options"
)


def read_slice(value: Mapping[str, Any]) -> tuple[Slice | None, Tell]:
    """Return what a document says (None without what it cannot do without), and what is wrong with it."""
    tell = Tell()
    found: Slice | None = mapping(Slice, value, (), tell)
    return found, tell
