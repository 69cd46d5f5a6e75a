"""What a machine is told when it first starts: valid for cloud-init, small enough for every cloud, one secret."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from dynamo.errors import UserError
from dynamo.fleet.userdata import STOCK_DEBIAN, USER_DATA_LIMIT, Install, WorkerStart, user_data
from tests.cloud.docker_use import lay

_TOKEN = "join-token-that-is-good-once-0123456789"
_START = WorkerStart(
    name="dfw-workers-1",
    order="0123456789abcdef",
    join_url="https://10.0.0.1:9443/join",
    certificate="-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
    join_token=_TOKEN,
)


@pytest.fixture(scope="module")
def machine(docker, fleet_image):
    """A machine that does nothing, in which files are laid and commands run."""
    made = docker.containers.run(fleet_image, ["sleep", "600"], detach=True, init=True, auto_remove=True)
    yield made
    made.remove(force=True)


def _lay(machine, name, text):
    lay(machine, "/tmp", {name: text})
    return f"/tmp/{name}"


@pytest.mark.parametrize("tunnel", [False, True], ids=["alone", "with a tunnel"])
@pytest.mark.parametrize("install", [Install(), STOCK_DEBIAN], ids=["our image", "stock Debian"])
def test_cloud_init_takes_it(machine, install, tunnel):
    """cloud-init's own check of its schema finds nothing wrong."""
    path = _lay(machine, "good", user_data(replace(_START, install=install, tunnel=tunnel)))
    code, said = machine.exec_run(["cloud-init", "schema", "-c", path])
    assert code == 0, said.decode()
    assert b"Valid schema" in said


def test_cloud_init_would_refuse_what_is_wrong(machine):
    """The check can fail: a key that is none is found."""
    path = _lay(machine, "bad", user_data(_START).replace("runcmd:", "runcommand:"))
    assert machine.exec_run(["cloud-init", "schema", "-c", path]).exit_code != 0


def test_its_scripts_are_scripts_of_any_shell(machine):
    """Each script that it writes is read by a plain POSIX shell."""
    for file in yaml.safe_load(user_data(replace(_START, tunnel=True)))["write_files"]:
        if file["content"].startswith("#!/bin/sh"):
            path = _lay(machine, "script", file["content"])
            code, said = machine.exec_run(["dash", "-n", path])
            assert (code, said) == (0, b"")


def test_its_units_are_units_of_systemd(machine):
    """Where a machine has systemd, the switch is a timer of it: systemd's own check finds nothing wrong with that."""
    text = user_data(replace(_START, tunnel=True))
    written = {one["path"]: one["content"] for one in yaml.safe_load(text)["write_files"]}
    for path in (
        "/usr/local/sbin/dynamo-deadman",
        "/usr/local/sbin/dynamo-tunnel",
        *(one for one in written if "/systemd/" in one),
    ):
        laid = _lay(machine, path.rsplit("/", 1)[1], written[path])
        machine.exec_run(["install", "-m", "0755" if "sbin" in path else "0644", laid, path])
    timer = "/etc/systemd/system/dynamo-deadman.timer"
    for unit in (timer, "/etc/systemd/system/dynamo-tunnel.service"):
        code, said = machine.exec_run(["systemd-analyze", "verify", unit])
        assert (code, said) == (0, b"")
    machine.exec_run(["sed", "-i", "s/OnBootSec/OnBotSec/", timer])
    assert b"OnBotSec" in machine.exec_run(["systemd-analyze", "verify", timer]).output


def test_the_switch_is_armed_first():
    """Before anything is fetched, and before the pool is asked: a machine that hangs in that ends itself too."""
    commands = yaml.safe_load(user_data(replace(_START, install=STOCK_DEBIAN)))["runcmd"]
    order = ["dynamo-deadman", "apt-get", "dynamo-join"]
    assert [next(n for n, one in enumerate(commands) if word in one[-1]) for word in order] == [0, 1, 2]


def test_the_token_is_there_once_and_for_root_alone():
    """It stands in one file, which only root can read, and nothing else is a secret."""
    text = user_data(_START)
    (file,) = [one for one in yaml.safe_load(text)["write_files"] if _TOKEN in one["content"]]
    assert file["permissions"] == "0600"
    assert text.count(_TOKEN) == 1
    assert _TOKEN not in repr(_START)


def test_it_is_small_enough_for_every_cloud():
    """It is within 16 KiB with much to spare, also where packages are to be installed; beyond it that is said."""
    assert (
        len(user_data(replace(_START, install=STOCK_DEBIAN, tunnel=True)).encode()) < USER_DATA_LIMIT * 0.75
    )
    many = Install(apt=tuple(f"a-package-of-a-long-name-{n}" for n in range(500)))
    with pytest.raises(UserError, match=f"EC2 takes {USER_DATA_LIMIT} at most.*500 to install"):
        user_data(replace(_START, install=many))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"name": "a b"}, "the name 'a b'"),
        ({"name": "x; reboot"}, "the name 'x; reboot'"),
        ({"name": "x" * 64}, "the name"),
        ({"order": 'a"b'}, "the order"),
        ({"owner": "root\n"}, "the owner"),
        ({"join_url": "http://10.0.0.1/join"}, "the address to join at"),
        ({"join_url": "https://x/$(reboot)"}, "the address to join at"),
        ({"join_token": "short"}, "the join token that was given"),
        ({"install": Install(apt=("a; reboot",))}, "the package"),
        ({"lifetime": 0.0}, "lifetime"),
        ({"silent": float("inf")}, "silent"),
        ({"check": float("nan")}, "check"),
        ({"grace": -1.0}, "grace"),
    ],
)
def test_what_a_shell_would_take_for_more_is_refused(changes, what):
    """Names with other signs, addresses without TLS and times that are none are refused; a token is not shown."""
    with pytest.raises(UserError, match="worker") as told:
        user_data(replace(_START, **changes))
    assert what in str(told.value)
    assert "short" not in str(told.value)
