"""What a machine is told when it first starts: cloud-init's user data, as text.

Pure. The only secret in it is a join token, which is good once, for a short time, and for this worker alone.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any

import yaml

from dynamo.errors import UserError
from dynamo.fleet.slice import Role

__all__ = ["SILENT_QUEUE", "STOCK_DEBIAN", "USER_DATA_LIMIT", "Install", "WorkerStart", "user_data"]

#: Bytes that EC2 takes, the least of all clouds.
USER_DATA_LIMIT = 16 * 1024
#: Seconds without a word of the pool after which an access point that has joined ends itself.
SILENT_QUEUE = 7200.0
#: What cloud-init runs each time that the machine starts, and the first time before it joins.
_AT_BOOT = "/var/lib/cloud/scripts/per-boot/dynamo-shape"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+~=<>,\[\]-]*")
_OWNER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")

_UNIT = """[Unit]
Description=Switches this machine off when nobody needs it
[Service]
Type=oneshot
TimeoutStartSec=infinity
KillMode=process
ExecStart=/usr/local/sbin/dynamo-deadman check
"""
_TIMER = """[Unit]
Description=Looks whether this machine is still needed
[Timer]
OnActiveSec=1
OnBootSec=120
OnUnitInactiveSec={check}
AccuracySec=1
[Install]
WantedBy=timers.target
"""
#: When the machine is started again: the first time, the tunnel comes with joining.
_TUNNEL = """[Unit]
Description=Tunnel to the pool
Wants=network-online.target
After=network-online.target
Before=condor.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/dynamo-tunnel up
[Install]
WantedBy=multi-user.target
"""
#: The switch is armed before anything is fetched or asked for: a machine that hangs in that ends itself too.
_ARM = """if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl enable --now dynamo-deadman.timer
else
  setsid /usr/local/sbin/dynamo-deadman watch < /dev/null >> /var/log/dynamo-worker.log 2>&1 &
