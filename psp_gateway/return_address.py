"""Where a buyer comes back to from a PSP, with which charge it is about."""

from urllib.parse import quote

from psp_gateway.domain.attempt import Attempt


def with_attempt(url: str, attempt: Attempt) -> str:
    """Add the attempt to the query: whoever serves the address learns which charge to go on with
    (`ResumeCharge`).
    """
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}attempt_id={quote(attempt.attempt_id, safe='')}"
