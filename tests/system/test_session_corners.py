"""Corners of session state in transaction mode: what is sent ahead of an answer, and what one client could do to the next."""
import contextlib
import os
import signal
import struct
import time

import pytest

from harness import raw
from harness.process import wait_until
from harness.raw import bind, describe_statement, execute, extended, function_call, parse, query, sync

pytestmark = pytest.mark.ours


def told(client: raw.Client, data: bytes, readies: int) -> list[raw.Message]:
    client.send(data)
    return client.read_until_ready(readies)


# --- Behind what resets the session, in the same packet (as npgsql sends it) ---

RESETS = pytest.mark.parametrize("reset", [query("DISCARD ALL"), extended("DISCARD ALL")], ids=["simple", "extended"])


@RESETS
def test_what_is_set_right_behind_discard_all_is_the_clients_own(pair, reset):
    client, other = pair
    told(client, reset + query("SET work_mem = '7MB'"), 2)
    assert other.value("SHOW work_mem") == "4MB" and client.value("SHOW work_mem") == "7MB"


@RESETS
def test_what_pins_right_behind_discard_all_pins(pgweir, reset):
    client = pgweir.raw("one")
    told(client, reset + query("CREATE TEMP TABLE mine (n int)"), 2)
    wait_until(lambda: pgweir.pins() == {"temporary_table": 1}, what="it pins")
    client.close()


@pytest.mark.parametrize("reset", ["DISCARD ALL", "DEALLOCATE ALL"])
@pytest.mark.parametrize("known", [False, True])
def test_a_statement_prepared_right_behind_a_reset_is_there(pair, reset, known):
    client, other = pair
    if known:
        client.ask(parse("SELECT 'before'", "s") + sync())
    replies = told(client, query(reset) + parse("SELECT 'behind'", "s") + describe_statement("s") + sync(), 2)
    assert raw.good(replies)
    other.ask("SELECT 1")
    assert raw.rows_of(client.ask(bind(name="s") + execute() + sync())) == [["behind"]]


@pytest.mark.parametrize("reset", ["DISCARD ALL", "RESET ALL", "CLOSE ALL; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all()"])
def test_startup_values_are_in_force_right_behind_a_reset(pgweir, reset):
    client = pgweir.raw("one", work_mem="9MB", DateStyle="German")
    replies = told(client, query(reset) + extended("SHOW work_mem"), 2)
    assert raw.rows_of(replies)[-1] == ["9MB"]
    client.close()


@pytest.mark.parametrize("reset", ["DISCARD ALL", "RESET ALL", "RESET DateStyle"])
def test_what_a_reset_leads_to_is_reported(pgweir, reset):
    """Drivers convert text and dates by what was reported last."""
    client = pgweir.raw("one", DateStyle="German")
    messages = client.ask(reset) + client.ask("SELECT 1")
    reported = [each.body.decode().split("\0")[1] for each in messages if each.type == "S" and each.body.startswith(b"DateStyle\0")]
    assert not reported or reported[-1] == "German, DMY"
    client.close()


TO_LATIN1 = ["RESET ALL", "RESET client_encoding", "SET NAMES DEFAULT", "SET client_encoding TO DEFAULT", "DISCARD ALL", "BEGIN; RESET ALL; COMMIT"]


@pytest.mark.parametrize("sql", TO_LATIN1)
@pytest.mark.parametrize("before", ["SELECT 1", "SET client_encoding = 'UTF8'"])
def test_what_a_reset_leads_to_is_reported_before_the_client_writes_by_it(pgweir, before, sql):
    """By what was reported last a driver spells its next text, which is read by what is in force then: else another text is kept."""
    client, other = pgweir.raw("one", client_encoding="latin1"), pgweir.raw("one")
    client.ask(before)
    last = {}
    for each in sql.split("; "):
        for message in client.ask(each):
            if message.type == "S":
                last.update([message.body.split(b"\0")[:2]])
    assert other.value("SHOW client_encoding") == "UTF8"
    told = last.get(b"client_encoding", b"UTF8" if "UTF8" in before else b"LATIN1")
    assert told == b"LATIN1"
    assert client.value("SHOW client_encoding") == "LATIN1"
    client.close()
    other.close()


