"""Drawings as SVG, PNG, Mermaid and JSON."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from PIL import Image

from dynamo.errors import UserError
from dynamo.graph import Graph, Task
from dynamo.report import drawing
from dynamo.report.drawing import draw, write_drawing
from dynamo.report.picture import picture
from dynamo.report.svg import svg

SVG = "{http://www.w3.org/2000/svg}"


def hostile() -> Graph:
    """A task whose names hold all that markup would read."""
    name = "a<b>&\"'`#\x00\n]"
    task = Task(f"{name}-1", name, "command", "m:f", {"i": "in"}, {"o": "out"}, {}, place="f.py:1")
    return Graph(name, {task.id: task}, {"in": "/in"})


@pytest.mark.parametrize("name", ["nowcast", "storms", "outer", "loop"])
@pytest.mark.parametrize("expand", [False, True])
def test_svg_is_well_formed_and_says_every_name(chains, name, expand):
    """An XML parser reads it, and the labels are text in it."""
    graph = chains.graph(name)
    root = ET.fromstring(draw(graph, "svg", expand=expand))
    labels = [e.text for e in root.iter(f"{SVG}text") if e.get("class") == "label"]
    assert sorted(labels) == sorted(b.label for b in picture(graph, expand=expand).boxes.values())


def test_svg_needs_nothing_from_elsewhere(chains):
    """No address but the name of the format, no script."""
    text = draw(chains.graph("nowcast"), "svg")
    assert text.count("http") == 1
    assert "<script" not in text
    assert "prefers-color-scheme: dark" in text


def test_hostile_names_are_escaped_in_svg():
    """Markup and control characters in names are text."""
    root = ET.fromstring(draw(hostile(), "svg"))
    assert any("a<b>&" in (e.text or "") for e in root.iter(f"{SVG}text"))


def test_states_colour_a_box_and_draw_a_bar(chains):
    """The worst state gives the colour; parts of the bar are as long as the counts."""
    drawn = picture(chains.graph("nowcast"))
    key = next(k for k, b in drawn.boxes.items() if b.label == "plot")
    root = ET.fromstring(svg(drawn, states={key: {"done": 30, "failed": 10}}))
    (box,) = (e for e in root.iter(f"{SVG}rect") if e.get("class") == "box python is-failed")
    bars = {
        e.get("class"): float(e.get("width")) for e in root.iter(f"{SVG}rect") if "bar-" in e.get("class")
    }
    assert bars["bar-done"] == pytest.approx(3 * bars["bar-failed"], abs=0.2)
    assert sum(bars.values()) < float(box.get("width"))


def test_mermaid_text(chains):
    """Boxes, a frame, and arrows, in the flowchart language."""
    assert draw(chains.graph("steps"), "mmd") == (
        'flowchart LR\n  n0(["frame_0.nc"])\n  n1["follow<br/>3 tasks, one after another"]\n  n0 --> n1\n'
    )
    text = draw(chains.graph("nowcast"), "mmd")
    assert '  subgraph f0["lead-00 to lead-30 (31 jobs)"]\n' in text
    assert '[["join"]]' in text


def test_hostile_names_are_escaped_in_mermaid():
    """Quotes and brackets cannot end a label."""
    text = draw(hostile(), "mmd")
    (line,) = (line for line in text.splitlines() if "a#lt;b" in line)
    assert line.strip().startswith('n1[["')
    assert line.endswith('"]]')
    assert line.count('"') == 2


def test_json_is_the_graph_itself(chains):
    """What is written can be read back."""
    graph = chains.graph("outer")
    assert Graph.from_json(json.loads(draw(graph, "json"))).digest() == graph.digest()


@pytest.mark.parametrize("name", ["nowcast", "storms"])
def test_png_is_a_picture_twice_the_size_of_the_svg(chains, name, tmp_path):
    """Drawn from the same layout, with two dots for each pixel."""
    graph = chains.graph(name)
    write_drawing(graph, tmp_path / "new" / "g.png")
    write_drawing(graph, tmp_path / "g.svg")
    root = ET.parse(tmp_path / "g.svg").getroot()
    with Image.open(tmp_path / "new" / "g.png") as image:
        assert image.width == pytest.approx(2 * float(root.get("width")), abs=3)
        assert image.height == pytest.approx(2 * float(root.get("height")), abs=3)
        assert len(image.convert("RGB").getcolors(1 << 20)) > 10


def test_png_takes_dollar_signs_as_they_are(tmp_path):
    """A name is no formula."""
    task = Task("$x^{", "$x^{", "python", "m:f", {}, {"o": "out"}, {})
    write_drawing(Graph("g", {task.id: task}), tmp_path / "g.png")
    assert (tmp_path / "g.png").stat().st_size > 1000


def test_an_unknown_form_names_those_there_are(chains, tmp_path):
    """With the nearest."""
    with pytest.raises(UserError, match=r"must end in \.svg .*did you mean 'svg'"):
        write_drawing(chains.graph("steps"), tmp_path / "g.sgv")


def test_a_file_that_cannot_be_written_is_named(chains, tmp_path):
    """A folder stands in its place."""
    (tmp_path / "g.svg").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*g\.svg: Is a directory"):
        write_drawing(chains.graph("steps"), tmp_path / "g.svg")


@pytest.mark.parametrize("form", ["svg", "png"])
def test_a_picture_too_large_to_look_at_is_refused(chains, tmp_path, monkeypatch, form):
    """The message says what to leave out."""
    monkeypatch.setattr(drawing, "MOST", 50)
    with pytest.raises(UserError, match=r"101 boxes and \d+ arrows.*leave out --expand"):
        write_drawing(chains.graph("nowcast"), tmp_path / f"g.{form}", expand=True)
    write_drawing(chains.graph("nowcast"), tmp_path / f"g.{form}")


def test_drawing_changes_nothing(chains):
    """The same graph gives the same text."""
    graph = chains.graph("storms")
    assert draw(graph, "svg") == draw(replace(graph), "svg")
