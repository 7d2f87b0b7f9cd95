"""No service that has fault points starts in production with one planned."""

import asyncio
import base64
import os
import sys
from pathlib import Path

import pytest

SERVICES = ("payment_svc", "psp_gateway", "ledger_svc", "wallet_svc", "risk_svc")
SECRET = "0123456789abcdef0123456789abcdef"  # pragma: allowlist secret
KEYS = (
    "IDEMPOTENCY_FINGERPRINT_KEY",
    "WEBHOOK_SECRET_KEY",
    "PSP_FINGERPRINT_KEY",
    "RISK_SUBJECT_KEY",
)
SETTINGS = {
    "ENVIRONMENT": "production",
    "LISTEN": "127.0.0.1:0",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "STRIPE_API_KEY": "sk_live_none",  # pragma: allowlist secret
    **{
        f"{name}_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"
        for name in ("PAYMENT", "PSP", "LEDGER", "WALLET", "RISK")
    },
    **{f"{name}_TARGET": "127.0.0.1:1" for name in ("RISK", "PSP", "WALLET", "LEDGER")},
    **dict.fromkeys(KEYS, SECRET),
    "PAYMESH_KEY": f"k1 {base64.b64encode(SECRET.encode()).decode()}",
}


@pytest.mark.parametrize("plan", ["pay_in.charge.before=kill", "@plan"])
@pytest.mark.parametrize("service", SERVICES)
async def test_it_says_so_and_ends(service: str, plan: str, tmp_path: Path) -> None:
    """It names the setting and ends with 2, before it touches a database."""
    (tmp_path / "plan").write_text("pay_in.charge.before=kill")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", service),
        env={**os.environ, **SETTINGS, "FAULT_POINTS": plan},
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 60)

    assert b"FAULT_POINTS must be empty in production" in said
    assert process.returncode == 2
