"""A fan-out that is known only at run time: one task for each storm that is found."""

import json

from dynamo import Input, Output, task, workflow


@task
def find_storms(frame: Input, storms: Output, *, dbz: float = 40.0) -> None:
    """List the connected areas at or above `dbz` in a frame: number of cells, and the strongest echo."""
    import cv2
    import numpy as np

    from dynamo.radar.quantity import to_reflectivity
    from dynamo.radar.readers import read

    values = np.nan_to_num(to_reflectivity(read(frame)[-1]).values, nan=-32.0)
    count, labels = cv2.connectedComponents((values >= dbz).astype("u1"))
    found = [
        {"cells": int((labels == n).sum()), "dbz": float(values[labels == n].max())} for n in range(1, count)
    ]
    with open(storms, "w") as file:
        json.dump(found, file)


@task
def describe(text: Output, *, number: int, cells: int, dbz: float) -> None:
    """Say in words what one storm is."""
    with open(text, "w") as file:
        file.write(f"storm {number}: {cells} cells, up to {dbz:.1f} dBZ\n")


@task
def gather(texts: list[Input], bulletin: Output) -> None:
    """Put all descriptions into one bulletin; there may be none."""
    with open(bulletin, "w") as file:
        file.write("".join(open(text).read() for text in texts) or "no storms\n")


@workflow(runtime=True)
def each_storm(storms: Input, bulletin: Output) -> None:
    """Describe one task per storm, now that the list of storms can be read."""
    with open(storms) as file:
        found = json.load(file)
    gather(
        [describe(number=n, text=f"{n}.txt", **storm) for n, storm in enumerate(found, 1)], bulletin=bulletin
    )


@workflow
def per_storm(frame: Input, dbz: float = 40.0) -> None:
    """Find storms, describe each, gather a bulletin."""
    each_storm(find_storms(frame, dbz=dbz, storms="storms.json"), bulletin="bulletin.txt")
