"""Nowcast by extrapolation: radar frames in; grids, images and polygons out, for each lead time."""

from dynamo.workflows.nowcast.workflow import nowcast, split

__all__ = ["nowcast", "split"]
