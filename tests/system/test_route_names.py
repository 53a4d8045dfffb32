"""EXPLAIN ROUTE: what a text is taken for, by the names that a real server's catalog has."""
import psycopg
import psycopg2
import pytest

from harness.process import wait_until

pytestmark = pytest.mark.ours

DATABASE = "routed"

SCHEMA = """
CREATE FUNCTION strikes(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION strikes_two(int, int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION stays(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1';
CREATE FUNCTION lies(int) RETURNS bool LANGUAGE plpgsql STABLE AS
    'BEGIN PERFORM pg_advisory_lock(1); RETURN pg_advisory_unlock(1); END';
CREATE FUNCTION both_ways(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE FUNCTION both_ways(text) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE FUNCTION "lower"(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE AGGREGATE gathers(int) (sfunc = strikes_two, stype = int);
CREATE OPERATOR +!+ (function = strikes_two, leftarg = int, rightarg = int);
CREATE TABLE plain (a int, b text);
CREATE TABLE guarded (a int); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded USING (strikes(a) > 0);
CREATE TABLE by_tenant (a text); ALTER TABLE by_tenant ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON by_tenant USING (a = current_setting('app.tenant'));
CREATE FUNCTION computed(plain) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1';
CREATE VIEW clean AS SELECT a, random() AS r FROM plain;
CREATE VIEW striking AS SELECT strikes(a) FROM plain;
CREATE VIEW locking AS SELECT pg_try_advisory_xact_lock(a) FROM plain;
CREATE VIEW on_locking AS SELECT * FROM locking;
CREATE VIEW on_system AS SELECT pid FROM pg_stat_activity;
CREATE VIEW on_guarded AS SELECT * FROM guarded;
CREATE VIEW with_operator AS SELECT a +!+ a FROM plain;
CREATE MATERIALIZED VIEW kept AS SELECT strikes(a) FROM plain;
CREATE SEQUENCE counter; CREATE UNLOGGED TABLE forgotten (a int);
CREATE FUNCTION hides(command text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE command; END';
CREATE DOMAIN checked AS int CHECK (strikes(VALUE) > 0);
CREATE EXTENSION "uuid-ossp"; CREATE EXTENSION pgcrypto; CREATE EXTENSION dblink; CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE TABLE parts (a text) PARTITION BY RANGE (a);
CREATE FOREIGN TABLE remote PARTITION OF parts FOR VALUES FROM ('a') TO ('b') SERVER files OPTIONS (filename '/dev/null');
"""


@pytest.fixture(scope="module")
def server(cluster):
    cluster.primary.sql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    cluster.primary.sql(f"CREATE DATABASE {DATABASE}")
    cluster.primary.sql("GRANT ALL ON SCHEMA public TO app", DATABASE)
    cluster.primary.sql(SCHEMA, DATABASE)
    yield cluster.primary
    cluster.primary.sql(f"DROP DATABASE {DATABASE} WITH (FORCE)")


@pytest.fixture
def proxy(start_pgweir, server):
    def start(**settings):
        return start_pgweir({"pgweir": {"pool_mode": "transaction", "threads": 1, **settings},
                             "database routed": {"dbname": DATABASE, "routing": "auto"},
                             "database app": {"dbname": "app"}})
    return start


def explain(proxy, text: str, where: str = "") -> tuple[str, str, str | None]:
    connection = proxy.admin()
    try:
        cursor = connection.cursor()
        cursor.execute(f"EXPLAIN ROUTE {where} {text}")
        _, decision, reason, name, explanation = cursor.fetchone()
        assert explanation
        explain.notices = "".join(connection.notices)
        return decision, reason, name
    finally:
        connection.close()


def loads(proxy) -> int:
    return next(row for row in proxy.show("STATS") if row["database"] == "routed")["total_function_load_count"]


def names_are_known(proxy) -> None:
    client = proxy.raw("routed")
    client.ask("SELECT 1")
    wait_until(lambda: explain(proxy, "SELECT 1")[1] == "read", 10, "the names are known")
    client.close()


READS = [
    "SELECT a FROM plain", "SELECT stays(a), abs(a), count(*) FROM plain GROUP BY 1, 2", "SELECT * FROM clean", "SELECT * FROM kept",
    "SELECT * FROM by_tenant", "SELECT random(), clock_timestamp(), gen_random_uuid(), uuid_generate_v4(), gen_random_bytes(4)",
    "SELECT pg_sleep(0), pg_database_size('app'), pg_partition_root('parts')", "SELECT relname FROM pg_class JOIN pg_namespace n ON true",
    "SELECT * FROM information_schema.columns", "SELECT to_regclass('plain'), quote_ident('a'), format('%s', 1), jsonb_build_object()",
    "SELECT a FROM plain WHERE b LIKE 'x%' ORDER BY a FOR READ ONLY", "SELECT strikes_two FROM (SELECT 1 AS strikes_two) s",
]

