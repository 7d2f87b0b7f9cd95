"""Why transfers come back: the external code set ExternalReturnReason1Code of ISO 20022.

https://www.iso20022.org/catalogue-messages/additional-content-messages/external-code-sets; those
are listed that SEPA credit transfers have (European Payments Council, EPC135-18, R-transaction
guidance) and a few that banks elsewhere use. A code that is not here is PSP_CANCELLED: the money is
back whatever the reason.
"""

from collections.abc import Mapping

from psp_gateway.domain.reasons import Reason

_ACCOUNT = Reason.PAYMENT_METHOD_INVALID
_ORDER = Reason.PSP_REQUEST_INVALID
_TROUBLE = Reason.PROCESSING_ERROR

REASONS: Mapping[str, Reason] = {
    "AC01": _ACCOUNT,  # the account number is wrong
    "AC03": _ACCOUNT,  # the creditor's account number is wrong
    "AC04": _ACCOUNT,  # the account is closed
    "AC06": _ACCOUNT,  # the account is blocked
    "AC07": _ACCOUNT,  # the creditor's account is closed
    "AC13": _ACCOUNT,  # the account is of a kind that takes no such transfer
    "AC14": _ACCOUNT,
    "AC15": _ACCOUNT,  # the account has other particulars now
    "AC16": _ACCOUNT,
    "AG01": _ACCOUNT,  # no transfer may go to this account
    "AG02": _ORDER,  # the kind of order is wrong
    "AGNT": _ORDER,  # a bank on the way is wrong
    "AM01": _ORDER,  # the amount is zero
    "AM02": _ORDER,  # more than is allowed
    "AM03": _ORDER,  # not in this currency
    "AM04": Reason.INSUFFICIENT_FUNDS,
    "AM05": _ORDER,  # it came twice
    "AM09": _ORDER,  # the amount is not what was agreed
    "ARDT": _ORDER,  # it has come back before
    "BE01": _ACCOUNT,  # the name does not go with the account
    "BE04": _ORDER,  # the creditor's address is missing
    "BE05": _ORDER,
    "BE06": _ACCOUNT,  # nobody knows the creditor
    "BE07": _ORDER,
    "CNOR": _ACCOUNT,  # the creditor's bank is not reached
    "CURR": _ORDER,
    "CUST": Reason.PSP_CANCELLED,  # the creditor wanted it back
    "DNOR": _ORDER,
    "DUPL": _ORDER,  # it was ordered twice
    "ED05": _TROUBLE,  # the settlement failed
    "ERIN": _ORDER,
    "FF05": _ORDER,
    "FOCR": Reason.PSP_CANCELLED,  # asked back, and given
    "FR01": Reason.SUSPECTED_FRAUD,
    "FRAD": Reason.SUSPECTED_FRAUD,
    "LEGL": Reason.PSP_CANCELLED,
    "MD07": _ACCOUNT,  # the creditor has died
    "MS02": Reason.PSP_CANCELLED,  # the creditor does not say why
    "MS03": Reason.PSP_CANCELLED,  # the bank does not say why
    "NARR": Reason.PSP_CANCELLED,
    "NOAS": Reason.PSP_CANCELLED,
    "RC01": _ORDER,  # the BIC is wrong
    "RC07": _ORDER,
    "RF01": _ORDER,  # the order's id is not unique
    "RR01": _ORDER,  # the law asks for more about the debtor's account
    "RR02": _ORDER,  # … the debtor's name or address
    "RR03": _ORDER,  # … the creditor's name or address
    "RR04": Reason.PSP_CANCELLED,  # … it does not let it through
    "SVNR": Reason.PSP_CANCELLED,
    "TECH": _TROUBLE,
    "TM01": _TROUBLE,  # too late for the day
    "UPAY": Reason.PSP_CANCELLED,
}


def reason_of(code: str) -> Reason:
    """Tell why it came back; a code that is not known, and none, is PSP_CANCELLED."""
    return REASONS.get(code, Reason.PSP_CANCELLED)
