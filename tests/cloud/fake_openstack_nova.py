"""Nova of the fake OpenStack: servers, flavors, limits."""

from __future__ import annotations

import base64
import uuid
from typing import Any

from tests.cloud.fake_openstack_parts import Answer, Failure, Request, next_link, page

#: What Nova's schema of ``POST /servers`` at version 2.1 knows of what is used here.
KEYS = {
    "name", "flavorRef", "imageRef", "metadata", "user_data", "config_drive", "networks", "security_groups", "key_name",
    "availability_zone",
}  # fmt: skip
NAMES = {400: "badRequest", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest"}


def failure(code: int, message: str) -> Failure:
    """Return an error as Nova writes it."""
    return Failure(code, {NAMES[code]: {"code": code, "message": message}})


class Nova:
    """Servers; each stays in BUILD until `boot`, `fail` or `power_off` is called."""

    def __init__(self, cloud: Any, project: str) -> None:
        self.cloud = cloud
        self.project = project
        self.servers: dict[str, dict[str, Any]] = {}
        self.user_data: dict[str, str] = {}
        self.hints: dict[str, dict[str, Any]] = {}
        self.most = 1000
        self.slow_deletes = False
        self.quota = {"instances": -1, "cores": -1, "ram": -1}
        self.flavors = [
            {"id": "1", "name": "m1.tiny", "vcpus": 1, "ram": 512, "disk": 1},
            {"id": "3", "name": "m3.medium", "vcpus": 8, "ram": 30720, "disk": 60},
            {"id": "b", "name": "baremetal", "vcpus": 48, "ram": 196608, "disk": 220},
            {"id": "0", "name": "no-cores", "vcpus": 0, "ram": 0, "disk": 0},
        ]

    def answer(self, request: Request) -> Answer:
        """Do what a request asks for."""
        path = request.path.removeprefix("/v2.1")
        if (request.method, path) == ("GET", "/servers/detail"):
            listed = sorted(self.servers.values(), key=lambda one: (one["created"], one["id"]), reverse=True)
            return self._listed(request, "servers", listed)
        if (request.method, path) == ("POST", "/servers"):
            return self._create(request)
        if path.startswith("/servers/"):
            return self._one(request, path.removeprefix("/servers/"))
        if path == "/flavors/detail":
            flavors = [
                {
                    **one,
                    "swap": "",
                    "OS-FLV-DISABLED:disabled": False,
                    "OS-FLV-EXT-DATA:ephemeral": 0,
                    "links": [],
                }
                for one in self.flavors
            ]
            return self._listed(request, "flavors", flavors)
        if path == "/limits":
            return Answer(200, {"limits": {"rate": [], "absolute": self._absolute()}})
        raise failure(404, "The resource could not be found.")

    def boot(self, id_: str) -> None:
        """Have a server come up, or fail where its reservation is not there now."""
        wanted = self.hints[id_].get("reservation")
        if wanted and not self.cloud.blazar.active(wanted):
            self.fail(id_, "No valid host was found. There are not enough hosts available.")
            return
        server = self.servers[id_]
        ports = [port for port in self.cloud.neutron.things["ports"].values() if port["device_id"] == id_]
        server["status"] = "ACTIVE"
        server["OS-EXT-STS:task_state"] = None
        for port in ports:
            network = self.cloud.neutron.things["networks"][port["network_id"]]["name"]
            fixed = {"addr": port["fixed_ips"][0]["ip_address"], "version": 4, "OS-EXT-IPS:type": "fixed"}
            server["addresses"].setdefault(network, []).append(fixed)

    def fail(self, id_: str, message: str) -> None:
        """Have a server end in ERROR."""
        self.servers[id_]["status"] = "ERROR"
        self.servers[id_]["fault"] = {"code": 500, "created": "2026-01-01T00:00:10Z", "message": message}

    def finish_deletes(self) -> None:
        """Have what is being deleted be gone."""
        for id_ in [key for key, one in self.servers.items() if one["OS-EXT-STS:task_state"] == "deleting"]:
            self._remove(id_)

    def stranger(self, **metadata: str) -> str:
        """Make a server that is not of the fleet, and return its id."""
        return self._new("somebody-elses", {"id": "1"}, "img", metadata)["id"]

    def _listed(self, request: Request, key: str, things: list[dict[str, Any]]) -> Answer:
        try:
            shown, marker = page(things, request.query, self.most)
        except KeyError:
            raise failure(400, f"marker [{request.query['marker']}] not found") from None
        links = {f"{key}_links": next_link(request, marker, "/compute")} if marker else {}
        return Answer(200, {key: shown, **links})

    def _one(self, request: Request, id_: str) -> Answer:
        server = self.servers.get(id_)
        if server is None:
            raise failure(404, f"Instance {id_} could not be found.")
        if request.method == "DELETE":
            server["OS-EXT-STS:task_state"] = "deleting"
            if not self.slow_deletes:
                self._remove(id_)
            return Answer(204)
        return Answer(200, {"server": server})

    def _remove(self, id_: str) -> None:
        del self.servers[id_]
        ports = self.cloud.neutron.things["ports"]
        for port in [key for key, one in ports.items() if one["device_id"] == id_]:
            del ports[port]

    def _create(self, request: Request) -> Answer:
        asked = request.body["server"]
        self._check(asked)
        flavor = next((one for one in self.flavors if one["id"] == asked["flavorRef"]), None)
        if flavor is None:
            raise failure(400, f"Flavor {asked['flavorRef']} could not be found.")
        if asked["imageRef"] not in {one["id"] for one in self.cloud.glance.images}:
            raise failure(400, "Invalid imageRef provided.")
        networks = self._networks(asked)
        self._check_quota(flavor)
        groups = [one["name"] for one in asked.get("security_groups", [])]
        known = self.cloud.neutron.things["security-groups"]
        for one in groups:
            if one not in known:
                raise failure(400, f"Unable to find security_group with name or id '{one}'")
        server = self._new(asked["name"], flavor, asked["imageRef"], asked.get("metadata", {}))
        self.user_data[server["id"]] = base64.b64decode(asked.get("user_data", "")).decode()
        self.hints[server["id"]] = request.body.get("os:scheduler_hints", {})
        for network in networks:
            self.cloud.neutron.port(network, "compute:nova", server["id"], groups)
        made = {
            "id": server["id"],
            "links": server["links"],
            "OS-DCF:diskConfig": "MANUAL",
            "adminPass": "zT5",
        }
        return Answer(
            202, {"server": {**made, "security_groups": [{"name": one} for one in groups or ["default"]]}}
        )

    def _new(self, name: str, flavor: dict[str, Any], image: str, metadata: dict[str, str]) -> dict[str, Any]:
        id_ = str(uuid.uuid4())
        number = len(self.servers)
        self.servers[id_] = {
            "id": id_, "name": name, "status": "BUILD", "metadata": metadata, "addresses": {}, "hostId": "",
            "created": f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z",
            "updated": "2026-01-01T00:00:00Z", "tenant_id": self.project, "user_id": "u1", "key_name": None,
            "accessIPv4": "", "accessIPv6": "", "config_drive": "True", "progress": 0,
            "flavor": {"id": flavor["id"], "links": []}, "image": {"id": image, "links": []},
            "links": [{"rel": "self", "href": f"{self.cloud.url}/compute/v2.1/servers/{id_}"}],
            "OS-DCF:diskConfig": "MANUAL", "OS-EXT-STS:task_state": "scheduling", "OS-EXT-STS:vm_state": "building",
            "OS-EXT-STS:power_state": 0, "OS-EXT-AZ:availability_zone": "nova",
        }  # fmt: skip
        self.hints.setdefault(id_, {})
        return self.servers[id_]

    def _check(self, asked: dict[str, Any]) -> None:
        """Refuse what Nova's schema does, with the value in the message, as it does."""
        for key, value in asked.items():
            if key not in KEYS:
                raise failure(400, f"Additional properties are not allowed ('{key}' was unexpected)")
            if key == "user_data" and len(value) > 65535:
                raise failure(
                    400, f"Invalid input for field/attribute {key}. Value: {value}. '{value}' is too long"
                )
        for key, value in asked.get("metadata", {}).items():
            if not isinstance(value, str) or len(key) > 255 or len(value) > 255:
                raise failure(400, f"Invalid input for field/attribute metadata. Value: {value}.")

    def _networks(self, asked: dict[str, Any]) -> list[str]:
        networks = self.cloud.neutron.things["networks"]
        if "networks" in asked:
            for one in asked["networks"]:
                if one["uuid"] not in networks:
                    raise failure(400, f"Network {one['uuid']} could not be found.")
            return [one["uuid"] for one in asked["networks"]]
        usable = [one["id"] for one in networks.values() if not one["router:external"]]
        if len(usable) > 1:
            raise failure(409, "Multiple possible networks found, use a Network ID to be more specific.")
        return usable

    def _check_quota(self, flavor: dict[str, Any]) -> None:
        used = self._absolute()
        for what, each, key in (
            ("instances", 1, "totalInstancesUsed"),
            ("cores", flavor["vcpus"], "totalCoresUsed"),
            ("ram", flavor["ram"], "totalRAMUsed"),
        ):
            most = self.quota[what]
            if 0 <= most < used[key] + each:
                said = f"Requested {each}, but already used {used[key]} of {most} {what}"
                raise failure(403, f"Quota exceeded for {what}: {said}")

    def _absolute(self) -> dict[str, int]:
        by_id = {one["id"]: one for one in self.flavors}
        flavors = [by_id[one["flavor"]["id"]] for one in self.servers.values()]
        return {
            "maxTotalInstances": self.quota["instances"], "totalInstancesUsed": len(flavors),
            "maxTotalCores": self.quota["cores"], "totalCoresUsed": sum(one["vcpus"] for one in flavors),
            "maxTotalRAMSize": self.quota["ram"], "totalRAMUsed": sum(one["ram"] for one in flavors),
            "maxServerMeta": 128, "maxTotalKeypairs": 100,
        }  # fmt: skip
