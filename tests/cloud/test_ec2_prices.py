"""What EC2 has for sale, and at what price."""

from __future__ import annotations

import pytest
from dynamo.provisioners.ec2 import connect

from dynamo.fleet.refusals import AuthError, UnavailableError
from tests.cloud.ec2_use import REGION, refusing, settings
from tests.cloud.fake_ec2 import Fault


def test_what_is_for_sale(cloud, between, tmp_path):
    """Sizes are those that EC2 tells, prices those of the table or of the user's file, and None where nobody says."""
    mine = tmp_path / "prices.json"
    mine.write_text(
        '{"sets": [{"driver": "ec2", "region": "us-east-2", "purchase": "spot", "date": "2026-01-31", '
        '"source": "our contract", "usd_per_hour": {"c7i.4xlarge": 0.125}}]}'
    )
    # What stands for EC2 here computes for seconds at each page.
    patient = connect(settings(between.url, prices=str(mine), read_timeout=200))
    offered = {(one.size, one.purchase): one for one in patient.offerings()}
    one = offered["c7i.4xlarge", "on-demand"]
    assert (one.cores, one.memory, one.region, one.usd_per_hour) == (16, 32 * 2**30, REGION, 0.714)
    assert offered["c7i.4xlarge", "spot"].usd_per_hour == 0.125
    assert offered["c7i.2xlarge", "spot"].usd_per_hour > 0
    assert offered["x1e.32xlarge", "on-demand"].usd_per_hour is None
    assert offered["p3dn.24xlarge", "on-demand"].gpus == 8
    assert len(offered) > 1000


def test_what_is_for_sale_where_sizes_may_not_be_asked(cloud, between):
    """An account that may not ask for sizes is told those that Libcloud knows, with the same prices."""
    with refusing(between, "DescribeInstanceTypes", "UnauthorizedOperation", 403):
        offered = {(one.size, one.purchase): one for one in cloud.offerings()}
        one = offered["c7i.4xlarge", "on-demand"]
        assert (one.cores, one.memory, one.usd_per_hour) == (16, 32 * 2**30, 0.714)
        with pytest.raises(AuthError):
            connect(settings(between.url, region="xx-nowhere-1")).offerings()
    with between.failing(lambda call: Fault(500)), pytest.raises(UnavailableError):
        cloud.offerings()
