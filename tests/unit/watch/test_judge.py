"""Products of a run in, alerts out."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dynamo.alerts.alert import Alert
from dynamo.alerts.policy import Policy
from dynamo.alerts.store import AlertStore
from dynamo.alerts.subscriber import Subscribers
from dynamo.errors import DataError
from dynamo.runfile.alerts import AlertsRule, MatchRule
from dynamo.watch.judge import Judge, Products
from dynamo.watch.people import People, read_people

NOW = datetime.now(UTC).replace(microsecond=0)
RING = [[-97.2, 32.6], [-97.0, 32.6], [-97.0, 32.8], [-97.2, 32.8], [-97.2, 32.6]]


class Case:
    """A folder with products, and a judge of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "people.csv").write_text("id,lon,lat\nclinic,-97.1,32.7\n")
        rules = [MatchRule("STORM", 45.0, 5.0), MatchRule("HAIL")]
        people, _ = read_people(AlertsRule("people.csv", rules), folder, ["desk", "box"])
        self.subscribers: Callable[[], Subscribers] = lambda: people
        self.judge = Judge(
            folder / "journal.db", "a.yaml", self.subscribers, ["desk", "box"], ["*.geojson"], Policy(clear_after=1)
        )  # fmt: skip

    def told(self, products: Products) -> list[Alert]:
        """Judge a run; raise what is wrong with it, as the desk does."""
        verdict = self.judge(products)
        if verdict.faults:
            raise verdict.faults[0]
        return verdict.alerts

    def made(self, run: str, minute: int = 0, name: str = "storm", levels=(50,), **more) -> Products:
        """Write a product of a run."""
        issued = (NOW + timedelta(minutes=minute)).isoformat()
        shapes = [
            {"type": "Feature", "properties": {"level": level}, "geometry": {"type": "Polygon", "coordinates": [RING]}}
            for level in levels
        ]  # fmt: skip
        head = {"hazard": "STORM", "units": "dBZ", "issued": issued, "valid_time": issued, **more}
        folder = self.folder / run
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.geojson").write_text(
            json.dumps({"type": "FeatureCollection", **head, "features": shapes})
        )
        (folder / "picture.png").write_bytes(b"no hazard")
        return Products(run, str(folder), sorted(str(path) for path in folder.iterdir()))


@pytest.fixture
def case(tmp_path):
    """A judge whose journal is closed in the end."""
    case = Case(tmp_path)
    yield case
    case.judge.close()


def test_a_run_is_judged_once(case):
    """The second time nobody is told anything; each channel of the feed has one delivery."""
    products = case.made("r1")
    (alert,) = case.told(products)
    assert (alert.kind, alert.hazard, alert.level, alert.run) == ("new", "STORM", 50, "r1")
    assert case.told(products) == []
    with AlertStore(case.folder / "journal.db") as store:
        assert [(queue.channel, queue.waiting) for queue in store.queues()] == [
            ("a.yaml/box", 1),
            ("a.yaml/desk", 1),
        ]


def test_kinds_of_hazards_are_judged_by_themselves(case):
    """One is over, the other begins."""
    case.told(case.made("r1"))
    case.made("r2", 1, levels=())
    told = case.told(case.made("r2", 1, "hail", hazard="HAIL", levels=(2,)))
    assert sorted((alert.hazard, alert.kind) for alert in told) == [("HAIL", "new"), ("STORM", "cancelled")]


def test_levels_that_nobody_asks_for_are_as_if_they_were_not_there(case):
    """They tell nothing, and are no reason to go on."""
    assert case.told(case.made("r1", levels=(30, 40))) == []
    (alert,) = case.told(case.made("r2", 1, levels=(30, 45)))
    assert alert.level == 45
    (alert,) = case.told(case.made("r3", 2, levels=(30,)))
    assert alert.kind == "cancelled"


def test_where_nothing_was_seen_there_is_no_all_clear(case):
    """A radar that is off says nothing about the storm."""
    case.told(case.made("r1"))
    assert case.told(case.made("r2", 1, levels=(), known_share=0.0)) == []
    (alert,) = case.told(case.made("r3", 2, levels=(), known_share=0.9))
    assert alert.kind == "cancelled"


