"""Event relay, healthy: one relay sends, three queues by class, each event once and in time, what it tells of itself."""

from __future__ import annotations

import math
import secrets
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from eventrelay.element import Event, unpack
from redis import Redis as Connection

from chaosblink import promises
from chaosblink.components import https
from chaosblink.components.eventrelay import CONSUMER, Eventrelay, undisturbed
from chaosblink.components.identity import HOST
from chaosblink.components.redis import Redis
from chaosblink.conformance.exposition import samples
from chaosblink.conformance.inside import inside
from chaosblink.targets import Instance, Target
from chaosblink.waiting import until
from chaosblink.workloads.login import Answer, Person, login

CLASSES = {
    "high": {"auth.login", "auth.logout", "auth.failed"},
    "normal": {"user.created", "org.created", "project.created"},
    "low": {"user.profile_viewed", "analytics.page_viewed"},
}
"""`zitadel.config.events.queues` of the owner's document."""
OWNERS = set().union(*CLASSES.values())
DATABASE = 1
"""`zitadel.config.events.redis.database`, on set 1 (that of `redis-master`)."""
KEYS = ("zitadel:events:cursor", "zitadel:events:relay", *(f"zitadel:events:{queue}" for queue in CLASSES))
HELD_MS = 15_000
"""For how long the platform's consumer is kept off at most, also when the test dies."""
SECRETS = {
    "eventrelay": {"redis-password", "zitadel-password"},
    "eventconsumer": {"redis-password", "chaos-password"},
}
WRITTEN = """
SELECT concat_ws('/', instance_id, aggregate_type, aggregate_id, "sequence"), event_type FROM eventstore.events2
WHERE aggregate_id = ANY(%(ids)s) OR creator = %(person)s ORDER BY "position", in_tx_order
"""
DELIVERED = """
SELECT queue, id, name, 1000 * (extract(epoch FROM delivered_at) - "position") FROM events_delivered
WHERE id = ANY(%(ids)s) ORDER BY serial
"""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One row of the consumer's table; `late_ms` by the clock of the database, which stamped cause and arrival."""

    queue: str
    id: str
    name: str
    late_ms: float


@dataclass(frozen=True, slots=True)
class Story:
    """What one person's doings wrote into the event store (id and ZITADEL's type, in order) and what arrived of it."""

    written: list[tuple[str, str]]
    arrived: list[Delivered]

    def named(self, queue: str) -> Counter[str]:
        """How often each name arrived in a queue."""
        return Counter(event.name for event in self.arrived if event.queue == queue)


_TOLD: dict[str, Story] = {}
"""By platform: one story a process is enough, and its passwords cost a hash each."""


def story(target: Target) -> Story:
    """Somebody is added, mistypes a password, logs in and out and is removed; Timeout when not all of it arrives."""
    if target.name not in _TOLD:
        with api(target) as client:
            person, password = add_person(client)
            try:
                sessions = [mistyped(client, person), logged_in(target, client, person, password)]
                for session in sessions:
                    client.request("DELETE", f"/v2/sessions/{session}", json={}).raise_for_status()
            finally:
                client.request("DELETE", f"/v2/users/{person}").raise_for_status()
        written = rows(target, "zitadel", WRITTEN, ids=[person, *sessions], person=person)
        ids = [identity for identity, _ in written]
        until(lambda: set(ids) <= {each.id for each in delivered(target, ids)}, promised_ms() / 1000, "all arrives")
        _TOLD[target.name] = Story(written, delivered(target, ids))
    return _TOLD[target.name]


@contextmanager
def api(target: Target) -> Iterator[httpx.Client]:
    """The identity's API through the edge, as its login client."""
    address, port = target.endpoint("identity")
    with https.client(target, address, port, host=HOST) as client:
        client.headers["authorization"] = f"Bearer {target.secret('login-client-token')}"
        yield client


def add_person(client: httpx.Client) -> tuple[str, str]:
    """Id and password of somebody new, whose login name is in the domain of the suite."""
    name, password = f"events-{secrets.token_hex(6)}@blinkchamber.test", f"Aa1!{secrets.token_hex(12)}"
    body = {
        "username": name,
        "profile": {"givenName": "Ada", "familyName": "Lovelace"},
        "email": {"email": name, "isVerified": True},
        "password": {"password": password},
    }
    return str(client.post("/v2/users/human", json=body).raise_for_status().json()["userId"]), password


def name_of(client: httpx.Client, person: str) -> str:
    """A person's login name."""
    return str(client.get(f"/v2/users/{person}").raise_for_status().json()["user"]["preferredLoginName"])


