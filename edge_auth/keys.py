"""The keys of the edge's database: `python -m edge_auth.keys status|rotate|rewrap`."""

import asyncio

from chassis.data_keys import run
from chassis.settings import Environment
from edge_auth.former_seals import SETTING, FormerSeals
from edge_auth.private import unsealing

if __name__ == "__main__":
    former = FormerSeals.parse(Environment().text(SETTING, ""))
    asyncio.run(run("edge_auth", unsealing(former), "EDGE_AUTH_DATABASE_URL"))
