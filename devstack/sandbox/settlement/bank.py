"""The shop's bank accounts, one a currency: the PSPs' payouts arrive, transfers come and go."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from devstack.sandbox.settlement import adyen_csv, paypal_stl, stripe_csv
from devstack.sandbox.settlement.batch import Batch, token
from devstack.sandbox.settlement.movements import Movement
from devstack.sandbox.settlement.schedule import ARRIVES
from devstack.sandbox.settlement.units import decimals_of

_REFERENCES = {
    "stripe": stripe_csv.payout_reference,
    "adyen": adyen_csv.payout_reference,
    "paypal": paypal_stl.payout_reference,
}
_NAMES = {
    "stripe": "STRIPE PAYMENTS EUROPE LTD",
    "adyen": "ADYEN N.V.",
    "paypal": "PAYPAL (EUROPE) S.A R.L.",
}
_COUNTRY, _BANK = "GB", "SBOX"


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry of an account.

    Args:
        reference: the bank's own.
        amount: above zero when the account has more after it.
        end_to_end_id: the orderer's, at most 35 characters; empty for none.
        counterparty: a name.
        remittance: what the orderer wrote, at most 140 characters.
        is_return: a transfer that came back.
    """

    reference: str
    amount: Decimal
    end_to_end_id: str
    counterparty: str
    remittance: str
    is_return: bool = False


@dataclass(frozen=True, slots=True)
class AccountDay:
    """One account on a day with postings. Invariant: opening + the postings = closing.

    Args:
        number: 1 for the first statement of the account, and so on.
    """

    day: date
    currency: str
    number: int
    opening: Decimal
    postings: Sequence[Posting]

    @property
    def closing(self) -> Decimal:
        """The balance at the end of the day."""
        return self.opening + sum((posting.amount for posting in self.postings), Decimal(0))


def iban_of(currency: str) -> str:
    """Make the number of the account in a currency; its check digits are right (ISO 13616)."""
    account = "".join(f"{ord(letter):02}" for letter in currency).zfill(14)
    number = "".join(str(int(sign, 36)) for sign in f"{_BANK}{account}{_COUNTRY}00")
    return f"{_COUNTRY}{98 - int(number) % 97:02}{_BANK}{account}"


def statements_of(
    payouts: Iterable[Batch], moved: Mapping[date, Sequence[Movement]]
) -> dict[date, list[AccountDay]]:
    """Make the days of all accounts on which anything was posted, oldest first.

    Args:
        payouts: batches whose payouts arrive.
        moved: the bank's own movements by day.
    """
    days: dict[date, dict[str, list[Posting]]] = {}
    for batch in payouts:
        if batch.payout:
            day = days.setdefault(batch.day + ARRIVES, {})
            day.setdefault(batch.currency, []).append(_arrival(batch))
    for on, movements in moved.items():
        for movement in movements:
            postings = days.setdefault(on, {}).setdefault(movement.currency, [])
            postings.append(_transfer(movement))
    balances: dict[str, AccountDay] = {}
    statements: dict[date, list[AccountDay]] = {}
    for on in sorted(days):
        for currency in sorted(days[on]):
            last = balances.get(currency)
            opening, number = (last.closing, last.number + 1) if last else (Decimal(0), 1)
            balances[currency] = AccountDay(on, currency, number, opening, days[on][currency])
            statements.setdefault(on, []).append(balances[currency])
    return statements


def _arrival(batch: Batch) -> Posting:
    reference = _REFERENCES[batch.psp](batch)
    return Posting(
        reference=token("arrival", batch.psp, batch.payout_id),
        amount=Decimal(batch.payout).scaleb(-decimals_of(batch.psp, batch.currency)),
        end_to_end_id=reference.partition(" ")[0],
        counterparty=_NAMES[batch.psp],
        remittance=reference,
    )


def _transfer(movement: Movement) -> Posting:
    return Posting(
        reference=token("transfer", str(movement.seq)),
        amount=Decimal(movement.amount).scaleb(-decimals_of("bank", movement.currency)),
        end_to_end_id=movement.reference,
        counterparty=movement.metadata.get("counterparty", ""),
        remittance=movement.metadata.get("remittance", ""),
        is_return=movement.kind == "payout_failed",
    )