def test_what_is_known_near_somebody_decides_where_all_first_products_say_it(case):
    """Not what is known of the whole; where one of them does not say where, the whole decides."""
    there = {"bounds": [-98, 32, -96, 34], "rows": ["00", "90"]}
    elsewhere = {**there, "rows": ["99", "00"]}
    case.told(case.made("r1", known_map=there, known_share=0.25))
    assert case.told(case.made("r2", 1, levels=(), known_map=elsewhere, known_share=0.5)) == []
    case.made("r3", 2, name="other", levels=(), known_map=elsewhere, known_share=0.5)
    case.made("r3", 2, name="later", levels=(), known_share=0.9, lead_minutes=1)
    (alert,) = case.told(case.made("r3", 2, levels=(), known_map=there, known_share=0.01))
    assert alert.kind == "cancelled", "each tile of a mosaic tells its part"
    case.told(case.made("r4", 3, known_map=there, known_share=0.25))
    case.made("r5", 4, name="other", levels=(), known_share=0.01)
    assert case.told(case.made("r5", 4, levels=(), known_map=there, known_share=0.25)) == []


@pytest.mark.parametrize("moves", [True, False])
def test_a_posted_position_that_lapsed_below_a_storm_is_no_all_clear(case, moves):
    """The storm is still where he was told of it; who posts that he is elsewhere is out of it."""
    posted = {"clinic": (-97.1, 32.7)}
    (case.folder / "people.csv").write_text("id,lon,lat\nclinic,-90,40\n")
    rule = AlertsRule("people.csv", [MatchRule("STORM", 45.0, 5.0), MatchRule("HAIL", to=["box"])])
    case.judge._subscribers = People(rule, case.folder, ["desk", "box"], lambda _: dict(posted)).now
    assert [alert.kind for alert in case.told(case.made("r1"))] == ["new"]
    if moves:
        posted["clinic"] = (-91, 41)
    else:
        del posted["clinic"]
    told = [(alert.kind, alert.lon) for alert in case.told(case.made("r2", 1))]
    assert told == ([("cancelled", -91)] if moves else [])


def test_older_data_tells_nothing(case):
    """Its run came late."""
    case.told(case.made("r2", 1))
    assert case.told(case.made("r1", 0, levels=(60,))) == []


def told(case) -> list[str]:
    """Kinds of all alerts so far."""
    with AlertStore(case.folder / "journal.db") as store:
        return [alert.kind for alert in reversed(store.alerts())]


def test_a_product_that_is_no_hazard_is_named_and_hides_no_other(case):
    """What the products that are right warn of is told all the same."""
    products = case.made("r1")
    bad = case.folder / "r1" / "bad.geojson"
    bad.write_text("[1, 2]")
    with pytest.raises(DataError) as error:
        case.told(Products("r1", products.folder, [*products.paths, str(bad)]))
    assert str(bad) in str(error.value)
    assert told(case) == ["new"]


def test_nothing_is_clear_while_a_product_cannot_be_read(case):
    """It may have held the storm; the next cycle that is whole says so."""
    case.told(case.made("r1"))
    products = case.made("r2", 1, levels=())
    (case.folder / "r2" / "bad.geojson").write_text("{")
    with pytest.raises(DataError):
        case.told(Products("r2", products.folder, [*products.paths, str(case.folder / "r2" / "bad.geojson")]))
    assert told(case) == ["new"]
    assert [alert.kind for alert in case.told(case.made("r3", 2, levels=()))] == ["cancelled"]


def test_the_share_that_was_seen_is_that_of_the_first_lead_time(case):
    """Also where the products begin with a forecast."""
    case.told(case.made("r1"))
    unseen = case.made(
        "r2",
        1,
        levels=(),
        lead_minutes=5,
        known_share=0.0,
        valid_time=(NOW + timedelta(minutes=6)).isoformat(),
    )
    assert case.told(unseen) == []


def test_a_share_that_only_a_later_lead_time_says_counts(case):
    """A file that says none hides none."""
    case.told(case.made("r1"))
    case.made("r2", 1, levels=())
    then = (NOW + timedelta(minutes=6)).isoformat()
    later = case.made("r2", 1, "later", levels=(), lead_minutes=5, known_share=0.0, valid_time=then)
    assert case.told(later) == []


def test_products_that_say_no_share_are_told_of_once(case, caplog):
    """What they do not show counts as clear, so that who reads the log can say whether that is right."""
    for n in range(3):
        case.told(case.made(f"r{n}", n, known_share=None))
    assert caplog.text.count("products of STORM say no known_share") == 1


def test_who_is_no_longer_among_the_subscribers_is_told_nothing(case):
    """A row that was spoilt or taken out while the storm is there is no all clear."""
    case.told(case.made("r1"))
    (case.folder / "people.csv").write_text("id,lon,lat\nother,-90,32.7\n")
    others, _ = read_people(
        AlertsRule("people.csv", [MatchRule("STORM", 45.0, 5.0)]), case.folder, ["desk", "box"]
    )
    first = case.subscribers
    case.judge._subscribers = lambda: others
    assert case.told(case.made("r2", 1)) == []
    case.judge._subscribers = first
    assert [alert.kind for alert in case.told(case.made("r3", 2, levels=()))] == ["cancelled"]