def open_session(client: httpx.Client, login_name: str) -> str:
    """Id of a session of somebody who has proven nothing yet."""
    user = {"checks": {"user": {"loginName": login_name}}}
    return str(client.post("/v2/sessions", json=user).raise_for_status().json()["sessionId"])


def mistyped(client: httpx.Client, person: str) -> str:
    """Id of a session in which a wrong password was given."""
    session = open_session(client, name_of(client, person))
    wrong = client.patch(f"/v2/sessions/{session}", json={"checks": {"password": {"password": "wrong"}}})
    assert wrong.status_code == 400, f"a wrong password was answered with {wrong.status_code}"
    return session


def logged_in(target: Target, client: httpx.Client, person: str, password: str) -> str:
    """Id of the session of a whole login: authorize, session, password, callback, token, userinfo."""
    steps = login(Person(name_of(client, person), password, target.secret("login-client-token")))
    session, request = "", next(steps)
    while True:
        given = {"authorization": ""} | request.headers  # an application does not call as the login client
        answer = client.request(request.method, request.target, headers=given, content=request.body or None)
        if request.step == "session":
            session = str(answer.json()["sessionId"])
        try:
            request = steps.send(Answer(answer.status_code, answer.headers, answer.content))
        except StopIteration:
            return session


def rows(target: Target, user: str, question: str, **given: Any) -> list[tuple[Any, ...]]:
    """A question to the database of ZITADEL (`zitadel`) or of the consumer (`chaos`), through the entrance."""
    host, port = target.endpoint("postgresql")
    with psycopg.connect(
        host=host, port=port, user=user, dbname=user, password=target.secret(f"{user}-password"), connect_timeout=5
    ) as connection:
        return connection.execute(question.encode(), given).fetchall()


def delivered(target: Target, ids: list[str]) -> list[Delivered]:
    """What the consumer's table holds of these events, in the order of their delivery, each row of it."""
    return [Delivered(queue, id, name, float(ms)) for queue, id, name, ms in rows(target, "chaos", DELIVERED, ids=ids)]


def promised_ms() -> float:
    """The release gate's bound on an event's arrival."""
    (promise,) = (each for each in promises.load() if each.id == "events-arrive-in-time")
    assert promise.bound
    return promise.bound


def of_program(target: Target, program: str) -> list[Instance]:
    """The relays (`eventrelay`) or the consumers (`eventconsumer`); without one nothing would be tested."""
    found = [each for each in Eventrelay(target).instances() if each.name.rpartition("-")[0] == program]
    assert found, f"no {program}"
    return found


def active(target: Target) -> Instance:
    """The relay that says it sends."""
    (found,) = (each for each in of_program(target, "eventrelay") if Eventrelay(target).role(each) == "active")
    return found


def metrics(target: Target, instance: Instance) -> str:
    """The page a Prometheus would scrape."""
    with Eventrelay(target).client(instance) as client:
        return client.get("/metrics").raise_for_status().text


def counted(target: Target, instance: Instance, name: str) -> dict[str, float]:
    """The values of one metric by queue ("" where it has none)."""
    return {one.labels.get("queue", ""): one.value for one in samples(metrics(target, instance), name)}


def queues(target: Target) -> Connection:
    """The database of the queues, at the address the relay uses; elements are bytes."""
    host, port = target.endpoint("redis-master")
    return Connection(host=host, port=port, password=target.secret("redis-password"), db=DATABASE, socket_timeout=3)


def leased(redis: Connection, key: str) -> str:
    """Who holds a lease; a relay's has a suffix for each of its lives."""
    held: Any = redis.get(key)
    return held.decode().partition("@")[0] if held else ""


@contextmanager
def consumers_kept_off(target: Target) -> Iterator[Connection]:
    """Hold the queues' leases as another consumer would: what is sent stays in its queue until the block ends."""
    leases = [f"zitadel:events:{queue}:consumer" for queue in CLASSES]
    with queues(target) as redis:
        try:
            for lease in leases:
                redis.set(lease, "conformance", px=HELD_MS)
            yield redis
        finally:
            redis.delete(*leases)  # all at once: the consumer must find every queue open when it looks


@contextmanager
def one_of_each(target: Target) -> Iterator[dict[str, list[str]]]:
    """Ids of events of all three classes, the least urgent first in time; who was added for them is removed again."""
    with api(target) as client:
        person, _ = add_person(client)
        try:
            session = open_session(client, name_of(client, person))
            client.request("DELETE", f"/v2/sessions/{session}", json={}).raise_for_status()
            made = rows(target, "zitadel", WRITTEN, ids=[person, session], person=person)
            classes = {"user.human.added": "normal", "session.terminated": "high"}
            found = {queue: [id for id, kind in made if classes.get(kind, "low") == queue] for queue in CLASSES}
            assert all(found.values()), made
            yield found
        finally:
            client.request("DELETE", f"/v2/users/{person}").raise_for_status()


