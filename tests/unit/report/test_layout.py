"""Where boxes, frames and arrows stand."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynamo.report.layered import Link, arrange
from dynamo.report.layout import lay_out, shorten
from dynamo.report.picture import picture


def apart(a, b) -> bool:
    return a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y


def inside(a, b) -> bool:
    return b.x <= a.x and b.y <= a.y and a.x + a.width <= b.x + b.width and a.y + a.height <= b.y + b.height


@pytest.mark.parametrize("name", ["nowcast", "storms", "steps", "loop", "outer", "failing"])
@pytest.mark.parametrize("expand", [False, True])
def test_nothing_overlaps_and_frames_hold_their_boxes_only(chains, name, expand):
    """Boxes are apart from each other, inside their own frame, and apart from every other."""
    drawn = picture(chains.graph(name), expand=expand)
    layout = lay_out(drawn, {key: box.count for key, box in drawn.boxes.items()})
    assert all(apart(a, b) for a, b in combinations(layout.boxes.values(), 2))
    assert all(apart(a, b) for a, b in combinations(layout.frames.values(), 2))
    for key, box in drawn.boxes.items():
        for frame, spot in layout.frames.items():
            assert inside(layout.boxes[key], spot) if box.frame == frame else apart(layout.boxes[key], spot)
        spot = layout.boxes[key]
        assert 0 <= spot.x <= spot.x + spot.width <= layout.width
        assert 0 <= spot.y <= spot.y + spot.height <= layout.height


@pytest.mark.parametrize("name", ["nowcast", "storms", "loop", "outer"])
@pytest.mark.parametrize("expand", [False, True])
def test_arrows_run_from_the_edge_of_one_box_to_the_edge_of_the_other(chains, name, expand):
    """Each route begins and ends on the boxes that its arrow names."""
    drawn = picture(chains.graph(name), expand=expand)
    layout = lay_out(drawn, {})
    for arrow, route in zip(drawn.arrows, layout.routes, strict=True):
        for key, (x, y) in ((arrow.tail, route[0]), (arrow.head, route[-1])):
            spot = layout.boxes[key]
            assert min(abs(x - spot.x), abs(x - spot.x - spot.width)) < 1e-6
            assert spot.y <= y <= spot.y + spot.height


def test_steps_that_read_each_other_in_turn_are_placed_all_the_same(chains):
    """A loop in the picture (not in the graph) has one arrow that runs back."""
    drawn = picture(chains.graph("loop"))
    layout = lay_out(drawn, {})
    back = [r for r in layout.routes if r[-1][0] < r[0][0]]
    assert len(back) == 1


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30))
def test_any_directed_graph_is_placed_without_overlap(pairs):
    """Cycles, loops of one, double edges and lone nodes included; every route joins its nodes."""
    sizes = {n: (40.0 + n, 20.0) for n in range(12)}
    links = [Link(a, b) for a, b in pairs if a != b]
    placed = arrange(sizes, links)
    for a, b in combinations(sizes, 2):
        (ax, ay), (bx, by) = placed.corners[a], placed.corners[b]
        assert (
            ax + sizes[a][0] <= bx or bx + sizes[b][0] <= ax or ay + 20 <= by + 1e-6 or by + 20 <= ay + 1e-6
        )
    for link, route in zip(links, placed.routes, strict=True):
        for node, (x, y) in ((link.tail, route[0]), (link.head, route[-1])):
            left, top = placed.corners[node]
            assert min(abs(x - left), abs(x - left - sizes[node][0])) < 1e-6
            assert abs(y - top - 10) < 1e-6


def test_a_diamond_is_drawn_straight():
    """One node, two below each other, one node: the ends stand at the middle of the two."""
    sizes = dict.fromkeys("abcd", (50.0, 20.0))
    placed = arrange(sizes, [Link(*pair) for pair in ("ab", "ac", "bd", "cd")])
    x, y = ({k: corner[i] for k, corner in placed.corners.items()} for i in (0, 1))
    assert x["a"] < x["b"] == x["c"] < x["d"]
    assert y["a"] == pytest.approx(y["d"]) == pytest.approx((y["b"] + y["c"]) / 2)


def test_edges_that_can_be_drawn_without_crossing_are():
    """Two chains whose ends were named in the other order do not cross."""
    sizes = dict.fromkeys(["a", "b", "y", "x"], (50.0, 20.0))
    placed = arrange(sizes, [Link("a", "x"), Link("b", "y")])
    assert (placed.corners["a"][1] < placed.corners["b"][1]) == (
        placed.corners["x"][1] < placed.corners["y"][1]
    )


def test_a_deep_chain_is_placed_without_recursion():
    """5,000 nodes one after another."""
    sizes = dict.fromkeys(range(5000), (10.0, 10.0))
    placed = arrange(sizes, [Link(n, n + 1) for n in range(4999)])
    assert placed.corners[4999][0] > placed.corners[0][0]


def test_long_names_lose_their_middle():
    """Beginning and end stay, which tell names apart."""
    assert shorten("a" * 30 + "b" * 30, 11) == "aaaaa…bbbbb"
    assert shorten("short") == "short"
