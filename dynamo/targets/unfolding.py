"""What must be known to compile what a run-time workflow describes: it lies beside each DAG that has one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from dynamo.errors import WorkspaceError
from dynamo.images.image import Image
from dynamo.targets.dagman import DagOptions

__all__ = ["Unfolding"]


@dataclass(frozen=True, slots=True)
class Unfolding:
    """The name of the workflow, the path of each file of a DAG, the digests of those from outside, and its options."""

    workflow: str
    paths: Mapping[str, str]
    digests: Mapping[str, str]
    options: DagOptions

    def write(self, folder: Path, name: str) -> None:
        """Write it beside the DAG `name`; raises `OSError`."""
        (folder / f"{name}.files.json").write_bytes(orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2))

    @classmethod
    def read(cls, folder: Path, name: str) -> Unfolding:
        """Read what `write` wrote; raises `WorkspaceError` where it is not there or damaged."""
        path = folder / f"{name}.files.json"
        try:
            said = orjson.loads(path.read_bytes())
            options = said["options"]
            images = {key: Image(**image) for key, image in options.pop("images").items()}
            return cls(said["workflow"], said["paths"], said["digests"], DagOptions(images=images, **options))
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise WorkspaceError(f"{path} is missing or damaged ({type(error).__name__})") from error
