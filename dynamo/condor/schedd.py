"""The access point: where DAGs are submitted, asked for, and removed. Its errors say who must act."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dynamo.condor.options import PoolOptions
from dynamo.condor.refusal import refusal
from dynamo.errors import InfrastructureError, UserError

__all__ = ["SIF", "Schedd", "Slot"]

#: Of a collector, where none is named.
PORT = 9618
#: Of a slot whose Apptainer opens ``.sif`` files, and not folders only.
SIF = "sif"
#: What runs containers, to the attribute by which a machine says that it has it.
_CONTAINERS = {"docker": "HasDocker", "apptainer": "HasSingularity", SIF: "HasSIF"}
#: Attributes of a DAG's own job.
_ASKED = ["ClusterId", "JobStatus", "ExitCode", "HoldReason", "HoldReasonCode", "Iwd", "DynamoRun"]
#: Why a job is held that was submitted so (manual, "Job ClassAd attributes", HoldReasonCode).
_SUBMITTED_ON_HOLD = 15


class Slot(NamedTuple):
    """What one job may have at most on a machine of the pool: cores, memory (bytes), and what runs its container."""

    cores: int
    memory: int
    containers: tuple[str, ...] = ()


def answers(where: str) -> bool | None:
    """Whether something answers at ``host:port``, in three seconds; HTCondor itself waits for most of a minute.

    None where that cannot be told: the port is found elsewhere, or the address is none that is understood here.
    """
    try:
        said = urlsplit(f"//{where.strip('<>').partition('?')[0]}")
        host, port = said.hostname, said.port
    except ValueError:
        return None
    if not host or port == 0:
        return None
    try:
        with socket.create_connection((host, port or PORT), timeout=3.0):
            return True
    except OSError:
        return False


class Schedd:
    """The schedd that `options` name.

    Raises `UserError` where HTCondor's Python bindings are missing, `InfrastructureError` where the pool or its schedd
    cannot be found or refuses us.
    """

    def __init__(self, options: PoolOptions) -> None:
        try:
            import htcondor2
        except ImportError as error:
            raise UserError(
                "`engine: htcondor` needs HTCondor's Python bindings: pip install 'dynamo-weather[htcondor]'"
            ) from error
        self._htcondor: Any = htcondor2
        self._options = options
        self._elsewhere, self._found = False, ""
        with self._asking("find the schedd"):
            self._collector = htcondor2.Collector(options.pool or None)
            self._at: Any = self._locate()

    @property
    def _schedd(self) -> Any:
        """The schedd, looked for anew after a failure: one that was started again may have another address."""
        if self._at is None:
            self._at = self._locate()
        return self._at

    def _locate(self) -> Any:
        options, daemon = self._options, self._htcondor.DaemonType.Schedd
        if not (options.schedd or options.pool or self.spools):
            return self._htcondor.Schedd()
        self._check_reached()
        found = self._collector.locate(daemon, *([options.schedd] if options.schedd else []))
        if found is None:  # which `Schedd` takes for the one of this machine
            raise InfrastructureError(
                f"the pool has no schedd {options.schedd!r}: see `condor_status -schedd` for those it has, and "
                "say which in the run file (`engine: {schedd: ...}`)"
                if options.schedd
                else "the pool has no schedd: ask its administrator for an access point"
            )
        self._found = str(found.get("Name", ""))
        self._elsewhere = found.get("Machine") != self._htcondor.param.get("FULL_HOSTNAME")
        return self._htcondor.Schedd(found)

    @property
    def name(self) -> str:
        """What the schedd is called."""
        return self._options.schedd or self._found or str(self._htcondor.param.get("FULL_HOSTNAME"))

    @property
    def spools(self) -> bool:
        """Whether the schedd is on another machine, to which files are sent."""
        if self._options.spool is not None or self._options.shared:
            return bool(self._options.spool)
        return self._elsewhere or not os.access(self._dagman, os.X_OK)

    @property
    def _dagman(self) -> str:
        return str(self._htcondor.param.get("DAGMAN") or "/usr/bin/condor_dagman")

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            yield
        except (self._htcondor.HTCondorException, OSError, RuntimeError, ValueError) as error:
            self._at = None
            tokens = str(self._htcondor.param.get("SEC_TOKEN_DIRECTORY") or "~/.condor/tokens.d")
            raise InfrastructureError(refusal(what, str(error), tokens, reached=self._reached())) from error

    def _reached(self) -> bool:
        """Whether something answers at the address of a central manager of the pool."""
        return any(map(answers, self._managers))

    @property
    def _managers(self) -> list[str]:
        """The addresses of the pool's central managers."""
        said = self._options.pool or str(self._htcondor.param.get("COLLECTOR_HOST") or "")
        return said.replace(",", " ").split()

    def _check_reached(self) -> None:
        if all(answers(one) is False for one in self._managers):
            where = ", ".join(self._managers) or "a collector: none is configured"
            raise OSError(f"cannot connect to {where}")

    def check_shared(self) -> None:
        """Raise `UserError` where nothing is to be sent, and this is not the machine that DAGMan runs on."""
        if self._options.shared and (self._elsewhere or not os.access(self._dagman, os.X_OK)):
            raise UserError(
                "`transfer: shared` submits on the access point itself, where DAGMan runs, and this is another "
                "machine: run dynamo there, or leave that out"
            )

    def slots(self) -> list[Slot]:
        """Return what the pool's machines have, one entry for each slot that may run a job."""
        with self._asking("ask the pool for its slots"):
            self._check_reached()
            ads = self._collector.query(
                self._htcondor.AdType.Startd,
                'SlotType =!= "Dynamic"',
                ["TotalSlotCpus", "TotalSlotMemory", "Cpus", "Memory", "SlotType", *_CONTAINERS.values()],
            )
        found: list[Slot] = []
        for ad in ads:
            cores = int(ad.get("TotalSlotCpus", ad.get("Cpus", 1)))
            memory = int(ad.get("TotalSlotMemory", ad.get("Memory", 0))) << 20
            parts = cores if ad.get("SlotType") == "Partitionable" else 1
            runs = tuple(name for name, has in _CONTAINERS.items() if ad.get(has) is True)
            found += [Slot(cores, memory, runs)] * max(parts, 1)
        return found

    def submit(self, dag: Path, run: str, *, rescue: bool = False, first: Sequence[str] = ()) -> int:
        """Submit the DAG in the file `dag` and return the number of its cluster; `rescue` goes on with it.

        Where `first` describes jobs (see `dynamo.targets.ahead`), they are submitted too; the DAG waits for `release`.
        """
        # A DAG's own configuration is sought from here, and so is what is sent with it.
        with self._asking("submit the DAG"), chdir(dag.parent):
            if self.spools:
                return self._spool(dag, run)
            said = {"Force": not rescue, "UpdateSubmit": True, "BatchName": run, "DoRecovery": bool(first)}
            submit = self._htcondor.Submit.from_dag(dag.name, said)
            submit["initialdir"] = str(dag.parent)
            submit["My.DynamoRun"] = f'"{run}"'
            if first:
                submit["hold"] = "true"  # until its jobs are there
            cluster = int(self._schedd.submit(submit).cluster())
            self._submit_first(cluster, first)
            return cluster

    def _submit_first(self, cluster: int, described: Sequence[str]) -> None:
        keep = self._htcondor.param.get("DAGMAN_HOLD_CLAIM_TIME", 20)  # DAGMan's own default
        # The DAG submits what is not there, and says why it cannot.
        with suppress(self._htcondor.HTCondorException):
            for text in described:
                more = f"My.DAGManJobId = {cluster}\nhold_claim = {keep}\n"
                self._schedd.submit(self._htcondor.Submit(more + text))

    def release(self, cluster: int) -> bool:
        """Let a DAG begin that waits for its first jobs to be submitted; return whether it did."""
        with self._asking("have the DAG begin"):
            waits = f"ClusterId == {cluster} && HoldReasonCode == {_SUBMITTED_ON_HOLD}"
            return bool(self._schedd.act(self._htcondor.JobAction.Release, waits)["TotalSuccess"])

    def clear(self, cluster: int) -> None:
        """Remove the jobs of a DAG that is not there any more."""
        with self._asking("remove what is left of the run"):
            self._schedd.act(self._htcondor.JobAction.Remove, f"DAGManJobId == {cluster}")

    def _spool(self, dag: Path, run: str) -> int:
        """Submit a DAG with all its files; HTCondor's own tools make such a description only beside a DAGMan."""
        names = sorted(path.name for path in dag.parent.iterdir() if not path.name.startswith("."))
        version = self._htcondor.version().replace(" ", "' '")
        submit = self._htcondor.Submit(
            {
                "universe": "scheduler",
                "batch_name": run,
                "executable": "/usr/bin/condor_dagman",
                "transfer_executable": "false",
                "arguments": f'"-p 0 -f -l . -Lockfile {dag.name}.lock -AutoRescue 1 -DoRescueFrom 0 -Dag {dag.name}'
                f' -Suppress_notification -CsdVersion {version} -dagman /usr/bin/condor_dagman"',
                "environment": f'"_CONDOR_DAGMAN_LOG={dag.name}.dagman.out _CONDOR_MAX_DAGMAN_LOG=0"',
                "should_transfer_files": "YES",
                "when_to_transfer_output": "ON_EXIT",
                "transfer_input_files": ", ".join(names),
                "transfer_output_files": f"{dag.name}.nodes.log, {dag.name}.dagman.out, jobs",
                "output": f"{dag.name}.lib.out",
                "error": f"{dag.name}.lib.err",
                "log": f"{dag.name}.dagman.log",
                "remove_kill_sig": "SIGUSR1",
                "on_exit_remove": "ExitSignal =?= 11 || (ExitCode =!= undefined && ExitCode >= 0 && ExitCode <= 2)",
                "My.DynamoRun": f'"{run}"',
            }
        )
        result = self._schedd.submit(submit, spool=True)
        self._schedd.spool(result)
        return int(result.cluster())

    def jobs(self, cluster: int) -> dict[int, int]:
        """Return the state of a DAG's own job and of all its jobs in the queue, by cluster."""
        with self._asking("ask for the run's jobs"):
            ads = self._schedd.query(
                f"ClusterId == {cluster} || DAGManJobId == {cluster}", ["ClusterId", "JobStatus"]
            )
        return {int(ad["ClusterId"]): int(ad["JobStatus"]) for ad in ads}

    def bring(self, cluster: int) -> None:
        """Bring home the files of a DAG that were sent with it; nothing, where it has left the queue."""
        if cluster in self.jobs(cluster):
            with self._asking("bring home what the run has made"):
                self._schedd.retrieve(f"ClusterId == {cluster}")

    def state(self, cluster: int) -> dict[str, Any]:
        """Return what the queue says of a DAG's own job; empty where it has left."""
        with self._asking("ask for the run"):
            ads = self._schedd.query(f"ClusterId == {cluster}", _ASKED)
        return dict(ads[0]) if ads else {}

    def find(self, run: str) -> int:
        """Return the cluster of the DAG that was submitted for a run and is in the queue still; 0 for none."""
        with self._asking("look for the run"):
            ads = self._schedd.query(f'DynamoRun =?= "{run}" && JobUniverse == 7 && JobStatus != 3', _ASKED)
        return max((int(ad["ClusterId"]) for ad in ads), default=0)

    def remove(self, cluster: int) -> None:
        """Remove a DAG, and with it all its jobs."""
        with self._asking("cancel the run"):
            self._schedd.act(self._htcondor.JobAction.Remove, f"ClusterId == {cluster}")
