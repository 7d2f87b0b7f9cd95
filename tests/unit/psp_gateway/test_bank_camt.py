"""Statements of banks: files that others wrote, and one small file for each trap."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psp_gateway.providers.bank import camt
from psp_gateway.providers.bank.statement import Balance, Direction, Kind, Status
from tests.unit.psp_gateway.bank_files import (
    OURS,
    THEIRS,
    VECTORS,
    account,
    balance,
    detail,
    document,
    entry,
    line,
    statement,
)

OLD = "camt.053.001.02"
ALL = sorted(camt.MESSAGES)


def test_a_statement_of_version_2_is_read_whole() -> None:
    """Each word of a published file is where it belongs."""
    (found,) = camt.read((VECTORS / "camt053.v2.minimal.xml").read_bytes())
    (told,) = found.lines

    assert (found.kind, found.message_id) == (Kind.STATEMENT, "CAMT053RIB000000000001")
    assert (found.statement_id, found.sequence) == ("253EURNL26VAYB8060476890", "12312")
    assert (found.account, found.currency) == ("NL26VAYB8060476890", "EUR")
    assert found.opening == Balance(Decimal("18.15"), "EUR")
    assert found.closing == Balance(Decimal("-27.00"), "SEK")
    assert (found.is_balanced, found.is_whole, found.is_copy) == (False, True, True)
    assert (told.amount, told.currency, told.direction) == (Decimal("8.85"), "EUR", "CRDT")
    assert (told.status, told.is_reversal) == (Status.BOOKED, False)
    assert (told.booked_on, told.value_on) == (date(2014, 12, 31), date(2015, 1, 2))
    assert (told.bank_transaction_code, told.creditor_reference) == ("544", "4654654654654654")
    assert told.counterparty_name == "NAME NAME"
    assert told.counterparty_iban == "NL56AGDH9619008421"  # pragma: allowlist secret


def test_several_statements_of_a_file_are_kept_apart() -> None:
    """Each has its own id, balances and entries, and what closes one opens the next (PRCD)."""
    one, other = camt.read((VECTORS / "camt053.v2.multi.statement.xml").read_bytes())

    assert one.statement_id != other.statement_id
    assert (one.is_balanced, other.is_balanced) == (True, True)
    assert one.closing == other.opening == Balance(Decimal("27.00"), "EUR")
    assert [told.end_to_end_id for told in one.lines] == ["000000001"]
    assert [told.end_to_end_id for told in other.lines] == ["000000002"]
    assert [told.remittance for told in other.lines] == ["Transaction Description 2"]


@pytest.mark.parametrize(
    ("name", "end_to_end_id", "code"),
    [
        ("camt053.v4.xml", "", "PAYM-0001-0005"),
        ("camt053.v8.xml", "MUELL/FINP/RA12345", "PMNT-RCDT-BOOK"),
    ],
)
def test_later_versions_say_the_same(name: str, end_to_end_id: str, code: str) -> None:
    """Status, party and amount lie elsewhere since version 2; a page of two proves no balance."""
    (found,) = camt.read((VECTORS / name).read_bytes())
    (told,) = found.lines

    assert (found.is_whole, found.is_balanced) == (False, None)
    assert (told.amount, told.currency) == (Decimal(0), "SEK")
    assert (told.end_to_end_id, told.bank_transaction_code) == (end_to_end_id, code)
    assert told.counterparty_name == "NAME NAME"
    assert told.account_servicer_reference == "AAAASESS-FP-CN_98765/01"


def test_a_notification_has_a_line_for_each_transaction() -> None:
    """A published batch entry of three, the sides by name inside `Pty`, in francs."""
    (found,) = camt.read((VECTORS / "camt054.v8.xml").read_bytes())
    (booked,) = found.entries

    assert (found.kind, found.opening, found.closing) == (Kind.NOTIFICATION, None, None)
    assert found.is_balanced is None
    assert [told.amount for told in booked.lines] == [Decimal(n) for n in ("3.1", "3.2", "3.2")]
    assert {told.currency for told in booked.lines} == {"CHF"}
    assert booked.lines[0].counterparty_name == "Example Creditor 3 - V1"
    assert booked.lines[2].remittance.count("block") == 2
    assert not booked.is_itemised


def test_a_report_has_an_entry_without_details() -> None:
    """The entry itself is the line then."""
    (found,) = camt.read((VECTORS / "camt052.v8.xml").read_bytes())
    (told,) = found.lines

    assert (found.kind, found.currency) == (Kind.REPORT, "SEK")
    assert (told.amount, told.direction) == (Decimal(200000), Direction.DEBIT)
    assert (told.end_to_end_id, told.counterparty_name) == ("", "")


@pytest.mark.parametrize("message", ALL)
def test_all_versions_tell_the_same_of_the_same(message: str) -> None:
    """What a small file says does not hang on the message that it came by."""
    version = message[-2:]
    own = "" if version == "02" else "10.00"
    told = line(entry("10.00", "DBIT", detail("E-1", own), version=version), message=message)

    assert (told.entry_ref, told.end_to_end_id, told.amount) == ("7", "E-1", Decimal(10))
    assert (told.currency, told.direction, told.status) == ("EUR", "DBIT", Status.BOOKED)
    assert told.value_on == date(2026, 11, 24)  # by the bank's clock
    assert (told.account_servicer_reference, told.bank_transaction_code) == ("B-1", "166")


@pytest.mark.parametrize(
    ("closing", "side", "is_balanced"),
    [("95.00", "CRDT", True), ("95.01", "CRDT", False), ("95.00", "DBIT", False)],
)
def test_opening_and_booked_entries_make_closing(
    closing: str, side: str, is_balanced: bool
) -> None:
    """Credits add, debits take; what is pending, foreseen or told has moved nothing."""
    found = statement(
        balance("OPBD", "100.00"),
        balance("CLBD", closing, side),
        entry("10.00", "DBIT"),
        entry("5.00", "CRDT"),
        entry("70.00", "DBIT", status="PDNG"),
        entry("80.00", "DBIT", status="INFO"),
        entry("90.00", "DBIT", status="FUTR"),
        entry("90.00", "DBIT", status="ABCD"),
    )

    assert found.is_balanced is is_balanced
    assert [booked.status.value for booked in found.entries][2:] == [
        "PDNG",
        "INFO",
        "FUTR",
        "OTHER",
    ]


def test_an_account_can_owe() -> None:
    """A debit balance is below zero."""
    found = statement(
        balance("OPBD", "100.00", "DBIT"), balance("CLBD", "110.00", "DBIT"), entry("10.00", "DBIT")
    )

    assert found.opening == Balance(Decimal(-100), "EUR")
    assert found.is_balanced is True


def test_amounts_have_five_decimals_and_add_up_exactly() -> None:
    """What no binary fraction can hold is kept."""
    found = statement(
        balance("OPBD", "0.00001"),
        balance("CLBD", "9999999999999.00003"),
        entry("9999999999999.00001", "CRDT"),
        entry("0.00001", "CRDT"),
    )

    assert found.is_balanced is True


sides = st.sampled_from(["CRDT", "DBIT"])
units = st.integers(min_value=0, max_value=10**12)


@given(units, st.lists(st.tuples(units, sides), max_size=8), st.integers(min_value=-1, max_value=1))
def test_any_statement_is_balanced_to_the_last_decimal(
    opening: int, moves: list[tuple[int, str]], slip: int
) -> None:
    """It adds up or is wrong by the hundred-thousandth part of a euro."""
    closing = opening + sum(n if side == "CRDT" else -n for n, side in moves) + slip
    found = statement(
        balance("OPBD", f"{Decimal(opening).scaleb(-5):f}"),
        balance("CLBD", f"{Decimal(abs(closing)).scaleb(-5):f}", "DBIT" if closing < 0 else "CRDT"),
        *(entry(f"{Decimal(n).scaleb(-5):f}", side) for n, side in moves),
    )

    assert found.is_balanced is (slip == 0)


@pytest.mark.parametrize("present", ["OPBD", "CLBD"])
def test_without_a_balance_nothing_is_said(present: str) -> None:
    """One balance proves nothing, and disproves nothing."""
    assert statement(balance(present, "10.00"), entry()).is_balanced is None


def test_the_opening_balance_goes_before_the_previous_closing_one() -> None:
    """A file can have both; interim ones count as neither."""
    found = statement(
        balance("PRCD", "7.00"),
        balance("ITBD", "8.00"),
        balance("OPBD", "9.00"),
        balance("CLBD", "9.00"),
    )

    assert found.opening == Balance(Decimal("9.00"), "EUR")
    assert statement(balance("PRCD", "7.00")).opening == Balance(Decimal("7.00"), "EUR")


def test_a_balance_in_the_accounts_currency_is_preferred() -> None:
    """Banks repeat balances in a currency of their own."""
    found = statement(
        balance("OPBD", "9.00", currency="CHF"), balance("OPBD", "8.00"), balance("CLBD", "8.00")
    )

    assert found.opening == Balance(Decimal("8.00"), "EUR")
    assert found.is_balanced is True


def test_an_entry_in_another_currency_does_not_add_up() -> None:
    """Francs and euros are not summed, though the figures would fit."""
    found = statement(
        balance("OPBD", "0.00"), balance("CLBD", "10.00"), entry("10.00", "CRDT", currency="CHF")
    )

    assert found.is_balanced is False


@pytest.mark.parametrize(
    ("number", "is_last", "is_whole"),
    [("1", "true", True), ("1", "1", True), ("1", "false", False), ("2", "true", False)],
)
def test_a_page_of_several_proves_nothing(number: str, is_last: str, is_whole: bool) -> None:
    """The balances of a page are those of all pages."""
    pages = f"<StmtPgntn><PgNb>{number}</PgNb><LastPgInd>{is_last}</LastPgInd></StmtPgntn>"
    found = statement(balance("OPBD", "1"), balance("CLBD", "1"), head=pages)

    assert found.is_whole is is_whole
    assert found.is_balanced is (True if is_whole else None)


def test_pages_of_a_file_are_pages_too() -> None:
    """In version 2 the header counts them."""
    pages = b"<MsgPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></MsgPgntn></GrpHdr>"
    content = document(account(balance("OPBD", "1"), balance("CLBD", "1")), message=OLD)
    (found,) = camt.read(content.replace(b"</GrpHdr>", pages))

    assert found.is_balanced is None


def test_a_batch_entry_is_its_transactions() -> None:
    """Over several details, and several blocks of them, each has its own id and amount."""
    blocks = detail("E-1", "4.00") + detail("E-2", "5.00") + "</NtryDtls><NtryDtls>"
    (booked,) = statement(entry("10.00", "DBIT", blocks, detail("E-3", "1.00"))).entries

    assert [told.end_to_end_id for told in booked.lines] == ["E-1", "E-2", "E-3"]
    assert [told.amount for told in booked.lines] == [Decimal(4), Decimal(5), Decimal(1)]
    assert booked.is_itemised


def test_charges_stand_between_an_entry_and_its_transactions() -> None:
    """The entry moves the balance; the lines say what was paid."""
    (booked,) = statement(entry("9.50", "CRDT", detail("E-1", "10.00", "CRDT"))).entries

    assert booked.amount == Decimal("9.50")
    assert booked.lines[0].amount == Decimal("10.00")
    assert not booked.is_itemised


def test_a_batch_whose_parts_have_no_amounts_does_not_guess() -> None:
    """Version 2 can leave them out: only of a single one it is known."""
    (batch,) = statement(
        entry("10.00", "DBIT", detail("E-1"), detail("E-2"), version="02"), message=OLD
    ).entries
    told = line(entry("10.00", "DBIT", detail("E-1"), version="02"), message=OLD)

    assert [part.amount for part in batch.lines] == [None, None]
    assert not batch.is_itemised
    assert told.amount == Decimal("10.00")


def test_version_2_has_the_amount_of_a_part_in_its_details() -> None:
    """`TxAmt` is what is booked of it, `InstdAmt` what was ordered."""
    amounts = (
        '<AmtDtls><InstdAmt><Amt Ccy="USD">5.00</Amt></InstdAmt>'
        '<TxAmt><Amt Ccy="EUR">4.00</Amt></TxAmt></AmtDtls>'
    )
    parts = [detail("E-1", more=amounts), detail("E-2", more=amounts)]
    (booked,) = statement(entry("8.00", "DBIT", *parts, version="02"), message=OLD).entries

    assert [part.amount for part in booked.lines] == [Decimal(4), Decimal(4)]
    assert booked.lines[0].instructed == Balance(Decimal(5), "USD")
    assert booked.is_itemised


@pytest.mark.parametrize(
    ("text", "is_reversal"),
    [("true", True), ("1", True), ("false", False), ("0", False), ("", False)],
)
def test_a_reversal_is_told_beside_its_direction(text: str, is_reversal: bool) -> None:
    """A credit that reverses is still a credit: the balance went up."""
    found = statement(
        balance("OPBD", "0"), balance("CLBD", "10.00"), entry("10.00", "CRDT", reversal=text)
    )
    (told,) = found.lines

    assert (told.is_reversal, told.direction) == (is_reversal, Direction.CREDIT)
    assert found.is_balanced is True


def test_the_other_side_is_never_ourselves() -> None:
    """What comes back is a credit that still names us as debtor."""
    sides = (
        f"<RltdPties><Dbtr><Pty><Nm>We</Nm></Pty></Dbtr><DbtrAcct><Id><IBAN>{OURS}</IBAN></Id>"
        f"</DbtrAcct><Cdtr><Pty><Nm>They</Nm></Pty></Cdtr><CdtrAcct><Id><IBAN>{THEIRS}</IBAN></Id>"
        "</CdtrAcct></RltdPties>"
    )
    for direction in ("CRDT", "DBIT"):
        told = line(entry("1.00", direction, detail("E-1", "1.00", direction, more=sides)))
        assert (told.counterparty_name, told.counterparty_iban) == ("They", THEIRS)


def test_a_return_has_its_code() -> None:
    """An ISO 20022 code, else the bank's own."""
    for kind in ("Cd", "Prtry"):
        why = f"<RtrInf><Rsn><{kind}>AC04</{kind}></Rsn></RtrInf>"
        told = line(entry("1.00", "CRDT", detail("E-1", "1.00", "CRDT", more=why)))
        assert told.return_code == "AC04"