@pytest.mark.parametrize("sql", ["BEGIN; RESET ALL; ROLLBACK", "BEGIN; SAVEPOINT s; RESET client_encoding; ROLLBACK TO s; COMMIT", "BEGIN; RESET ALL; SELECT 1/0; COMMIT",
                                 "SET work_mem TO DEFAULT", "RESET ALL, 1", "BEGIN; RESET ALL; SET client_encoding = 'UTF8'; COMMIT"])
def test_a_reset_that_was_undone_is_not_reported(pgweir, sql):
    client, other = pgweir.raw("one", client_encoding="latin1"), pgweir.raw("one")
    last = {}
    for each in ["SET client_encoding = 'UTF8'", *sql.split("; ")]:
        for message in client.ask(each):
            if message.type == "S":
                last.update([message.body.split(b"\0")[:2]])
    assert other.value("SELECT 1") == "1"
    assert last[b"client_encoding"] == b"UTF8" and client.value("SHOW client_encoding") == "UTF8"
    client.close()
    other.close()


@RESETS
def test_who_leaves_right_behind_a_reset_is_still_heard(pgweir, cluster, reset):
    cluster.primary.sql("DROP TABLE IF EXISTS heard; CREATE TABLE heard (n int); GRANT ALL ON heard TO app", "app")
    client = pgweir.raw("one", work_mem="9MB")
    client.send(reset + query("INSERT INTO heard VALUES (1)") + reset + extended("INSERT INTO heard VALUES (2)") + raw.terminate())
    client.read_to_end()
    wait_until(lambda: cluster.primary.sql("SELECT count(*) FROM heard", "app") == [(2,)], what="both rows are there")


@RESETS
def test_copy_data_right_behind_a_reset_is_no_trouble(pgweir, cluster, reset):
    cluster.primary.sql("DROP TABLE IF EXISTS heard; CREATE TABLE heard (n int); GRANT ALL ON heard TO app", "app")
    client = pgweir.raw("one", work_mem="9MB")
    told(client, reset + query("RESET work_mem; COPY heard FROM STDIN") + raw.copy_data(b"1\n") + raw.copy_done() + query("SELECT 1"), 3)
    assert client.value("SELECT count(*) FROM heard") == "1"
    client.close()


def test_a_reset_in_a_batch_that_goes_on_does_not_cut_it(pgweir):
    client = pgweir.raw("one", work_mem="9MB")
    client.send(parse("DISCARD ALL") + bind() + execute() + raw.flush())
    client.read_until("C")
    client.send(parse("SET work_mem = '7MB'") + bind() + execute() + raw.flush())
    client.read_until("C")
    client.send(parse("SELECT 1/0") + bind() + execute() + sync())
    assert raw.types(client.read_until_ready()) == "1EZ"
    assert client.value("SHOW work_mem") == "9MB"
    client.close()


