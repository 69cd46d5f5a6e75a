"""No-op tasks under Snakemake: ``snakemake_tasks.py COUNT``; prints seconds a task, and until the first.

Each task writes down when it ran, so that the start of Snakemake is no part of the seconds a task.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

RULES = """
rule all:
    input: [f"out/{n}" for n in range(int(config["count"]))]

rule nothing:
    output: "out/{n}"
    shell: "date +%s.%N > {output}"
"""


def main(count):
    folder = Path("run")
    folder.mkdir()
    (folder / "Snakefile").write_text(RULES)
    line = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all", "--config", f"count={count}"]
    began = time.time()
    subprocess.run(line, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    times = sorted(float(path.read_text()) for path in (folder / "out").iterdir())
    per_task = (times[-1] - times[0]) / max(count - 1, 1)
    print(json.dumps({"start": times[0] - began, "per_task": per_task}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
