"""The keys of the payment database: `python -m payment_svc.keys status|rotate|rewrap`."""

import asyncio

from chassis.data_keys import run
from payment_svc.private import PRIVATE

if __name__ == "__main__":
    asyncio.run(run("payment_svc", PRIVATE, "PAYMENT_DATABASE_URL"))
