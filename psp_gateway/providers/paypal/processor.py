"""What the processors behind PayPal say of a declined card: to the gateway's words.

The codes are those of `processor_response` in the published Orders v2; their names in the comments
those of PayPal's own SDKs.
"""

from collections.abc import Mapping

from psp_gateway.domain.reasons import Reason

_BY_REASON: Mapping[Reason, str] = {
    # 00N7, 5110, PCVV, PPC2: CVV failures; 1382 invalid verification value
    Reason.INCORRECT_SECURITY_CODE: "00N7 1382 5110 PCVV PPC2",
    Reason.INSUFFICIENT_FUNDS: "5120 PPAX",  # PPAX amount exceeded
    Reason.CARD_EXPIRED: "1380 5400 PPEF PPEX",
    Reason.CARD_LOST_OR_STOLEN: "5150 9520",  # 5150 pick up card
    # 0880 cryptographic failure; 5650 SCA required; 7700 3DS error; 7710 authentication failed;
    # PCNR contingencies not resolved; PPD3 3DS error
    Reason.AUTHENTICATION_REQUIRED: "0880 5650 7700 7710 PCNR PPD3",
    Reason.SUSPECTED_FRAUD: "9500 9510 PPSC",  # 9510 security violation; PPSC score
    # 0390 account not found; 1330, 1335 invalid account; 1352 restricted or inactive; 5140 closed;
    # 5180 invalid or restricted; 5700 not permitted; 5900 invalid issuer; 5930 not activated;
    # 5950 updated account; 6300 not on file; 7800 BIN error; 9540 refused card; PP06 closed;
    # PPAB blocked by its issuer; PPAE, PPDI, PPMC, PPSE its brand is off; PPCT type unsupported;
    # PPFI, PPFR, PPPM the instrument is invalid or restricted; PPTE, PPTR, PPTV its token is over
    Reason.PAYMENT_METHOD_INVALID: (
        "0390 1330 1335 1352 5140 5180 5700 5900 5930 5950 6300 7800 9540 PP06 PPAB PPAE PPCT "
        "PPDI PPFI PPFR PPMC PPPM PPSE PPTE PPTR PPTV"
    ),
    # 0960, 8000, 8220, PPER system errors; 0800 bad response; 5910, 5920 issuer not available;
    # 8100, 8110, PPNT communication; 9100 please retry; 9600 unrecognised; PPLR late reversal
    Reason.PROCESSING_ERROR: "0800 0960 5910 5920 8000 8100 8110 8220 9100 9600 PPER PPLR PPNT",
    # 5710, PPDT, PPEL, PPNL too many tries; PPRN reattempt not permitted
    Reason.DO_NOT_RETRY: "5710 PPDT PPEL PPNL PPRN",
    Reason.PSP_CANCELLED: "0R00",  # cancelled payment
    # Data, the merchant's setup, or an operation that is not supported: ours to put right.
    Reason.PSP_REQUEST_INVALID: (
        "1300 1310 1312 1317 1320 1340 1350 1360 1370 1384 1390 5210 8010 8020 8030 PPAG PPAI PPAU "
        "PPBG PPCE PPCO PPCU PPDC PPFE PPFV PPGR PPIF PPII PPIM PPIT PPMB PPMD PPNC PPNM PPPH PPPI "
        "PPQC PPRE PPRF PPRR PPS0 PPS1 PPS2 PPS3 PPS4 PPS5 PPS6 PPTF PPTI PPTT PPUA PPUC PPUE PPUI "
        "PPUP PPUR PPVC PPVE PPVT"
    ),
    # 0000 approved, 1000 in part, 7600 not to be captured: odd beside a decline, which counts.
    # 0100 referral; 0500 do not honor; 0580 unauthorized; 0890, 5130, 5135, 5500, 7900 PIN;
    # 10BR issuer rejected; 1393 cannot be completed; 5100 generic; 5160 unauthorized user;
    # 5170, 5190, PPAD, PPAV address; 5200 duplicate; 5800 reversal rejected; 9530 call the centre
    Reason.CARD_DECLINED: (
        "0000 0100 0500 0580 0890 1000 10BR 1393 5100 5130 5135 5160 5170 5190 5200 5500 5800 7600 "
        "7900 9530 PPAD PPAR PPAV PPCR PPDV PPH1 PPLS PPSD"
    ),
}
RESPONSES: Mapping[str, Reason] = {
    code: reason for reason, codes in _BY_REASON.items() for code in codes.split()
}

# `payment_advice_code`: 01 new account, 02 try later, 03 do not try again, 21 the holder has ended
# what recurs.
_NEVER_AGAIN = frozenset({"03", "21"})


def decline_reason(response_code: str, advice_code: str = "") -> Reason:
    """Normalise a processor's code, and the network's advice; one that is new is CARD_DECLINED."""
    if advice_code in _NEVER_AGAIN:
        return Reason.DO_NOT_RETRY
    return RESPONSES.get(response_code, Reason.CARD_DECLINED)
