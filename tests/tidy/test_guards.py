"""The guards of `make check` and `make audit` bite: a planted secret, an audit of nothing."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devstack import dependency_audit

ROOT = Path(__file__).resolve().parents[2]
LOCK = "aiohttp==3.14.5 \\\n    --hash=sha256:00\nyarl==1.0\n"
# In two parts, or this file would be found.
PLANTED = {
    "settings.py": 'STRIPE_API_KEY = "sk_' + 'live_4eC39HqLyjWDarjtT1zdp7dc"\n',
    "deploy.sh": "export AWS_ACCESS_KEY_ID=AKIA" + "QYLPMN5HHHFPZAM2\n",
    "edge.key": "-----BEGIN " + "PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n",
}


def scan(folder: Path) -> int:
    """Run the secret scan of `make check` in a folder, word for word."""
    (line,) = re.findall(r"^\t(git ls-files.*detect-secrets-hook.*)$", makefile(), re.MULTILINE)
    command = line.replace("$(RUN)", str(Path(sys.executable).parent)).replace("$$", "$")
    return subprocess.run(["sh", "-c", command], cwd=folder, check=False).returncode


def makefile() -> str:
    """Read the verbs."""
    return (ROOT / "Makefile").read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the baseline and one harmless file."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    shutil.copy(ROOT / ".secrets.baseline", tmp_path)
    (tmp_path / "harmless.py").write_text('NAME = "paymesh"\n')
    return tmp_path


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_fails_the_check(checkout: Path, name: str) -> None:
    """The scan passes a clean tree, and fails once a secret is added to it."""
    subprocess.run(["git", "add", "-A"], cwd=checkout, check=True)
    assert scan(checkout) == 0

    (checkout / name).write_text(PLANTED[name])
    subprocess.run(["git", "add", "-A"], cwd=checkout, check=True)

    assert scan(checkout) != 0


def report(**more: Any) -> dict[str, Any]:
    """Write what pip-audit answers about the lock."""
    clean = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
    return {"dependencies": [clean, {"name": "yarl", "version": "1.0", "vulns": [], **more}]}


def test_an_audit_passes_when_all_was_audited() -> None:
    """Nothing known of anything that is locked."""
    assert dependency_audit.problems(LOCK, report()) == []


def test_a_vulnerability_is_named() -> None:
    """With the package and its version."""
    found = dependency_audit.problems(LOCK, report(vulns=[{"id": "CVE-2026-1"}]))

    assert found == ["yarl 1.0: CVE-2026-1"]


def test_what_was_not_audited_fails() -> None:
    """A package that is skipped, or of which nobody says anything, is no clean one."""
    skipped = {"name": "yarl", "skip_reason": "not found"}

    told = {"dependencies": [report()["dependencies"][0], skipped]}
    elsewhere = 'colorama==0.4.6 ; sys_platform == "none"\n'

    assert dependency_audit.problems(LOCK + elsewhere, told) == ["NOT AUDITED: yarl"]
    assert len(dependency_audit.problems(LOCK, {})) == 2


@pytest.mark.parametrize("content", ["", "# nothing\n"])
def test_an_audit_of_nothing_fails(tmp_path: Path, content: str) -> None:
    """An empty lock file, or none at all, is no clean bill."""
    lock = tmp_path / "empty.lock"
    lock.write_text(content)

    assert dependency_audit.main([str(lock)]) == 1
    assert dependency_audit.main([]) == 1


def test_make_audit_looks_at_every_lock() -> None:
    """A lock file that is added is audited too."""
    (line,) = re.findall(r"^\t.*dependency_audit (.*)$", makefile(), re.MULTILINE)
    locks = set((ROOT / "requirements").glob("*.lock"))

    assert locks
    assert {path for pattern in line.split() for path in ROOT.glob(pattern)} == locks
