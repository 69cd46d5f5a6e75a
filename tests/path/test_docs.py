"""The pages show what is so: code runs, run files are right, commands exist, and transcripts repeat.

How a page is written, so that this test can hold it to its word:

* A ``python`` block runs, in the order of the page and in one namespace; with ``title="name.py"`` it is also
  written to that file. A ``yaml`` block is a run file, or a part of one; it too may have a title.
* A ``diff`` block with a title changes that file.
* A ``console`` block shows commands after ``$``; each ``dynamo`` in it must be a verb with options there are.
* On a page that holds ``<!-- runs -->``, and in the README, the commands are run too, and print the lines that are
  shown, in that order; ``...`` stands for lines left out, and ids, times and folders may differ.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import click
import jsonschema
import pytest
from dynamo.workflows.hail import hail, hail_size
from dynamo.workflows.nowcast import nowcast
from dynamo.workflows.wind import wind

from dynamo.cli import VERBS
from dynamo.errors import InfrastructureError, InternalError, UserError
from dynamo.graph import Workflow
from dynamo.radar.samples import make_storm
from dynamo.report.drawing import draw
from dynamo.runfile import load

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("README.md"),
        *(ROOT / "workflows").rglob("README.md"),
    ]
)
FENCE = re.compile(r"^( *)```(\w+)([^\n]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    kind: str
    title: str
    text: str
    line: int


def name_of(page: Path) -> str:
    """Name a page as pytest shows it."""
    return str(page.relative_to(ROOT))


def blocks_of(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    text = page.read_text()
    found = []
    for match in FENCE.finditer(text):
        indent, kind, attributes, body = match.groups()
        title = re.search(r'title="([^"]+)"', attributes)
        plain = "\n".join(line.removeprefix(indent) for line in body.splitlines())
        found.append(
            Block(kind, title[1] if title else "", plain + "\n", text[: match.start()].count("\n") + 2)
        )
    return found


def commands_of(block: Block) -> list[tuple[str, list[str]]]:
    """Return each command of a console block with the lines that it is shown to print."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return found


PAGES_BY_KIND = {
    kind: [page for page in PAGES if any(b.kind == kind for b in blocks_of(page))]
    for kind in ("python", "yaml")
}
PAGES_THAT_RUN = [p for p in PAGES if p == ROOT / "README.md" or "<!-- runs -->" in p.read_text()]


def pages(which: list[Path]):
    """One test for each page."""
    return pytest.mark.parametrize("page", which, ids=name_of)


@pytest.fixture
def desk(tmp_path, samples, monkeypatch):
    """A folder to work in: six frames of a made storm in ``frames``, the sample data known by its variable."""
    make_storm(tmp_path / "frames", frames=6)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNAMO_SAMPLES", str(samples))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(tmp_path):
            del sys.modules[name]


@pages(PAGES_BY_KIND["python"])
def test_the_python_on_a_page_runs(page, desk):
    """Every block runs after those before it; what a block has a title for is also a file."""
    namespace: dict[str, object] = {"__name__": "page"}
    for block in blocks_of(page):
        if block.title and block.kind == "python":
            (desk / block.title).parent.mkdir(parents=True, exist_ok=True)
            (desk / block.title).write_text(block.text)
        if block.kind == "python":
            where = f"{page}:{block.line}"
            exec(compile("\n" * (block.line - 1) + block.text, where, "exec"), namespace)


@pages(PAGES_BY_KIND["yaml"])
def test_the_run_files_on_a_page_are_right(page, tmp_path, monkeypatch):
    """Each `yaml` block is right by the JSON Schema and by the loader; a part gets the workflow it lacks."""
    import yaml

    schema = json.loads((files("dynamo.runfile") / "schema.json").read_text())
    monkeypatch.setenv("SCRATCH", "/scratch")
    for block in blocks_of(page):
        if block.kind != "yaml":
            continue
        text = block.text
        if "workflow" not in yaml.safe_load(text):
            text = "workflow: ./w.py:w\n" + text
        (tmp_path / "run.yaml").write_text(text)
        assert load(tmp_path / "run.yaml").workflow == yaml.safe_load(text)["workflow"]
        plain = json.loads(json.dumps(yaml.safe_load(text), default=str))
        jsonschema.validate(plain, schema)


