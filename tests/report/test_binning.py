"""Down-sampling for charts keeps every operation that did not succeed, and draws nothing that was not measured."""

from __future__ import annotations

from chaosblink.history import Event, Operation, Outcome
from chaosblink.report import binning

MS = 1_000_000


def operation(start_ms: int, outcome: Outcome = "ok", took_ms: int = 3) -> Operation:
    """An operation of one path that starts `start_ms` after t0 = 0."""
    start = start_ms * MS
    return Operation("redis-1/persistent", "write", f"id-{start_ms}", start, start, start + took_ms * MS, outcome)


def test_spans_tell_all_some_and_none_and_leave_gaps() -> None:
    operations = [operation(at) for at in (0, 50, 100)]
    operations += [operation(150, "fail"), operation(200, "fail"), operation(500)]
    states = [(row["start"], row["end"], row["state"]) for row in binning.spans(operations, 0, 100.0)]
    assert states == [
        (0.0, 0.1, binning.ALL),
        (0.1, 0.2, binning.SOME),
        (0.2, 0.3, binning.NONE),
        (0.5, 0.6, binning.ALL),
    ]


def test_one_failure_among_many_is_seen() -> None:
    operations = [operation(at) for at in range(0, 5000, 10)] + [operation(2505, "unknown")]
    assert [row["state"] for row in binning.spans(operations, 0, 100.0)] == [binning.ALL, binning.SOME, binning.ALL]


def test_misses_count_every_operation_that_did_not_succeed() -> None:
    operations = [operation(at, "fail" if at % 3 else "unknown", took_ms=at % 7) for at in range(1000)]
    rows = binning.misses(operations, 0, 0.05)
    assert sum(row["count"] for row in rows) == 1000
    assert sum(row["count"] for row in rows if row["outcome"] == "unknown") == 334


def test_the_latency_line_breaks_where_nothing_succeeded() -> None:
    rows = binning.latencies([operation(0), operation(50, took_ms=9), operation(900)], 0, 100.0)
    assert [row["slowest"] for row in rows] == [9.0, None, 3.0]


def test_success_rate_leaves_out_seconds_without_a_login() -> None:
    rows = binning.success_rate([(0, True), (500 * MS, False), (2000 * MS, True)], 0, 1000.0)
    assert [(row["at"], row["rate"]) for row in rows] == [(0.5, 50.0), (2.5, 100.0)]


def test_cpu_sums_the_instances_of_a_component() -> None:
    events = [
        Event(0, "cpu", {"instance": "redis-master-0", "percent": 10.0}),
        Event(200 * MS, "cpu", {"instance": "redis-master-0", "percent": 20.0}),
        Event(0, "cpu", {"instance": "redis-replica-0", "percent": 5.0}),
        Event(0, "cpu", {"instance": "vault-0", "percent": "nonsense"}),
    ]
    assert binning.cpu_by_component(events, 0) == [{"at": 0.25, "component": "redis", "percent": 20.0}]