def test_the_banks_word_for_no_id_is_no_id() -> None:
    """NOTPROVIDED stands where the orderer gave none."""
    assert line(entry("1.00", "CRDT", detail("NOTPROVIDED", "1.00", "CRDT"))).end_to_end_id == ""


def test_nothing_personal_is_in_a_repr() -> None:
    """A line can be logged."""
    (told,) = camt.read((VECTORS / "camt053.v2.minimal.xml").read_bytes())[0].lines

    assert "NAME NAME" not in repr(told)
    assert "NL56" not in repr(told)


def test_a_transaction_speaks_before_its_entry() -> None:
    """Its own reference, code and direction; the entry's where it has none."""
    own = (
        "<TxDtls><Refs><AcctSvcrRef>T-1</AcctSvcrRef><EndToEndId>E-1</EndToEndId></Refs>"
        '<Amt Ccy="EUR">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
        "<BkTxCd><Prtry><Cd>159</Cd></Prtry></BkTxCd></TxDtls>"
    )
    (booked,) = statement(entry("1.00", "DBIT", own, detail("E-2", "2.00"))).entries
    one, other = booked.lines

    assert (one.account_servicer_reference, one.bank_transaction_code) == ("T-1", "159")
    assert (other.account_servicer_reference, other.bank_transaction_code) == ("B-1", "166")
    assert (one.direction, other.direction) == (Direction.CREDIT, Direction.DEBIT)
    assert booked.is_itemised  # a euro came and two went


