"""The sandbox's record: an append-only file of JSON lines, on disk before any answer leaves.

Lines of concurrent calls share one fsync, made in a thread (group commit).
"""

import asyncio
import fcntl
import json
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from devstack.sandbox.entry import Entry

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class BrokenRecord(ValueError):
    """The file holds, before its last line, something that is no line of a record."""


def _die(error: OSError) -> None:
    """End the process: its memory is ahead of the record, so any further answer would lie."""
    print(f"the record cannot be written: {error}", file=sys.stderr, flush=True)
    os._exit(1)


@dataclass(slots=True)
class Record:
    """The file and what has been read of it or appended to it.

    Invariants: `entries[n].seq == n + 1`; a line once written is never changed.

    Args:
        path: the file; made when it is not there.
        on_failure: called when the disk refuses a write.
    """

    path: Path
    on_failure: Callable[[OSError], None] = _die
    entries: list[Entry] = field(default_factory=list)
    _indexes: dict[str, tuple[int, dict[str, list[Entry]]]] = field(default_factory=dict)
    _file: int = -1
    _pending: list[bytes] = field(default_factory=list)
    _next: "asyncio.Future[None] | None" = None
    _current: "asyncio.Future[None] | None" = None
    _flusher: "asyncio.Task[None] | None" = None
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "record"))

    def open(self) -> Iterator[tuple[Entry, Mapping[str, Any]]]:
        """Open the file and read it through, each line with its detail.

        A last line torn by a crash is cut off: its answer never left.

        Raises:
            BrokenRecord: another line cannot be read.
            OSError: the file cannot be had, or another process has it.
        """
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        whole = 0
        with self.path.open("rb") as lines:
            for line in lines:
                parsed = self._parse(line)
                if parsed is None:
                    if lines.read(1):
                        place = f"{self.path}:{len(self.entries) + 1}"
                        raise BrokenRecord(f"{place} is no line of a record")
                    break
                whole += len(line)
                self.entries.append(parsed[0])
                yield parsed
        os.ftruncate(self._file, whole)

    def _parse(self, line: bytes) -> tuple[Entry, Mapping[str, Any]] | None:
        if not line.endswith(b"\n"):
            return None
        try:
            content = json.loads(line)
            entry = Entry.from_json(content)
        except (ValueError, KeyError, TypeError):
            return None
        return (entry, content["detail"]) if entry.seq == len(self.entries) + 1 else None

    def append(self, entry: Entry, detail: Mapping[str, Any]) -> None:
        """Add a line; it is safe once `durable` has returned.

        Raises:
            ValueError: `entry.seq` is not the next one.
        """
        if entry.seq != self.next_seq:
            raise ValueError(f"line {entry.seq} is not the next one")
        self.entries.append(entry)
        line = _encode({**entry.to_json(), "detail": detail})
        self._pending.append(line.encode() + b"\n")
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())

    def find(
        self, metadata: Mapping[str, str], kinds: Collection[str] | None, after: int, limit: int
    ) -> list[Entry]:
        """Find lines, oldest first.

        Args:
            metadata: pairs that they must have.
            kinds: of lines; None for all.
            after: the seq before the first one looked at.
            limit: how many at most.
        """
        chosen = self._candidates(metadata, after)
        found = (
            entry
            for entry in chosen
            if (kinds is None or entry.kind in kinds)
            and all(entry.metadata.get(key) == value for key, value in metadata.items())
        )
        return list(islice(found, limit))

    def _candidates(self, metadata: Mapping[str, str], after: int) -> Iterator[Entry]:
        """Narrow the search by an index over the first key, made when it is first asked for."""
        if not metadata:
            return islice(self.entries, after, None)
        key, value = next(iter(metadata.items()))
        upto, index = self._indexes.get(key, (0, {}))
        for entry in islice(self.entries, upto, None):
            if key in entry.metadata:
                index.setdefault(entry.metadata[key], []).append(entry)
        self._indexes[key] = (len(self.entries), index)
        return (entry for entry in index.get(value, ()) if entry.seq > after)

    @property
    def next_seq(self) -> int:
        """The number of the line to be appended next."""
        return len(self.entries) + 1

    async def durable(self) -> None:
        """Wait until all that was appended is on disk; at once when it is."""
        waiting = self._next or self._current
        if waiting is not None:
            await asyncio.shield(waiting)

    async def close(self) -> None:
        """Bring everything to disk and close the file."""
        await self.durable()
        self._thread.shutdown()
        os.close(self._file)

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._next is not None:
            batch, self._pending = b"".join(self._pending), []
            done = self._current = self._next
            self._next = None
            try:
                await loop.run_in_executor(self._thread, self._write, batch)
            except OSError as error:
                self.on_failure(error)
                done.set_exception(error)
                return
            done.set_result(None)
            self._current = None

    def _write(self, batch: bytes) -> None:
        rest = memoryview(batch)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fdatasync(self._file)
