"""What a session is told at its start, what ends it, and what its errors look like."""
import concurrent.futures
import os
import re
import signal
import socket
import time

import psycopg
import pytest

from harness import raw
from harness.process import wait_until
from harness.raw import query

MODES = pytest.mark.parametrize("mode", ["app", "session"])


def login_error(target, database="app", user="app", password=None, tls=False, **parameters) -> dict:
    with pytest.raises(raw.ServerError) as caught:
        target.raw(database, user, password=password, tls=tls, **parameters)
    return caught.value.fields


def test_a_wrong_password_is_28P01(pgweir):
    error = login_error(pgweir, password="wrong")
    assert (error["S"], error["C"]) == ("FATAL", "28P01")
    assert error["M"] == 'password authentication failed for user "app"'


def test_an_unknown_user_is_refused_like_a_wrong_password(pgweir):
    """Same fields, same messages, so that nobody can find out which users exist."""
    known, unknown = login_error(pgweir, password="wrong"), login_error(pgweir, user="nobody", password="wrong")
    assert unknown["M"].replace("nobody", "app") == known["M"]
    assert {k: v for k, v in unknown.items() if k in "SVCDH"} == {k: v for k, v in known.items() if k in "SVCDH"}


def test_an_unknown_database_is_3D000(pgweir):
    error = login_error(pgweir, "no_such_database")
    assert (error["S"], error["C"], error["M"]) == ("FATAL", "3D000", 'database "no_such_database" does not exist')


@pytest.mark.pooler
def test_a_database_that_only_the_server_does_not_know_is_3D000_too(pgweir):
    try:
        client = pgweir.raw("nowhere")
    except raw.ServerError as error:
        assert error.sqlstate == "3D000"
        return
    assert raw.error_of(client.ask("SELECT 1") if client else [])["C"] == "3D000"


@MODES
def test_every_parameter_that_postgresql_reports_is_reported(pgweir, cluster, mode):
    direct = {name for name, in cluster.primary.sql("SELECT name FROM pg_settings WHERE name = ANY(%s)", parameters=[[
        "server_version", "server_encoding", "client_encoding", "application_name", "is_superuser", "session_authorization",
        "DateStyle", "IntervalStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings"]])}
    client = pgweir.raw(mode, application_name="reporter")
    reported = {name.lower(): value for name, value in client.parameters.items()}
    assert {name.lower() for name in direct} <= set(reported)
    assert reported["application_name"] == "reporter" and reported["is_superuser"] == "off"
    assert reported["session_authorization"] == "app"
    client.close()


@MODES
def test_startup_parameters_are_taken(pgweir, mode):
    client = pgweir.raw(mode, application_name="it's me", DateStyle="German, DMY", TimeZone="Asia/Tokyo", extra_float_digits="2",
                        search_path="a,b", statement_timeout="12345", client_encoding="LATIN1")
    shown = {name: client.value(f"SHOW {name}") for name in
             ("application_name", "DateStyle", "TimeZone", "extra_float_digits", "search_path", "statement_timeout", "client_encoding")}
    assert shown == {"application_name": "it's me", "DateStyle": "German, DMY", "TimeZone": "Asia/Tokyo", "extra_float_digits": "2",
                     "search_path": "a,b", "statement_timeout": "12345ms", "client_encoding": "LATIN1"}
    assert client.parameters["client_encoding"] == "LATIN1" and client.parameters["TimeZone"] == "Asia/Tokyo"
    client.close()


@MODES
def test_options_are_taken_in_every_spelling(pgweir, mode):
    for options in ("-c work_mem=7MB -cgeqo=off --enable-seqscan=off", r"-c work_mem=7MB --geqo=off -c enable\_seqscan=off".replace(r"\_", "_"),
                    r"-c application_name=two\ words --work_mem=7MB --geqo=off --enable-seqscan=off --"):
        client = pgweir.raw(mode, options=options)
        assert [client.value(f"SHOW {name}") for name in ("work_mem", "geqo", "enable_seqscan")] == ["7MB", "off", "off"]
        if "two" in options:
            assert client.value("SHOW application_name") == "two words"
        client.close()


