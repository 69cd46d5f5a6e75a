"""A plan, and what there is of a slice, in words and as JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dynamo.fleet.older_values import bandwidth_text
from dynamo.fleet.slice import Slice
from dynamo.fleet.slice_offers import price_machine
from dynamo.fleet.slice_steps import Plan, Step
from dynamo.fleet.slice_world import World
from dynamo.graph.units import format_count, format_seconds

__all__ = ["plan_json", "plan_words", "show_json", "show_words", "silence"]


def plan_json(found: Plan) -> dict[str, Any]:
    """Return a plan as JSON values; `changes` counts the steps that something is to be done for."""
    return {**asdict(found), "complete": not found.silent, "changes": len(found.changes)}


def plan_words(found: Plan, slice_: Slice) -> str:
    """Return a plan as lines of text."""
    lines = [_step(one) for one in found.steps]
    if not found.changes:
        known = ", as far as is known" if found.silent else ""
        lines.append(f"nothing is to be done for {found.slice!r}{known}")
    lines += [f"lacking  {one}" for one in found.short]
    money = f"{_usd(found.usd_now)} now, {_usd(found.usd_after)} after, {_usd(found.usd_most)} at most"
    if slice_.limits.usd_per_day < float("inf"):
        money += f", and {slice_.limits.usd_per_day:.2f} USD a day"
    lines.append(f"cost     {money}")
    if found.unpriced:
        lines.append(
            f"         without {format_count(found.unpriced, 'machine')} whose price nobody has said"
        )
    lines.append(f"cores    {found.cores_now} now, {found.cores_after} after")
    lines += silence(found.silent)
    return "\n".join(lines)


def silence(silent: Mapping[str, str]) -> list[str]:
    """Say which providers did not answer."""
    return [
        f"silent   {name} did not answer, so nothing is known of what is there: {why}"
        for name, why in silent.items()
    ]


def _step(one: Step) -> str:
    what = one.name or one.id or (format_count(one.count, "machine") if one.kind == "machine" else one.kind)
    if one.kind == "network" and one.id:
        what = f"network {one.id}"
    way = one.offer.rpartition("/")[2] if one.action == "make" else ""
    parts = [f"{one.action:8} {one.group}: {what} at {one.provider}", f"{one.size} {way}".strip()]
    if one.kind == "machine":
        parts.append(_usd(one.usd_per_hour) + (" each" if one.count > 1 else ""))
    return ", ".join(filter(None, parts)) + (f" ({one.why})" if one.why else "")


def _usd(amount: float | None) -> str:
    return "of unknown price" if amount is None else f"{amount:.2f} USD/h"


def show_json(slice_: Slice, world: World, tunnels: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what there is of a slice as JSON values; `tunnels` are as `dynamo.fleet.tunnel_ends.shown` tells them."""
    machines = []
    for provider, found in world.machines.items():
        for one in found:
            cores, usd = price_machine(slice_, provider, one, world.offerings)
            told = {**asdict(one), "group": one.tags.group, "token": one.tags.token, "provider": provider}
            machines.append({**told, "cores": cores, "usd_per_hour": usd})
            del machines[-1]["tags"]
    networks = [
        {"name": one.tags.group, "provider": provider, "id": one.id, "cidr": one.cidr}
        for provider, found in world.networks.items()
        for one in found
    ]
    return {
        "slice": slice_.name,
        "machines": machines,
        "networks": networks,
        "tunnels": list(tunnels),
        "silent": dict(world.silent),
    }


def show_words(slice_: Slice, world: World, tunnels: Sequence[Mapping[str, Any]], now: float) -> str:
    """Return what there is of a slice as lines of text."""
    found = show_json(slice_, world, tunnels)
    rows: list[tuple[str, ...]] = [
        (
            one["group"], one["name"] or one["id"], one["provider"], one["state"],
            " ".join(filter(None, [one["size"], one["purchase"]])), _usd(one["usd_per_hour"]),
            "" if one["created"] is None else format_seconds(max(now - one["created"], 0.0)),
            ", ".join(one["addresses"]), one["reason"],
        )
        for one in sorted(found["machines"], key=lambda one: (one["group"], one["name"]))
    ]  # fmt: skip
    rows += [("network", one["name"], one["provider"], "", one["cidr"]) for one in found["networks"]]
    rows += [row for one in tunnels for row in _tunnel_rows(one)]
    widths = [max(len(row[n]) for row in rows if n < len(row)) for n in range(max(map(len, rows), default=0))]
    lines = [
        "  ".join(f"{text:{width}}" for text, width in zip(row, widths, strict=False)).rstrip()
        for row in rows
    ]
    if not lines:
        lines = [f"there is nothing of {slice_.name!r}"]
    usd = sum(one["usd_per_hour"] or 0.0 for one in found["machines"] if one["state"] in _PAID)
    there = [one for one in found["machines"] if one["state"] in _PAID]
    if there:
        lines.append(
            f"{format_count(len(there), 'machine')}, {sum(one['cores'] for one in there)} cores, {_usd(usd)}"
        )
    return "\n".join([*lines, *silence(world.silent)])


def _tunnel_rows(one: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Say where a tunnel leads and what goes through it at most, and who comes through."""
    rate = bandwidth_text(one["bandwidth"]) if one["bandwidth"] else ""
    ends = [
        ("through", each["name"], one["name"], "joined" if each["joined"] else "not joined", each["address"])
        for each in one["workers"]
    ]
    return [("tunnel", one["name"], one["hub"], one["state"], rate), *ends]


#: States of machines that may cost money.
_PAID = {"pending", "running", "stopping"}
