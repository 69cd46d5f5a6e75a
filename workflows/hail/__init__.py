"""Hail: from moments of radars and soundings to classes, sizes, images and polygons."""

from dynamo.workflows.hail.workflow import hail, hail_size

__all__ = ["hail", "hail_size"]
