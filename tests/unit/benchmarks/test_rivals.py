"""The comparison with other ledgers, without any of them: what is given, who is asked what, what is
told of it.
"""

import json
from pathlib import Path
from random import Random

import pytest
from rich.console import Console

from benchmarks import __main__ as command_line
from benchmarks import trial_report
from benchmarks.load import Requests
from benchmarks.rivals import given, rivals_report, tigerbeetle
from benchmarks.rivals.bouts import Bout, Contender, every_bout
from benchmarks.rivals.formance import FormanceAsking
from benchmarks.rivals.given import Given
from benchmarks.scenarios import Scenario, Shape
from chassis.settings import Environment, SettingsError
from tests.unit.benchmarks.builders import trial

VARIABLES = ("PGLEDGER_SQL", "FORMANCE_LEDGER", "TIGERBEETLE", "PGCRYPTO_CONTROL")
TOLD_BY_TIGERBEETLE = """
2026-11-30 10:34:40.831Z info: Benchmark running against { }
1000 batches in 7.06 s
transfer batch size = 100 txs
load accepted = 14161 tx/s
batch latency p1   = 5 ms
batch latency p50  = 19 ms
batch latency p99  = 170 ms
batch latency p100 = 181 ms
"""


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    """A file that stands for pgledger's."""
    path = tmp_path / "pgledger.sql"
    path.write_text("SELECT 1")
    return path


