"""Verification: true books are sound, and whatever is changed is found and named."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from ledger_svc.domain import chain
from ledger_svc.domain.account import Account, AccountType, Side
from ledger_svc.domain.books import Books
from ledger_svc.domain.chain import Head
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.held_accounts import AccountNow, HeldAccounts
from ledger_svc.domain.posting import Action, Command, Resolution, Reversal
from ledger_svc.domain.seal import Seal, next_seal, seal_offences
from ledger_svc.domain.transaction import Kind, Transaction, hashed
from ledger_svc.domain.verification import OffenceKind, Verifier
from tests.unit.ledger_svc.builders import CLEARING, NOW, SELLER, account, posting, usd
from tests.unit.ledger_svc.plain_verifier import PlainVerifier

History = Sequence[Transaction]
OTHER = "fees"


def pending(reference: str, amount: str) -> Command:
    """Make a pending posting."""
    return replace(posting(reference, amount), is_pending=True)


STORY: tuple[Command, ...] = (
    posting("a", "10.00"),
    posting("b", "2.50", credit=OTHER),
    pending("p", "3.00"),
    pending("q", "4.00"),
    Resolution("p", Action.POST),
    Reversal("a", "undo"),
    posting("c", "1.00"),
)


class Written:
    """A small ledger, written by two writers in turn."""

    def __init__(self) -> None:
        names = {CLEARING: AccountType.ASSET, SELLER: AccountType.LIABILITY}
        names[OTHER] = AccountType.REVENUE
        self.accounts: dict[str, Account] = {n: account(n, type_) for n, type_ in names.items()}
        self.heads = {1: Head(1), 2: Head(2)}
        self.history: list[Transaction] = []
        for turn, command in enumerate(STORY):
            self._write(command, 1 + turn % 2, turn)

    def _write(self, command: Command, stream: int, turn: int) -> None:
        books = Books(
            self.accounts.values(),
            self.history,
            (),
            head=self.heads[stream],
            now=NOW + timedelta(seconds=turn),
        )
        decide(books, [command])
        for account_, standing in books.changed:
            self.accounts[account_.account_id] = replace(account_, standing=standing)
        self.heads[stream] = books.head
        self.history += books.written

    def offences(
        self, history: History | None = None, seals: Sequence[Seal] = ()
    ) -> list[tuple[OffenceKind, str]]:
        """Verify a history, by default the one that was written."""
        sealed = {(head.stream, head.number): head.hash for seal in seals for head in seal.heads}
        now = {name: AccountNow(a.type, a.standing) for name, a in self.accounts.items()}
        verifier = Verifier(HeldAccounts(now), sealed)
        taken = self.history if history is None else history
        found = [*seal_offences(seals)]
        found += [offence for one in taken for offence in verifier.take(one)]
        found += verifier.finish_streams(self.heads)
        found += verifier.finish_accounts(now, verifier.reserved())
        return [(offence.kind, offence.subject) for offence in found]


def test_true_books_are_sound() -> None:
    """Nothing is wrong with what was written, reversals and pending transactions included."""
    assert Written().offences() == []


def of_entry(**changed: object) -> Callable[[Transaction], Transaction]:
    """Change the first entry of a transaction."""

    def change(one: Transaction) -> Transaction:
        first, *rest = one.entries
        return one._replace(entries=(first._replace(**changed), *rest))  # type: ignore[arg-type]

    return change


def of_heading(**changed: object) -> Callable[[Transaction], Transaction]:
    """Change what is said of a transaction."""
    return lambda one: one._replace(heading=one.heading._replace(**changed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (of_entry(amount=usd("9.99")), OffenceKind.UNBALANCED),
        (of_entry(side=Side.CREDIT), OffenceKind.UNBALANCED),
        (of_entry(account_id=OTHER), OffenceKind.WRONG_BALANCE),
        (of_entry(account_id="nobody"), OffenceKind.WRONG_ACCOUNT),
        (of_entry(balance_after=usd("11.00")), OffenceKind.WRONG_BALANCE),
        (of_entry(account_sequence=2), OffenceKind.WRONG_SEQUENCE),
        (of_heading(reference="other"), OffenceKind.WRONG_HASH),
        (of_heading(description="other"), OffenceKind.WRONG_HASH),
        (of_heading(subject_id="pay_2"), OffenceKind.WRONG_HASH),
        (of_heading(effective_at=NOW - timedelta(days=1)), OffenceKind.WRONG_HASH),
        (of_heading(template="captured/9"), OffenceKind.WRONG_HASH),
        (lambda one: one._replace(hash=bytes(32)), OffenceKind.WRONG_HASH),
        (
            lambda one: one._replace(created_at=one.created_at + timedelta(seconds=1)),
            OffenceKind.WRONG_HASH,
        ),
    ],
)
@pytest.mark.parametrize("place", [0, 6])
def test_any_change_of_a_transaction_is_found(
    change: Callable[[Transaction], Transaction], kind: OffenceKind, place: int
) -> None:
    """Whatever field is changed, the hash is wrong, and what makes no sense by itself is named."""
    ledger = Written()
    history = [*ledger.history]
    history[place] = change(history[place])

    offences = ledger.offences(history)

    kinds = {found for found, _ in offences}
    assert kind in kinds
    assert {OffenceKind.WRONG_HASH, OffenceKind.WRONG_STREAM} & kinds


@pytest.mark.parametrize("place", range(len(STORY)))
def test_a_transaction_that_is_gone_is_missed(place: int) -> None:
    """Its stream has a gap, or ends too early."""
    ledger = Written()
    history = [*ledger.history[:place], *ledger.history[place + 1 :]]

    assert OffenceKind.WRONG_STREAM in {kind for kind, _ in ledger.offences(history)}


def test_a_transaction_that_came_twice_is_found() -> None:
    """Its place in the stream is taken."""
    ledger = Written()

    offences = ledger.offences([*ledger.history, ledger.history[-1]])

    assert OffenceKind.WRONG_STREAM in {kind for kind, _ in offences}


def test_one_change_is_told_once() -> None:
    """What follows a changed description is not told as wrong as well."""
    ledger = Written()
    history = [*ledger.history]
    history[0] = of_heading(description="other")(history[0])

    assert ledger.offences(history) == [(OffenceKind.WRONG_HASH, history[0].transaction_id)]


def test_an_account_that_says_something_else_is_found() -> None:
    """Its balance, its count, and what is pending on it are those of its entries."""
    for name, changed, kind in (
        (SELLER, {"balance": usd("1000.00")}, OffenceKind.WRONG_ACCOUNT),
        (SELLER, {"entry_count": 1}, OffenceKind.WRONG_ACCOUNT),
        (CLEARING, {"pending_in": Money.zero("USD")}, OffenceKind.WRONG_PENDING),
        (OTHER, {"pending_out": usd("1.00")}, OffenceKind.WRONG_PENDING),
    ):
        ledger = Written()
        held = ledger.accounts[name]
        changed_standing = held.standing._replace(**changed)  # type: ignore[arg-type]
        ledger.accounts[name] = replace(held, standing=changed_standing)

        assert ledger.offences() == [(kind, name)]


def test_a_head_that_says_something_else_is_found() -> None:
    """A head moved back would hide what was cut off."""
    ledger = Written()
    ledger.heads[1] = ledger.heads[1]._replace(hash=bytes(32))

    assert ledger.offences() == [(OffenceKind.WRONG_STREAM, "stream 1")]


def seals_of(ledger: Written) -> list[Seal]:
    """Seal the ledger's heads, and once more after they moved."""
    earlier = [Head(1, 1, ledger.history[0].hash), Head(2, 1, ledger.history[1].hash)]
    first = next_seal(None, earlier, NOW)
    assert first is not None
    second = next_seal(first, ledger.heads.values(), NOW + timedelta(minutes=1))
    assert second is not None
    return [first, second]