@pytest.mark.parametrize(
    "more",
    [
        {"valid_time": "9999-12-31T23:59:00Z"},
        {"valid_time": "0001-01-01T00:00:00+01:00"},
        {"lead_minutes": 1e12},
        {"issued": "2190-01-01T00:00:00Z", "valid_time": "2190-01-01T00:00:00Z"},
    ],
)
def test_times_that_cannot_be_are_told_and_silence_nothing(case, more):
    """The run that has them fails; the next one warns."""
    with pytest.raises(DataError):
        case.told(case.made("r1", **more))
    assert [alert.kind for alert in case.told(case.made("r2", 1))] == ["new"]


def test_products_of_which_none_is_chosen_are_an_error(case):
    """A typing mistake in the globs must not look like fair weather."""
    products = case.made("r1")
    with pytest.raises(DataError, match=r"no product has a name like '\*\.geojson'"):
        case.told(Products("r1", products.folder, [p for p in products.paths if p.endswith(".png")]))


@pytest.mark.parametrize("missing", [None, ["picture.png", "sub/storm.geojson"]])
def test_a_run_that_failed_before_its_hazards_says_nothing(case, missing):
    """That it failed is told by others."""
    products = case.made("r1")
    pictures = [path for path in products.paths if path.endswith(".png")]
    verdict = case.judge(Products("r1", products.folder, pictures, missing=missing))
    assert (verdict.cycles, verdict.faults, verdict.standings, verdict.whole) == ((), (), {}, False)


@pytest.mark.parametrize(
    ("missing", "kinds"),
    [(["picture.png"], ["cancelled"]), (["picture.png", "hail.geojson"], []), (None, [])],
)
def test_only_a_product_that_may_hold_hazards_holds_back_an_all_clear_where_it_is_missing(
    case, missing, kinds
):
    """A picture that cannot be drawn does not, however long; where nobody knows what is missing, it may."""
    case.told(case.made("r1"))
    products = case.made("r2", 1, levels=())
    verdict = case.judge(Products("r2", products.folder, products.paths, missing=missing))
    assert ([alert.kind for alert in verdict.alerts], verdict.whole) == (kinds, bool(kinds))


def test_a_run_that_is_gone_on_with_after_it_was_judged_in_part_tells_the_rest(case):
    """Killed before its window ended, it makes what was missing; what was told is not told again."""
    part = case.made("r1", levels=())
    assert case.judge(Products("r1", part.folder, part.paths, missing=["later.geojson"])).alerts == []
    then = {"lead_minutes": 10, "valid_time": (NOW + timedelta(minutes=10)).isoformat()}
    whole = case.made("r1", 0, "later", **then)
    with closing(
        Judge(
            case.folder / "journal.db", "a.yaml", case.subscribers, ["desk", "box"], ["*.geojson"], Policy()
        )
    ) as judge:
        assert [alert.kind for alert in judge(whole).alerts] == ["new"]
        assert judge(whole).alerts == []
    with AlertStore(case.folder / "journal.db") as store:
        assert [one.outcome for one in store.cycles("r1")] == ["unknown", "judged"]


def test_a_hazard_that_no_product_speaks_of_any_more_is_told_in_the_log_once(case, caplog):
    """Nobody can be told that it is over; it ends when its alert expires."""
    case.told(case.made("r1", -120))
    for n in range(2, 5):
        verdict = case.judge(case.made(f"r{n}", n - 120, levels=(), hazard="HAIL", units="mm"))
    assert verdict.standings["STORM"].state == "missing"
    assert caplog.text.count("no product speaks of STORM, of which 1 subscriber had an alert") == 1
    verdict = case.judge(case.made("r5", -120 + 31, levels=(), hazard="HAIL", units="mm"))
    assert set(verdict.standings) == {"HAIL"}
    with AlertStore(case.folder / "journal.db") as store:
        assert store.active() == {}
        assert store.lapsed(store.alerts()[0])[0].reason == "no product speaks of it any more"


def test_a_hazard_that_no_product_ever_spoke_of_is_named_once(case, caplog):
    """A typing mistake in a rule must not look like fair weather."""
    people, _ = read_people(
        AlertsRule("people.csv", [MatchRule("STROM"), MatchRule("STORM")]), case.folder, ["desk", "box"]
    )
    case.judge._subscribers = lambda: people
    for n in (1, 2, 3):
        verdict = case.judge(case.made(f"r{n}", n))
    assert verdict.standings["STROM"].state == "never"
    assert caplog.text.count("no product ever spoke (did you mean 'STORM'?)") == 1
    case.made("r4", 4)
    verdict = case.judge(case.made("r4", 4, "strom", hazard="STROM", levels=()))
    assert {one.state for one in verdict.standings.values()} == {"judged"}
    again = case.judge(case.made("r5", 5)).standings
    assert again["STROM"].state == "judged", "it was spoken of once, and need not be each time"


