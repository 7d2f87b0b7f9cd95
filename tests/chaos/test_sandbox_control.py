"""Trouble at the PSPs counts by whom it met, never by that it was switched on."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.chaos.sandbox_control import Psps

State = dict[str, Any] | None


class Scripted(Psps):
    """Says of the sandbox what a test wants; `switched` is what it was told, in order."""

    def __init__(self, states: Sequence[State], *, is_there: bool = True) -> None:
        super().__init__({"psp_sandbox": {"url": "http://127.0.0.1:1"}})
        self._states = list(states)
        self._is_there = is_there
        self.switched: list[Any] = []

    async def _call(self, verb: str, path: str, **extra: Any) -> State:
        if not self._is_there:
            return None
        if (verb, path) == ("GET", "state"):
            return self._states.pop(0)
        self.switched.append(extra.get("json"))
        return {}


def state(*, arrived: int = 0, sent: int = 0, waiting: int = 0) -> State:
    """Write what the sandbox says of itself."""
    webhooks = {"sent": sent, "waiting": waiting, "lost": 0}
    return {"arrived": {"stripe": arrived, "adyen": 4}, "webhooks": webhooks}


@pytest.mark.parametrize("kind", ["dark", "webhooks"])
@pytest.mark.parametrize(
    ("after", "effect"),
    [
        (state(arrived=7, sent=5, waiting=2), {"dark": 0, "webhooks": 0}),
        (state(arrived=9, sent=6, waiting=4), {"dark": 2, "webhooks": 3}),
        (None, {"dark": 0, "webhooks": 0}),  # it does not say: it may have met nobody
        (state(arrived=1), {"dark": 0, "webhooks": 0}),  # it died meanwhile, and counts anew
    ],
    ids=["nobody came", "some came", "it does not say", "it began anew"],
)
async def test_it_counts_whom_it_met(kind: str, after: State, effect: dict[str, int]) -> None:
    """Those that came while it lasted; and it is lifted whatever it met."""
    psps = Scripted([state(arrived=7, sent=5, waiting=2), after])

    assert await psps.trouble(kind, 0.0) == effect[kind]
    assert psps.switched[-1].get(kind, False) is False
    assert psps.switched[-1].get("copies", 1) == 1
    assert len(psps.switched) == 2


@pytest.mark.parametrize("kind", ["dark", "webhooks"])
async def test_a_sandbox_that_is_gone_is_not_troubled(kind: str) -> None:
    """Nothing is counted of what could not be asked for."""
    assert await Scripted([], is_there=False).trouble(kind, 0.0) == 0
