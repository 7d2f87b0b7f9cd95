"""The published schemas of ISO 20022, and the only way in which a bank's XML is read: no document
type, no entity, nothing from outside the file, no more than so many bytes, valid throughout.
"""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from io import BytesIO
from xml.parsers import expat

from lxml import etree

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
SIZE_MAX = 64 * 1024 * 1024  # bytes; about 40,000 entries of 1.5 kB

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
    if content.startswith(_ARCHIVES):
        raise UnreadableFile("it is packed: unpack it first")
    namespace, _, name = _root(content).rpartition(" ")
    if name != "Document" or not namespace.startswith(NAMESPACE):
        raise UnreadableFile("it is no document of ISO 20022")
    return namespace.removeprefix(NAMESPACE)


def check(content: bytes, message: str) -> None:
    """Check a whole file by the schema of a message.

    Raises:
        UnreadableFile: it is not valid, or it must not be read at all; see `message_of`.
    """
    if message_of(content) != message:
        raise UnreadableFile(f"it is no {message}")
    for _ in elements(content, message, "Document"):
        pass


def elements(content: bytes, message: str, *names: str) -> Iterator[etree._Element]:
    """Go through the elements of these names as they end, and check the file on the way.

    Whoever is done with one may clear it. What was read counts only once the end is reached.

    Raises:
        UnreadableFile: the file is not well-formed, or not valid by the schema.
    """
    try:
        for _, element in etree.iterparse(
            BytesIO(content),
            events=("end",),
            tag=[f"{{{NAMESPACE}{message}}}{name}" for name in names],
            schema=schema(message),
            load_dtd=False,
            no_network=True,
            resolve_entities=False,
            remove_comments=True,
            remove_pis=True,
            huge_tree=False,
        ):
            yield element
    except etree.XMLSyntaxError as error:
        # The text of the error may quote an account or a name; where it is says enough.
        line, column = error.position
        raise UnreadableFile(f"it is not valid by {message}: line {line}, {column}") from None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


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
            parser.Parse(content[start : start + _STEP], False)  # noqa: FBT003 - expat takes it so
        parser.Parse(b"", True)  # noqa: FBT003 - expat takes it so
    except _Seen as seen:
        return str(seen)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile("it is no XML") from None
    raise UnreadableFile("it is no XML")
