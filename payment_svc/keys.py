"""The keys of the payment database: `python -m payment_svc.keys status|rotate|rewrap`."""

from chassis.data_keys import main
from payment_svc.private import PRIVATE

if __name__ == "__main__":
    main("payment_svc", PRIVATE, "PAYMENT_DATABASE_URL")
