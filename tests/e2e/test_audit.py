"""The audit: clean on a stack where everything happened once, and whatever is wrong is named."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner, Result

from devstack.audit import (
    CHECKERS,
    Facts,
    NotAudited,
    NotQuiescent,
    Told,
    gather,
    judge,
    judge_all,
    quiesce,
    unchecked,
    violations,
)
from devstack.audit.by_rpc import Targets, audit_by_rpc
from devstack.audit.checks.spending import overspent
from devstack.audit.facts import LimitFact, RecordFact, ResolutionFact
from devstack.audit.live import digest_tables, ledger_sums, unbalanced_transactions
from devstack.cli import main
from devstack.stack import Stack, running_stack
from devstack.state import State, reachable_folder
from tests.conftest import whole
from tests.e2e.audited import CANARY, everything
from tests.e2e.copies import Plant
from tests.e2e.plants import PLANTS, declined_by_nobody
from tests.e2e.plants_of_money import paid_by_no_bank, spent
from tests.e2e.wrongs import RPC_WRONGS, UNLOGGED, WRONGS, made_wrong, owner


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of its own, whose payment_svc audits every second."""
    with pytest.MonkeyPatch.context() as patch, reachable_folder("paymesh-audit-") as folder:
        patch.setenv("AUDIT_EVERY_S", "1")
        with running_stack(folder) as stack:
            whole(stack.state)
            yield stack


@pytest.fixture(scope="module")
def gathered(stack: Stack) -> tuple[Facts, Told]:
    """What is true once everything has happened, and what the test knows of it."""
    return asyncio.run(everything(stack))


def test_everything_holds_after_everything_happened(gathered: tuple[Facts, Told]) -> None:
    """No checker finds anything, and all were judged."""
    facts, told = gathered

    verdicts = judge_all(CHECKERS, facts, told)

    assert violations(verdicts) == []
    assert unchecked(verdicts) == set()
    assert len(told.refusals or ()) > 12
    assert (len(facts.payments), len(facts.at_rest)) == (17, 17)
    assert {one.kind for one in facts.record} >= {"charge", "capture", "void", "refund", "decline"}


def test_every_checker_has_a_planted_violation() -> None:
    """None is a check that cannot fail."""
    assert list(PLANTS) == [checker.name for checker in CHECKERS]


@pytest.mark.parametrize(
    ("name", "plant"),
    [(name, plant) for name, plants in PLANTS.items() for plant in plants],
    ids=lambda one: one if isinstance(one, str) else one.__name__,
)
def test_a_planted_violation_is_named(
    gathered: tuple[Facts, Told], name: str, plant: Plant
) -> None:
    """In a copy of what is true one thing is made wrong: its checker names the offender."""
    facts, told, offender = plant(*gathered)
    checker = next(one for one in CHECKERS if one.name == name)

    verdict = judge(checker, facts, told)

    assert verdict.holds is False
    assert any(offender in offence.subject for offence in verdict.offences), verdict.offences


def test_what_two_persons_decided_is_evidence(gathered: tuple[Facts, Told]) -> None:
    """A decline that no PSP bears out is borne out by a resolution of its attempt."""
    facts, told, offender = declined_by_nobody(*gathered)
    attempt_id = offender.partition(" ")[0]
    checker = next(one for one in CHECKERS if one.name == "INV-12")
    resolved = replace(facts, resolutions=[ResolutionFact(attempt_id, "NOT_CHARGED")])

    assert judge(checker, facts, told).holds is False
    assert judge(checker, resolved, told).holds is True


@pytest.mark.parametrize(("kind", "holds"), [("limited", True), ("created", False)])
def test_a_psp_that_was_asked_too_often_is_evidence(
    gathered: tuple[Facts, Told], kind: str, holds: bool
) -> None:
    """A 429 says that nothing was done: its line in the PSP's record bears a decline out."""
    facts, told, offender = declined_by_nobody(*gathered)
    attempt_id = offender.partition(" ")[0]
    checker = next(one for one in CHECKERS if one.name == "INV-12")
    heard = (facts.record or ())[0]
    line = heard._replace(kind=kind, attempt_id="", key=f"{attempt_id}:charge")

    verdict = judge(checker, replace(facts, record=[*(facts.record or ()), line]), told)

    assert verdict.holds is holds


