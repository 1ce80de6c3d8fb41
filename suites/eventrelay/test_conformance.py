"""Event relay, healthy: one active, queues by class where the owner has them, each event once, in time, compressed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from chaosblink.components.eventrelay import CONSUMER, Eventrelay
from chaosblink.components.redis import Redis
from chaosblink.conformance import exposition, exposure
from chaosblink.conformance.inside import inside
from chaosblink.targets import Instance, Target
from chaosblink.waiting import until
from suites.eventrelay import story
from suites.eventrelay.queues import (
    CURSOR,
    DATABASE,
    EVERY_KEY,
    LEASE,
    QUEUES,
    SET,
    consumer_key,
    held,
    key_of,
    queues,
)

BATCH_SIZE, BATCH_MS = 100, 1000
"""The owner's `batchSize` and `batchTimeout`."""
OWNERS = {
    "auth.login": "high",
    "auth.logout": "high",
    "auth.failed": "high",
    "user.created": "normal",
    "org.created": "normal",
    "project.created": "normal",
    "user.profile_viewed": "low",
    "analytics.page_viewed": "low",
}
"""The owner's events and their queues."""
TOLD = {
    "user.human.added": ("normal", "user.created"),
    "user.human.password.check.failed": ("high", "auth.failed"),
    "oidc_session.added": ("high", "auth.login"),
    "session.terminated": ("high", "auth.logout"),
    "session.added": ("low", "session.added"),
}
"""What a person's deeds write in ZITADEL, and the queue and name by which a consumer must get it."""
PASSWORDS = {"relay": ("zitadel-password", "redis-password"), CONSUMER: ("chaos-password", "redis-password")}
TIMELINE = b"SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
SEEN_WITHIN_S = 5.0
"""How soon a number must be told once it is one: a depth is told once a second, all others four times."""


def asked(target: Target) -> dict[str, tuple[Instance, str]]:
    """Every instance with the role it tells now, by name; without one nothing would be tested."""
    component = Eventrelay(target)
    found = {instance.name: (instance, component.role(instance)) for instance in component.instances()}
    assert found
    return found


def relays(target: Target) -> dict[str, str]:
    """Roles of the relays by name; a silent one says none."""
    return {name: role for name, (_, role) in asked(target).items() if not is_consumer(name)}


def is_consumer(name: str) -> bool:
    """Whether an instance was deployed to consume, whatever it does now."""
    return name.startswith("eventconsumer")


def active(target: Target) -> Instance:
    """The relay that says it sends."""
    found = [instance for instance, role in asked(target).values() if role == "active"]
    assert len(found) == 1, f"active: {[instance.name for instance in found]}"
    return found[0]


def consumers(target: Target) -> list[Instance]:
    """Those that empty the lists, each of which says that it does."""
    found = {name: (instance, role) for name, (instance, role) in asked(target).items() if is_consumer(name)}
    roles = {name: role for name, (_, role) in found.items()}
    assert roles == dict.fromkeys(roles or ["a consumer"], CONSUMER), roles
    return [instance for instance, _ in found.values()]


def page(target: Target, instance: Instance, path: str = "/metrics") -> str:
    """What an instance answers over HTTP."""
    with Eventrelay(target).client(instance) as client:
        return client.get(path).raise_for_status().text


def number(target: Target, instance: Instance, name: str) -> float:
    """The one sample of a metric without labels."""
    (sample,) = exposition.samples(page(target, instance), name)
    return sample.value


def by_queue(target: Target, instances: list[Instance], name: str) -> dict[str, float]:
    """A metric's samples by queue, summed over instances; a queue that was never counted has none and is 0."""
    sums = dict.fromkeys(QUEUES, 0.0)
    for instance in instances:
        for sample in exposition.samples(page(target, instance), name):
            sums[sample.labels["queue"]] += sample.value
    return sums


_STORIES: dict[str, story.Story] = {}


@pytest.fixture
def told(target: Target) -> story.Story:
    """One person's story on this platform; lived once a process, since its events wait a second for their batch."""
    if target.name not in _STORIES:
        _STORIES[target.name] = story.lived(target)
    return _STORIES[target.name]


one_story = pytest.mark.xdist_group("event-story")


def test_one_relay_is_active_and_every_other_stands_by(target: Target) -> None:
    roles = relays(target)
    assert len(roles) >= 2, roles
    assert Counter(roles.values()) == {"active": 1, "standby": len(roles) - 1}, roles


