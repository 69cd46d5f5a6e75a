"""A workflow with all that compiling must carry, and its run file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

WORKFLOW = '''\
from dynamo import Input, Output, command, fuse, task, workflow
from helper import doubled


@task(memory="100 MiB", timeout="90 s", priority=5)
def split(scan: Input, parts: list[Output], *, note: str = "") -> None:
    """Cut a file into lines."""
    for part, line in zip(parts, open(scan).read().splitlines(), strict=True):
        open(part, "w").write(line)


@task
def double(part: Input, out: Output) -> None:
    """Say it twice."""
    open(out, "w").write(doubled(open(part).read()))


@command(image="tools", retries=2)
def join(parts: list[Input], out: Output) -> list[object]:
    return ["sort", "-o", out, *parts]


@command(image="tools")
def label(text: Input, out: Output, *, words: str) -> list[object]:
    return ["sh", "-c", f'echo "{words}" | cat - "$1" > "$2"', "label", text, out]


@workflow
def chain(scan: Input, words: str = "it's  two words"):
    for n, part in enumerate(split(scan, ["part_0", "part_1", "part_2"])):
        with fuse(f"lane-{n}"):
            double(double(part, f"once_{n}.txt"), f"twice_{n}.txt")
    joined = join([f"twice_{n}.txt" for n in range(3)], "joined.txt")
    label(joined, "say/the result.txt", words=words)
'''

RUN = """\
workflow: ./chain.py:chain
inputs: {scan: "scan 1.txt"}
products: {to: products, only: ["say/*", "joined.txt"]}
images:
  tools: {docker: "registry.example.org/tools:1"}
  default: {docker: "dynamo-worker:0.1.0", apptainer: worker.sif}
"""

RESULT = "it's  two words\na a a a\nb b b b\nc c c c\n"


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A folder with a run file, its workflow, a module beside it, and an input."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "chain.py").write_text(WORKFLOW)
    (folder / "helper.py").write_text(
        'def doubled(text):\n    return f"{text} {text}\\n".replace("\\n\\n", "\\n")\n'
    )
    (folder / "scan 1.txt").write_text("a\nb\nc\n")
    (folder / "run.yaml").write_text(RUN)
    return folder


@pytest.fixture
def compile_seeded(chain: Path) -> Callable[[str, Path, str], Path]:
    """Compile the chain for a target into a folder, in a process of its own with a hash seed."""

    def run(target: str, to: Path, seed: str) -> Path:
        command = ["-m", "dynamo.cli", "compile", "run.yaml", "--target", target, "-o", str(to)]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, *command], cwd=chain, check=True, env=environment)
        return to

    return run


@pytest.fixture(scope="session")
def schemas(samples: Path) -> Path:
    """The schemas of Pegasus: in the folder that `DYNAMO_PEGASUS_SCHEMA` names, else beside the sample data."""
    folder = Path(os.environ.get("DYNAMO_PEGASUS_SCHEMA", samples.parent / "pegasus-schema"))
    assert (folder / "wf-5.0.yml").is_file(), f"no schemas of Pegasus at {folder}: set DYNAMO_PEGASUS_SCHEMA"
    return folder