@pytest.mark.parametrize(
    ("delivery", "is_heard", "holds"),
    [("NOT_SENT", False, True), ("NOT_SENT", True, False), ("SENT_NO_ANSWER", False, False)],
)
def test_what_was_never_sent_needs_no_word_of_the_psp(
    gathered: tuple[Facts, Told], delivery: str, is_heard: bool, holds: bool
) -> None:
    """A circuit that was open is evidence, as long as the PSP has never heard of the attempt."""
    facts, told, attempt_id = declined_by_nobody(*gathered)
    checker = next(one for one in CHECKERS if one.name == "INV-12")
    attempts = [
        one._replace(delivery=delivery, psp_reference="") if one.attempt_id == attempt_id else one
        for one in facts.attempts
    ]
    lines = [
        one
        for one in facts.record or ()
        if attempt_id not in (one.attempt_id, (one.key or "").partition(":")[0])
    ]
    if is_heard:
        heard = (facts.record or ())[0]
        lines.append(heard._replace(kind="created", attempt_id=attempt_id, key=None))

    verdict = judge(checker, replace(facts, attempts=attempts, record=lines), told)

    assert verdict.holds is holds


def test_a_bank_pays_out_what_was_ordered_and_other_things(
    gathered: tuple[Facts, Told],
) -> None:
    """An order is borne out by the bank's own line; what else leaves the account is not ours."""
    facts, told, _ = paid_by_no_bank(*gathered)
    checker = next(one for one in CHECKERS if one.name == "INV-2")
    lines = [
        RecordFact(10**6 + n, "bank", "payout", name, name, Decimal(5), "EUR", "", "", None)
        for n, name in enumerate(("E2E", "RENT"))
    ]

    verdict = judge(checker, replace(facts, record=[*(facts.record or ()), *lines]), told)

    assert verdict.offences == ()


@pytest.mark.parametrize(("kind", "available"), [("REFUND", 500), ("CHARGEBACK", 500)])
def test_what_is_taken_back_may_lack(
    gathered: tuple[Facts, Told], kind: str, available: int
) -> None:
    """Its money has left elsewhere already."""
    facts, told = gathered

    assert list(overspent(spent(facts, kind, available), told)) == []


def test_a_limit_counts_as_it_was_then(gathered: tuple[Facts, Told]) -> None:
    """What was allowed when it was done stays so when the limit is lowered."""
    facts, told = gathered
    worse = spent(facts, "DEBIT", 500)
    wallet_id = facts.wallets[0].wallet_id
    later, earlier = (LimitFact(wallet_id, 10**6 + n, Decimal(500)) for n in (1, -1))

    assert list(overspent(replace(worse, limits=[later]), told)) == []
    assert list(overspent(replace(worse, limits=[earlier]), told)) != []


def test_a_canary_in_a_log_is_found(gathered: tuple[Facts, Told], tmp_path: Path) -> None:
    """Also across the border of two reads."""
    facts, told = gathered
    (tmp_path / "a.log").write_bytes(b"x" * ((1 << 20) - 5) + CANARY.encode())
    checker = next(one for one in CHECKERS if one.name == "INV-16")

    verdict = judge(checker, facts, replace(told, folders=[tmp_path], dumps={}))

    assert [offence.subject for offence in verdict.offences] == ["card number"]


def test_sums_and_digests_are_of_every_table(stack: Stack, gathered: tuple[Facts, Told]) -> None:
    """The live reads see balanced books; digests are the same as long as nothing happens."""
    url = stack["databases"]["ledger"]

    digests, deadline = digest_tables(stack["databases"]), time.monotonic() + 60
    while (again := digest_tables(stack["databases"])) != digests:  # a seal is set now and then
        assert time.monotonic() < deadline
        digests = again

    assert set(ledger_sums(url).values()) == {Decimal(0)}
    assert unbalanced_transactions(url) == 0
    assert {"payment.payments", "ledger.entries", "psp.attempts"} <= digests.keys()
    assert len(gathered[0].transactions) == 12


