"""An audit of what runs: who is away for a moment is asked again, who stays away ends it."""

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from devstack.audit.by_rpc import _patiently

_PAUSES_S = (0.0, 0.0)


class Service:
    """Answers from the n-th time on that it is asked."""

    def __init__(self, code: grpc.StatusCode, answers_at: int) -> None:
        self._code, self._answers_at = code, answers_at
        self.asked = 0

    async def ask(self) -> str:
        """Answer, or be away."""
        self.asked += 1
        if self.asked < self._answers_at:
            raise AioRpcError(self._code, Metadata(), Metadata(), details="away")
        return "told"


async def test_who_is_back_is_heard() -> None:
    """And the operator is told that it takes longer."""
    service, lines = Service(grpc.StatusCode.UNAVAILABLE, 3), list[str]()

    assert await _patiently(service.ask, lines.append, _PAUSES_S) == "told"

    assert lines == ["asking again: away"] * 2


@pytest.mark.parametrize(
    ("code", "asked"),
    [(grpc.StatusCode.UNAVAILABLE, 3), (grpc.StatusCode.PERMISSION_DENIED, 1)],
)
async def test_who_stays_away_or_says_no_ends_it(code: grpc.StatusCode, asked: int) -> None:
    """A no is no answer that another try would change."""
    service = Service(code, 99)

    with pytest.raises(AioRpcError):
        await _patiently(service.ask, lambda _: None, _PAUSES_S)

    assert service.asked == asked
