"""Audits what runs in production: asks each service by RPC what it can say of itself, and
payment_svc what its payments are against the others.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import grpc
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from paymesh.payment.v1 import audit_service_pb2 as payment
from paymesh.payment.v1.audit_service_pb2_grpc import AuditServiceStub
from paymesh.wallet.v1 import comparison_pb2 as comparison
from paymesh.wallet.v1 import wallet_service_pb2 as wallet
from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceStub

from devstack.audit.databases import Tell
from devstack.audit.gather import NotAudited, silent
from devstack.audit.invariants import AUDITED
from devstack.audit.logs import prove_log
from devstack.audit.verdict import SHOWN, Offence, Verdict
from devstack.audit_log.calls import SERVICES
from devstack.reach import operator_channel
from devstack.state import StackError

Told = TypeVar("Told")
_TIMEOUT_S = 3_600.0
_PAUSES_S = (0.5, 1.0, 2.0)
_STATEMENTS = {invariant.name: invariant.statement for invariant in AUDITED}
_BOOKED = "what the PSPs kept, by the gateway's attempts, is what the ledger booked"
_DEFAULT = timedelta(hours=24)
_JUDGED_THERE = ("I4", "I5", "I6", "I7", "I8")


@dataclass(frozen=True, slots=True)
class Targets:
    """Where the services answer: HOST:PORT; empty: as the running stack says."""

    payment: str = ""
    wallet: str = ""
    ledger: str = ""
    psp: str = ""
    edge_auth: str = ""
    stack: Mapping[str, Any] = field(default_factory=dict)

    def channel(self, service: str) -> grpc.aio.Channel:
        """Open a channel to a service that has an audit log.

        Raises:
            StackError: an operator's certificate is needed, and not there.
        """
        given = str(getattr(self, service.removesuffix("_svc").removesuffix("_gateway")))
        return grpc.aio.insecure_channel(given) if given else operator_channel(self.stack, service)


@dataclass(slots=True)
class _Found:
    """What was found against one invariant, and by what."""

    name: str
    evidence: str = ""
    offences: list[Offence] = field(default_factory=list)
    count: int = 0

    def add(self, subject: str, how: str) -> None:
        self.count += 1
        if len(self.offences) < SHOWN:
            self.offences.append(Offence(subject, how))

    def verdict(self) -> Verdict:
        statement = _BOOKED if self.name == "I4" else _STATEMENTS[self.name]
        return Verdict(
            self.name, statement, not self.count, self.evidence, tuple(self.offences), self.count
        )


async def audit_by_rpc(
    targets: Targets,
    *,
    since: datetime | None = None,
    since_checkpoint: bool = False,
    tell: Tell = silent,
) -> list[Verdict]:
    """Ask for I1 to I8, and INV-15.

    Args:
        targets: where the services answer.
        since: judge I4 to I8 of payments that were made or came to rest since then, and INV-15 of
            what was changed since then; of the last 24 hours when None.
        since_checkpoint: I2 of what the ledger booked since its last checkpoint alone.
        tell: is given a line about how far it is.

    Raises:
        NotAudited: a service does not answer, or stops before it is done.
    """
    try:
        async with _stubs(targets) as (payments, wallets, books):
            proof = partial(_proof, books, tell, since_checkpoint=since_checkpoint)
            verdicts = [
                await _patiently(partial(_sums, books, tell), tell),
                await _patiently(proof, tell),
                await _patiently(partial(_comparison, wallets, tell), tell),
                *await _patiently(partial(_payments, payments, since, tell), tell),
            ]
        return [*verdicts, await _patiently(partial(_logs, targets, since, tell), tell)]
    except StackError as error:
        raise NotAudited(str(error)) from error
    except grpc.aio.AioRpcError as error:
        raise NotAudited(f"{error.code().name}: {error.details()}") from error


async def _patiently(
    ask: Callable[[], Awaitable[Told]], tell: Tell, pauses_s: Sequence[float] = _PAUSES_S
) -> Told:
    """Ask again, from its beginning, what somebody who was away for a moment left unanswered."""
    for pause_s in pauses_s:
        try:
            return await ask()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            tell(f"asking again: {error.details()}")
        await asyncio.sleep(pause_s)
    return await ask()


@asynccontextmanager
async def _stubs(targets: Targets) -> AsyncIterator[tuple[Any, Any, Any]]:
    async with (
        targets.channel("payment_svc") as payments,
        targets.channel("wallet_svc") as wallets,
        targets.channel("ledger_svc") as books,
    ):
        yield AuditServiceStub(payments), WalletServiceStub(wallets), LedgerServiceStub(books)


async def _sums(books: Any, tell: Tell) -> Verdict:
    answer = await books.GetTrialBalance(ledger.GetTrialBalanceRequest(), timeout=_TIMEOUT_S)
    found = _Found("I1", f"{len(answer.lines)} currencies")
    for line in answer.lines:
        if Decimal(line.difference):
            found.add(f"ledger {line.currency}", f"debits less credits are {line.difference}")
    tell(f"ledger: {found.evidence} summed")
    return found.verdict()


async def _proof(books: Any, tell: Tell, *, since_checkpoint: bool) -> Verdict:
    found = _Found("I2")
    request = ledger.VerifyLedgerRequest(since_last_checkpoint=since_checkpoint)
    async for told in books.VerifyLedger(request, timeout=_TIMEOUT_S):
        which = told.WhichOneof("message")
        if which == "offence":
            found.add(told.offence.subject, told.offence.message)
        elif which == "progress":
            tell(f"ledger: {told.progress.done:,} of {told.progress.total:,} transactions proven")
        elif which == "summary":
            summary = told.summary
            part = " since the last checkpoint" if since_checkpoint else ""
            found.evidence = f"{summary.transaction_count:,} transactions, hashes and seals{part}"
            if not summary.sound and not found.count:
                found.add("ledger", f"{summary.offence_count} things are wrong")
            return found.verdict()
    raise NotAudited("the ledger stopped its proof before it was done")


async def _comparison(wallets: Any, tell: Tell) -> Verdict:
    found = _Found("I3")
    request = wallet.CompareWithLedgerRequest()
    async for told in wallets.CompareWithLedger(request, timeout=_TIMEOUT_S):
        if told.WhichOneof("told") == "difference":
            one = told.difference
            if one.verdict != comparison.WalletDifference.IN_FLIGHT:
                holds = "is not there" if one.has_no_wallet else f"holds {one.wallet_total}"
                strange = "; no operation made it so" if one.is_unfounded else ""
                found.add(one.wallet_id, f"{holds}, the ledger {one.ledger_balance}{strange}")
        elif told.comparison.is_done:
            found.evidence = f"{told.comparison.wallet_count:,} wallets"
            tell(f"wallets: {found.evidence} compared")
            return found.verdict()
    raise NotAudited("the wallets stopped their comparison before it was done")


async def _logs(targets: Targets, since: datetime | None, tell: Tell) -> Verdict:
    """Have every service prove its audit log, and tell what it changed that is not in it."""
    found, lines = _Found("INV-15"), 0
    since = since or datetime.now(UTC) - _DEFAULT
    for service in SERVICES:
        async with targets.channel(service) as channel:
            log = await prove_log(channel, service, since, tell)
        lines += log.line_count
        for subject, how in log.offences:
            found.add(f"{service} {subject}", how)
        found.count += log.offence_count - len(log.offences)
    found.evidence = f"{lines:,} lines of {len(SERVICES)} audit logs"
    return found.verdict()


async def _payments(payments: Any, since: datetime | None, tell: Tell) -> Sequence[Verdict]:
    request = payment.AuditPaymentsRequest()
    since = since or datetime.now(UTC) - _DEFAULT
    request.created_from.FromDatetime(since)
    request.rested_from.FromDatetime(since)
    found: Mapping[str, _Found] = {name: _Found(name) for name in _JUDGED_THERE}
    async for told in payments.AuditPayments(request, timeout=_TIMEOUT_S):
        if told.WhichOneof("told") == "violation":
            one = told.violation
            name = payment.AuditViolation.Invariant.Name(one.invariant)
            found[name].add(one.payment_id, one.how)
            continue
        seen = told.progress
        tell(f"payments: {seen.payment_count:,} judged, {seen.in_flight_count:,} in flight")
        if seen.is_done:
            at_rest = seen.payment_count - seen.in_flight_count
            for name, one_found in found.items():
                whole = seen.payment_count if name in ("I5", "I6", "I7") else at_rest
                one_found.evidence = f"{whole:,} payments"
            return [one_found.verdict() for one_found in found.values()]
    raise NotAudited("payment_svc stopped its audit before it was done")
