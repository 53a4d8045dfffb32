"""What a client leaves behind on its server connection in transaction mode: it follows, or it pins until it is gone."""
import contextlib

import pytest

from harness import raw
from harness.process import wait_until
from harness.raw import bind, close_statement, execute, extended, parse, query, sync

pytestmark = pytest.mark.ours


def run(client: raw.Client, sql: str, how: str) -> list[raw.Message]:
    """Statement by statement in the extended protocol, as drivers do."""
    if how == "simple":
        return client.ask(sql)
    return [message for each in sql.split("; ") for message in client.ask(extended(each))]


PROTOCOLS = pytest.mark.parametrize("how", ["simple", "extended"])

# What begins a state, why it pins, and what ends it.
PINS = {
    "a session lock": ("SELECT pg_advisory_lock(4711)", "advisory_lock", "SELECT pg_advisory_unlock(4711)"),
    "a lock that was only tried": ("SELECT pg_try_advisory_lock_shared(4, 711)", "advisory_lock", "SELECT pg_advisory_unlock_shared(4, 711)"),
    "a lock in a transaction": ("BEGIN; SELECT pg_advisory_lock(4711); ROLLBACK", "advisory_lock", "SELECT pg_advisory_unlock_all()"),
    "a temporary table": ("CREATE TEMP TABLE mine (n int)", "temporary_table", "DROP TABLE mine"),
    "a temporary table by AS": ("CREATE TEMPORARY TABLE mine AS SELECT 1 AS n", "temporary_table", "DROP TABLE mine"),
    "a temporary table by INTO": ("SELECT 1 AS n INTO TEMP mine", "temporary_table", "DISCARD TEMP"),
    "a temporary view": ("CREATE TEMP VIEW mine AS SELECT 1", "temporary_table", "DROP VIEW mine"),
    "a temporary sequence": ("CREATE TEMP SEQUENCE mine", "temporary_table", "DROP SEQUENCE mine"),
    "a temporary function": ("CREATE FUNCTION pg_temp.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "temporary_table",
                             "DROP FUNCTION pg_temp.mine()"),
    "a temporary type": ("CREATE DOMAIN pg_temp.mine AS int", "temporary_table", "DROP DOMAIN pg_temp.mine"),
    "a cursor": ("DECLARE c CURSOR WITH HOLD FOR SELECT generate_series(1, 3)", "cursor", "CLOSE c"),
    "a cursor in a transaction": ("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT", "cursor", "CLOSE ALL"),
}


@PROTOCOLS
@pytest.mark.parametrize("name", PINS)
def test_what_cannot_be_moved_pins_until_the_server_says_it_is_gone(pgweir, name, how):
    begin, reason, end = PINS[name]
    client, other = pgweir.raw("one"), pgweir.raw("one")
    backend = client.value("SELECT pg_backend_pid()")
    assert raw.good(run(client, begin, how))
    wait_until(lambda: pgweir.pins() == {reason: 1}, what=f"{reason} pins")
    other.send(raw.query("SELECT 'at last'"))
    wait_until(lambda: pgweir.pool("one")["cl_waiting"] == 1, what="the other client waits")
    for each in "SELECT 1", "BEGIN; SELECT nonsense", "ROLLBACK":
        client.ask(each)
    wait_until(lambda: pgweir.pins() == {reason: 1}, what="so many pins")
    assert raw.good(run(client, end, how))
    assert raw.rows_of(other.read_until_ready()) == [["at last"]]
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    assert other.value("SELECT pg_backend_pid()") == backend
    client.close()
    other.close()


@PROTOCOLS
@pytest.mark.parametrize("sql", [
    "BEGIN; CREATE TEMP TABLE mine (n int); ROLLBACK",
    "BEGIN; CREATE TEMP TABLE mine (n int) ON COMMIT DROP; COMMIT",
    "SELECT pg_advisory_xact_lock(4711)",
    "SELECT pg_advisory_lock(4711), pg_advisory_unlock(4711)",
    "BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT",
    "BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; ROLLBACK",
    "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL",
    "DISCARD TEMP; DISCARD PLANS; DISCARD SEQUENCES",
    "SELECT 'create temp table, pg_advisory_lock(1), with hold, load'",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ; RESET default_transaction_isolation",
])
def test_what_leaves_nothing_pins_nothing(pgweir, sql, how):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    assert raw.good(run(client, sql, how))
    assert other.value("SELECT 1") == "1"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    assert client.value("SELECT count(*) FROM pg_prepared_statements WHERE from_sql") == "0"
    client.close()
    other.close()


@pytest.mark.parametrize("sql, reason", [("LOAD 'auto_explain'", "load"), ("SELECT setseed(0.5)", "setseed"), ("SET SEED TO 0.5", "setseed")])
def test_what_nothing_can_take_away_keeps_the_connection_from_everybody_else(pgweir, sql, reason):
    client, other = (pgweir.raw("one", "postgres") for _ in range(2))
    backend = client.value("SELECT pg_backend_pid()")
    assert raw.good(client.ask(sql))
    wait_until(lambda: pgweir.pins() == {reason: 1}, what="it pins")
    assert client.value("SELECT pg_backend_pid()") == backend
    client.close()
    assert other.value("SELECT pg_backend_pid()") != backend
    other.close()


def test_a_client_that_leaves_takes_its_state_with_it_without_a_reset_query_as_well(start_pgweir):
    """As in many a pgbouncer.ini with pool_mode = transaction."""
    pgweir = start_pgweir({"pgweir": {"pool_mode": "transaction", "default_pool_size": 1, "server_reset_query": ""}})
    client, other = pgweir.raw("app"), pgweir.raw("app")
    before = other.value("SHOW work_mem")
    client.ask("SELECT pg_advisory_lock(4711)")
    client.ask("SET work_mem = '77MB'")
    wait_until(lambda: pgweir.pins() == {"advisory_lock": 1}, what="the client is pinned")
    client.close()
    assert other.value("SHOW work_mem") == before
    assert other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == "0"


