"""The three catalogues and the properties that Pegasus plans a compiled workflow with.

Enters: a folder, what jobs call, and where files lie. Leaves: objects of ``Pegasus.api``, and these as plain data, the
same each time. Goes wrong: `UserError` for an image that Pegasus cannot fetch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from Pegasus.api import (
    Container,
    Directory,
    FileServer,
    Operation,
    Properties,
    ReplicaCatalog,
    Site,
    SiteCatalog,
    Transformation,
    TransformationCatalog,
)

from dynamo.errors import UserError
from dynamo.images.image import Image
from dynamo.targets.names import safe

__all__ = [
    "LOCAL",
    "POOL",
    "Program",
    "Replica",
    "plain",
    "properties",
    "replicas",
    "sites",
    "transformations",
]

#: The site of the submit host, and that of the pool; `pegasus-plan` is told the latter with ``--sites``.
LOCAL, POOL = "local", "condorpool"


@dataclass(frozen=True, slots=True)
class Program:
    """What a job calls.

    Parameters
    ----------
    name
        Of the transformation.
    path
        Absolute; where Pegasus fetches it from, or where it lies in the image or on the pool's machines.
    sent
        Whether Pegasus sends it with the job.
    image
        In which it runs; None for none.
    """

    name: str
    path: str
    sent: bool
    image: Image | None = None

    @property
    def namespace(self) -> str | None:
        """The image's name, so that one program may run in several."""
        return safe(self.image.name) if self.image else None

    def transformation(self) -> Transformation:
        """Return it as Pegasus has it."""
        site, path = (LOCAL, f"file://{self.path}") if self.sent else (POOL, self.path)
        return Transformation(
            self.name,
            namespace=self.namespace,
            site=site,
            pfn=path,
            is_stageable=self.sent,
            container=self.namespace,
        )


@dataclass(frozen=True, slots=True)
class Replica:
    """Where a file from outside lies: its name in Pegasus, its path, its SHA-256 (hex; empty where unknown)."""

    name: str
    path: str
    digest: str = ""


def sites(folder: Path) -> SiteCatalog:
    """Return the submit host, with what Pegasus may use of `folder`, and the HTCondor pool that it submits to."""
    local = Site(LOCAL).add_directories(
        _directory(Directory.SHARED_SCRATCH, folder / "scratch"),
        _directory(Directory.LOCAL_STORAGE, folder / "outputs"),
    )
    pool = Site(POOL).add_pegasus_profile(style="condor").add_condor_profile(universe="vanilla")
    return SiteCatalog().add_sites(local, pool)


def _directory(kind: Any, path: Path) -> Directory:
    return Directory(kind, str(path)).add_file_servers(FileServer(f"file://{path}", Operation.ALL))


def transformations(programs: Iterable[Program], container: str) -> TransformationCatalog:
    """Return what jobs call, with the images; `container` is which kind is preferred where an image has both."""
    catalogue = TransformationCatalog()
    images: dict[str, Image] = {}
    for program in programs:
        catalogue.add_transformations(program.transformation())
        if program.image is not None and program.namespace:
            images.setdefault(program.namespace, program.image)
    catalogue.add_containers(*(_container(name, image, container) for name, image in images.items()))
    return catalogue


def _container(name: str, image: Image, preferred: str) -> Container:
    if image.docker and not (preferred == "apptainer" and image.apptainer):
        return Container(name, Container.DOCKER, f"docker://{image.docker}")
    if os.path.isdir(image.apptainer):  # noqa: PTH112 - as it is written
        raise UserError(
            f"images: {image.name}: Pegasus sends an image as one file, and {image.apptainer} is a folder: "
            f"make one of it with `apptainer build {name}.sif {image.apptainer}` and name that"
        )
    return Container(name, Container.SINGULARITY, f"file://{image.apptainer}", image_site=LOCAL)


def replicas(files: Iterable[Replica]) -> ReplicaCatalog:
    """Return where the files from outside lie."""
    catalogue = ReplicaCatalog()
    for file in files:
        checksum = {"sha256": file.digest} if file.digest else None
        catalogue.add_replica(LOCAL, file.name, f"file://{file.path}", checksum=checksum)
    return catalogue


def properties() -> Properties:
    """Return how to plan: files travel by HTCondor's own transfer, and their digests are checked at each end."""
    chosen = Properties()
    for name in ("site", "replica", "transformation"):
        chosen[f"pegasus.catalog.{name}"] = "YAML"
        chosen[f"pegasus.catalog.{name}.file"] = f"{name}s.yml"
    chosen["pegasus.data.configuration"] = "condorio"
    chosen["pegasus.integrity.checking"] = "full"
    return chosen


def plain(writable: Any) -> dict[str, Any]:
    """Return what Pegasus would write as plain values, in the same order each time and without user and time."""
    data: dict[str, Any] = orjson.loads(orjson.dumps(writable, default=lambda thing: thing.__json__()))
    for job in data.get("jobs", ()):
        job["uses"].sort(key=_use)
    for parent in data.get("jobDependencies", ()):
        parent["children"].sort()
    return {"x-pegasus": {"apiLang": "python", "createdBy": "dynamo"}, **data}


def _use(use: Mapping[str, str]) -> tuple[str, str]:
    return use["type"], use["lfn"]
