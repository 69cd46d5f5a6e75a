"""How the tests reach into containers of Docker: files are laid down there, and bandwidth is measured."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

#: A run file of which several may be at work in one folder, each with a horizon in minutes.
NOWCAST = """
workflow: dynamo.workflows.nowcast:nowcast
inputs:
  frames: frames.nc
params: {{horizon: {horizon}, step: 5, previews: false}}
products: "products/{{run}}"
engine: htcondor
deadline: 5 min
workspace: .dynamo-{horizon}
"""


def lay(
    machine: Any, folder: str, files: Mapping[str, str | bytes], *, mode: int = 0o644, owner: int = 0
) -> None:
    """Lay files down below a folder that there is."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid = len(data), mode, owner, owner
            archive.addfile(entry, io.BytesIO(data))
    assert machine.put_archive(folder, packed.getvalue())


def bits(client: Any, address: str, *more: str) -> float:
    """Return the bits a second that arrived within a second, after one in which all settles."""
    shown = client.exec_run(["iperf3", "-c", address, "-t", "1", "-O", "1", "-J", *more])
    return float(json.loads(shown.output)["end"]["sum_received"]["bits_per_second"])