def test_a_client_that_leaves_takes_its_state_with_it(pgweir):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("CREATE TEMP TABLE mine (n int)")
    client.ask("SELECT pg_advisory_lock(4711)")
    client.ask("DECLARE c CURSOR WITH HOLD FOR SELECT 1")
    wait_until(lambda: len(pgweir.pins()) == 3, what="three reasons")
    client.close()
    assert raw.error_of(other.ask("SELECT * FROM mine"))["C"] == "42P01"
    assert other.value("SELECT count(*) FROM pg_cursors") == "0"
    assert other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == "0"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    other.close()


def test_discard_all_ends_every_pin(pgweir):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("CREATE TEMP TABLE mine (n int)")
    client.ask("SELECT pg_advisory_lock(4711)")
    wait_until(lambda: len(pgweir.pins()) == 2)
    client.ask("DISCARD ALL")
    assert other.value("SELECT 'free'") == "free"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.close()
    other.close()


# --- SQL's PREPARE ---

def test_prepared_by_sql_follows_and_is_nobody_elses(pgweir):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask('PREPARE "My Plan" (int) AS SELECT $1 * 2')
    client.ask("PREPARE s AS SELECT 'client'")
    assert other.value("SELECT count(*) FROM pg_prepared_statements WHERE from_sql") == "0"
    assert raw.error_of(other.ask("EXECUTE s"))["C"] == "26000"
    other.ask("PREPARE s AS SELECT 'other'")
    for _ in range(2):
        assert client.value("EXECUTE s") == "client" and other.value("EXECUTE s") == "other"
    assert client.value('EXECUTE "My Plan"(21)') == "42"
    assert raw.rows_of(client.ask(bind(4, name="My Plan") + execute() + sync())) == [["8"]]
    client.ask("DEALLOCATE s")
    assert raw.error_of(client.ask("EXECUTE s"))["C"] == "26000" and other.value("EXECUTE s") == "other"
    client.ask("DEALLOCATE ALL")
    assert raw.error_of(client.ask('EXECUTE "My Plan"(21)'))["C"] == "26000" and other.value("EXECUTE s") == "other"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.close()
    other.close()


def test_prepare_survives_its_transactions_rollback_as_in_postgresql(pgweir):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    for sql in "BEGIN", "PREPARE s AS SELECT 'kept'", "ROLLBACK":
        client.ask(sql)
    other.ask("SELECT 1")
    assert client.value("EXECUTE s") == "kept"
    client.close()
    other.close()


def test_a_statement_prepared_among_others_pins(pgweir):
    """The server keeps the whole text with it, which cannot be run again."""
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("SELECT 1; PREPARE s AS SELECT 'mine'; SELECT 2")
    wait_until(lambda: pgweir.pins() == {"prepare": 1})
    assert client.value("EXECUTE s") == "mine"
    client.ask("DEALLOCATE s")
    assert other.value("SELECT 1") == "1"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.close()
    other.close()


