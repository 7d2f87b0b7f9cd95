"""Classes of the reasons for which sagas stand where they stand: a bounded set, for metrics."""

# The words of PSPs that a saga can wait or be tried again by; any other is OTHER.
_PSP_WORDS = frozenset(
    {
        "NO_USABLE_ANSWER",
        "KEY_TOO_OLD",
        "AMOUNT_MISMATCH",
        "OUTCOME_UNKNOWN",
        "PSP_TRANSIENT",
        "PSP_RATE_LIMITED",
        "PSP_UNREACHABLE",
        "PSP_CIRCUIT_OPEN",
        "PSP_BUSY",
        "PROCESSING_ERROR",
    }
)
_OUR_WORDS = frozenset(
    {
        "NOT_DUE",
        "ACTION_REQUIRED",
        "PSP_PENDING",
        "POISON",
        "WALK_FAILED",
        "INVALID_REQUEST",
        "UNDECIPHERABLE",
        "DATA_KEY_MISSING",
        "UNREADABLE",
    }
)
NONE, OTHER, REFUSED, SERVICE_TROUBLE = "NONE", "OTHER", "REFUSED", "SERVICE_TROUBLE"
CLASSES = _PSP_WORDS | _OUR_WORDS | {NONE, OTHER, REFUSED, SERVICE_TROUBLE}


def reason_class(reason: str) -> str:
    """Name the class of a reason, one of CLASSES.

    Our own services' trouble is named by the command that met it: "ExecuteCharge: UNAVAILABLE".
    """
    if not reason:
        return NONE
    word, colon, _ = reason.partition(":")
    if word in _PSP_WORDS or word in _OUR_WORDS:
        return word
    if word == "refused":
        return REFUSED
    return SERVICE_TROUBLE if colon and word[:1].isupper() and not word.isupper() else OTHER