def waiting(redis: Connection, queue: str) -> list[list[Event]]:
    """The batches in a queue, oldest first; ElementError for one that is not compressed as it should be."""
    elements: Any = redis.lrange(f"zitadel:events:{queue}", 0, -1)
    return [unpack(element) for element in elements]


def all_wait(redis: Connection, made: dict[str, list[str]]) -> bool:
    """Whether these events lie in the queues of their classes."""
    return all(set(ids) <= {e.id for batch in waiting(redis, queue) for e in batch} for queue, ids in made.items())


def test_one_relay_is_active_and_every_other_stands_by(target: Target) -> None:
    """By their own words, by their metrics, and by the lease in Redis."""
    relays = of_program(target, "eventrelay")
    roles = {instance.name: Eventrelay(target).role(instance) for instance in relays}
    assert sorted(roles.values()) == ["active"] + ["standby"] * (len(relays) - 1), roles
    assert len(relays) >= 2, roles
    sending = {instance.name: counted(target, instance, "eventrelay_active")[""] for instance in relays}
    assert sending == {name: float(role == "active") for name, role in roles.items()}
    with queues(target) as redis:
        assert leased(redis, "zitadel:events:relay") == active(target).name


def test_every_consumer_works_and_holds_the_queues(target: Target) -> None:
    consumers = of_program(target, "eventconsumer")
    for instance in consumers:
        told = Eventrelay(target).status(instance)
        assert (told.get("role"), told.get("healthy"), told.get("trouble")) == (CONSUMER, True, ""), instance.name
    names = {instance.name for instance in consumers}
    with queues(target) as redis:
        holders = {queue: leased(redis, f"zitadel:events:{queue}:consumer") for queue in CLASSES}
        assert set(holders.values()) <= names, holders
        assert [redis.llen(f"zitadel:events:{queue}:unreadable") for queue in CLASSES] == [0, 0, 0]


@pytest.mark.disturbs
def test_what_waits_lies_compressed_in_the_queue_of_its_class(target: Target) -> None:
    """The consumer is kept off for a moment; then the depths the relays tell are those of the queues."""
    most = int(Eventrelay(target).status(active(target))["settings"]["batch_size"])
    with consumers_kept_off(target) as redis, one_of_each(target) as made:
        until(lambda: all_wait(redis, made), promised_ms() / 1000, "an event of each class is in its queue")
        held = {queue: waiting(redis, queue) for queue in CLASSES}
        until(lambda: told_depths(target) == depths(redis), 5, "every relay tells the depth of each queue")
        assert min(depths(redis).values()) > 0
    for queue, batches in held.items():
        assert all(1 <= len(batch) <= most <= 100 for batch in batches), queue
        names = {event.name for batch in batches for event in batch}
        assert names & OWNERS <= CLASSES[queue], f"{queue}: {sorted(names)}"


def depths(redis: Connection) -> dict[str, float]:
    """Elements in each queue, as Redis counts them."""
    return {queue: float(str(redis.llen(f"zitadel:events:{queue}"))) for queue in CLASSES}


def told_depths(target: Target) -> dict[str, float]:
    """Elements in each queue as the relays tell it; empty while they differ."""
    told = [counted(target, each, "eventrelay_queue_depth") for each in of_program(target, "eventrelay")]
    return told[0] if all(one == told[0] for one in told) else {}


@pytest.mark.disturbs
def test_a_consumer_empties_high_before_normal_before_low(target: Target) -> None:
    """All three wait together, the low one written first; delivered is by priority."""
    with one_of_each(target) as made:
        ids = [identity for queue in made.values() for identity in queue]
        with consumers_kept_off(target) as redis:
            until(lambda: all_wait(redis, made), promised_ms() / 1000, "an event of each class is in its queue")
        until(lambda: len(delivered(target, ids)) >= len(ids), promised_ms() / 1000, "all are delivered")
        order = list(dict.fromkeys(event.queue for event in delivered(target, ids)))
    assert order == ["high", "normal", "low"]


def test_every_event_of_a_persons_doings_arrives_once_and_in_order(target: Target) -> None:
    told = story(target)
    assert len(told.written) >= 10, told.written
    assert Counter(event.id for event in told.arrived) == Counter(id for id, _ in told.written)
    place = {identity: number for number, (identity, _) in enumerate(told.written)}
    for queue in CLASSES:
        arrived = [place[event.id] for event in told.arrived if event.queue == queue]
        assert arrived == sorted(arrived), queue


