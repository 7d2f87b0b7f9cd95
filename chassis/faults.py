"""Points at which a test can end, delay or fail a process; inert unless FAULT_POINTS names them."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chassis.settings import SettingsError

_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class InjectedFault(Exception):
    """A test asked for this failure."""


@dataclass(slots=True)
class FaultPoints:
    """What to do at which point: `pay_in.charge.before=kill@3,store.commit=fail` kills at the third
    passing. An action is kill or stop (SIGKILL or SIGSTOP to the own process), fail (raise
    InjectedFault), or sleep:SECONDS. `@FILE` is a plan that is read anew at each point.
    """

    plan: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    _file: Path | None = None
    _read: str = ""
    _passed: Counter[str] = field(default_factory=Counter)

    @classmethod
    def parse(cls, text: str, environment: str) -> "FaultPoints":
        """Read FAULT_POINTS.

        Raises:
            SettingsError: the text is malformed, or the environment is production.
        """
        if text and environment == "production":
            raise SettingsError("FAULT_POINTS must be empty in production")
        return cls(_file=Path(text[1:])) if text.startswith("@") else cls(_plan(text))

    async def reach(self, name: str) -> None:
        """Pass the point; do what the plan says at its nth passing.

        Raises:
            InjectedFault: the plan says fail.
        """
        if self._file is not None and (text := self._file.read_text()) != self._read:
            self._read, self.plan, self._passed = text, _plan(text), Counter()
        if name not in self.plan:
            return
        action, nth = self.plan[name]
        self._passed[name] += 1
        if self._passed[name] != nth:
            return
        if action in _SIGNALS:
            os.kill(os.getpid(), _SIGNALS[action])
            return
        if action == "fail":
            raise InjectedFault(name)
        await asyncio.sleep(float(action.removeprefix("sleep:")))


def _plan(text: str) -> Mapping[str, tuple[str, int]]:
    plan = {}
    for part in filter(None, text.split(",")):
        name, _, action = part.partition("=")
        action, _, nth = action.partition("@")
        if action not in (*_SIGNALS, "fail") and not action.startswith("sleep:"):
            raise SettingsError(f"FAULT_POINTS: {part!r} is no kill, stop, fail or sleep:SECONDS")
        plan[name] = (action, int(nth or 1))
    return plan