INVALID, TRY = "invalid command-line argument for server process: ", 'Try "postgres --help" for more information.'


@pytest.mark.parametrize("mode", ["app", "session"])
@pytest.mark.parametrize("options, sqlstate, text, hint", [
    ("-c", "42601", INVALID + "-c", TRY), ("-c work_mem", "42601", "-c work_mem requires a value", None),
    ("-c work_mem = 1MB", "42601", "-c work_mem requires a value", None), ("--work-mem", "42601", "--work-mem requires a value", None),
    ("-c --", "42601", "-c -- requires a value", None), ("-c =1", "42704", 'unrecognized configuration parameter ""', None),
    ("-c a.b=1 -- x", "42601", INVALID + "x", TRY), ("x", "42601", INVALID + "x", TRY), ("\\", "42601", INVALID, TRY),
    ("-e -S", "42601", INVALID + "-S", TRY), ("-S -c -e", "22023", 'invalid value for parameter "work_mem": "-c"', None),
    # A word too many is said when all switches have been taken.
    ("-c work_mem=much x", "22023", 'invalid value for parameter "work_mem": "much"', None),
    ("x -c work_mem=much -c geqo", "22023", 'invalid value for parameter "work_mem": "much"', None),
    ("x -c work_mem=1MB -c geqo", "42601", "-c geqo requires a value", None), ("x -c work_mem=1MB y", "42601", INVALID + "x", TRY),
    ("-S -- 1", "22023", 'invalid value for parameter "work_mem": "--"', None),
    ("-c user=postgres -c work_mem=much", "42704", 'unrecognized configuration parameter "user"', None),
    (f"-c {'x' * 64}=1", "42704", f'unrecognized configuration parameter "{"x" * 64}"', None),
    ("-c transaction_isolation=serializable", "25001", "SET TRANSACTION ISOLATION LEVEL must be called before any query", None),
    ("-c transaction_deferrable=off", "25001", "SET TRANSACTION [NOT] DEFERRABLE must be called before any query", None),
    ("-c my..x=1", "42602", 'invalid configuration parameter name "my..x"', None)])
def test_what_is_wrong_with_options_is_said_as_postgresql_says_it(pgweir, mode, options, sqlstate, text, hint):
    with pytest.raises(raw.ServerError) as refused:
        pgweir.raw(mode, options=options)
    fields = refused.value.fields
    assert (fields["V"], fields["C"], fields["M"], fields.get("H")) == ("FATAL", sqlstate, text, hint)
    assert fields.get("D") == ("Custom parameter names must be two or more simple identifiers separated by dots." if sqlstate == "42602" else None)


@MODES
@pytest.mark.parametrize("options", ["x", "-c work_mem", "-c user=postgres"])
def test_what_is_wrong_with_options_is_told_to_nobody_before_who_it_is_is_known(pgweir, mode, options):
    assert login_error(pgweir, mode, password="wrong", options=options)["C"] == "28P01"
    assert login_error(pgweir, "no_such_database", options=options)["C"] == "3D000"


@MODES
def test_what_a_server_takes_at_startup_but_not_by_set_is_taken(pgweir, mode):
    """Tablespaces that do not exist, a transaction's own settings that say what is so anyway, a name that only looks like the protocol's."""
    client = pgweir.raw(mode, temp_tablespaces="nosuch", transaction_isolation="read committed", transaction_read_only="on", **{"_PQ_.x": "1"})
    plain = pgweir.raw(mode)
    for _ in range(2):
        assert client.value("SHOW temp_tablespaces") == "nosuch" and plain.value("SHOW temp_tablespaces") == ""
        assert client.value("SHOW transaction_read_only") == "off" and client.value('SHOW "_pq_.x"') == "1"
    assert client.ask("SET temp_tablespaces = ''")[0].type == "C" and client.value("SHOW temp_tablespaces") == '""'
    assert client.ask("RESET temp_tablespaces")[0].type == "C" and client.value("SHOW temp_tablespaces") == "nosuch"
    client.close()
    plain.close()


