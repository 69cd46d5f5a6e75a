"""Jobs of a pool in containers: Docker's and Apptainer's; commands in users' own images; images that are not there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynamo.images.base import base_image
from tests.conftest import pool_of

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "05-own-images"
WHERE = """
import os
from pathlib import Path
from dynamo import Input, Output, command, task, workflow

@task
def where(frame: Input, out: Output) -> None:
    system = Path("/etc/os-release").read_text().split('VERSION_CODENAME=')[1].split()[0]
    out.write_text(f"{frame.read_text()} {system} {os.getuid()} {os.path.exists('/usr/sbin/condor_master')}")

@workflow
def flow(frame: Input) -> None:
    where(frame, "out.txt")
"""
COMMANDS = """
from dynamo import Input, Output, command, task, workflow

@command(image="shell")
def odd(frame: Input, out: Output) -> list[object]:
    return ["sh", "-c", 'cp "$1" "$2"; echo "$3" >> "$2"', "x", frame, out, {argument!r}]

@command(image="shell", timeout="3 s")
def slow(frame: Input, out: Output) -> list[object]:
    return ["sleep", "1000"]

@command(image="shell")
def fails(frame: Input, out: Output) -> list[object]:
    return ["sh", "-c", "echo why; exit 7"]

@command(image="shell")
def forgets(frame: Input, out: Output) -> list[object]:
    return ["true"]

@task
def after(frame: Input, out: Output) -> None:
    out.write_text(frame.read_text().upper())

@workflow
def flow(frame: Input) -> None:
    after(odd(frame, "a b/ou t.txt"), "after.txt")
    slow(frame, "slow.txt")
    fails(frame, "fails.txt")
    forgets(frame, "forgets.txt")
"""
ALONE = """
from dynamo import Input, Output, command, workflow

@command(image="shell")
def copy(frame: Input, out: Output) -> list[object]:
    return ["cp", frame, out]

@workflow
def flow(frame: Input) -> None:
    copy(frame, "out.txt")
"""
#: What HTCondor, DAGMan and a shell each take for their own.
ARGUMENT = "it's \"so\" $HOME $(x) \\ 'a'  b;c, #"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory, docker: Any, pool: Any) -> Iterator[Any]:
    """A pool whose workers run jobs in containers; they see the folder ``images`` beside the workspace."""
    images = tmp_path_factory.mktemp("images")
    images.chmod(0o755)
    name, runs = f"containers-{os.getpid()}", ("docker", "apptainer")
    with pool_of(docker, tmp_path_factory, name, pool.image, containers=runs, images=(images,)) as made:
        yield made
    shutil.rmtree(images, ignore_errors=True)


@pytest.fixture(scope="module")
def base(docker: Any) -> str:
    """An image with a shell, and no dynamo."""
    image = base_image(docker)
    return str((image.tags or [image.id])[0])


def run(
    pool: Any, name: str, code: str, container: str, images: str
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run a workflow of one input in a folder of its own."""
    folder = pool.folder(name)
    (folder / "flow.py").write_text(code)
    (folder / "in, put.txt").write_text("hello")
    (folder / "run.yaml").write_text(
        'workflow: ./flow.py:flow\ninputs: {frame: "in, put.txt"}\nproducts: products\n'
        f"engine: {{name: htcondor, container: {container}}}\nimages: {{{images}}}\n"
    )
    return pool.dynamo(folder, "run", "run.yaml"), folder


def test_the_user_in_the_submit_container_may_ask_for_the_slots(workers):
    """`condor_status` there needs no token from elsewhere; each slot tells what containers it runs."""
    said = workers.submit_exec(["condor_status", "-af", "HasDocker", "HasSingularity", "HasSIF"])
    assert said.stdout.split() == ["true"] * 6, said.stderr


def test_a_task_of_a_users_file_runs_in_its_image(workers, worker_image):
    """The system that it finds is that of the image, not that of the worker, which has another."""
    done, folder = run(workers, "docker", WHERE, "docker", f'default: "{worker_image}"')
    assert done.returncode == 0, done.stdout + done.stderr
    owner = os.getuid() or 1000
    assert (folder / "products/out.txt").read_text() == f"hello trixie {owner} False"


