"""Payouts through a bank: commands, the files that they end in, and statements about them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from paymesh.psp.v1 import payout_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from psp_gateway.providers.bank import schemas
from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.bank_files import (
    DEBTOR,
    OURS,
    THEIRS,
    account,
    detail,
    document,
    entry,
    transfer,
)
from tests.unit.psp_gateway.sandbox import DEADLINE_S, Gateway, served

NOWHERE = "http://127.0.0.1:9"  # no PSP is needed
PAIN = "pain.001.001.09"


def bank_payout(
    attempt_id: str = "att_1", payout_id: str = "pout_1", *, iban: str = THEIRS, bic: str = ""
) -> service.PayoutCommand:
    """Make a payout command, to a bank account."""
    to = noun.PayoutDestination.BankAccount(
        iban=iban, bic=bic or "WESTGB2L", holder_name="Jo Doe-Canary"
    )
    return service.PayoutCommand(
        attempt_id=attempt_id,
        payout_id=payout_id,
        client_id="demo",
        amount="10.00",
        currency="EUR",
        destination=noun.PayoutDestination(bank_account=to),
        reference_text="Sales of May",
    )


@asynccontextmanager
async def with_bank(database: ServiceDatabase, folder: Path) -> AsyncIterator[Gateway]:
    """Serve a gateway that pays through a bank."""
    settings = {
        "BANK_DEBTOR_NAME": DEBTOR.name,
        "BANK_DEBTOR_IBAN": OURS,
        "BANK_DEBTOR_BIC": DEBTOR.bic,
        "BANK_OUTBOX": str(folder),
        "BANK_POLL_S": "0.05",
    }
    async with served(database, NOWHERE, **settings) as started:
        yield started


def within(folder: Path, pattern: str = "*.xml") -> list[Path]:
    """List the files of a folder."""
    return sorted(folder.glob(pattern))


async def files(folder: Path, count: int) -> list[Path]:
    """Wait for so many orders in files; answer the files."""
    async with asyncio.timeout(DEADLINE_S):
        while len(ordered(found := within(folder))) < count:
            await asyncio.sleep(0.02)
    return found


def ordered(paths: list[Path]) -> list[str]:
    """List the EndToEndIds of files, each valid by the schema."""
    names = {"p": schemas.NAMESPACE + PAIN}
    return [
        str(found.text)
        for path in paths
        for found in schemas.read(path.read_bytes(), PAIN).iterfind(".//p:EndToEndId", names)
    ]


async def say(gateway: Gateway, *entries: str, **of: str) -> service.ImportBankStatementResponse:
    """Import a statement of these entries."""
    request = service.ImportBankStatementRequest(content=document(account(*entries, **of)))
    return await gateway.stub.ImportBankStatement(request, timeout=DEADLINE_S)


def booked(attempt_id: str = "att_1", side: str = "DBIT", amount: str = "10.00") -> str:
    """Write an entry about an attempt's transfer."""
    return entry(amount, side, detail(transfer(attempt_id).end_to_end_id, amount, side))
