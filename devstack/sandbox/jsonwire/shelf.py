"""All objects of a JSON face, in memory, by the PSP's id, by the caller's, and by due time."""

import heapq
from collections import Counter
from typing import TypeVar

from devstack.sandbox.jsonwire.messages import Thing

Kind = TypeVar("Kind")


class Shelf:
    """Objects of all kinds a PSP has."""

    def __init__(self) -> None:
        self._things: dict[str, Thing] = {}
        self._named: dict[str, list[str]] = {}
        self._parts: dict[str, list[str]] = {}
        self._due: list[tuple[float, str]] = []

    def put(self, thing: Thing) -> None:
        """Make this an object's present state."""
        if thing.name and thing.id not in self._things:
            self._named.setdefault(thing.name, []).append(thing.id)
        whole: str = getattr(thing, "order", "")
        if whole and thing.id not in self._things:
            self._parts.setdefault(whole, []).append(thing.id)
        self._things[thing.id] = thing
        if thing.settles_at is not None:
            heapq.heappush(self._due, (thing.settles_at, thing.id))

    def find(self, reference: str, kind: type[Kind]) -> Kind | None:
        """Look an object up by the PSP's id; None when that is of another kind."""
        thing = self._things.get(reference)
        return thing if isinstance(thing, kind) else None

    def named(self, name: str, kind: type[Kind]) -> list[Kind]:
        """List the objects of the caller's reference, oldest first."""
        found = (self._things[each] for each in self._named.get(name, ()))
        return [thing for thing in found if isinstance(thing, kind)]

    def parts(self, reference: str) -> list[Thing]:
        """List what belongs to an order, oldest first."""
        return [self._things[each] for each in self._parts.get(reference, ())]

    def pop_due(self, now: float) -> Thing | None:
        """Take out one object whose time has come; None when there is no more."""
        while self._due and self._due[0][0] <= now:
            due, reference = heapq.heappop(self._due)
            thing = self._things[reference]
            if thing.settles_at == due:
                return thing
        return None

    def counts(self) -> Counter[str]:
        """Count the objects by kind."""
        return Counter(type(thing).__name__ for thing in self._things.values())
