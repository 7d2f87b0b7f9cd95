"""The words of the protos: each comment by the full name of what it is about."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc_tools
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

_ROOT = Path(__file__).resolve().parent.parent
# Field numbers of descriptor.proto: where in a file, or in a message, a thing stands.
_MESSAGE, _ENUM, _SERVICE = 4, 5, 6
_FIELD, _NESTED, _NESTED_ENUM = 2, 3, 4

Place = tuple[int, ...]


def comments() -> dict[str, str]:
    """Read the leading comments of all protos of ours."""
    found: dict[str, str] = {}
    for file in _compiled().file:
        names = dict(_names(file))
        for location in file.source_code_info.location:
            name = names.get(tuple(location.path))
            if name is not None and location.leading_comments:
                found[name] = _text(location.leading_comments)
    return found


def _compiled() -> FileDescriptorSet:
    own = sorted(str(p.relative_to(_ROOT / "protos")) for p in _ROOT.glob("protos/**/*.proto"))
    include = [_ROOT / "protos", _ROOT / "third_party", Path(grpc_tools.__file__).parent / "_proto"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "all.binpb"
        flags = ["--include_source_info", f"--descriptor_set_out={target}"]
        if protoc.main(["protoc", *(f"-I{one}" for one in include), *flags, *own]) != 0:
            raise RuntimeError("protoc refused the protos")
        return FileDescriptorSet.FromString(target.read_bytes())


def _names(file: FileDescriptorProto) -> Iterator[tuple[Place, str]]:
    for index, message in enumerate(file.message_type):
        yield from _of_message(message, (_MESSAGE, index), f"{file.package}.{message.name}")
    yield from _of_enums(file.enum_type, (_ENUM,), file.package)
    for index, service in enumerate(file.service):
        name = f"{file.package}.{service.name}"
        yield (_SERVICE, index), name
        for place, method in enumerate(service.method):
            yield (_SERVICE, index, _FIELD, place), f"{name}.{method.name}"


def _of_message(message: DescriptorProto, place: Place, name: str) -> Iterator[tuple[Place, str]]:
    yield place, name
    for index, field in enumerate(message.field):
        yield (*place, _FIELD, index), f"{name}.{field.name}"
    for index, nested in enumerate(message.nested_type):
        yield from _of_message(nested, (*place, _NESTED, index), f"{name}.{nested.name}")
    yield from _of_enums(message.enum_type, (*place, _NESTED_ENUM), name)


def _of_enums(enums: Sequence[Any], place: Place, prefix: str) -> Iterator[tuple[Place, str]]:
    for index, enum in enumerate(enums):
        yield (*place, index), f"{prefix}.{enum.name}"
        for number, value in enumerate(enum.value):
            yield (*place, index, _FIELD, number), f"{prefix}.{enum.name}.{value.name}"


def _text(comment: str) -> str:
    """Join the lines of a paragraph; keep the paragraphs."""
    paragraphs = "\n".join(line.strip() for line in comment.strip().splitlines()).split("\n\n")
    return "\n\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs)
