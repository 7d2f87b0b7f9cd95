"""What is ordered of a bank: transfers, whose account pays them, and what cannot be ordered."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID, uuid5

from chassis.money import Money
from psp_gateway.providers.bank.charset import Unwritable, written
from psp_gateway.providers.bank.iban import InvalidBic, InvalidIban, is_sepa, read_bic, read_iban

# Of every EndToEndId that was ever sent: never to be changed.
_END_TO_END = UUID("5f0b3c51-9d5f-5a0e-8f0a-6a8f3f2d7c11")

# European Payments Council, EPC132-08, SEPA Credit Transfer implementation guidelines: AT-T002 and
# the lengths of AT-P001 and AT-T009, which are kept for all transfers.
SEPA_AMOUNT_MAX = Decimal("999999999.99")
_NAME_MAX = 70
_REMITTANCE_MAX = 140
_AMOUNT_DIGITS_MAX = 18  # of ActiveOrHistoricCurrencyAndAmount

# Of Max35Text, some is left to number the parts of the file.
_MESSAGE_ID = re.compile(r"[A-Za-z0-9-]{1,28}", re.ASCII)


class Unfit(ValueError):
    """An order that no bank would take. It names attempt and field, and repeats no value."""

    def __init__(self, attempt_id: str, field: str, why: str) -> None:
        super().__init__(f"{attempt_id or 'batch'}: {field}: {why}")
        self.attempt_id = attempt_id
        self.field = field


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """Money to be paid out.

    Attributes:
        amount: above zero.
        creditor_name: at most 70 characters once it is written in SEPA's.
        creditor_bic: needed only where SEPA does not reach.
        remittance: what the creditor reads, at most 140 characters likewise; empty for nothing.
    """

    attempt_id: str
    amount: Money
    creditor_name: str = field(repr=False)
    creditor_iban: str = field(repr=False)
    creditor_bic: str = ""
    remittance: str = field(default="", repr=False)

    @property
    def end_to_end_id(self) -> str:
        """What the bank repeats in its statements: 32 characters, always the same of an attempt."""
        return uuid5(_END_TO_END, self.attempt_id).hex.upper()


@dataclass(frozen=True, slots=True)
class Debtor:
    """Whose account pays."""

    name: str
    iban: str = field(repr=False)
    bic: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Transfers that are ordered together.

    Attributes:
        message_id: unique for ever at the bank; 1 to 28 letters, digits and hyphens.
        created_at: with a time zone.
        execution_date: when the debtor's bank is to begin.
    """

    message_id: str
    created_at: datetime
    execution_date: date
    transfers: Sequence[CreditTransfer]


def fit_batch(batch: Batch) -> tuple[CreditTransfer, ...]:
    """Check what is of the batch alone; answer its transfers in the order of the file.

    Raises:
        Unfit: a message id that banks do not take, no time zone, no transfer, or one twice.
    """
    if _MESSAGE_ID.fullmatch(batch.message_id) is None:
        raise Unfit("", "message_id", "1 to 28 letters, digits and hyphens are expected")
    if batch.created_at.utcoffset() is None:
        raise Unfit("", "created_at", "a time zone is expected")
    if not batch.transfers:
        raise Unfit("", "transfers", "there is none")
    ordered = sorted(batch.transfers, key=lambda transfer: transfer.end_to_end_id)
    for one, next_one in pairwise(ordered):
        if one.end_to_end_id == next_one.end_to_end_id:
            raise Unfit(one.attempt_id, "attempt_id", "it is in the batch twice")
    return tuple(ordered)


def fit_debtor(debtor: Debtor) -> Debtor:
    """Write a debtor as the bank takes it.

    Raises:
        Unfit: name, IBAN or BIC cannot be.
    """
    return Debtor(
        _written("debtor", "name", debtor.name, _NAME_MAX),
        _iban("debtor", "iban", debtor.iban),
        _bic("debtor", "bic", debtor.bic),
    )


def fit(transfer: CreditTransfer, debtor: Debtor) -> CreditTransfer:
    """Write a transfer as the bank takes it.

    Raises:
        Unfit: naming the field that cannot be.
    """
    attempt_id = transfer.attempt_id
    made = CreditTransfer(
        attempt_id,
        transfer.amount,
        _written(attempt_id, "creditor_name", transfer.creditor_name, _NAME_MAX),
        _iban(attempt_id, "creditor_iban", transfer.creditor_iban),
        _bic(attempt_id, "creditor_bic", transfer.creditor_bic) if transfer.creditor_bic else "",
        _written(attempt_id, "remittance", transfer.remittance, _REMITTANCE_MAX, least=0),
    )
    _check_amount(made, debtor)
    if not made.creditor_bic and not is_in_sepa(made, debtor):
        raise Unfit(attempt_id, "creditor_bic", "it is needed where SEPA does not reach")
    return made


def is_in_sepa(transfer: CreditTransfer, debtor: Debtor) -> bool:
    """Whether it is a SEPA credit transfer: euros, between two accounts that SEPA reaches."""
    are_reached = is_sepa(transfer.creditor_iban) and is_sepa(debtor.iban)
    return transfer.amount.currency == "EUR" and are_reached


def _check_amount(transfer: CreditTransfer, debtor: Debtor) -> None:
    amount = transfer.amount.amount
    if amount <= 0:
        raise Unfit(transfer.attempt_id, "amount", "it must be above zero")
    if is_in_sepa(transfer, debtor) and amount > SEPA_AMOUNT_MAX:
        raise Unfit(transfer.attempt_id, "amount", f"SEPA carries at most {SEPA_AMOUNT_MAX}")
    if len(amount.as_tuple().digits) > _AMOUNT_DIGITS_MAX:
        raise Unfit(transfer.attempt_id, "amount", f"it has more than {_AMOUNT_DIGITS_MAX} digits")


def _written(attempt_id: str, field: str, text: str, longest: int, *, least: int = 1) -> str:
    try:
        plain = written(text)
    except Unwritable as error:
        raise Unfit(attempt_id, field, str(error)) from None
    if not least <= len(plain) <= longest:
        raise Unfit(attempt_id, field, f"{least} to {longest} characters, not {len(plain)}")
    return plain


def _iban(attempt_id: str, field: str, text: str) -> str:
    try:
        return read_iban(text)
    except InvalidIban as error:
        raise Unfit(attempt_id, field, str(error)) from None


def _bic(attempt_id: str, field: str, text: str) -> str:
    try:
        return read_bic(text)
    except InvalidBic as error:
        raise Unfit(attempt_id, field, str(error)) from None
