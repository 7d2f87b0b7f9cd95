"""How a service ends when something in it has failed: at once, so that another takes its place."""

import os
import subprocess
import sys

from tests.servers import ServiceDatabase, free_port

_DEADLINE_S = 60


def test_a_job_that_ends_takes_the_process_down(ledger_database: ServiceDatabase) -> None:
    """It never stays, without its database and yet healthy, since another job missed the end.

    Who waits for a connection when its pool is closed is told so instead of being cancelled.
    """
    settings = {
        "LISTEN": f"127.0.0.1:{free_port()}",
        "ENVIRONMENT": "development",
        "DATABASE_URL": ledger_database.app_url,
        "DRAIN_S": "1",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "tests.contract.dying_service"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    assert "a background job ended" in ended.stderr
    assert "LookupError" in ended.stderr