@MODES
def test_a_date_style_that_says_only_a_part_gets_the_rest_from_nobody_else(pgweir, mode):
    """PostgreSQL takes what is not said from what is in force."""
    mode = "one" if mode == "app" else mode
    german, part, turned = pgweir.raw(mode, DateStyle="German, YMD"), pgweir.raw(mode, DateStyle="DMY"), pgweir.raw(mode, DateStyle="SQL")
    for _ in range(2):
        assert german.value("SHOW DateStyle") == "German, YMD"
        assert part.value("SHOW DateStyle") == "ISO, DMY" == part.parameters["DateStyle"]
        assert turned.value("SHOW DateStyle") == "SQL, MDY" == turned.parameters["DateStyle"]
    for client in german, part, turned:
        client.close()


@MODES
@pytest.mark.parametrize("encoding, value, application_name, custom", [
    ("UTF8", "\xe4".encode("latin1"), "?", None), ("LATIN1", "ä".encode(), "??", "c3a4"), ("SJIS", "表".encode(), "???", "e8a1a8"),
    ("UTF8", "ä".encode(), "??", "c3a4")])
def test_bytes_of_a_startup_packet_are_in_no_client_encoding(pgweir, mode, encoding, value, application_name, custom):
    """They are taken as they are, however wrong: nobody is refused for the name of a program."""
    mode = "one" if mode == "app" else mode
    client = pgweir.raw(mode, client_encoding=encoding, application_name=value, **({"a.b": value} if custom else {}))
    plain = pgweir.raw(mode)
    for _ in range(2):
        assert client.value("SHOW application_name") == application_name == client.parameters["application_name"]
        if custom:
            assert client.value("SELECT encode(convert_to(current_setting('a.b'), 'UTF8'), 'hex')") == custom
        assert plain.value("SHOW application_name") == ""
    client.close()
    plain.close()


@MODES
def test_settings_with_names_longer_than_sql_takes_them_follow_and_go(pgweir, mode):
    mode, long = "one" if mode == "app" else mode, "app." + "x" * 100
    client, plain = pgweir.raw(mode, options=f"-c {long}=1"), pgweir.raw(mode)
    for _ in range(2):
        assert client.value(f"SELECT current_setting('{long}', true)") == "1"
        assert plain.value(f"SELECT current_setting('{long}', true)") is None
    client.close()
    plain.close()


@MODES
def test_a_bad_startup_parameter_gets_the_servers_own_error(pgweir, mode):
    error = login_error(pgweir, mode, work_mem="much")
    assert (error["S"], error["C"], error["M"]) == ("FATAL", "22023", 'invalid value for parameter "work_mem": "much"')
    error = login_error(pgweir, mode, no_such_setting="1")
    assert (error["C"], error["M"]) == ("42704", 'unrecognized configuration parameter "no_such_setting"')


@MODES
def test_startup_parameters_of_one_client_do_not_reach_another(pgweir, mode):
    mode = "one" if mode == "app" else mode
    odd = pgweir.raw(mode, TimeZone="Asia/Tokyo", application_name="odd", search_path="pg_catalog")
    plain = pgweir.raw(mode)
    for _ in range(3):
        assert odd.value("SHOW TimeZone") == "Asia/Tokyo" and odd.value("SHOW search_path") == "pg_catalog"
        assert plain.value("SHOW TimeZone") == "UTC" and plain.value("SHOW search_path") == '"$user", public'
        assert odd.value("SHOW application_name") == "odd" and plain.value("SHOW application_name") == ""
    odd.close()
    plain.close()


def test_session_mode_tells_the_real_backend_pid(pgweir):
    client = pgweir.raw("session")
    assert client.value("SELECT pg_backend_pid()") == str(client.pid)
    client.close()


@pytest.mark.ours
def test_transaction_mode_tells_a_pid_that_no_backend_can_have(pgweir):
    first, second = pgweir.raw("app"), pgweir.raw("app")
    assert first.pid > 1 << 22 and second.pid > 1 << 22 and first.pid != second.pid
    first.close()
    second.close()


