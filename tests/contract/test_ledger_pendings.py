"""ListPendings, over real gRPC and PostgreSQL: what has not ended, once each, the oldest first."""

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import grpc
import psycopg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1 import posting_pb2

from chassis.clock import utc_now
from chassis.database import Database
from ledger_svc.store import LedgerStore
from tests.contract.test_ledger_pending import POST, VOID, pending, post, resolve
from tests.contract.test_ledger_service import fields
from tests.servers import ServiceDatabase
from tests.unit.ledger_svc.builders import CLEARING, SELLER, LedgerStub, served, wire_account

OTHER, IDLE = "seller:demo:other:USD", "seller:demo:idle:USD"
SOON = utc_now().replace(microsecond=0) + timedelta(days=30)
COUNT = 12


@pytest.fixture
async def ledger(ledger_db: Database) -> AsyncIterator[LedgerStub]:
    """Serve a ledger with a clearing and three sellers' accounts."""
    async with served(ledger_db) as stub:
        accounts = [
            wire_account(CLEARING, noun.Account.ASSET),
            *(wire_account(name, noun.Account.LIABILITY) for name in (SELLER, OTHER, IDLE)),
        ]
        await stub.OpenAccounts(service.OpenAccountsRequest(accounts=accounts))
        yield stub


async def reserve(ledger: LedgerStub) -> list[noun.Transaction]:
    """Reserve twelve times, one after the other, over two accounts, three objects, three times of
    expiry and none.
    """
    made = []
    for number in range(COUNT):
        expires_at = SOON + timedelta(days=number % 4) if number % 4 else None
        asked = pending(f"p:{number}", f"{number + 1}.00", expires_at=expires_at)
        asked.subject_id = f"pay_{number % 3}"
        asked.description = "A table for two"
        asked.entries[1].account_id = OTHER if number % 2 else SELLER
        made += [result.transaction for result in await post(ledger, asked)]
    return made


async def walk(
    ledger: LedgerStub, request: service.ListPendingsRequest, size: int = 2
) -> list[noun.Transaction]:
    """List page by page to the end."""
    found: list[noun.Transaction] = []
    asked = service.ListPendingsRequest()
    asked.CopyFrom(request)
    asked.page_size = size
    while True:
        page = await ledger.ListPendings(asked)
        assert len(page.transactions) <= size
        found += page.transactions
        asked.page_token = page.next_page_token
        if not asked.page_token:
            return found


def stamp(moment: datetime) -> Timestamp:
    """Write a time."""
    written = Timestamp()
    written.FromDatetime(moment)
    return written


def fits(one: noun.Transaction, asked: service.ListPendingsRequest) -> bool:
    """Say by the definition whether a pending transaction belongs in a list."""
    accounts = {entry.account_id for entry in one.pending_entries}
    created, expires = one.created_at.ToNanoseconds(), one.expires_at.ToNanoseconds()
    return (
        asked.account_id in ("", *accounts)
        and asked.subject_id in ("", one.subject_id)
        and (not asked.HasField("created_from") or created >= asked.created_from.ToNanoseconds())
        and (not asked.HasField("created_to") or created < asked.created_to.ToNanoseconds())
        and (one.HasField("expires_at") or not asked.HasField("expires_from"))
        and (one.HasField("expires_at") or not asked.HasField("expires_to"))
        and (not asked.HasField("expires_from") or expires >= asked.expires_from.ToNanoseconds())
        and (not asked.HasField("expires_to") or expires < asked.expires_to.ToNanoseconds())
    )


