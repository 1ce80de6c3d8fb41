"""What an instance counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

ACTIVE = Gauge("eventrelay_active", "1 on the relay that sends, 0 on a standby")
SENT = Counter("eventrelay_events_sent", "Events appended to a list, repeats included", ["queue"])
BATCHES = Counter("eventrelay_batches_sent", "Elements appended to a list", ["queue"])
DEPTH = Gauge("eventrelay_queue_depth", "Elements (batches) waiting in a list", ["queue"])
LAG = Gauge("eventrelay_lag_seconds", "Age of the oldest event that could be sent and was not; 0 when there is none")
HELD_BACK = Gauge("eventrelay_held_back_seconds", "Age of the oldest open transaction, behind which events wait")
REFUSED = Counter("eventrelay_pushes_refused", "Pushes that appended nothing", ["why"])
SET_BACK = Counter("eventrelay_cursor_set_back", "Times the cursor went back because another server's clock counts")
ERRORS = Counter("eventrelay_errors", "Turns that failed", ["of"])
DELIVERED = Counter("eventrelay_events_delivered", "Events whose work a consumer committed", ["queue"])
DUPLICATES = Counter("eventrelay_duplicates_removed", "Events a consumer had seen before", ["queue"])
UNREADABLE = Counter("eventrelay_elements_unreadable", "Elements put aside because they are no batch", ["queue"])