async def test_an_incomplete_read_is_no_audit(stack: Stack) -> None:
    """A PSP record, a database or a proof that cannot be had is told, never passed over."""
    gone = "http://127.0.0.1:1"
    wallet = stack["databases"]["wallet"].replace("wallet_app:", "wallet_app:x")
    ledger = {**stack["services"], "ledger_svc": {"grpc": "127.0.0.1:1"}}

    for broken, why in (
        ({"psp_sandbox": {"url": gone}}, "PSPs' record"),
        ({"databases": {**stack["databases"], "wallet": wallet}}, "database"),
        ({"services": ledger}, "ledger does not prove"),
        ({"databases": {}}, "does not say where"),
    ):
        with pytest.raises(NotAudited, match=why):
            await gather({**stack, **broken})


@pytest.mark.usefixtures("gathered")  # so that there are sagas
async def test_a_stack_that_does_not_come_to_rest_fails(stack: Stack) -> None:
    """What is still open at the deadline is told; it is no pass and no skip."""
    held = "UPDATE sagas SET lease_owner = %s, due_at = now() + interval '1 day'"
    one = " WHERE saga_id = (SELECT min(saga_id) FROM sagas WHERE queue = 'DONE')"
    with owner(stack, "payment") as database:
        database.execute(held + one, ["a zombie"])
        with pytest.raises(NotQuiescent) as raised:
            await quiesce(stack, 1.0, steady_s=0.2)
        database.execute("UPDATE sagas SET lease_owner = NULL, due_at = NULL" + one)

    assert raised.value.open == {"sagas held": 1}
    await quiesce(stack, 60.0, steady_s=0.2)


_ASKED_AGAIN = (
    "UPDATE sagas SET queue = 'WAITING', epoch = epoch + 1, lease_owner = 'a worker',"
    " due_at = now() + interval '1 day', memory = memory || jsonb_build_object('unknown_since',"
    " now() - %s::interval)"
)
_FORGOTTEN = (
    "UPDATE sagas SET queue = 'DONE', lease_owner = NULL, due_at = NULL,"
    " memory = memory - 'unknown_since'"
)


@pytest.mark.usefixtures("gathered")  # so that there are sagas
async def test_what_is_asked_for_again_and_again_is_at_rest(stack: Stack) -> None:
    """Of a saga that has long waited for its PSP's word only the counts of asking move; one that
    has waited for less than a minute may still come to its end.
    """
    one = " WHERE saga_id = %s"
    with owner(stack, "payment") as database:
        (name,) = database.execute("SELECT min(saga_id) FROM sagas WHERE queue = 'DONE'").fetchone()

        async def ask_again() -> None:
            while True:
                database.execute(_ASKED_AGAIN + one, ["1 hour", name])
                await asyncio.sleep(0.02)

        asking = asyncio.create_task(ask_again())
        await quiesce(stack, 60.0, steady_s=1.0)
        asking.cancel()

        database.execute(_ASKED_AGAIN + one, ["10 seconds", name])
        with pytest.raises(NotQuiescent) as raised:
            await quiesce(stack, 1.0, steady_s=0.2)
        database.execute(_FORGOTTEN + one, [name])

    assert raised.value.open == {"sagas held": 1}
    await quiesce(stack, 60.0, steady_s=0.2)


def run_audit(stack: Stack, *more: str) -> Result:
    """Run the command on the stack, in this process."""
    return CliRunner().invoke(main, ["audit", *more, "--state", str(stack.state.folder)])


@pytest.mark.usefixtures("gathered")
@pytest.mark.parametrize(
    ("context", "wrong", "right", "name"), UNLOGGED, ids=[one[0] for one in UNLOGGED]
)
def test_what_no_audit_log_tells_is_named(
    stack: Stack, context: str, wrong: str, right: str, name: str
) -> None:
    """By the command with everything at hand, and with the services alone."""
    with made_wrong(stack, context, wrong, right):
        answers = [run_audit(stack, "--json", *more) for more in ([], ["--without-psp-record"])]

    for found in answers:
        told = {one["name"]: one for one in json.loads(found.stdout)["invariants"]}
        assert (found.exit_code, told["INV-15"]["holds"]) == (1, False)
        assert any(one["subject"].startswith(name) for one in told["INV-15"]["offences"]), told


