"""A PSP with pages in memory: opened once per key, paid by whoever has the address, closed once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from psp_gateway.domain.answer import Absent, Created, Verdict, no_answer, not_sent, unusable
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.hosted_page import Opened, PageRequest, Reply
from psp_gateway.domain.reasons import Reason
from tests.builders import NOW
from tests.unit.psp_gateway.fakes import FakePsp

PAGE = PageRequest("https://shop.example/ok", "https://shop.example/no", NOW + timedelta(hours=1))


@dataclass
class _Page:
    attempt_id: str
    reference: str
    state: str = "open"  # open, agreed, paid, closed


@dataclass
class FakePages:
    """`ports.HostedPage` in memory.

    Args:
        psp: draws the faults, and has what is confirmed after a page.
        wants_a_word: the buyer only agrees on the page; the money moves by a confirmation.
    """

    psp: FakePsp
    wants_a_word: bool = False
    pages: dict[str, _Page] = field(default_factory=dict)
    _kept: dict[str, Reply] = field(default_factory=dict)

    async def open_page(self, attempt: Attempt, *, page: PageRequest, key: str) -> Reply:
        """See `ports.HostedPage`."""

        def effect() -> Reply:
            number = len(self.pages) + 1
            opened = _Page(attempt.attempt_id, f"cs_{number}")
            self.pages[f"https://psp.example/{number}"] = opened
            return Opened(opened.reference, f"https://psp.example/{number}", page.expires_at)

        return self._send(key, effect)

    async def read_page(self, attempt: Attempt) -> Reply:
        """See `ports.HostedPage`."""
        fault = next(self.psp.faults, "none")
        return unusable("500") if fault != "none" else self._read(attempt.psp_reference)

    async def close_page(self, attempt: Attempt, *, key: str) -> Reply:
        """See `ports.HostedPage`."""

        def effect() -> Reply:
            page = self._of(attempt.psp_reference)
            if page.state == "open":
                page.state = "closed"
            return self._read(page.reference)

        return self._send(key, effect)

    def visit(self, url: str) -> None:
        """Let whoever has the address pay, or agree; nothing happens on a page that is over."""
        page = self.pages[url]
        if page.state != "open":
            return
        page.state = "agreed" if self.wants_a_word else "paid"
        if self.wants_a_word:
            self.psp.agree(page.reference, page.attempt_id)
        else:
            self.psp.moved.append(("charge", page.attempt_id))

    def _of(self, reference: str) -> _Page:
        return next(page for page in self.pages.values() if page.reference == reference)

    def _read(self, reference: str) -> Reply:
        for url, page in self.pages.items():
            if page.reference != reference:
                continue
            match page.state:
                case "open":
                    return Opened(reference, url, PAGE.expires_at)
                case "agreed":
                    return Created(reference)
                case "paid":
                    return Verdict(Outcome.SUCCEEDED, reference=f"pi_of_{reference}")
                case _:
                    return Verdict(Outcome.DECLINED, reason=Reason.PSP_CANCELLED)
        return Absent()

    def _send(self, key: str, effect: Callable[[], Reply]) -> Reply:
        def once() -> Reply:
            if key not in self._kept:
                self._kept[key] = effect()
            return self._kept[key]

        match next(self.psp.faults, "none"):
            case "not_sent":
                return not_sent()
            case "lost" | "held":
                once()
                return no_answer()
            case "error_before" | "rate_limited":
                return unusable("500")
            case "error_before_kept" | "error_after_kept" if key not in self._kept:
                effect()
                self._kept[key] = unusable("500", is_replay=True)
                return self._kept[key]
            case _:
                return once()
