"""Outgoing webhooks: endpoints, deliveries as a queue, the courier that sends them."""