@pytest.mark.usefixtures("gathered")
@pytest.mark.parametrize(
    ("name", "context", "wrong", "right"), WRONGS, ids=[wrong[0] for wrong in WRONGS]
)
def test_the_command_names_what_was_made_wrong(
    stack: Stack, name: str, context: str, wrong: str, right: str
) -> None:
    """What the owner's hand made wrong is an exit code of 1, with the invariant and the offender;
    made right again the audit is clean.
    """
    with made_wrong(stack, context, wrong, right):
        found = run_audit(stack, "--json")

    told = json.loads(found.stdout)
    violated = {one["name"]: one for one in told["invariants"] if one["holds"] is False}
    assert (found.exit_code, told["clean"]) == (1, False)
    assert violated[name]["offence_count"] >= 1
    assert violated[name]["offences"][0]["subject"]


@pytest.mark.usefixtures("gathered")
@pytest.mark.parametrize(
    ("name", "context", "wrong", "right"), RPC_WRONGS, ids=[wrong[0] for wrong in RPC_WRONGS]
)
async def test_the_services_find_it_themselves(
    stack: Stack, name: str, context: str, wrong: str, right: str
) -> None:
    """Asked by RPC alone they name the same, and are clean before and after it."""
    services = stack["services"]
    names = ("payment_svc", "wallet_svc", "ledger_svc", "psp_gateway", "edge_auth")
    targets = Targets(*(services[name]["grpc"] for name in names))
    before = await audit_by_rpc(targets)
    with made_wrong(stack, context, wrong, right):
        found = await audit_by_rpc(targets)

    violated = {verdict.name: verdict for verdict in found if verdict.holds is False}
    assert violations(before) == []
    assert violated[name].offences[0].subject


async def test_the_gauges_tell_what_is_unsound(stack: Stack) -> None:
    """The job of payment_svc counts violations by invariant, and says when it last came through."""
    metrics = stack["services"]["payment_svc"]["metrics"]

    async def until(line: str) -> None:
        async with asyncio.timeout(60), aiohttp.ClientSession() as http:
            while True:
                async with http.get(metrics) as answer:
                    if line in (text := await answer.text()):
                        break
                await asyncio.sleep(0.05)
        (moment,) = re.findall(r"^paymesh_audit_last_success_timestamp (\S+)$", text, re.M)
        assert abs(float(moment) - time.time()) < 120

    _, context, wrong, right = next(one for one in WRONGS if one[0] == "I8")
    with made_wrong(stack, context, wrong, right):
        await until('paymesh_audit_violations{invariant="I8"} 2.0')
    await until('paymesh_audit_violations{invariant="I8"} 0.0')


@pytest.mark.usefixtures("gathered")
def test_the_command_says_clean_or_not_audited(stack: Stack, tmp_path: Path) -> None:
    """Clean is 0, with what was looked at; what cannot be read is 2 and proves nothing."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    gone = {**stack, "psp_sandbox": {"url": "http://127.0.0.1:1"}}
    (folder / "stack.json").write_text(json.dumps(gone))

    program = str(Path(sys.executable).with_name("paymesh"))
    clean = subprocess.run(
        [program, "audit", "--quiesce", "50", "--state", str(stack.state.folder)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    young = run_audit(stack, "--since", "2999-01-01")
    broken = run_audit(Stack(State(folder), gone))
    wrong = run_audit(stack, "--since", "yesterday")
    by_rpc = run_audit(stack, "--without-psp-record", "--since", "1h")
    nobody = run_audit(stack, "--without-psp-record", "--ledger-target", "127.0.0.1:1")
    mixed = run_audit(stack, "--ledger-target", "127.0.0.1:1")

    assert clean.returncode == 0, clean.stdout
    assert "17 payments, 17 of them judged at rest" in clean.stdout
    assert clean.stdout.rstrip().endswith("clean.")
    assert "0 of them judged at rest" in young.stdout
    assert (broken.exit_code, wrong.exit_code) == (2, 2)
    assert broken.stderr.splitlines()[-1].startswith("NOT AUDITED: the PSPs' record")
    assert by_rpc.exit_code == 0, by_rpc.output
    assert (nobody.exit_code, mixed.exit_code) == (2, 2)
    assert "NOT AUDITED: UNAVAILABLE" in nobody.stderr
    assert "go with --without-psp-record" in mixed.stderr
    assert "neither a moment nor how long ago" in wrong.stderr
