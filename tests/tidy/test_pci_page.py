"""What docs/reference/pci-dss.md says is shown by a test is shown by one that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "pci-dss.md"
TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_each_test_that_is_named_exists() -> None:
    """File and function; a test that is renamed or removed is missed here."""
    named = TEST.findall(PAGE.read_text())
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).is_file()
        or (name and not re.search(rf"def {name}\(", (ROOT / file).read_text()))
    ]

    assert len(named) > 40
    assert missing == []


def test_every_requirement_has_a_place() -> None:
    """1 to 12, also those that no software meets."""
    found = re.findall(r"^## (\d+) ", PAGE.read_text(), re.MULTILINE)

    assert [int(number) for number in found] == list(range(1, 13))
