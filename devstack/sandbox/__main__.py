"""`python -m devstack.sandbox`: runs the PSP sandbox."""

import argparse
import os
import sys
from pathlib import Path

import uvloop

from devstack.sandbox.app import Options, run
from devstack.sandbox.record import BrokenRecord


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m devstack.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="0 for a free one (default: 8090)")
    parser.add_argument("--record", type=Path, required=True, help="the record's file")
    parser.add_argument("--seed", type=int, default=1, help="of the faults' draws (default: 1)")
    parser.add_argument(
        "--key-lifetime-s",
        type=float,
        default=86_400.0,
        help="how long an idempotency key is remembered (default: 24 h)",
    )
    parser.add_argument(
        "--webhook-url",
        default="",
        help="where webhooks go, as https://…/v1/webhooks; the PSP's name is added; signed"
        " with SANDBOX_STRIPE_WEBHOOK_SECRET and SANDBOX_ADYEN_HMAC_KEY, or not at all",
    )
    parser.add_argument(
        "--paypal-identity",
        type=Path,
        help="a folder with what PayPal's webhooks are signed with; their endpoint's id is"
        " SANDBOX_PAYPAL_WEBHOOK_ID (default: none are sent)",
    )
    given = parser.parse_args()
    options = Options(
        given.port,
        given.record,
        given.seed,
        given.key_lifetime_s,
        given.webhook_url,
        os.environ.get("SANDBOX_STRIPE_WEBHOOK_SECRET", ""),
        os.environ.get("SANDBOX_ADYEN_HMAC_KEY", ""),
        given.paypal_identity,
        os.environ.get("SANDBOX_PAYPAL_WEBHOOK_ID", ""),
    )
    try:
        uvloop.run(run(options))
    except (BrokenRecord, OSError, TypeError) as error:
        print(f"the sandbox cannot run: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