FOR_THE_PRIMARY = {
    "volatile_function": [
        "SELECT strikes_two(1, 2)", "SELECT gathers(a) FROM plain", "SELECT both_ways(1)", "SELECT lies(1)", "SELECT pg_is_in_recovery()",
        "SELECT txid_current()", "SELECT current_setting('in_hot_standby')", "SELECT dblink_exec('', 'DELETE FROM plain')",
        "SELECT * FROM dblink('', 'SELECT 1') AS t(a int)", "SELECT pg_try_advisory_xact_lock(1, 2)", "SELECT pg_current_wal_lsn()",
        "SELECT lo_open(1, 2)", "SELECT table_to_xml('locking', true, true, '')", "SELECT query_to_xml('SELECT 1', true, true, '')", "SELECT pg_export_snapshot()",
        "SELECT p.computed FROM plain p", "SELECT (1).strikes", "SELECT strikes(1)", "SELECT lower('A')",
        "SELECT pg_stat_get_backend_pid(1)", "SELECT pg_last_xact_replay_timestamp()", "SELECT pg_logical_emit_message(false, 'a', 'b')", "SELECT inet_server_port()",
    ],
    "unsafe_relation": [
        "SELECT * FROM striking", "SELECT * FROM locking", "SELECT * FROM on_locking", "SELECT * FROM on_system", "TABLE guarded",
        "SELECT * FROM on_guarded", "SELECT * FROM with_operator", "SELECT 1::checked", "SELECT * FROM remote", "SELECT * FROM parts",
        "SELECT * FROM pg_stat_activity", "SELECT * FROM pg_locks", "SELECT setting FROM pg_catalog.pg_settings",
        "SELECT last_value FROM counter", "SELECT * FROM pg_cursors", "SELECT * FROM pg_replication_slots",
    ],
    "unknown_function": ["SELECT nobody(1)"],
    "unsafe_operator": ["SELECT a +!+ 1 FROM plain"],
}


@pytest.mark.parametrize("audit", ["off", "auto"])
def test_texts_are_judged_by_what_the_catalog_says(proxy, audit):
    """Also where nothing else needs the list of functions."""
    routed = proxy(state_audit=audit)
    assert explain(routed, "SELECT 1") == ("primary", "not_loaded", None)
    assert "not known" in explain.notices
    names_are_known(routed)
    assert explain.notices == ""
    for text in READS:
        assert explain(routed, text) == ("replica", "read", None), text
    for reason, texts in FOR_THE_PRIMARY.items():
        for text in texts:
            assert explain(routed, text)[:2] == ("primary", reason), text
    assert explain(routed, "SELECT a FROM plain, nobody(1)")[2] == "nobody"


def test_ddl_makes_the_names_old_until_they_are_read_again(proxy, server):
    routed = proxy(state_audit="off")
    names_are_known(routed)
    assert explain(routed, "SELECT stays(1)")[1] == "read"
    client = routed.raw("routed", user="postgres")
    try:
        for text, reason in [("ALTER FUNCTION stays(int) VOLATILE", "volatile_function"), ("ALTER FUNCTION stays(int) STABLE", "read")]:
            before = loads(routed)
            client.ask(text)
            assert explain(routed, "SELECT 1")[1] == "not_loaded"
            client.ask("SELECT 1")
            wait_until(lambda: loads(routed) > before, 10, "the catalog is read again")
            wait_until(lambda: explain(routed, "SELECT stays(1)")[1] == reason, 10, "the change is known")
        # In a transaction the others see the function as it was, and the primary serves.
        client.ask("BEGIN; ALTER FUNCTION stays(int) VOLATILE")
        assert explain(routed, "SELECT 1")[1] == "not_loaded"
        client.ask("ROLLBACK")
        client.ask("SELECT 1")
        wait_until(lambda: explain(routed, "SELECT stays(1)")[1] == "read", 10, "the names are known")
    finally:
        client.ask("ROLLBACK")
        client.ask("ALTER FUNCTION stays(int) STABLE")
        client.close()


def test_a_comparison_that_calls_a_volatile_function_is_unsafe_everywhere(proxy, server):
    """ORDER BY and DISTINCT do not show which operators they use."""
    server.sql("CREATE TYPE odd AS (a int); CREATE FUNCTION odd_equals(odd, odd) RETURNS bool LANGUAGE sql VOLATILE AS 'SELECT true';"
               "CREATE OPERATOR = (function = odd_equals, leftarg = odd, rightarg = odd)", DATABASE)
    try:
        routed = proxy()
        client = routed.raw("routed")
        client.ask("SELECT 1")
        wait_until(lambda: explain(routed, "SELECT 1")[1] == "unsafe_everywhere", 10, "the names are known")
        client.close()
    finally:
        server.sql("DROP TYPE odd CASCADE", DATABASE)


