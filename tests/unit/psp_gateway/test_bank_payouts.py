"""From an order to what became of it: files that go out, statements that come back."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.domain.attempt import Method, Outcome, Stage
from psp_gateway.domain.capabilities import Captures
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.bank import camt
from psp_gateway.providers.bank.provider import BankPayouts, Match, OtherAccount
from psp_gateway.providers.bank.returns import REASONS, reason_of
from psp_gateway.providers.bank.transfers import Debtor, Unfit
from tests.unit.psp_gateway.bank_files import (
    DEBTOR,
    OURS,
    THEIRS,
    account,
    batch,
    detail,
    document,
    entry,
    statement,
    transfer,
)

PAYOUTS = BankPayouts(DEBTOR)
OURS_ID = transfer().end_to_end_id


def paid(amount: str = "10.00", side: str = "DBIT", *, more: str = "", **said: str) -> str:
    """Write an entry about the transfer att_1."""
    return entry(amount, side, detail(OURS_ID, amount, side, more=more), **said)


def told(*entries: str, message: str = "camt.053.001.08") -> Match:
    """Read what a statement of these entries says of att_1, ordered as 10.00 EUR."""
    (match,) = PAYOUTS.outcomes(statement(*entries, message=message), [transfer()])
    return match


def test_what_a_bank_can_do() -> None:
    """It pays out by transfer, and cannot be asked."""
    capabilities = PAYOUTS.capabilities

    assert capabilities.psp == "bank"
    assert capabilities.methods == {Method.BANK_TRANSFER}
    assert (capabilities.payouts, capabilities.refunds, capabilities.can_look_up) == (
        True,
        False,
        False,
    )
    assert (capabilities.first_stage, capabilities.captures) == (Stage.CONFIRM, Captures.NEVER)


def test_a_file_has_a_name_and_a_hash() -> None:
    """Both are of its content alone: the same batch can be handed over again and be known."""
    file = PAYOUTS.submit(batch(transfer()))

    assert file == PAYOUTS.submit(batch(transfer()))
    assert file.name == "pain.001.001.09-M-1.xml"
    assert file.sha256 == sha256(file.content).hexdigest()
    assert THEIRS not in repr(file)


def test_a_debtor_that_no_bank_takes_is_refused_at_once() -> None:
    """Not with the first batch."""
    with pytest.raises(Unfit, match="iban"):
        BankPayouts(Debtor("We", "DE00", "DEUTDEFF"))


@pytest.mark.parametrize("message", ["camt.053.001.08", "camt.052.001.08", "camt.054.001.08"])
def test_a_booked_debit_is_a_success(message: str) -> None:
    """Whichever message says so, with the bank's own id of it."""
    match = told(paid(), message=message)

    assert match.verdict.outcome is Outcome.SUCCEEDED
    assert (match.attempt_id, match.is_returned) == ("att_1", False)
    assert (match.verdict.reference, match.verdict.trace) == ("B-1", f"{message[:8]} S-1 7")


@pytest.mark.parametrize("status", ["PDNG", "FUTR"])
def test_what_is_not_booked_is_pending(status: str) -> None:
    """It can still be refused; once it is booked the rest does not count."""
    match = told(paid(status=status))
    both = told(paid(status=status), paid())

    assert (match.verdict.outcome, match.verdict.reference) == (Outcome.PENDING, "B-1")
    assert both.verdict.outcome is Outcome.SUCCEEDED
    assert len(both.lines) == 1


@pytest.mark.parametrize("status", ["INFO", "XXXX"])
def test_what_is_only_told_says_nothing(status: str) -> None:
    """Nor does a code of the bank's own."""
    assert PAYOUTS.outcomes(statement(paid(status=status)), [transfer()]) == []


@pytest.mark.parametrize(
    "entries",
    [
        [paid(side="CRDT", reversal="true")],
        [paid(side="CRDT")],
        [paid(), paid(side="CRDT", reversal="true")],
        [paid(side="CRDT"), paid()],
    ],
    ids=["reversed", "credited", "paid and reversed", "credited and paid"],
)
def test_what_comes_back_is_declined(entries: list[str]) -> None:
    """By a reversal or a credit with our id, with the debit or days after it."""
    match = told(*entries)

    assert match.verdict.outcome is Outcome.DECLINED
    assert match.verdict.reason is Reason.PSP_CANCELLED
    assert match.verdict.psp_code == "166"
    assert match.is_returned


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("AC04", Reason.PAYMENT_METHOD_INVALID),
        ("FRAD", Reason.SUSPECTED_FRAUD),
        ("RR04", Reason.PSP_CANCELLED),
        ("ZZ99", Reason.PSP_CANCELLED),  # not in the table
    ],
)
def test_a_return_says_why(code: str, reason: Reason) -> None:
    """The bank's code is kept as it is; ours is from the table."""
    why = f"<RtrInf><Rsn><Cd>{code}</Cd></Rsn></RtrInf>"
    verdict = told(paid(side="CRDT", more=why)).verdict

    assert (verdict.psp_code, verdict.reason) == (code, reason)