@pytest.fixture(scope="module")
def apptainer(workers: Any, worker_image: str, docker: Any) -> Path:
    """A folder with ``worker``, a folder of Apptainer made from the image of Docker as docs/howto/pool.md says.

    And ``worker.sif``, which is made of it.
    """
    (images,) = workers.settings.images
    with (images / "worker.tar").open("wb") as archive:
        for part in docker.images.get(worker_image).save(named=True):
            archive.write(part)
    for made in (["--sandbox", "worker", "docker-archive:worker.tar"], ["worker.sif", "worker"]):
        docker.containers.run(
            workers.image,
            ["apptainer", "build", *made],
            volumes=[f"{images}:{images}"],
            working_dir=str(images),
            security_opt=["seccomp=unconfined"],
            network_mode="none",
            remove=True,
        )
    (images / "worker.tar").unlink()
    return images


@pytest.mark.parametrize("image", ["worker", "worker.sif"])
def test_a_task_runs_in_an_image_of_apptainer(workers, apptainer, image):
    """A folder, or a file, which the worker mounts."""
    said = f"default: {{apptainer: {apptainer}/{image}}}"
    done, folder = run(workers, image, WHERE, "apptainer", said)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " trixie " in (folder / "products/out.txt").read_text()


def test_programs_without_python_run_in_their_own_images(workers, base, until):
    """The example of the local engine: a C program alone in its image, and a shell script; files in sub-folders."""
    subprocess.run([EXAMPLE / "build.sh"], check=True, env={**os.environ, "BASE": base}, capture_output=True)
    folder = workers.folder("own")
    shutil.copytree(EXAMPLE / "tables", folder / "tables")
    shutil.copy(EXAMPLE / "storm_area.py", folder)
    text = (EXAMPLE / "storm_area.yaml").read_text().replace("name: local", "name: htcondor")
    (folder / "storm_area.yaml").write_text(text)
    done = workers.dynamo(folder, "run", "storm_area.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = [int(path.read_text()) for path in (folder / "products/tables").glob("*.count")]
    assert len(counts) == 2
    assert int((folder / "products/area.txt").read_text()) == sum(counts)
    reports = lambda: list(folder.glob(".dynamo/runs/*/dag-1/report.txt"))  # noqa: E731
    until(reports, "the last node has run")
    until(lambda: "3 of 3 tasks done" in reports()[0].read_text(), "it has found what each made")


def test_what_a_command_ends_with_is_told_and_its_arguments_arrive_as_they_are(workers, worker_image, base):
    """Exit code, timeout, an output that is missing: each in words; a Python task takes what another made."""
    images = f'default: "{worker_image}", shell: "{base}"'
    done, folder = run(workers, "odd", COMMANDS.format(argument=ARGUMENT), "docker", images)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert (folder / "products/a b/ou t.txt").read_text() == f"hello{ARGUMENT}\n"
    assert (folder / "products/after.txt").read_text() == f"hello{ARGUMENT}\n".upper()
    assert "sleep took longer than 3 s" in said
    assert "sh ended with exit code 7" in said
    assert "| why" in said
    assert "there is no output 'forgets.txt'" in said


def test_an_image_that_is_not_there_is_named_with_who_must_act(workers):
    """The run ends, with the image's name and what is to be mended."""
    done, _ = run(workers, "none", ALONE, "docker", 'shell: "no-such-image:1"')
    said = done.stdout + done.stderr
    assert done.returncode == 3, said
    assert "`images:` in the run file" in said
    assert "no-such-image:1" in said


def test_no_container_of_a_job_outlives_its_worker(workers, base, docker, until):
    """A worker that is killed leaves the container of its job; when it starts again, that is ended."""
    folder = workers.folder("killed")
    (folder / "sleep.sub").write_text(
        f"universe = docker\ndocker_image = {base}\nexecutable = sleep\narguments = 1000\n"
        'transfer_executable = false\nshould_transfer_files = YES\nrequirements = Machine == "'
        f'worker-1.{workers.settings.domain}"\nqueue\n'
    )
    workers.hand_over(folder)
    workers.submit_exec(["condor_submit", "sleep.sub"], folder=folder)

    def there() -> list[Any]:
        return [one for one in workers.pool._of_jobs() if one.status == "running"]

    until(there, "the container of the job runs")
    (first,) = there()
    workers.kill("worker-1")
    workers.start("worker-1")
    until(lambda: first.id not in {one.id for one in there()}, "the container of the lost job is ended")
    workers.submit_exec(["condor_rm", "-all"])
