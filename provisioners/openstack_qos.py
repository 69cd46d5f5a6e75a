"""The bandwidth of networks: a QoS policy of Neutron for each, with a limit for either direction.

It holds for each machine's connection by itself, also for machines that are in the network already. A policy carries
our tags and the network's id in its description, as all that belongs to a network does. Neutron lets only
administrators make policies unless its rules say otherwise, which is told in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynamo.provisioners.openstack_calls import Calls

from dynamo.fleet.refusals import AuthError, BadRequestError, GoneError

__all__ = ["Shaping"]

_DIRECTIONS = ("egress", "ingress")
#: What Neutron counts in, in bits a second, and as far as it counts.
_KILO, _MOST = 1000, 2**31 - 1


class Shaping:
    """Shapes networks at one cloud, by its calls."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def check(self, name: str, bandwidth: float | None) -> None:
        """Raise `BadRequestError` where a network is to be shaped, and the cloud cannot: before anything is made."""
        if bandwidth is None:
            return
        if round(bandwidth / _KILO) > _MOST:
            raise BadRequestError(f"network {name}: Neutron counts to {_MOST} kb/s: leave `bandwidth` out")
        try:
            self._calls.get("network", "/extensions/qos")
        except GoneError:
            raise BadRequestError(
                f"network {name}: {self._calls.reach.name} cannot shape networks (Neutron has no extension `qos`): "
                "leave `bandwidth` out"
            ) from None

    def hold(self, network: Mapping[str, Any], bandwidth: float | None, own: Mapping[str, str]) -> None:
        """Have a network shaped to so many bits a second, or not any more."""
        if bandwidth is None:
            if network.get("qos_policy_id"):
                self.lift(network, own)
            return
        try:
            policies = self._policies(own)
            policy = policies[0] if policies else self._make("/qos/policies", "policy", own)
            self._limit(str(policy["id"]), max(round(bandwidth / _KILO), 1))
            if network.get("qos_policy_id") != policy["id"]:
                self._bind(network, str(policy["id"]))
        except AuthError as error:
            raise BadRequestError(
                f"{error.message}: to shape networks, the cloud's administrators must let you make QoS policies; or "
                "leave `bandwidth` out"
            ) from None

    def lift(self, network: Mapping[str, Any], own: Mapping[str, str]) -> None:
        """Take away what shapes a network."""
        for policy in self._policies(own):
            if network.get("qos_policy_id") == policy["id"]:
                self._bind(network, None)
            self._calls.delete("network", f"/qos/policies/{policy['id']}")

    def bandwidth(self, network: Mapping[str, Any], own: Mapping[str, str]) -> float:
        """Return the bits a second that we have shaped a network to, in both directions; 0 for no limit."""
        id_ = network.get("qos_policy_id")
        if not id_ or id_ not in {one["id"] for one in self._policies(own)}:
            return 0.0
        rates = {str(one["direction"]): float(one["max_kbps"]) for one in self._rules(str(id_))}
        return _KILO * rates["egress"] if len({rates.get(one) for one in _DIRECTIONS}) == 1 and rates else 0.0

    def _limit(self, policy: str, rate: int) -> None:
        """Have just one rule for each direction."""
        path = f"/qos/policies/{policy}/bandwidth_limit_rules"
        there = {str(one.get("direction")): one for one in self._rules(policy)}
        for direction in _DIRECTIONS:
            asked = {"max_kbps": rate, "direction": direction}
            rule = there.get(direction)
            if rule is None:
                self._make(path, "bandwidth_limit_rule", asked)
            elif rule["max_kbps"] != rate:
                self._calls.put("network", f"{path}/{rule['id']}", {"bandwidth_limit_rule": asked})

    def _bind(self, network: Mapping[str, Any], policy: str | None) -> None:
        self._calls.put("network", f"/networks/{network['id']}", {"network": {"qos_policy_id": policy}})

    def _policies(self, own: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """Return the policies of a network, in an order that stays; none where the cloud knows of none at all."""
        try:
            found = self._calls.every(
                "network", "/qos/policies", "policies", {"description": own["description"]}
            )
        except GoneError:
            return ()
        mine = [one for one in found if one.get("description") == own["description"]]
        return sorted(mine, key=lambda one: str(one["id"]))

    def _rules(self, policy: str) -> Sequence[Mapping[str, Any]]:
        path = f"/qos/policies/{policy}/bandwidth_limit_rules"
        return self._calls.every("network", path, "bandwidth_limit_rules")

    def _make(self, path: str, key: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._calls.make("network", path, key, {key: dict(asked)})