def test_seals_follow_each_other() -> None:
    """What was sealed is sound, and nothing is sealed twice."""
    ledger = Written()
    seals = seals_of(ledger)

    assert [seal.number for seal in seals] == [1, 2]
    assert ledger.offences(seals=seals) == []
    assert next_seal(seals[-1], ledger.heads.values(), NOW) is None
    assert next_seal(None, [Head(1)], NOW) is None


def test_books_written_anew_do_not_fit_their_seals() -> None:
    """Who rewrites a stream, hashes and head and all, is given away by a seal."""
    ledger, forged = Written(), Written()
    seals = seals_of(ledger)
    changed = [
        one._replace(heading=one.heading._replace(description="x")) for one in forged.history
    ]
    rehashed = rechained(changed)
    forged.heads = {
        stream: head._replace(hash=last_hash(rehashed, stream))
        for stream, head in forged.heads.items()
    }

    assert [kind for kind, _ in forged.offences(rehashed)] == []
    kinds = {kind for kind, _ in forged.offences(rehashed, seals)}
    assert kinds == {OffenceKind.WRONG_SEAL}


def rechained(history: History) -> list[Transaction]:
    """Hash a history anew."""
    last: dict[int, bytes] = {}
    made = []
    for one in history:
        stream, _ = chain.place(one.transaction_id)
        said = one.heading, one.created_at, one.entries, one.pending
        last[stream] = hashed(last.get(stream, chain.GENESIS), one.transaction_id, *said)
        made.append(one._replace(hash=last[stream]))
    return made


