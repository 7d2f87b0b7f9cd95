"""Payouts through a bank: an order is taken down, collected into a file with others, and what
became of it is told by statements.
"""

from datetime import timedelta

from chassis.clock import Clock
from chassis.errors import PaymeshError
from chassis.money import Money
from psp_gateway.domain.answer import Absent, Answer, Verdict, no_answer
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.errors import InvalidAmount, InvalidDestination, Refusal
from psp_gateway.domain.payout import BankAccount, Destination, Payout
from psp_gateway.payout_ports import Terms
from psp_gateway.providers.bank.orders import OrderBook
from psp_gateway.providers.bank.transfers import CreditTransfer, Debtor, Unfit, fit

# An attempt has one order for ever.
TERMS = Terms(key_retention=timedelta(days=3650), can_find=True)
_FIELDS = {"creditor_name": "holder_name", "creditor_iban": "iban", "creditor_bic": "bic"}


class BankPayer:
    """`payout_ports.PayOut` by files. Accepted means: it will be in a file, once.

    Args:
        book: keeps the orders.
        debtor: whose account pays.
        clock: tells when it was ordered.
    """

    def __init__(self, book: OrderBook, debtor: Debtor, clock: Clock) -> None:
        self._book = book
        self._debtor = debtor
        self._clock = clock

    @property
    def terms(self) -> Terms:
        """See `payout_ports.PayOut.terms`."""
        return TERMS

    def refusal(self, amount: Money, destination: Destination) -> Refusal | None:
        """See `payout_ports.PayOut.refusal`: all that would keep it out of a file."""
        if not isinstance(destination.to, BankAccount):
            return InvalidDestination("destination", "a bank pays to bank accounts")
        try:
            fit(_transfer("", amount, destination, destination.to), self._debtor)
        except Unfit as unfit:
            why = str(unfit).rpartition(": ")[2]
            if unfit.field == "amount":
                return InvalidAmount(why)
            return InvalidDestination(_FIELDS.get(unfit.field, "reference_text"), why)
        return None

    async def send_payout(self, payout: Payout, destination: Destination, *, key: str) -> Answer:
        """See `payout_ports.PayOut.send_payout`; the attempt is the key."""
        if not isinstance(destination.to, BankAccount):
            raise TypeError("a bank pays to bank accounts")
        transfer = _transfer(payout.attempt_id, payout.amount, destination, destination.to)
        try:
            await self._book.order(transfer, self._clock())
        except PaymeshError:
            return no_answer()
        return _accepted("ordered")

    async def find_payout(self, payout: Payout) -> Answer:
        """See `payout_ports.PayOut.find_payout`; what statements say is told as they come."""
        try:
            is_there = await self._book.is_ordered(payout.attempt_id)
        except PaymeshError:
            return no_answer()
        return _accepted("found") if is_there else Absent("not ordered")


def _accepted(trace: str) -> Verdict:
    return Verdict(Outcome.PENDING, trace=trace)


def _transfer(
    attempt_id: str, amount: Money, destination: Destination, to: BankAccount
) -> CreditTransfer:
    return CreditTransfer(
        attempt_id=attempt_id,
        amount=amount,
        creditor_name=to.holder.reveal(),
        creditor_iban=to.iban.reveal(),
        creditor_bic=to.bic,
        remittance=destination.text,
    )
