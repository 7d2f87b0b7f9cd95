"""The writes of events: the outbox's row, and a delivery for each endpoint that wants to know.

Both are written in the transaction of the change: no cursor to lose, nothing to catch up with.
"""

from collections.abc import Sequence

from chassis.database import Write
from payment_svc import outbox

# What an endpoint is told from the moment of its registration; nobody registered writes nothing.
_ADD_DELIVERIES = """
INSERT INTO webhook_deliveries (endpoint_id, object_id, sequence, type)
SELECT e.endpoint_id, n.object_id, n.sequence, n.type
FROM unnest(%b::text[], %b::text[], %b::int[], %b::text[])
    AS n (client_id, object_id, sequence, type)
JOIN webhook_endpoints AS e ON e.client_id = n.client_id
WHERE e.status = 'ENABLED' AND (e.event_types = '{}' OR n.type = ANY(e.event_types))
ON CONFLICT (endpoint_id, object_id, sequence) DO NOTHING
"""


def record(events: Sequence[outbox.Event]) -> list[Write]:
    """Make the writes of events, for the transaction that makes them true."""
    named = [(e.payload["client_id"], e.object_id, e.sequence, e.type) for e in events]
    return [outbox.record(events), Write(_ADD_DELIVERIES, named, 4)]