def last_hash(history: History, stream: int) -> bytes:
    """Find the last hash of a stream."""
    return next(
        one.hash for one in reversed(history) if chain.place(one.transaction_id)[0] == stream
    )


@pytest.mark.parametrize("field", ["number", "sealed_at", "heads", "hash"])
def test_a_changed_seal_is_found(field: str) -> None:
    """Whatever of it is changed."""
    seals = seals_of(Written())
    other = {
        "number": 7,
        "sealed_at": NOW + timedelta(days=1),
        "heads": seals[0].heads,
        "hash": bytes(32),
    }
    seals[1] = replace(seals[1], **{field: other[field]})  # type: ignore[arg-type]

    assert OffenceKind.WRONG_SEAL in {offence.kind for offence in seal_offences(seals)}


def of_standing(**changed: object) -> Callable[[Account], Account]:
    """Change what an account says it has."""
    return lambda one: replace(one, standing=one.standing._replace(**changed))  # type: ignore[arg-type]


TRANSACTION_CHANGES = (
    of_entry(amount=usd("9.99")),
    of_entry(side=Side.CREDIT),
    of_entry(account_id=OTHER),
    of_entry(account_id="nobody"),
    of_entry(balance_after=usd("11.00")),
    of_entry(balance_after=-usd("11.00")),
    of_entry(account_sequence=2),
    of_heading(resolves_reference="p"),
    of_heading(kind=Kind.PENDING),
    lambda one: one._replace(hash=bytes(32)),
    lambda one: one._replace(entries=one.entries[::-1]),
    lambda one: one._replace(entries=one.entries * 2),
    lambda one: one._replace(entries=()),
    lambda one: one._replace(pending=one.pending[:1]),
)
ACCOUNT_CHANGES = (
    of_standing(balance=usd("1000.00")),
    of_standing(entry_count=1),
    of_standing(pending_in=usd("1.00")),
    of_standing(pending_out=Money.zero("USD")),
)


@given(st.data())
def test_it_tells_what_plain_verification_tells(data: st.DataObject) -> None:
    """Whatever was changed, dropped, repeated or put elsewhere, on transactions and accounts."""
    ledger, places = Written(), st.integers(0, len(STORY) - 1)
    order = data.draw(st.lists(places, max_size=10) | st.just(list(range(len(STORY)))))
    history = [ledger.history[place] for place in order]
    for place, change in data.draw(
        st.lists(st.tuples(places, st.sampled_from(TRANSACTION_CHANGES)), max_size=4)
    ):
        if place < len(history) and history[place].entries:
            history[place] = change(history[place])
    for name, alter in data.draw(
        st.lists(st.tuples(st.sampled_from([CLEARING, OTHER]), st.sampled_from(ACCOUNT_CHANGES)))
    ):
        ledger.accounts[name] = alter(ledger.accounts[name])

    now = {name: AccountNow(a.type, a.standing) for name, a in ledger.accounts.items()}
    verifier = Verifier(HeldAccounts(now))
    found = [offence for one in history for offence in verifier.take(one)]
    found += verifier.finish_accounts(verifier.accounts, verifier.reserved())

    plain = PlainVerifier(ledger.accounts)
    told = Counter((offence.kind, offence.subject) for offence in found)
    assert told == Counter(plain.all(history))
    walked = {name: verifier.walked.had(name) for name in verifier.walked.names()}
    assert walked == plain.walked
