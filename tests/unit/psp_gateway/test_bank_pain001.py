"""Files of orders: always valid, always the same, and never of what a bank would not take."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta, timezone
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from chassis.money import Money, currency_decimals
from psp_gateway.providers.bank import pain001, schemas
from psp_gateway.providers.bank.charset import Unwritable, written
from psp_gateway.providers.bank.transfers import Batch, CreditTransfer, Debtor, Unfit
from tests.unit.psp_gateway.bank_files import DEBTOR, NOW, OURS, THEIRS, batch, transfer

SAUDI = "SA0380000000608010167519"  # pragma: allowlist secret
SIGNS = "abcxyzABCXYZ0189/-?:().,'+ äÖßéøŁœ&_€Ωж"

names = st.text(SIGNS, min_size=1, max_size=30).filter(str.strip)
amounts = st.sampled_from(["EUR", "USD", "JPY", "KWD", "CLF"]).flatmap(
    lambda code: st.integers(min_value=1, max_value=10**10).map(
        lambda units: Money(Decimal(units).scaleb(-currency_decimals(code)), code)
    )
)
transfers = st.builds(
    CreditTransfer,
    attempt_id=st.uuids().map(lambda found: f"att_{found.hex}"),
    amount=amounts,
    creditor_name=names,
    creditor_iban=st.sampled_from([OURS, THEIRS, SAUDI]),
    creditor_bic=st.just("WESTGB2LXXX"),
    remittance=st.text(SIGNS, max_size=60),
)
batches = st.builds(
    Batch,
    message_id=st.from_regex(r"[A-Za-z0-9-]{1,28}", fullmatch=True),
    created_at=st.integers(min_value=0, max_value=10**9).map(
        lambda seconds: NOW + timedelta(seconds=seconds)
    ),
    execution_date=st.dates(min_value=date(2020, 1, 1), max_value=date(2090, 1, 1)),
    transfers=st.lists(
        transfers, min_size=1, max_size=12, unique_by=lambda found: found.attempt_id
    ),
)


def texts(root: etree._Element, path: str) -> list[str]:
    """List the texts of the elements that lie anywhere at a path."""
    steps = "/".join(f"{{*}}{name}" for name in path.split("/"))
    return [element.text or "" for element in root.findall(f".//{steps}")]


def parsed(content: bytes) -> etree._Element:
    """Read a file by the schema."""
    return schemas.read(content, pain001.MESSAGE)


@given(batches)
def test_any_batch_is_valid_and_its_sums_agree(asked: Batch) -> None:
    """Numbers and sums, of the file and of each part, are those of the transfers in it."""
    root = parsed(pain001.write(asked, DEBTOR))
    amounts = texts(root, "CdtTrfTxInf/Amt/InstdAmt")
    told = [
        (found.get("Ccy"), Decimal(found.text or "")) for found in root.findall(".//{*}InstdAmt")
    ]

    assert sorted(told) == sorted(
        (one.amount.currency, one.amount.amount) for one in asked.transfers
    )
    assert texts(root, "GrpHdr/NbOfTxs") == [str(len(asked.transfers))]
    assert Decimal(texts(root, "GrpHdr/CtrlSum")[0]) == sum(map(Decimal, amounts))
    for part in root.findall(".//{*}PmtInf"):
        inside = part.findall("{*}CdtTrfTxInf/{*}Amt/{*}InstdAmt")
        (total,) = texts(part, "CtrlSum")
        (currency,) = {found.get("Ccy") for found in inside}
        assert texts(part, "NbOfTxs") == [str(len(inside))]
        assert Decimal(total) == sum(Decimal(found.text or "") for found in inside)
        exponent = Decimal(total).as_tuple().exponent
        assert exponent == -currency_decimals(str(currency))


@given(batches)
def test_ids_are_unique_and_fit(asked: Batch) -> None:
    """At most 35 characters that every bank takes; no two are alike in a file."""
    root = parsed(pain001.write(asked, DEBTOR))
    ids = texts(root, "PmtId/EndToEndId")
    parts = texts(root, "PmtInf/PmtInfId")

    assert sorted(ids) == sorted(one.end_to_end_id for one in asked.transfers)
    assert len(set(ids)) == len(asked.transfers)
    assert len(set(parts)) == len(parts)
    assert all(len(found) <= 35 and found.isascii() and "/" not in found for found in ids)


def test_the_same_batch_is_the_same_file_in_whatever_order() -> None:
    """A file can be made again, and its hash compared."""
    orders = [transfer("att_1"), transfer("att_2", "7.00"), transfer("att_3", "9", "JPY")]
    files = {pain001.write(batch(*order), DEBTOR) for order in permutations(orders)}

    assert len(files) == 1
    assert pain001.write(batch(*orders[:2]), DEBTOR) not in files


def test_an_attempts_end_to_end_id_never_changes() -> None:
    """It was sent to banks: another derivation would lose what they say of it."""
    assert transfer("att_1").end_to_end_id == "DD4BA20F12A05030A571F463865F66CF"
    assert transfer("att_2").end_to_end_id == "AE5743D1070A52BBBCDE698A402C71E9"


def test_sepa_and_the_rest_are_parts_of_their_own() -> None:
    """SEPA is euros between accounts that it reaches; there everybody bears his own charges."""
    far = replace(transfer("att_2"), creditor_iban=SAUDI)
    asked = [transfer("att_1"), far, transfer("att_3", "5.000", "KWD"), transfer("att_4", "1.00")]
    parts = parsed(pain001.write(batch(*asked), DEBTOR)).findall(".//{*}PmtInf")

    assert [texts(part, "SvcLvl/Cd") for part in parts] == [[], ["SEPA"], []]
    assert [texts(part, "ChrgBr") for part in parts] == [["SHAR"], ["SLEV"], ["SHAR"]]
    assert [texts(part, "CtrlSum") for part in parts] == [["10.00"], ["11.00"], ["5.000"]]
    assert [texts(part, "BtchBookg") for part in parts] == [["false"]] * 3
    assert [texts(part, "ReqdExctnDt/Dt") for part in parts] == [["2026-11-24"]] * 3


def test_sepa_needs_no_bic() -> None:
    """The IBAN alone finds the bank there, and only there."""
    near = replace(transfer(), creditor_bic="")
    root = parsed(pain001.write(batch(near), DEBTOR))
    assert texts(root, "CdtTrfTxInf/CdtrAgt") == []

    for refused in (
        replace(near, creditor_iban=SAUDI),
        replace(near, amount=Money.parse("1", "USD")),
    ):
        with pytest.raises(Unfit, match="att_1: creditor_bic"):
            pain001.write(batch(refused), DEBTOR)


def test_from_an_account_that_sepa_does_not_reach_nothing_is_sepa() -> None:
    """Both sides count."""
    root = parsed(pain001.write(batch(transfer()), replace(DEBTOR, iban=SAUDI)))

    assert texts(root, "SvcLvl/Cd") == []
    assert texts(root, "ChrgBr") == ["SHAR"]


def test_the_time_is_utc() -> None:
    """Whatever the zone that it came in."""
    east = replace(batch(transfer()), created_at=NOW.astimezone(timezone(timedelta(hours=9))))

    assert pain001.write(east, DEBTOR) == pain001.write(batch(transfer()), DEBTOR)
    assert b"<CreDtTm>2026-11-23T12:00:00Z</CreDtTm>" in pain001.write(east, DEBTOR)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", Money.zero("EUR")),
        ("amount", Money(Decimal("-1.00"), "EUR")),
        ("amount", Money.parse("1000000000.00", "EUR")),  # SEPA's most is a cent less
        ("amount", Money.parse("999999999999999.0001", "CLF")),  # 19 digits
        ("creditor_name", ""),
        ("creditor_name", " \n "),
        ("creditor_name", "x" * 71),
        ("creditor_name", "ß" * 36),  # 72, once it is written
        ("creditor_name", "山田"),
        ("creditor_name", "a\x00b"),
        ("creditor_iban", "GB83WEST12345698765432"),
        ("creditor_bic", "WEST"),
        ("remittance", "x" * 141),
        ("remittance", "\N{GRINNING FACE}"),
    ],
)
def test_what_no_bank_takes_is_refused_by_name(field: str, value: object) -> None:
    """Attempt and field are named, the value is not: it may be of a person."""
    asked = batch(transfer("att_9", "1.00"), replace(transfer(), **{field: value}))

    with pytest.raises(Unfit, match=f"^att_1: {field}: ") as refused:
        pain001.write(asked, DEBTOR)

    assert (refused.value.attempt_id, refused.value.field) == ("att_1", field)
    assert not isinstance(value, str) or len(value) < 4 or value not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"message_id": ""}, "message_id"),
        ({"message_id": "x" * 29}, "message_id"),
        ({"message_id": "../x"}, "message_id"),
        ({"created_at": NOW.replace(tzinfo=None)}, "created_at"),
        ({"transfers": ()}, "transfers"),
        ({"transfers": (transfer(), transfer())}, "attempt_id"),
    ],
)
def test_a_batch_that_no_bank_takes_is_refused(change: dict[str, object], field: str) -> None:
    """An id that is too long, a time of nowhere, nothing to pay, and a payment twice."""
    with pytest.raises(Unfit) as refused:
        pain001.write(replace(batch(transfer()), **change), DEBTOR)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("debtor", "field"),
    [
        (Debtor("", OURS, "DEUTDEFF"), "name"),
        (Debtor("We", OURS[:-1], "DEUTDEFF"), "iban"),
        (Debtor("We", OURS, ""), "bic"),
    ],
)
def test_a_debtor_that_no_bank_takes_is_refused(debtor: Debtor, field: str) -> None:
    """Whose account pays is checked as well."""
    with pytest.raises(Unfit, match=f"debtor: {field}"):
        pain001.write(batch(transfer()), debtor)


def test_a_sum_beyond_the_schema_is_refused() -> None:
    """Eighteen digits are the most that a sum can have."""
    large = Money.parse("999999999999999.99", "USD")
    asked: Sequence[CreditTransfer] = [
        replace(transfer(f"att_{n}"), amount=large) for n in range(11)
    ]

    with pytest.raises(Unfit, match="sum"):
        pain001.write(batch(*asked), DEBTOR)


def test_nothing_leaves_that_the_schema_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours is found here, and not at the bank."""
    monkeypatch.setattr(pain001, "fit", lambda asked, _: replace(asked, creditor_name="x" * 141))

    with pytest.raises(schemas.UnreadableFile, match="not valid"):
        pain001.write(batch(transfer()), DEBTOR)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Jo's (A-B), C+D: 1/2?", "Jo's (A-B), C+D: 1/2?"),
        ("Łukasz Müller-Ångström", "Lukasz Muller-Angstrom"),
        ("Straße & Söhne", "Strasse + Sohne"),
        ("Œuvre Æther Þór", "Oeuvre Aether Thor"),
        ("Γιώργος Θάνος Ψ", "Giorgos Thanos Ps"),
        ("Жечка Щерев", "Zhechka Shterev"),
        ("  a\t b\n", "a b"),
        ("ﬁn ½", "fin 1/2"),
        ("5 € @ [x]", "5 E . (x)"),
        ("e\u0301", "e"),
    ],
)
def test_texts_are_written_with_sepas_characters(text: str, plain: str) -> None:
    """Letters lose their marks, other alphabets are written in Latin, signs have stand-ins."""
    assert written(text) == plain


@given(st.text())
def test_what_is_written_is_all_of_sepas_characters(text: str) -> None:
    """Any text becomes one that every bank takes, and that stays as it is, or is refused."""
    try:
        plain = written(text)
    except Unwritable:
        return

    assert set(plain) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ "
    )
    assert written(plain) == " ".join(plain.split())


def test_nothing_personal_is_in_a_repr() -> None:
    """An order can be logged."""
    assert "Jo Doe" not in repr(transfer())
    assert THEIRS not in repr(transfer())
