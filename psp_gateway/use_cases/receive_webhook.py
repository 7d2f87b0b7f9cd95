"""ReceiveWebhook: check the signature, store it raw, answer as the PSP wants; the rest is later."""

from collections.abc import Mapping
from datetime import datetime

from psp_gateway.domain.errors import BadSignature
from psp_gateway.domain.inbox import Raw
from psp_gateway.ports import Inbox, Webhooks

# Adyen wants these words, in which every 2xx counts; the others look at the status alone.
_ANSWERS = {"adyen": (b"[accepted]", "text/plain")}
_DEFAULT = (b"{}", "application/json")


async def receive_webhook(
    readers: Mapping[str, Webhooks], inbox: Inbox, raw: Raw, now: datetime
) -> tuple[bytes, str, int]:
    """Take in a webhook; answer the body and content type to be sent, and how many of its events
    were not known.

    Raises:
        BadSignature: it is not the PSP's, or the PSP is not configured; nothing was stored.
        UnreadableWebhook: it is the PSP's and cannot be read; nothing was stored.
        Unavailable: it could not be stored; the PSP sends it again.
    """
    reader = readers.get(raw.psp)
    if reader is None:
        raise BadSignature(f"no webhooks of {raw.psp} are configured")
    headers = {name.lower(): value for name, value in raw.headers}
    events = reader.read_webhook(headers, raw.body, now=now)
    new_count = await inbox.put(raw, events)
    return (*_ANSWERS.get(raw.psp, _DEFAULT), new_count)