def test_session_mode_keeps_everything_for_its_client_and_nothing_for_the_next(pgweir):
    client = pgweir.raw("session")
    for sql in ("SET work_mem = '3MB'", "CREATE TEMP TABLE mine (n int)", "PREPARE p AS SELECT 7", "LISTEN somewhere",
                "SELECT pg_advisory_lock(99)"):
        assert raw.good(client.ask(sql))
    assert client.value("SHOW work_mem") == "3MB" and client.value("EXECUTE p") == "7"
    client.send(raw.terminate())
    client.close()
    for _ in range(3):
        other = pgweir.raw("session")
        assert other.value("SHOW work_mem") == "4MB"
        assert raw.error_of(other.ask("EXECUTE p"))["C"] == "26000"
        assert raw.error_of(other.ask("SELECT * FROM mine"))["C"] == "42P01"
        assert other.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == "0"
        assert other.value("SELECT count(*) FROM pg_listening_channels()") == "0"
        other.close()


@pytest.mark.pooler
def test_a_client_logs_in_while_every_server_connection_is_taken(pgweir):
    """Only its first query has to wait, and that can be cancelled."""
    holder = pgweir.raw("one")
    holder.ask("BEGIN")
    for _ in range(4):                          # More than there are workers.
        assert pgweir.raw("one", timeout_s=60).status == "I"
    holder.ask("COMMIT")


@pytest.mark.pooler
def test_statement_mode_refuses_transactions(pgweir):
    client = pgweir.raw("statement")
    assert client.value("SELECT 1") == "1"
    client.send(raw.query("BEGIN"))
    replies = client.read_to_end()
    assert raw.types(replies) == "CE"           # It never hears that it may go on in a transaction.
    assert raw.error_of(replies)["S"] == "FATAL" and "pool_mode" in raw.error_of(replies)["M"]
    client.close()
    client = pgweir.raw("statement")
    client.send(raw.extended("BEGIN"))
    assert raw.types(client.read_to_end()) == "12nCE"
    client.close()
    client = pgweir.raw("statement")
    assert raw.types(client.ask("SELECT 2; SELECT 3")) == "TDCTDCZ"
    assert raw.types(client.ask("BEGIN; SELECT 4; COMMIT")) == "CTDCCZ"
    client.close()


@MODES
def test_a_terminated_backend_answers_with_the_servers_own_57P01(pgweir, cluster, mode):
    client = pgweir.raw(mode)
    client.ask("BEGIN")
    pid = client.value("SELECT pg_backend_pid()")
    client.send(raw.query("SELECT pg_sleep(60)"))
    wait_until(lambda: cluster.primary.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'", parameters=[int(pid)]))
    cluster.primary.sql("SELECT pg_terminate_backend(%s)", parameters=[int(pid)])
    error = raw.error_of(client.read_to_end())
    assert (error["S"], error["C"], error["M"]) == ("FATAL", "57P01", "terminating connection due to administrator command")
    client.close()
    other = pgweir.raw(mode)
    assert other.value("SELECT 1") == "1"
    other.close()


@pytest.mark.pooler
def test_a_backend_terminated_while_idle_is_noticed_before_it_is_lent(pgweir, cluster):
    client = pgweir.raw("one")
    for _ in range(5):
        pid = client.value("SELECT pg_backend_pid()")
        cluster.primary.sql("SELECT pg_terminate_backend(%s, 5000)", parameters=[int(pid)])
        assert client.value("SELECT 1") == "1"
    client.close()


def test_a_killed_backend_gives_its_client_a_clear_error_and_the_pool_recovers(start_pgweir, cluster):
    """kill -9 makes the postmaster restart all backends; the client must be told, not hang."""
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}, "database app": {"pool_size": 2}})
    client, bystander = proxy.raw("app"), proxy.raw("app")
    assert bystander.value("SELECT 1") == "1"
    client.ask("BEGIN")
    pid = int(client.value("SELECT pg_backend_pid()"))
    client.send(raw.query("SELECT pg_sleep(60)"))
    wait_until(lambda: cluster.primary.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active'", parameters=[pid]))
    with cluster.primary.beginning_anew():
        os.kill(pid, signal.SIGKILL)
        replies = client.read_to_end()
    if hasattr(proxy, "process"):
        error = raw.error_of(replies)
        assert error["S"] == "FATAL" and error["C"][:2] in ("08", "57") and error["M"]
    client.close()

    def works():
        try:
            other = proxy.raw("app")
        except (raw.ServerError, raw.Closed):
            return False
        try:
            return other.value("SELECT 1") == "1"
        except (raw.ServerError, raw.Closed):
            return False
        finally:
            other.close()

    wait_until(works, 20, "the pool works again")
    if hasattr(proxy, "process"):
        assert bystander.value("SELECT 2") == "2"    # An idle client of a transaction pool noticed nothing.
    bystander.close()


def nobody_is_served(proxy) -> bool:
    return proxy.pool("app")["sv_active"] == 0


@pytest.mark.pooler
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_idle_clients_survive_a_server_restart(start_pgweir, cluster, signum):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_login_retry": 1}, "database app": {"pool_size": 5}})
    clients = [proxy.raw("app", timeout_s=60) for _ in range(10)]
    for client in clients:
        assert client.value("SELECT 1") == "1"
    wait_until(lambda: nobody_is_served(proxy), what="questions of the proxy's own are answered")
    cluster.primary.restart(signum)
    for client in clients:
        assert client.value("SELECT 2") == "2"
        client.close()


@pytest.mark.pooler
def test_a_query_waits_while_the_server_is_down(start_pgweir, cluster):
    """A failed login must not throw out clients while waiting can still help."""
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_login_retry": 1, "query_wait_timeout": 60},
                          "database app": {"pool_size": 5}})
    client = proxy.raw("app", timeout_s=60)
    assert client.value("SELECT 1") == "1"
    wait_until(lambda: nobody_is_served(proxy), what="questions of the proxy's own are answered")
    cluster.primary.stop()
    try:
        client.send(raw.query("SELECT 'waited'"))
        wait_until(lambda: proxy.pool("app")["cl_waiting"] == 1, what="the client waits")
    finally:
        cluster.primary.start()
    assert raw.rows_of(client.read_until_ready()) == [["waited"]]
    client.close()


