"""The hub's end of tunnels: has the central manager make, change and take them away.

Its private key is made there and stays there; what comes back is the public one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

from dynamo.errors import InfrastructureError
from dynamo.fleet.trust import CentralManager
from dynamo.fleet.tunnel import PUBLIC_KEY, Peer, Tunnel, filter_text, peers_text

__all__ = ["Hub"]

_FOLDER = "/var/lib/dynamo-tunnel"
_SCRIPT = f"{_FOLDER}/hub.sh"


class Hub:
    """The central manager as the end of tunnels.

    Parameters
    ----------
    manager
        Has commands run there, as root.
    """

    def __init__(self, manager: CentralManager) -> None:
        self._manager = manager

    def up(self, tunnel: Tunnel, peers: Sequence[Peer]) -> str:
        """Have a tunnel as it shall be, with these and no others in it, and return the hub's public key.

        What fits already stays: who comes through notices nothing. Raises `InfrastructureError`.
        """
        rate, burst = tunnel.shape
        bits = tunnel.addresses.rpartition("/")[2]
        try:
            self._lay()
            self._manager.write(f"{_FOLDER}/{tunnel.device}.peers", peers_text(peers))
            self._manager.write(f"{_FOLDER}/{tunnel.device}.nft", filter_text(tunnel))
            command = ["up", tunnel.device, str(tunnel.port), f"{tunnel.hub}/{bits}", str(rate), str(burst)]
            public = self._manager.run(["sh", _SCRIPT, *command]).strip()
        except InfrastructureError as error:
            raise InfrastructureError(
                f"the tunnel {tunnel.name} cannot be had at the central manager, which needs the right to (a pool of "
                f"dynamo pool: dynamo pool up --tunnel ADDRESS:{tunnel.port}): {error.message}"
            ) from error
        if not PUBLIC_KEY.fullmatch(public):
            raise InfrastructureError(f"the central manager gave no public key for the tunnel {tunnel.name}")
        return public

    def rates(self) -> dict[str, int]:
        """Return the devices that there are, each with the bits a second that it is held to; 0 for no bound."""
        self._lay()
        told = (line.split() for line in self._manager.run(["sh", _SCRIPT, "show"]).splitlines())
        return {device: _bits(rate) for device, rate in told}

    def _lay(self) -> None:
        self._manager.run(["mkdir", "-p", "-m", "0700", _FOLDER])
        self._manager.write(_SCRIPT, (files("dynamo.fleet") / "tunnel_hub.sh").read_text())

    def down(self, device: str) -> None:
        """Take a tunnel away with its key; one that is not there is no error. Raises `InfrastructureError`."""
        self._lay()
        self._manager.run(["sh", _SCRIPT, "down", device])


def _bits(text: str) -> int:
    """Return the bits a second of a rate as the kernel's `tc` tells it, like ``1500Kbit``."""
    match = re.fullmatch(r"(\d+)([KMGT]?)bit", text)
    return int(match[1]) * 1000 ** " KMGT".index(match[2] or " ") if match else 0
