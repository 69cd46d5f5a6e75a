"""The files of a worker on this machine: those of its user data, and what stands in for the rest of a machine."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from dynamo.provisioners import local_processes

from dynamo.fleet.machine import MachineSpec
from dynamo.fleet.refusals import BadRequestError

__all__ = ["BOOT", "of"]

#: What is run first, in a worker's root.
BOOT = "usr/local/sbin/boot"
_SETTINGS = "etc/dynamo/worker.conf"
#: What the settings of a worker say of the ads by which the pool knows it: they are the usual ones.
_OF_WORKER = re.compile(r"^DYNAMO_ADS=(''|\"\")?$", re.MULTILINE)
_JOIN, _SWITCH, _OFF = (f"usr/local/sbin/{name}" for name in ("dynamo-join", "dynamo-deadman", "poweroff"))

#: A machine's boot, in small: the switch is armed before anything is asked for.
_BOOT = f"""#!/bin/sh
: > "$DYNAMO_ROOT/booted"
"$DYNAMO_ROOT/{_SWITCH}" watch &
exec "$DYNAMO_ROOT/{_JOIN}"
"""
#: All processes of this worker are ended, also those that a job left behind; thrice, for one may just have had a child.
_POWEROFF = """#!/bin/sh
for round in 1 2 3; do
  for one in $(grep -lzF -e "DYNAMO_ROOT=$DYNAMO_ROOT" -e "_CONDOR_SCRATCH_DIR=$DYNAMO_ROOT/" \\
    /proc/[0-9]*/environ 2> /dev/null | cut -d / -f 3); do
    [ "$one" = $$ ] || kill -KILL "$one" 2> /dev/null
  done
done
"""
#: HTCondor's folders below the worker's own, and no word of what it is configured for on this machine otherwise.
_CONDOR = """# A worker of the fleet on this machine, beside whatever else HTCondor does here.
{programs}
LOCAL_DIR = {root}
LOCAL_CONFIG_DIR = $(LOCAL_DIR)/etc/condor/config.d
LOCAL_CONFIG_FILE = $(LOCAL_DIR)/etc/condor/last.conf
USER_CONFIG_FILE =
LOG = $(LOCAL_DIR)/condor/log
LOCK = $(LOCAL_DIR)/condor/lock
RUN = $(LOCAL_DIR)/condor/run
SPOOL = $(LOCAL_DIR)/condor/spool
EXECUTE = $(LOCAL_DIR)/condor/execute
SEC_TOKEN_DIRECTORY = $(LOCAL_DIR)/etc/condor/tokens.d
SEC_TOKEN_SYSTEM_DIRECTORY = $(LOCAL_DIR)/etc/condor/tokens.d
SEC_PASSWORD_DIRECTORY = $(LOCAL_DIR)/etc/condor/passwords.d
SEC_TOKEN_POOL_SIGNING_KEY_FILE = $(LOCAL_DIR)/etc/condor/passwords.d/POOL
# The usual port may be another's, and several workers have one address.
SHARED_PORT_PORT = 0
MASTER_NAME = {name}
STARTD_NAME = {name}
"""
#: Read after what comes when it joins. By its files it would be taken for the user that it runs as, who may do more.
_LAST = "SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS\n"
_FOLDERS = ("log", "lock", "run", "spool", "execute")
#: Where HTCondor's programs are: as it is configured here, for it may be anybody's package.
_PROGRAMS = ("RELEASE_DIR", "BIN", "SBIN", "LIB", "LIBEXEC", "SHARE")
_PATIENCE = 20.0


def of(spec: MachineSpec, root: Path) -> Mapping[str, tuple[str, int]]:
    """Return the files that a worker is made of, by their paths below `root`: text, and mode.

    Raises `BadRequestError` where the order's user data is not that of a worker.
    """
    files = {path.lstrip("/"): (text, mode) for path, (text, mode) in _written(spec).items()}
    lacking = [path for path in (_JOIN, _SWITCH, _SETTINGS) if path not in files]
    if lacking:
        raise BadRequestError(
            f"this machine can be nothing but a worker, and the user data of {spec.name} has no {lacking[0]}"
        )
    # An access point's keys would lie in the home of whom it runs as.
    if not _OF_WORKER.search(files[_SETTINGS][0]):
        raise BadRequestError(f"this machine can be nothing but a worker: it has no place for {spec.name}")
    config = _CONDOR.format(programs=_programs(), root=root, name=spec.name)
    return {
        **{path: one for path, one in files.items() if path.startswith(("etc/dynamo/", "usr/local/sbin/"))},
        "etc/condor/condor_config": (config, 0o644),
        "etc/condor/last.conf": (_LAST, 0o644),
        **{f"condor/{name}/.here": ("", 0o600) for name in _FOLDERS},
        "etc/condor/passwords.d/.here": ("", 0o600),
        "run/.here": ("", 0o600),
        BOOT: (_BOOT, 0o755),
        _OFF: (_POWEROFF, 0o755),
    }


def _written(spec: MachineSpec) -> dict[str, tuple[str, int]]:
    """Return the files that cloud-init would write; empty where that cannot be read."""
    try:
        said: Any = yaml.safe_load(spec.user_data)
        return {
            one["path"]: (one["content"], int(one["permissions"], 8)) for one in said.get("write_files", ())
        }
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        return {}


def _programs() -> str:
    """Return HTCondor's settings of where its programs are; guessed where it is not configured on this machine."""
    where = local_processes.search_path()
    tool = shutil.which("condor_config_val", path=where)
    if tool:
        done = subprocess.run(
            [tool, *_PROGRAMS], check=False, capture_output=True, text=True, timeout=_PATIENCE
        )
        values = done.stdout.splitlines()
        if done.returncode == 0 and len(values) == len(_PROGRAMS):
            return "\n".join(f"{name} = {value}" for name, value in zip(_PROGRAMS, values, strict=True))
    master = Path(shutil.which("condor_master", path=where) or "/usr/sbin/condor_master").resolve()
    return f"RELEASE_DIR = {master.parent.parent}\nSBIN = {master.parent}\nBIN = $(RELEASE_DIR)/bin"
