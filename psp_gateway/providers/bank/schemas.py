"""The published schemas of ISO 20022, and the only way in which a bank's XML is read: no document
type, no entity, nothing from outside the file, no more than so many bytes, valid throughout.
"""

from functools import cache
from importlib import resources
from xml.parsers import expat

from lxml import etree

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
SIZE_MAX = 32 * 1024 * 1024  # bytes; about 9,000 entries of full detail
# Each element has one at least, and in real files about two in 36 bytes. The tree of real files
# takes five times their size; that of one with nothing but elements would take fifty times.
BRACKETS_MAX = 2_500_000

_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"7z\xbc\xaf", b"BZh")
_STEP = 64 * 1024


class UnreadableFile(ValueError):
    """A file is not what it should be. It says why, and quotes nothing of the content."""


@cache
def schema(message: str) -> etree.XMLSchema:
    """Load the schema of a message such as "camt.053.001.08"."""
    text = resources.files(__package__).joinpath("xsd", f"{message}.xsd").read_bytes()
    return etree.XMLSchema(etree.fromstring(text, _parser()))


def message_of(content: bytes) -> str:
    """Tell which message a file is by the namespace of its root: "camt.053.001.08"; read no
    further than that.

    Raises:
        UnreadableFile: too large, packed, no XML, with a document type, or not of ISO 20022.
    """
    if len(content) > SIZE_MAX:
        raise UnreadableFile(f"it has {len(content)} bytes, more than {SIZE_MAX}")
    if content.count(b"<") > BRACKETS_MAX:
        raise UnreadableFile(f"it has more than {BRACKETS_MAX} brackets")
    if content.startswith(_ARCHIVES):
        raise UnreadableFile("it is packed: unpack it first")
    namespace, _, name = _root(content).rpartition(" ")
    if name != "Document" or not namespace.startswith(NAMESPACE):
        raise UnreadableFile("it is no document of ISO 20022")
    return namespace.removeprefix(NAMESPACE)


def read(content: bytes, message: str) -> etree._Element:
    """Read a file that must be valid by the schema of a message; answer its root.

    The whole tree is made before anything is believed. (Read in pieces, a file that breaks off
    would pass: lxml's iterparse with a schema and without entities says nothing of it.)

    Raises:
        UnreadableFile: it is no such message, or not valid, or not to be read; see `message_of`.
    """
    if message_of(content) != message:
        raise UnreadableFile(f"it is no {message}")
    try:
        root = etree.fromstring(content, _parser())
    except etree.XMLSyntaxError as error:
        raise UnreadableFile(f"it is no XML: line {error.lineno}") from None
    checked = schema(message)
    if not checked.validate(root):
        # The text of the error may quote an account or a name; where it is says enough.
        last = checked.error_log.last_error  # type: ignore[attr-defined]  # not in the stubs
        raise UnreadableFile(f"it is not valid by {message}: line {last.line if last else 0}")
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


class _Seen(Exception):
    """The root has begun; its name says all that is wanted."""


def _root(content: bytes) -> str:
    """Read the root's name, and refuse what declares a document type before anything expands."""

    def begin(name: str, _: dict[str, str]) -> None:
        raise _Seen(name)

    def refuse(*_: object) -> None:
        raise UnreadableFile("it has a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = begin
    parser.StartDoctypeDeclHandler = refuse
    try:
        for start in range(0, len(content), _STEP):
            parser.Parse(content[start : start + _STEP])
        parser.Parse(b"", True)  # noqa: FBT003 - expat takes it by position alone
    except _Seen as seen:
        return str(seen)
    except UnreadableFile:
        raise
    except (expat.ExpatError, LookupError, ValueError):
        pass
    raise UnreadableFile("it is no XML")