def test_a_login_a_failure_and_a_logout_are_told_in_the_high_queue(target: Target) -> None:
    """Two sessions end, one of them after a login; the checks on the way there are no events of the owner's."""
    assert story(target).named("high") == {"auth.failed": 1, "auth.login": 1, "auth.logout": 2}


def test_a_new_user_is_told_in_the_normal_queue(target: Target) -> None:
    assert story(target).named("normal") == {"user.created": 1}


def test_all_else_arrives_in_the_low_queue_under_its_own_name(target: Target) -> None:
    told = story(target)
    low = told.named("low")
    assert {"session.added", "user.removed"} <= set(low), low
    assert set(low) & OWNERS == set()
    kinds = dict(told.written)
    assert all(kinds[event.id] == event.name for event in told.arrived if event.queue == "low")


@pytest.mark.parametrize("queue", CLASSES)
def test_no_event_is_later_than_promised_in_queue(
    target: Target, queue: str, record_property: Callable[[str, object], None]
) -> None:
    late = [event.late_ms for event in story(target).arrived if event.queue == queue]
    slowest = max(late)
    for name, value in {"measured": round(slowest, 1), "bound": promised_ms(), "unit": "ms"}.items():
        record_property(name, value)
    assert 0 < min(late), f"{queue}: arrived before it was written"
    assert slowest <= promised_ms(), f"{queue}: {slowest:.0f} ms"


def test_half_of_the_events_are_no_later_than_batches_and_polls_allow(
    target: Target, record_property: Callable[[str, object], None]
) -> None:
    """The live settings while nothing dies; every event would also count what else this machine does."""
    allowed, middle = undisturbed(target), statistics.median(event.late_ms for event in story(target).arrived)
    for name, value in {"measured": round(middle, 1), "bound": allowed.ms, "unit": "ms"}.items():
        record_property(name, value)
    assert middle <= allowed.ms, f"{middle:.0f} ms, {allowed.formula} = {allowed.ms:g} ms with {allowed.inputs}"


def test_lag_is_told_while_an_event_waits_and_is_gone_afterwards(target: Target) -> None:
    relay = active(target)
    seen: list[float] = []

    def lag() -> float:
        (seconds,) = counted(target, relay, "eventrelay_lag_seconds").values()
        seen.append(seconds)
        return seconds

    with one_of_each(target):
        until(lambda: lag() > 0, promised_ms() / 1000, "the relay tells how old the waiting event is", every=0.05)
    until(lambda: lag() == 0, 2 * promised_ms() / 1000, "nothing waits any more", every=0.05)
    assert all(math.isfinite(seconds) and 0 <= seconds < promised_ms() / 1000 for seconds in seen), seen


def test_what_was_sent_and_delivered_is_counted_by_queue(target: Target) -> None:
    relay, consumers = active(target), of_program(target, "eventconsumer")

    def sent_and_delivered() -> dict[str, tuple[float, float]]:
        sent = counted(target, relay, "eventrelay_events_sent_total")
        done = [counted(target, each, "eventrelay_events_delivered_total") for each in consumers]
        return {queue: (sent.get(queue, 0), sum(one.get(queue, 0) for one in done)) for queue in CLASSES}

    def moved() -> bool:
        after = sent_and_delivered()
        return all(after[queue][side] >= before[queue][side] + len(made[queue]) for queue in CLASSES for side in (0, 1))

    before = sent_and_delivered()
    with one_of_each(target) as made:
        until(moved, promised_ms() / 1000, "relay and consumer count the events of each queue")


def test_queues_and_cursor_are_in_the_owners_database_of_set_1_and_nowhere_else(target: Target) -> None:
    """They are forgotten together or not at all; the cursor moves with what is sent."""
    with queues(target) as redis:
        before = redis.get(KEYS[0])
        assert before, "no cursor where it should be"
        with one_of_each(target):
            until(lambda: redis.get(KEYS[0]) != before, promised_ms() / 1000, "the cursor moves")
    for number, masters in Redis(target).masters().items():
        (master,) = masters
        for database in (0, 1, 2):
            if (number, database) != (1, DATABASE):
                with Redis(target).client(master) as client:
                    client.select(database)
                    assert client.exists(*KEYS) == 0, f"{master.name}, database {database}"


@pytest.mark.parametrize("program", SECRETS)
def test_each_holds_the_files_of_the_two_secrets_it_needs_and_no_other(target: Target, program: str) -> None:
    """That no secret stands in its environment, log or command line is tried for every component (suites/secrets)."""
    for instance in of_program(target, program):
        assert set(inside(target, instance, ["sh", "-c", 'ls "$SECRETS"']).split()) == SECRETS[program], instance.name