def test_the_active_relay_is_the_one_that_has_the_lease_in_redis(target: Target) -> None:
    with queues(target) as lists:
        holder, remaining_ms = lists.client.get(LEASE), lists.client.pttl(LEASE)
    name, _, life = str(holder).partition("@")
    assert (name, bool(life)) == (active(target).name, True), holder
    settings = Eventrelay(target).status(active(target))["settings"]
    assert 0 < remaining_ms <= settings["lease_ms"], "a lease without an end would outlive its holder"


def test_a_consumer_works_and_has_every_list(target: Target) -> None:
    names = {instance.name for instance in consumers(target)}
    with queues(target) as lists:
        having = {queue: lists.client.get(consumer_key(queue)) for queue in QUEUES}
    assert set(having.values()) <= names, f"{having}, consumers are {sorted(names)}"


def test_every_instance_is_healthy_and_in_no_trouble(target: Target) -> None:
    for instance, _ in asked(target).values():
        said = json.loads(page(target, instance, "/status"))
        assert (said["healthy"], said["trouble"]) == (True, ""), f"{instance.name}: {said}"
        assert page(target, instance, "/healthz") == "ok", instance.name


def test_batches_are_of_100_events_or_1_s_by_what_every_instance_has_in_force(target: Target) -> None:
    for instance, _ in asked(target).values():
        settings = json.loads(page(target, instance, "/status"))["settings"]
        assert (settings["batch_size"], settings["batch_ms"]) == (BATCH_SIZE, BATCH_MS), instance.name


def test_the_queues_are_in_database_1_of_set_1_and_nowhere_else(target: Target) -> None:
    found: dict[tuple[int, int], set[str]] = {}
    for number_of_set, masters in Redis(target).masters().items():
        assert len(masters) == 1, f"set {number_of_set}"
        with Redis(target).client(masters[0]) as client:
            keyspace: Any = client.info("keyspace")
            for name in keyspace:
                database = int(str(name).removeprefix("db"))
                client.select(database)
                if keys := set(client.scan_iter(EVERY_KEY, count=1000)):
                    found[number_of_set, database] = keys
    assert set(found) == {(SET, DATABASE)}, {place: sorted(keys) for place, keys in found.items()}
    assert {CURSOR, LEASE, *map(consumer_key, QUEUES)} <= found[SET, DATABASE]


def test_database_1_of_set_1_holds_nothing_but_events(target: Target) -> None:
    """The cache lives in another database; what other tests leave there for a minute bears their name."""
    with queues(target) as lists:
        keys = {str(key) for key in lists.client.scan_iter("*", count=1000)}
    assert {key for key in keys if not key.startswith(("zitadel:events", "conformance:"))} == set()


def test_no_element_was_put_aside_as_unreadable(target: Target) -> None:
    with queues(target) as lists:
        assert lists.put_aside() == dict.fromkeys(QUEUES, 0)


@one_story
@pytest.mark.parametrize("kind", TOLD)
def test_an_event_made_through_the_api_arrives_once_in_the_queue_of_its_class(told: story.Story, kind: str) -> None:
    queue, name = TOLD[kind]
    written = [event.id for event in told.written if event.type == kind]
    assert written, f"nothing the person did has written {kind}"
    arrived = [(row.id, row.queue, row.name) for row in told.delivered if row.id in written]
    # a login and the session behind it are two sessions, of which one is ended
    assert sorted(arrived) == sorted((identity, queue, name) for identity in written)


@one_story
def test_every_event_of_a_login_arrives_once_and_in_its_order(told: story.Story) -> None:
    """Ten and more events of several transactions, each list in the order of the store."""
    assert len(told.written) >= 10, told.written
    sent_to = {row.id: row.queue for row in told.delivered}
    expected = {queue: [e.id for e in told.written if sent_to.get(e.id) == queue] for queue in QUEUES}
    assert {queue: [r.id for r in told.delivered if r.queue == queue] for queue in QUEUES} == expected
    assert {event.type for event in told.written if event.id not in sent_to} == set(), "not delivered"


@one_story
def test_no_event_had_to_be_removed_as_a_duplicate(told: story.Story) -> None:
    """With nothing broken nothing is sent again; the inbox has each id, and saw it once."""
    assert told.delivered
    assert {row.id: row.arrivals for row in told.delivered if row.arrivals != 1} == {}


