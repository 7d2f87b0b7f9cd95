"""Every line that README prints, run as printed, on the addresses of the test's own stack."""

import re
import subprocess
from pathlib import Path
from typing import Any

from devstack.services import OTHER_PORTS, SERVICES
from devstack.state import State

ROOT = Path(__file__).resolve().parents[2]
# These start, stop or test everything: the first by test_lifecycle, the last by whoever runs this.
ELSEWHERE = {"make demo", "make test", "make up", "make status", "make down"}


def blocks(file: Path) -> list[str]:
    """Read the shell blocks of a page."""
    return re.findall(r"^```sh\n(.*?)^```", file.read_text(), re.MULTILINE | re.DOTALL)


def on_this_stack(block: str, state: State, stack: dict[str, Any]) -> str:
    """Put the test's own addresses in the place of the default ones."""
    block = "\n".join(line for line in block.splitlines() if line not in ELSEWHERE)
    ports = {s.port: stack["services"][s.name]["grpc"].rpartition(":")[2] for s in SERVICES}
    ports[OTHER_PORTS["edge"]] = stack["edge"]["url"].rpartition(":")[2]
    if "operators" in stack:
        ports[OTHER_PORTS["operators"]] = stack["operators"]["target"].rpartition(":")[2]
    for default, actual in ports.items():
        block = block.replace(f"127.0.0.1:{default}", f"127.0.0.1:{actual}")
    block = block.replace(".paymesh/stack.json", str(state.stack_file))
    block = block.replace(".paymesh/bank-outbox", str(state.folder / "bank-outbox"))
    block = block.replace(".paymesh/certs", str(state.certificates))
    one = "pay|explain|audit(?!-)|logs|psql"
    several = "webhooks|ledger|dlq|certs|client|audit-log"
    told = rf"(paymesh (?:{one}|(?:{several}) [a-z-]+))"
    return re.sub(told, rf"\1 --state {state.folder}", block)


def test_readme_lines_work_as_printed(mesh_state: State, mesh_stack: dict[str, Any]) -> None:
    """Each block exits 0, the payment completes, and the ledger answers that it is square."""
    told = "".join(run_blocks(ROOT / "README.md", mesh_state, mesh_stack))

    assert "COMPLETED" in told
    assert '"status":"COMPLETED"' in told
    assert '"difference":"0.00"' in told.replace(" ", "").replace("\n", "")


def test_services_readmes_work_as_printed(state: State, stack: dict[str, Any]) -> None:
    """Each block exits 0, without a mesh, as they say."""
    pages = [ROOT / service.name / "README.md" for service in SERVICES]
    told = [out for page in pages for out in run_blocks(page, state, stack)]

    assert len(told) >= len(SERVICES) - 2


def run_blocks(page: Path, state: State, stack: dict[str, Any]) -> list[str]:
    """Run a page's blocks and answer what each printed."""
    outputs = []
    for block in blocks(page):
        script = on_this_stack(block, state, stack)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{page.parent.name}: {script}\n{done.stdout}{done.stderr}"
        outputs.append(done.stdout)
    return outputs
