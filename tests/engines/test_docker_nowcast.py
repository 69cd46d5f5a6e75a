"""The nowcast that comes with dynamo, in containers of the image that comes with dynamo."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def dynamo(folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "dynamo.cli", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(
    900
)  # the image is built where it is not there: its libraries are a quarter of a gigabyte
def test_a_nowcast_in_containers_is_that_without_them_byte_for_byte(tmp_path, algorithms_image):
    """Grids, pictures, polygons and the animation, by another Python than the one here."""
    dynamo(tmp_path, "sample", "storm", "--regime", "line", "--frames", "4", "--to", ".")
    plain = (tmp_path / "nowcast.yaml").read_text()
    (tmp_path / "docker.yaml").write_text(
        f"{plain}\nworkspace: contained\nengine: {{container: docker}}\n"
        f"images: {{default: '{algorithms_image}'}}\n"
    )
    outside, inside = (
        json.loads(dynamo(tmp_path, "run", f"{name}.yaml", "--json")) for name in ("nowcast", "docker")
    )
    assert inside["ran"] == outside["ran"] > 60
    assert len(inside["products"]) == len(outside["products"])
    for one, other in zip(sorted(inside["products"]), sorted(outside["products"]), strict=True):
        with open(one, "rb") as ours, open(other, "rb") as theirs:
            assert ours.read() == theirs.read(), one