@one_story
def test_a_login_is_told_by_the_owners_names_once_and_the_rest_by_zitadels_in_the_low_queue(told: story.Story) -> None:
    types = {event.id: event.type for event in told.written}
    owners = Counter(row.name for row in told.delivered if row.name in OWNERS)
    assert owners == {"user.created": 1, "auth.login": 1, "auth.failed": 1, "auth.logout": 1}
    for row in told.delivered:
        expected = (OWNERS[row.name], row.name) if row.name in OWNERS else ("low", types[row.id])
        assert (row.queue, row.name) == expected, types[row.id]


@one_story
def test_events_arrive_within_the_bound(
    target: Target, told: story.Story, record_property: Callable[[str, object], None]
) -> None:
    """By the database's own clock, from the moment the event was written to its commit by the consumer."""
    assert {event.id for event in told.written} == {row.id for row in told.delivered}, "some never arrived"
    bound, slowest = Eventrelay(target).bound(), float(max(row.late_s for row in told.delivered)) * 1000
    for name, value in {"measured": round(slowest, 1), "bound": bound.ms, "unit": "ms"}.items():
        record_property(name, value)
    assert 0 < slowest <= bound.ms, f"{bound.formula} = {bound.ms:g} ms"


@one_story
def test_the_cursor_has_reached_the_last_event_that_was_delivered(target: Target, told: story.Story) -> None:
    with queues(target) as lists, story.database(target, "zitadel") as store:
        timeline, position, _ = str(lists.client.get(CURSOR)).split("/")
        row = store.execute(TIMELINE).fetchone()
    arrived = {row.id for row in told.delivered}
    assert Decimal(position) >= max(event.position for event in told.written if event.id in arrived)
    assert row is not None
    assert int(timeline) == row[0], "the cursor is of another timeline than the primary"


def test_who_is_active_is_told_in_the_metrics(target: Target) -> None:
    roles = relays(target)
    told = {name: number(target, asked(target)[name][0], "eventrelay_active") for name in roles}
    assert told == {name: float(role == "active") for name, role in roles.items()}
    for name in (name for name, role in roles.items() if role == "standby"):
        assert number(target, asked(target)[name][0], "eventrelay_lag_seconds") == 0, f"{name} sends nothing"


@pytest.mark.disturbs
def test_the_depth_and_the_events_told_are_those_of_the_lists(target: Target) -> None:
    """Held still, the lists are counted in Redis; the active relay and the consumer must tell the same numbers."""
    relay, takers = active(target), consumers(target)

    def sent() -> dict[str, float]:
        return by_queue(target, [relay], "eventrelay_events_sent_total")

    def delivered() -> dict[str, float]:
        return by_queue(target, takers, "eventrelay_events_delivered_total")

    with held(target) as lists:
        sent_before, delivered_before, waited = sent(), delivered(), lists.events()
        with story.api(target) as client:
            story.one_event_of_each_class(target, client)
        until(lambda: all(lists.depths().values()), SEEN_WITHIN_S, "every list has an element")
        until(
            lambda: by_queue(target, [relay], "eventrelay_queue_depth") == lists.depths(),
            SEEN_WITHIN_S,
            "the depth that is told is that of the lists",
        )
        until(
            lambda: _less(lists.events(), waited) == _less(sent(), sent_before),
            SEEN_WITHIN_S,
            "as many events are told sent as came into the lists",
        )
    until(
        lambda: _less(delivered(), delivered_before) == _more(waited, _less(sent(), sent_before)),
        SEEN_WITHIN_S,
        "as many events are told delivered as waited and were sent",
    )