def test_it_is_told_once_that_nothing_counts_as_clear_and_when_it_does_again(case, caplog):
    """With what was known, and what is usual."""
    caplog.set_level("INFO")
    for n, share in enumerate((0.9, 0.1, 0.2, 0.9)):
        verdict = case.judge(case.made(f"r{n}", n, levels=(), known_share=share))
    assert verdict.standings["STORM"].known == 0.9
    records = [record for record in caplog.records if record.getMessage().startswith("STORM")]
    told = [record.getMessage().partition(": ")[2] for record in records]
    assert told == [
        "10% of the field is known, lately 90% was: nothing counts as clear",
        "90% of the field is known",
    ]
    assert [record.levelname for record in records] == ["WARNING", "INFO"]


def test_data_that_came_late_are_told(case, caplog):
    """Once in a row; that newer ones follow is no news."""
    caplog.set_level("INFO")
    for n, minute in enumerate((5, 3, 4, 6, 7)):
        case.judge(case.made(f"r{n}", minute))
    (record,) = [record for record in caplog.records if record.getMessage().startswith("STORM")]
    assert "not newer than what was judged before" in record.getMessage()


def test_channels_that_rules_name_are_told_apart(case):
    """The phone's rule is not met; a rule without a channel beside it means each channel."""
    rules = [MatchRule("STORM", 55.0, 5.0, to=["box"]), MatchRule("STORM", 45.0, 5.0)]
    people, _ = read_people(AlertsRule("people.csv", rules), case.folder, ["desk", "box"])
    case.judge._subscribers = lambda: people
    told = case.told(case.made("r1"))
    with AlertStore(case.folder / "journal.db") as store:
        sent = sorted(d.channel for alert in told for d in store.deliveries(alert.id))
        assert sent == ["a.yaml/box", "a.yaml/desk"]
    rules = [MatchRule("STORM", 55.0, 5.0, to=["box"]), MatchRule("STORM", 45.0, 5.0, to=["desk"])]
    narrower, _ = read_people(AlertsRule("people.csv", rules), case.folder, ["desk", "box"])
    case.judge._subscribers = lambda: narrower
    (over,) = case.told(case.made("r2", 1))
    assert (over.kind, over.level) == ("cancelled", 55)
    with AlertStore(case.folder / "journal.db") as store:
        assert [d.channel for d in store.deliveries(over.id)] == ["a.yaml/box"]


@pytest.mark.parametrize("fault", ["broken", "not made", "to come"])
def test_a_product_that_cannot_be_judged_ends_what_has_expired_of_another_kind(case, fault):
    """Nobody can clear it, and no all clear comes hours later; before that it goes on, for it may be spoken of."""
    case.told(case.made("r1", -120))
    for n, minute in (("r2", 89), ("r3", 90)):
        products = case.made(n, minute - 120, "hail", levels=(), hazard="HAIL", units="mm")
        if fault == "to come":
            products = case.made(n, 60, valid_time=(NOW + timedelta(days=1)).isoformat())
        elif fault == "broken":
            (case.folder / n / "storm.geojson").write_text('{"type"')
        paths = sorted(str(path) for path in (case.folder / n).iterdir())
        missing = ["storm.geojson"] if fault == "not made" else []
        verdict = case.judge(Products(n, products.folder, paths, missing=missing))
        assert bool(verdict.faults) == (fault != "not made")
        assert "missing" not in {one.state for one in verdict.standings.values()}
        with AlertStore(case.folder / "journal.db") as store:
            assert [kind for _, kind in store.active()] == (["STORM"] if n == "r2" else [])
            ends = [one.reason for one in store.lapsed(store.alerts()[0])]
    assert ends == ["what may speak of it was not made, or cannot be read"]


def test_a_product_that_is_no_geojson_is_told_with_what_to_do(case):
    """It may well be right, and only named among those that hold hazards."""
    products = case.made("r1")
    (case.folder / "r1" / "storm.geojson").write_text('{"north": 33.1, "south": 32.0}')
    (fault,) = case.judge(products).faults
    said = "holds JSON that is no GeoJSON (its keys: 'north', 'south'); expected a GeoJSON FeatureCollection; name in"
    assert said in str(fault)
    assert "`products:` only those that hold hazards" in str(fault)
