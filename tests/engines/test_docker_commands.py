"""Commands in users' own images, with no Python and perhaps no shell in them; and what becomes of containers when
the process that started them dies."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from dynamo.images.base import base_image
from dynamo.images.container import ENGINE

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "05-own-images"
SHELL = """\
import time
from dynamo import Input, Output, command, task, workflow

@command(image="shell", {needs})
def say(frame: Input, out: Output) -> list[object]:
    return {argv}

@workflow
def flow(frame: Input) -> None:
    say(frame, "out.txt")
"""


@pytest.fixture(scope="module")
def base(docker):
    """An image with a shell, and no dynamo."""
    image = base_image(docker)
    return (image.tags or [image.id])[0]


@pytest.fixture(scope="module")
def own_images(base):
    """Those of the example, built by its own script."""
    subprocess.run([EXAMPLE / "build.sh"], check=True, env={**os.environ, "BASE": base}, capture_output=True)


def built(docker, name, text, base):
    """Build an image with one file in it."""
    context = BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for path, content in {"Dockerfile": f"FROM {base}\nCOPY version /version\n", "version": text}.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, BytesIO(content.encode()))
    context.seek(0)
    return docker.images.build(fileobj=context, custom_context=True, tag=name, rm=True)[0]


def dynamo(folder, *arguments, code=0):
    """Run the command line and return what it printed, and what it printed as an error."""
    done = subprocess.run(
        [sys.executable, "-m", "dynamo.cli", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture
def say(tmp_path, base):
    """Write a run file whose one task runs an argument list in an image with a shell."""

    def write(*argv, needs="timeout='60 s'", image=base):
        code = "[" + ", ".join(a if a in ("frame", "out") else repr(a) for a in argv) + "]"
        (tmp_path / "flow.py").write_text(SHELL.format(argv=code, needs=needs))
        (tmp_path / "frame.txt").write_text("echo\n")
        (tmp_path / "run.yaml").write_text(
            "workflow: ./flow.py:flow\ninputs: {frame: frame.txt}\nproducts: products\n"
            f"engine: {{container: docker}}\nimages: {{shell: '{image}'}}\n"
        )
        return tmp_path

    return write


def left(docker, folder):
    found = docker.containers.list(all=True, ignore_removed=True, filters={"label": ENGINE})
    return [one for one in found if one.labels[ENGINE].startswith(str(folder))]


def test_a_program_in_c_and_a_shell_script_run_in_their_own_images(tmp_path, own_images, docker, eventually):
    """The first has nothing beside it, not even a shell; names are odd; a second run has nothing to do."""
    shutil.copytree(EXAMPLE, tmp_path / "x")
    odd = tmp_path / "x" / "tables" / 'we ird\'s "né$w" (1).txt'
    odd.write_text("99\n")
    done = json.loads(dynamo(tmp_path / "x", "run", "storm_area.yaml", "--json"))
    assert (done["ran"], done["ok"]) == (4, True)
    assert (tmp_path / "x" / "products" / "area.txt").read_text() == "5\n"
    assert (tmp_path / "x" / "products" / "area.txt").stat().st_uid == os.getuid()
    assert "3 of 6 cells reach 35 dBZ" in dynamo(tmp_path / "x", "logs", "area-0")
    assert json.loads(dynamo(tmp_path / "x", "run", "storm_area.yaml", "--json"))["reused"] == 4
    eventually(lambda: left(docker, tmp_path) == [])


@pytest.mark.parametrize(
    ("argv", "needs", "told"),
    [
        (["sh", "-c", "echo partly; exit 7"], "", "sh ended with exit code 7"),
        (
            ["sh", "-c", "kill -9 $$; sleep 1"],
            "",
            "did not write its output",
        ),  # none can kill the first of its kind
        (["/no/program"], "", "cannot start '/no/program' in "),
        (["sh", "-c", "true"], "", "did not write its output 'out.txt'"),
        (
            ["sh", "-c", "x=$(yes | head -c 300000000)"],
            "memory='20 MiB'",
            "needed more memory than the 20 MiB it declares",
        ),
        (["sh", "-c", "sleep 600"], "timeout='1 s'", "ran longer than its timeout of 1 s"),
    ],
)
def test_a_command_that_fails_in_its_image_is_told(say, docker, eventually, argv, needs, told):
    """With its exit code or what it lacked; no container is left."""
    folder = say(*argv, needs=needs)
    assert told in dynamo(folder, "run", "run.yaml", code=2)
    eventually(lambda: left(docker, folder) == [])


def test_what_a_command_printed_is_in_its_log(say):
    """Both streams, in whatever encoding."""
    script = 'echo to stdout; echo to stderr >&2; printf \'\\377\'; cat "$2" > "$1"'
    folder = say("sh", "-c", script, "sh", "out", "frame")
    dynamo(folder, "run", "run.yaml")
    (log,) = (folder / ".dynamo" / "runs").rglob("say.1.log")
    said = log.read_bytes()  # which of two streams is read first is up to Docker
    assert len(said) == len(b"to stdout\nto stderr\n\xff")
    assert all(part in said for part in (b"to stdout\n", b"to stderr\n", b"\xff"))


def test_a_task_runs_again_once_its_image_is_rebuilt(say, docker, base):
    """The plan says so too, and why; a second name of the same image changes nothing."""
    built(docker, "dynamo-test-rebuilt:1", "one", base)
    folder = say("sh", "-c", 'cat /version > "$1"', "sh", "out", image="dynamo-test-rebuilt:1")
    dynamo(folder, "run", "run.yaml")
    assert "1 to reuse" in dynamo(folder, "plan", "run.yaml")
    image = built(docker, "dynamo-test-rebuilt:1", "two", base)
    assert "parameter container image changed" in dynamo(folder, "plan", "run.yaml")
    dynamo(folder, "run", "run.yaml")
    assert (folder / "products" / "out.txt").read_text() == "two"
    image.tag("dynamo-test-rebuilt", "2")
    say("sh", "-c", 'cat /version > "$1"', "sh", "out", image="dynamo-test-rebuilt:2")
    assert "1 to reuse" in dynamo(folder, "plan", "run.yaml")


def test_a_python_task_needs_an_image_with_dynamo(say, base):
    """It is told before anything runs, with the image to build upon."""
    folder = say("true")
    text = (folder / "flow.py").read_text().replace("@command", "@task").replace("return ['true']", "...")
    (folder / "flow.py").write_text(text)
    told = dynamo(folder, "run", "run.yaml", code=2)
    assert "has no dynamo in it, which a Python task needs: build it upon dynamo-worker:" in told


def test_a_run_that_failed_is_gone_on_with_in_its_image(say):
    """`resume` knows the images of the run."""
    folder = say("sh", "-c", 'test -s "$1" && cp "$1" "$2"', "sh", "frame", "out")
    (folder / "frame.txt").write_text("")
    told = dynamo(folder, "run", "run.yaml", code=2)
    run = told.partition("dynamo resume ")[2].split()[0]
    (folder / "frame.txt").write_text("echo")
    (folder / "run.yaml").unlink()  # all it needs is in the journal
    dynamo(folder, "resume", run)
    assert (folder / "products" / "out.txt").read_text() == "echo"


DEATHS = {"Ctrl-C": signal.SIGINT, "kill -9": signal.SIGKILL}
WAITS = """\
import time
from dynamo import Input, Output, task, workflow

@task(image="shell")
def say(frame: Input, out: Output) -> None:
    time.sleep(600)

@workflow
def flow(frame: Input) -> None:
    say(frame, "out.txt")
"""


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("kind", ["command", "python"])
def test_no_container_outlives_dynamo(say, docker, eventually, worker_image, kind, death):
    """However it ends, in the middle of a task."""
    folder = say("sleep", "600", **({"image": worker_image} if kind == "python" else {}))
    if kind == "python":
        (folder / "flow.py").write_text(WAITS)
    process = subprocess.Popen(
        [sys.executable, "-m", "dynamo.cli", "run", "run.yaml", "-q"], cwd=folder, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: any(one.status == "running" for one in left(docker, folder)))
        process.send_signal(DEATHS[death])
        assert process.wait(30) in (130, -9)
        eventually(lambda: left(docker, folder) == [])
    finally:
        process.kill()
        process.wait()
