"""A pool in containers of its own, for `pool.py`: brought up by `dynamo.pool`, looked into, and taken down."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from dynamo.pool.host import connect
from dynamo.pool.image import build
from dynamo.pool.pool import Pool
from dynamo.pool.settings import PoolSettings
from pool_events import Job, jobs

__all__ = ["Running", "running"]

LOG = "/var/log/condor/EventLog"
#: What the pool logs beyond the usual: all jobs in one file, with fractions of seconds. It changes no times.
LOGGED = f"""EVENT_LOG = {LOG}
EVENT_LOG_FORMAT_OPTIONS = SUB_SECOND
EVENT_LOG_MAX_SIZE = 500000000
EVENT_LOG_FSYNC = FALSE
"""
#: Prints the peak memory (kB) of each process by what it is, once its standard input is closed.
WATCH = """
import json, select, sys
from pathlib import Path
peak = {}
while not select.select([sys.stdin], [], [], 0.2)[0]:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            said = (path / "status").read_text()
            line = (path / "cmdline").read_bytes().replace(bytes(1), b" ").decode()
        except OSError:
            continue
        name = next((n for n in ("condor_dagman", "condor_schedd", "bin/dynamo run") if n in line), "")
        for row in said.splitlines():
            if name and "-c " not in line and row.startswith("VmHWM"):
                peak[name] = max(peak.get(name, 0), int(row.split()[1]))
print(json.dumps(peak))
"""


class Running:
    """The pool, while it is up; `folder` is one that its submit container sees at the same path."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self._pool, self.folder = pool, folder

    def command(self, *words: str, where: Path, root: bool = False) -> list[str]:
        """Return the line that runs a command in the submit container."""
        user = "root" if root else "dynamo"
        inside = ["docker", "exec", "--interactive", "--user", user, "--workdir", str(where)]
        return [*inside, f"{self._pool.prefix}-submit", *words]

    def timed(self, *words: str, where: Path, timeout: float = 300) -> tuple[float, float]:
        """Run a command in the submit container; return when it began and when it ended (Unix seconds)."""
        line = self.command(*words, where=where)
        began = time.time()
        done = subprocess.run(
            line, check=False, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
        ended = time.time()
        if done.returncode:
            raise SystemExit(
                f"{' '.join(words)} failed ({done.returncode}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return began, ended

    def jobs(self) -> list[Job]:
        """Return all jobs that the pool has had."""
        return jobs(
            self._pool.execute("submit", ["sh", "-c", f"[ ! -e {LOG} ] || cat {LOG}"]), datetime.now(UTC).year
        )

    def since(self, known: int, quiet: str, timeout: float = 600) -> list[Job]:
        """Return the jobs after the cluster `known`, once the node `quiet` (empty: the DAG) of the first has ended."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            found = [job for job in self.jobs() if job.cluster > known]
            if any("ended" in job.at for job in found if job.node == quiet):
                return found
            time.sleep(0.2)
        raise SystemExit(f"no end of {quiet or 'the DAG'} within {timeout:.0f} s")

    @property
    def last(self) -> int:
        """The number of the last cluster."""
        return max((job.cluster for job in self.jobs()), default=0)

    @contextmanager
    def peaks(self) -> Iterator[dict[str, float]]:
        """Fill in, at the end, the peak memory (MB) of dynamo, DAGMan and the schedd meanwhile."""
        peak: dict[str, float] = {}
        line = self.command("/opt/dynamo/bin/python", "-c", WATCH, where=self.folder, root=True)
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watch:
            try:
                yield peak
            finally:
                said = watch.communicate()[0]
        peak |= {name.split("/")[-1].split()[0]: kb / 1000 for name, kb in json.loads(said or "{}").items()}


@contextmanager
def running(name: str, folder: Path) -> Iterator[Running]:
    """Have a pool of two slots run; the owner of jobs can write to `folder`."""

    def tell(text: str) -> None:
        print(f"pool: {text}", file=sys.stderr, flush=True)

    client = connect()
    pool = Pool(client, name)
    try:
        pool.up(PoolSettings(name, workers=2, cores=1, mounts=(folder,)), build(client, tell), tell)
        _lay(pool, "/etc/condor/config.d/90-bench.conf", LOGGED, 0)
        token = pool.state.tokens / "user"
        pool.execute("submit", ["mkdir", "-p", "/home/dynamo/.condor/tokens.d"], user="dynamo")
        owner = int(pool.execute("submit", ["id", "-u", "dynamo"]))
        _lay(pool, "/home/dynamo/.condor/tokens.d/user", token.read_text(), owner)
        pool.execute("submit", ["condor_reconfig"])
        yield Running(pool, folder)
    finally:
        pool.down()
        client.close()


def _lay(pool: Pool, path: str, text: str, owner: int) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode, entry.uid = len(text.encode()), 0o644 if not owner else 0o600, owner
        archive.addfile(entry, io.BytesIO(text.encode()))
    pool.container("submit").put_archive("/", whole.getvalue())
