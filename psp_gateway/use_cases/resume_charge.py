"""ResumeCharge: a buyer has come back; the PSP is told what he brought, or asked about it."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Protocol, runtime_checkable

from psp_gateway.domain.attempt import Attempt, Outcome, Stage
from psp_gateway.domain.errors import AttemptNotFound
from psp_gateway.domain.hosted_page import Reply
from psp_gateway.ports import AttemptReader, Return
from psp_gateway.use_cases.look_again import keep, look_again
from psp_gateway.use_cases.take_further import Means


@runtime_checkable
class _Returning(Return, Protocol):
    """A provider that must be told."""


async def resume_charge(
    means: Means, reader: AttemptReader, attempt_id: str, details: Mapping[str, str]
) -> Attempt:
    """Go on with a charge that waits for its buyer; answer it as it then stands.

    Raises:
        AttemptNotFound: there is none.
        Unavailable: the store did not answer; asking again is safe.
    """
    attempt = await _find(reader, attempt_id)
    waits = attempt.outcome is Outcome.ACTION_REQUIRED or attempt.is_left_behind
    if not waits or not means.knows(attempt):
        return attempt
    provider = means.providers[attempt.psp]
    if isinstance(provider, _Returning) and attempt.stage is not Stage.PAGE:
        answer = await _tell(means, provider, attempt, details)
        await keep(means, attempt, answer, was_told=False)
    else:
        await look_again(means, attempt)
    return await _find(reader, attempt_id)


async def _tell(
    means: Means, provider: Return, attempt: Attempt, details: Mapping[str, str]
) -> Reply:
    # What is brought back twice is one request; something else is another.
    brought = sha256(repr(sorted(details.items())).encode()).hexdigest()[:16]
    key = f"{attempt.attempt_id}:complete-{brought}"
    return await means.guards[attempt.psp].ask(
        "complete", lambda: provider.complete_charge(attempt, details=details, key=key)
    )


async def _find(reader: AttemptReader, attempt_id: str) -> Attempt:
    found = await reader.find([attempt_id])
    if not found:
        raise AttemptNotFound(attempt_id)
    return found[0]
