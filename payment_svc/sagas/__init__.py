"""The journeys of a payment, a file each, and the pure engine that moves them."""
