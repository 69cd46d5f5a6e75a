"""Wind: from radial velocities of radars to the highest wind near the ground, images and polygons."""

from dynamo.workflows.wind.workflow import wind

__all__ = ["wind"]
