"""All published templates; a version stays here for ever."""

from collections.abc import Mapping
from typing import Any

from ledger_svc.domain.templates import (
    chargebacks,
    charges,
    conversions,
    payouts,
    refunds,
    settlements,
)
from ledger_svc.domain.templates.errors import TemplateMismatch
from ledger_svc.domain.templates.template import Template

PUBLISHED: tuple[Template[Any], ...] = (
    charges.CAPTURED_1,
    charges.PSP_FEE_1,
    charges.PLATFORM_FEE_1,
    refunds.REFUND_INITIATED_1,
    refunds.REFUND_PAID_1,
    refunds.REFUND_RETURNED_1,
    refunds.REFUND_FAILED_1,
    payouts.PAYOUT_INITIATED_1,
    payouts.PAYOUT_IN_TRANSIT_1,
    payouts.PAYOUT_SETTLED_1,
    payouts.PAYOUT_RETURNED_1,
    chargebacks.CHARGEBACK_OPENED_1,
    chargebacks.CHARGEBACK_WON_1,
    chargebacks.CHARGEBACK_LOST_1,
    conversions.CONVERTED_1,
    conversions.CONVERSION_COVERED_1,
    settlements.SETTLED_1,
    settlements.SETTLEMENT_CLAIMED_1,
    settlements.SUSPENSE_RELEASED_1,
    settlements.LATE_CHARGED_1,
    settlements.CHARGE_KEPT_1,
)

_BY_TAG: Mapping[str, Template[Any]] = {template.tag: template for template in PUBLISHED}


def published(name: str, version: int) -> Template[Any]:
    """Find a template.

    Raises:
        TemplateMismatch: the version was never published.
    """
    tag = f"{name}/{version}"
    if tag not in _BY_TAG:
        raise TemplateMismatch(tag, "version", "was never published")
    return _BY_TAG[tag]
