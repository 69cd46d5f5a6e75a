"""Images of containers: which a task runs in, whether it is here, how it is made.

Enters: names that tasks give, and a table that says which image each is. Leaves: `Image`, and what Docker knows of it.
Goes wrong: a name that the table has not, an image that is not here (`UserError`: who builds or fetches it), no Docker
(`InfrastructureError`).
"""

from __future__ import annotations

from dynamo.images.image import DEFAULT, Image, check_images, image_of

__all__ = ["DEFAULT", "Image", "check_images", "image_of"]
