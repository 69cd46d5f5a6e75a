"""Neutron of the fake OpenStack: networks and what belongs to them, and what Neutron refuses to take apart."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from tests.cloud.fake_openstack_parts import Answer, Failure, Request, next_link, page

#: Plural, in paths, to singular, and to what may be written when one is made.
KINDS = {
    "networks": ("network", {"name", "description", "provider:physical_network", "provider:network_type"}),
    "subnets": ("subnet", {"name", "description", "network_id", "cidr", "ip_version", "dns_nameservers"}),
    "routers": ("router", {"name", "description", "external_gateway_info"}),
    "security-groups": ("security_group", {"name", "description"}),
    "security-group-rules": (
        "security_group_rule",
        {
            "security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max",
            "remote_ip_prefix",
        },
    ),
    "ports": ("port", set()),
    "policies": ("policy", {"name", "description"}),
}  # fmt: skip
TITLES = {
    "networks": "Network", "subnets": "Subnet", "routers": "Router", "security-groups": "SecurityGroup",
    "security-group-rules": "SecurityGroupRule", "ports": "Port",
    "policies": "QosPolicy",
}  # fmt: skip


def failure(code: int, kind: str, message: str) -> Failure:
    """Return an error as Neutron writes it."""
    return Failure(code, {"NeutronError": {"type": kind, "message": message, "detail": ""}})


class Neutron:
    """Networks, subnets, routers, security groups and their rules, and ports."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.most = 1000
        self.quota: dict[str, int] = {}
        #: What this cloud has beside the core, and whether users may make policies, as only administrators do at first.
        self.extensions = {"qos"}
        self.policies_for_all = True
        self.rules: dict[str, dict[str, dict[str, Any]]] = {}
        self.things: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.outside = self.add("networks", {"name": "public", "description": "", "router:external": True})[
            "id"
        ]
        self.shared = self.add("networks", {"name": "sharednet1", "description": "", "shared": True})["id"]
        self.add("subnets", {"name": "shared", "cidr": "10.52.0.0/22", "network_id": self.shared})

    def answer(self, request: Request) -> Answer:
        """Do what a request asks for."""
        _, version, kind, *rest = request.path.split("/")
        if version == "v2.0" and kind == "extensions" and set(rest) <= self.extensions:
            return Answer(200, {"extension": {"alias": rest[0]}})
        if version == "v2.0" and kind == "qos" and "qos" in self.extensions and rest[:1] == ["policies"]:
            if request.method != "GET" and not self.policies_for_all:
                said = "rule:create_policy is disallowed by policy"
                raise failure(403, "PolicyNotAuthorized", said)
            if rest[2:]:
                return self._rules(request, *rest[1:])
            kind, rest = "policies", rest[1:]
        if version != "v2.0" or kind not in KINDS:
            raise Failure(404, "The resource could not be found.")
        if kind == "routers" and rest[1:]:
            return self._interface(rest[0], rest[1], request.body)
        if rest and request.method == "PUT":
            return self._change(kind, rest[0], request.body[KINDS[kind][0]])
        if rest:
            return self._one(request.method, kind, rest[0])
        if request.method == "POST":
            return self._create(kind, request.body[KINDS[kind][0]])
        return self._list(request, kind)

    def add(self, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Make something, and return it."""
        id_ = str(uuid.uuid4())
        thing = {
            "id": id_,
            "name": "",
            "description": "",
            "project_id": self.project,
            "tenant_id": self.project,
        }
        thing |= {"tags": [], "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
        if kind == "networks":
            thing |= {"status": "ACTIVE", "router:external": False, "shared": False, "admin_state_up": True}
        if kind == "routers":
            thing |= {"status": "ACTIVE", "routes": [], "external_gateway_info": None}
        self.things[kind][id_] = thing | asked
        if kind == "security-groups":
            for family in ("IPv4", "IPv6"):
                self.add("security-group-rules", _rule(id_, family))
        return self.things[kind][id_]

    def port(self, network: str, owner: str, device: str, groups: list[str] | None = None) -> dict[str, Any]:
        """Make a port on a network, with the next address of its subnet."""
        subnet = next(one for one in self.things["subnets"].values() if one["network_id"] == network)
        number = sum(one["network_id"] == network for one in self.things["ports"].values())
        address = str(list(ip_network(subnet["cidr"]).hosts())[number])
        fixed = [{"subnet_id": subnet["id"], "ip_address": address}]
        asked = {"network_id": network, "device_owner": owner, "device_id": device, "fixed_ips": fixed}
        return self.add("ports", {**asked, "security_groups": groups or []})

    def _list(self, request: Request, kind: str) -> Answer:
        filters = {key: value for key, value in request.query.items() if key not in {"limit", "marker"}}
        found = [
            one
            for one in self.things[kind].values()
            if all(str(one.get(key)).lower() == value.lower() for key, value in filters.items())
        ]
        try:
            shown, marker = page(sorted(found, key=lambda one: one["id"]), request.query, self.most)
        except KeyError:
            raise failure(400, "HTTPBadRequest", "The marker could not be found.") from None
        key = kind.replace("-", "_")
        links = {f"{key}_links": next_link(request, marker, "/network")} if marker else {}
        if kind == "networks":
            shown = [{**one, "subnets": self._ids("subnets", network_id=one["id"])} for one in shown]
        if kind == "security-groups":
            shown = [{**one, "security_group_rules": []} for one in shown]
        return Answer(200, {key: shown, **links})

    def _change(self, kind: str, id_: str, asked: dict[str, Any]) -> Answer:
        thing = self.things[kind].get(id_)
        if thing is None:
            raise failure(404, f"{TITLES[kind]}NotFound", f"{TITLES[kind]} {id_} could not be found.")
        policy = asked.get("qos_policy_id")
        if set(asked) != {"qos_policy_id"} or (policy and policy not in self.things["policies"]):
            raise failure(404, "QosPolicyNotFound", f"QoS policy {policy} could not be found.")
        thing.update(asked)
        return Answer(200, {KINDS[kind][0]: thing})

    def _rules(self, request: Request, policy: str, kind: str, *rest: str) -> Answer:
        """Answer what is asked of the limits of a policy."""
        if policy not in self.things["policies"] or kind != "bandwidth_limit_rules":
            raise failure(404, "QosPolicyNotFound", f"QoS policy {policy} could not be found.")
        rules = self.rules.setdefault(policy, {})
        if request.method == "GET":
            return Answer(200, {kind: [dict(one) for one in rules.values()]})
        asked = request.body["bandwidth_limit_rule"]
        if not 0 <= asked["max_kbps"] < 2**31 or asked["direction"] not in {"egress", "ingress"}:
            raise failure(
                400, "HTTPBadRequest", f"Invalid input for max_kbps. Reason: '{asked['max_kbps']}'."
            )
        if request.method == "PUT":
            rules[rest[0]] |= asked
            return Answer(200, {"bandwidth_limit_rule": rules[rest[0]]})
        if any(one["direction"] == asked["direction"] for one in rules.values()):
            said = f"Rule bandwidth_limit with same direction conflicts in QoS Policy {policy}."
            raise failure(409, "QoSRulesConflict", said)
        rule = {"id": str(uuid.uuid4()), "max_burst_kbps": 0, **asked}
        rules[rule["id"]] = rule
        return Answer(201, {"bandwidth_limit_rule": rule})

    def _one(self, method: str, kind: str, id_: str) -> Answer:
        thing = self.things[kind].get(id_)
        if thing is None:
            raise failure(404, f"{TITLES[kind]}NotFound", f"{TITLES[kind]} {id_} could not be found.")
        if method == "DELETE":
            self._check_free(kind, id_)
            del self.things[kind][id_]
            if kind == "security-groups":
                for rule in self._ids("security-group-rules", security_group_id=id_):
                    del self.things["security-group-rules"][rule]
            if kind == "networks":
                for subnet in self._ids("subnets", network_id=id_):
                    del self.things["subnets"][subnet]
            return Answer(204)
        return Answer(200, {KINDS[kind][0]: thing})

    def _check_free(self, kind: str, id_: str) -> None:
        if kind == "policies" and self._ids("networks", qos_policy_id=id_):
            raise failure(
                409, "QosPolicyInUse", f"QoS Policy {id_} is used by network {self._ids('networks')[0]}."
            )
        used: dict[str, Callable[[dict[str, Any]], bool]] = {
            "networks": lambda port: port["network_id"] == id_,
            "subnets": lambda port: any(one["subnet_id"] == id_ for one in port["fixed_ips"]),
            "routers": lambda port: port["device_id"] == id_,
            "security-groups": lambda port: id_ in port["security_groups"],
        }
        test = used.get(kind)
        if test and any(test(port) for port in self.things["ports"].values()):
            said = f"Unable to complete operation on {TITLES[kind].lower()} {id_}. There are one or more ports in use."
            raise failure(409, f"{TITLES[kind]}InUse", said)

    def _create(self, kind: str, asked: dict[str, Any]) -> Answer:
        name, keys = KINDS[kind]
        if unknown := set(asked) - keys:
            raise failure(400, "HTTPBadRequest", f"Unrecognized attribute(s) '{', '.join(sorted(unknown))}'")
        if len(asked.get("description", "")) > 255:
            raise failure(
                400, "HTTPBadRequest", "Invalid input for description. Reason: exceeds maximum length of 255."
            )
        if 0 <= self.quota.get(name, -1) <= len(self.things[kind]):
            raise failure(409, "OverQuota", f"Quota exceeded for resources: ['{name}'].")
        check = {
            "subnets": self._check_subnet,
            "routers": self._check_router,
            "security-group-rules": self._check_rule,
        }
        if kind in check:
            check[kind](asked)
        return Answer(201, {name: self.add(kind, asked)})

    def _check_subnet(self, asked: dict[str, Any]) -> None:
        if asked["network_id"] not in self.things["networks"]:
            raise failure(404, "NetworkNotFound", f"Network {asked['network_id']} could not be found.")
        wanted = ip_network(asked["cidr"])
        for one in self._ids("subnets", network_id=asked["network_id"]):
            if wanted.overlaps(ip_network(self.things["subnets"][one]["cidr"])):
                raise failure(400, "InvalidInput", "Requested subnet overlaps with another subnet.")

    def _check_router(self, asked: dict[str, Any]) -> None:
        network = self.things["networks"].get(asked["external_gateway_info"]["network_id"])
        if network is None or not network["router:external"]:
            raise failure(400, "BadRequest", "Bad router request: Network is not an external network.")

    def _check_rule(self, asked: dict[str, Any]) -> None:
        if asked["security_group_id"] not in self.things["security-groups"]:
            raise failure(404, "SecurityGroupNotFound", "Security group does not exist")
        for rule in self.things["security-group-rules"].values():
            if all(rule.get(key) == value for key, value in asked.items()):
                said = f"Security group rule already exists. Rule id is {rule['id']}."
                raise failure(409, "SecurityGroupRuleExists", said)

    def _interface(self, router: str, what: str, body: dict[str, Any]) -> Answer:
        if router not in self.things["routers"]:
            raise failure(404, "RouterNotFound", f"Router {router} could not be found")
        subnet = self.things["subnets"].get(body["subnet_id"])
        if subnet is None:
            raise failure(404, "SubnetNotFound", f"Subnet {body['subnet_id']} could not be found.")
        joined = [
            port["id"]
            for port in self.things["ports"].values()
            if port["device_id"] == router and port["fixed_ips"][0]["subnet_id"] == subnet["id"]
        ]
        if what == "add_router_interface":
            if joined:
                said = f"Bad router request: Router already has a port on subnet {subnet['id']}."
                raise failure(400, "BadRequest", said)
            port = self.port(subnet["network_id"], "network:router_interface", router)
        elif not joined:
            said = f"Router {router} has no interface on subnet {subnet['id']}"
            raise failure(404, "RouterInterfaceNotFoundForSubnet", said)
        else:
            port = self.things["ports"].pop(joined[0])
        return Answer(200, {"id": router, "subnet_id": subnet["id"], "port_id": port["id"]})

    def _ids(self, kind: str, **match: str) -> list[str]:
        return [
            key
            for key, one in self.things[kind].items()
            if all(one.get(name) == value for name, value in match.items())
        ]


def _rule(group: str, family: str) -> dict[str, Any]:
    """Return the rule that every group of Neutron begins with: whatever goes out may."""
    nothing = dict.fromkeys(("protocol", "port_range_min", "port_range_max", "remote_ip_prefix"))
    return {"security_group_id": group, "direction": "egress", "ethertype": family, **nothing}
