"""The one face of all payment service providers: charges, refunds, and what came of them."""