def test_without_any_rival_it_ends_with_what_to_give(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and one line that names every variable."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)

    status = command_line.main(["ledger_rivals"])

    told = capsys.readouterr().out.strip()
    assert status == 2
    assert "\n" not in told
    assert all(name in told for name in ("PGLEDGER_SQL=", "FORMANCE_LEDGER=", "TIGERBEETLE="))


def test_a_rival_that_is_not_given_is_named(sql: Path) -> None:
    """It is not passed over."""
    there = given.read(Environment({"PGLEDGER_SQL": str(sql)}))

    assert there.has(Contender.PAYMESH)
    assert there.has(Contender.PGLEDGER)
    assert there.has(Contender.PGLEDGER_BARE)
    assert not there.has(Contender.FORMANCE)
    assert [line.rpartition(" is not set")[0].rpartition(" ")[2] for line in there.missing] == [
        "FORMANCE_LEDGER",
        "TIGERBEETLE",
    ]


@pytest.mark.parametrize("name", VARIABLES)
def test_what_is_not_there_is_refused(sql: Path, name: str) -> None:
    """The message names the variable and the path."""
    told = {"PGLEDGER_SQL": str(sql), name: "/nowhere/at/all"}

    with pytest.raises(SettingsError, match=f"{name}=/nowhere/at/all: there is no such file"):
        given.read(Environment(told))


def test_what_is_no_program_is_refused(sql: Path) -> None:
    """A file that cannot be run is told before anything is started."""
    with pytest.raises(SettingsError, match=r"TIGERBEETLE=.* is not a program"):
        given.read(Environment({"TIGERBEETLE": str(sql)}))


def test_pgcrypto_needs_both_its_files(sql: Path) -> None:
    """Half of it would fail much later, in PostgreSQL."""
    told = {"PGLEDGER_SQL": str(sql), "PGCRYPTO_CONTROL": str(sql)}

    with pytest.raises(SettingsError, match="go together"):
        given.read(Environment(told))


def test_each_load_is_everybodys_before_the_next_begins() -> None:
    """What is compared runs side by side, the ledger first."""
    bouts = every_bout(list(Contender), [Shape.HOT])

    loads = [bout.scenario.batch for bout in bouts]
    assert loads == sorted(loads)
    singles = [bout.contender for bout in bouts if bout.scenario.batch == 1000]
    assert singles == list(Contender)


def test_whoever_cannot_have_256_at_once_has_fewer() -> None:
    """Pgbench takes a connection for each, TigerBeetle's benchmark a session."""
    at_once = {
        contender: [b.scenario.in_flight for b in every_bout([contender], [Shape.UNIFORM])]
        for contender in Contender
    }

    assert at_once[Contender.PAYMESH] == [1, 64, 256, 4, 4]
    assert at_once[Contender.FORMANCE] == [1, 64, 256, 4, 4]
    assert at_once[Contender.PGLEDGER_BARE] == [1, 16, 4, 4]
    assert at_once[Contender.TIGERBEETLE] == [1, 16, 4, 4]


@pytest.mark.parametrize("shape", list(Shape))
def test_each_transaction_for_formance_has_a_key_of_its_own(shape: Shape) -> None:
    """Single ones in front of the body, those of a bulk within it."""
    singles = Requests(FormanceAsking(), Scenario(shape, in_flight=1))
    bulks = Requests(FormanceAsking(), Scenario(shape, in_flight=1, batch=100))

    keys = [singles.take().partition(b"\n")[0].decode() for _ in range(100)]
    for _ in range(100):
        head, _, body = bulks.take().partition(b"\n")
        assert head == b""
        keys += [element["ik"] for element in json.loads(body)]

    assert len(set(keys)) == len(keys) == 10_100


@pytest.mark.parametrize(("shape", "is_hot"), [(Shape.HOT, True), (Shape.UNIFORM, False)])
def test_formance_is_asked_for_the_same_accounts(shape: Shape, *, is_hot: bool) -> None:
    """Hot: one source for all; and never an account on both sides."""
    body = FormanceAsking().request(shape, 100, Random(7)).partition(b"\n")[2]

    postings = [element["data"]["postings"][0] for element in json.loads(body)]
    assert (len({posting["source"] for posting in postings}) == 1) is is_hot
    assert all(posting["source"] != posting["destination"] for posting in postings)


@pytest.mark.parametrize(
    ("told", "written", "refusals"),
    [
        ({"data": {"id": 7}}, 1, []),
        ({"errorCode": "CONFLICT", "errorMessage": "it is there"}, 0, ["CONFLICT"]),
        (
            {
                "data": [
                    {"responseType": "CREATE_TRANSACTION", "data": {"id": 8}},
                    {"responseType": "ERROR", "errorCode": "INSUFFICIENT_FUND"},
                ],
                "errorCode": "INSUFFICIENT_FUND",
            },
            1,
            ["INSUFFICIENT_FUND"],
        ),
    ],
)
def test_what_formance_refused_is_told_by_its_code(
    told: object, written: int, refusals: list[str]
) -> None:
    """In a bulk each element by itself."""
    answer = FormanceAsking().judge(json.dumps(told).encode())

    assert (answer.written, list(answer.refusals)) == (written, refusals)


def test_what_tigerbeetle_prints_is_read() -> None:
    """It tells no p95."""
    scenario = Scenario(Shape.HOT, in_flight=4, batch=100)

    read = tigerbeetle.read(scenario, TOLD_BY_TIGERBEETLE)

    assert (read.rate, read.p50_ms, read.p95_ms, read.p99_ms) == (14161, 19, 0, 170)
    with pytest.raises(tigerbeetle.TigerBeetleFailed, match="told no rate"):
        tigerbeetle.read(scenario, "error: out of memory")


def test_tigerbeetle_has_a_hot_account_where_the_others_have_one() -> None:
    """And batches and clients as they have."""
    hot, uniform = (
        tigerbeetle.command(Path("tb"), Scenario(shape, in_flight=4, batch=100), 4000)
        for shape in (Shape.HOT, Shape.UNIFORM)
    )

    assert "--account-count-hot=1" in hot
    assert "--account-count-hot=0" in uniform
    wanted = {"--transfer-batch-count=100", "--clients=4", "--transfer-count=4000"}
    assert wanted <= set(hot)


def test_a_rival_has_the_ledger_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the same load, also where the rival is the faster one; who was not run is told."""
    monkeypatch.setattr(trial_report, "RESULTS", tmp_path)
    load = Scenario(Shape.HOT, in_flight=4, batch=100)
    few = Scenario(Shape.HOT, in_flight=16)
    bouts = [
        (Bout(Contender.PAYMESH, load), trial(load, 9000)),
        (Bout(Contender.PGLEDGER, load), trial(load, 3000)),
        (Bout(Contender.TIGERBEETLE, load), trial(load, 36_000)),
        (Bout(Contender.PAYMESH, Scenario(Shape.HOT, in_flight=1)), trial(few, 100)),
        (Bout(Contender.PAYMESH, Scenario(Shape.HOT, in_flight=64)), trial(few, 2000)),
        (Bout(Contender.PAYMESH, Scenario(Shape.HOT, in_flight=256)), trial(few, 2500)),
        (Bout(Contender.PGLEDGER_BARE, few), trial(few, 4000)),
    ]
    bouts[1][1].errors["INTERNAL"] = 3
    missing = Given().missing

    measures = rivals_report.report(bouts, {"disk": "ext4"}, missing, Console(quiet=True))

    by_name = {measure.name: measure for measure in measures}
    slower = by_name["rivals_pgledger_batch_100_hot_per_s"]
    assert (slower.value, slower.baseline, slower.ratio) == (3000, 9000, 0.33)
    assert by_name["rivals_tigerbeetle_batch_100_hot_per_s"].ratio == 4
    assert by_name["rivals_pgledger_bare_single_16_hot_per_s"].baseline == 2000
    assert by_name["rivals_paymesh_batch_100_hot_per_s"].baseline is None
    page = (tmp_path / "ledger_rivals.md").read_text()
    assert "| pgledger, gRPC | 3,000 | 3.0 × |" in page
    assert "3 INTERNAL" in page
    assert "| TigerBeetle, its own benchmark | 36,000 | 0.2 × |" in page
    assert all(f"* {line}" in page for line in missing)
    assert "* disk: ext4" in page
