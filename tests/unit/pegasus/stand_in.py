"""Stands in for `pegasus-plan --submit`, which cannot be installed beside the tests: runs a workflow.yml by its word.

Each job runs in a folder of its own that holds what it declares and nothing else, after the jobs that it depends on,
and its arguments are joined by spaces and read by a shell, as PegasusLite does. Containers are not started. What it
writes is what Pegasus writes as far as anything here reads it: the answer of ``--json``, jobstate.log, the outputs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml


def load(name: str) -> dict:
    return yaml.safe_load(Path(name).read_text())


class Planned:
    def __init__(self) -> None:
        self.workflow = load("workflow.yml")
        assert load("sites.yml")["sites"][0]["directories"][1]["type"] == "localStorage"
        self.outputs = Path(load("sites.yml")["sites"][0]["directories"][1]["path"])
        self.programs = {
            (t.get("namespace"), t["name"]): t["sites"][0]
            for t in load("transformations.yml")["transformations"]
        }
        self.files = {}
        for r in load("replicas.yml")["replicas"]:
            path = Path(r["pfns"][0]["pfn"].removeprefix("file://"))
            if "checksum" in r:
                assert hashlib.sha256(path.read_bytes()).hexdigest() == r["checksum"]["sha256"], path
            self.files[r["lfn"]] = path
        self.submit = Path("submit/run0001").absolute()
        self.submit.mkdir(parents=True)
        self.staging = Path(tempfile.mkdtemp())
        self.log = (self.submit / "jobstate.log").open("a")

    def tell(self, *words: object) -> None:
        print(int(time.time()), *words, file=self.log, flush=True)

    def run(self) -> None:
        parents: dict[str, set[str]] = {}
        for entry in self.workflow.get("jobDependencies", []):
            for child in entry["children"]:
                parents.setdefault(child, set()).add(entry["id"])
        self.tell("INTERNAL", "***", "MONITORD_STARTED", "***")
        self.tell("INTERNAL", "***", "DAGMAN_STARTED", "7.0", "***")
        done: set[str] = set()
        left = {job["id"]: job for job in self.workflow["jobs"]}
        while ready := [i for i in left if parents.get(i, set()) <= done]:
            for job_id in ready:
                if self.job(left.pop(job_id)):
                    done.add(job_id)
        self.tell(
            "INTERNAL", "***", "DAGMAN_FINISHED", 1 if len(done) < len(self.workflow["jobs"]) else 0, "***"
        )
        self.tell("INTERNAL", "***", "MONITORD_FINISHED", 0, "***")

    def job(self, job: dict) -> bool:
        name = f"{job['name']}_{job['id']}"
        program = self.programs[job.get("namespace"), job["name"]]
        self.tell(name, "SUBMIT", "8.0", "condorpool", "-", 1)
        self.tell(name, "EXECUTE", "8.0", "condorpool", "-", 1)
        with tempfile.TemporaryDirectory() as folder:
            for use in job["uses"]:
                if use["type"] == "input":
                    shutil.copy(self.files[use["lfn"]], f"{folder}/{use['lfn']}")
            path = program["pfn"]
            if program["type"] == "stageable":
                shutil.copy(path.removeprefix("file://"), f"{folder}/{job['name']}")
                path = f"./{job['name']}"
            line = " ".join([path, *map(str, job["arguments"])])
            env = {
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            }  # as an image has it
            code = subprocess.run(
                ["sh", "-c", line], cwd=folder, stdout=sys.stderr, env=env, check=False
            ).returncode
            for use in job["uses"]:
                if use["type"] == "output" and not code:
                    self.keep(Path(folder) / use["lfn"], use)
        self.tell(name, "JOB_FAILURE" if code else "JOB_SUCCESS", code, "condorpool", "-", 1)
        return not code

    def keep(self, path: Path, use: dict) -> None:
        assert use["registerReplica"] is False
        self.files[use["lfn"]] = Path(shutil.move(path, self.staging / use["lfn"]))
        if use["stageOut"]:
            self.outputs.mkdir(exist_ok=True)
            shutil.copy(self.files[use["lfn"]], self.outputs / use["lfn"])


if __name__ == "__main__":
    planned = Planned()
    if "--json" in sys.argv:
        print(json.dumps({"submit_dir": str(planned.submit), "message": "submitted"}), flush=True)
    if "--json" in sys.argv and os.fork():
        os._exit(0)
    planned.run()
