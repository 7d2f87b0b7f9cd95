"""ReceiveWebhook: check the signature, store it raw, answer as the PSP wants; the rest is later."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psp_gateway.domain.errors import BadSignature, CertificateNeeded
from psp_gateway.domain.inbox import Raw
from psp_gateway.ports import CertificateSource, Inbox, Webhooks

# Adyen wants these words, in which every 2xx counts; the others look at the status alone.
_ANSWERS = {"adyen": (b"[accepted]", "text/plain")}
_DEFAULT = (b"{}", "application/json")


@dataclass(frozen=True, slots=True)
class Receiving:
    """What taking in takes: the readers by PSP, and where certificates come from."""

    readers: Mapping[str, Webhooks]
    inbox: Inbox
    certificates: CertificateSource


async def receive_webhook(receiving: Receiving, raw: Raw, now: datetime) -> tuple[bytes, str, int]:
    """Take in a webhook; answer the body and content type to be sent, and how many of its events
    were not known.

    Raises:
        BadSignature: it is not the PSP's, or the PSP is not configured; nothing was stored.
        UnreadableWebhook: it is the PSP's and cannot be read; nothing was stored.
        Unavailable: it could not be checked or stored; the PSP sends it again.
    """
    reader = receiving.readers.get(raw.psp)
    if reader is None:
        raise BadSignature(f"no webhooks of {raw.psp} are configured")
    headers = {name.lower(): value for name, value in raw.headers}
    try:
        events = reader.read_webhook(headers, raw.body, now=now)
    except CertificateNeeded as needed:
        await receiving.certificates.fetch(needed.url)
        events = reader.read_webhook(headers, raw.body, now=now)
    new_count = await receiving.inbox.put(raw, events)
    return (*_ANSWERS.get(raw.psp, _DEFAULT), new_count)
