"""The keys of the gateway's database: `python -m psp_gateway.keys status|rotate|rewrap`."""

from chassis.data_keys import main
from psp_gateway.private import PRIVATE

if __name__ == "__main__":
    main("psp_gateway", PRIVATE, "PSP_DATABASE_URL")
