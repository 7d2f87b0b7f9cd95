"""Multipart bodies, the same bytes for the same parts: a PSP compares what comes under one key."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form.

    Attributes:
        name, file_name, content_type: printable ASCII without quotes; the latter two empty for a
            plain field.
    """

    name: str
    content: bytes
    file_name: str = ""
    content_type: str = ""


def encode(parts: Sequence[Part]) -> tuple[bytes, str]:
    """Write parts as RFC 7578 wants them; answer the body and its content type."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.content).digest())
    boundary = f"paymesh-{digest.hexdigest()[:40]}"  # at most 70 characters: RFC 2046
    written = [b"".join(_part(boundary, part)) for part in parts]
    body = b"".join([*written, f"--{boundary}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, part: Part) -> Sequence[bytes]:
    disposition = f'form-data; name="{part.name}"'
    if part.file_name:
        disposition += f'; filename="{part.file_name}"'
    lines = [f"--{boundary}", f"Content-Disposition: {disposition}"]
    if part.content_type:
        lines.append(f"Content-Type: {part.content_type}")
    return ["\r\n".join([*lines, "", ""]).encode(), part.content, b"\r\n"]
