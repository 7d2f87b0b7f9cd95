"""A service that loses its database as it starts ends, to be started again: it never hangs."""

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.servers import ServiceDatabase

_DEADLINE_S = 60.0
_ROOT = Path(__file__).resolve().parents[2]
# What a service does first, as it does it: nothing closes what could not be opened.
_START = """
import sys
import uvloop
from chassis.database import Database
from chassis.encryption import Keyring, LocalKeys
from chassis.errors import Unavailable
from chassis.settings import Environment

async def start():
    keys = LocalKeys.configured(Environment({}), is_production=False)
    await Database(sys.argv[1], timeout_s=2.0, keyring=Keyring("payment_svc", keys)).open()

try:
    uvloop.run(start())
except Unavailable as error:
    sys.exit(f"cannot start: {error}")
"""


class _Passage:
    """A way to PostgreSQL that is cut at the first question, and lets nobody through after it."""

    def __init__(self, place: tuple[str, int]) -> None:
        self._place = place
        self._is_cut = False
        self._silent: list[asyncio.StreamWriter] = []

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client's connection."""
        if self._is_cut:
            self._silent.append(writer)  # held open: who asks gets no answer, and no refusal
            return
        answers, server = await asyncio.open_connection(*self._place)
        passing = asyncio.create_task(_pass(answers, writer))
        while data := await reader.read(65_536):
            if b"data_keys" in data:
                self._is_cut = True
                break
            server.write(data)
        passing.cancel()
        server.close()
        writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


async def test_who_cannot_learn_its_keys_ends(payment_database: ServiceDatabase) -> None:
    """The pool, which goes on looking for connections, keeps nobody alive."""
    place = urlsplit(payment_database.app_url)
    passage = _Passage((str(place.hostname), int(place.port or 0)))
    door = await asyncio.start_server(passage.enter, "127.0.0.1", 0)
    port = door.sockets[0].getsockname()[1]
    url = urlunsplit(place._replace(netloc=f"{place.username}@127.0.0.1:{port}"))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _START, url),
        stderr=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
    )
    try:
        async with asyncio.timeout(_DEADLINE_S):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
        door.close()

    assert process.returncode == 1
    assert said.decode().strip().endswith("cannot start: The database did not answer.")