def parse(words: list[str], place: str) -> None:
    """Fail where these words of a command line name no verb or no option of it."""
    verb, *rest = words or ["--help"]
    if verb.startswith("-"):
        assert verb in ("--help", "-h", "--version"), f"{place}: dynamo has no option {verb}"
        return
    assert verb in VERBS, f"{place}: dynamo has no verb {verb!r}, {get_close_matches(verb, VERBS)}"
    command = import_module(f"dynamo.cli.{verb}").command
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        assert rest[0] in command.commands, f"{place}: dynamo {verb} has no {rest[0]!r}"
        command, rest = command.commands[rest[0]], rest[1:]
    if rest in (["--help"], ["-h"]):
        return
    try:
        command.make_context(verb, rest)
    except click.ClickException as error:
        pytest.fail(f"{place}: dynamo {shlex.join(words)}: {error.format_message()}")


def params_of(command: click.Command) -> list[click.Parameter]:
    """Return the parameters of a verb, and of what it is a group of."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    return [*command.params, *(param for one in below for param in one.params)]


@pages(PAGES)
def test_every_command_on_a_page_exists(page):
    """Every `dynamo ...` of a transcript or a script is a verb of the command line with options it has."""
    for block in blocks_of(page):
        lines = [line for line, _ in commands_of(block)] if block.kind == "console" else []
        if block.kind in ("bash", "ini"):
            lines = block.text.splitlines()
        for line in lines:
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
            lexer.whitespace_split = True
            words = list(lexer)
            for i, word in enumerate(words):
                if Path(word).name == "dynamo" and (i == 0 or words[i - 1] != "-m"):
                    end = next(
                        (j for j in range(i, len(words)) if re.fullmatch(r"[|&;<>()]+", words[j])), None
                    )
                    parse(words[i + 1 : end], f"{name_of(page)}:{block.line}")


@pages(PAGES)
def test_every_verb_and_option_named_in_a_sentence_exists(page):
    """What stands as `dynamo VERB --option` in running text is there too."""
    text = FENCE.sub("", page.read_text())
    for verb, rest in re.findall(r"`dynamo ([a-z]+)([^`\n]*)`", text):
        assert verb in VERBS, f"{name_of(page)}: dynamo {verb}"
        known = {o for p in params_of(import_module(f"dynamo.cli.{verb}").command) for o in p.opts} | {
            "--help"
        }
        used = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest))
        assert used <= known, f"{name_of(page)}: dynamo {verb}: {used - known}"


@pages([p for p in PAGES if not p.is_relative_to(ROOT / "docs")])
def test_every_link_outside_the_site_leads_somewhere(page):
    """Relative links of the README files exist (mkdocs watches over those of the site)."""
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", FENCE.sub("", page.read_text())):
        assert (page.parent / target).exists(), f"{name_of(page)}: {target}"


def plain(line: str) -> str:
    """Return a line without what differs from run to run: ids, times, sizes, folders, the width of columns."""
    line = re.sub(r"(?<=-)\d{8}T\d{6}-[0-9a-f]{8}", "ID", line)
    line = re.sub(r"\bw\d+-\d+\b", "WORKER", line)
    line = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", "THEN", line)
    line = re.sub(r"(?:/[\w.@~+-]+)+/(?=[\w.])", "/", line)
    line = re.sub(r"\b[\d.]+ ?(?:ms|s|min|[KMG]i?B|B)\b", "N", line)
    return " ".join(line.split())


def check_shown(shown: list[str], said: str, place: str) -> None:
    """Fail where the lines shown are not lines that were printed, in that order."""
    printed = iter([plain(line) for line in said.splitlines()])
    for line in shown:
        if line.strip() in ("...", ""):
            continue
        assert any(plain(line) == there for there in printed), f"{place}: {line!r} is not what comes:\n{said}"


def change(file: Path, diff: str) -> None:
    """Put the ``+`` lines of a diff in the place of its ``-`` lines."""
    old, new = ("".join(line[1:] for line in diff.splitlines(True) if line[0] in f" {sign}") for sign in "-+")
    text = file.read_text()
    assert text.count(old) == 1, f"{file.name} does not hold once:\n{old}"
    file.write_text(text.replace(old, new))


@pages(PAGES_THAT_RUN)
def test_the_transcript_of_a_page_repeats(page, desk):
    """Written down, changed and run as the page says, everything prints what the page shows."""
    shutil.rmtree(desk / "frames")
    if page.is_relative_to(ROOT / "examples"):
        shutil.copytree(page.parent, desk, dirs_exist_ok=True)
    tools = desk / ".bin"
    tools.mkdir()
    for tool, module in (("dynamo", "dynamo.cli"), ("pytest", "pytest"), ("python", "")):
        run = f"{shlex.quote(sys.executable)} {f'-m {module} ' if module else ''}"
        (tools / tool).write_text(f'#!/bin/sh\nexec {run}"$@"\n')
        (tools / tool).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTEST_ADDOPTS": "-p no:cacheprovider",
    }
    here = desk
    for block in blocks_of(page):
        if block.kind == "diff":
            change(here / block.title, block.text)
        elif block.title:
            (here / block.title).write_text(block.text)
        for command, shown in commands_of(block) if block.kind == "console" else ():
            place = f"{name_of(page)}:{block.line}: $ {command}"
            if command.startswith(("pip ", "python -m venv", ". ", "python -m pip")):
                continue
            if command.startswith("cd "):
                here = here / command.removeprefix("cd ")
                continue
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=here,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            said = done.stderr + done.stdout
            fails = any(line.startswith("error: ") or ": FAILED" in line for line in shown)
            assert bool(done.returncode) == fails, f"{place} ended with {done.returncode}:\n{said}"
            check_shown(shown, said, place)


def test_the_page_of_the_command_line_names_every_verb_and_option():
    """A new verb or option is not there until the reference says so."""
    text = (ROOT / "docs/reference/cli.md").read_text()
    for verb in VERBS:
        assert f"\n## {verb}\n" in text or f"[`{verb}`](#{verb})" in text, verb
        for option in params_of(import_module(f"dynamo.cli.{verb}").command):
            if isinstance(option, click.Option):
                assert any(name in text for name in option.opts), f"{verb} {option.opts}"


#: Chain to its page, and how many files and what else its picture is drawn of.
CHAINS = {
    "nowcast": (nowcast, 32, {}),
    "hail": (hail, 32, {"soundings": ["a.txt", "b.txt"], "area": (-98, 31, -96, 33), "cells": (100, 100)}),
    "wind": (wind, 32, {"area": (-98, 31, -96, 33), "cells": (100, 100)}),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_page_of_a_chain_tells_its_parameters_and_its_graph(name):
    """Names and defaults are those of the function, and the picture is what `dynamo graph` draws."""
    chain, files, params = CHAINS[name]
    text = (ROOT / "workflows" / name / "README.md").read_text()
    assert defaults_told(text, "Parameters") == defaults_of(chain)
    assert draw(chain([f"{n}.nc" for n in range(files)], **params), "mmd") in text


def test_the_page_of_hail_tells_what_is_other_for_sizes():
    """Of what both have, the defaults that are told first hold, unless they are told again."""
    text = (ROOT / "workflows" / "hail" / "README.md").read_text()
    both = defaults_told(text, "Parameters") | defaults_told(text, "Parameters of `hail_size`")
    del both["highest"]
    assert both == defaults_of(hail_size)


def defaults_told(text: str, heading: str) -> dict[str, str]:
    """Names and defaults in the table of a part of a page."""
    part = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", part, re.MULTILINE)
    return {name: shown.strip("`").capitalize() for name, shown in rows}


def defaults_of(chain: Workflow) -> dict[str, str]:
    """Names and defaults of the parameters of a chain, but for its first input, as a page tells them."""
    has = dict(list(inspect.signature(chain.function).parameters.items())[1:])
    return {
        n: (
            ", ".join(f"{x:g}" for x in d) or "None" if isinstance(d := p.default, tuple) else str(d)
        ).capitalize()
        for n, p in has.items()
    }


@pytest.mark.parametrize("error", [UserError, InfrastructureError, InternalError])
def test_the_page_of_exit_codes_tells_those_of_the_errors(error):
    """The table has a row for each code."""
    assert f"\n| {error.exit_code} | " in (ROOT / "docs/reference/exit-codes.md").read_text()
