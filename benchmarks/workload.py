"""What a benchmark of books must know of the books: how to open, fill, read and check them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, LiteralString, Protocol

import grpc

from benchmarks.scenarios import Shape
from devstack.services import Service

ACCOUNTS = 10_000
OPENED_AT_ONCE = 1000
# Stands in a request that was made ahead where each sending puts its own eight characters, so that
# every reference is new and making requests costs the load generator nothing.
STAMP_PLACE = "~~~~~~~~"


class BooksBroken(Exception):
    """What is stored is not what was acknowledged."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the books say of themselves.

    Attributes:
        transactions: how many there are.
        faults: what does not add up, a sentence each.
    """

    transactions: int
    faults: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to: transactions that were written, and why others were refused."""

    written: int
    refusals: Sequence[str] = ()


class Asking(Protocol):
    """What a load generator must know of whom it asks."""

    def request(self, shape: Shape, size: int, choose: Random) -> bytes:
        """Make a request of `size` transactions, STAMP_PLACE in each reference."""

    def judge(self, response: Any) -> Answer:
        """Tell what a request came to."""


class Workload(Asking, Protocol):
    """Books under load: the ledger, or the wallets. The same load for both."""

    @property
    def name(self) -> str:
        """Of the benchmark and its figures: ledger or wallet."""

    @property
    def service(self) -> Service:
        """The service that is measured."""

    @property
    def method(self) -> str:
        """The RPC that writes, as gRPC spells it."""

    @property
    def response(self) -> Callable[[bytes], Any]:
        """Decodes the RPC's answer."""

    @property
    def row_schema(self) -> Sequence[LiteralString]:
        """Makes the baseline's tables and function."""

    def bare_script(self, shape: Shape) -> str:
        """Write pgbench's script: one call of the baseline's function."""

    async def open(self, channel: grpc.aio.Channel) -> None:
        """Open ACCOUNTS accounts and the platform's."""

    async def stored(self, channel: grpc.aio.Channel, database_url: str) -> Stored:
        """Ask the books, or their database, what they hold, and whether it adds up."""


def check(who: str, stored: Stored, acknowledged: int, unknown: int) -> str:
    """Compare what is stored with what was acknowledged; say so in a sentence.

    Of the unknown ones, whose requests had no answer, any may be stored.

    Raises:
        BooksBroken: an acknowledged transaction is not there, one is that nobody sent, or the books
            do not add up.
    """
    faults = list(stored.faults)
    if not acknowledged <= stored.transactions <= acknowledged + unknown:
        faults.append(
            f"{acknowledged:,} transactions were acknowledged, {unknown:,} have an unknown end,"
            f" {stored.transactions:,} are stored"
        )
    if faults:
        raise BooksBroken(f"{who}: {'; '.join(faults)}")
    return f"{who}: {acknowledged:,} acknowledged, {stored.transactions:,} stored, sums agree"
