"""No-op tasks under Snakemake: ``snakemake_tasks.py COUNT``; prints seconds a task, and until the first begins."""

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


def spent(count):
    """Seconds of a whole run in a folder of its own."""
    folder = Path(str(count))
    folder.mkdir()
    (folder / "Snakefile").write_text(RULES)
    line = [sys.executable, "-m", "snakemake", "--cores", "2", "--quiet", "all", "--config", f"count={count}"]
    start = time.perf_counter()
    subprocess.run(line, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(count):
    began = time.time()
    one = spent(1)
    first = float(Path("1/out/0").read_text())
    found = {"start": first - began}
    if count > 1:
        spent(2)  # the first start of all is slower than the others
        one = min(one, spent(3))
        found["per_task"] = (spent(count) - one) / count
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
