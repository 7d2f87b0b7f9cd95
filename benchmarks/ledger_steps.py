"""Processor time of the ledger's service by step of a batch, without gRPC and without PostgreSQL.

`make bench ONLY=ledger_steps`: µs per transaction of two entries in batches of 1,000 on 10,000
accounts, the least of BATCHES (200 by default), which others on the machine disturb the least. What
is read and written over gRPC and to PostgreSQL comes on top, so `make bench ONLY=ledger` says more.
"""

import gc
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from random import Random

from paymesh.ledger.v1 import ledger_service_pb2 as service
from rich.console import Console
from rich.table import Table

from benchmarks.ledger import PLATFORM, LedgerWorkload, seller
from benchmarks.results import Measure
from benchmarks.scenarios import Shape
from benchmarks.workload import ACCOUNTS, STAMP_PLACE
from chassis.clock import utc_now
from chassis.money import Money
from ledger_svc import glance, messages
from ledger_svc.batch import Batch, touched
from ledger_svc.domain.account import Account, AccountStatus, AccountType, Standing
from ledger_svc.domain.books import Books
from ledger_svc.domain.chain import Head
from ledger_svc.domain.decisions import decide
from ledger_svc.domain.posting import Posting
from ledger_svc.known_accounts import KnownAccounts
from ledger_svc.recent_transactions import RecentTransactions
from ledger_svc.streams import Stream

_SIZE = 1000
_REQUESTS = 20  # made ahead, in turn
_TICK = timedelta(microseconds=1)


class Steps:
    """What a batch passes, in the pipeline's order; `least_s` holds each step's least time."""

    def __init__(self) -> None:
        self.least_s: dict[str, float] = {}
        self._known, self._recent = KnownAccounts(), RecentTransactions()
        self._stream = Stream(Head(1), 1)

    def open(self) -> None:
        """Know all accounts, as after some batches."""
        nothing = Money.zero("USD")
        standing = Standing(nothing, nothing, nothing, 0)
        kinds = {PLATFORM: AccountType.ASSET} | {
            seller(n): AccountType.LIABILITY for n in range(ACCOUNTS)
        }
        self._known.learn(
            Account(name, key, kind, "USD", AccountStatus.OPEN, None, None, standing, utc_now())
            for key, (name, kind) in enumerate(kinds.items(), 1)
        )

    def serve(self, encoded: bytes) -> None:
        """Do what the service does with a request, up to its answer."""
        with self._step("decode the message"):
            request = service.PostTransactionsRequest.FromString(encoded)
        with self._step("message to postings"):
            asked = glance.to_postings(request)
        assert asked
        batch = self._decide(asked)
        with self._step("columns to bytes"):
            for column in batch.rows.values():
                _ = column.encode() if isinstance(column, str) else column
        with self._step("transactions to messages"):
            response = service.PostTransactionsResponse()
            for outcome in batch.outcomes:
                messages.write_posting_result(response.results.add(), outcome)
        with self._step("encode the answer"):
            response.SerializeToString()
        assert len(batch.books.written) == _SIZE

    def _decide(self, postings: Sequence[Posting]) -> Batch:
        with self._step("look up what is known"):
            names = touched(postings)
            assert not self._known.missing(names)
            accounts, standings = self._known.recall(names)
            last = max(account.last_entry_at for account in accounts)
            head = self._stream.head
            now = max(utc_now(), last + _TICK, head.written_at + _TICK)
            found = self._recent.find(postings)
            books = Books(accounts, found, (), standings=standings, head=head, now=now)
        with self._step("decide, number, hash"):
            outcomes = decide(books, postings)
        with self._step("decisions to columns"):
            batch = Batch(postings, outcomes, books, self._stream)
        with self._step("keep what the batch leaves"):
            self._stream.head = books.head
            self._known.follow(books)
            self._recent.keep(books.written)
        return batch

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        took = time.process_time() - began
        self.least_s[name] = min(took, self.least_s.get(name, took))


def run() -> list[Measure]:
    """Take a service's steps in this process, one batch after the other."""
    count = int(os.environ.get("BATCHES", "200"))
    workload, choose = LedgerWorkload(), Random(1)
    requests = [workload.request(Shape.UNIFORM, _SIZE, choose) for _ in range(_REQUESTS)]
    steps = Steps()
    steps.open()
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)  # as the chassis has it
    for number in range(count):
        place = STAMP_PLACE.encode()
        steps.serve(requests[number % _REQUESTS].replace(place, b"%08x" % number))
    return _told(steps, count)


def _told(steps: Steps, count: int) -> list[Measure]:
    each_us = {name: least / _SIZE * 1e6 for name, least in steps.least_s.items()}
    each_us["all"] = sum(each_us.values())
    table = Table("step", "µs per transaction", title=f"the least of {count} batches of {_SIZE:,}")
    for name, us in each_us.items():
        table.add_row(name, f"{us:.1f}", style="bold" if name == "all" else "")
    Console().print(table)
    return [
        Measure(f"ledger_step_{name.replace(',', '').replace(' ', '_')}", round(us, 2), "us", count)
        for name, us in each_us.items()
    ]
