"""What a fleet shows to Prometheus is what became of it; the dashboard asks for nothing else."""

from __future__ import annotations

import json
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dynamo.errors import UserError
from dynamo.fleet.metrics import Shown, metrics_text
from dynamo.fleet.metrics_service import MetricsService, address
from dynamo.fleet.refusals import NoCapacityError
from dynamo.fleet.slice import NodeGroup, NodeOffer, ProviderRule, Slice, SliceLimits
from dynamo.fleet.status import status_data

DASHBOARD = Path(__file__).parents[3] / "docs/grafana/fleet.json"
OFFER = "workers/c/two/on-demand"


class Watched:
    """A world whose controller shows each turn, as a session has it do."""

    def __init__(self, world, service: MetricsService) -> None:
        self.world, self.service = world, service
        service.begin(world.controller, world.now)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / self.world.interval)):
            self.turn()

    def turn(self) -> None:
        """Let one interval pass."""
        world = self.world
        world.turn()
        data = status_data(world.controller, world.now)
        world.ledger.learn("status", data)  # is it all JSON?
        world.ledger.stands(world.now, {key: data[key] for key in ("at", "demand", "supply")})
        self.service.show(world.controller, data, world.now)

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body."""
        try:
            with urllib.request.urlopen(self.service.url + path, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def numbers(self) -> dict[tuple[str, ...], float]:
        """Return each sample by its name and the values of its other labels than the slice, in their order."""
        found = {}
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                labels = dict(sample.labels)
                assert labels.pop("slice") == "dfw"
                found[
                    (sample.name.removeprefix("dynamo_fleet_"), *(labels[name] for name in sorted(labels)))
                ] = sample.value
        return found


@pytest.fixture
def watched(worlds):
    """Return a fleet of one group and one cloud, with a budget, and what it shows."""
    group = NodeGroup((NodeOffer("c", "two"),), max=8, idle=60.0)
    limits = SliceLimits(cores=16, usd_per_hour=6, usd_per_day=50)
    world = worlds(Slice("dfw", {"c": ProviderRule("memory")}, {"workers": group}, limits=limits))
    with MetricsService("127.0.0.1", 0, "dfw", clock=world.clock, interval=world.interval) as service:
        yield Watched(world, service)


def test_the_numbers_are_those_of_a_burst(watched):
    """Orders, boots, jobs, releases and dollars, as the clock of the test has them."""
    watched.run(30)
    before = watched.numbers()
    assert before["cores", "workers", "joined"] == before["machines_ordered_total", OFFER] == 0
    assert (before["pool_up",], before["paused",], before["provider_trouble", "c"]) == (1, 0, 0)
    assert before["limit_cores",] == 16
    assert [before[f"budget_usd_per_{time}",] for time in ("hour", "day")] == [6, 50]
    watched.world.pool.submit("lead", 40, count=8, within=300)
    watched.world.pool.submit("slow", 40, count=2, within=5)
    watched.run(20)
    during = watched.numbers()
    assert during["queue_jobs", "waiting"] == 10
    assert (
        during["jobs_done_total", "lead"] == during["jobs_late_total", "slow"] == 0
    )  # the first increase is seen
    assert during["overdue_jobs",] == 2
    assert during["queue_work_core_seconds",] > 0
    assert during["demand_cores",] > 0
    assert during["cores", "workers", "booting"] == during["cores_paid",] == during["target_cores",] == 10
    assert during["machines_ordered_total", OFFER] == during["cost_usd_per_hour",] == 5
    watched.run(300)
    after = watched.numbers()
    assert [after[f"jobs_{name}_total", "lead"] for name in ("done", "due", "late")] == [8, 8, 0]
    assert [after[f"jobs_{name}_total", "slow"] for name in ("done", "due", "late")] == [2, 2, 2]
    assert after["boot_seconds_count", OFFER] == after["boot_seconds_bucket", "60.0", OFFER] == 5
    assert after["boot_seconds_bucket", "30.0", OFFER] == 0
    assert 5 * 30 < after["boot_seconds_sum", OFFER] <= 5 * 60
    assert after["machines_released_total", "workers"] == 5
    assert after["machines_failed_total", "workers"] == after["orders_failed_total", OFFER] == 0
    assert after["spent_usd_total",] == pytest.approx(after["spent_today_usd",])
    assert after["spent_usd_total",] > 0
    assert after["cores_paid",] == after["queue_jobs", "running"] == 0
    assert 0 < after["tau_u_ratio",] < 1
    assert after["theta_o_ratio",] > 0


def test_what_goes_wrong_is_counted(watched):
    """A refused order by its offer, a machine that never joins by its group, a cloud that is down."""
    watched.run(30)
    watched.world.cloud.fail("create", NoCapacityError("no more of these"), times=1)
    watched.world.pool.submit("lead", 600, count=2)
    watched.run(20)
    numbers = watched.numbers()
    assert numbers["orders_failed_total", OFFER] == numbers["offer_resting", OFFER] == 1
    assert numbers["machines_failed_total", "workers"] == 0
    watched.run(300)
    lost = watched.world.there[0]
    watched.world.cloud.lose(lost.id)
    watched.run(120)
    numbers = watched.numbers()
    assert numbers["machines_failed_total", "workers"] == 1
    assert numbers["orders_failed_total", OFFER] == 1
    assert numbers["offer_resting", OFFER] == 0
    with watched.world.cloud.down():
        watched.run(30)
        assert watched.numbers()["provider_trouble", "c"] == 1
    watched.run(20)
    assert watched.numbers()["provider_trouble", "c"] == 0


def test_a_new_controller_counts_from_its_beginning(watched):
    """What was ordered before is not ordered again; what boots then is counted by the one that sees it join."""
    world = watched.world
    watched.run(30)
    world.pool.submit("lead", 400, count=2)
    watched.run(10)
    spent = watched.numbers()["spent_usd_total",]
    world.kill()
    watched.service.begin(world.controller, world.now)
    watched.run(60)
    numbers = watched.numbers()
    assert numbers["machines_ordered_total", OFFER] == 0
    assert numbers["boot_seconds_count", OFFER] == 1
    assert numbers["spent_usd_total",] + spent == pytest.approx(numbers["spent_today_usd",], abs=0.001)


def test_health_is_of_the_turns_and_of_the_pool(watched):
    """200 where a turn was not long ago and the pool answers; else 503, and why."""

    def health() -> tuple[int, list[str]]:
        status, body = watched.get("/healthz")
        said = json.loads(body)
        assert said["slice"] == "dfw"
        assert said["ok"] == (status == 200)
        return status, said["troubles"]

    assert health() == (503, ["no turn has ended since the controller began 0 s ago"])
    watched.run(20)
    assert health() == (200, [])
    watched.world.now += 30
    assert health() == (200, [])
    watched.world.now += 1
    assert health() == (503, ["the last turn ended 31 s ago; one is due each 10 s"])
    assert watched.numbers()["last_turn_age_seconds",] == 31
    watched.world.pool.down = True
    watched.run(40)
    assert health() == (503, ["the pool does not answer"])
    assert watched.numbers()["pool_up",] == 0
    watched.world.pool.down = False
    watched.run(10)
    assert health() == (200, [])


def test_before_the_first_turn_only_the_age_is_known(watched):
    """So that an alarm on it hears of a controller that never gets to work."""
    watched.world.now += 100
    assert watched.numbers() == {("last_turn_age_seconds",): 100}


def test_a_path_that_is_none_is_a_problem(watched):
    """As for the watch."""
    status, body = watched.get("/")
    assert status == 404
    assert "/healthz, /metrics" in json.loads(body)["detail"]


def test_a_port_that_is_taken_is_told(worlds):
    """With what to do, and the server's thread ends."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service = MetricsService("127.0.0.1", port, "dfw", clock=lambda: 0.0, interval=10)
        with pytest.raises(UserError, match=f"cannot listen on http://127.0.0.1:{port}: .*another --metrics"):
            service.__enter__()
        assert not service._thread.is_alive()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:9619", ("127.0.0.1", 9619)),
        ("[::1]:0", ("::1", 0)),
        ("radar.example:80", ("radar.example", 80)),
    ],
)
def test_an_address_is_host_and_port(text, found):
    """An address of IPv6 stands in brackets."""
    assert address(text) == found