def _less(now: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {queue: now[queue] - before[queue] for queue in QUEUES}


def _more(these: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    return {queue: these[queue] + others[queue] for queue in QUEUES}


@pytest.mark.disturbs
def test_what_waits_is_delivered_by_priority(target: Target) -> None:
    """An event of each class waits, the low one written first: high is emptied before normal, and normal before low."""
    with story.database(target, "chaos") as consumer:
        with held(target) as lists:
            with story.api(target) as client:
                story.one_event_of_each_class(target, client)
            until(lambda: all(lists.depths().values()), SEEN_WITHIN_S, "every list has an element")
            waiting = [event["id"] for queue in QUEUES for batch in lists.batches(queue) for event in batch]
        order = [row.queue for row in story.delivered(consumer, waiting)]
    assert list(dict.fromkeys(order)) == list(QUEUES), order
    assert order == sorted(order, key=QUEUES.index), "a list was left before it was empty"


@pytest.mark.disturbs
def test_an_element_is_one_compressed_batch(target: Target) -> None:
    """Twelve sessions are ended within a moment: their events share elements, which nobody could read uncompressed."""
    with held(target) as lists, story.api(target) as client, story.added(target, client) as (person, _):
        began = time.monotonic()
        sessions = [story.opened(client, person.login_name) for _ in range(12)]
        for session in sessions:
            story.ended(client, session)
        took = time.monotonic() - began
        until(lambda: _ended(lists.batches("high")) >= set(sessions), SEEN_WITHIN_S, "their ends are in the list")
        assert lists.client.type(key_of("high")) == "list"
        batches, elements = lists.batches("high"), lists.elements("high")
    names = [(event["name"], event["aggregate_id"]) for batch in batches for event in batch]
    assert sorted(one for one in names if one[1] in sessions) == sorted(("auth.logout", one) for one in sessions)
    assert len(batches) <= took * 1000 / BATCH_MS + 2, f"{len(batches)} elements for what happened within {took:.1f} s"
    assert max(map(len, batches)) <= BATCH_SIZE
    positions = [(Decimal(event["position"]), event["order"]) for batch in batches for event in batch]
    assert positions == sorted(positions)
    for element in elements:
        with pytest.raises(ValueError, match=r"."):
            json.loads(element)
        assert len(element) < len(zlib.decompress(element))


def _ended(batches: list[list[dict[str, object]]]) -> set[object]:
    return {event["aggregate_id"] for batch in batches for event in batch if event["name"] == "auth.logout"}


@pytest.mark.disturbs
def test_the_lag_is_told_while_an_event_waits_for_its_batch_and_is_gone_afterwards(target: Target) -> None:
    relay, bound = active(target), Eventrelay(target).bound()

    def lag() -> float:
        return number(target, relay, "eventrelay_lag_seconds")

    until(lambda: lag() == 0, SEEN_WITHIN_S, "nothing waits")
    with story.api(target) as client:
        story.one_event_of_each_class(target, client)
    told = until(lag, SEEN_WITHIN_S, "the lag is told", every=0.05)
    assert told * 1000 <= bound.ms
    until(lambda: lag() == 0, SEEN_WITHIN_S, "the lag is gone")


@pytest.mark.disturbs
def test_events_wait_behind_an_open_transaction_and_go_when_it_ends(target: Target) -> None:
    """What is still open may commit an event below those that are visible, which a reader past it would never see."""
    relay = active(target)
    settings = Eventrelay(target).status(relay)["settings"]
    due_s = (settings["batch_ms"] + 2 * settings["poll_ms"]) / 1000 + 0.5
    with story.database(target, "chaos") as consumer, story.api(target) as client, contextlib.ExitStack() as opened:
        person = opened.enter_context(story.added(target, client))[0]
        late = opened.enter_context(story.database(target, "zitadel", autocommit=False))
        late.execute("SELECT pg_current_xact_id()")
        session = story.opened(client, person.login_name)
        story.ended(client, session)
        until(
            lambda: number(target, relay, "eventrelay_held_back_seconds") > due_s,
            due_s + SEEN_WITHIN_S,
            f"the relay tells that it holds back for more than {due_s:g} s",
        )
        assert story.logout_arrived(consumer, session) == 0, "sent although an older transaction was open"
        late.rollback()
        until(lambda: story.logout_arrived(consumer, session) == 1, story.WATCHED_S, "delivered, once")


def test_every_program_reads_its_passwords_from_files_and_was_handed_no_other(target: Target) -> None:
    """That none of them stands in an environment, an argument or a log is tried for all components in the suite
    `secrets`."""
    for name, (instance, _) in asked(target).items():
        expected = PASSWORDS[CONSUMER if is_consumer(name) else "relay"]
        assert set(inside(target, instance, ["sh", "-c", 'ls "$SECRETS"']).split()) == set(expected), name
        places = _places(exposure.environments(target, instance))
        for variable, secret in zip(("DATABASE_PASSWORD_FILE", "REDIS_PASSWORD_FILE"), expected, strict=True):
            content = inside(target, instance, ["cat", places[variable]]).strip()
            assert _digest(content) == _digest(target.secret(secret)), f"{name}: {variable}"


def _places(environments: dict[str, bytes]) -> dict[str, str]:
    """Variables of the instance's program that name files; other processes of it may know none."""
    pairs = [line.partition(b"=") for content in environments.values() for line in content.split(b"\0")]
    return {name.decode(): value.decode() for name, _, value in pairs if name.endswith(b"_PASSWORD_FILE")}


def _digest(secret: str) -> str:
    """What may be shown when two secrets differ."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]
