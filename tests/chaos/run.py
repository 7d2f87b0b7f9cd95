"""A run: load under trouble, healing, coming to rest, and the checks over all that is left."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from devstack.trail import Operator
from tests.chaos import aftermath, verdicts
from tests.chaos.api import Api, Recorder
from tests.chaos.clients import Client, Pace
from tests.chaos.history.events import History, save
from tests.chaos.history.rules import check
from tests.chaos.nemesis import Nemesis
from tests.chaos.notices import Receiver, listening
from tests.chaos.outcome import SERVING_AFTER, Outcome
from tests.chaos.readers import BankReader
from tests.chaos.schedule import draw, sorts
from tests.chaos.stage import Stage, fenced

Tell = Callable[[str], None]
_BACK_S = 180.0  # of waiting for all to serve; how long it took is judged apart
_TELL_EVERY_S = 10.0


class Play:
    """One run on a stage.

    Args:
        seconds: of trouble.
        clients: concurrent.
        per_s: payments begun a second at most, in all.
        window_s: how long everything may take to come to rest after healing.
        tell: is given lines of progress.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        seconds: float,
        seed: int,
        clients: int,
        per_s: float,
        window_s: float,
        tell: Tell,
    ) -> None:
        self._stage = stage
        self._seconds, self._seed = seconds, seed
        self._count, self._per_s = clients, per_s
        self._window_s = window_s
        self._tell = tell
        self._recorder = Recorder()
        self._made: Counter[str] = Counter()
        self.schedule = draw(seed, seconds)
        self.nemesis = Nemesis(stage)
        self.outcome = Outcome(seconds, seed, drawn=sorts(self.schedule))

    async def run(self, saved: Path) -> Outcome:
        """Play it whole; the history is saved for whoever wants to look at it again."""
        stack = self._stage.described
        bank = BankReader(stack)
        reading = asyncio.create_task(bank.run())
        async with (
            listening(stack, self._seed) as receiver,
            Api(stack, self._recorder) as api,
            Operator(stack) as operator,
        ):
            healed = await self._trouble(api)
            rest = await aftermath.come_to_rest(api, operator, healed, self._window_s)
            self._tell(f"at rest; {len(rest.payments)} payments, {len(rest.dead)} dead letters")
            await self._final_reads(api, rest)
            reading.cancel()
            await self._judge(api, rest, receiver, bank, saved)
        return self.outcome

    async def _trouble(self, api: Api) -> float:
        """Let clients shop and the nemesis strike, both for the run's seconds, then heal; answer
        when that was done. Clients may take a little longer with what they have begun.
        """
        pace, closing = Pace(self._per_s), asyncio.Event()
        until = time.monotonic() + self._seconds
        shops = [Client(number, self._seed, api, self._made) for number in range(self._count)]
        progress = asyncio.create_task(self._progress())
        async with asyncio.TaskGroup() as group:
            for shop in shops:
                group.create_task(shop.shop(closing, pace.turn))
            await self.nemesis.run(self.schedule)
            await asyncio.sleep(max(0.0, until - time.monotonic()))
            await self.nemesis.make_sure(self.schedule)
            closing.set()
            await self._heal()
            healed = time.monotonic()
        progress.cancel()
        return healed

    async def _progress(self) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            struck = self.nemesis.struck
            self._tell(
                f"{time.monotonic() - began:4.0f} s: {self._made.total()} payments begun,"
                f" {struck['kill']} kills, {struck['postgres_crash']} PostgreSQL crashes,"
                f" {struck['redis_loss']} Redis losses, {struck['pause']} pauses,"
                f" {struck['lost COMMIT answers']} COMMIT answers lost"
            )

    async def _heal(self) -> None:
        """Lift all trouble and wait until everything serves again.

        Raises:
            TimeoutError: something does not; it names what, with its last lines.
        """
        self._tell("healing")
        began = time.monotonic()
        self.nemesis.wake()
        while away := self._away():
            if time.monotonic() - began > _BACK_S:
                last = [f"{name}: {self._stage.state.last_lines(name, 5)}" for name in away]
                raise TimeoutError("\n".join(["these do not serve again:", *last]))
            await asyncio.sleep(0.1)
        await self.nemesis.heal()
        self.outcome.figures[SERVING_AFTER] = round(time.monotonic() - began, 1)

    def _away(self) -> list[str]:
        """Name what does not serve now."""
        described = self._stage.state.stack()
        if described is None:
            return ["supervisor"]
        entries = described["services"] | described["processes"]
        return [name for name, entry in entries.items() if not entry["healthy"]]

    async def _final_reads(self, api: Api, rest: aftermath.Rest) -> None:
        """Read every payment once more as a client, now that nothing moves."""
        turns = asyncio.Semaphore(16)

        async def read(payment_id: str) -> None:
            async with turns:
                await api.read(payment_id)

        await asyncio.gather(*(read(payment["payment_id"]) for payment in rest.payments))

    async def _judge(
        self, api: Api, rest: aftermath.Rest, receiver: Receiver, bank: BankReader, saved: Path
    ) -> None:
        outcome = self.outcome
        outcome.struck, outcome.journeys = self.nemesis.struck, self._made
        outcome.answers = dict(sorted(self._recorder.statuses.items()))
        events = self._recorder.events
        facts, broken = await verdicts.audited(self._stage, events, receiver, self._window_s)
        stored = verdicts.stored(facts, self._stage.described["client"]["id"])
        listed = verdicts.listed(await aftermath.listed(api))
        history = History(events, stored, verdicts.posted(facts), listed)
        await asyncio.to_thread(save, history, saved)
        found = await asyncio.to_thread(check, history)
        outcome.violations += broken
        if receiver.forged:
            outcome.violations.append(f"{receiver.forged} webhooks did not verify")
        outcome.violations += [f"{violation.rule}: {violation.offender}" for violation in found]
        outcome.violations += [f"the ledger did not sum to zero: {one}" for one in bank.wrong]
        outcome.figures |= {
            "payments": len(rest.payments),
            "calls recorded": len(history.events),
            "ledger reads": bank.reads,
            "ledger reads unanswered": bank.failed,
            "longest the ledger did not answer": round(bank.longest_gap_s, 1),
            "webhooks received": len(receiver.notices),
            "late writes refused": fenced(self._stage.state),
        }
        outcome.judge_rest(rest)
