"""How a node fails and recovers: as ZITADEL does, no better."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import psycopg
from standin_login import AUTHORIZE, complete
from standin_servers import USER_PASSWORD, Platform, until

Clients = list[httpx.Client]


def test_logins_return_at_once_after_the_database_is_back(platform: Platform, clients: Clients) -> None:
    with ThreadPoolExecutor(10) as pool:  # fill both pools
        list(pool.map(lambda n: complete([clients[n % 2]], platform.token, USER_PASSWORD), range(10)))
    platform.postgres.stop()
    statuses = {clients[0].get("/oauth/v2/authorize", params=AUTHORIZE).status_code for _ in range(12)}
    assert statuses <= {500, 503}
    assert platform.nodes[0].status("/debug/ready") == 412
    assert platform.nodes[0].status("/debug/healthz") == 200
    platform.postgres.start()
    # A dead connection used less than a second ago is found out by a request that fails, as with ZITADEL's pool.
    until(lambda: complete(clients, platform.token, USER_PASSWORD), 1.5, "a whole login succeeds")
    assert platform.nodes[0].status("/debug/ready") == 200


def test_a_request_whose_client_left_gives_its_connection_back(platform: Platform, clients: Clients) -> None:
    backends = [
        pid for (pid,) in platform.postgres.rows("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    ]
    with frozen(backends), ThreadPoolExecutor(12) as pool:
        impatient = httpx.Timeout(0.3)
        calls = [
            pool.submit(clients[0].get, "/oauth/v2/authorize", params=AUTHORIZE, timeout=impatient) for _ in range(12)
        ]
        assert all(call.exception() is None or isinstance(call.exception(), httpx.TimeoutException) for call in calls)
        # New backends are not frozen: once the abandoned connections are closed, requests succeed.
        until(
            lambda: clients[0].get("/oauth/v2/authorize", params=AUTHORIZE).status_code == 302, 3, "a request succeeds"
        )


def test_a_lost_cache_costs_no_login_and_the_breaker_opens_and_closes(platform: Platform, clients: Clients) -> None:
    platform.redis.stop()
    for _ in range(3):  # two look-ups and more in each
        complete([clients[0]], platform.token, USER_PASSWORD)
    assert metric(clients[0], "zitadel_cache_breaker_state") in (1, 2)
    assert metric(clients[0], "zitadel_cache_breaker_open") == 1
    platform.redis.start()

    def closed() -> bool:
        complete([clients[0]], platform.token, USER_PASSWORD)
        return metric(clients[0], "zitadel_cache_breaker_state") == 0

    until(closed, 10, "the breaker closes")
    assert metric(clients[0], "zitadel_cache_breaker_open") == 0
    hits = metric(clients[0], 'zitadel_cache_requests_total{result="hit"}')
    complete([clients[0]], platform.token, USER_PASSWORD)
    assert metric(clients[0], 'zitadel_cache_requests_total{result="hit"}') > hits


def test_logins_of_one_user_at_the_same_moment_all_succeed(platform: Platform, clients: Clients) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: complete([clients[n % 2]], platform.token, USER_PASSWORD), range(12)))


def test_metrics_carry_the_owners_names(clients: Clients) -> None:
    assert metric(clients[0], "zitadel_users_total") >= 20
    assert metric(clients[0], "zitadel_auth_requests_total") > 0
    assert metric(clients[0], "zitadel_standin_bcrypt_cost") == 4
    shown = clients[0].get("/debug/metrics").text
    assert 'zitadel_http_requests_duration_seconds_bucket{le="0.005",method="POST",route="/oauth/v2/token"' in shown


def test_no_secret_reaches_a_log(platform: Platform) -> None:
    for node in platform.nodes:
        log = node.log.read_text()
        assert "Traceback" not in log
        assert not [secret for secret in platform.secrets if secret in log]


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """The processes stand still (SIGSTOP) inside the block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def metric(client: httpx.Client, name: str) -> float:
    """The value of one sample."""
    for line in client.get("/debug/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no sample {name}")


def test_a_node_starts_while_another_writes(platform: Platform) -> None:
    with psycopg.connect(platform.postgres.dsn) as writing:
        writing.execute("LOCK TABLE eventstore.events2, identity.tokens, identity.grants IN ROW EXCLUSIVE MODE")
        platform.nodes[1].stop()
        platform.nodes[1].start()
        platform.nodes[1].wait_until_ready()
