"""What functions leave behind in transaction mode, which a client's text does not show (state_audit)."""
import os
import signal

import pytest

from harness import raw
from harness.process import free_port, wait_until
from harness.raw import bind, describe_statement, execute, extended, parse, sync
from harness.web import Web

pytestmark = pytest.mark.ours

DATABASE = "audited"


@pytest.fixture
def server(cluster):
    """A database of its own, since what one function does colours all of it."""
    primary = cluster.primary
    primary.sql(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    primary.sql(f"CREATE DATABASE {DATABASE}")
    primary.sql("GRANT ALL ON SCHEMA public TO app", DATABASE)
    yield lambda text: primary.sql(text, DATABASE)


@pytest.fixture
def proxy(start_pgweir, server):
    def start(**settings):
        return start_pgweir({
            "pgweir": {"pool_mode": "transaction", "threads": settings.pop("threads", 1), **settings},
            "database one": {"dbname": DATABASE, "pool_size": 1},
            "database two": {"dbname": DATABASE, "pool_size": 2},
        })
    return start


def body(name: str, text: str, *, language: str = "plpgsql", returns: str = "void", arguments: str = "") -> str:
    if language == "plpgsql" and not text.startswith(("DECLARE", "BEGIN")):
        text = f"BEGIN {text} END"
    return f"CREATE OR REPLACE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE {language} AS $body$ {text} $body$"


def stats(proxy, name: str = "one") -> tuple[int, int]:
    """Questions after transactions, and questions for the list of functions."""
    row = next(row for row in proxy.show("STATS") if row["database"] == name)
    return row["total_state_audit_count"], row["total_function_load_count"]


def run(client: raw.Client, sql: str, how: str) -> None:
    if how == "simple":
        assert raw.good(client.ask(sql))
    elif how == "unnamed":
        assert raw.good(client.ask(extended(sql)))
    else:
        name = f"s{abs(hash(sql))}"
        if name not in client.__dict__.setdefault("named", set()):
            client.named.add(name)
            assert raw.good(client.ask(parse(sql, name=name) + sync()))
        assert raw.good(client.ask(bind(name=name) + execute() + sync()))


HOW = pytest.mark.parametrize("how", ["simple", "unnamed", "named"])

SETTERS = {
    "in plpgsql": ([body("f", "SET work_mem = '11MB';")], "SELECT f()"),
    "by set_config in plpgsql": ([body("f", "PERFORM set_config('work_mem', '11MB', false);")], "SELECT f()"),
    "by set_config in sql": ([body("f", "SELECT set_config('work_mem', '11MB', false)", language="sql", returns="text")], "SELECT f()"),
    "in a body of standard SQL": (["CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 1; "
                                   "SELECT set_config('work_mem', '11MB', false); END"], "SELECT f()"),
    "behind a condition": ([body("f", "IF now() IS NOT NULL THEN SET work_mem = '11MB'; END IF;")], "SELECT f()"),
    "by EXECUTE": ([body("f", "EXECUTE 'SET work_mem = ' || quote_literal('11MB');")], "SELECT f()"),
    "by a caller of its caller": ([body("f", "PERFORM g();"), body("g", "PERFORM h();"), body("h", "SET work_mem = '11MB';")], "SELECT f()"),
    "by a name in quotes": ([body('"Set It"', "SET work_mem = '11MB';")], 'SELECT public."Set It"()'),
    "in a procedure": (["CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN SET work_mem = '11MB'; END $$"], "CALL p()"),
    "in DO": ([], "DO $$ BEGIN SET work_mem = '11MB'; END $$"),
    "in a trigger": ([body("f", "SET work_mem = '11MB'; RETURN new;", returns="trigger"),
                      "CREATE TABLE t (n int)", "GRANT ALL ON t TO app",
                      "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"], "INSERT INTO t VALUES (1)"),
    "in a default": ([body("f", "SET work_mem = '11MB'; RETURN 1;", returns="int"),
                      "CREATE TABLE t (n int, m int DEFAULT f())", "GRANT ALL ON t TO app"], "INSERT INTO t (n) VALUES (1)"),
    "in a view": ([body("f", "SET work_mem = '11MB'; RETURN 1;", returns="int"),
                   "CREATE VIEW v AS SELECT f()", "GRANT ALL ON v TO app"], "SELECT * FROM v"),
    "in an aggregate": ([body("f", "SET work_mem = '11MB'; RETURN a;", returns="int", arguments="a int, b int"),
                         "CREATE AGGREGATE total(int) (SFUNC = f, STYPE = int)"], "SELECT total(n) FROM generate_series(1, 2) n"),
    "in a domain's constraint, at a cast": ([body("f", "SET work_mem = '11MB'; RETURN true;", returns="bool", arguments="int"),
                                             "CREATE DOMAIN checked AS int CHECK (f(VALUE))"], "SELECT '1'::checked"),
    "in a domain's default": ([body("f", "SET work_mem = '11MB'; RETURN 1;", returns="int"), "CREATE DOMAIN given AS int DEFAULT f()",
                               "CREATE TABLE t (n int, m given)", "GRANT ALL ON t TO app"], "INSERT INTO t (n) VALUES (1)"),
    "in an event trigger": (["CREATE SCHEMA mine AUTHORIZATION app", "SET ROLE app; CREATE MATERIALIZED VIEW mine.m AS SELECT 1",
                             body("f", "SET work_mem = '11MB';", returns="event_trigger"),
                             "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()"], "REFRESH MATERIALIZED VIEW mine.m"),
    "in an event trigger, at a function's DDL": ([body("f", "SET work_mem = '11MB';", returns="event_trigger"),
                                                  "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
                                                  body("g", "CREATE TABLE fleeting (); DROP TABLE fleeting;")], "SELECT g()"),
    # PostgreSQL's own, on which its catalog notes no dependency.
    "by set_config in a view": (["CREATE VIEW v AS SELECT set_config('work_mem', '11MB', false)", "GRANT ALL ON v TO app"], "SELECT * FROM v"),
    "by set_config in a rule": (["CREATE TABLE t (n int)", "GRANT ALL ON t TO app", "CREATE RULE r AS ON INSERT TO t DO ALSO"
                                 " SELECT set_config('work_mem', '11MB', false)"], "INSERT INTO t VALUES (1)"),
    "by set_config in a policy": (["CREATE TABLE t (n int); INSERT INTO t VALUES (1)", "GRANT ALL ON t TO app",
                                   "ALTER TABLE t ENABLE ROW LEVEL SECURITY", "CREATE POLICY p ON t"
                                   " USING (set_config('work_mem', '11MB', false) <> '')"], "SELECT * FROM t"),
    "by set_config in a default": (["CREATE TABLE t (n int, m text DEFAULT set_config('work_mem', '11MB', false))",
                                    "GRANT ALL ON t TO app"], "INSERT INTO t (n) VALUES (1)"),
    "by set_config in a domain's constraint": (["CREATE DOMAIN checked AS int CHECK (set_config('work_mem', '11MB', false) <> '')"],
                                               "SELECT '1'::checked"),
}


@pytest.mark.parametrize("sql", ["CREATE TABLE made AS SELECT 1", "SELECT 1 AS n INTO made", "CREATE MATERIALIZED VIEW made AS SELECT 1",
                                 "SELECT 1; CREATE TABLE made AS SELECT 1"])
@pytest.mark.parametrize("how", ["simple", "unnamed"])
def test_what_an_event_trigger_sets_at_ddl_that_is_tagged_as_a_query_is_nobody_elses(server, proxy, sql, how):
    server(body("f", "SET work_mem = '11MB';", returns="event_trigger"))
    server("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()")
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("INSERT INTO nothing VALUES (1)")        # From now on the functions are known.
    run(client, sql, "simple" if ";" in sql else how)
    assert other.value("SHOW work_mem") == "4MB" and client.value("SHOW work_mem") == "11MB"
    client.close()
    other.close()


def test_a_limit_of_similarity_is_the_clients_and_nobody_elses(server, proxy):
    server("CREATE EXTENSION pg_trgm")
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    for _ in range(2):
        assert raw.good(client.ask("SELECT set_limit(0.9)"))
        assert other.value("SELECT show_limit()") == "0.3" and client.value("SELECT show_limit()") == "0.9"
    client.close()
    other.close()


@HOW
@pytest.mark.parametrize("where", SETTERS)
def test_a_setting_made_by_a_function_is_the_clients_and_nobody_elses(server, proxy, where, how):
    statements, sql = SETTERS[where]
    for statement in statements:
        server(statement)
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    # The first runs while the functions are not known yet, the second when they are.
    for _ in range(2):
        run(client, sql, how)
        assert other.value("SHOW work_mem") == "4MB"
        assert client.value("SHOW work_mem") == "11MB"
        client.ask("RESET work_mem")
        assert client.value("SHOW work_mem") == "4MB"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.close()
    other.close()


PINS = {
    "advisory_lock": ("PERFORM pg_advisory_lock(4711);", "SELECT pg_advisory_unlock(4711)"),
    "temporary_table": ("CREATE TEMP TABLE mine (n int);", "DROP TABLE mine"),
    "cursor": ("EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1';", "CLOSE c"),
}


@pytest.mark.parametrize("reason", PINS)
def test_what_cannot_follow_pins_until_it_is_gone(server, proxy, reason):
    begin, end = PINS[reason]
    server(body("f", begin))
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    for _ in range(2):
        assert raw.good(client.ask("SELECT f()"))
        wait_until(lambda: pgweir.pins() == {reason: 1}, what=f"{reason} pins")
        assert raw.good(client.ask(end))
        assert other.value("SELECT 1") == "1"
        wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.close()
    other.close()


LOCKERS = {
    "a view": (["CREATE VIEW v AS SELECT pg_advisory_lock(4711)::text", "GRANT ALL ON v TO app"], "SELECT * FROM v"),
    "a rule": (["CREATE RULE r AS ON INSERT TO t DO ALSO SELECT pg_advisory_lock(4711)"], "INSERT INTO t VALUES (4711)"),
    "a constraint": (["ALTER TABLE t ADD CHECK (pg_try_advisory_lock(n))"], "INSERT INTO t VALUES (4711)"),
    "a default": (["ALTER TABLE t ADD m bool DEFAULT pg_try_advisory_lock(4711)"], "INSERT INTO t (n) VALUES (1)"),
    "a trigger's condition": ([body("f", "RETURN new;", returns="trigger"), "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW"
                               " WHEN (pg_try_advisory_lock(new.n)) EXECUTE FUNCTION f()"], "INSERT INTO t VALUES (4711)"),
    "an operator": (["CREATE OPERATOR <!> (LEFTARG = int, RIGHTARG = int, FUNCTION = pg_try_advisory_lock)"], "SELECT 1 <!> 2"),
}


@pytest.mark.parametrize("where", LOCKERS)
def test_a_lock_that_is_taken_where_no_text_shows_it_pins(server, proxy, where):
    statements, sql = LOCKERS[where]
    for statement in "CREATE TABLE t (n int)", "GRANT ALL ON t TO app", *statements:
        server(statement)
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    for _ in range(2):
        assert raw.good(client.ask(sql))
        wait_until(lambda: pgweir.pins() == {"advisory_lock": 1}, what="it pins")
        assert raw.good(client.ask("SELECT pg_advisory_unlock_all()"))
        assert other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
    client.close()
    other.close()


@pytest.mark.parametrize("text, reason", [("PERFORM setseed(0.5);", "setseed"), ("EXECUTE 'SET app.tenant_' || 7 || ' = 1';", "custom_setting"), ("LOAD 'auto_explain';", "load"),
                                          ("PERFORM set_config('a.' || current_user, 'x', false);", "custom_setting")])
def test_what_no_question_shows_keeps_the_connection_from_everybody_else(server, proxy, text, reason):
    server(body("f", text))
    pgweir = proxy()
    client, other = pgweir.raw("one", "postgres"), pgweir.raw("one", "postgres")
    backend = client.value("SELECT pg_backend_pid()")
    assert raw.good(client.ask("SELECT f()"))
    wait_until(lambda: pgweir.pins() == {reason: 1}, what=f"{reason} pins")
    client.close()
    assert other.value("SELECT pg_backend_pid()") != backend
    other.close()


@HOW
@pytest.mark.parametrize("text", ["PERFORM set_config('app.tenant', t, false);", "EXECUTE format('SET app.tenant = %L', t);"])
def test_a_tenant_set_by_a_function_sees_its_own_rows_only(server, proxy, text, how):
    server("CREATE TABLE accounts (tenant text, balance int); INSERT INTO accounts VALUES ('red', 1), ('blue', 2);"
           "ALTER TABLE accounts ENABLE ROW LEVEL SECURITY; GRANT SELECT ON accounts TO app;"
           "CREATE POLICY mine ON accounts USING (tenant = current_setting('app.tenant', true))")
    server(body("enter", text, arguments="t text"))
    pgweir = proxy(threads=2)
    red, blue, nobody = (pgweir.raw("two") for _ in range(3))
    for _ in range(5):
        run(red, "SELECT enter('red')", how)
        assert nobody.value("SELECT count(*) FROM accounts") == "0"
        assert nobody.value("SELECT current_setting('app.tenant', true) IS NULL") == "t"
        run(blue, "SELECT enter('blue')", how)
        assert red.value("SELECT string_agg(tenant, ',') FROM accounts") == "red"
        assert blue.value("SELECT string_agg(tenant, ',') FROM accounts") == "blue"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    for each in red, blue, nobody:
        each.close()


def test_a_tenant_set_by_a_view_is_nobody_elses(server, proxy):
    server("CREATE VIEW enter AS SELECT set_config('app.tenant', 'red', false); GRANT ALL ON enter TO app")
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    for _ in range(2):
        client.ask("SELECT * FROM enter")
        assert other.value("SELECT current_setting('app.tenant', true)") is None
        assert client.value("SELECT current_setting('app.tenant', true)") == "red"
    client.close()
    other.close()


def test_a_tenant_set_in_do_is_nobody_elses(server, proxy):
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("DO $$ BEGIN PERFORM set_config('app.tenant', 'red', false); END $$")
    assert other.value("SELECT current_setting('app.tenant', true)") is None
    assert client.value("SELECT current_setting('app.tenant', true)") == "red"
    client.close()
    other.close()


def test_text_that_is_run_unseen_leaves_no_value_to_others(server, proxy):
    server(body("run_it", "EXECUTE t;", arguments="t text"))
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    for _ in range(2):
        assert raw.good(client.ask("SELECT run_it('SET app.secret = 42; SET work_mem = ''12MB''')"))
        assert not other.value("SELECT current_setting('app.secret', true)")
        assert client.value("SHOW work_mem") == "12MB" and other.value("SHOW work_mem") == "4MB"
    client.close()
    other.close()


@HOW
def test_functions_that_leave_nothing_cost_no_question(server, proxy, how):
    server("CREATE TABLE t (n int); INSERT INTO t VALUES (1); GRANT ALL ON t TO app")
    server(body("f", "UPDATE t SET n = n + 1; SET LOCAL work_mem = '5MB'; PERFORM pg_advisory_xact_lock(1);"))
    server(body("counted", "RETURN new;", returns="trigger"))
    server("CREATE TRIGGER t BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION counted()")
    server(body("g", "SET work_mem = '11MB';"))
    port = free_port()
    pgweir = proxy(http_listen=f"127.0.0.1:{port}")
    client = pgweir.raw("one")
    run(client, "SELECT f()", how)
    client.ask("SELECT 1")
    asked, loads = stats(pgweir)
    assert loads == 1
    for _ in range(3):
        for sql in "SELECT f()", "SELECT count(*) FROM t", "UPDATE t SET n = 7", "BEGIN", "INSERT INTO t VALUES (2)", "COMMIT":
            run(client, sql, how)
    assert stats(pgweir) == (asked, 1)
    run(client, "SELECT g()", how)
    client.ask("SELECT 1")
    assert stats(pgweir) == (asked + 1, 1)
    metrics = Web(port).metrics()
    assert (metrics["pgweir_state_audits_total"], metrics["pgweir_function_loads_total"]) == ({"one": asked + 1}, {"one": 1})
    assert client.value("SHOW work_mem") == "11MB"
    client.close()


def test_a_client_in_a_hurry_costs_no_more_questions(server, proxy):
    """Its next text comes while the server is still being asked, so that it keeps its connection."""
    pgweir = proxy()
    client = pgweir.raw("one")
    client.send(b"".join(raw.query("SELECT 1") + raw.query("SELECT 2") for _ in range(20)))
    client.read_until_ready(40)
    asked, loads = stats(pgweir)
    for _ in range(20):
        client.send(raw.query("SELECT 1"))
        client.read_until_ready()
    assert loads <= 1 and asked <= 2 and stats(pgweir)[0] <= 2
    client.close()


def test_a_statement_that_is_prepared_behind_a_doubtful_text_follows(server, proxy):
    """What a function may have prepared is no reason to let a client's own name through to the server."""
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    for name in "first", "second":
        client.ask("BEGIN")
        client.ask("DO $$ BEGIN PERFORM 1; END $$")
        assert raw.good(client.ask(parse(f"SELECT '{name}'", name=name) + bind(name=name) + execute() + sync()))
        client.ask("COMMIT")
        assert other.value("SELECT 1") == "1"
        wait_until(lambda: pgweir.pins() == {}, what="so many pins")
        assert raw.rows_of(client.ask(bind(name=name) + execute() + sync())) == [[name]]
    client.close()
    other.close()


OWN_THAT_REMAIN = {
    "an origin": ("pg_replication_origin_session_setup('kept')", "SELECT pg_replication_origin_session_is_setup()", "f"),
    "an origin, in a function": ("f()", "SELECT pg_replication_origin_session_is_setup()", "f"),
    "a temporary slot": ("pg_create_physical_replication_slot('kept', false, true)",
                         "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'kept'", "0"),
    "a backup": ("pg_backup_start('kept', true)", "SELECT count(*) FROM (SELECT pg_backup_start('other', true)) b", "1"),
}


@pytest.mark.parametrize("call, question, answer", OWN_THAT_REMAIN.values(), ids=OWN_THAT_REMAIN)
def test_what_functions_of_postgresqls_own_leave_keeps_the_connection_from_everybody_else(server, proxy, call, question, answer):
    server("SELECT pg_replication_origin_create('kept') WHERE NOT EXISTS (SELECT 1 FROM pg_replication_origin WHERE roname = 'kept')")
    server(body("f", "PERFORM pg_replication_origin_session_setup('kept');"))
    pgweir = proxy()
    client, other = pgweir.raw("two", "postgres"), pgweir.raw("two", "postgres")
    try:
        backend = client.value("SELECT pg_backend_pid()")
        assert raw.good(client.ask(f"SELECT {call}"))
        wait_until(lambda: pgweir.pins() == {"function": 1}, what="it pins")
        client.close()
        wait_until(lambda: other.value(f"SELECT count(*) FROM pg_stat_activity WHERE pid = {backend}") == "0", what="its server process ends")
        assert other.value(question) == answer
    finally:
        other.close()
        pgweir.stop()
        server("SELECT pg_replication_origin_drop('kept')")


def test_off_asks_nothing(server, proxy):
    server(body("f", "SET work_mem = '11MB';"))
    pgweir = proxy(state_audit="off")
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("SELECT f()")
    assert other.value("SHOW work_mem") == "11MB" and stats(pgweir) == (0, 0)
    client.close()
    other.close()


def test_a_bind_of_a_name_that_nobody_knows_is_asked_about_without_its_text(server, proxy):
    """Seen by the sanitizers."""
    pgweir = proxy(state_audit="always")
    client = pgweir.raw("one")
    assert raw.error_of(client.ask(bind(name="nobodys") + execute() + sync()))["C"] == "26000"
    assert client.value("SELECT 1") == "1"
    assert pgweir.alive()
    pgweir.check_log()


def test_always_asks_after_each_transaction(server, proxy):
    pgweir = proxy(state_audit="always")
    client = pgweir.raw("one")
    before, _ = stats(pgweir)
    for sql in "SELECT 1", "BEGIN", "SELECT 2", "COMMIT", "SELECT 3":
        client.ask(sql)
    client.ask(extended("SELECT 4"))
    client.close()
    wait_until(lambda: stats(pgweir)[0] >= before + 3, what="three questions")
    assert stats(pgweir)[0] <= before + 4


@HOW
def test_a_function_that_is_replaced_is_looked_at_again(server, proxy, how):
    server(body("f", "PERFORM 1;"))
    server("ALTER FUNCTION f() OWNER TO app")
    pgweir = proxy(threads=2)
    clients = [pgweir.raw("two") for _ in range(4)]
    for client in clients:
        run(client, "SELECT f()", how)
        run(client, "SELECT f()", how)
    assert raw.good(clients[0].ask(body("f", "SET work_mem = '11MB';")))
    for client in clients:
        run(client, "SELECT f()", how)
        assert [each.value("SHOW work_mem") for each in clients if each is not client] == ["4MB"] * 3
        assert client.value("SHOW work_mem") == "11MB"
        client.ask("RESET work_mem")
    for client in clients:
        client.close()


def test_the_log_names_the_culprit_once(server, proxy):
    server(body("f", "SET work_mem = '11MB';", arguments="t text"))
    pgweir = proxy()
    client = pgweir.raw("one")
    for secret in "hunter2", "hunter3":
        client.ask(f"SELECT f('{secret}')")
        client.ask("RESET work_mem")
    client.ask("SELECT 1")
    told = [line for line in pgweir.log().splitlines() if "state was left behind by a function" in line]
    assert len(told) == 1 and "function=f" in told[0] and "database=one" in told[0] and "hunter" not in told[0]
    assert "SELECT f(?)" in told[0]
    client.close()


@pytest.mark.parametrize("reads, calls", [("LATIN1", "UTF8"), ("UTF8", "LATIN1"), ("UTF8", "UTF8")])
@pytest.mark.parametrize("name", ["é", "n" * 62 + "é"])
def test_a_functions_name_is_found_in_whatever_encoding_it_is_called(server, proxy, reads, calls, name):
    server(body(name, "SET work_mem = '11MB';"))
    pgweir = proxy()
    first, client = pgweir.raw("one", client_encoding=reads), pgweir.raw("one", client_encoding=calls)
    first.ask("INSERT INTO nothing VALUES (1)")         # It reads the list.
    for _ in range(2):
        replies = client.ask(raw.message("Q", f"SELECT {name}()".encode("latin1" if calls == "LATIN1" else "utf8") + b"\0"))
        assert raw.good(replies)
        assert first.value("SHOW work_mem") == "4MB" and client.value("SHOW work_mem") == "11MB"
        client.ask("RESET work_mem")
    first.close()
    client.close()


def test_a_catalog_that_cannot_be_read_makes_every_function_doubtful(server, proxy):
    server(body("f", "SET work_mem = '11MB';"))
    server("REVOKE SELECT ON pg_proc FROM public")
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    for _ in range(2):
        assert raw.good(client.ask("SELECT f()"))
        assert other.value("SHOW work_mem") == "4MB" and client.value("SHOW work_mem") == "11MB"
        client.ask("RESET work_mem")
    assert pgweir.log().count("functions could not be read") == 1
    client.close()
    other.close()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("call", ["SELECT remake()", "SELECT outer_()", "CALL remake_too()", "BEGIN; SELECT remake(); COMMIT"])
@pytest.mark.parametrize("remade", ["DROP TABLE t; CREATE TABLE t AS SELECT 'new'::text AS n", "CREATE TABLE nearer.t AS SELECT 'new'::text AS n",
                                    "EXECUTE 'ALTER TABLE t ALTER n TYPE text USING $$new$$'"])
def test_a_parse_behind_ddl_of_a_function_is_of_the_tables_of_then(server, proxy, remade, call, known):
    """Others had the same text prepared before: it is not theirs that a client gets, which would not run in a transaction either."""
    server("CREATE TABLE t AS SELECT 1 AS n; ALTER TABLE t OWNER TO app; CREATE SCHEMA nearer AUTHORIZATION app")
    server(body("remake", remade + ";"))
    server(body("outer_", "PERFORM remake();"))
    server(f"CREATE PROCEDURE remake_too() LANGUAGE plpgsql AS $body$ BEGIN {remade}; END $body$")
    pgweir = proxy()
    first, maker, second = [pgweir.raw("one", search_path="nearer, public") for _ in range(3)]
    if known:
        assert raw.good(maker.ask("SELECT outer_() WHERE false"))
    parsed = parse("SELECT n FROM t", "s") + describe_statement("s") + sync()
    assert raw.types(first.ask(parsed)) == "1tTZ" and raw.rows_of(first.ask(bind(name="s") + execute() + sync())) == [["1"]]
    if not known:
        maker.ask(body("other", "NULL;"))       # The list is out of date.
        first.ask(parse("SELECT n FROM t", "t") + sync())
    assert raw.good(maker.ask(call))
    assert raw.types(second.ask(parsed)) == "1tTZ"
    assert raw.good(second.ask("BEGIN"))
    assert raw.rows_of(second.ask(bind(name="s") + execute() + sync())) == [["new"]]
    for client in first, maker, second:
        client.close()


def test_what_the_catalog_says_is_told_once(server, proxy):
    """Not again with each reading, nor when it has been unreadable in between."""
    server(body("f", "SET work_mem = '11MB'; RETURN 1;", returns="int"))
    server("CREATE VIEW seen AS SELECT f()")
    pgweir = proxy()
    client = pgweir.raw("one")

    def read(count: int) -> list[int]:
        assert raw.good(client.ask("SELECT 1"))
        wait_until(lambda: stats(pgweir)[1] == count, what="the catalog is read")
        client.ask(body("other", "NULL;"))      # The next transaction has it read again.
        return [pgweir.log().count(text) for text in ("may leave state behind: every", "functions could not be read")]

    assert read(1) == [1, 0] and read(2) == [1, 0]
    server("REVOKE SELECT ON pg_proc FROM public")
    assert read(3) == [1, 1] and read(4) == [1, 1]
    server("GRANT SELECT ON pg_proc TO public")
    assert read(5) == [1, 1]
    server("DROP VIEW seen")
    assert read(6) == [1, 1]
    server("CREATE VIEW seen AS SELECT f()")
    assert read(7) == [2, 1]
    server("REVOKE SELECT ON pg_proc FROM public")
    assert read(8) == [2, 2]
    client.close()


def waits_for_a_lock(cluster) -> bool:
    return bool(cluster.primary.sql(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{DATABASE}' AND wait_event_type = 'Lock'"))


def test_who_leaves_before_its_functions_are_known_leaves_nothing_to_others(server, proxy, cluster):
    """The question is cancelled. What the function did nobody has judged, so nobody gets the connection."""
    server(body("f", "SET work_mem = '11MB'; SET LOCAL app.tenant = 'x';"))
    pgweir = proxy()
    client = pgweir.raw("one")
    with cluster.primary.connect(DATABASE) as holder:
        holder.execute("BEGIN; LOCK TABLE pg_event_trigger IN ACCESS EXCLUSIVE MODE")
        assert raw.good(client.ask("SELECT f()"))
        wait_until(lambda: waits_for_a_lock(cluster), what="the question waits")
        client.close()
        wait_until(lambda: not waits_for_a_lock(cluster), what="the question is cancelled")
    other = pgweir.raw("one")
    assert other.value("SHOW work_mem") == "4MB"
    assert other.value("SELECT current_setting('app.tenant', true) IS NULL") == "t"
    assert "cleaning_failed" not in pgweir.log()
    other.close()


def asking(cluster) -> list[int]:
    return [row[0] for row in cluster.primary.sql(
        f"SELECT pid FROM pg_stat_activity WHERE datname = '{DATABASE}' AND wait_event_type = 'Lock'")]


def terminate_what_asks(cluster) -> None:
    wait_until(lambda: asking(cluster), what="a question waits")
    for pid in asking(cluster):
        cluster.primary.sql("SELECT pg_terminate_backend(%s, 5000)", parameters=[pid])


@pytest.mark.parametrize("how", ["idle", "next"])
@pytest.mark.parametrize("times", [1, 2])
def test_a_backend_that_ends_while_it_is_asked_about_functions_costs_no_client(server, proxy, cluster, how, times):
    """Nothing of the client's is lost: it goes on with another connection, on which the question is asked again."""
    server(body("f", "NULL;"))
    pgweir = proxy()
    client = pgweir.raw("one")
    with cluster.primary.connect(DATABASE) as holder:
        holder.execute("BEGIN; LOCK TABLE pg_event_trigger IN ACCESS EXCLUSIVE MODE")
        assert raw.good(client.ask("SELECT f()"))
        wait_until(lambda: asking(cluster), what="the question waits")
        if how == "next":
            client.send(raw.query("SELECT 'next'"))
        for _ in range(times):
            terminate_what_asks(cluster)
        holder.execute("ROLLBACK")
    if how == "next":
        assert raw.rows_of(client.read_until_ready()) == [["next"]]
    assert client.value("SELECT 'on'") == "on"
    assert "functions could not be read" not in pgweir.log()
    client.close()


def test_a_backend_that_is_killed_while_it_is_asked_about_functions_costs_no_client(server, proxy, cluster):
    """The postmaster ends all others, too: there is nothing but the end of the connection to go by."""
    pgweir = proxy(server_login_retry=1)
    client = pgweir.raw("one", timeout_s=60)
    holder = cluster.primary.connect(DATABASE)
    holder.execute("BEGIN; LOCK TABLE pg_event_trigger IN ACCESS EXCLUSIVE MODE")
    assert raw.good(client.ask("SELECT 1"))
    wait_until(lambda: asking(cluster), what="the question waits")
    client.send(raw.query("SELECT 'next'"))
    with cluster.primary.beginning_anew():
        os.kill(asking(cluster)[0], signal.SIGKILL)
    assert raw.rows_of(client.read_until_ready()) == [["next"]]
    client.close()
    holder.close()


@pytest.mark.parametrize("sql", ["SELECT f()", "SET work_mem = '11MB'", "DO $$ BEGIN SET work_mem = '11MB'; END $$"])
def test_a_client_whose_state_ends_with_its_backend_is_told_in_the_servers_words(server, proxy, cluster, sql):
    """Were it given another connection, it would go on without its setting."""
    server(body("f", "SET work_mem = '11MB';"))
    pgweir = proxy()
    client = pgweir.raw("one")
    with cluster.primary.connect(DATABASE) as holder:
        holder.execute("BEGIN; LOCK TABLE pg_event_trigger IN ACCESS EXCLUSIVE MODE")
        assert raw.good(client.ask(sql))
        client.send(raw.query("SHOW work_mem"))
        terminate_what_asks(cluster)
        holder.execute("ROLLBACK")
    error = raw.error_of(client.read_to_end())
    assert (error["S"], error["C"], error["M"]) == ("FATAL", "57P01", "terminating connection due to administrator command")
    client.close()


def test_execute_of_a_statement_that_sql_prepared_is_seen_through(server, proxy):
    server(body("f", "SET work_mem = '11MB';"))
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("PREPARE s AS SELECT f()")
    for _ in range(2):
        client.ask("EXECUTE s")
        assert other.value("SHOW work_mem") == "4MB" and client.value("SHOW work_mem") == "11MB"
        client.ask("RESET work_mem")
    client.close()
    other.close()


def test_listen_in_a_function_hears_and_is_nobody_elses(server, proxy):
    server(body("f", "LISTEN here;"))
    pgweir = proxy()
    client, other = pgweir.raw("one"), pgweir.raw("one")
    assert raw.good(client.ask("SELECT f()"))
    assert other.value("SELECT count(*) FROM pg_listening_channels()") == "0"
    client.close()
    other.close()


def test_a_list_that_is_read_behind_a_reset_does_not_hide_what_is_set(proxy):
    """With startup values set_config and RESET hold up what comes behind them: two questions one after the other."""
    pgweir = proxy()
    clients = [pgweir.raw("one", client_encoding="UTF8") for _ in range(2)]
    for client, zone in zip(clients, ("Asia/Tokyo", "Europe/Paris")):
        client.ask(f"SELECT set_config('TimeZone', '{zone}', false)")
    assert [client.value("SHOW TimeZone") for client in clients] == ["Asia/Tokyo", "Europe/Paris"]
    assert stats(pgweir)[1] == 1