@pytest.mark.pooler
def test_waiting_too_long_ends_with_a_clear_error(start_pgweir, cluster):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}, "database app": {"pool_size": 1}})
    holder, waiter = proxy.raw("app"), proxy.raw("app")
    holder.ask("BEGIN")
    proxy.admin().cursor().execute("SET query_wait_timeout = 1")
    waiter.send(raw.query("SELECT 1"))
    replies = waiter.read_to_end() if proxy.__class__.__name__ == "PgBouncer" else waiter.read_until("E")
    error = raw.error_of(replies)
    assert "query_wait_timeout" in error["M"] + error.get("H", "") + error.get("D", "")
    assert re.search(r"WARNING.*app.*query_wait_timeout", proxy.log())
    assert holder.value("SELECT 1") == "1"
    holder.close()
    waiter.close()


@pytest.mark.pooler
@pytest.mark.parametrize("setting,sql", [
    ("query_timeout", "SELECT pg_sleep(30)"),
    ("transaction_timeout", "SELECT pg_sleep(30)"),
    ("idle_transaction_timeout", None),
    ("client_idle_timeout", None),
])
@pytest.mark.parametrize("explicit", [True, pytest.param(False, marks=pytest.mark.ours)], ids=["begin", "single"])
def test_timeouts_end_what_they_name(start_pgweir, cluster, setting, sql, explicit):
    """A statement outside of BEGIN is a transaction, and an extended query without its Sync is idle in one."""
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}, "database app": {"pool_size": 1}})
    client = proxy.raw("app")
    if explicit and setting != "client_idle_timeout":
        client.ask("BEGIN")
    proxy.admin().cursor().execute(f"SET {setting} = 1")
    if sql:
        client.send(raw.query(sql))
    elif setting == "idle_transaction_timeout" and not explicit:
        client.send(raw.parse("SELECT 1") + raw.bind() + raw.execute() + raw.flush())
    error = raw.error_of(client.read_until("E"))
    assert error["M"] and error["C"] != "XX000"
    client.close()
    proxy.admin().cursor().execute(f"SET {setting} = 0")
    assert proxy.raw("app").value("SELECT 1") == "1"


