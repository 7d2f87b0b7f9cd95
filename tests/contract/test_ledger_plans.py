"""What a page of the books costs: about as many rows as it has, however many there are, by a plan
that was made while there were none and by one that knows them all.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from chassis.clock import utc_now
from chassis.money import Money
from ledger_svc import effect_statements, lookup, queries, statements
from ledger_svc.domain.account import Account, AccountStatus, AccountType, Standing
from ledger_svc.domain.chain import transaction_id
from ledger_svc.domain.checkpoint import Checkpoint
from ledger_svc.ports import BalanceAt, Effects, EntryFilter, Page, PendingFilter, Period
from ledger_svc.reader import LedgerReader
from ledger_svc.store import LedgerStore
from ledger_svc.verification_reader import VerificationReader
from tests.contract import full_books
from tests.contract.full_books import (
    CHANGED,
    CLEARING,
    FAT_SUBJECT,
    FullBooks,
    fill,
)
from tests.contract.plans import MADE, Case, Explained, Plan, Recorder, explain, subsets
from tests.servers import PostgresServer

PAGE = 21
SELLER = "seller:demo:s_100:USD"
NOTHING = timedelta(0)
LATE = timedelta(hours=3)  # as far as the fill writes entries behind the time that they count from


@dataclass(frozen=True, slots=True)
class Readers:
    """What reads the books."""

    books: FullBooks
    database: Recorder
    reader: LedgerReader
    verification: VerificationReader
    store: LedgerStore


# What reads more than a page, and why it may.
EXEMPT = {
    "balance by effect": "looks at all that is shifted",
    "effects": "as the balance by effect",
    "balance by effect of few": "sums the account's entries since a checkpoint; they are few",
    "effects of few": "as the balance by effect; once a statement, not once a page",
    "trial balance": "tells of every account",
    "trial balance before": "looks for the newest entry of every account",
    "trial balance by effect": "as the trial balance before, and looks at all that is shifted",
    "snapshot": "verification holds every account against its entries",
    "entries of an object on an account": "goes through the object's: it has few, as a rule",
    "pendings of an account": "goes through what is pending, until a page is full",
}

# What is not asked of the books: it writes, or reads the catalogue.
UNASKED = {"WRITE", "WRITE_PENDINGS", "PREPARE_MONTHS", "COUNT_MONTHS_AHEAD"}
# One row for each that writes.
SMALL = {"streams"}


def clearing(*, entry_count: int = full_books.TRANSACTIONS) -> Account:
    """Make the account that half of all entries are on; it may say that they are few."""
    nothing, now = Money.zero("USD"), utc_now()
    standing = Standing(nothing, nothing, nothing, entry_count)
    kind, status = AccountType.ASSET, AccountStatus.OPEN
    return Account(CLEARING, 1, kind, "USD", status, None, None, standing, now)


def entry_cases() -> Iterator[tuple[str, Case]]:
    """List entries by each combination of filters, from the beginning and from the middle."""

    def case(chosen: dict[str, Any], *, oldest_first: bool, from_middle: bool) -> Case:
        async def ask(of: Readers) -> None:
            start = of.books.middle - timedelta(days=1) if "from" in chosen else None
            end = of.books.middle + timedelta(days=1) if "to" in chosen else None
            names = {key: value for key, value in chosen.items() if key not in ("from", "to")}
            which = EntryFilter(**names, period=Period(start, end))
            after = (transaction_id(of.books.middle, 1, 40_000), 1) if from_middle else None
            await of.reader.entries(which, Page(PAGE, after, oldest_first=oldest_first))

        return ask

    subjects = ("", "pay_20000", FAT_SUBJECT)
    for account, subject in itertools.product(("", SELLER, CLEARING), subjects):
        if account == SELLER and subject == FAT_SUBJECT:
            continue  # see EXEMPT
        of = {"account_id": account, "subject_id": subject}
        more = {"reference": "payment:40000", "from": True, "to": True}
        for chosen in subsets({key: value for key, value in of.items() if value} | more):
            for oldest_first, from_middle in itertools.product((False, True), repeat=2):
                name = f"entries by {chosen} {oldest_first=} {from_middle=}"
                yield name, case(chosen, oldest_first=oldest_first, from_middle=from_middle)


def pending_cases() -> Iterator[tuple[str, Case]]:
    """List what is pending by each combination of filters that finds a page among the first."""

    def case(chosen: dict[str, Any], *, from_middle: bool) -> Case:
        async def ask(of: Readers) -> None:
            end = of.books.start + full_books.PENDINGS * of.books.step
            middle = of.books.start + (end - of.books.start) * 3 / 4
            created = Period(
                middle - timedelta(hours=9) if "from" in chosen else None,
                end if "to" in chosen else None,
            )
            expires = Period(
                of.books.end if "expires_from" in chosen else None,
                of.books.end + timedelta(days=99) if "expires_to" in chosen else None,
            )
            names = {k: v for k, v in chosen.items() if k in ("account_id", "subject_id")}
            after = transaction_id(middle, 1, 0) if from_middle else ""
            which = PendingFilter(**names, created=created, expires=expires)
            await of.reader.pendings(which, after=after, limit=PAGE)

        return ask

    more = dict.fromkeys(("from", "to", "expires_from", "expires_to"), True)
    of = {"account_id": CLEARING, "subject_id": "held_3000"}
    for chosen in subsets(of | more):
        for from_middle in (False, True):
            yield f"pendings by {chosen} {from_middle=}", case(chosen, from_middle=from_middle)


def effect_cases() -> Iterator[tuple[str, Case]]:
    """Page through a statement by effect, of an account that is on time and of one that is not."""

    def case(account: Account, behind: timedelta, *, from_middle: bool, to_end: bool) -> Case:
        async def ask(of: Readers) -> None:
            nothing = BalanceAt(Money.zero("USD"), 0)
            effects = Effects(nothing, nothing, NOTHING, behind, of.books.end)
            after = (
                (of.books.middle, transaction_id(of.books.middle, 1, 40_000), 1)
                if from_middle
                else None
            )
            period = Period(of.books.middle - timedelta(days=5), None if to_end else of.books.end)
            await of.reader.entries_effective(account, period, effects, after=after, limit=PAGE)

        return ask

    for count, behind, from_middle, to_end in itertools.product(
        (1, full_books.TRANSACTIONS), (NOTHING, LATE), (False, True), (False, True)
    ):
        name = f"statement by effect of {count} {behind=!s} {from_middle=} {to_end=}"
        yield (
            name,
            case(clearing(entry_count=count), behind, from_middle=from_middle, to_end=to_end),
        )


def accounts_from(prefix: str, after: str) -> Case:
    """List accounts by prefix."""
    return lambda of: of.reader.accounts_from(prefix, after=after, limit=PAGE)


def changes(before: int) -> Case:
    """List changes of an account that had many."""
    return lambda of: of.reader.account_changes(CHANGED, before=before, limit=PAGE)


def other_cases() -> Iterator[tuple[str, Case]]:
    """Read all else."""
    prefixes = ("", "seller:", "seller:demo:s_1", "buyer:demo:b_19999:USD", "none")
    for prefix, after in itertools.product(prefixes, ("", "seller:demo:s_2")):
        yield f"accounts from {prefix=} {after=}", accounts_from(prefix, after)
    for before in (2**31 - 1, 2_000):
        yield f"changes {before=}", changes(before)
    checkpoint = Checkpoint(1, utc_now(), utc_now(), (), 0, 0, utc_now(), b"\0" * 32, b"\0" * 32)
    cases: dict[str, Case] = {
        "accounts": lambda of: of.reader.accounts([SELLER, CLEARING]),
        "transaction": lambda of: of.reader.transaction("payment:40000"),
        "pending transaction": lambda of: of.reader.transaction("held:5000"),
        "transactions": lambda of: of.database.run(
            lambda tx: lookup.claimed(tx, [f"payment:{n * 999}" for n in range(1, PAGE)])
        ),
        "reversals": lambda of: of.database.run(
            lambda tx: lookup.reversals(tx, ["payment:40000", "payment:60000"])
        ),
        "lock": lambda of: of.database.run(lambda tx: lookup.lock(tx, [SELLER], utc_now())),
        "read": lambda of: of.database.run(lambda tx: lookup.accounts(tx, [SELLER], utc_now())),
        "balance before": lambda of: of.reader.balance_before(clearing(), of.books.middle),
        "balance before all": lambda of: of.reader.balance_before(clearing(), of.books.start),
        "archived": lambda of: of.reader.archived(),
        "whole until": lambda of: of.reader.whole_until(of.books.middle),
        "expired": lambda of: of.store.expire(limit=0),
        "heads": lambda of: of.verification.heads(),
        "last seal": lambda of: of.verification.seal(),
        "seals": lambda of: of.verification.seals(after=1_000, limit=PAGE),
        "seals before": lambda of: of.verification.seals_before(2_000, limit=PAGE),
        "checkpoints": lambda of: of.verification.checkpoints(after=0, limit=PAGE),
        "checkpoints before": lambda of: of.verification.checkpoints_before(9, limit=PAGE),
        "balances at": lambda of: anext(aiter(of.verification.balances_at(checkpoint))),
        "verified stretch": lambda of: of.verification.stretch(
            transaction_id(of.books.middle, 1, 40_000),
            before=transaction_id(of.books.end, 1, 0),
            limit=PAGE,
        ),
        "entries of an object on an account": lambda of: of.reader.entries(
            EntryFilter(account_id=SELLER, subject_id=FAT_SUBJECT), Page(PAGE)
        ),
        "pendings of an account": lambda of: of.reader.pendings(
            PendingFilter(account_id=SELLER), after="", limit=PAGE
        ),
        "balance by effect of few": lambda of: of.reader.balance_effective(
            clearing(entry_count=1), of.books.middle
        ),
        "balance by effect": lambda of: of.reader.balance_effective(clearing(), of.books.middle),
        "effects of few": lambda of: of.reader.effects(
            clearing(entry_count=1), Period(of.books.middle, None)
        ),
        "effects": lambda of: of.reader.effects(clearing(), Period(of.books.middle, None)),
        "trial balance": lambda of: of.reader.trial_balance(None),
        "trial balance before": lambda of: of.reader.trial_balance(of.books.middle),
        "trial balance by effect": lambda of: of.reader.trial_balance_effective(of.books.middle),
        "snapshot": lambda of: of.verification.snapshot(of.books.middle),
    }
    yield from cases.items()


CASES = dict([*entry_cases(), *pending_cases(), *effect_cases(), *other_cases()])


def readers(recorder: Recorder, books: FullBooks) -> Readers:
    """Make what reads the books."""
    kept: Any = recorder
    return Readers(books, recorder, LedgerReader(kept), VerificationReader(kept), LedgerStore(kept))


@pytest.fixture(scope="module")
def explained(postgres: PostgresServer) -> Iterator[Explained]:
    """Explain every case by plans made while the books were empty, and by new ones."""
    filled = partial(fill, now=utc_now())
    with postgres.own_database("ledger_svc") as full, postgres.own_database("ledger_svc") as empty:
        yield explain(full, empty, filled, CASES, readers)


@pytest.mark.parametrize("made", MADE)
def test_a_page_costs_what_it_has(explained: Explained, made: str) -> None:
    """By an index, with as many rows as a page has and what belongs to them, wherever it is; but
    for what is said to read more.
    """

    def may_be(name: str, plan: Plan) -> bool:
        most = rows_max(name)
        is_small = plan.rows <= most and plan.blocks <= 3 * most and plan.scans <= SMALL
        return name in EXEMPT or is_small

    assert explained.beyond(made, may_be) == []


def rows_max(name: str) -> int:
    """Tell how many rows a case may read: of each that it has, its account and its transaction, and
    some on the way; or what was written within three hours, which is as late as entries are.
    """
    if f"effect of {full_books.TRANSACTIONS} " in name:
        return 12 * PAGE  # a page of what is shifted, and one of what is not
    return 500 if "behind=3" in name else 6 * PAGE


@pytest.mark.parametrize("made", MADE)
def test_a_page_looks_at_no_other_months(explained: Explained, made: str) -> None:
    """Where the filter or the token says so, no table of a month before or after is looked at."""
    (month,) = [
        f"{start:%Y_%m}"
        for start, end in itertools.pairwise(explained.filled.months)
        if start <= explained.filled.middle < end
    ]
    wrong = []
    for name, plans in explained.plans[made].items():
        if not name.startswith("entries by"):
            continue
        on, after = "from_middle=True" in name, "oldest_first=True" in name
        touched = {table.partition("_")[2] for plan in plans for table in plan.months}
        if "'from'" in name or (on and after):
            wrong += [(name, table) for table in touched if table == "first" or table < month]
        if "'to'" in name or (on and not after):
            wrong += [(name, table) for table in touched if "first" != table > month]

    assert wrong == []


def test_every_read_is_explained(explained: Explained) -> None:
    """What is new among the statements gets a case here."""
    assert explained.unasked(queries, statements, effect_statements) <= UNASKED
