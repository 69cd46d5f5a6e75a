"""The report of a run: one HTML file that needs nothing else, to be kept, mailed or served.

Enters: a workspace and the id of a run. Leaves: the file. It has its own styles and script, and a content
security policy that lets a browser fetch nothing. Goes wrong: `UserError` where the run is not known or the file
cannot be written.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import time
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from string import Template

from dynamo import __version__
from dynamo.errors import UserError
from dynamo.journal import Journal, Workspace
from dynamo.report import sections
from dynamo.report.colours import style
from dynamo.report.facts import RunFacts, gather
from dynamo.report.markup import escape
from dynamo.report.products import Product, find_products

__all__ = ["write_report"]


def write_report(workspace: Workspace, run_id: str, path: Path) -> Path:
    """Write the report of a run, which may be under way still, to `path`, and return that.

    Links in it are relative to the folder of `path`. The file appears whole. Raises `UserError` where there is no
    such run or `path` cannot be written.
    """
    path = path.absolute()
    with Journal(workspace.journal) as journal:
        facts = gather(workspace, journal, run_id)
        found = find_products(workspace, journal, facts.tasks, facts.run.settings)
    text = render(facts, found, str(path.parent))
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UserError(f"cannot write the report {path}: {error.strerror}") from error
    return path


def render(facts: RunFacts, found: list[Product], base: str) -> str:
    """Return the page; `base` is the folder that its links start from."""
    package = files("dynamo.report")
    script = (package / "page.js").read_text(encoding="utf-8")
    body = (
        sections.header(facts),
        sections.failures(facts, base),
        sections.graph(facts),
        sections.timeline(facts),
        sections.products(found, base),
        sections.steps(facts),
        sections.tasks(facts),
        sections.reasons(facts),
    )
    written = datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Template((package / "page.html").read_text(encoding="utf-8")).substitute(
        title=escape(f"{facts.run.workflow} {facts.state}: {facts.run.id}"),
        style=style("page", "graph"),
        script=script,
        hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        body="\n".join(part for part in body if part),
        footer=escape(f"dynamo {__version__}, Python {platform.python_version()}, written {written}"),
    )
