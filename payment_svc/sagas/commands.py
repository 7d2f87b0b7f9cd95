"""What a step asks of the outside. Plain values: the coordinator has them performed, tests read
them.
"""

from dataclasses import dataclass

from chassis.money import Money
from payment_svc.domain.checkout_page import CheckoutPage
from payment_svc.domain.payment import Buyer, Order, Payment, PaymentMethod
from privacy.masked import Secret


@dataclass(frozen=True, slots=True)
class AssessPayment:
    """Ask risk_svc whether the payment may go ahead, and make sure of the accounts of the sellers
    of `orders`.
    """

    payment: Payment
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class ExecuteCharge:
    """Charge the buyer at a PSP, or have the amount held; once per attempt id. By a token, or on a
    page of the PSP's. When nothing comes of the last try, the attempt ends.
    """

    attempt_id: str
    payment_id: str
    client_id: str
    amount: Money
    payment_token: Secret[str] | None
    is_held: bool = False
    page: CheckoutPage | None = None
    buyer: Buyer | None = None
    is_last_try: bool = False
    method: PaymentMethod = PaymentMethod.CARD


@dataclass(frozen=True, slots=True)
class CaptureCharge:
    """Take all or a part of a held amount."""

    attempt_id: str
    charge_attempt_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class VoidCharge:
    """Let go of a held amount, all of it."""

    attempt_id: str
    charge_attempt_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class RefundCharge:
    """Give a charge, or what was captured, back whole."""

    attempt_id: str
    charge_attempt_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class WalletOperation:
    """One change of one wallet; happens once per `operation_id`."""

    operation_id: str
    wallet_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class CreditWallets:
    """Credit sellers, pending."""

    payment_id: str
    operations: tuple[WalletOperation, ...]


@dataclass(frozen=True, slots=True)
class SettleCredits:
    """Make pending credits available."""

    payment_id: str
    operations: tuple[WalletOperation, ...]


@dataclass(frozen=True, slots=True)
class ReverseCredits:
    """Take credits back, also those that have not arrived yet."""

    operation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PostCapture:
    """Book a charge: the PSP's clearing account owes us, we owe the sellers.

    `scope` is the id of what was charged; `shares` are what each seller gets of the amount.
    """

    reference: str
    scope: str
    payment_id: str
    client_id: str
    psp: str
    amount: Money
    shares: tuple[tuple[str, Money], ...]


@dataclass(frozen=True, slots=True)
class PostLateCharge:
    """Book what a PSP has taken late into suspense."""

    reference: str
    attempt_id: str
    payment_id: str
    psp: str
    amount: Money


@dataclass(frozen=True, slots=True)
class PostKeptCharge:
    """Book into suspense what a PSP has still of a charge that was to be given back."""

    reference: str
    attempt_id: str
    payment_id: str
    psp: str
    amount: Money


@dataclass(frozen=True, slots=True)
class ReleaseSuspense:
    """Book that what was taken late was given back."""

    reference: str
    attempt_id: str
    payment_id: str
    psp: str
    amount: Money


@dataclass(frozen=True, slots=True)
class ReversePosting:
    """Reverse a ledger transaction, also one that has not arrived yet."""

    reference: str
    reason: str


Command = (
    AssessPayment
    | ExecuteCharge
    | CaptureCharge
    | VoidCharge
    | RefundCharge
    | CreditWallets
    | SettleCredits
    | ReverseCredits
    | PostCapture
    | PostLateCharge
    | PostKeptCharge
    | ReleaseSuspense
    | ReversePosting
)