def test_what_was_ordered_can_stand_in_the_entry() -> None:
    """Of a single transaction it is what was ordered of it; of several it is not known of which."""
    ordered = '<AmtDtls><InstdAmt><Amt Ccy="USD">5.00</Amt></InstdAmt></AmtDtls>'
    (batch,) = statement(
        entry("2.00", "DBIT", detail("E-1", "1.00"), detail("E-2", "1.00"), more=ordered)
    ).entries

    assert line(entry("1.00", "DBIT", detail("E-1", "1.00"), more=ordered)).instructed == Balance(
        Decimal(5), "USD"
    )
    assert [part.instructed for part in batch.lines] == [None, None]


def test_francs_do_not_itemise_euros() -> None:
    """Though the figures are the same."""
    francs = detail("E-1", "1.00").replace('Ccy="EUR"', 'Ccy="CHF"')
    (booked,) = statement(entry("1.00", "DBIT", francs)).entries

    assert not booked.is_itemised


def test_a_whole_statement_in_one_page_of_a_file_proves_nothing() -> None:
    """The rest of it may be in the file's next page."""
    page = "<PgNb>1</PgNb><LastPgInd>{}</LastPgInd>"
    head = f"<StmtPgntn>{page.format('true')}</StmtPgntn>"
    content = document(account(balance("OPBD", "1"), balance("CLBD", "1"), head=head))
    pages = f"<MsgPgntn>{page.format('false')}</MsgPgntn></GrpHdr>".encode()

    assert camt.read(content)[0].is_balanced is True
    assert camt.read(content.replace(b"</GrpHdr>", pages))[0].is_balanced is None
