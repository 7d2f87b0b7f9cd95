"""PostingTemplate, as it comes over the wire, to the posting that its rule makes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from paymesh.ledger.v1 import template_pb2 as wire

from bookkeeping.refusals import parse_amount
from chassis.money import Money
from ledger_svc.domain.posting import Posting
from ledger_svc.domain.templates import chargebacks, charges, conversions, payouts, refunds
from ledger_svc.domain.templates import settlements as settling
from ledger_svc.domain.templates.catalogue import published
from ledger_svc.domain.templates.errors import TemplateMismatch
from ledger_svc.domain.templates.template import Share

STAGES = {
    payouts.PayoutStage.INITIATED: wire.PayoutReturned.INITIATED,
    payouts.PayoutStage.IN_TRANSIT: wire.PayoutReturned.IN_TRANSIT,
    payouts.PayoutStage.SETTLED: wire.PayoutReturned.SETTLED,
}
EXCESSES = {
    settling.Excess.MISSING: wire.SuspenseReleased.MISSING,
    settling.Excess.SURPLUS: wire.SuspenseReleased.SURPLUS,
}
_STAGES_IN = {number: stage for stage, number in STAGES.items()}
_EXCESSES_IN = {number: excess for excess, number in EXCESSES.items()}


def posting(
    asked: wire.PostingTemplate,
    *,
    reference: str,
    description: str = "",
    subject_id: str = "",
    effective_at: datetime | None = None,
) -> Posting:
    """Make the posting that a template asks for; the paths in refusals begin at its facts.

    Args:
        asked: the template, its version and its facts.
        reference: of the posting; it must be the one that the template's convention makes.
        description: of the posting; it must be empty, as the template writes its own.
        subject_id: the object it is posted for.
        effective_at: when it counts from; None: when it is written.

    Raises:
        TemplateMismatch: unknown version, other reference, or facts that do not go together.
        InvalidAmount: an amount is no decimal above zero, or has too many decimals.
        UnknownCurrency: it is not in ISO 4217.
        Unbalanced: the parts do not sum to the whole.
    """
    name = asked.WhichOneof("template")
    template = published(name or "", asked.version)
    if description:
        raise TemplateMismatch(template.tag, "description", "is the template's own; leave it empty")
    message = getattr(asked, template.name)
    facts = _READERS[template.name](message, _Amounts(message))
    made = template.expand(facts, subject_id=subject_id, effective_at=effective_at)
    if made.reference != reference:
        raise TemplateMismatch(template.tag, "reference", f"should be {made.reference}")
    return made


@dataclass(frozen=True, slots=True)
class _Amounts:
    """Reads a message's amounts."""

    message: Any

    def __call__(self, field: str, currency: str = "currency") -> Money:
        """Read an amount whose currency stands in the field `currency`."""
        return self._read(field, getattr(self.message, field), currency)

    def optional(self, field: str, currency: str = "currency") -> Money | None:
        """Read an amount that may be absent."""
        return self(field, currency) if self.message.HasField(field) else None

    def shares(self, field: str) -> tuple[Share, ...]:
        """Read sellers' shares."""
        asked: Iterable[wire.TemplateShare] = getattr(self.message, field)
        return tuple(
            Share(share.seller, self._read(f"{field}[{index}].amount", share.amount, "currency"))
            for index, share in enumerate(asked)
        )

    def _read(self, field: str, text: str, currency: str) -> Money:
        return parse_amount(field, text, getattr(self.message, currency))


def _captured(asked: wire.Captured, amounts: _Amounts) -> charges.Captured:
    return charges.Captured(
        asked.scope,
        asked.psp,
        asked.client_id,
        amounts("amount"),
        amounts.shares("shares"),
        amounts.optional("platform_fee"),
    )


def _psp_fee(asked: wire.PspFee, amounts: _Amounts) -> charges.PspFee:
    return charges.PspFee(asked.scope, asked.psp, amounts("amount"))


def _platform_fee(asked: wire.PlatformFee, amounts: _Amounts) -> charges.PlatformFee:
    return charges.PlatformFee(
        asked.scope, asked.client_id, amounts("amount"), amounts.shares("shares")
    )


def _refund_initiated(asked: wire.RefundInitiated, amounts: _Amounts) -> refunds.RefundInitiated:
    return refunds.RefundInitiated(
        asked.refund_id,
        asked.client_id,
        asked.buyer_id,
        amounts("amount"),
        amounts.shares("shares"),
        amounts.optional("fee_returned"),
    )


def _refund_failed(asked: wire.RefundFailed, amounts: _Amounts) -> refunds.RefundFailed:
    return refunds.RefundFailed(
        asked.refund_id,
        asked.client_id,
        asked.buyer_id,
        amounts("amount"),
        amounts.shares("shares"),
        amounts.optional("fee_returned"),
    )


def _refund_paid(asked: wire.RefundPaid, amounts: _Amounts) -> refunds.RefundPaid:
    return refunds.RefundPaid(
        asked.refund_id, asked.psp, asked.client_id, asked.buyer_id, amounts("amount")
    )


