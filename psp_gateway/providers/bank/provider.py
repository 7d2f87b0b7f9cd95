"""A bank that pays out: files of orders go to it, statements come back. Pure: who carries the files
is a matter of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256

from chassis.money import Money
from psp_gateway.domain.answer import Verdict, alarm
from psp_gateway.domain.attempt import Method, Outcome, Stage
from psp_gateway.domain.capabilities import Capabilities, Captures
from psp_gateway.domain.reasons import Reason
from psp_gateway.providers.bank import pain001
from psp_gateway.providers.bank.returns import reason_of
from psp_gateway.providers.bank.statement import Direction, Line, Statement, Status
from psp_gateway.providers.bank.transfers import Batch, CreditTransfer, Debtor, fit_debtor

NAME = "bank"
# An EndToEndId is the attempt's for ever, and so is what a statement says of it.
KEY_RETENTION = timedelta(days=3650)
CAPABILITIES = Capabilities(
    psp=NAME,
    methods=frozenset({Method.BANK_TRANSFER}),
    first_stage=Stage.CONFIRM,
    can_look_up=False,
    captures=Captures.NEVER,
    refunds=False,
    hosted_page=False,
    payouts=True,
    disputes=False,
    key_retention=dict.fromkeys(Stage, KEY_RETENTION),
)
_AWAITED = frozenset({Status.PENDING, Status.FUTURE})


class OtherAccount(ValueError):
    """The statement is of another account than the one that pays."""


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """A file for the bank.

    Attributes:
        sha256: of the content, in hex: tells whether a file has been handed over before.
    """

    name: str
    content: bytes = field(repr=False)
    sha256: str


@dataclass(frozen=True, slots=True)
class Match:
    """What a statement says of one transfer.

    Attributes:
        lines: what it says it by, at least one.
        is_returned: the money came back. It can come days after a success was told, which is final;
            then it is a new fact, and no other outcome.
    """

    attempt_id: str
    verdict: Verdict
    lines: tuple[Line, ...]
    is_returned: bool


class BankPayouts:
    """Pays out from one account.

    Args:
        debtor: whose account it is.
        account_numbers: what the bank calls the account in its statements, where not by its IBAN.

    Raises:
        Unfit: the debtor's name, IBAN or BIC is wrong.
    """

    def __init__(self, debtor: Debtor, *, account_numbers: Iterable[str] = ()) -> None:
        self._debtor = fit_debtor(debtor)
        self._accounts = frozenset({self._debtor.iban, *account_numbers})

    @property
    def debtor(self) -> Debtor:
        """Whose account it is."""
        return self._debtor

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return CAPABILITIES

    def submit(self, batch: Batch) -> PaymentFile:
        """Write a batch as a file; the same batch is the same file, byte for byte.

        Raises:
            Unfit: naming what cannot be ordered; nothing is left out silently.
        """
        content = pain001.write(batch, self._debtor)
        name = f"{pain001.MESSAGE}-{batch.message_id}.xml"
        return PaymentFile(name, content, sha256(content).hexdigest())

    def outcomes(
        self, statement: Statement, open_transfers: Iterable[CreditTransfer]
    ) -> Sequence[Match]:
        """Tell what a statement says of transfers, in their order; of some it says nothing.

        What has been paid of late is to be among them: a return comes days after the debit.

        Raises:
            OtherAccount: the statement is of another account: nothing in it is about these.
        """
        if statement.account not in self._accounts:
            raise OtherAccount(f"statement {statement.statement_id} is of another account")
        lines = _by_end_to_end_id(statement)
        found = ((transfer, lines.get(transfer.end_to_end_id)) for transfer in open_transfers)
        return [_match(transfer, told, statement) for transfer, told in found if told]


def _by_end_to_end_id(statement: Statement) -> Mapping[str, list[Line]]:
    lines: dict[str, list[Line]] = {}
    for line in statement.lines:
        if line.status in _AWAITED or line.status is Status.BOOKED:
            lines.setdefault(line.end_to_end_id, []).append(line)
    return lines


def _match(transfer: CreditTransfer, told: Sequence[Line], statement: Statement) -> Match:
    booked = tuple(line for line in told if line.status is Status.BOOKED)
    lines = booked or tuple(told)
    trace = _trace(statement, lines[-1])
    verdict = _verdict(transfer.amount, lines, trace) if booked else _pending(lines, trace)
    is_returned = verdict.outcome is Outcome.DECLINED
    return Match(transfer.attempt_id, verdict, lines, is_returned)


def _pending(lines: Sequence[Line], trace: str) -> Verdict:
    reference = lines[-1].account_servicer_reference
    return Verdict(Outcome.PENDING, reference=reference, trace=trace)


def _verdict(asked: Money, booked: Sequence[Line], trace: str) -> Verdict:
    """Judge by what the booked lines come to: paid once, or back, or nothing that may be."""
    amounts = [_of_asked(line, asked) for line in booked]
    paid = sum(line.direction is Direction.DEBIT for line in booked)
    returned = len(booked) - paid
    # A debit that reverses gives back what came in: none of ours, though it bears our id.
    is_strange = any(line.is_reversal and line.direction is Direction.DEBIT for line in booked)
    if is_strange or any(amount != asked.amount for amount in amounts):
        return _mismatch(booked, trace)
    match paid, returned:
        case 1, 0:
            reference = booked[0].account_servicer_reference
            return Verdict(Outcome.SUCCEEDED, reference=reference, trace=trace)
        case ((0 | 1), 1):
            return _returned(booked, trace)
        case _:  # paid twice, or given back more often than paid
            return _mismatch(booked, trace)


def _of_asked(line: Line, asked: Money) -> Decimal | None:
    """Tell how much of what was asked a line is; None when it does not say it in that currency.

    Of an order in another currency than the account's, the line's own amount is what it cost.
    """
    if line.currency == asked.currency:
        return line.amount
    instructed = line.instructed
    return instructed.amount if instructed and instructed.currency == asked.currency else None


def _returned(booked: Sequence[Line], trace: str) -> Verdict:
    (line,) = (line for line in booked if line.direction is Direction.CREDIT)
    return Verdict(
        Outcome.DECLINED,
        reference=line.account_servicer_reference,
        reason=reason_of(line.return_code),
        psp_code=line.return_code or line.bank_transaction_code,
        trace=trace,
    )


def _mismatch(booked: Sequence[Line], trace: str) -> Verdict:
    return alarm(trace, Reason.AMOUNT_MISMATCH, reference=booked[0].account_servicer_reference)


def _trace(statement: Statement, line: Line) -> str:
    return f"{statement.kind.value} {statement.statement_id} {line.entry_ref}".rstrip()
