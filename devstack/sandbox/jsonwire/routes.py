"""A JSON face's URLs: HTTP in, HTTP out, nothing decided here."""

from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from devstack.sandbox.delivery import Ending, Reply, deliver
from devstack.sandbox.jsonwire.face import JsonFace
from devstack.sandbox.jsonwire.messages import Call

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Route = tuple[str, str, str]


def api_routes(
    face: JsonFace, table: Iterable[Route], credentials: str, key: str
) -> list[web.RouteDef]:
    """Make the routes of a table of (method, path, operation); `credentials` and `key` name the
    headers that hold them.
    """

    def handler_of(operation: str) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            call = Call(
                operation=operation,
                target=request.match_info.get("id", request.query.get("reference", "")),
                body=b"" if request.method == "GET" else await request.read(),
                credentials=request.headers.get(credentials, ""),
                key=request.headers.get(key) or None,
                prefer=request.headers.get("Prefer", ""),
            )
            return await deliver(request, await face.handle(call), face.world)

        return handler

    return [web.route(method, path, handler_of(operation)) for method, path, operation in table]


def lit(face: JsonFace, handler: Handler) -> Handler:
    """Hang up on a page's visitor while the PSPs are dark."""

    async def lighting(request: web.Request) -> web.StreamResponse:
        if face.world.dark:
            return await deliver(request, Reply(ending=Ending.HANG_UP), face.world)
        return await handler(request)

    return lighting
