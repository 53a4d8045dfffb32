"""A transaction that has shown its client nothing yet is begun again on another server, and its client does not notice."""
import contextlib

import pytest

from harness import raw
from harness.process import wait_until
from harness.routing import paused, place, reader, routed, routes, sections, where, written  # noqa: F401 (place is a fixture)

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def proxy(place):
    with routed(sections(place, {"read_your_writes": "off"})) as started:
        yield started


@pytest.fixture
def client(proxy):
    """On a replica, were it to read."""
    with reader(proxy) as made:
        yield made


def servers(place):
    return [place.primary, *place.replicas]


def kill_all(place):
    """Whoever has a transaction open, and does nothing."""
    find = "SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND state = 'idle in transaction'"
    found = [(server, pid) for server in servers(place) for (pid,) in server.sql(find)]
    assert found
    for server, pid in found:
        server.sql("SELECT pg_terminate_backend(%s, 10000)", parameters=[pid])


@contextlib.contextmanager
def not_there_yet(place, statement, undo):
    """The primary has it and the replicas do not; nor do they still have what another test has made and dropped."""
    wait_until(place.caught_up, 20, "the replicas have what was before")
    with paused(*place.replicas):
        place.primary.sql(statement, "app")
        try:
            yield
        finally:
            place.primary.sql(undo, "app")


CHARACTERISTICS = "SELECT current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')"


@pytest.mark.parametrize("begin", ["BEGIN READ ONLY", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"])
@pytest.mark.parametrize("protocol", [raw.query, raw.extended], ids=["simple", "extended"])
def test_what_a_replica_does_not_have_yet_is_read_on_the_primary(client, proxy, place, begin, protocol):
    with not_there_yet(place, "CREATE TABLE young AS SELECT 7 AS n; GRANT ALL ON young TO app", "DROP TABLE young"):
        before = routes(proxy).get("rescued", 0)
        assert raw.types(client.ask(protocol(begin))) in ("CZ", "12nCZ") and client.status == "T"
        assert raw.rows_of(client.ask(protocol("SELECT n FROM young"))) == [["7"]] and client.status == "T"
        assert routes(proxy)["rescued"] == before + 1
        assert where(client) == "primary"               # All of it.
        assert client.value(CHARACTERISTICS).endswith(" on") and ("repeatable" in client.value(CHARACTERISTICS)) == ("REPEATABLE" in begin)
        assert raw.error_of(client.ask("INSERT INTO routed (what) VALUES ('never')"))["C"] == "25006"
        client.ask("ROLLBACK")
        # Behind an answer there is no way back.
        client.ask(begin)
        assert where(client) == "replica"
        assert raw.error_of(client.ask("SELECT n FROM young"))["C"] == "42P01" and client.status == "E"
        assert raw.types(client.ask("ROLLBACK")) == "CZ"
    assert written(place, "never") == 0


def test_it_happens_as_often_as_it_has_to(client, place):
    """A read that was refused inside of a transaction is not kept from replicas outside."""
    with not_there_yet(place, "CREATE TABLE young AS SELECT 7 AS n; GRANT ALL ON young TO app", "DROP TABLE young"):
        for _ in range(3):
            client.ask("BEGIN READ ONLY")
            assert client.value("SELECT n FROM young") == "7"
            client.ask("COMMIT")


def test_an_error_that_is_everybodys_is_the_clients(client, place):
    for sql, sqlstate in (("SELECT * FROM nowhere_at_all", "42P01"), ("SELECT 1 / 0", "22012"), ("SELECT writes('never')", "25006")):
        client.ask("BEGIN READ ONLY")
        assert raw.error_of(client.ask(sql))["C"] == sqlstate and client.status == "E"
        assert raw.error_of(client.ask("SELECT 1"))["C"] == "25P02"
        assert raw.types(client.ask("ROLLBACK")) == "CZ" and client.status == "I"
        assert where(client) == "replica"
    assert written(place, "never") == 0


@pytest.mark.parametrize("begin", ["BEGIN READ ONLY", "BEGIN", "START TRANSACTION ISOLATION LEVEL SERIALIZABLE"])
def test_one_that_was_only_begun_survives_its_server(client, place, begin):
    client.ask("SET application_name = 'mine'")
    client.ask(raw.extended("SELECT 'prepared'", name="mine"))
    client.ask(begin)
    kill_all(place)
    for message in (raw.extended(CHARACTERISTICS), raw.query(CHARACTERISTICS)):
        value = raw.rows_of(client.ask(message))[0][0]
        assert value == ("serializable" if "SERIAL" in begin else "read committed") + (" on" if "ONLY" in begin else " off")
    assert raw.rows_of(client.ask(raw.bind(name="mine") + raw.execute() + raw.sync())) == [["prepared"]]
    assert client.value("SHOW application_name") == "mine" and client.status == "T"
    assert raw.types(client.ask("COMMIT")) == "CZ" and client.status == "I"


def test_one_that_was_only_begun_ends_without_a_server(client, place):
    for end, tag in (("COMMIT", "COMMIT"), ("ROLLBACK", "ROLLBACK")):
        client.ask("BEGIN")
        kill_all(place)
        assert raw.types(client.ask(raw.sync())) == "Z" and client.status == "T"
        replies = client.ask(end)
        assert (replies[0].text(), raw.types(replies), client.status) == (tag, "CZ", "I")
    client.ask("BEGIN")
    kill_all(place)
    assert raw.types(client.ask(raw.extended("COMMIT"))) == "12nCZ" and client.status == "I"


def test_a_write_in_one_that_was_begun_again_is_done_once(client, place):
    client.ask("BEGIN")
    kill_all(place)
    client.ask("INSERT INTO routed (what) VALUES ('begun again')")
    assert raw.types(client.ask("COMMIT")) == "CZ"
    # It is the new server's now: a loss of that is one.
    client.ask("BEGIN")
    kill_all(place)
    client.ask("INSERT INTO routed (what) VALUES ('begun again')")
    kill_all(place)
    assert raw.error_of(client.ask("COMMIT"))["C"] == "40001" and client.status == "I"
    assert written(place, "begun again") == 1


def test_one_that_has_answered_something_is_lost(client, place):
    for said in ("SELECT 1", "SAVEPOINT s", "SET LOCAL work_mem = '1MB'", raw.extended("SELECT 1")):
        client.ask("BEGIN")
        client.ask(said)
        kill_all(place)
        assert raw.error_of(client.ask("SELECT 1"))["C"] == "40001" and client.status == "E"
        client.ask("ROLLBACK")
