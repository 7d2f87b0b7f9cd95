"""Reads what banks say of accounts: camt.053, camt.052 and camt.054 of ISO 20022."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from lxml import etree

from psp_gateway.providers.bank import schemas
from psp_gateway.providers.bank.schemas import UnreadableFile
from psp_gateway.providers.bank.statement import (
    Balance,
    Direction,
    Entry,
    Kind,
    Line,
    Statement,
    Status,
)

# The message's element, and that of one account in it.
_SHAPES: Mapping[Kind, tuple[str, str]] = {
    Kind.STATEMENT: ("BkToCstmrStmt", "Stmt"),
    Kind.REPORT: ("BkToCstmrAcctRpt", "Rpt"),
    Kind.NOTIFICATION: ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
MESSAGES = frozenset(
    {
        "camt.053.001.02",
        "camt.053.001.04",
        "camt.053.001.08",
        "camt.052.001.08",
        "camt.054.001.08",
    }
)
# External code set ExternalBalanceType1Code. What closed the day before opens this one.
_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)
_NO_ID = "NOTPROVIDED"  # European Payments Council, EPC115-06: where the orderer gave none
_COPIES = frozenset({"DUPL", "CODU"})  # CopyDuplicate1Code
_DATE_LENGTH = 10  # an offset or a time may follow


def read(content: bytes) -> tuple[Statement, ...]:
    """Read all accounts of a file, in its order.

    It takes about 50 ms for each MB, and never waits: on an event loop, read in a thread.

    Raises:
        UnreadableFile: nothing of it is to be believed; see `schemas.read`.
    """
    message = schemas.message_of(content)
    if message not in MESSAGES:
        raise UnreadableFile("it is no camt message that is read here")
    root = schemas.read(content, message)
    kind = Kind(message[: len("camt.053")])
    body, account = _SHAPES[kind]
    message_id = _text(root, f"{body}/GrpHdr/MsgId")
    return tuple(_statement(found, kind, message_id) for found in _all(root, f"{body}/{account}"))


def _statement(found: etree._Element, kind: Kind, message_id: str) -> Statement:
    account = _text(found, "Acct/Id/IBAN") or _text(found, "Acct/Id/Othr/Id")
    entries = tuple(_entry(entry, account) for entry in _all(found, "Ntry"))
    currency = _text(found, "Acct/Ccy")
    opening = _balance(found, _OPENING, currency)
    closing = _balance(found, _CLOSING, currency or (opening.currency if opening else ""))
    known = [
        *(balance.currency for balance in (opening, closing) if balance),
        *_currencies(entries),
    ]
    return Statement(
        kind=kind,
        message_id=message_id,
        statement_id=_text(found, "Id"),
        sequence=_text(found, "ElctrncSeqNb"),
        account=account,
        currency=currency or next(iter(known), ""),
        opening=opening,
        closing=closing,
        is_whole=_is_whole(found),
        is_copy=_text(found, "CpyDplctInd") in _COPIES,
        entries=entries,
    )


def _currencies(entries: tuple[Entry, ...]) -> Iterator[str]:
    return (entry.currency for entry in entries)


def _is_whole(found: etree._Element) -> bool:
    """Whether it is not a page of several: `MsgPgntn` of old messages, `StmtPgntn` and so on."""
    pages = [*_all(found, "StmtPgntn"), *_all(found, "RptPgntn"), *_all(found, "NtfctnPgntn")]
    header = found.getparent()
    if header is not None:
        pages += _all(header, "GrpHdr/MsgPgntn")
    return all(
        int(_text(page, "PgNb")) == 1 and _is_true(_text(page, "LastPgInd")) for page in pages
    )


def _balance(found: etree._Element, codes: tuple[str, ...], currency: str) -> Balance | None:
    """Find the balance of the first code that there is, in the account's currency if it can be."""
    balances = [
        (codes.index(code), _amount(balance, signed=True))
        for balance in _all(found, "Bal")
        if (code := _text(balance, "Tp/CdOrPrtry/Cd")) in codes
    ]
    ranked = sorted(balances, key=lambda ranked: (ranked[1].currency != currency, ranked[0]))
    return ranked[0][1] if ranked else None


def _entry(found: etree._Element, account: str) -> Entry:
    booked = _amount(found, signed=True)
    details = _all(found, "NtryDtls/TxDtls")
    is_only = len(details) == 1
    lines = [_line(found, detail, account, is_only=is_only) for detail in details]
    return Entry(
        amount=booked.amount,
        currency=booked.currency,
        status=_status(found),
        lines=tuple(lines) or (_line(found, found, account, is_only=True),),
    )


