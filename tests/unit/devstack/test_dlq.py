"""`paymesh dlq`: what it takes, what it tells, and that it never changes anything unasked."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from paymesh.payment.v1 import operations_service_pb2 as operations

from chassis.interceptors import validate
from devstack import dlq_show
from devstack.cli import main
from devstack.dead_letters import DeadLetters
from devstack.dlq import Span, confirm
from devstack.state import StackError


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
    ],
)
def test_spans_are_read(text: str, span: timedelta) -> None:
    """A number and a unit."""
    assert Span().convert(text, None, None) == span


@pytest.mark.parametrize("text", ["", "5", "h", "1.5h", "-1s", "1w", "٣h"])
def test_other_spans_are_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(click.BadParameter, match="30s"):
        Span().convert(text, None, None)


def test_where_nobody_can_be_asked_nothing_is_changed(capsys: pytest.CaptureFixture[str]) -> None:
    """What would happen is shown all the same."""
    with pytest.raises(StackError, match="--yes"):
        confirm(lambda: ["would do step void"], "Let it go on?", yes=False)
    confirm(lambda: ["would do step post"], "Let it go on?", yes=True)

    assert capsys.readouterr().err == "would do step void\nwould do step post\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["retry", "--why", "x"], "either SAGA_ID or --all"),
        (["retry", "sga_1", "--all", "--why", "x"], "either SAGA_ID or --all"),
        (["retry", "sga_1"], "--why"),
        (["resolutions", "--status", "MAYBE"], "contradicted"),
        (["resolve", "sga_1", "MAYBE", "--evidence", "x", "--why", "x"], "MAYBE"),
        (["discard", "sga_1", "--why", "x"], "--evidence"),
        (["approve", "res_1"], "--why"),
        (["list"], "paymesh up"),
    ],
)
def test_slips_are_told_in_a_line(tmp_path: Path, arguments: list[str], told: str) -> None:
    """Each names what is missing, and exits non-zero."""
    result = CliRunner().invoke(main, ["dlq", *arguments, "--state", str(tmp_path)])

    assert result.exit_code != 0
    assert told in result.output


class Letters:
    """payment_svc's operators' calls: so many dead letters fit."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.asked: list[operations.RetrySagasRequest] = []

    async def RetrySagas(
        self, request: operations.RetrySagasRequest, **_: Any
    ) -> operations.RetrySagasResponse:
        """Let them go on."""
        validate(request)
        self.asked.append(request)
        count = min(self.total, request.max_count)
        end = request.offset.ToTimedelta() + count * timedelta(seconds=1 / request.per_second)
        answer = operations.RetrySagasResponse(
            count=count,
            has_more=self.total > count,
            saga_ids=[f"sga_{n}" for n in range(20)][:count],
        )
        answer.next_offset.FromTimedelta(end)
        answer.as_of.GetCurrentTime()
        if request.dry_run:
            answer.total_count = self.total
        else:
            self.total -= count
        return answer


ALL: Mapping[str, Any] = {"kind": "", "reason": "", "older_than": timedelta(0), "payment": ""}


async def test_what_would_take_longer_than_a_day_is_refused_before_anything_is_changed() -> None:
    """And it is said at which pace it may be done."""
    letters = Letters(90_000)

    with pytest.raises(ValueError, match=r"25 h at 1 a second.*--per-second 2, or --max 86400"):
        await DeadLetters(letters, "ann").choose(100_000, 1.0, **ALL)

    assert [request.dry_run for request in letters.asked] == [True]


async def test_as_many_as_fit_into_a_day_all_go_on() -> None:
    """No portion of them is refused midway."""
    letters = Letters(86_400)
    dead = DeadLetters(letters, "ann")
    seen = await dead.choose(100_000, 1.0, **ALL)

    done = await dead.retry_many(seen, 100_000, 1.0, "Fixed", **ALL)

    assert done == {"count": 86_400, "has_more": False, "per_second": 1.0}


async def test_the_dry_run_tells_all_and_names_the_first() -> None:
    """Also where there are more than a call may choose."""
    seen = await DeadLetters(Letters(5_000), "ann").choose(3_000, 10.0, **ALL)

    told = dlq_show.chosen({**seen, "by_reason_class": {"POISON": 1000}}, 10.0)

    assert told[0] == "would let 3,000 of 5,000 go on, 10 a second: POISON 1000 (the first 1,000)"
    assert told[1:3] == ["  sga_0", "  sga_1"]
    assert told[-1] == "  … 2,980 more"


def test_a_plan_that_cannot_be_asked_is_told() -> None:
    """A bug is named by its class."""
    saga = {"saga_id": "sga_1", "queue": "DEAD_LETTER", "kind": "pay_in", "step": "charge"}
    saga |= {"turned_round": False, "reason": "POISON: KeyError"}  # type: ignore[dict-item]
    plan = {"step": "charge", "action": "do", "command": "", "keys": [], "amount": ""}
    plan |= {"problem": "KeyError", "policy": "…"}

    assert "cannot even be asked (KeyError)" in dlq_show.plan({"saga": saga, "plan": plan})[1]


@pytest.mark.parametrize(
    ("text", "said"), [("0s", "0 s"), ("90.5s", "90 s"), ("600s", "10 m"), ("172800s", "2 d")]
)
def test_ages_are_said_in_the_unit_that_suits(text: str, said: str) -> None:
    """Days for what is old, seconds for what is new."""
    depth = {"queue": "RETRY", "kind": "pay_in", "reason_class": "NONE", "depth": "1"}

    (line, *_) = dlq_show.listing({"queues": [{**depth, "oldest_age": text}], "sagas": []})

    assert line.endswith(f"oldest {said}")


def test_a_saga_that_is_over_is_shown_with_what_was_said_of_it() -> None:
    """What cannot be let go on any more can be looked at all the same."""
    told = dlq_show.saga({"is_over": "Saga sga_1 (DONE) cannot be let go on.", "resolutions": []})

    assert told == ["Saga sga_1 (DONE) cannot be let go on."]
