"""Glance of the fake OpenStack: images."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tests.cloud.fake_openstack_parts import Answer, Failure, Request, page

_MISSING = (
    "<html>\n <head>\n  <title>404 Not Found</title>\n </head>\n <body>\n  404 Not Found\n </body>\n</html>"
)


def image(id_: str, name: str, status: str = "active") -> dict[str, Any]:
    """Return an image as Glance lists it."""
    return {
        "id": id_, "name": name, "status": status, "visibility": "public", "min_ram": 0, "min_disk": 0,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "disk_format": "qcow2",
        "container_format": "bare", "tags": [], "protected": False, "schema": "/v2/schemas/image",
    }  # fmt: skip


class Glance:
    """Images, two on a page."""

    def __init__(self) -> None:
        self.images = [
            image("img-worker", "dynamo-worker"),
            image("img-queued", "half-uploaded", "queued"),
            image("img-1", "CC-Ubuntu24.04"),
            image("img-2", "CC-Ubuntu24.04"),
            image("70a599e0-31e7-49b7-b260-868f441e862b", "other"),
        ]

    def answer(self, request: Request) -> Answer:
        """Do what a request asks for."""
        if request.path == "/v2/images":
            name = request.query.get("name")
            listed = [one for one in self.images if name in {None, one["name"]}]
            try:
                shown, marker = page(listed, request.query, 2)
            except KeyError:
                raise Failure(
                    400, "<html><body>Invalid marker: the image could not be found.</body></html>"
                ) from None
            query = urlencode({**request.query, "marker": marker})
            more = {"next": f"/v2/images?{query}"} if marker else {}
            return Answer(
                200, {"images": shown, "first": "/v2/images", "schema": "/v2/schemas/images", **more}
            )
        found = next((one for one in self.images if request.path == f"/v2/images/{one['id']}"), None)
        if found is None:
            raise Failure(404, _MISSING)
        return Answer(200, found)
