"""What stands between the services and PostgreSQL: a TCP proxy that loses, holds up and cuts off.

A process of its own, so that it costs the load nothing: a command per line on its standard input, a
line of JSON back. It finds PostgreSQL by the port in its postmaster.pid.
"""

import argparse
import asyncio
import json
import os
import socket
import struct
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

_CHUNK = 64 * 1024
_COMMIT = b"COMMIT\x00"  # as libpq sends it: a simple query
_PORT_LINE = 3  # of postmaster.pid
MODES = ("ok", "blackhole", "half_open", "delay")


class Door:
    """The state that all connections share.

    Attributes:
        mode: what becomes of bytes now: one of MODES.
        delay_s: how long each chunk waits in mode "delay".
        losing: how many answers to COMMIT are still to be lost.
        leave_open: whether a connection whose answer was lost stays open, silent, or is reset.
        cutting: how many connections are still to be cut, after `cut_after` bytes of answers.
        struck: how often each trouble took effect.
    """

    def __init__(self, postmaster: Path) -> None:
        self._postmaster = postmaster
        self.mode, self.delay_s = "ok", 0.0
        self.losing, self.leave_open = 0, False
        self.cutting, self.cut_after = 0, 0
        self.struck: Counter[str] = Counter()
        self.open: set[Passage] = set()

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client's connection."""
        try:
            port = int(self._postmaster.read_text().splitlines()[_PORT_LINE])
            upstream = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, IndexError, ValueError):
            self.struck["refused"] += 1
            _reset(writer)
            return
        passage = Passage(self, (reader, writer), upstream)
        self.open.add(passage)
        try:
            await passage.run()
        finally:
            self.open.discard(passage)

    def command(self, words: list[str]) -> None:
        """Do what a line says."""
        match words:
            case ["mode", mode, *rest] if mode in MODES:
                self.mode, self.delay_s = mode, float(rest[0]) if rest else 0.0
                if mode == "ok":
                    self._mend()
            case ["lose", times, how]:
                self.losing, self.leave_open = int(times), how == "half_open"
            case ["cut", times, after]:
                self.cutting, self.cut_after = int(times), int(after)
            case ["reset"]:
                self.struck["reset"] += len(self.open)
                for passage in list(self.open):
                    passage.reset()
            case ["counts"]:
                pass
            case _:
                raise ValueError(f"no such command: {words}")

    def _mend(self) -> None:
        """Reset what has lost bytes: it can never be whole again. Who waits for the answer to a
        COMMIT has to give up by a deadline of his own.
        """
        self.losing = self.cutting = 0
        for passage in [one for one in self.open if one.is_damaged and not one.commit_lost]:
            passage.reset()


class Passage:
    """One connection through the door."""

    def __init__(
        self,
        door: Door,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._door = door
        self._client, self._server = client, server
        self.commit_lost = False
        self._to_cut: int | None = None
        self.is_damaged = False

    async def run(self) -> None:
        """Pass bytes both ways until one side ends."""
        ways = [asyncio.create_task(self._ask()), asyncio.create_task(self._answer())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._client[1].close()
            self._server[1].close()

    def reset(self) -> None:
        """End both sides as a broken network does."""
        _reset(self._client[1])
        _reset(self._server[1])

    async def _ask(self) -> None:
        with suppress(OSError):
            while data := await self._client[0].read(_CHUNK):
                if self._door.losing and not self.commit_lost and _COMMIT in data:
                    self._door.losing -= 1
                    self.commit_lost = self.is_damaged = True
                elif self._door.cutting and self._to_cut is None:
                    self._door.cutting -= 1
                    self._to_cut = self._door.cut_after
                if self._is_swallowed("blackhole"):
                    continue
                await self._held_up()
                self._server[1].write(data)
                await self._server[1].drain()

    async def _answer(self) -> None:
        with suppress(OSError):
            while data := await self._server[0].read(_CHUNK):
                if self.commit_lost:
                    if self._lost(data):
                        return
                    continue
                if self._is_swallowed("blackhole", "half_open"):
                    continue
                await self._held_up()
                if self._to_cut is not None:
                    data, self._to_cut = data[: self._to_cut], self._to_cut - len(data)
                self._client[1].write(data)
                await self._client[1].drain()
                if self._to_cut is not None and self._to_cut <= 0:
                    self._door.struck["cut"] += 1
                    self.reset()
                    return

    def _lost(self, answer: bytes) -> bool:
        """Drop the answer to a COMMIT; tell whether the connection went with it."""
        self._door.struck["commit_lost"] += 1
        if self._door.leave_open:
            return False
        self.reset()
        return True

    def _is_swallowed(self, *modes: str) -> bool:
        """Tell whether bytes vanish now; a connection that lost some stays silent until mended."""
        if self._door.mode in modes:
            if not self.is_damaged:
                self._door.struck[self._door.mode] += 1
            self.is_damaged = True
        return self.is_damaged and not self.commit_lost

    async def _held_up(self) -> None:
        if self._door.mode == "delay":
            self._door.struck["delay"] += 1
            await asyncio.sleep(self._door.delay_s)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close at once, with a reset instead of a goodbye."""
    held = writer.get_extra_info("socket")
    if held is not None:
        with suppress(OSError):
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def serve(port: int, postmaster: Path) -> None:
    """Listen on a port of loopback and obey until standard input ends."""
    door = Door(postmaster)
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    server = await asyncio.start_server(door.enter, "127.0.0.1", port)
    _say({"ready": True, "port": server.sockets[0].getsockname()[1]})
    while line := await lines.readline():
        door.command(line.decode().split())
        _say(dict(door.struck))
    server.close()


def _say(content: dict[str, object]) -> None:
    os.write(1, json.dumps(content).encode() + b"\n")


def main() -> None:
    """Be a door."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--postmaster", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.postmaster))


if __name__ == "__main__":
    main()
