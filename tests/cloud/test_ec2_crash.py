"""A controller is killed at each step of an order, as a real process before moto's EC2: nothing is lost or doubled.

Something stands between both and sees each request go by; it kills the process (SIGKILL) at the one that is meant, so
that no step is met by chance. Another `dynamo fleet run` goes on, and `dynamo slice destroy` takes all away.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import uuid
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest

from dynamo.fleet.ledger import Ledger
from tests.cloud.ec2_use import IMAGE, KEY, REGION, SECRET
from tests.cloud.fake_ec2 import Between, Call, Fault, posted

_DOCUMENT = """\
slice: {name}
pool: {{name: {pool}}}
providers: {{aws: {{driver: ec2, region: {region}, credentials: "env:MOTO", endpoint: "{url}"}}}}
nodes: {{workers: {{provider: aws, size: c7i.large, image: {image}, min: 2, max: 4}}}}
limits: {{cores: 4, usd_per_day: 5}}
"""
#: What the slice may have, and has in the end.
_WANTED = 2


def asked(url: str, action: str, **more: str) -> str:
    """Ask moto itself, past what stands before it."""
    params = {"Action": action, "Version": "2016-11-15", **more}
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/ec2/aws4_request, x=x"}
    return posted(url, urlencode(params).encode(), headers)[1].decode()


@dataclass
class Stage:
    """A slice of its own on moto, what stands before that, and the commands on it."""

    folder: Path
    name: str
    between: Between
    #: moto's own answer to who asks for one size; it takes ten seconds for all of them.
    sold: str
    running: list[subprocess.Popen] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The document."""
        return str(self.folder / "slice.yaml")

    def fleet(self) -> subprocess.Popen:
        """Start ``dynamo fleet run``."""
        out = (self.folder / f"out-{len(self.running)}").open("wb")
        command = [sys.executable, "-m", "dynamo.cli", "fleet", "run", self.file, "--interval", "1"]
        with out:
            made = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=self.folder)
        self.running.append(made)
        return made

    def said(self) -> str:
        """Return what all of them printed."""
        return "".join(one.read_text() for one in sorted(self.folder.glob("out-*")))

    def dynamo(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of dynamo to its end."""
        return subprocess.run(
            [sys.executable, "-m", "dynamo.cli", *arguments],
            cwd=self.folder, check=False, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def kill(self, with_: int = signal.SIGKILL) -> None:
        """End the one that was started last."""
        self.running[-1].send_signal(with_)
        self.running[-1].wait(60)

    def there(self) -> list[str]:
        """Return the tokens of the machines that there are at moto."""
        root = ET.fromstring(asked(self.between.to, "DescribeInstances"))
        for one in root.iter():
            one.tag = one.tag.rpartition("}")[2]
        tokens = []
        for one in root.iterfind("reservationSet/item/instancesSet/item"):
            tags = {tag.findtext("key"): tag.findtext("value") for tag in one.iterfind("tagSet/item")}
            if tags.get("dynamo-slice") == self.name and one.findtext("instanceState/name") == "running":
                tokens.append(tags["dynamo-token"])
        return tokens

    def stages(self) -> dict[str, str]:
        """Return the stage of each worker that may cost money, by the token of its order."""
        with Ledger(self.folder / ".dynamo" / "journal.db", self.name) as ledger:
            return {one.token: one.stage for one in ledger.workers()}

    def settled(self) -> bool:
        """Whether there is what is wanted, and the journal knows all of it; there may never be more on the way."""
        there = self.there()
        assert not [token for token, count in Counter(there).items() if count > 1], "an order was made twice"
        return len(there) == _WANTED and self.stages() == dict.fromkeys(there, "booting")

    def later(self, seconds: float) -> None:
        """Have so much time pass, as far as the journal goes."""
        with closing(sqlite3.connect(self.folder / ".dynamo" / "journal.db")) as journal, journal:
            journal.execute("UPDATE fleet_workers SET since = since - ?1, ordered = ordered - ?1", (seconds,))

    def sell_one(self, call: Call) -> Fault | None:
        """Have what is sold told at once."""
        return Fault(200, self.sold) if call.action == "DescribeInstanceTypes" else None


@pytest.fixture
def stage(pool, between, tmp_path, monkeypatch):
    """A slice on moto; what was started is ended."""
    monkeypatch.setenv("MOTO_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("MOTO_SECRET_ACCESS_KEY", SECRET)
    name = f"crash-{uuid.uuid4().hex[:6]}"
    sold = asked(between.to, "DescribeInstanceTypes", **{"InstanceType.1": "c7i.large"})
    made = Stage(tmp_path, name, between, sold)
    text = _DOCUMENT.format(name=name, pool=pool.settings.name, region=REGION, image=IMAGE, url=between.url)
    (tmp_path / "slice.yaml").write_text(text)
    between.fault = made.sell_one
    yield made
    for one in made.running:
        if one.poll() is None:
            one.kill()
            one.wait(60)


@dataclass(frozen=True)
class Moment:
    """When the controller is killed: at the first call that is meant, and what there is then."""

    meant: str
    when: str = "asked"
    of_order: bool = False
    made: int = 0
    written: int = _WANTED
    late: bool = False
    with_: int = signal.SIGKILL

    def is_at(self, call: Call) -> bool:
        """Whether a call is one that is meant."""
        by_token = "tag:dynamo-token" in call.params.values()
        return call.action == self.meant and by_token == self.of_order


MOMENTS = {
    "before the intent is written": Moment("DescribeInstanceTypes", written=0),
    "before the order is given": Moment("DescribeInstances", of_order=True),
    "before the order is there": Moment("RunInstances", late=True),
    "before it is answered": Moment("RunInstances", "done", made=1),
    "before the answer is noted": Moment("RunInstances", "answered", made=1),
    "and is ended before it is answered": Moment("RunInstances", "done", made=1, with_=signal.SIGTERM),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=[name.replace(" ", "-") for name in MOMENTS])
def test_a_controller_that_is_killed_within_an_order(stage, moment, until):
    """The next one finds by its tag what was made, and orders anew what was not; all of it can be taken away."""
    first = stage.fleet()
    hit: list[Call] = []

    def fault(call: Call) -> Fault | None:
        if not moment.is_at(call):
            return stage.sell_one(call)
        hit.append(call)
        if moment.when == "asked":
            stage.kill(moment.with_)
        if len(hit) > 1 or moment.when == "asked":
            return Fault(hang=True)
        return Fault(
            done=True, answered=moment.when == "answered", then=lambda: stage.kill(moment.with_), hang=True
        )

    stage.between.fault = fault
    first.wait(60)
    assert first.returncode == (0 if moment.with_ == signal.SIGTERM else -signal.SIGKILL), stage.said()
    assert len(stage.there()) == moment.made
    assert list(stage.stages().values()) == ["requested"] * moment.written
    stage.between.fault = stage.sell_one
    stage.later(130.0)
    second = stage.fleet()
    until(stage.settled, "there is what is wanted", 60)
    if moment.late:  # the network had it all the time
        stage.between.pass_on(hit[0])
        assert len(stage.there()) == _WANTED + 1
        until(stage.settled, "what came too late is gone", 60)
    second.terminate()
    assert second.wait(60) == 0, stage.said()
    gone = stage.dynamo("slice", "destroy", stage.file, "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert f"nothing is left of '{stage.name}': aws list no machine and no network of it" in gone.stdout
    assert stage.there() == []
    assert stage.stages() == {}
