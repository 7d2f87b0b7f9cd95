"""Small camt files of all versions, made for one trap each, and orders to go with them."""

from datetime import UTC, date, datetime
from pathlib import Path

from chassis.money import Money
from psp_gateway.providers.bank import camt
from psp_gateway.providers.bank.schemas import NAMESPACE
from psp_gateway.providers.bank.statement import Line, Statement
from psp_gateway.providers.bank.transfers import Batch, CreditTransfer, Debtor

VECTORS = Path(__file__).parent / "vectors" / "iso20022"
OURS = "DE75512108001245126199"  # pragma: allowlist secret
THEIRS = "GB82WEST12345698765432"  # pragma: allowlist secret
DEBTOR = Debtor("Paymesh SARL", OURS, "DEUTDEFFXXX")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

_SHAPES = {
    "camt.053": ("BkToCstmrStmt", "Stmt"),
    "camt.052": ("BkToCstmrAcctRpt", "Rpt"),
    "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}


def transfer(
    attempt_id: str = "att_1", amount: str = "10.00", currency: str = "EUR"
) -> CreditTransfer:
    """Order an amount to be paid to THEIRS."""
    money = Money.parse(amount, currency)
    return CreditTransfer(attempt_id, money, "Jo Doe", THEIRS, "WESTGB2L", "Invoice 1")


def batch(*transfers: CreditTransfer) -> Batch:
    """Order them together, to be executed on the next day."""
    return Batch("M-1", NOW, date(2026, 11, 24), transfers)


def balance(code: str, amount: str, side: str = "CRDT", currency: str = "EUR") -> str:
    """Write a balance."""
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>'
        "<Dt><Dt>2026-11-23</Dt></Dt></Bal>"
    )


def entry(
    amount: str = "10.00",
    side: str = "DBIT",
    *details: str,
    status: str = "BOOK",
    reversal: str = "",
    currency: str = "EUR",
    version: str = "08",
    more: str = "",
) -> str:
    """Write an entry; `details` are its transactions, `more` its amounts as ordered."""
    sts = f"<Sts><Cd>{status}</Cd></Sts>" if version == "08" else f"<Sts>{status}</Sts>"
    inside = f"<NtryDtls>{''.join(details)}</NtryDtls>" if details else ""
    turned = f"<RvslInd>{reversal}</RvslInd>" if reversal else ""
    return (
        f'<Ntry><NtryRef>7</NtryRef><Amt Ccy="{currency}">{amount}</Amt>'
        f"<CdtDbtInd>{side}</CdtDbtInd>{turned}{sts}<BookgDt><Dt>2026-11-23</Dt></BookgDt>"
        "<ValDt><DtTm>2026-11-24T01:00:00+02:00</DtTm></ValDt><AcctSvcrRef>B-1</AcctSvcrRef>"
        f"<BkTxCd><Prtry><Cd>166</Cd></Prtry></BkTxCd>{more}{inside}</Ntry>"
    )


def detail(end_to_end_id: str, amount: str = "", side: str = "DBIT", *, more: str = "") -> str:
    """Write a transaction of an entry; without an amount as version 2 can have it."""
    own = f'<Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>' if amount else ""
    return f"<TxDtls><Refs><EndToEndId>{end_to_end_id}</EndToEndId></Refs>{own}{more}</TxDtls>"


def account(
    *parts: str, statement_id: str = "S-1", number: str = OURS, shape: str = "Stmt", head: str = ""
) -> str:
    """Write what is of one account; `head` stands between its id and its time."""
    if shape == "Stmt" and not any("<Bal>" in part for part in parts):
        parts = (balance("OPAV", "0"), *parts)  # the schema wants one; this one is of no use
    return (
        f"<{shape}><Id>{statement_id}</Id>{head}<CreDtTm>2026-11-23T18:00:00Z</CreDtTm>"
        f"<Acct><Id><IBAN>{number}</IBAN></Id><Ccy>EUR</Ccy></Acct>{''.join(parts)}</{shape}>"
    )


def document(*accounts: str, message: str = "camt.053.001.08", before: str = "") -> bytes:
    """Write a whole file; `before` stands before its root."""
    body, _ = _SHAPES[message[: len("camt.053")]]
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<Document xmlns="{NAMESPACE}{message}">'
        f"<{body}><GrpHdr><MsgId>F-1</MsgId><CreDtTm>2026-11-23T18:00:00Z</CreDtTm></GrpHdr>"
        f"{''.join(accounts)}</{body}></Document>"
    ).encode()


def statement(*parts: str, message: str = "camt.053.001.08", head: str = "") -> Statement:
    """Read a file of one account that has these balances and entries."""
    _, shape = _SHAPES[message[: len("camt.053")]]
    (found,) = camt.read(document(account(*parts, shape=shape, head=head), message=message))
    return found


def line(*parts: str, message: str = "camt.053.001.08") -> Line:
    """Read a file that has a single transaction."""
    (found,) = statement(*parts, message=message).lines
    return found