fi
"""


@dataclass(frozen=True, slots=True)
class Install:
    """What the machine's image lacks, and fetches when it starts; nothing for an image that was made for this.

    Parameters
    ----------
    apt
        Packages of Debian.
    pip
        Packages of Python, into ``/opt/dynamo``; ``dynamo`` and ``dynamo-worker`` there are then found by jobs.
    """

    apt: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()

    def script(self) -> str:
        """Return what fetches it; empty where there is nothing to fetch."""
        lines = []
        if self.apt:
            lines += [
                "export DEBIAN_FRONTEND=noninteractive",
                "apt-get -o DPkg::Lock::Timeout=300 update -qq",
                f"apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends {' '.join(self.apt)}",
            ]
        if self.pip:
            lines += [
                "python3 -m venv /opt/dynamo",
                f"/opt/dynamo/bin/pip install --quiet {shlex.join(self.pip)}",
                "ln -sf /opt/dynamo/bin/dynamo /opt/dynamo/bin/dynamo-worker /usr/local/bin/",
            ]
        return "\n".join([*lines, ""]) if lines else ""


#: For the image that Debian publishes for clouds.
STOCK_DEBIAN = Install(
    apt=("ca-certificates", "condor", "curl", "iproute2", "procps", "python3-venv"), pip=("dynamo-weather",)
)


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """All that a worker needs to know to join, and to end itself.

    Parameters
    ----------
    name, order
        Its name, and the token of its order, which are in its ad in the pool too.
    join_url
        Where its join token is exchanged: ``https://...``.
    certificate
        Of that service, PEM: no other is believed.
    join_token
        Good once; see `dynamo.fleet.join`.
    lifetime
        Seconds after which the machine ends itself.
    silent
        Seconds without a word of the pool, after which it does too; also how long it may take to join.
    grace
        Seconds that its jobs have to end then.
    check
        Seconds between two looks of the dead-man switch.
    owner
        Whom jobs run as: the user who submits them, made where the image does not know him.
    install
        What the image lacks.
    tunnel
        Whether it comes to the pool through a tunnel.
    bandwidth
        Bits a second that it holds its connection to, both ways; 0 for none, or where its provider does so.
    role
        What it is to the pool. An access point holds a queue: once it has joined, it outlives a pool that is silent for
        `SILENT_QUEUE` seconds.
    """

    name: str
    order: str
    join_url: str
    certificate: str
    join_token: str = field(repr=False)
    lifetime: float = 12 * 3600.0
    silent: float = 600.0
    grace: float = 300.0
    check: float = 30.0
    owner: str = "dynamo"
    install: Install = Install()
    tunnel: bool = False
    role: Role = "worker"
    bandwidth: float = 0.0


def user_data(start: WorkerStart) -> str:
    """Return the user data of a worker, or an access point.

    Raises `UserError` where something of it cannot be: a name with other signs, times that are not above 0, more than
    16 KiB in all.
    """
    _check(start)
    text = "#cloud-config\n" + yaml.dump(
        _cloud_config(start), Dumper=_Dumper, sort_keys=False, width=200, allow_unicode=True
    )
    size = len(text.encode())
    if size > USER_DATA_LIMIT:
        raise UserError(
            f"the user data of {start.name} would have {size} bytes, and EC2 takes {USER_DATA_LIMIT} at most: make an "
            f"image that has the packages, instead of {len(start.install.apt) + len(start.install.pip)} to install"
        )
    return text


def _cloud_config(start: WorkerStart) -> dict[str, Any]:
    install = start.install
    if start.tunnel and install.apt:
        install = replace(install, apt=(*install.apt, "iproute2", "wireguard-tools"))
    fetch = install.script()
    written = [
        _file("/etc/dynamo/worker.conf", _settings(start), "0644"),
        _file("/etc/dynamo/join.pem", start.certificate, "0644"),
        _file("/etc/dynamo/join.token", f"{start.join_token}\n", "0600"),
        _file("/usr/local/sbin/dynamo-join", _script("join.sh"), "0755"),
        _file("/usr/local/sbin/dynamo-deadman", _script("deadman.sh"), "0755"),
        _file("/etc/systemd/system/dynamo-deadman.service", _UNIT, "0644"),
        _file("/etc/systemd/system/dynamo-deadman.timer", _TIMER.format(check=int(start.check)), "0644"),
        *(_tunnel() if start.tunnel else ()),
        *([_file(_AT_BOOT, _script("shape.sh"), "0755")] if start.bandwidth else ()),
    ]
    return {
        "hostname": start.name,
        "users": ["default", {"name": start.owner, "lock_passwd": True, "shell": "/bin/sh"}],
        "write_files": written,
        "runcmd": [
            ["sh", "-c", _ARM],
            *([["sh", "-c", fetch]] if fetch else []),
            ["sh", "-c", "/usr/local/sbin/dynamo-join >> /var/log/dynamo-worker.log 2>&1"],
        ],
    }


def _tunnel() -> Sequence[dict[str, str]]:
    return (
        _file("/usr/local/sbin/dynamo-tunnel", _script("tunnel.sh"), "0755"),
        _file("/etc/systemd/system/dynamo-tunnel.service", _TUNNEL, "0644"),
    )


def _settings(start: WorkerStart) -> str:
    """Return the settings that both scripts read, as a shell understands them."""
    values: Mapping[str, object] = {
        "WORKER": start.name,
        "ORDER": start.order,
        "JOIN_URL": start.join_url,
        "LIFETIME": int(start.lifetime),
        "SILENT": int(start.silent),
        "PATIENT": int(start.silent if start.role == "worker" else max(start.silent, SILENT_QUEUE)),
        "OWNER": start.owner,
        "ADS": "" if start.role == "worker" else "-schedd",
        "GRACE": int(start.grace),
        "CHECK": int(start.check),
        **({"TUNNEL": "yes"} if start.tunnel else {}),
        **({"BANDWIDTH": int(start.bandwidth)} if start.bandwidth else {}),
    }
    return "".join(f"DYNAMO_{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def _file(path: str, content: str, mode: str) -> dict[str, str]:
    return {"path": path, "permissions": mode, "content": content}


def _script(name: str) -> str:
    return (files("dynamo.fleet") / name).read_text()


def _check(start: WorkerStart) -> None:
    """Refuse what a shell, HTCondor or cloud-init would take for something else."""
    for what, value, form in (
        ("name", start.name, _NAME),
        ("order", start.order, _NAME),
        ("owner", start.owner, _OWNER),
        ("join token", start.join_token, re.compile(r"[A-Za-z0-9_-]{20,200}")),
        ("address to join at", start.join_url, re.compile(r"https://[A-Za-z0-9.:\[\]-]+/[A-Za-z0-9/_-]*")),
        *(("package", one, _WORD) for one in (*start.install.apt, *start.install.pip)),
    ):
        if not form.fullmatch(value):
            shown = "that was given" if what == "join token" else repr(value)
            raise UserError(f"the {what} {shown} of a worker has signs that it may not have")
    for what, seconds in (("lifetime", start.lifetime), ("silent", start.silent), ("check", start.check)):
        if not 1 <= seconds < 10**9:
            raise UserError(f"{what} of the worker {start.name}: {seconds:g} s is not a time from 1 s up")
    if not 0 <= start.grace < 10**9:
        raise UserError(f"grace of the worker {start.name}: {start.grace:g} s is not a time")


#: Writes scripts as they are, line by line; by libyaml, where that is there, ten times as fast.
_Dumper: Any = type("_Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {})


def _as_block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _as_block)
