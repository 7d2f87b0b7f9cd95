"""Gathers the final facts of a running stack: all objects, whole, or none."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import aiohttp
import grpc
import psycopg

from devstack.audit.databases import READS, Tell, read_context, read_marks
from devstack.audit.facts import Facts, SoundFact
from devstack.audit.logs import prove_logs
from devstack.audit.psp_record import IncompleteRecord, read_record
from devstack.reach import operator_channel
from devstack.state import StackError

_PROOF_TIMEOUT_S = 600.0


class NotAudited(Exception):
    """Something could not be read whole, so nothing is proven; the message says what and why."""


def silent(_: str) -> None:
    """Tell nobody."""


async def gather(
    stack: Mapping[str, Any],
    *,
    since: datetime | None = None,
    with_record: bool = True,
    with_proof: bool = True,
    tell: Tell = silent,
) -> Facts:
    """Read all that there is to judge: the five databases, the PSPs' record, the ledger's proof.

    payment_svc is read first, and once more at the end: what moved between is in flight.

    Args:
        stack: stack.json's content.
        since: judge only payments made since then; all are read nevertheless.
        with_record: read the PSP sandbox's own record.
        with_proof: have the ledger prove its hashes and seals, and each service its audit log.
        tell: is given a line whenever something was read.

    Raises:
        NotAudited: a part cannot be read whole.
    """
    urls = stack["databases"]
    try:
        payment = await asyncio.to_thread(read_context, urls["payment"], "payment", tell)
        others = [
            asyncio.to_thread(read_context, urls[context], context, tell)
            for context in READS
            if context != "payment"
        ]
        record, proof, logs, *rest = await asyncio.gather(
            read_record(stack["psp_sandbox"]["url"], tell) if with_record else _nothing(),
            _prove(stack, tell) if with_proof else _nothing(),
            prove_logs(stack, since, tell) if with_proof else _nothing(),
            *others,
        )
        marks = await asyncio.to_thread(read_marks, urls["payment"])
    except psycopg.Error as error:
        raise NotAudited(f"a database cannot be read: {str(error).strip()}") from error
    except (aiohttp.ClientError, TimeoutError, IncompleteRecord) as error:
        raise NotAudited(f"the PSPs' record cannot be read: {error}") from error
    except grpc.aio.AioRpcError as error:
        raise NotAudited(f"the ledger does not prove its books: {error.details()}") from error
    except StackError as error:
        raise NotAudited(f"an audit log is not proven: {error}") from error
    except KeyError as error:
        raise NotAudited(f"the stack does not say where {error} is") from error
    moved = frozenset(mark[0] for mark in payment.pop("marks") ^ marks)
    payments = {one.payment_id: one for one in payment.pop("payments")}
    parts = {name: rows for part in (payment, *rest) for name, rows in part.items()}
    judged = {"record": record, "proof": proof, "logs": logs, "since": since, "moved": moved}
    return Facts(payments=payments, **judged, **parts)


async def _nothing() -> None:
    """Read nothing."""


async def _prove(stack: Mapping[str, Any], tell: Tell) -> SoundFact:
    """Have the ledger verify its hash chains, seals and sequences."""
    from paymesh.ledger.v1 import ledger_service_pb2 as service
    from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

    offences: list[str] = []
    async with operator_channel(stack, "ledger_svc") as channel:
        stub = LedgerServiceStub(channel)
        request = service.VerifyLedgerRequest()
        async for message in stub.VerifyLedger(request, timeout=_PROOF_TIMEOUT_S):
            which = message.WhichOneof("message")
            if which == "offence":
                offences.append(f"{message.offence.subject}: {message.offence.message}")
            elif which == "summary":
                count = message.summary.transaction_count
                tell(f"ledger: {count:,} transactions proven")
                return SoundFact(message.summary.sound, count, tuple(offences))
    raise NotAudited("the ledger stopped its proof before it was done")