SLEEP = "SELECT pg_sleep(30)"
RUN_SLEEPER = raw.bind(name="sleeper") + raw.execute() + raw.sync()


@pytest.mark.ours
@pytest.mark.parametrize("before,message", [
    ("BEGIN", raw.close_portal() + RUN_SLEEPER),
    ("BEGIN", raw.close_statement("sleeper") + raw.parse(SLEEP, "sleeper") + RUN_SLEEPER),
    ("RECONNECT", raw.query("EXECUTE sleeper")),        # Its statement is prepared first.
], ids=["portal", "statement", "execute"])
def test_the_clock_of_a_query_starts_with_what_goes_ahead_of_it(start_pgweir, before, message):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}, "database app": {"pool_size": 1}})
    client = proxy.raw("app")
    assert raw.good(client.ask(raw.parse(SLEEP, "sleeper") + raw.sync()))
    if before == "RECONNECT":
        proxy.admin().cursor().execute("RECONNECT")
    else:
        client.ask(before)
    proxy.admin().cursor().execute("SET query_timeout = 1")
    client.send(message)
    assert raw.error_of(client.read_until("E"))["C"] == "57014"


@pytest.mark.ours
def test_the_clock_of_a_query_does_not_start_before_it(start_pgweir, cluster):
    """A Close of the other client's unnamed statement goes ahead of it."""
    limits = {"query_timeout": "5s", "transaction_timeout": "5s"}
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", **limits}, "database app": {"pool_size": 1}})
    client, other = proxy.raw("app"), proxy.raw("app")
    assert raw.good(client.ask(raw.parse("SELECT pg_sleep(1.5)", "s") + raw.bind(name="s") + raw.execute() + raw.sync()))
    assert raw.good(other.ask(raw.extended("SELECT 1")))
    cluster.primary.sql("SELECT pg_sleep(5)")
    assert raw.good(client.ask(raw.bind(name="s") + raw.execute() + raw.sync()))


@pytest.mark.ours
def test_no_query_has_taken_longer_than_its_client_was_there(start_pgweir):
    """With what goes ahead of a client's first message the clock had not been started, and showed the time since boot."""
    began = time.monotonic()
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}, "database app": {"pool_size": 1}})
    for name in ("", "s", "", "t"):
        client = proxy.raw("app")
        assert raw.good(client.ask(raw.parse("SELECT 1", name) + raw.bind(name=name) + raw.execute() + raw.sync()))
        client.close()
    row = next(row for row in proxy.show("STATS") if row["database"] == "app")
    assert 0 < max(row["total_query_time"], row["total_xact_time"]) < (time.monotonic() - began) * 1e6


@pytest.mark.ours
def test_a_stream_of_replication_outlives_query_timeout(start_pgweir):
    proxy = start_pgweir({"pgweir": {"query_timeout": "2s", "transaction_timeout": "2s"}})
    stream, client = proxy.raw("app", "repl", replication="true"), proxy.raw("app")
    position = raw.rows_of(stream.ask("IDENTIFY_SYSTEM"))[0][2]
    stream.send(raw.query(f"START_REPLICATION {position}"))
    assert raw.types(stream.read_until("W")) == "W"
    client.send(raw.query("SELECT pg_sleep(60)"))       # Begun later, and ended first.
    assert raw.error_of(client.read_until("E"))["C"] == "57014"
    stream.send(raw.copy_done())
    assert raw.types(stream.read_until_ready()).endswith("CZ")


@MODES
def test_a_query_and_a_terminate_in_one_write_run_to_the_end(pgweir, cluster, mode):
    cluster.primary.sql("DROP TABLE IF EXISTS last_words; CREATE TABLE last_words (n int); GRANT ALL ON last_words TO app", "app")
    client = pgweir.raw(mode)
    client.send(raw.query("SELECT pg_sleep(0.1); INSERT INTO last_words VALUES (1)") + raw.terminate())
    client.read_to_end()
    client.close()
    wait_until(lambda: cluster.primary.sql("SELECT count(*) FROM last_words", "app")[0][0] == 1, what="the row is there")


