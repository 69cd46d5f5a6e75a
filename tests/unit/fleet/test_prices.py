"""The table of prices: what is shipped, what a user's files say instead, and what is wrong with a file."""

from __future__ import annotations

import json
import re

import pytest

from dynamo.errors import UserError
from dynamo.fleet.prices import VARIABLE, PriceTable, price_table

REGIONS = ("eu-central-1", "us-east-1", "us-east-2", "us-west-2")


def written(path, usd_per_hour, **more):
    one = {
        "driver": "ec2",
        "region": "us-east-2",
        "purchase": "on-demand",
        "date": "2026-01-31",
        "source": "our contract",
        "usd_per_hour": usd_per_hour,
    }
    path.write_text(json.dumps({"sets": [{**one, **more}]}))
    return path


@pytest.fixture(autouse=True)
def _no_file(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_what_is_shipped():
    """Each size has a price on demand and a lower one by spot, greater than nothing, with its date and source."""
    table = price_table()
    for region in REGIONS:
        sizes = table.sizes("ec2", region)
        assert {size.partition(".")[0] for size in sizes} == {"c6i", "c7a", "c7g", "c7i", "m7i"}
        for size in sizes:
            demand, spot = table.find("ec2", region, size), table.find("ec2", region, size, "spot")
            assert 0 < spot.usd_per_hour < demand.usd_per_hour
            assert re.fullmatch(r"\d{4}-\d{2}(-\d{2})?", demand.date)
            assert demand.source
            assert spot.source


def test_prices_are_in_proportion_to_the_size():
    """As Amazon has it within a family; a digit that was mistyped would stand out."""
    table = price_table()
    for region in REGIONS:
        for family in ("c6i", "c7a", "c7g", "c7i", "m7i"):
            small = table.find("ec2", region, f"{family}.large").usd_per_hour
            for size, factor in (("xlarge", 2), ("4xlarge", 8), ("16xlarge", 32)):
                assert table.find("ec2", region, f"{family}.{size}").usd_per_hour == pytest.approx(
                    small * factor
                )


def test_what_nobody_says_has_no_price():
    """It is not nothing."""
    table = price_table()
    assert table.find("ec2", "us-east-2", "p5.48xlarge") is None
    assert table.find("ec2", "mx-central-1", "c7i.large") is None
    assert table.find("ec2", "us-east-2", "c7i.large", "reserved") is None
    assert table.find("openstack", "us-east-2", "c7i.large") is None


def test_the_users_files_go_before(tmp_path, monkeypatch):
    """The slice's file before that of the environment, that before the shipped table, each only for what it names."""
    mine = written(tmp_path / "mine.json", {"c7i.large": 0.01, "c7i.xlarge": 0.02})
    slices = written(tmp_path / "slice.json", {"c7i.large": 0, "g9.large": 3})
    monkeypatch.setenv(VARIABLE, str(mine))
    table = price_table([slices])
    found = {
        size: table.find("ec2", "us-east-2", size).usd_per_hour
        for size in ("c7i.large", "c7i.xlarge", "c7i.2xlarge", "g9.large")
    }
    assert found == {"c7i.large": 0.0, "c7i.xlarge": 0.02, "c7i.2xlarge": 0.357, "g9.large": 3.0}
    assert table.find("ec2", "us-east-2", "g9.large").source == "our contract"
    assert price_table().find("ec2", "us-east-2", "c7i.large").usd_per_hour == 0.01


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no JSON"),
        ("[]", "`sets`"),
        ('{"sets": [7]}', "set 1"),
        ('{"sets": [{"driver": "ec2"}]}', "region, purchase"),
    ],
)
def test_a_file_that_is_not_of_the_form(tmp_path, text, told):
    """It says which, where, and what the form is."""
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(UserError, match=told) as wrong:
        PriceTable.read(path)
    assert str(path) in str(wrong.value)
    assert "usd_per_hour" in str(wrong.value)


@pytest.mark.parametrize("value", ["0.3", -1, True, None, float("inf"), float("nan")])
def test_what_is_no_price(tmp_path, value):
    """A price is a number of dollars, and not less than nothing."""
    with pytest.raises(UserError, match=r"c7i\.large"):
        PriceTable.read(written(tmp_path / "prices.json", {"c7i.large": value}))


def test_other_faults_of_a_file(tmp_path):
    """A way of purchase that is none, a region that is no text, sizes that are a list, no file."""
    for more, told in (({"purchase": "borrowed"}, "borrowed"), ({"region": 7}, "texts")):
        with pytest.raises(UserError, match=told):
            PriceTable.read(written(tmp_path / "prices.json", {"c7i.large": 1}, **more))
    with pytest.raises(UserError, match="each size"):
        PriceTable.read(written(tmp_path / "prices.json", ["c7i.large"]))
    with pytest.raises(UserError, match="cannot be read"):
        price_table([tmp_path / "nowhere.json"])
