"""`make audit`: known vulnerabilities in locked dependencies, and proof that all were asked for.

An audit of nothing finds nothing: what is locked and was not audited is named, and fails.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

_PINNED = re.compile(r"^[A-Za-z0-9._-]+==[^\\\n]*", re.MULTILINE)
_NAMED_MAX = 5
_AUDIT = ("-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off")
_FORM = ("--format", "json")


def problems(lock: str, report: Mapping[str, Any]) -> list[str]:
    """Tell what is wrong: vulnerabilities, and what is locked but was not audited."""
    pinned = _pinned(lock)
    if not pinned:
        return ["NOT AUDITED: nothing is locked here"]
    audited = set()
    found = []
    for each in report.get("dependencies", ()):
        if "skip_reason" in each:
            continue
        audited.add(_plain(each["name"]))
        found += [
            f"{each['name']} {each['version']}: {vulnerability['id']}"
            for vulnerability in each["vulns"]
        ]
    missing = sorted(pinned - audited)
    if len(missing) > _NAMED_MAX:
        named = ", ".join(missing[:_NAMED_MAX])
        return [*found, f"NOT AUDITED: {len(missing)} of {len(pinned)}, {named}, …"]
    return found + [f"NOT AUDITED: {name}" for name in missing]


def audit(lock: Path) -> list[str]:
    """Audit a lock file; answer what is wrong."""
    text = lock.read_text()
    if not _PINNED.search(text):
        return problems(text, {})
    asked = [sys.executable, *_AUDIT, *_FORM, "-r", str(lock)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.strip().splitlines()[-1:] or ["no answer"]
        return [f"NOT AUDITED: {last[0]}"]
    return problems(text, report)


def main(files: Sequence[str]) -> int:
    """Audit lock files; 1: something was found, or not all was audited."""
    if not files:
        print("NOT AUDITED: no lock file was named")
        return 1
    wrong = [f"{file}: {problem}" for file in files for problem in audit(Path(file))]
    print("\n".join(wrong) or f"audited, and nothing is known of {', '.join(files)}")
    return 1 if wrong else 0


def _pinned(lock: str) -> set[str]:
    """List what a lock holds for this system."""
    wanted = map(Requirement, _PINNED.findall(lock))
    return {_plain(each.name) for each in wanted if each.marker is None or each.marker.evaluate()}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
