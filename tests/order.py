"""In what order files of tests are run, and by whom: workers end together, and one stack serves all
who share it.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# The stacks that `state` and `mesh_state` start: whoever wants one is run by one worker, in a row.
SHARED = ("state", "mesh_state")
SHARING = (
    "tests/e2e/test_adyen.py",
    "tests/e2e/test_client.py",
    "tests/e2e/test_client_command.py",
    "tests/e2e/test_compensation.py",
    "tests/e2e/test_disputes.py",
    "tests/e2e/test_edge.py",
    "tests/e2e/test_errors.py",
    "tests/e2e/test_explain.py",
    "tests/e2e/test_guides.py",
    "tests/e2e/test_hosted_checkout.py",
    "tests/e2e/test_late_success.py",
    "tests/e2e/test_ledger_command.py",
    "tests/e2e/test_lifecycle.py",
    "tests/e2e/test_manual_capture.py",
    "tests/e2e/test_mesh.py",
    "tests/e2e/test_mesh_callers.py",
    "tests/e2e/test_mesh_doors.py",
    "tests/e2e/test_openapi.py",
    "tests/e2e/test_pay_in.py",
    "tests/e2e/test_psp_webhooks.py",
    "tests/e2e/test_readme.py",
    "tests/e2e/test_stack_lifecycle.py",
    "tests/e2e/test_watch_and_list.py",
    "tests/faults/test_expired_certificate.py",
    "tests/faults/test_kill.py",
    "tests/faults/test_kill_late.py",
    "tests/faults/test_resolutions.py",
)
# What takes longest comes next: at the end no worker waits for another. The rest as it is found.
LONG = (
    "tests/simulation/test_simulation.py",
    "tests/faults/test_matrix.py",
    "tests/faults/test_fencing.py",
    "tests/chaos/test_chaos.py",
    "tests/e2e/test_backpressure.py",
    "tests/e2e/test_encryption_at_rest.py",
    "tests/faults/test_cut_off.py",
    "tests/faults/test_disk_full.py",
    "tests/faults/test_redis_trouble.py",
    "tests/e2e/test_audit.py",
    "tests/e2e/test_webhooks.py",
    "tests/e2e/test_edge_hardening.py",
    "tests/e2e/test_tenancy.py",
    "tests/e2e/test_traces.py",
    "tests/contract/test_several_captures.py",
    "tests/contract/test_hosted_pages.py",
    "tests/contract/test_every_psp.py",
    "tests/contract/test_psp_crash.py",
    "tests/contract/test_psp_holds.py",
    "tests/contract/test_psp_adyen.py",
    "tests/contract/test_psp_adyen_webhooks.py",
    "tests/contract/test_psp_payouts.py",
    "tests/unit/wallet_svc/test_wallets_machine.py",
    "tests/unit/ledger_svc/test_templates.py",
    "tests/unit/ledger_svc/test_books_machine.py",
)
_PLACES = {file: place for place, file in enumerate((*SHARING, *LONG))}


def in_order(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Put tests in order: those of a file stay together, as they are.

    Raises:
        pytest.UsageError: one shares a stack, and its file is not among `SHARING`.
    """
    for item in items:
        if shares(item) and file_of(item.nodeid) not in SHARING:
            raise pytest.UsageError(f"{item.nodeid} shares a stack: add it to tests/order.py")
    return sorted(items, key=lambda item: _PLACES.get(file_of(item.nodeid), len(_PLACES)))


def shares(item: pytest.Item) -> bool:
    """Tell whether a test wants one of the shared stacks; other fixtures may have their names."""
    known = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
    return any(name in known and known[name][-1].scope == "session" for name in SHARED)


def file_of(nodeid: str) -> str:
    """Name the file of a test."""
    return nodeid.partition("::")[0]


class Sharing(LoadFileScheduling):  # type: ignore[misc]
    """Gives a worker a file at a time, in order, and all that shares a stack to one."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "shared stacks" if file in SHARING else file
