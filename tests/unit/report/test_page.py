"""The report of a run as a page."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from dynamo.errors import UserError
from dynamo.journal import Journal
from dynamo.report import write_report
from dynamo.report.markup import escape

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Strict(HTMLParser):
    """Checks that every tag is closed in order, and keeps what is in them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _ in attrs}) == len(attrs), f"{tag} has an attribute twice"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        for tag in self.open[-1:]:
            self.texts.setdefault(tag, []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def visible(self) -> str:
        return " ".join(
            t for tag, texts in self.texts.items() if tag not in ("script", "style") for t in texts
        )


def report(chains, run: str, path: Path | None = None) -> Strict:
    made = write_report(chains.workspace, run, path or chains.folder / "report.html")
    return Strict(made.read_text(encoding="utf-8"))


def test_the_report_of_a_run_tells_its_parts(chains):
    """Header, graph, chart, products, steps, tasks and reasons, and no failures."""
    page = report(chains, chains.run(chains.graph("nowcast"), "r1", params={"levels": [35]}))
    assert [s["id"] for s in page.all("section")] == [
        "graph",
        "timeline",
        "products",
        "steps",
        "tasks",
        "reasons",
    ]
    for words in ("nowcast", "r1", "params.levels", "lead-00 to lead-30 (31 jobs)", "Products (95", "31 ran"):
        assert words in page.visible
    assert len(page.all("img")) == 31
    assert all(image["alt"] for image in page.all("img"))


@pytest.mark.parametrize("name", ["nowcast", "failing", "storms", "outer"])
def test_every_page_is_well_formed_and_fetches_nothing(chains, name):
    """All tags closed in order, ids unique, no address of another place, and a policy that says so."""
    page = report(chains, chains.run(chains.graph(name), "r"))
    ids = [a["id"] for _, a in page.tags if a.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.tags:
        assert not any(key.startswith("on") for key in attributes), tag
        for key in ("src", "href", "srcset", "action"):
            value = attributes.get(key) or ""
            assert not re.match(r"(?!data:)[a-z]+:|//", value), (tag, value)
    (policy,) = (m["content"] for m in page.all("meta") if m.get("http-equiv"))
    (script,) = page.texts["script"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert "url(" not in "".join(page.texts["style"])


def test_failures_come_first_with_all_one_needs(chains):
    """Error, log, where it ran, what failed alike and what could not run; hostile text is only text."""
    page = report(chains, chains.run(chains.graph("failing"), "r", inline=False))
    assert page.all("section")[0]["id"] == "failures"
    assert len(page.all("article")) == 1
    assert len(page.all("script")) == 1
    for words in (
        "ValueError: bad <script>alert(1)</script> & more", "Failed in the same way: fragile-2",
        "Could not run because of it: follow-1, follow-2", "What failed (2 tasks)", "<b>about to</b> fail \ufffd",
    ):  # fmt: skip
        assert words in page.visible, words
    links = [chains.folder / unquote(a["href"]) for a in page.all("a") if ".dynamo" in a["href"]]
    assert [link.name for link in links] == ["fragile-1.1.log", "fragile-1"]
    assert links[0].is_file()
    assert links[1].is_dir()


def test_links_are_relative_to_the_report(chains):
    """They hold where the folder is moved as a whole, also with odd characters in names."""
    run = chains.run(chains.graph("steps"), "r")
    page = report(chains, run, chains.folder / "a b" / "é#?.html")
    links = [unquote(a["href"]) for a in page.all("a")]
    assert sorted(links) == ["../products/a", "../products/b", "../products/c"]


def test_a_run_that_reused_everything_says_so(chains):
    """No chart, no times; the reasons name the run that made the results."""
    chains.run(chains.graph("steps"), "first")
    page = report(chains, chains.run(chains.graph("steps"), "second"))
    assert [s["id"] for s in page.all("section")] == ["graph", "products", "steps", "reasons"]
    assert "3 reused" in page.visible
    assert "first" in page.visible


def test_a_run_whose_engine_is_gone_is_interrupted(chains):
    """The journal says running, but nobody holds its lock; its tasks did not run."""
    with Journal(chains.workspace.journal) as journal, journal.change():
        journal.add_run("r", chains.graph("steps"), {}, 100.0)
        journal.start_attempt("r", "follow-0", 1, "w0", 102.5, "follow", "never run before")
    page = report(chains, "r")
    assert [(s["class"]) for s in page.all("span") if "state" in (s.get("class") or "")] == [
        "state interrupted"
    ]
    assert "3 not run" in page.visible
    assert "2.5 s" in page.visible  # not until now, which may be days later


def test_tasks_that_the_graph_no_longer_has_are_left_out(chains):
    """A resumed run may describe other tasks at run time than before; their records stay in the journal."""
    run = chains.run(chains.graph("failing"), "r")
    with Journal(chains.workspace.journal) as journal, journal.change():
        journal.set_task(run, "gone/task", "gone/step", "failed", "an old error", None)
        journal.start_attempt(run, "gone/task", 1, "w9", 0.0, "gone/step", "never run before")
    page = report(chains, run)
    assert "an old error" not in page.visible
    assert "w9" not in page.visible


def test_the_run_time_part_of_a_graph_is_drawn(chains):
    """What was found is in the picture and in the table of steps."""
    page = report(chains, chains.run(chains.graph("storms"), "r"))
    assert "each (described at run time)" in page.visible
    assert "each/move" in page.visible


def test_an_unknown_run_and_a_folder_in_the_way_are_named(chains):
    """Both are the user's to mend."""
    run = chains.run(chains.graph("steps"), "r")
    with pytest.raises(UserError, match="no run 'q'"):
        write_report(chains.workspace, "q", chains.folder / "r.html")
    (chains.folder / "r.html").mkdir()
    with pytest.raises(UserError, match=r"cannot write the report .*r\.html"):
        write_report(chains.workspace, run, chains.folder / "r.html")


def test_text_that_no_page_may_hold_is_replaced():
    """Control characters, bytes of another encoding and colours of a terminal; markup becomes text."""
    assert (
        escape("\x1b[1;31mgr\udcfc\x00n\x1b[0m <i>\"'&\n") == "gr\ufffd\ufffdn &lt;i&gt;&quot;&#x27;&amp;\n"
    )


def test_the_report_of_a_nowcast_is_small(chains):
    """A few hundred kB at most, besides pictures."""
    run = chains.run(chains.graph("nowcast"), "r")
    text = write_report(chains.workspace, run, chains.folder / "r.html").read_text()
    assert len(re.sub(r'src="data:[^"]*"', "", text)) < 200_000