@pytest.mark.parametrize(
    "entries",
    [
        [paid("9.99")],
        [paid("10.01", "CRDT")],
        [paid(), paid("9.00", "CRDT")],
        [paid(), paid()],
        [paid(side="CRDT"), paid(side="CRDT")],
        [paid(reversal="true")],
        [paid(), paid(), paid(side="CRDT")],
        [paid().replace('Ccy="EUR"', 'Ccy="CHF"')],
    ],
    ids=[
        "too little", "too much back", "less back than paid", "paid twice", "back twice",
        "a reversed credit", "paid twice, back once", "another currency",
    ],
)  # fmt: skip
def test_what_must_not_be_is_for_a_person(entries: list[str]) -> None:
    """Neither success nor failure is said of another amount, nor of one that moved twice."""
    verdict = told(*entries).verdict

    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.is_alarm
    assert verdict.reason is Reason.AMOUNT_MISMATCH


def test_a_part_without_an_amount_is_for_a_person() -> None:
    """A batch of version 2 that does not say what its parts are proves nothing of ours."""
    parts = entry("20.00", "DBIT", detail(OURS_ID), detail("E-2"), version="02")

    assert told(parts, message="camt.053.001.02").verdict.is_alarm


@pytest.mark.parametrize(("ordered", "is_success"), [("1500", True), ("1501", False)])
def test_an_order_in_another_currency_is_known_by_what_was_ordered(
    ordered: str, is_success: bool
) -> None:
    """The account is in euros: the bank repeats the yen that were ordered, or it is an alarm."""
    asked = transfer(amount="1500", currency="JPY")
    amounts = f'<AmtDtls><InstdAmt><Amt Ccy="JPY">{ordered}</Amt></InstdAmt></AmtDtls>'
    (match,) = PAYOUTS.outcomes(statement(paid("9.30", more=amounts)), [asked])

    assert (match.verdict.outcome is Outcome.SUCCEEDED) is is_success
    assert match.verdict.is_alarm is not is_success


def test_a_batch_entry_tells_of_each_of_its_transfers() -> None:
    """In the order that was asked in; of what is not there nothing is said."""
    asked = [transfer(f"att_{n}", f"{n}.00") for n in range(1, 5)]
    parts = [
        detail(asked[2].end_to_end_id, "3.00"),
        detail(asked[0].end_to_end_id, "1.00"),
        detail("E-9", "6.00"),
    ]
    matches = PAYOUTS.outcomes(statement(entry("10.00", "DBIT", *parts)), asked)

    assert [match.attempt_id for match in matches] == ["att_1", "att_3"]
    assert {match.verdict.outcome for match in matches} == {Outcome.SUCCEEDED}


def test_a_statement_of_another_account_is_refused() -> None:
    """Whoever is paid by us knows our id, and could write it on a transfer to elsewhere."""
    (other,) = camt.read(document(account(paid(), number=THEIRS)))

    with pytest.raises(OtherAccount):
        PAYOUTS.outcomes(other, [transfer()])
    named = BankPayouts(DEBTOR, account_numbers=[THEIRS])
    assert named.outcomes(other, [transfer()])[0].verdict.outcome is Outcome.SUCCEEDED


def test_the_debtors_iban_may_be_written_in_groups() -> None:
    """It is the same account."""
    spaced = replace(DEBTOR, iban=" ".join([OURS[:4], OURS[4:]]))

    assert BankPayouts(spaced).outcomes(statement(paid()), [transfer()])


@given(st.lists(st.sampled_from(["DBIT", "CRDT"]), min_size=1, max_size=4))
def test_success_is_said_of_one_debit_alone(sides: list[str]) -> None:
    """However often the money went to and fro."""
    outcome = told(*(paid(side=side) for side in sides)).verdict.outcome

    assert (outcome is Outcome.SUCCEEDED) is (sides == ["DBIT"])
    assert (outcome is Outcome.DECLINED) is (sorted(sides) in (["CRDT"], ["CRDT", "DBIT"]))


def test_what_is_submitted_is_what_comes_back() -> None:
    """The id in the file is the id that the statement is matched by."""
    asked = transfer("att_77", "12.34")
    content = PAYOUTS.submit(batch(asked)).content.decode()
    sent = content.split("<EndToEndId>")[1].split("<")[0]
    (match,) = PAYOUTS.outcomes(statement(entry("12.34", "DBIT", detail(sent, "12.34"))), [asked])

    assert match.verdict.outcome is Outcome.SUCCEEDED
    assert asked.amount == Money.parse("12.34", "EUR")


def test_each_code_has_four_characters_and_a_reason() -> None:
    """As the external code set has them."""
    assert all(len(code) == 4 and code.isupper() for code in REASONS)
    assert reason_of("") is Reason.PSP_CANCELLED
