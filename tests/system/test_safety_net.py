"""What a replica does not answer is answered by the primary; what may have happened is not done again."""
import threading

import pytest

from harness import raw
from harness.clusters import command, row
from harness.postgres import PASSWORDS
from harness.process import wait_until
from harness.routing import place, reader, routed, routes, sections, where, written  # noqa: F401 (place is a fixture)

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def effects(place):
    """What does something when it is read."""
    made = (
        ("CREATE FUNCTION refuses(state text) RETURNS int STABLE LANGUAGE plpgsql AS"
         " 'BEGIN IF pg_is_in_recovery() THEN RAISE EXCEPTION ''refused'' USING ERRCODE = state; END IF; RETURN 1; END'", "FUNCTION refuses(text)"),
        ("CREATE FUNCTION writes_two(a text, b text) RETURNS text VOLATILE LANGUAGE sql AS"
         " 'INSERT INTO public.routed (what) VALUES (b) RETURNING a'", "FUNCTION writes_two(text, text)"),
        ("CREATE OPERATOR !>> (FUNCTION = writes_two, LEFTARG = text, RIGHTARG = text)", "OPERATOR !>> (text, text)"),
        ("CREATE EXTENSION dblink", "EXTENSION dblink"),
        ("CREATE TABLE conflicted AS SELECT generate_series(1, 100) AS n", "TABLE conflicted"))
    for statement, _ in made:
        place.primary.sql(statement, "app")
    place.primary.sql("GRANT ALL ON conflicted TO app", "app")
    wait_until(place.caught_up, 20, "the replicas have them")
    yield place
    for _, what in reversed(made):
        place.primary.sql(f"DROP {what}", "app")


@pytest.fixture(scope="module")
def proxy(effects):
    settings = sections(effects, {"read_your_writes": "off"})
    settings["database preferring"] = {"cluster": "main", "dbname": "app", "routing": "prefer-replica", "read_your_writes": "off"}
    with routed(settings) as started:
        preferring = started.raw("preferring")
        wait_until(lambda: where(preferring) == "replica", 20, "the names are known")
        yield started


@pytest.fixture
def client(proxy):
    with reader(proxy) as made:
        yield made


# --- What a replica says ---

FOR_A_WHILE = ["25006", "0A000", "55000", "XX000", "40001", "40P01"]
EACH_TIME = ["57P04", "57P01", "57P02", "57P03", "42P01", "42703", "42704", "42883", "3F000", "3D000"]


@pytest.mark.parametrize("state", FOR_A_WHILE + EACH_TIME)
def test_what_only_a_replica_says_is_not_heard(client, proxy, state):
    """Its like is spared the replica for a while, where that is about the statement."""
    before = routes(proxy)
    for turn, text in enumerate(4 * [f"SELECT refuses('{state}') AS s{state}, '{state}'"]):
        replies = client.ask(raw.extended(text) if turn % 2 else text)
        assert raw.rows_of(replies) == [["1", state]] and client.status == "I"
    after = routes(proxy)
    counts = [after.get(reason, 0) - before.get(reason, 0) for reason in ("rescued", "remembered")]
    assert counts == ([1, 3] if state in FOR_A_WHILE else [4, 0])
    assert where(client) == "replica"


@pytest.mark.parametrize("state", ["22012", "23505", "57014", "P0001", "42601", "53200"])
def test_any_other_error_is_the_clients(client, proxy, state):
    before = routes(proxy).get("rescued", 0)
    assert raw.error_of(client.ask(f"SELECT refuses('{state}') AS s{state}"))["C"] == state
    assert routes(proxy).get("rescued", 0) == before


def test_behind_what_has_been_forwarded_an_error_is_the_clients(client):
    replies = client.ask("SELECT repeat('x', 1000000); SELECT refuses('40001') AS behind")
    assert raw.types(replies) == "TDCTEZ" and raw.error_of(replies)["C"] == "40001"


# --- Conflicts with replay ---

@pytest.fixture
def impatient(effects):
    """Replicas whose replay waits for nobody."""
    def each(statement):
        for replica in effects.replicas:
            replica.sql(statement)
            replica.sql("SELECT pg_reload_conf()")

    each("ALTER SYSTEM SET max_standby_streaming_delay = 0")
    for replica in effects.replicas:
        wait_until(lambda: replica.sql("SHOW max_standby_streaming_delay")[0][0] == "0", 20, "it waits for nobody")
    yield effects
    each("ALTER SYSTEM RESET max_standby_streaming_delay")


def clean(place):
    """Takes away what older snapshots see."""
    place.primary.sql("UPDATE conflicted SET n = n", "app")
    place.primary.sql("VACUUM conflicted", "app")


def on_replicas(place, what) -> int:
    return sum(replica.sql(f"SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND {what}")[0][0] for replica in place.replicas)


def test_a_read_that_is_in_the_way_of_replay_runs_on_the_primary(client, proxy, impatient):
    before = routes(proxy).get("rescued", 0)
    client.send(raw.query("SELECT count(*) FROM conflicted, pg_sleep(CASE where_am_i() WHEN 'true' THEN 60 ELSE 0 END)"))
    wait_until(lambda: on_replicas(impatient, "wait_event = 'PgSleep'") == 1, 20, "it is under way")
    clean(impatient)
    assert raw.rows_of(client.read_until_ready()) == [["100"]]
    assert routes(proxy)["rescued"] == before + 1