def _refund_returned(asked: wire.RefundReturned, amounts: _Amounts) -> refunds.RefundReturned:
    return refunds.RefundReturned(
        asked.refund_id, asked.psp, asked.client_id, asked.buyer_id, amounts("amount")
    )


def _payout_initiated(asked: wire.PayoutInitiated, amounts: _Amounts) -> payouts.PayoutInitiated:
    return payouts.PayoutInitiated(
        asked.payout_id, asked.rail, asked.client_id, asked.seller, amounts("amount")
    )


def _payout_in_transit(asked: wire.PayoutInTransit, amounts: _Amounts) -> payouts.PayoutInTransit:
    return payouts.PayoutInTransit(asked.payout_id, asked.rail, amounts("amount"))


def _payout_settled(asked: wire.PayoutSettled, amounts: _Amounts) -> payouts.PayoutSettled:
    return payouts.PayoutSettled(asked.payout_id, asked.rail, asked.drawn_on, amounts("amount"))


def _payout_returned(asked: wire.PayoutReturned, amounts: _Amounts) -> payouts.PayoutReturned:
    return payouts.PayoutReturned(
        asked.payout_id,
        asked.rail,
        asked.client_id,
        asked.seller,
        amounts("amount"),
        _STAGES_IN[asked.stage],
        asked.drawn_on,
    )


def _chargeback_opened(
    asked: wire.ChargebackOpened, amounts: _Amounts
) -> chargebacks.ChargebackOpened:
    return chargebacks.ChargebackOpened(
        asked.dispute_id,
        asked.psp,
        asked.client_id,
        amounts("amount"),
        amounts.shares("reserved"),
        amounts.optional("fee"),
    )


def _chargeback_won(asked: wire.ChargebackWon, amounts: _Amounts) -> chargebacks.ChargebackWon:
    return chargebacks.ChargebackWon(
        asked.dispute_id,
        asked.psp,
        asked.client_id,
        amounts("amount"),
        amounts.shares("reserved"),
        amounts.optional("fee"),
    )


def _chargeback_lost(asked: wire.ChargebackLost, amounts: _Amounts) -> chargebacks.ChargebackLost:
    return chargebacks.ChargebackLost(
        asked.dispute_id,
        asked.psp,
        asked.client_id,
        amounts("amount"),
        amounts.optional("reserved"),
    )


def _converted(asked: wire.Converted, amounts: _Amounts) -> conversions.Converted:
    return conversions.Converted(
        asked.conversion_id,
        asked.client_id,
        asked.seller,
        amounts("sold", "sold_currency"),
        amounts("bought", "bought_currency"),
        amounts.optional("spread", "bought_currency"),
    )


def _conversion_covered(
    asked: wire.ConversionCovered, amounts: _Amounts
) -> conversions.ConversionCovered:
    return conversions.ConversionCovered(
        asked.conversion_id,
        asked.bank,
        amounts("sold", "sold_currency"),
        amounts("bought", "bought_currency"),
        amounts("booked", "bought_currency"),
    )


def _settled(asked: wire.Settled, amounts: _Amounts) -> settling.Settled:
    return settling.Settled(
        asked.settlement_id,
        asked.psp,
        asked.bank,
        amounts("expected"),
        amounts("received"),
        amounts.optional("fees"),
    )


def _settlement_claimed(
    asked: wire.SettlementClaimed, amounts: _Amounts
) -> settling.SettlementClaimed:
    return settling.SettlementClaimed(
        asked.settlement_id,
        asked.psp,
        asked.bank,
        amounts("expected"),
        amounts("paid"),
        amounts.optional("fees"),
    )


def _suspense_released(
    asked: wire.SuspenseReleased, amounts: _Amounts
) -> settling.SuspenseReleased:
    return settling.SuspenseReleased(
        asked.release_id,
        asked.source,
        _EXCESSES_IN[asked.excess],
        amounts("amount"),
        asked.explained_by,
    )


def _late_charged(asked: wire.LateCharged, amounts: _Amounts) -> settling.LateCharged:
    return settling.LateCharged(asked.attempt_id, asked.psp, amounts("amount"))


def _charge_kept(asked: wire.ChargeKept, amounts: _Amounts) -> settling.ChargeKept:
    return settling.ChargeKept(asked.attempt_id, asked.psp, amounts("amount"))


_READERS: Mapping[str, Callable[[Any, _Amounts], Any]] = {
    "captured": _captured,
    "psp_fee": _psp_fee,
    "platform_fee": _platform_fee,
    "refund_initiated": _refund_initiated,
    "refund_paid": _refund_paid,
    "refund_returned": _refund_returned,
    "refund_failed": _refund_failed,
    "payout_initiated": _payout_initiated,
    "payout_in_transit": _payout_in_transit,
    "payout_settled": _payout_settled,
    "payout_returned": _payout_returned,
    "chargeback_opened": _chargeback_opened,
    "chargeback_won": _chargeback_won,
    "chargeback_lost": _chargeback_lost,
    "converted": _converted,
    "conversion_covered": _conversion_covered,
    "settled": _settled,
    "settlement_claimed": _settlement_claimed,
    "suspense_released": _suspense_released,
    "late_charged": _late_charged,
    "charge_kept": _charge_kept,
}
