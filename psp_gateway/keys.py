"""The keys of the gateway's database: `python -m psp_gateway.keys status|rotate|rewrap`."""

import asyncio

from chassis.data_keys import run
from psp_gateway.private import PRIVATE

if __name__ == "__main__":
    asyncio.run(run("psp_gateway", PRIVATE, "PSP_DATABASE_URL"))
