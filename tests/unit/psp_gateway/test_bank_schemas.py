"""What a hostile or broken file can do: nothing but be refused."""

from pathlib import Path

import pytest

from psp_gateway.providers.bank import camt, schemas
from psp_gateway.providers.bank.schemas import UnreadableFile
from tests.unit.psp_gateway.bank_files import VECTORS, account, document, entry

LAUGHS = "<!DOCTYPE Document [" + "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(10)
)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE Document [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>',
        '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/x.dtd">',
        f"{LAUGHS}]>",
    ],
)
def test_a_document_type_is_refused_before_anything_expands(doctype: str) -> None:
    """Entities of a file, of the network and within each other all need one."""
    with pytest.raises(UnreadableFile, match="document type"):
        camt.read(document(account(), before=doctype))


def test_an_entity_without_a_document_type_is_refused() -> None:
    """An undeclared entity is not well-formed."""
    with pytest.raises(UnreadableFile):
        camt.read(document(account(statement_id="&x;")))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_a_document_type_is_found_in_each_encoding(encoding: str) -> None:
    """What hides in another encoding is refused too, and what is right there is read."""
    text = (
        document(account(statement_id="Ä-1")).decode().replace("UTF-8", encoding.split("-sig")[0])
    )
    hidden = text.replace("<Document", '<!DOCTYPE Document [<!ENTITY x "y">]><Document', 1)

    assert camt.read(text.encode(encoding))[0].statement_id == "Ä-1"
    with pytest.raises(UnreadableFile, match="document type"):
        camt.read(hidden.encode(encoding))


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is on what is read, and holds before it is parsed."""
    content = document(account())
    monkeypatch.setattr(schemas, "SIZE_MAX", len(content))
    assert camt.read(content)

    with pytest.raises(UnreadableFile, match="bytes"):
        camt.read(content + b" ")


def test_a_file_of_nothing_but_elements_is_refused() -> None:
    """It would be small and its tree large."""
    content = document(account()).replace(b"</Document>", b"<a/>" * schemas.BRACKETS_MAX)
    assert len(content) < schemas.SIZE_MAX

    with pytest.raises(UnreadableFile, match="brackets"):
        camt.read(content)


@pytest.mark.parametrize("content", [b"PK\x03\x04...", b"\x1f\x8b\x08...", b"BZh9..."])
def test_what_is_packed_is_refused_by_name(content: bytes) -> None:
    """A zip says to unpack it first: who unpacks knows how much it may become."""
    with pytest.raises(UnreadableFile, match="packed"):
        camt.read(content)


@pytest.mark.parametrize(
    "content",
    [b"", b" ", b"hello", b"<", b"\xff\xfe\x00", b"<?xml version='1.0' encoding='utf-7'?><a/>"],
)
def test_what_is_no_xml_is_refused(content: bytes) -> None:
    """Neither nothing nor noise is a file."""
    with pytest.raises(UnreadableFile, match="no XML"):
        camt.read(content)


@pytest.mark.parametrize(
    "content",
    [
        b"<Document/>",
        b"<html xmlns='http://www.w3.org/1999/xhtml'/>",
        b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.99'/>",
        b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:../../../etc/passwd'/>",
        b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.001.001.09'/>",
        b"<Stmt xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.08'/>",
    ],
)
def test_other_messages_are_refused(content: bytes) -> None:
    """Only the listed versions are read: their schemas are here."""
    with pytest.raises(UnreadableFile):
        camt.read(content)


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*.xml")), ids=lambda path: path.name)
def test_a_file_that_breaks_off_is_refused_wherever_it_does(path: Path) -> None:
    """Half a statement is none."""
    content = path.read_bytes()
    for length in range(400, content.rindex(b">"), 251):
        with pytest.raises(UnreadableFile):
            camt.read(content[:length])


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b'Ccy="EUR"', b'Ccy="EURO"'),
        (b"10.00", b"-10.00"),
        (b"10.00", b"1.000001"),  # six decimals
        (b"10.00", b"1e3"),
        (b"10.00", b"NaN"),
        (b"DBIT", b"DEBIT"),
        (b"<NtryRef>7</NtryRef>", b"<NtryRef/>"),
        (b"<BookgDt>", b"<Surprise/><BookgDt>"),
        (b"2026-11-23</Dt>", b"2026-02-30</Dt>"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused(right: bytes, wrong: bytes) -> None:
    """A file with one flaw is not read at all; the message tells where and quotes nothing."""
    content = document(account(entry()))
    assert right in content

    with pytest.raises(UnreadableFile, match=r"not valid by camt\.053\.001\.08: line \d+$"):
        camt.read(content.replace(right, wrong))


def test_a_year_that_we_do_not_have_is_refused() -> None:
    """XML Schema has years of five digits and before Christ."""
    content = document(account(entry())).replace(b"<Dt>2026-11-23", b"<Dt>12026-11-23")

    with pytest.raises(UnreadableFile, match="calendar"):
        camt.read(content)


def test_a_comment_splits_no_number() -> None:
    """A reader that stops at a comment would take 10.00 for 1."""
    content = document(account(entry())).replace(b">10.00<", b">1<!-- x -->0.<?y z?>00<")

    assert str(camt.read(content)[0].entries[0].amount) == "-10.00"