async def test_what_has_not_ended_is_listed_as_it_was_posted(ledger: LedgerStub) -> None:
    """With what it reserves and until when; posted, voided and expired ones are not."""
    made = await reserve(ledger)
    one = posting_pb2.Resolution
    await resolve(ledger, one(reference="p:0", action=POST), one(reference="p:5", action=VOID))

    found = await walk(ledger, service.ListPendingsRequest())

    assert found == [t for t in made if t.reference not in ("p:0", "p:5")]
    assert [(e.account_id, e.amount) for e in found[0].pending_entries] == [
        (CLEARING, "2.00"),
        (OTHER, "2.00"),
    ]
    assert found[0].expires_at.ToDatetime(UTC) == SOON + timedelta(days=1)
    assert (found[0].subject_id, found[0].description) == ("pay_1", "A table for two")


async def test_what_has_expired_is_not_listed(ledger: LedgerStub, ledger_db: Database) -> None:
    """Once the job has ended it."""
    made = await reserve(ledger)
    job = LedgerStore(ledger_db, clock=lambda: SOON + timedelta(days=2, hours=1))

    await job.expire(limit=99)

    found = await walk(ledger, service.ListPendingsRequest())
    assert found == [t for number, t in enumerate(made) if number % 4 in (0, 3)]


async def test_every_combination_of_filters_lists_what_fits(ledger: LedgerStub) -> None:
    """In pages of two, each once, the oldest first."""
    made = await reserve(ledger)
    filters = {
        "account_id": OTHER,
        "subject_id": "pay_1",
        "created_from": made[2].created_at,
        "created_to": made[9].created_at,
        "expires_from": stamp(SOON + timedelta(days=1)),
        "expires_to": stamp(SOON + timedelta(days=3)),
    }

    for size in range(len(filters) + 1):
        for names in itertools.combinations(filters, size):
            asked = service.ListPendingsRequest(**{name: filters[name] for name in names})  # type: ignore[arg-type]
            assert await walk(ledger, asked) == [t for t in made if fits(t, asked)], names


@pytest.mark.parametrize("name", [IDLE, "seller:demo:nobody:USD"])
async def test_an_account_on_which_nothing_is_pending_has_none(
    ledger: LedgerStub, name: str
) -> None:
    """One that there is not, too."""
    await reserve(ledger)

    assert await walk(ledger, service.ListPendingsRequest(account_id=name)) == []


async def test_what_the_version_before_wrote_has_its_place(
    ledger: LedgerStub, ledger_database: ServiceDatabase
) -> None:
    """Its row tells no id: the claim does."""
    made = await reserve(ledger)
    with psycopg.connect(ledger_database.owner_url) as owner:
        owner.execute(
            "UPDATE open_pendings SET transaction_id = NULL WHERE reference IN ('p:2', 'p:7')"
        )

    for asked in (
        service.ListPendingsRequest(),
        service.ListPendingsRequest(account_id=OTHER),
        service.ListPendingsRequest(created_from=made[3].created_at),
    ):
        assert await walk(ledger, asked, 3) == [t for t in made if fits(t, asked)]


async def test_what_makes_no_sense_names_its_field(ledger: LedgerStub) -> None:
    """A token of another list or of none of ours, and periods that end before they start."""
    await reserve(ledger)
    ask = service.ListPendingsRequest
    token = (await ledger.ListPendings(ask(page_size=2))).next_page_token
    entries = (await ledger.ListEntries(service.ListEntriesRequest(page_size=1))).next_page_token
    late, early = stamp(SOON), stamp(SOON - timedelta(days=1))
    refused = [
        (ask(page_token=token, account_id=OTHER), "page_token"),
        (ask(page_token=entries or "x"), "page_token"),
        (ask(page_token="eyI"), "page_token"),
        (ask(created_from=late, created_to=early), "created_to"),
        (ask(expires_from=late, expires_to=early), "expires_to"),
        (ask(expires_from=Timestamp(seconds=10**15)), "expires_from"),
        (ask(subject_id="a\0"), "subject_id"),
        (ask(account_id="a b"), "account_id"),
        (ask(page_size=-1), "page_size"),
    ]
    for asked, field in refused:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await ledger.ListPendings(asked)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert fields(error.value) == [field]