@pytest.mark.parametrize(
    "text", ["9619", ":9619", "host:", "host:http", "host:65536", "::1:80", "[::1]", "[]:80", "[::1:80"]
)
def test_what_is_no_address_is_refused(text):
    """With what is one."""
    with pytest.raises(UserError, match="takes HOST:PORT"):
        address(text)


def names_of(promql: str) -> set[str]:
    """Return the names of metrics in a query."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|without)\s*\([^)]*\)", " ", promql)
    return set(re.findall(r"\b[a-zA-Z_:][\w:]*\b(?!\s*\()", bare)) - {"and", "or", "unless", "by"}


def test_the_dashboard_asks_for_what_is_exported(watched):
    """Each name in each query, as Prometheus would store it; and everything that is exported is shown."""
    watched.run(20)
    watched.world.pool.submit("lead", 20, count=2, within=100)
    watched.run(120)
    data = watched.service._last[1].data | {"figures": {"D": 1.0, "F": 2.0}}
    shown = Shown(data, watched.service._last[1].counts, watched.service._last[1].jobs)
    families = list(text_string_to_metric_families(metrics_text("dfw", shown, 1.0).decode()))
    exported = {sample.name for family in families for sample in family.samples}
    asked = {name for one in queries(json.loads(DASHBOARD.read_text())) for name in names_of(one)}
    assert asked <= exported
    not_drawn = {"boot_seconds_sum", "interval_seconds", "policy_info"}
    assert exported - asked <= {f"dynamo_fleet_{name}" for name in not_drawn} | {
        name for name in exported if name.endswith("_created")
    }


def queries(dashboard) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_names_are_found_in_queries():
    """Functions, labels, durations and words of the language are no metrics."""
    query = 'sum by (le) (rate(a_bucket{x="y_z"}[5m])) / 60 * b_total offset 5m'
    assert names_of(query.removesuffix(" offset 5m")) == {"a_bucket", "b_total"}


def test_the_dashboard_has_the_shape_that_grafana_imports():
    """A schema, a choice of the data source, and panels that do not lie on each other."""
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["schemaVersion"] >= 36
    assert dashboard["id"] is None
    assert dashboard["title"]
    assert re.fullmatch(r"[\w-]{1,40}", dashboard["uid"])
    variables = {one["name"]: one for one in dashboard["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    assert "label_values(dynamo_fleet_" in variables["slice"]["query"]["query"]
    source = {"type": "prometheus", "uid": "${datasource}"}
    cells: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard["panels"]:
        assert panel["type"] in {"stat", "timeseries"}
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"] == source
        assert [one["refId"] for one in panel["targets"]] == list("ABCDE")[: len(panel["targets"])]
        assert all(one["datasource"] == source for one in panel["targets"])
        at = panel["gridPos"]
        here = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not here & cells
        cells |= here
    assert all('{slice=~"$slice"}' in one for one in queries(dashboard))


def test_metrics_follow_the_practice_of_prometheus(watched):
    """Counters end in _total, all have a help text, and no unit is a part of a second or a per cent."""
    watched.run(20)
    families = list(text_string_to_metric_families(watched.get("/metrics")[1]))
    assert len(families) > 25
    for family in families:
        assert re.fullmatch(r"dynamo_fleet_[a-z][a-z_]*[a-z]", family.name)
        assert family.documentation.endswith(".")
        assert not re.search(r"_(ms|minutes|hours|percent|count|total)$", family.name)
        assert family.type in {"gauge", "counter", "histogram"}
        if family.type == "counter":
            assert all(one.name.endswith(("_total", "_created")) for one in family.samples)


def test_classes_of_jobs_are_bounded(watched):
    """Whoever submits jobs names their classes: more than so many are one."""
    watched.run(20)
    for number in range(80):
        watched.world.pool.submit(f"class{number}", 1)
    watched.run(300)
    done = {key[1]: value for key, value in watched.numbers().items() if key[0] == "jobs_done_total"}
    assert len(done) == 51
    assert done["other"] == 30
    assert sum(done.values()) == 80


def test_no_secret_is_in_any_label_or_word(watched):
    """What a cloud says may hold what must not be shown, and is told nowhere here."""
    world = watched.world
    watched.run(20)
    with world.cloud.failing("create", NoCapacityError("key AKIASECRET was refused")):
        world.pool.submit("lead", 600, count=2)
        watched.run(30)
    assert watched.numbers()["offer_resting", OFFER] == 1
    world.pool.down = True
    watched.run(60)
    assert "AKIASECRET" in json.dumps(watched.service._last[1].data)
    for path in ("/metrics", "/healthz"):
        assert "SECRET" not in watched.get(path)[1]