def _line(entry: etree._Element, detail: etree._Element, account: str, *, is_only: bool) -> Line:
    direction = Direction(_text(detail, "CdtDbtInd") or _text(entry, "CdtDbtInd"))
    amount = _detail_amount(detail) or (_amount(entry) if is_only else None)
    end_to_end_id = _text(detail, "Refs/EndToEndId")
    name, iban = _counterparty(detail, direction, account)
    return Line(
        entry_ref=_text(entry, "NtryRef"),
        amount=amount.amount if amount else None,
        currency=amount.currency if amount else _amount(entry).currency,
        direction=direction,
        is_reversal=_is_true(_text(entry, "RvslInd")),
        status=_status(entry),
        booked_on=_date(entry, "BookgDt"),
        value_on=_date(entry, "ValDt"),
        end_to_end_id="" if end_to_end_id == _NO_ID else end_to_end_id,
        account_servicer_reference=_text(detail, "Refs/AcctSvcrRef") or _text(entry, "AcctSvcrRef"),
        bank_transaction_code=_code(detail) or _code(entry),
        remittance=" ".join(_texts(detail, "RmtInf/Ustrd")),
        creditor_reference=next(iter(_texts(detail, "RmtInf/Strd/CdtrRefInf/Ref")), ""),
        counterparty_name=name,
        counterparty_iban=iban,
        return_code=_text(detail, "RtrInf/Rsn/Cd") or _text(detail, "RtrInf/Rsn/Prtry"),
        instructed=_instructed(detail) or (_instructed(entry) if is_only else None),
    )


def _detail_amount(detail: etree._Element) -> Balance | None:
    """Read what is of this detail: `Amt` since version 3, `TxAmt` before."""
    parents = [parent for parent in (detail, *_all(detail, "AmtDtls/TxAmt")) if _all(parent, "Amt")]
    return _amount(parents[0]) if parents else None


def _instructed(detail: etree._Element) -> Balance | None:
    found = _all(detail, "AmtDtls/InstdAmt")
    return _amount(found[0]) if found else None


def _counterparty(detail: etree._Element, direction: Direction, account: str) -> tuple[str, str]:
    """Tell the other side. What comes back names the sides of the order, so that the one whose
    account this is cannot be told by the direction alone.
    """
    sides = ["Dbtr", "Cdtr"] if direction is Direction.CREDIT else ["Cdtr", "Dbtr"]
    ibans = [_text(detail, f"RltdPties/{side}Acct/Id/IBAN") for side in sides]
    if ibans[0] == account != ibans[1]:
        sides.reverse()
        ibans.reverse()
    party = f"RltdPties/{sides[0]}"
    return _text(detail, f"{party}/Pty/Nm") or _text(detail, f"{party}/Nm"), ibans[0]


def _status(entry: etree._Element) -> Status:
    """Read `Sts`, a code until version 4, and one in `Cd` since."""
    code = _text(entry, "Sts/Cd") or _text(entry, "Sts")
    return Status(code) if code in set(Status) else Status.OTHER


def _code(found: etree._Element) -> str:
    domain = "BkTxCd/Domn"
    parts = [f"{domain}/Cd", f"{domain}/Fmly/Cd", f"{domain}/Fmly/SubFmlyCd"]
    return "-".join(filter(None, (_text(found, part) for part in parts))) or _text(
        found, "BkTxCd/Prtry/Cd"
    )


def _amount(found: etree._Element, *, signed: bool = False) -> Balance:
    """Read the `Amt` of an element; signed by its `CdtDbtInd` if wanted."""
    (amount,) = _all(found, "Amt")
    value = Decimal((amount.text or "").strip())
    if signed and _text(found, "CdtDbtInd") == Direction.DEBIT:
        value = -value
    return Balance(value, str(amount.get("Ccy")))


def _date(found: etree._Element, name: str) -> date | None:
    """Read the day by the bank's own clock.

    Raises:
        UnreadableFile: a year that XML Schema has and we do not.
    """
    text = _text(found, f"{name}/Dt") or _text(found, f"{name}/DtTm")
    if not text:
        return None
    try:
        return date.fromisoformat(text[:_DATE_LENGTH])
    except ValueError:
        raise UnreadableFile(f"{name} is out of our calendar") from None


def _is_true(text: str) -> bool:
    return text in ("true", "1")


def _all(found: etree._Element, path: str) -> list[etree._Element]:
    """List the elements at a path, all in the namespace of the one that it begins at."""
    namespace = etree.QName(found).namespace
    return found.findall("/".join(f"{{{namespace}}}{name}" for name in path.split("/")))


def _texts(found: etree._Element, path: str) -> list[str]:
    return [(element.text or "").strip() for element in _all(found, path)]


def _text(found: etree._Element, path: str) -> str:
    """Read the first text at a path; empty when there is none."""
    return next(iter(_texts(found, path)), "")