def test_where_nothing_is_routed_nothing_is_asked(proxy):
    routed = proxy(state_audit="off")
    client = routed.raw("app")
    client.ask("SELECT abs(1)")
    assert explain(routed, "SELECT 1", "IN app") == ("primary", "not_loaded", None)
    assert "routing is not auto" in explain.notices
    assert not any(row["total_function_load_count"] for row in routed.show("STATS"))
    client.close()


def test_the_text_is_taken_as_it_is(proxy):
    routed = proxy()
    names_are_known(routed)
    assert explain(routed, "/* pgweir: primary */ SELECT 1")[1] == "hint_primary"
    assert explain(routed, "/* pgweir: replica */ SELECT lies(1)", 'IN "routed"')[:2] == ("replica", "hint_replica")
    assert explain(routed, "SELECT 1; SELECT $a$ it's $a$; UPDATE plain SET a = 1")[1] == "writes"
    assert explain(routed, "SELECT $a$ it's; /* $a$", "IN routed")[1] == "read"
    with pytest.raises(psycopg2.errors.InvalidCatalogName, match="nowhere"):
        explain(routed, "SELECT 1", "IN nowhere")
    for text in ("", " ; ", "IN routed"):
        with pytest.raises(psycopg2.errors.SyntaxError, match="EXPLAIN ROUTE"):
            explain(routed, text)


# What a standby runs without a word, so that only the text and the catalog can keep it from there.
NOT_REFUSED = [
    "SELECT pg_try_advisory_lock(7)", "SELECT pg_try_advisory_xact_lock(7)", "SELECT pg_advisory_unlock_all()", "SELECT setseed(0.5)",
    "SELECT dblink_get_connections()", "SELECT pg_cancel_backend(1)", "SELECT pg_terminate_backend(1)", "SELECT pg_reload_conf()",
    "SELECT pg_stat_reset()", "SELECT pg_read_file('PG_VERSION')", "SELECT pg_export_snapshot()", "SELECT pg_is_in_recovery()",
    "SELECT current_setting('transaction_read_only')", "SELECT set_config('a.b', 'c', false)", "SELECT pg_listening_channels()",
    "SELECT pg_current_xact_id_if_assigned()", "SELECT txid_current_snapshot()", "SELECT pg_last_wal_replay_lsn()", "SHOW transaction_read_only",
    "SELECT pid FROM pg_stat_activity", "SELECT pid FROM pg_locks", "SELECT * FROM pg_settings", "SELECT last_value FROM counter",
    "SELECT * FROM pg_replication_slots", "SELECT (7::bigint).pg_try_advisory_xact_lock", "SELECT * FROM locking", "SELECT * FROM on_system",
    "SELECT pg_sequence_last_value('counter')", "CHECKPOINT", "SELECT 1 +!+ 2", "SELECT strikes(1)",
]

# What it refuses, from within whatever function, and with which of the codes after which a read is
# tried on the primary.
REFUSED = {
    "25006": ["INSERT INTO plain VALUES (1)", "SELECT a FROM plain FOR UPDATE", "SELECT nextval('counter')", "SELECT setval('counter', 5)",
              "SELECT txid_current()", "SELECT pg_notify('a', '')", "CREATE TEMP TABLE t (a int)", "TRUNCATE plain", "LISTEN a"],
    "55000": ["SELECT pg_current_wal_lsn()", "SELECT pg_walfile_name('0/1')", "SELECT pg_create_restore_point('a')", "SELECT lastval()"],
    "0A000": ["SELECT a FROM forgotten"],
    "XX000": ["SELECT lo_create(0)", "SELECT pg_logical_emit_message(true, 'a', 'b')"],
}


@pytest.fixture
def standby(server, replicas):
    replica = replicas[0]
    position = server.sql("SELECT pg_current_wal_insert_lsn()")[0][0]
    wait_until(lambda: replica.sql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", parameters=[position])[0][0], 20, "it has caught up")
    return replica


def test_what_a_standby_runs_is_told_from_the_text(proxy, standby):
    routed = proxy()
    names_are_known(routed)
    for text in NOT_REFUSED:
        with standby.connect(DATABASE) as connection:
            connection.execute(text)
        assert explain(routed, text)[0] == "primary", text


def test_what_is_hidden_in_a_function_is_refused_by_a_standby(standby):
    with standby.connect(DATABASE) as connection:
        for sqlstate, texts in REFUSED.items():
            for text in texts:
                with pytest.raises(psycopg.Error) as caught, connection.transaction():
                    connection.execute("SELECT hides(%s)", [text])
                assert caught.value.sqlstate == sqlstate, text
