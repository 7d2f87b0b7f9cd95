"""What the tests of psp_gateway stand on; a file that needs another gateway makes its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.servers import ServiceDatabase
from tests.unit.psp_gateway.sandbox import Gateway, Sandbox, running_sandbox, served


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox of the test's own."""
    async with running_sandbox(tmp_path) as started:
        yield started


@pytest.fixture
async def gateway(
    request: pytest.FixtureRequest, psp_database: ServiceDatabase, sandbox: Sandbox
) -> AsyncIterator[Gateway]:
    """A gateway to the sandbox, with settings that a test may add."""
    settings: dict[str, str] = getattr(request, "param", {})
    async with served(psp_database, sandbox.url, **settings) as started:
        yield started
