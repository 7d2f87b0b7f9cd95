"""Writes the order of many transfers: pain.001.001.09 of ISO 20022.

The same batch makes the same bytes. No file leaves that is not valid by the schema.
"""

from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from itertools import groupby

from lxml import etree

from psp_gateway.providers.bank import schemas
from psp_gateway.providers.bank.transfers import (
    Batch,
    CreditTransfer,
    Debtor,
    Unfit,
    fit,
    fit_batch,
    fit_debtor,
    is_in_sepa,
)

MESSAGE = "pain.001.001.09"
_NAMESPACE = schemas.NAMESPACE + MESSAGE
_SUM_DIGITS_MAX = 18  # of DecimalNumber


def write(batch: Batch, debtor: Debtor) -> bytes:
    """Write one file; each currency, in SEPA and out of it, is a payment information of its own.

    Raises:
        Unfit: the batch, the debtor or a transfer cannot be ordered; nothing is left out.
        UnreadableFile: the file is not valid by the schema, which is a fault of ours.
    """
    debtor = fit_debtor(debtor)
    transfers = [fit(transfer, debtor) for transfer in fit_batch(batch)]

    def of_one_kind(transfer: CreditTransfer) -> tuple[str, bool]:
        return transfer.amount.currency, is_in_sepa(transfer, debtor)

    document = etree.Element(_name("Document"), nsmap={None: _NAMESPACE})  # type: ignore[dict-item]
    initiation = _add(document, "CstmrCdtTrfInitn")
    _add_header(initiation, batch, debtor, transfers)
    groups = groupby(sorted(transfers, key=of_one_kind), of_one_kind)
    for number, ((_, in_sepa), group) in enumerate(groups, start=1):
        part_id = f"{batch.message_id}-{number}"
        _add_part(initiation, part_id, batch, debtor, list(group), in_sepa=in_sepa)
    content = etree.tostring(document, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    schemas.read(content, MESSAGE)
    return content


def _add_header(
    parent: etree._Element, batch: Batch, debtor: Debtor, transfers: Sequence[CreditTransfer]
) -> None:
    # Over all currencies, as the schema has it: a check on the file, and no amount of money.
    control = _sum(transfers)
    if len(control.as_tuple().digits) > _SUM_DIGITS_MAX:
        raise Unfit("", "transfers", f"their sum has more than {_SUM_DIGITS_MAX} digits")
    header = _add(parent, "GrpHdr")
    _add(header, "MsgId", batch.message_id)
    created = batch.created_at.astimezone(UTC).replace(tzinfo=None)
    _add(header, "CreDtTm", f"{created.isoformat(timespec='seconds')}Z")
    _add(header, "NbOfTxs", str(len(transfers)))
    _add(header, "CtrlSum", f"{control:f}")
    _add(header, "InitgPty/Nm", debtor.name)


def _add_part(
    parent: etree._Element,
    part_id: str,
    batch: Batch,
    debtor: Debtor,
    transfers: Sequence[CreditTransfer],
    *,
    in_sepa: bool,
) -> None:
    part = _add(parent, "PmtInf")
    _add(part, "PmtInfId", part_id)
    _add(part, "PmtMtd", "TRF")
    # Each transfer is booked by itself, so that the statement names its EndToEndId.
    _add(part, "BtchBookg", "false")
    _add(part, "NbOfTxs", str(len(transfers)))
    _add(part, "CtrlSum", f"{_sum(transfers):f}")
    if in_sepa:
        _add(part, "PmtTpInf/SvcLvl/Cd", "SEPA")
    _add(part, "ReqdExctnDt/Dt", batch.execution_date.isoformat())
    _add(part, "Dbtr/Nm", debtor.name)
    _add(part, "DbtrAcct/Id/IBAN", debtor.iban)
    _add(part, "DbtrAgt/FinInstnId/BICFI", debtor.bic)
    _add(part, "ChrgBr", "SLEV" if in_sepa else "SHAR")
    for transfer in transfers:
        _add_transfer(part, transfer)


def _add_transfer(parent: etree._Element, transfer: CreditTransfer) -> None:
    found = _add(parent, "CdtTrfTxInf")
    ids = _add(found, "PmtId")
    _add(ids, "InstrId", transfer.end_to_end_id)
    _add(ids, "EndToEndId", transfer.end_to_end_id)
    amount = _add(found, "Amt/InstdAmt", str(transfer.amount))
    amount.set("Ccy", transfer.amount.currency)
    if transfer.creditor_bic:
        _add(found, "CdtrAgt/FinInstnId/BICFI", transfer.creditor_bic)
    _add(found, "Cdtr/Nm", transfer.creditor_name)
    _add(found, "CdtrAcct/Id/IBAN", transfer.creditor_iban)
    if transfer.remittance:
        _add(found, "RmtInf/Ustrd", transfer.remittance)


def _sum(transfers: Sequence[CreditTransfer]) -> Decimal:
    """Sum amounts, with as many decimals as the currency that has most."""
    return sum((transfer.amount.amount for transfer in transfers), Decimal(0))


def _add(parent: etree._Element, path: str, text: str = "") -> etree._Element:
    """Add elements one in the other, and a text to the last; answer that."""
    for name in path.split("/"):
        parent = etree.SubElement(parent, _name(name))
    parent.text = text or None
    return parent


def _name(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"
