"""The bank's statement: camt.053.001.08 of ISO 20022, one file a day, one `Stmt` an account."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from lxml import etree

from devstack.sandbox.settlement.bank import AccountDay, Posting, iban_of

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_OWNER = "Paymesh Sandbox Shop"
_BIC = "SBOXGB2LXXX"


def file_name(day: date) -> str:
    """Name the file of a day."""
    return f"camt053_{day:%Y%m%d}.xml"


def document(day: date, accounts: Sequence[AccountDay]) -> bytes:
    """Write the file of a day."""
    root = etree.Element(_name("Document"), nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    body = _add(root, "BkToCstmrStmt")
    made = datetime(day.year, day.month, day.day, 5, tzinfo=UTC) + timedelta(1)
    header = _add(body, "GrpHdr")
    _text(header, "MsgId", f"SBOX-STMT-{day:%Y%m%d}")
    _text(header, "CreDtTm", made.isoformat())
    _text(header, "MsgPgntn/PgNb", "1")
    _text(header, "MsgPgntn/LastPgInd", "true")
    for account in accounts:
        _statement(_add(body, "Stmt"), account, made)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _statement(found: etree._Element, account: AccountDay, made: datetime) -> None:
    _text(found, "Id", f"{account.currency}-{account.day:%Y%m%d}")
    _text(found, "ElctrncSeqNb", str(account.number))
    _text(found, "CreDtTm", made.isoformat())
    _text(found, "FrToDt/FrDtTm", f"{account.day}T00:00:00+00:00")
    _text(found, "FrToDt/ToDtTm", f"{account.day + timedelta(1)}T00:00:00+00:00")
    _text(found, "Acct/Id/IBAN", iban_of(account.currency))
    _text(found, "Acct/Ccy", account.currency)
    _text(found, "Acct/Ownr/Nm", _OWNER)
    _text(found, "Acct/Svcr/FinInstnId/BICFI", _BIC)
    for code, balance in (("OPBD", account.opening), ("CLBD", account.closing)):
        told = _add(found, "Bal")
        _text(told, "Tp/CdOrPrtry/Cd", code)
        _amount(told, balance, account.currency)
        _text(told, "Dt/Dt", account.day.isoformat())
    for posting in account.postings:
        _entry(_add(found, "Ntry"), posting, account)


def _entry(found: etree._Element, posting: Posting, account: AccountDay) -> None:
    is_credit = posting.amount > 0
    _text(found, "NtryRef", posting.reference)
    _amount(found, posting.amount, account.currency)
    _text(found, "Sts/Cd", "BOOK")
    _text(found, "BookgDt/Dt", account.day.isoformat())
    _text(found, "ValDt/Dt", account.day.isoformat())
    _text(found, "AcctSvcrRef", posting.reference)
    _text(found, "BkTxCd/Domn/Cd", "PMNT")
    _text(found, "BkTxCd/Domn/Fmly/Cd", "RCDT" if is_credit else "ICDT")
    _text(found, "BkTxCd/Domn/Fmly/SubFmlyCd", "RRTN" if posting.is_return else "ESCT")
    _details(_add(_add(found, "NtryDtls"), "TxDtls"), posting, account)


def _details(found: etree._Element, posting: Posting, account: AccountDay) -> None:
    is_credit = posting.amount > 0
    _text(found, "Refs/AcctSvcrRef", posting.reference)
    _text(found, "Refs/EndToEndId", posting.end_to_end_id or "NOTPROVIDED")
    _amount(found, posting.amount, account.currency)
    if posting.counterparty:
        # Who sent it back is the creditor of the transfer still.
        side = "Dbtr" if is_credit and not posting.is_return else "Cdtr"
        _text(found, f"RltdPties/{side}/Pty/Nm", posting.counterparty)
    if posting.remittance:
        _text(found, "RmtInf/Ustrd", posting.remittance)
    if posting.is_return:
        _text(found, "RtrInf/Rsn/Cd", "AC04")


def _amount(found: etree._Element, amount: Decimal, currency: str) -> None:
    amounts = _add(found, "Amt")
    amounts.set("Ccy", currency)
    amounts.text = f"{abs(amount):f}"
    _text(found, "CdtDbtInd", "DBIT" if amount < 0 else "CRDT")


def _text(found: etree._Element, path: str, text: str) -> None:
    """Write a text at a path below an element; the steps that are there last are gone on with."""
    *steps, name = path.split("/")
    for step in steps:
        last = found[-1] if len(found) else None
        found = last if last is not None and last.tag == _name(step) else _add(found, step)
    _add(found, name).text = text


def _add(found: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(found, _name(name))


def _name(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
