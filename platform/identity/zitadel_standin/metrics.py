"""What a node counts, under the owner's names, and how it is shown to Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

AUTH_REQUESTS = Counter("zitadel_auth_requests", "OIDC authorization requests accepted")
AUTH_FAILURES = Counter("zitadel_auth_failures", "Refused checks, codes and tokens", ["reason"])
USERS = Gauge("zitadel_users_total", "Users in the database; NaN while the database is away")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
DURATION = Histogram(
    "zitadel_http_requests_duration_seconds",
    "Time from the complete request to the complete answer",
    ["method", "route", "status"],
    buckets=SECONDS,
)
GRPC_DURATION = Histogram(
    "zitadel_grpc_requests_duration_seconds",
    "Time of a procedure called by its service's path (Connect), from the complete request to the complete answer",
    ["method", "status"],
    buckets=SECONDS,
)
CACHE_REQUESTS = Counter("zitadel_cache_requests", "Cache look-ups and writes by result", ["result"])
CACHE_BREAKER = Gauge("zitadel_cache_breaker_state", "0 closed, 1 half open (one probe is out), 2 open")
CACHE_BREAKER_OPEN = Gauge("zitadel_cache_breaker_open", "1 while the breaker is open or half open, else 0")
CONNECTIONS = Gauge("zitadel_database_connections", "Database connections of the pool", ["state"])
CONNECTIONS_LOST = Counter("zitadel_database_connections_lost", "Connections thrown away because they broke")
TRANSACTIONS_RETRIED = Counter("zitadel_database_transactions_retried", "Repeats after a serialization failure")
BCRYPT_COST = Gauge("zitadel_standin_bcrypt_cost", "bcrypt cost of new password hashes; it dominates login load")