@MODES
def test_a_query_followed_by_a_half_close_is_answered(pgweir, mode):
    client = pgweir.raw(mode)
    client.send(raw.query("SELECT 'answered'"))
    client.sock.shutdown(socket.SHUT_WR)
    assert raw.rows_of(client.read_to_end()) == [["answered"]]
    client.close()


@pytest.mark.ours
def test_protocol_3_2_is_spoken_and_later_ones_are_negotiated(pgweir):
    client = pgweir.raw("app", version=raw.PROTOCOL_3_2)
    assert client.negotiated is None and client.value("SELECT 1") == "1"
    client.close()
    client = pgweir.raw("app", version=3 << 16 | 9)
    assert client.negotiated.body[:4] == b"\0\0\0\2" or client.negotiated.body[:4] == (raw.PROTOCOL_3_2).to_bytes(4, "big")
    assert client.value("SELECT 1") == "1"
    client.close()


def test_unknown_protocol_options_are_negotiated_away(pgweir):
    client = pgweir.raw("app", **{"_pq_.no_such_option": "1"})
    assert client.negotiated is not None and b"_pq_.no_such_option\0" in client.negotiated.body
    assert client.value("SELECT 1") == "1"
    client.close()


def test_protocol_2_is_refused(pgweir):
    client = raw.Client(pgweir.host, pgweir.port)
    client.send(raw.startup({"user": "app", "database": "app"}, 2 << 16))
    first = client.receive_exactly(1)
    assert first == b"E"
    client.close()


@pytest.mark.ours
def test_gssenc_is_declined_and_tls_or_plain_may_follow(pgweir):
    client = raw.Client(pgweir.host, pgweir.port)
    client.send(raw.gssenc_request())
    assert client.receive_exactly(1) == b"N"
    assert client.request_tls() == b"S"
    client.login("app", pgweir.database("app"), "app-secret")
    assert client.value("SELECT 1") == "1"
    client.close()


@pytest.mark.ours
def test_unix_sockets_work_with_authentication(start_pgweir, tmp_path):
    proxy = start_pgweir({"pgweir": {"unix_socket_dir": tmp_path}})
    with psycopg.connect(proxy.conninfo("app", host=str(tmp_path), sslmode="disable")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(proxy.conninfo("app", host=str(tmp_path), sslmode="disable", password="wrong"))


def test_odd_names_and_passwords_work(pgweir):
    with pgweir.connect("app", "späte user") as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("späte user",)


def test_different_users_never_share_a_server_connection(pgweir):
    for user in ("app", "other", "md5user", "plainuser") * 2:
        client = pgweir.raw("app", user)
        assert client.value("SELECT current_user || ' ' || session_user") == f"{user} {user}"
        client.close()


def ask_in_a_crowd(target, number: int, rounds: int) -> list[str]:
    """What is wrong with the answers of one client among many, each with its own settings and answers of its own size."""
    client, wrong = target.raw("one", application_name=f"crowd {number}"), []
    for turn in range(rounds):
        size = (number * 7919 + turn * 104729) % 50000 if turn % 4 == 0 else turn
        question = f"SELECT current_setting('application_name'), '{number}.{turn}', repeat('x', {size})"
        if turn % 5 == 1:
            client.send(query("BEGIN") + query(question) + query("COMMIT"))
            replies = [each for _ in range(3) for each in client.read_until_ready(1)]
        else:
            replies = client.ask(question if turn % 2 else raw.extended(question))
        if raw.rows_of(replies) != [[f"crowd {number}", f"{number}.{turn}", "x" * size]]:
            wrong.append(f"{number}.{turn}: {str(replies)[:200]}")
    client.send(query("SELECT repeat('y', 100000)"))    # And leaves in the middle of its answer.
    client.close()
    return wrong


@pytest.mark.threaded
def test_each_of_many_on_one_server_connection_gets_its_own_answers(pgweir):
    """The next one's question goes to the server before the last one's answer is sent on."""
    with concurrent.futures.ThreadPoolExecutor(12) as crowd:
        wrong = [each for client in crowd.map(lambda number: ask_in_a_crowd(pgweir, number, 40), range(12)) for each in client]
    assert not wrong, wrong[:5]
    assert pgweir.raw("one").value("SELECT current_setting('application_name') = ''") == "t"
