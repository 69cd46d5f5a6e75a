"""Run a peer in an environment of its own, and take in the figures it prints as JSON.

The environment is `.venv-bench` beside this folder (see the README), or the Python that DYNAMO_BENCH_PYTHON
names. A peer that is missing, fails or takes too long gives a reason instead of figures.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypeAlias

__all__ = ["Figures", "figure", "measured", "peer_python"]

ROOT = Path(__file__).resolve().parents[1]
#: Name to figure, or why there is none.
Figures: TypeAlias = dict[str, float] | str


def peer_python() -> Path:
    """The interpreter of the peers' environment."""
    return Path(os.environ.get("DYNAMO_BENCH_PYTHON", ROOT / ".venv-bench" / "bin" / "python"))


def measured(script: str, *arguments: object, timeout: float = 240) -> Figures:
    """Run ``against/<script>`` and return the JSON object of its last line, or why there is none."""
    line = [str(peer_python()), str(ROOT / "benchmarks" / "against" / script), *map(str, arguments)]
    if not peer_python().exists():
        return _loudly(script, "no environment for peers; make it with `make bench`")
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    clean["PATH"] = f"{peer_python().parent}{os.pathsep}{clean['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            line,
            cwd=folder,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return _loudly(script, f"not through after {timeout:.0f} s")
    if process.returncode:
        last = [text for text in err.splitlines() if text.strip()][-1:]
        return _loudly(script, f"failed: {last[0].strip()[:120] if last else process.returncode}")
    return dict(json.loads(out.strip().splitlines()[-1]))


def figure(figures: Figures, name: str, scale: float = 1.0) -> float | str:
    """Return one figure times `scale`, or why there is none."""
    return figures if isinstance(figures, str) else float(figures[name]) * scale


def _loudly(script: str, reason: str) -> str:
    print(f"!!! peer {script}: {reason}", file=sys.stderr, flush=True)
    return reason