def test_the_first_read_of_a_transaction_that_is_in_the_way_runs_on_the_primary(client, proxy, impatient):
    before = routes(proxy).get("rescued", 0)
    client.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    client.send(raw.extended("SELECT count(*) AS inside FROM conflicted, pg_sleep(CASE where_am_i() WHEN 'true' THEN 60 ELSE 0 END)"))
    wait_until(lambda: on_replicas(impatient, "wait_event = 'PgSleep'") == 1, 20, "it is under way")
    clean(impatient)
    assert raw.rows_of(client.read_until_ready()) == [["100"]] and client.status == "T"
    assert client.value("SHOW transaction_isolation") == "repeatable read"
    client.ask("COMMIT")
    assert routes(proxy)["rescued"] == before + 1


def test_an_idle_transaction_that_is_in_the_way_is_lost_and_its_client_goes_on(client, impatient):
    """PostgreSQL ends such a session, with a FATAL 40001."""
    client.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    assert client.value("SELECT count(*) FROM conflicted") == "100"
    assert on_replicas(impatient, "state = 'idle in transaction'") == 1
    clean(impatient)
    wait_until(lambda: on_replicas(impatient, "state = 'idle in transaction'") == 0, 20, "its server has ended it")
    error = raw.error_of(client.ask("SELECT 1"))
    assert (error["S"], error["C"], client.status) == ("ERROR", "40001", "E")
    assert raw.types(client.ask("ROLLBACK")) == "CZ" and client.status == "I"
    assert client.value("SELECT count(*) FROM conflicted") == "100"


# --- What is done, is done once ---

def effect(kind, what, server) -> str:
    conninfo = f"host={server.host} port={server.port} user=app password={PASSWORDS['app']} dbname=app"
    return {
        "function": f"SELECT writes('{what}')",
        "cte": f"WITH x AS (INSERT INTO routed (what) VALUES ('{what}') RETURNING 1) SELECT * FROM x",
        "operator": f"SELECT 'a'::text !>> '{what}'",
        "dblink": f"SELECT dblink_exec('{conninfo}', 'INSERT INTO routed (what) VALUES (''{what}'')')",
        "view": "SELECT w FROM writing_view",
    }[kind]


def batch(text, place_in_batch, between=b""):
    """With a read on either side, or two."""
    parts = [raw.parse("SELECT 1") + raw.bind() + raw.execute()] * 2
    parts.insert(place_in_batch, raw.parse(text) + raw.bind() + raw.execute())
    return between.join(parts) + raw.sync()


@pytest.mark.parametrize("database", ["app", "preferring"])
@pytest.mark.parametrize("kind", ["function", "cte", "operator", "dblink", "view"])
def test_a_side_effect_happens_once_wherever_it_stands(proxy, effects, database, kind):
    client, what = proxy.raw(database), "view" if kind == "view" else f"{database} {kind}"
    text, before = effect(kind, what, effects.primary), written(effects, what)
    assert raw.types(client.ask(text)) == "TDCZ"
    assert raw.types(client.ask(raw.extended(text))) == "12TDCZ"
    client.ask(raw.parse(text, "named") + raw.sync())
    assert raw.types(client.ask(raw.bind(name="named") + raw.execute() + raw.sync())) == "2DCZ"
    assert written(effects, what) == before + 3
    for at in range(3):
        # One group; groups that follow one another in a packet; one text.
        assert raw.types(client.ask(batch(text, at))) == "12DC12DC12DCZ"
        client.send(batch(text, at, raw.sync()))
        assert raw.types(client.read_until_ready(3)) == "12DCZ12DCZ12DCZ"
        texts = ["SELECT 1", "SELECT 1"]
        texts.insert(at, text)
        assert raw.types(client.ask("; ".join(texts))) == "TDCTDCTDCZ"
        client.send(b"".join(raw.query(each) for each in texts))
        assert raw.types(client.read_until_ready(3)) == "TDCZTDCZTDCZ"
        assert written(effects, what) == before + 3 + 4 * (at + 1)
    client.close()


def test_a_side_effect_in_a_read_only_transaction_is_not_done_again(client, effects):
    """dblink knows nothing of READ ONLY: its transaction is not begun again behind it."""
    text = effect("dblink", "read only", effects.primary)
    client.ask("BEGIN READ ONLY")
    assert raw.error_of(client.ask(f"SELECT refuses('40001') FROM (SELECT ({text[7:]}) OFFSET 0) AS done (it) WHERE it IS NOT NULL"))["C"] == "40001"
    client.ask("ROLLBACK")
    assert written(effects, "read only") == 1


# --- PAUSE CLUSTER ---

def test_a_pause_of_the_cluster_holds_reads_on_replicas_too(proxy, client, effects):
    client.ask("BEGIN READ ONLY")
    assert where(client) == "replica"
    console = threading.Thread(target=lambda: command(proxy, "PAUSE CLUSTER main"))
    console.start()
    reader = proxy.raw("app")
    try:
        wait_until(lambda: row(proxy)["paused"] == 1, 20, "it is to pause")
        assert where(client) == "replica" and console.is_alive()        # For the transaction that is open there.
        reader.send(raw.query("SELECT where_am_i()"))
        wait_until(lambda: proxy.pool("app")["cl_waiting"] == 1, 20, "a new read waits")
        assert raw.types(client.ask("COMMIT")) == "CZ"
        console.join(60)
        assert not console.is_alive()
        wait_until(lambda: on_replicas(effects, "true") == 0, 20, "nobody is left there")
        assert proxy.pool("app")["cl_waiting"] == 1
    finally:
        command(proxy, "RESUME CLUSTER main")
        console.join(60)
    assert raw.rows_of(reader.read_until_ready()) == [["true"]]
    assert where(client) == "replica"
