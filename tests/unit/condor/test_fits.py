"""What no slot of a pool can have is refused, and names who must act; what one of them can, is not."""

from __future__ import annotations

import pytest

from dynamo.condor.fits import check_fits
from dynamo.condor.schedd import Slot
from dynamo.errors import UserError
from dynamo.graph import Graph
from dynamo.graph.model import Task
from dynamo.graph.needs import Needs
from dynamo.images.image import Image

GIB = 1 << 30
IMAGES = {
    "default": Image("default", apptainer="/srv/folder"),
    "packed": Image("packed", apptainer="/srv/packed.sif"),
}


def graph(**needs: object) -> Graph:
    task = Task(
        "a", "a", "python", "flow:a", {}, {"out": "a.txt"}, {}, needs=Needs(**needs), place="flow.py:1"
    )
    return Graph("flow", {"a": task}, {})


@pytest.mark.parametrize(
    ("needs", "slots", "container"),
    [
        ({"cores": 2, "memory": GIB}, [Slot(1, 4 * GIB), Slot(2, GIB)], ""),
        ({"cores": 99}, [], ""),
        ({}, [Slot(1, GIB), Slot(1, GIB, ("apptainer",))], "apptainer"),
        (
            {"image": "packed"},
            [Slot(1, GIB, ("apptainer",)), Slot(1, GIB, ("apptainer", "sif"))],
            "apptainer",
        ),
        ({"image": "packed"}, [Slot(1, GIB, ("docker",))], "docker"),
    ],
)
def test_what_one_slot_has_is_enough(needs, slots, container):
    """Where there is no slot at all, one may come."""
    check_fits(graph(**needs), slots, container, IMAGES)


@pytest.mark.parametrize(
    ("needs", "slots", "container", "said"),
    [
        ({"cores": 2, "memory": GIB}, [Slot(1, 4 * GIB), Slot(2, 1)], "", "no slot of the pool has that"),
        ({}, [Slot(1, GIB, ("docker",))], "apptainer", "no machine of the pool has Apptainer"),
        ({"image": "packed"}, [Slot(1, GIB, ("apptainer",))], "apptainer", "can open a .sif file"),
    ],
)
def test_what_no_slot_has_is_refused(needs, slots, container, said):
    """It would wait for ever."""
    with pytest.raises(UserError, match=said):
        check_fits(graph(**needs), slots, container, IMAGES)