def test_a_query_that_others_wait_behind_can_be_cancelled(pgweir, cluster):
    client = pgweir.raw("one", work_mem="9MB")
    client.send(query("RESET work_mem; SELECT pg_sleep(60)") + query("SELECT 'on'"))
    wait_until(lambda: cluster.primary.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE 'RESET work_mem%'"), what="it sleeps")
    canceller = raw.Client(pgweir.host, pgweir.port)
    canceller.send(raw.cancel_request(client.pid, client.key))
    canceller.close()
    replies = client.read_until_ready(2)
    assert raw.error_of(replies)["C"] == "57014" and raw.rows_of(replies)[-1] == ["on"]
    client.close()


def test_after_discard_all_statements_mean_what_they_say(pair):
    client, other = pair
    client.ask("SET DateStyle = 'German'")
    client.ask("DISCARD ALL")
    other.ask("SET DateStyle = 'German'")
    text = "SELECT to_char('01/02/2024'::date, 'YYYY-MM-DD')"
    for each in other, client:
        each.ask(parse(text, "s") + sync())
    assert raw.rows_of(other.ask(bind(name="s") + execute() + sync())) == [["2024-02-01"]]
    assert raw.rows_of(client.ask(bind(name="s") + execute() + sync())) == [["2024-01-02"]]


# --- What a literal meant when its statement was parsed ---

def test_a_statement_that_moves_under_other_settings_is_not_mistaken_for_another(start_pgweir):
    """Its constants were fixed under the settings of its Parse; prepared again under others they are others."""
    proxy = start_pgweir({"database app": {"pool_size": 2}})
    client, blocker, other = (proxy.raw("app") for _ in range(3))
    text = "SELECT to_char('01/02/2024'::date, 'YYYY-MM-DD')"
    client.ask("SET DateStyle = 'ISO, DMY'")
    other.ask("SET DateStyle = 'ISO, DMY'")
    client.ask(parse(text, "s") + sync())
    client.ask("SET DateStyle = 'ISO, MDY'")
    # Whichever connection the one is on, the other two use both.
    for _ in range(2):
        blocker.ask("BEGIN")
        client.ask(bind(name="s") + execute() + sync())
        other.ask("BEGIN")
        blocker.ask("ROLLBACK")
        client.ask(bind(name="s") + execute() + sync())
        other.ask("ROLLBACK")
    for turn in range(2):
        blocker.ask("BEGIN") if turn else None
        other.ask(parse(text, f"s{turn}") + sync())
        assert raw.rows_of(other.ask(bind(name=f"s{turn}") + execute() + sync())) == [["2024-02-01"]]
    for each in client, blocker, other:
        each.close()


def test_settings_that_come_and_go_are_not_mistaken_for_each_other(pgweir):
    """Clients one after another, each with settings that nobody else has, whose place in memory the next one's take."""
    text = "SELECT to_char('01/02/2024'::date, 'YYYY-MM-DD')"
    for style, date in [("ISO, DMY", "2024-02-01"), ("SQL, MDY", "2024-01-02")] * 8:
        client = pgweir.raw("one")
        client.ask(f"SET DateStyle = '{style}'")
        client.ask(parse(text, "s") + sync())
        assert raw.rows_of(client.ask(bind(name="s") + execute() + sync())) == [[date]]
        client.close()


# --- What the scanner must not miss ---

def test_a_second_byte_that_looks_like_a_backslash_hides_nothing(pgweir):
    client, other = pgweir.raw("one", client_encoding="SJIS"), pgweir.raw("one")
    client.ask(raw.message("Q", b"SELECT '\x83\x65\x83\x58\x83\x67'\0"))
    assert other.value("SHOW work_mem") == "4MB"
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")
    replies = client.ask(raw.message("Q", b"SELECT E'\x95\x5c'; SET work_mem TO 640; SELECT '--'\0"))
    assert raw.good(replies) and client.value("SHOW work_mem") == "640kB"
    wait_until(lambda: pgweir.pins() == {"custom_setting": 1}, what="so many pins")
    client.close()
    assert other.value("SHOW work_mem") == "4MB"
    other.close()


# Under standard_conforming_strings = off, and in SJIS; read otherwise they take no lock.
HIDDEN = query(r"SELECT 'x\'; -- '; SELECT pg_advisory_lock(5)")
HIDDEN_SJIS = raw.message("Q", b"SELECT E'\x95\x5c'; SELECT pg_advisory_lock(5); SELECT '--'\0")
OFF, ON, BEGIN, COMMIT = (query(sql) for sql in ("SET standard_conforming_strings = off", "SET standard_conforming_strings = on", "BEGIN", "COMMIT"))

# Packets, each of messages that are answered before the next packet is sent.
READINGS = {
    "in one packet": [[OFF, HIDDEN]],
    "in a packet of batches": [[extended("SET standard_conforming_strings = off"), HIDDEN]],
    "in the transaction": [[BEGIN], [OFF], [HIDDEN], [COMMIT]],
    "local": [[BEGIN], [query("SET LOCAL standard_conforming_strings = off")], [HIDDEN], [COMMIT]],
    "by set_config": [[BEGIN], [query("SELECT set_config('standard_conforming_strings', 'off', true)")], [HIDDEN], [COMMIT]],
    "bound": [[BEGIN, extended("SELECT set_config($1, $2, true)", "standard_conforming_strings", "off"), HIDDEN], [COMMIT]],
    "in a block of code": [[BEGIN], [query("DO $$BEGIN SET LOCAL standard_conforming_strings = off; END$$")], [HIDDEN], [COMMIT]],
    "undone": [[OFF], [BEGIN], [ON], [query("ROLLBACK"), HIDDEN]],
    "undone to a savepoint": [[OFF], [BEGIN], [query("SAVEPOINT a")], [ON], [query("ROLLBACK TO a")], [HIDDEN], [COMMIT]],
    "an encoding in one packet": [[query("SET client_encoding = 'SJIS'"), HIDDEN_SJIS]],
    "an encoding": [[BEGIN], [query("SET LOCAL client_encoding = 'SJIS'")], [HIDDEN_SJIS], [COMMIT]],
    "a name of an encoding": [[BEGIN], [query("SET NAMES 'SJIS'")], [HIDDEN_SJIS], [COMMIT]],
}


def test_no_setting_of_how_texts_are_read_hides_what_they_do(start_pgweir):
    proxy = start_pgweir({"database app": {"pool_size": 1, "state_audit": "off"}})
    for name, packets in READINGS.items():
        client, other = proxy.raw("app"), proxy.raw("app")
        for packet in packets:
            assert raw.good(told(client, b"".join(packet), len(packet))), name
        wait_until(proxy.pins, what=f"it pins: {name}")
        assert client.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == "1", name
        client.close()
        assert other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == "0", name
        other.close()


def test_backslashes_pin_nobody_who_sets_other_things(pair, pgweir):
    client, other = pair
    for sql in "SET LOCAL work_mem = '7MB'", "SELECT set_config('app.tenant', $1, true)", "SET LOCAL TimeZone = 'UTC'":
        packet = [BEGIN, extended(sql, *["x"] * ("$1" in sql)), query(r"SELECT 'a\b', 'é[]'"), extended(r"SELECT 'a\b'"), COMMIT]
        assert raw.good(told(client, b"".join(packet), len(packet)))
    for sql in BEGIN, "SET LOCAL standard_conforming_strings = off", r"SELECT 'a\\b'", COMMIT, "SET NAMES 'UTF8'", r"SELECT 'a\b'":
        assert raw.good(client.ask(sql))
    assert other.value("SELECT 'free'") == "free"
    wait_until(lambda: pgweir.pins() == {}, what="nobody is pinned")


@pytest.fixture
def preset(cluster):
    """preset(setting, value): of a role, so that no client says so."""
    def set_for_role(setting: str, value: str) -> None:
        cluster.primary.sql(f"ALTER ROLE other SET {setting} = '{value}'")

    yield set_for_role
    cluster.primary.sql("ALTER ROLE other RESET ALL")


@pytest.mark.parametrize("setting, value, hidden", [
    ("client_encoding", "SJIS", b"SELECT E'\x95\x5c'; SET work_mem = '7MB'; SELECT '--'"),
    ("standard_conforming_strings", "off", rb"SELECT 'x\'; -- '; SET work_mem = '7MB'")])
def test_what_a_role_makes_of_texts_hides_nothing(start_pgweir, preset, setting, value, hidden):
    """Set by ALTER ROLE: only the server's first words tell."""
    preset(setting, value)
    proxy = start_pgweir({"database app": {"pool_size": 1}})
    for _ in range(2):                          # The second client is welcomed with what was learned from the first one.
        client, other = proxy.raw("app", "other"), proxy.raw("app", "other")
        assert raw.good(client.ask(raw.message("Q", hidden + b"\0"))) and client.value("SHOW work_mem") == "7MB"
        client.close()
        assert other.value("SHOW work_mem") == "4MB"
        other.close()


def test_a_clients_encoding_is_the_one_that_it_was_told(start_pgweir, preset):
    """ALTER ROLE is for sessions that begin later; a server connection may be one of those."""
    proxy = start_pgweir({"database app": {"pool_size": 1}})
    client = proxy.raw("app", "other")
    client.ask(parse("SELECT length('ä')", "s") + sync())
    backend = client.value("SELECT pg_backend_pid()")
    preset("client_encoding", "LATIN1")
    proxy.admin().cursor().execute("RECONNECT")
    wait_until(lambda: client.value("SELECT pg_backend_pid()") != backend, what="the server connection is another")
    for sql in "SELECT 1", "SET client_encoding = 'LATIN1'", "RESET client_encoding", "DISCARD ALL":
        client.ask(sql)
        later = proxy.raw("app", "other")
        assert later.parameters["client_encoding"] == "LATIN1" and later.value("SHOW client_encoding") == "LATIN1"
        later.close()
        if not sql.startswith("SET"):
            assert client.value("SHOW client_encoding") == "UTF8" and client.value("SELECT length('ä')") == "1"
        if sql != "DISCARD ALL":
            assert raw.rows_of(client.ask(bind(name="s") + execute() + sync())) == [["1"]]
    client.close()


def test_a_seed_set_as_a_setting_does_not_end_the_session(pair):
    client, other = pair
    assert raw.good(client.ask("SELECT set_config('seed', '0.5', false)"))
    assert client.value("SELECT 1") == "1"


@pytest.mark.parametrize("setting", ["transaction_isolation = 'serializable'", "transaction_read_only = on", "transaction_deferrable = on"])
def test_what_is_a_transactions_own_does_not_follow(pair, setting):
    client, other = pair
    client.ask(f"SET {setting}")
    client.ask("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    other.ask("BEGIN; SET LOCAL work_mem = '9MB'; COMMIT")
    assert client.value("SHOW transaction_isolation") == "repeatable read"
    assert raw.good(client.ask("CREATE TEMP TABLE mine (n int) ON COMMIT DROP"))


@pytest.mark.parametrize("oid, arguments", [(2880, (struct.pack("!q", 4711),)), (2882, (struct.pack("!q", 4711),))])
def test_a_lock_taken_by_a_function_call_pins(pgweir, oid, arguments):
    """The fast path: no SQL to read."""
    client = pgweir.raw("one")
    assert raw.good(client.ask(function_call(oid, *arguments)))
    wait_until(lambda: pgweir.pins() == {"advisory_lock": 1}, what="it pins")
    client.close()


# --- Statements named by SQL ---

def test_a_deallocate_that_is_bound_later_takes_the_name_with_it(pair):
    client, other = pair
    for each in pair:
        each.ask(parse("SELECT 'shared'", "s") + sync())
    client.ask(parse("DEALLOCATE s") + sync())
    client.ask(bind() + execute() + sync())
    assert raw.rows_of(other.ask(bind(name="s") + execute() + sync())) == [["shared"]]
    assert raw.error_of(client.ask(bind(name="s") + execute() + sync()))["C"] == "26000"


@pytest.mark.parametrize("deallocate", ["DEALLOCATE s", "DEALLOCATE ALL"])
def test_a_name_that_is_deallocated_and_prepared_again_in_one_text(pair, deallocate):
    client, other = pair
    client.ask(parse("SELECT 'old'", "s") + sync())
    assert raw.good(client.ask(f"{deallocate}; PREPARE s AS SELECT 'new'"))
    assert client.value("EXECUTE s") == "new"


@pytest.mark.parametrize("unseen", ["in code", "under their names on the server"])
def test_what_is_deallocated_unseen_is_taken_from_nobody_else(pair, unseen):
    client, other = pair
    for each in pair:
        each.ask(parse("SELECT 'shared'", "s") + sync())
    other.ask(parse("SELECT 'own'", "t") + sync())
    sql = "DO $$BEGIN DEALLOCATE ALL; END$$"
    if unseen != "in code":
        sql = client.value("SELECT string_agg('DEALLOCATE ' || quote_ident(name), '; ') FROM pg_prepared_statements WHERE NOT from_sql")
    assert raw.good(client.ask(sql))
    for name, text in ("s", "shared"), ("t", "own"):
        assert raw.rows_of(other.ask(bind(name=name) + execute() + sync())) == [[text]]
    assert raw.error_of(client.ask(bind(name="s") + execute() + sync()))["C"] == "26000"


@pytest.mark.parametrize("sql", ["EXECUTE", "EXPLAIN EXECUTE", "DEALLOCATE"])
def test_every_statement_in_a_long_row_is_found_by_its_name(pair, sql):
    """Fifty made by the protocol, on a server connection that has been given away since."""
    client, other = pair
    client.ask(b"".join(parse(f"SELECT {n}", f"s{n}") for n in range(50)) + sync())
    other.ask("DISCARD ALL")
    replies = client.ask("; ".join(f"{sql} s{n}" for n in range(50)))
    assert raw.good(replies), raw.error_of(replies)
    if sql == "EXECUTE":
        assert raw.rows_of(replies) == [[str(n)] for n in range(50)]
    known = raw.good(client.ask(bind(name="s49") + execute() + sync()))
    assert known == (sql != "DEALLOCATE")


def test_an_execute_that_is_bound_elsewhere_finds_its_statement(start_pgweir):
    proxy = start_pgweir({"database app": {"pool_size": 2}})
    client, blocker = proxy.raw("app"), proxy.raw("app")
    client.ask(parse("SELECT 'found'", "s") + sync())
    client.ask(parse("EXECUTE s") + sync())
    blocker.ask("BEGIN")
    assert raw.rows_of(client.ask(bind() + execute() + sync())) == [["found"]]
    client.close()
    blocker.close()


@pytest.fixture
def fleeting(cluster):
    make = "CREATE TABLE fleeting AS SELECT 42 AS n; GRANT ALL ON fleeting TO app"
    cluster.primary.sql("DROP TABLE IF EXISTS fleeting; " + make, "app")
    yield make
    cluster.primary.sql("DROP TABLE IF EXISTS fleeting", "app")


def test_a_statement_whose_table_is_gone_stays_and_works_again_with_the_table(pair, cluster, fleeting):
    client, other = pair
    client.ask("PREPARE s AS SELECT n FROM fleeting")
    client.ask("PREPARE other AS SELECT 'other'")
    assert client.value("EXECUTE s") == "42"
    cluster.primary.sql("DROP TABLE fleeting", "app")
    for _ in range(2):
        other.ask("PREPARE s AS SELECT 'none of yours'")
        told = raw.error_of(client.ask("EXECUTE s"))
        assert (told["C"], told["M"]) == ("42P01", 'relation "fleeting" does not exist') and "P" not in told
        assert client.value("EXECUTE other") == "other"
        client.ask("SET work_mem = '5MB'")      # The server is asked what there is.
    cluster.primary.sql(fleeting, "app")
    other.ask("SELECT 1")
    assert client.value("EXECUTE s") == "42"
    assert raw.good(client.ask("DEALLOCATE ALL")) and raw.error_of(client.ask("EXECUTE s"))["C"] == "26000"


# --- Sequences ---

@pytest.fixture
def sequences(cluster):
    cluster.primary.sql("DROP SEQUENCE IF EXISTS one_seq, two_seq; DROP TABLE IF EXISTS plain; CREATE TABLE plain (n int);"
                        "CREATE SEQUENCE one_seq; CREATE SEQUENCE two_seq; GRANT ALL ON one_seq, two_seq, plain TO app", "app")


@pytest.mark.parametrize("write, ask", [("INSERT INTO plain VALUES (1)", "SELECT lastval()"), ("SELECT nextval('two_seq')", "SELECT currval('one_seq')")])
def test_the_last_value_is_never_another_clients(pair, sequences, write, ask):
    client, other = pair
    other.ask("SELECT nextval('one_seq')")
    client.ask("BEGIN")
    assert raw.good(client.ask(write))
    assert raw.error_of(client.ask(ask))["C"] == "55000"
    client.ask("ROLLBACK")


# --- Custom settings ---

def test_a_custom_setting_that_a_failed_transaction_never_set_is_not_there(pair):
    client, other = pair
    for sql in "BEGIN", "SELECT nonsense", "SET corner.name = 'mine'", "ROLLBACK", "DISCARD ALL":
        client.ask(sql)
    other.ask("SELECT 1")
    assert client.value("SELECT current_setting('corner.name', true)") is None


@pytest.mark.parametrize("sql", ["SET custom.\"bad-name\" = 'x'", "SET plpgsql.nonsense = 1", "SELECT set_config('a..b', 'x', false)"])
def test_a_custom_setting_that_the_server_refuses_follows_nobody(pair, sql):
    client, other = pair
    client.ask("DO 'BEGIN END'")                # From now on plpgsql.* are the library's own.
    assert "E" in raw.types(client.ask(sql))
    client.ask("DISCARD ALL")
    assert other.value("SELECT 1") == "1" and client.value("SELECT 2") == "2"


@pytest.mark.parametrize("encoding, later", [("LATIN1", None), ("UTF8", "LATIN1"), ("UTF8", None)])
def test_a_custom_setting_whose_name_has_other_than_ascii_letters_is_nobody_elses(start_pgweir, encoding, later):
    """Its bytes depend on the encoding, which may be another the next time."""
    proxy = start_pgweir({"database app": {"pool_size": 2}})
    client, others = proxy.raw("app", client_encoding=encoding), [proxy.raw("app") for _ in range(2)]
    said = "é".encode("latin1" if encoding == "LATIN1" else "utf8")
    assert raw.good(client.ask(raw.message("Q", b"SET \"corner." + said + b"\" = 'mine'\0")))
    if later:
        assert raw.good(client.ask(f"SET client_encoding = {later}"))
    question = r"SELECT current_setting(U&'corner.\00e9', true)"
    for _ in range(3):
        assert [each.value(question) for each in (*others, client)] == [None, None, "mine"]
    client.close()
    assert [each.value(question) for each in others] == [None, None]
    for each in others:
        each.close()


# --- Clients that leave ---

@contextlib.contextmanager
def halted(backend: str):
    """The server process takes nothing from its socket."""
    os.kill(int(backend), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(int(backend), signal.SIGCONT)


def clients_of(pgweir, database: str) -> int:
    return sum(row["database"] == database for row in pgweir.show("CLIENTS"))


# What the client has done before, and what is under way.
UNDER_WAY = {
    "a SET": ([], query("SET work_mem = '7MB'")),
    "a bound set_config": ([], extended("SELECT set_config($1, $2, false)", "work_mem", "7MB")),
    "a PREPARE": ([], query("PREPARE s AS SELECT 'of another'")),
    "a PREPARE in a batch": ([], parse("PREPARE s AS SELECT 'of another'") + bind() + execute() + raw.flush()),
    "its settings": (["SET work_mem = '7MB'"], query("SELECT 1")),
    "its statements": (["PREPARE s AS SELECT 'of another'"], query("SELECT 1")),
    "both, and a batch": (["SET work_mem = '7MB'", "PREPARE s AS SELECT 'of another'"], parse("SELECT 1") + bind() + execute() + raw.flush()),
    "a RESET": (["SET work_mem = '7MB'"], query("SET work_mem = '8MB'; RESET ALL; SET work_mem = '8MB'")),
    "a LISTEN": ([], query("LISTEN x")),
    "a LISTEN in a batch": ([], parse("LISTEN x") + bind() + execute() + sync()),
    "a channel more": (["LISTEN y"], query("LISTEN x")),
    "a cursor": ([], query("DECLARE mine CURSOR WITH HOLD FOR SELECT 1")),
    "a lock": ([], query("SELECT pg_advisory_lock(4711)")),
    "a temporary table": ([], query("CREATE TEMP TABLE mine (n int)")),
    "a SET LOCAL": ([], query("BEGIN; SET LOCAL work_mem = '7MB'; SET LOCAL corner.tenant = 'x'")),
}


@pytest.mark.parametrize("last_words", [b"", raw.terminate()], ids=["closes", "terminates"])
@pytest.mark.parametrize("what", UNDER_WAY)
def test_what_is_under_way_when_its_client_leaves_reaches_nobody(pgweir, what, last_words):
    before, under_way = UNDER_WAY[what]
    client, same, other = pgweir.raw("one"), pgweir.raw("one"), pgweir.raw("one")
    for sql in before:
        for each in client, same:               # One of them has the same state, and must not take it for granted.
            each.ask(sql)
    other.ask("SET work_mem = '9MB'")
    backend = other.value("SELECT pg_backend_pid()")
    wait_until(lambda: pgweir.pool("one")["sv_idle"] == 1, what="nothing is asked about functions any more")
    with halted(backend):
        client.send(under_way)
        wait_until(lambda: pgweir.pool("one")["sv_active"] == 1, what="it is under way")
        time.sleep(0.02)                        # What is said in one breath with the end runs to its own, and before a Terminate.
        client.send(last_words)
        client.close()
        if not last_words:
            wait_until(lambda: clients_of(pgweir, "one") == 2, what="the client is gone")
    # First of all, since questions of ours may have it cleaned. Who has channels gets them there.
    listens = [[], [["y"]] if "LISTEN y" in before else []]
    assert [raw.rows_of(each.ask("SELECT pg_listening_channels()")) for each in (other, same)] == listens
    for each, work_mem in (same, "7MB" if "SET work_mem = '7MB'" in before else "4MB"), (other, "9MB"), (pgweir.raw("one"), "4MB"):
        assert each.value("SHOW work_mem") == work_mem
        prepared = each is same and any(sql.startswith("PREPARE") for sql in before)
        assert each.value("SELECT count(*) FROM pg_prepared_statements WHERE from_sql") == str(int(prepared))
        assert raw.good(each.ask("EXECUTE s")) == prepared
        assert each.value("SELECT current_setting('corner.tenant', true)") is None
        assert each.value("SELECT count(*) FROM pg_cursors WHERE is_holdable") == "0"
        assert each.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == "0"
        assert each.value("SELECT to_regclass('pg_temp.mine') IS NULL") == "t"
    # One that mentions channels has a server connection to itself for a moment, with its own.
    listens = [[["y"]] if each is same and "LISTEN y" in before else [] for each in (same, other)]
    assert [raw.rows_of(each.ask("SELECT pg_listening_channels()")) for each in (same, other)] == listens
    wait_until(lambda: pgweir.pins() == {}, what="so many pins")


def waits_for_a_lock(cluster) -> bool:
    return bool(cluster.primary.sql("SELECT 1 FROM pg_stat_activity WHERE datname = 'app' AND wait_event_type = 'Lock'"))


def test_who_leaves_before_it_is_known_what_was_set_leaves_nothing(start_pgweir, cluster):
    """The server is asked, cannot answer, and the question is cancelled."""
    proxy = start_pgweir({"database app": {"pool_size": 1, "state_audit": "off"}})
    client, other = proxy.raw("app"), proxy.raw("app")
    for sql in "BEGIN", "SELECT 1 AS pg_temp", "SET work_mem = '7MB'", "PREPARE s AS SELECT 'of another'":
        assert raw.good(client.ask(sql))
    with cluster.primary.connect("app") as holder:
        holder.execute("BEGIN; LOCK TABLE pg_depend IN ACCESS EXCLUSIVE MODE")
        assert raw.good(client.ask("COMMIT"))
        wait_until(lambda: waits_for_a_lock(cluster), what="the question waits")
        client.close()
        wait_until(lambda: not waits_for_a_lock(cluster), what="the question is cancelled")
    assert other.value("SHOW work_mem") == "4MB" and raw.error_of(other.ask("EXECUTE s"))["C"] == "26000"
    assert "cleaning_failed" not in proxy.log()
    other.close()


@pytest.mark.parametrize("sql", ["CREATE TEMP TABLE mine (n int)", "SELECT pg_advisory_lock(4711)", "SET work_mem = '7MB'", "PREPARE s AS SELECT 1",
                                 "LISTEN x"])
def test_a_client_that_leaves_while_the_server_is_asked_leaves_nothing(pgweir, sql):
    other = pgweir.raw("one")
    for turn in range(20):
        client = pgweir.raw("one")
        client.send(query(sql) + (raw.terminate() if turn % 2 else b""))
        if turn % 4 < 2:
            client.read_until_ready()
        client.close()
        assert other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == "0"
        assert other.value("SELECT to_regclass('pg_temp.mine') IS NULL") == "t"
        assert other.value("SHOW work_mem") == "4MB"
        assert other.value("SELECT count(*) FROM pg_prepared_statements WHERE name = 's'") == "0"
        assert other.value("SELECT count(*) FROM pg_listening_channels()") == "0"
    wait_until(lambda: pgweir.pins() == {}, what="no pins are left")
    other.close()