def test_a_statement_whose_table_is_gone_costs_its_execution_only(pgweir, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS short_lived; CREATE TABLE short_lived (n int); GRANT ALL ON short_lived TO app", "app")
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("PREPARE s AS SELECT * FROM short_lived")
    client.ask("PREPARE kept AS SELECT 'kept'")
    other.ask("SELECT 1")
    cluster.primary.sql("DROP TABLE short_lived", "app")
    assert raw.error_of(client.ask("EXECUTE s"))["C"] in ("42P01", "26000")
    assert client.value("EXECUTE kept") == "kept" and client.value("SELECT 1") == "1"
    client.close()
    other.close()


@PROTOCOLS
@pytest.mark.parametrize("sql", ["CREATE TABLE mine (n int)", "SELECT 1 AS n INTO mine", "DO $$BEGIN CREATE TABLE mine (n int); END$$"])
def test_what_a_search_path_makes_temporary_pins(pgweir, sql, how):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    assert raw.good(client.ask("SET search_path = pg_temp, public"))
    assert other.value("SELECT 1") == "1"
    assert raw.good(client.ask(sql if how == "simple" else extended(sql)))
    wait_until(lambda: pgweir.pins() == {"temporary_table": 1}, what="it pins")
    assert raw.good(client.ask("DROP TABLE mine"))
    assert other.value("SELECT 1") == "1"
    client.close()
    other.close()


@PROTOCOLS
def test_an_update_of_pg_settings_is_a_set(pgweir, how):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    run(client, "UPDATE pg_settings SET setting = '7MB' WHERE name = 'work_mem'", how)
    assert other.value("SHOW work_mem") == "4MB" and client.value("SHOW work_mem") == "7MB"
    client.close()
    other.close()


def test_settings_and_statements_follow_together(pgweir):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("SET work_mem = '7MB'")
    client.ask("PREPARE s AS SELECT current_setting('work_mem')")
    other.ask("SET work_mem = '9MB'")
    assert client.value("EXECUTE s") == "7MB" and other.value("SHOW work_mem") == "9MB"
    client.ask("RESET work_mem")
    other.ask("SELECT 1")
    assert client.value("EXECUTE s") == "4MB"
    client.close()
    other.close()


def prepare_as(client, made: str, text: str):
    assert raw.good(client.ask(f"PREPARE s AS {text}" if made == "sql" else parse(text, "s") + sync()))


EXECUTES = {"EXECUTE": "EXECUTE s", "among others": "SELECT 1; EXECUTE s", "Bind": bind(name="s") + execute() + sync(),
            "by name": parse("EXECUTE s", "") + bind() + execute() + sync()}
executes = pytest.mark.parametrize("how", EXECUTES)
made_by = pytest.mark.parametrize("made", ["sql", "protocol"])


@executes
@made_by
def test_what_a_prepared_statement_sets_follows_and_is_nobody_elses(pgweir, made, how):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    prepare_as(client, made, "SELECT set_config('work_mem', '11MB', false), set_config('prepared.tenant', 'mine', false)")
    assert other.value("SHOW work_mem") == "4MB"
    assert raw.good(client.ask(EXECUTES[how]))
    assert other.value("SHOW work_mem") == "4MB" and other.value("SELECT current_setting('prepared.tenant', true) IS NULL") == "t"
    assert client.value("SHOW work_mem") == "11MB" and client.value("SHOW prepared.tenant") == "mine"
    client.close()
    other.close()


@executes
@made_by
def test_what_a_prepared_statement_locks_is_held_until_its_client_unlocks_it(pgweir, made, how):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    prepare_as(client, made, "SELECT pg_advisory_lock(4711)")
    assert other.value("SELECT 1") == "1"
    assert raw.good(client.ask(EXECUTES[how]))
    wait_until(lambda: pgweir.pins() == {"advisory_lock": 1}, what="it pins")
    assert client.value("SELECT pg_advisory_unlock(4711)") == "t"
    assert other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == "0"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.close()
    other.close()


@made_by
def test_what_a_prepared_statement_unlocks_is_asked_about(pgweir, made):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    prepare_as(client, made, "SELECT pg_advisory_unlock(4711)")
    client.ask("SELECT pg_advisory_lock(4711)")
    wait_until(lambda: pgweir.pins() == {"advisory_lock": 1}, what="it pins")
    assert client.value("EXECUTE s") == "t"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    assert other.value("SELECT 1") == "1"
    client.close()
    other.close()


def test_a_statement_of_which_nobody_knows_the_text_may_leave_anything(pgweir):
    client = pgweir.raw("one")
    client.ask("SELECT 1; PREPARE s AS SELECT set_config('work_mem', '11MB', false), pg_advisory_lock(4711); SELECT 2")
    wait_until(lambda: pgweir.pins() == {"prepare": 1}, what="it pins")
    assert raw.good(client.ask("EXECUTE s"))
    wait_until(lambda: pgweir.pins() == {"prepare": 1, "advisory_lock": 1}, what="it pins")
    client.ask("DEALLOCATE s")
    client.ask("SELECT pg_advisory_unlock(4711)")
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    other = pgweir.raw("one")
    assert other.value("SHOW work_mem") == "4MB" and client.value("SHOW work_mem") == "11MB"
    client.close()
    other.close()


@pytest.mark.parametrize("how", ["protocol", "sql"])
def test_both_kinds_of_statements_share_their_names(pgweir, how):
    """Rails and psycopg deallocate by SQL what they have prepared by the protocol."""
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask(parse("SELECT 'by protocol'", "s") + sync())
    other.ask("SELECT 1")
    assert client.value("EXECUTE s") == "by protocol"
    assert raw.error_of(client.ask("PREPARE s AS SELECT 1"))["M"] == 'prepared statement "s" already exists'
    if how == "sql":
        assert raw.good(client.ask("DEALLOCATE s"))
    else:
        client.ask(close_statement("s") + sync())
    assert raw.error_of(client.ask("EXECUTE s"))["M"] == 'prepared statement "s" does not exist'
    assert raw.error_of(client.ask(bind(name="s") + sync()))["M"] == 'prepared statement "s" does not exist'
    client.ask("PREPARE s AS SELECT 'by sql'")
    other.ask("SELECT 1")
    assert raw.rows_of(client.ask(bind(name="s") + execute() + sync())) == [["by sql"]]
    assert raw.error_of(client.ask(parse("SELECT 1", "s") + sync()))["M"] == 'prepared statement "s" already exists'
    if how == "sql":
        client.ask("DEALLOCATE s")
    else:
        client.ask(close_statement("s") + sync())
    other.ask("SELECT 1")
    assert raw.error_of(client.ask(bind(name="s") + sync()))["C"] == "26000"
    client.close()
    other.close()


def test_a_deallocated_name_in_a_transaction_that_fails_is_still_there(pgweir):
    client = pgweir.raw("one")
    client.ask(parse("SELECT 'kept'", "s") + sync())
    for sql in "BEGIN", "SELECT nonsense", "DEALLOCATE s", "ROLLBACK":
        client.ask(sql)
    assert raw.rows_of(client.ask(bind(name="s") + execute() + sync())) == [["kept"]]
    client.close()


@pytest.mark.parametrize("sql", ["DEALLOCATE PREPARE s", 'deallocate "s"', "EXPLAIN EXECUTE s", "CREATE TEMP TABLE made ON COMMIT DROP AS EXECUTE s",
                                 "/* first */ EXECUTE /* s */ s; SELECT 's'"])
def test_names_are_found_wherever_sql_puts_them(pgweir, sql):
    for message in raw.query(sql), extended(sql):
        client, other = pgweir.raw("one"), pgweir.raw("one")
        client.ask(parse("SELECT 1", "s") + sync())
        other.ask("SELECT 1")
        if ";" not in sql or message[:1] == b"Q":
            assert raw.good(client.ask(message)), sql
        client.close()
        other.close()


# --- Sequences ---

@pytest.fixture
def sequence(cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS numbered; CREATE TABLE numbered (id serial, t text); GRANT ALL ON numbered TO app;"
                        "GRANT ALL ON SEQUENCE numbered_id_seq TO app", "app")


def test_a_sequences_last_value_is_nobody_elses(pgweir, sequence):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    first = client.value("SELECT nextval('numbered_id_seq')")
    assert client.value("SELECT currval('numbered_id_seq')") == first
    client.ask("DISCARD SEQUENCES")
    assert other.value("SELECT nextval('numbered_id_seq')") != first
    assert raw.error_of(client.ask("SELECT currval('numbered_id_seq')"))["C"] == "55000"
    assert raw.error_of(client.ask(extended("SELECT lastval()")))["C"] == "55000"
    client.close()
    other.close()


@PROTOCOLS
def test_a_client_that_asks_for_its_last_value_gets_it(pgweir, sequence, how):
    """Insert, then ask: as ORMs do, each in a transaction of its own."""
    client, other = pgweir.raw("one"), pgweir.raw("one")
    for number in range(1, 4):
        assert raw.good(run(client, "INSERT INTO numbered (t) VALUES ('x')", how))
        assert raw.rows_of(run(client, "SELECT lastval()", how)) == [[str(number)]]
    wait_until(lambda: pgweir.pins() == {"sequence": 1}, what="so many pins")
    other.send(raw.query("SELECT 1"))
    client.ask("DISCARD SEQUENCES")
    assert raw.rows_of(other.read_until_ready()) == [["1"]]
    client.close()
    other.close()


@pytest.mark.parametrize("sql", [
    "INSERT INTO numbered (t) VALUES ('mine'); SELECT lastval()", "INSERT INTO numbered (t) VALUES ('mine') RETURNING lastval()",
    "WITH written AS (INSERT INTO numbered (t) VALUES ('mine') RETURNING id) SELECT currval('numbered_id_seq') FROM written",
])
def test_a_text_that_writes_and_asks_gets_its_last_value(pgweir, sequence, sql):
    client, other = pgweir.raw("app"), pgweir.raw("app")
    for _ in range(3):
        other.ask("INSERT INTO numbered (t) VALUES ('other')")
        own = client.value(sql) if "; " not in sql else raw.rows_of(client.ask(sql))[0][0]
        assert own == other.value("SELECT max(id) FROM numbered WHERE t = 'mine'")
    client.close()
    other.close()


def test_a_last_value_is_never_an_older_one_of_the_clients_own(start_pgweir, sequence):
    """What it wrote last it wrote on another connection."""
    proxy = start_pgweir({"database app": {"pool_size": 2}, "pgweir": {"threads": 1}})
    client, blocker = proxy.raw("app"), proxy.raw("app")
    blocker.ask("CREATE TABLE IF NOT EXISTS unnumbered (n int)")
    for round in range(4):
        # On one connection and on the other, in turn.
        client.ask("INSERT INTO numbered (t) VALUES ('mine')")
        pid = client.value("SELECT pg_backend_pid()")
        blocker.ask("BEGIN")
        if blocker.value("SELECT pg_backend_pid()") != pid:
            blocker.ask("COMMIT")
            continue
        client.ask("INSERT INTO numbered (t) VALUES ('mine')")
        blocker.ask("COMMIT")
        replies = client.ask("INSERT INTO unnumbered VALUES (1); SELECT lastval()")
        newest = blocker.value("SELECT max(id) FROM numbered WHERE t = 'mine'")
        assert raw.rows_of(replies) == [[newest]] or raw.error_of(replies)["C"] == "55000"
    client.close()
    blocker.close()


def test_inside_a_transaction_the_last_value_is_known(pgweir, sequence):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    other.ask("INSERT INTO numbered (t) VALUES ('other')")
    client.ask("BEGIN")
    client.ask("INSERT INTO numbered (t) VALUES ('mine')")
    assert client.value("SELECT currval(pg_get_serial_sequence('numbered', 'id'))") == "2"
    client.ask("COMMIT")
    client.close()
    other.close()


# --- Behind the end of a failed transaction, in the same batch ---

def batch(*texts: str) -> bytes:
    return b"".join(parse(sql) + bind() + execute() for sql in texts)


ENDS = [(("ROLLBACK",), ()), (("COMMIT",), ()), (("ROLLBACK TO s",), ("COMMIT",)), (("ROLLBACK AND CHAIN",), ("COMMIT",))]
BETWEEN = [None, "DISCARD PLANS", "DEALLOCATE ALL", "RESET work_mem", "DISCARD ALL"]        # The last one in no transaction.


@pytest.mark.parametrize("between, ends, last", [(between, *each) for between in BETWEEN for each in ENDS if between != "DISCARD ALL" or not each[1]])
@pytest.mark.parametrize("sql, look", [("SET work_mem = '9MB'", "SELECT current_setting('work_mem') = '4MB'"), ("SELECT pg_advisory_lock(4711)", "SELECT pg_try_advisory_lock(4711)"),
                                       ("SET ROLE NONE; SET app.behind = 'x'", "SELECT current_setting('app.behind', true) IS NULL")])
def test_what_runs_behind_the_end_of_a_failed_transaction_is_known(start_pgweir, between, ends, last, sql, look):
    """Until the Sync the server says nothing of the transaction's state, which was a failed one's."""
    proxy = start_pgweir({"database app": {"pool_size": 2}})
    client = proxy.raw("app", application_name="named")
    for each in ("BEGIN", "SAVEPOINT s", "SELECT 1/0"):
        client.ask(each)
    if between:
        client.send(batch(*ends, between, *sql.split("; "), *last) + sync())
        assert raw.good(client.read_until_ready())
    else:
        client.send(batch(*ends) + raw.flush())
        client.read_until("C")
        client.send(batch(*sql.split("; "), *last) + sync())
        assert raw.good(client.read_until_ready())
    for _ in range(2):
        assert proxy.raw("app").value(look) == ("f" if "lock" in look else "t")
        client.ask("SELECT 1")


def test_what_is_rejected_is_so_behind_the_end_of_a_failed_transaction(start_pgweir):
    proxy = start_pgweir({"database app": {"advisory_locks": "reject", "pool_size": 1}})
    client = proxy.raw("app")
    client.ask("BEGIN")
    client.ask("SELECT 1/0")
    client.send(batch("ROLLBACK", "DISCARD PLANS", "SELECT pg_advisory_lock(4711)") + sync())
    assert raw.error_of(client.read_until_ready())["C"] == "0A000"


# --- Errors of our own ---

REJECTS = {"temporary_tables": "CREATE TEMP TABLE t (n int)", "advisory_locks": "SELECT pg_advisory_lock(1)",
           "hold_cursors": "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "loaded_libraries": "LOAD 'plpgsql'", "random_seed": "SELECT setseed(0)"}


@PROTOCOLS
@pytest.mark.parametrize("key", REJECTS)
def test_what_is_rejected_fails_on_the_server_too(start_pgweir, cluster, key, how):
    cluster.primary.sql("DROP TABLE IF EXISTS outcome; CREATE TABLE outcome (n int); GRANT ALL ON outcome TO app", "app")
    proxy = start_pgweir({"database app": {key: "reject", "pool_size": 1}})
    client = proxy.raw("app")
    client.ask("BEGIN")
    client.ask("INSERT INTO outcome VALUES (1)")
    error = raw.error_of(run(client, REJECTS[key], how))
    assert error["C"] == "0A000" and key in error["H"]
    assert raw.error_of(client.ask("SELECT 1"))["C"] == "25P02"
    assert [m.body for m in client.ask("COMMIT") if m.type == "C"] == [b"ROLLBACK\0"]
    assert client.value("SELECT count(*) FROM outcome") == "0"
    batch = parse("INSERT INTO outcome VALUES (2)") + bind() + execute() + parse(REJECTS[key]) + bind() + execute() + sync()
    assert raw.error_of(client.ask(batch))["C"] == "0A000"
    assert client.value("SELECT count(*) FROM outcome") == "0"
    assert raw.error_of(client.ask(f"INSERT INTO outcome VALUES (3); {REJECTS[key]}"))["C"] == "0A000"
    assert client.value("SELECT count(*) FROM outcome") == "0"
    client.close()


@pytest.mark.parametrize("sql", ["CREATE TEMP TABLE brief ON COMMIT DROP AS SELECT 1 AS n", "CREATE TEMPORARY TABLE brief (n int) /* */ ON\tCOMMIT\ndrop",
                                 "CREATE TEMP TABLE brief (n int); ALTER TABLE brief ADD c text", "CREATE TEMP TABLE brief (n int) ON COMMIT DROP; CREATE TEMP TABLE two (n int)",
                                 "CREATE TEMP TABLE brief AS SELECT ' on commit drop '::text", "CREATE TEMP TABLE brief (n int) ON COMMIT DELETE ROWS"])
def test_what_ends_with_the_transaction_is_not_rejected(start_pgweir, sql):
    proxy = start_pgweir({"database app": {"temporary_tables": "reject", "pool_size": 1}})
    client, other = proxy.raw("app"), proxy.raw("app")
    allowed = sql.lower().split().count("drop") == 1 and ";" not in sql and "'" not in sql
    replies = [client.ask(each) for each in ("BEGIN", sql, "COMMIT")]
    assert raw.good(replies[1]) == allowed
    assert other.value("SELECT count(*) FROM pg_class WHERE relname = 'brief'") == "0"
    assert proxy.pins() == {}


def test_what_is_ignored_does_not_pin_by_something_else(start_pgweir):
    """Nor does what another client has left behind, and is met."""
    proxy = start_pgweir({"database app": {"advisory_locks": "ignore", "temporary_tables": "ignore", "hold_cursors": "ignore", "pool_size": 1}})
    client, other = proxy.raw("app"), proxy.raw("app")
    client.ask("CREATE TEMP TABLE ignored (n int); SELECT pg_advisory_lock(4711)")
    now = int(other.value("SELECT 'pg_catalog.now()'::regprocedure::oid"))
    assert raw.good(other.ask(raw.function_call(now)))
    assert client.value("SELECT 1") == "1"
    assert other.value("SELECT 1") == "1"
    assert proxy.pins() == {}


def test_what_is_ignored_neither_pins_nor_costs_a_question(start_pgweir):
    proxy = start_pgweir({"database app": {"advisory_locks": "reject", "pool_size": 1}, "user app": {"advisory_locks": "ignore"}})
    client, other = proxy.raw("app"), proxy.raw("app")
    assert raw.good(client.ask("SELECT pg_advisory_lock(1)"))
    assert other.value("SELECT pg_advisory_unlock(1)") == "t"
    wait_until(lambda: proxy.pins() == {}, what="so many pins")
    client.close()
    other.close()


@PROTOCOLS
@pytest.mark.parametrize("sql", ["SET dynamic_library_path = '/mine'", "SELECT set_config('dynamic_library_path', '/mine', false)"])
def test_a_setting_that_the_clients_next_role_may_not_see_is_nobody_elses(pgweir, sql, how):
    """Under that role the server does not say that it is there."""
    client, other = pgweir.raw("one", "postgres"), pgweir.raw("one", "postgres")
    assert raw.good(run(client, f"BEGIN; {sql}; SET ROLE app; COMMIT", how))
    wait_until(lambda: pgweir.pins() == {"load": 1}, 10, "it pins")
    assert client.value("SELECT current_user") == "app"
    client.ask("RESET ROLE")
    assert client.value("SHOW dynamic_library_path") == "/mine"
    client.close()
    assert other.value("SHOW dynamic_library_path") == "$libdir"
    other.close()


# --- Databases that must be idle ---

@pytest.mark.threaded
@pytest.mark.parametrize("sql", ["DROP DATABASE in_the_way", "ALTER DATABASE in_the_way RENAME TO moved", "CREATE DATABASE moved TEMPLATE in_the_way"])
def test_pooled_connections_are_not_in_the_way_of_database_commands(start_pgweir, cluster, sql):
    proxy = start_pgweir({"pgweir": {"threads": 2, "min_pool_size": 2}, "database in_the_way": {}, "database postgres": {}})
    for name in "in_the_way", "moved":
        cluster.primary.sql(f"DROP DATABASE IF EXISTS {name}", "postgres")
    cluster.primary.sql("CREATE DATABASE in_the_way", "postgres")
    clients = [proxy.raw("in_the_way", "postgres") for _ in range(6)]
    for said in "BEGIN", "COMMIT":
        for client in clients:
            client.ask(said)
    operator = proxy.raw("postgres", "postgres")
    assert int(operator.value("SELECT count(*) FROM pg_stat_activity WHERE datname = 'in_the_way'")) >= 6
    assert raw.good(operator.ask(sql))
    for client in clients + [operator]:
        client.close()


@pytest.mark.parametrize("sql", ["DROP DATABASE in_the_way", "/* ; */ alter database in_the_way RENAME TO moved"])
def test_what_sessions_have_left_behind_is_not_in_the_way_of_database_commands(start_pgweir, cluster, sql):
    """With pool_mode = session, where texts are not read for what they leave."""
    proxy = start_pgweir({"pgweir": {"threads": 2, "pool_mode": "session"}, "database in_the_way": {}, "database postgres": {}})
    for name in "in_the_way", "moved":
        cluster.primary.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", "postgres")
    cluster.primary.sql("CREATE DATABASE in_the_way", "postgres")
    for client in [proxy.raw("in_the_way", "postgres") for _ in range(4)]:
        client.ask("SELECT 1")
        client.close()
    operator = proxy.raw("postgres", "postgres")
    wait_until(lambda: proxy.pool("in_the_way", "postgres")["sv_idle"] == 4, what="the server connections are idle")
    assert raw.good(operator.ask(sql))
    operator.close()


@pytest.fixture
def in_the_way(start_pgweir, cluster):
    """A proxy with a client of a database that another one works on."""
    for name in "in_the_way", "moved":
        cluster.primary.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", "postgres")
    cluster.primary.sql("CREATE DATABASE in_the_way", "postgres")
    proxy = start_pgweir({"pgweir": {"threads": 2}, "database in_the_way": {}, "database postgres": {}})
    client, operator = proxy.raw("in_the_way", "postgres"), proxy.raw("postgres", "postgres")
    yield proxy, client, operator
    client.close()
    operator.close()


@pytest.mark.parametrize("sql", ["CREATE DATABASE moved TEMPLATE in_the_way", "CREATE DATABASE template1 TEMPLATE in_the_way"])
def test_connections_are_kept_again_once_the_database_command_has_ended(in_the_way, sql):
    """Well or ill."""
    proxy, client, operator = in_the_way
    client.ask("SELECT 1")
    operator.ask(sql)
    proxy.show("POOLS")                         # All workers have heard of the end.
    assert len({client.value("SELECT pg_backend_pid()") for _ in range(5)}) == 1


def test_the_end_of_one_database_command_does_not_end_anothers_vacancy(in_the_way, cluster):
    """Two work on the same template, and only one is done."""
    proxy, client, operator = in_the_way
    other = proxy.raw("postgres", "postgres")
    client.ask("BEGIN")
    with cluster.primary.connect("in_the_way"):
        operator.send(raw.query("CREATE DATABASE moved TEMPLATE in_the_way"))
        wait_until(lambda: cluster.primary.sql("SELECT 1 FROM pg_locks WHERE classid = 'pg_database'::regclass AND mode = 'ShareLock'"
                                               " AND objid = (SELECT oid FROM pg_database WHERE datname = 'in_the_way')"))
        assert raw.error_of(other.ask("CREATE DATABASE template1 TEMPLATE in_the_way"))["C"] == "42P04"
        proxy.show("POOLS")
        client.ask("COMMIT")
    assert raw.good(operator.read_until_ready())
    other.close()


# --- Long texts ---

@pytest.mark.parametrize("size", [8000, 60_000, 70_000, 300_000])
def test_long_texts_are_followed_to_their_end(pgweir, size):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    filler = "SELECT '" + "x" * size + "'; "
    client.ask(filler)
    assert other.value("SELECT 1") == "1"
    client.ask(filler + "SET work_mem = '7MB'")
    assert other.value("SHOW work_mem") == "4MB" and client.value("SHOW work_mem") == "7MB"
    client.ask(filler + "CREATE TEMP TABLE mine (n int)")
    wait_until(lambda: pgweir.pins() == {"temporary_table": 1}, what="it pins")
    client.ask(filler + "DROP TABLE mine")
    assert other.value("SELECT 1") == "1"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.close()
    other.close()


LARGE = "/*" + "x" * 70_000 + "*/"


@pytest.mark.parametrize("before", ["SELECT 'small'", None])
@pytest.mark.parametrize("sql", ["SET work_mem = '7MB'", "SELECT f_unknown()", "SELECT 1; SELECT 2", "SELECT set_config('work_mem', '7MB', false)",
                                 "SELECT pg_advisory_xact_lock(1)", "LISTEN here"])
def test_a_large_unnamed_statement_stays_until_the_client_is_done_with_it(pgweir, sql, before):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    if before:
        client.ask(extended(before))
    parsed = client.ask(parse(sql + LARGE) + sync())
    assert raw.good(client.ask(parse("SELECT set_config('application_name', 'named', false)", "named") + bind(name="named") + execute() + sync()))
    for _ in range(2):
        replies = client.ask(bind() + execute() + sync())
        assert raw.good(replies) == raw.good(parsed) and raw.rows_of(replies) in ([], [["7MB"]], [[""]])
    if "7MB" in sql:
        assert client.value("SHOW work_mem") == "7MB"
    client.ask("SELECT 1")
    assert other.value("SHOW work_mem") == "4MB"
    client.close()
    other.close()


# --- FunctionCall ---

def test_functions_called_without_sql_leave_state_too(pgweir, cluster):
    (lock, unlock), = cluster.primary.sql("SELECT 'pg_advisory_lock(bigint)'::regprocedure::oid::int, 'pg_advisory_unlock(bigint)'::regprocedure::oid::int")
    client, other = pgweir.raw("one"), pgweir.raw("one")
    key = (4711).to_bytes(8, "big")
    assert raw.good(client.ask(raw.function_call(lock, key)))
    wait_until(lambda: pgweir.pins() == {"advisory_lock": 1}, what="it pins")
    client.ask("SELECT pg_advisory_unlock(4711)")
    assert other.value("SELECT 1") == "1"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.close()
    other.close()


# --- Custom settings: whose row-level security a tenant's rows depend on ---

def test_nobody_sees_anothers_custom_setting(pgweir):
    alpha, beta = pgweir.raw("one"), pgweir.raw("one")
    ask = "SELECT current_setting('app.tenant', true)"
    alpha.ask("SET app.tenant = 'alpha'")
    assert beta.value(ask) is None and alpha.value(ask) == "alpha"
    beta.ask("SET \"App\".\"Tenant\" TO 'beta'")
    for _ in range(2):
        assert (alpha.value(ask), beta.value(ask)) == ("alpha", "beta")
    alpha.ask("RESET app.tenant")
    assert (alpha.value(ask), beta.value(ask)) == ("", "beta")
    beta.ask("DISCARD ALL")
    assert (alpha.value(ask), beta.value(ask)) == ("", "")
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    alpha.close()
    beta.close()


@pytest.mark.parametrize("how", [lambda sql: sql, extended], ids=["simple", "extended"])
@pytest.mark.parametrize("texts", [["RESET ALL"], ["RESET app.tenant"], ["BEGIN", "SET app.tenant = 'x'", "RESET app.tenant", "COMMIT"], ["RESET app.other", "RESET ALL"],
                                   ["BEGIN", "RESET ALL", "SET SESSION AUTHORIZATION DEFAULT", "COMMIT"]], ids="; ".join)
def test_a_reset_leads_a_custom_setting_to_its_startup_value(pgweir, texts, how):
    """A pool of the client's own resets what row-level security goes by: it must not be nobody's afterwards."""
    client, other = pgweir.raw("one", options="-c app.tenant=begun"), pgweir.raw("one")
    for text in ["SET app.tenant = 'mine'", *texts]:
        assert raw.good(client.ask(how(text)))
    assert other.value("SELECT 1") == "1"
    assert client.value("SELECT current_setting('app.tenant')") == "begun"
    client.close()
    other.close()


@pytest.mark.parametrize("texts", [["SET app.tenant = ''"], ["RESET work_mem; SET app.tenant = ''"], ["SET app.tenant = ''", "BEGIN", "RESET ALL", "ROLLBACK"],
                                   ["RESET ALL", "SET app.tenant = ''", "SELECT 1"], ["RESET app.tenant; SET app.tenant = ''"],
                                   ["BEGIN", "RESET ALL", "SELECT set_config('app.tenant', '', false)", "COMMIT"]], ids="; ".join)
def test_a_custom_setting_that_is_set_to_nothing_is_nothing(pgweir, texts):
    client, other = pgweir.raw("one", options="-c app.tenant=begun"), pgweir.raw("one")
    for text in texts:
        client.ask(text)
    assert other.value("SELECT 1") == "1"
    assert client.value("SELECT current_setting('app.tenant')") == ""
    client.close()
    other.close()


def test_a_custom_setting_that_failed_ahead_of_discard_all_was_never_set(pgweir):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    sent = ["BEGIN", "SELECT 1/0", "SET app.never = 'set'", "ROLLBACK", "DISCARD ALL"]
    client.send(b"".join(query(sql) for sql in sent))
    client.read_until_ready(len(sent))
    assert other.value("SELECT 1") == "1"
    assert client.value("SELECT current_setting('app.never', true)") is None
    client.close()
    other.close()


@pytest.mark.parametrize("sql", [
    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql SET app.clause = '1' AS 'SELECT 1'", "ALTER ROLE CURRENT_USER SET app.clause = '1'",
    "ALTER DATABASE app SET app.clause = '1'"])
def test_a_setting_in_a_clause_is_empty_for_its_client_and_null_for_others(start_pgweir, sql):
    proxy = start_pgweir({"database app": {"pool_size": 1}})
    client, other = proxy.raw("app", user="postgres"), proxy.raw("app", user="postgres")
    assert "E" not in raw.types(client.ask(f"BEGIN; {sql}; ROLLBACK"))
    assert other.value("SELECT current_setting('app.clause', true)") is None
    assert client.value("SELECT current_setting('app.clause', true)") == ""


DEFINED = ["BEGIN; SET LOCAL app.local = '1'; COMMIT", "BEGIN; SET app.local = '1'; ROLLBACK", "SELECT set_config('app.local', '1', true)",
           "BEGIN; SELECT set_config('app.local', '1', false); ROLLBACK", "BEGIN; SET LOCAL app.local = '1'; SELECT nonsense; ROLLBACK"]


@PROTOCOLS
@pytest.mark.parametrize("sql", DEFINED)
def test_a_setting_that_was_local_is_empty_for_its_client_and_null_for_others(pgweir, sql, how):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    ask = "SELECT current_setting('app.local', true)"
    assert client.value(ask) is None
    run(client, sql, how)
    client.ask("ROLLBACK")
    for _ in range(2):
        assert client.value(ask) == "" and other.value(ask) is None
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.close()
    other.close()


def test_a_bound_name_is_known_and_a_computed_one_pins(pgweir):
    client, other = pgweir.raw("one"), pgweir.raw("one")
    ask = "SELECT current_setting('app.bound', true)"
    client.ask(extended("SELECT set_config($1, $2, $3::bool)", "app.bound", "x", "false"))
    assert other.value(ask) is None and client.value(ask) == "x"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    client.ask("SELECT set_config('app.' || 'computed', 'x', false)")
    wait_until(lambda: pgweir.pins() == {"custom_setting": 1}, what="so many pins")
    backend = client.value("SELECT pg_backend_pid()")
    client.close()
    assert other.value("SELECT pg_backend_pid()") != backend
    other.close()


def test_tenants_that_set_theirs_in_each_transaction_share_connections(pgweir, cluster):
    cluster.primary.sql("""DROP TABLE IF EXISTS owned; CREATE TABLE owned (tenant text, t text); GRANT ALL ON owned TO app;
        INSERT INTO owned SELECT 't' || n % 10, 'row ' || n FROM generate_series(1, 100) n; ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
        CREATE POLICY mine ON owned USING (tenant = current_setting('app.tenant', true))""", "app")
    clients = [pgweir.raw("one") for _ in range(10)]
    backends = set()
    for _ in range(3):
        for number, client in enumerate(clients):
            client.ask("BEGIN")
            client.ask(extended("SELECT set_config('app.tenant', $1, true)", f"t{number}"))
            assert raw.rows_of(client.ask("SELECT DISTINCT tenant FROM owned")) == [[f"t{number}"]]
            client.ask("COMMIT")
            assert client.value("SELECT count(*) FROM owned") == "0"
            backends.add(client.value("SELECT pg_backend_pid()"))
    assert len(backends) <= len(clients)
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    for client in clients:
        client.close()


def test_custom_settings_of_the_startup_packet_and_of_roles_are_as_on_postgresql(pgweir, cluster):
    cluster.primary.sql("ALTER ROLE other SET app.preset = 'from role'")
    given, plain = pgweir.raw("one", options="-c app.given=start"), pgweir.raw("one")
    ask = "SELECT current_setting('app.given', true)"
    assert plain.value(ask) is None and given.value(ask) == "start" and plain.value(ask) is None
    role = pgweir.raw("one", "other")
    role.ask("BEGIN; SET LOCAL app.preset = 'mine'; COMMIT")
    assert role.value("SELECT current_setting('app.preset', true)") == "from role"
    for client in given, plain, role:
        client.close()
    cluster.primary.sql("ALTER ROLE other RESET app.preset")


RESETS = ["RESET app.given", "RESET ALL", 'RESET "App"."Given"', "SET app.given TO DEFAULT", "SET SESSION app.given = DEFAULT", "SELECT 1; /* */ RESET ALL",
          "BEGIN; SET app.given = 'x'; RESET ALL; COMMIT", "SET app.given = ''; RESET app.given", "DISCARD ALL"]


@PROTOCOLS
@pytest.mark.parametrize("sql", RESETS)
@pytest.mark.parametrize("before", ["x", ""])
def test_a_reset_leads_to_the_custom_setting_of_the_startup_packet(start_pgweir, before, sql, how):
    """As the server knows of none, it says '' then, as it does where '' is what was set."""
    proxy = start_pgweir({"database app": {"pool_size": 1}})
    client, other = proxy.raw("app", options="-c app.given=start"), proxy.raw("app")
    ask = "SELECT current_setting('app.given', true)"
    client.ask(f"SET app.given = '{before}'")
    assert other.value(ask) is None and client.value(ask) == before
    run(client, sql, how)
    for _ in range(2):
        assert other.value(ask) is None and client.value(ask) == "start"


@pytest.mark.parametrize("sql", ["RESET work_mem", "SET app.given = ''; RESET work_mem", "RESET ALL; SET app.given = ''", "SET app.given = '' -- RESET ALL",
                                 "SET app.given = 'DEFAULT'; SET app.given = ''; SET work_mem TO DEFAULT", "RESET app.given; SELECT set_config('app.given', '', false)"])
def test_what_is_set_to_nothing_is_not_reset(start_pgweir, sql):
    proxy = start_pgweir({"database app": {"pool_size": 1}})
    client, other = proxy.raw("app", options="-c app.given=start"), proxy.raw("app")
    client.ask("SET app.given = ''")
    client.ask(sql)
    assert other.value("SELECT 1") == "1" and client.value("SELECT current_setting('app.given', true)") == ""


def test_discard_all_leads_to_the_custom_setting_of_the_startup_packet_with_more_behind_it(start_pgweir):
    proxy = start_pgweir({"database app": {"pool_size": 1}})
    client, other = proxy.raw("app", options="-c app.given=start"), proxy.raw("app")
    client.ask("SET app.given = 'x'")
    client.ask(parse("DISCARD ALL") + bind() + execute() + parse("SELECT 1") + bind() + execute() + sync())
    assert other.value("SELECT 1") == "1" and client.value("SELECT current_setting('app.given', true)") == "start"


@pytest.mark.parametrize("sql, values", [("SET renamed.tenant = 'mine'", ()), ("SELECT set_config($1, $2, false)", ("renamed.tenant", "mine"))])
def test_what_runs_under_a_name_that_was_sqls_is_the_protocols(start_pgweir, sql, values):
    """By the text of the PREPARE it would leave nothing."""
    proxy = start_pgweir({"database app": {"pool_size": 1}})
    with contextlib.closing(proxy.raw("app")) as client:
        client.ask("PREPARE s AS SELECT 'sql'")
        assert raw.good(client.ask(close_statement("s") + parse(sql, "s") + bind(*values, name="s") + execute() + sync()))
        assert client.value("SELECT current_setting('renamed.tenant', true)") == "mine"
    assert proxy.raw("app").value("SELECT current_setting('renamed.tenant', true)") is None


def test_custom_settings_may_be_ignored_or_rejected(start_pgweir):
    proxy = start_pgweir({"database app": {"pool_size": 1, "custom_settings": "ignore"}, "database strict": {"dbname": "app", "custom_settings": "reject"}})
    client, other = proxy.raw("app"), proxy.raw("app")
    client.ask("SET app.tenant = 'alpha'")
    backend = client.value("SELECT pg_backend_pid()")
    assert other.value("SELECT current_setting('app.tenant', true)") == "" and other.value("SELECT pg_backend_pid()") == backend
    assert client.value("SELECT current_setting('app.tenant', true)") == "alpha"
    assert raw.error_of(proxy.raw("strict").ask("SET app.tenant = 'x'"))["C"] == "0A000"
    client.close()
    other.close()


def test_what_a_client_is_told_about_its_settings_is_always_so(pgweir):
    """RESET leads to what the client began with, and the last ParameterStatus says so."""
    client, other = pgweir.raw("one", TimeZone="Asia/Tokyo", application_name="mine"), pgweir.raw("one")
    view = dict(client.parameters)

    def ask(sql: str) -> None:
        """Up to the next message but one, so that what comes behind ReadyForQuery is seen."""
        for message in client.ask(sql) + client.ask("SELECT 1"):
            if message.type == "S":
                name, value = message.body.decode().split("\0")[:2]
                view[name] = value

    for sql in ("SET TimeZone = 'Europe/Paris'", "RESET TimeZone", "SET application_name = 'x'", "RESET ALL", "SET DateStyle = 'German'", "DISCARD ALL"):
        ask(sql)
        other.ask("SET TimeZone = 'America/Lima'")
        ask("SELECT 1")
        assert {name: client.value(f"SHOW {name}") for name in ("TimeZone", "application_name", "DateStyle")} == {
            name: view[name] for name in ("TimeZone", "application_name", "DateStyle")}, sql
    assert view["TimeZone"] == "Asia/Tokyo" and view["application_name"] == "mine"
    client.close()
    other.close()
