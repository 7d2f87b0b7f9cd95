"""How an answer leaves: whole, or in one of the ways in which a PSP fails its caller."""

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from devstack.sandbox.world import World

# Linger for no time: closing then sends RST instead of FIN.
_RESET = struct.pack("ii", 1, 0)


class Ending(Enum):
    """What becomes of the connection."""

    ANSWER = "the answer is sent"
    HANG_UP = "closed without an answer"
    HOLD = "kept open without an answer, then closed"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a face wants sent.

    Args:
        hold_s: with HOLD, for how long, in seconds of real time.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Ending = Ending.ANSWER
    hold_s: float = 0.0


async def deliver(request: web.Request, reply: Reply, world: World) -> web.Response:
    """Send a reply, or fail to in the way it asks for."""
    if reply.ending is Ending.ANSWER:
        return web.Response(
            status=reply.status,
            body=reply.body,
            headers=reply.headers,
            content_type="application/json",
        )
    if reply.ending is Ending.HOLD:
        await world.pause(reply.hold_s)
    transport = request.transport
    if transport is not None:
        if reply.ending is Ending.RESET:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response()
