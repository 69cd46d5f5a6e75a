"""Problems: whatever goes wrong with a request is answered as problem details (RFC 9457).

A request enters, an answer leaves. Also of what the router says: no such place (404), no such method there (405, with
``Allow``). A fault of ours is in the log, and 500 to who asked. Nothing is raised. What is no request of HTTP comes not
so far: the server refuses it in plain text.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import orjson
from aiohttp import web
from aiohttp.http import HttpProcessingError

__all__ = ["problem", "problems", "server_log"]

log = logging.getLogger(__name__)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a line is not about bytes that are no HTTP, or no body as their headers say: who sent them is told."""
    wrong = (HttpProcessingError, web.RequestPayloadError)
    return not (record.exc_info and isinstance(record.exc_info[1], wrong))


#: Of the server itself. Else whoever reaches the port could fill the log, a traceback for each line that he sends.
server_log = log.getChild("server")
server_log.addFilter(_is_ours)


def problem(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an answer that says what is wrong."""
    said = {"title": status.phrase, "status": status.value, "detail": detail}
    return web.Response(
        body=orjson.dumps(said), status=status, headers=headers, content_type="application/problem+json"
    )


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a request; where that fails, by a problem."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        return problem(
            HTTPStatus.METHOD_NOT_ALLOWED,
            f"{request.path} takes {allowed}, not {request.method}",
            {"Allow": allowed},
        )
    except web.HTTPNotFound:
        places = ", ".join(one.canonical for one in request.app.router.resources())
        return problem(HTTPStatus.NOT_FOUND, f"there is nothing at {request.path}; there are {places}")
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return problem(HTTPStatus(error.status), error.reason)
    except web.RequestPayloadError:
        return problem(HTTPStatus.BAD_REQUEST, "the body cannot be read: is it encoded as its headers say?")
    except Exception:  # a fault of ours must not end the watch that answers beside its work
        log.exception("%s %s cannot be answered", request.method, request.path)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the watch; its log says more")
