"""The admin console: PgBouncer's commands and columns, and who may use them."""
import contextlib
import re
import signal
import threading
import time

import psycopg
import psycopg2
import pytest

from harness import raw
from harness.pgbouncer import PgBouncer
from harness.process import wait_until

pytestmark = pytest.mark.pooler

SHOWN = ["DATABASES", "POOLS", "CLIENTS", "SERVERS", "USERS", "STATS", "STATS_TOTALS", "STATS_AVERAGES", "TOTALS", "CONFIG",
         "LISTS", "MEM", "VERSION"]


@pytest.fixture
def proxy(start_pgweir):
    return start_pgweir({"pgweir": {"pool_mode": "transaction"}, "database app": {"pool_size": 3},
                         "database second": {"dbname": "app", "pool_size": 2}})


def execute(proxy, command: str, user: str = "admin"):
    connection = proxy.admin(user)
    try:
        cursor = connection.cursor()
        cursor.execute(command)
        return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@pytest.mark.parametrize("what", SHOWN)
def test_show_answers_with_rows(proxy, what):
    client = proxy.raw("app")
    client.ask("SELECT 1")
    rows = proxy.show(what)
    assert rows or what in ("STATS_AVERAGES",)
    client.close()


@pytest.fixture(scope="module")
def pgbouncer(cluster):
    proxy = PgBouncer({"database app": {"host": cluster.primary.host, "port": cluster.primary.port}})
    yield proxy.start()
    proxy.stop()


@pytest.mark.ours
@pytest.mark.parametrize("what", [what for what in SHOWN if what != "VERSION"])
def test_show_has_pgbouncers_columns_in_pgbouncers_order(proxy, pgbouncer, what):
    """So that exporters and scripts made for it work. Ours may have more."""
    for each in (proxy, pgbouncer):
        each.raw("app").ask("SELECT 1")
    theirs, ours = list(pgbouncer.show(what)[0]), list(proxy.show(what)[0])
    assert [name for name in ours if name in theirs] == theirs


# PgBouncer's, Debian's and newer ones'.
HELPED = ["HELP", *SHOWN, "SOCKETS", "ACTIVE_SOCKETS", "DNS_HOSTS", "DNS_ZONES", "PEERS", "PEER_POOLS", "STATE"]


@pytest.mark.ours
def test_every_show_that_pgbouncer_has_is_answered_or_refused_with_a_reason(proxy, pgbouncer):
    with contextlib.closing(proxy.admin()) as connection, contextlib.closing(pgbouncer.admin()) as theirs:
        for what in HELPED:
            connection.cursor().execute(f"SHOW {what}")
        for what in ("SOCKETS", "ACTIVE_SOCKETS", "DNS_HOSTS", "DNS_ZONES"):
            names = []
            for each in (connection, theirs):
                cursor = each.cursor()
                cursor.execute(f"SHOW {what}")
                names.append([column.name for column in cursor.description])
            assert [name for name in names[0] if name in names[1]] == names[1]
        with pytest.raises(psycopg2.errors.FeatureNotSupported, match="SHOW SOCKETS"):
            connection.cursor().execute("SHOW FDS")


@pytest.mark.ours
def test_show_help_version_and_unknown_things(proxy):
    assert "pgweir" in str(execute(proxy, "SHOW VERSION")).lower()
    connection = proxy.admin()
    connection.cursor().execute("SHOW HELP")
    assert "SHUTDOWN" in "".join(connection.notices)
    for wrong in ("SHOW NONSENSE", "NONSENSE", "SELECT 1 FROM pg_class", "KILL", "SET nonsense = 1", "SHOW POOLS; NONSENSE"):
        with pytest.raises(psycopg2.Error) as caught:
            connection.cursor().execute(wrong)
            pytest.fail(f"{wrong} was taken")
        assert caught.value.pgcode
    connection.cursor().execute("show pools;")         # Any case, and a semicolon.
    connection.close()


@pytest.mark.ours
def test_the_console_speaks_the_extended_protocol(proxy):
    with psycopg.connect(proxy.conninfo("pgweir", "admin", sslmode="prefer"), autocommit=True) as connection:
        rows = connection.execute("SHOW DATABASES").fetchall()
        assert {"app", "second"} <= {row[0] for row in rows}
    client = proxy.raw("pgweir", "admin")
    replies = client.ask(raw.parse("SHOW VERSION") + raw.describe_statement() + raw.bind() + raw.describe_portal() + raw.execute() + raw.sync())
    assert raw.types(replies) == "1tT2TDCZ"
    client.close()


@pytest.mark.ours
def test_the_console_answers_to_pgbouncer_too(proxy):
    connection = proxy.admin(database="pgbouncer")
    connection.cursor().execute("SHOW POOLS")
    connection.close()


COMMANDS = ["RELOAD", "PAUSE", "PAUSE app", "RESUME", "RECONNECT", "KILL app", "DISABLE app", "ENABLE app", "WAIT_CLOSE app",
            "SHUTDOWN", "SHUTDOWN WAIT_FOR_CLIENTS", "SET query_timeout = 5", "KILL_CLIENT 1"]


@pytest.mark.parametrize("command", COMMANDS)
def test_stats_users_may_look_but_not_touch(proxy, command):
    if command in ("KILL_CLIENT 1", "SHUTDOWN WAIT_FOR_CLIENTS") and type(proxy).__name__ == "PgBouncer":
        pytest.skip("too new for Debian's PgBouncer")
    assert execute(proxy, "SHOW POOLS", "stats") is not None
    with pytest.raises(psycopg2.Error) as caught:
        execute(proxy, command, "stats")
    assert "admin" in str(caught.value).lower() or "permi" in str(caught.value).lower()
    assert proxy.alive() and proxy.raw("app").value("SELECT 1") == "1"


@pytest.mark.ours
def test_no_command_is_forgotten(proxy):
    """Whatever the help lists either shows something or is refused to stats_users."""
    refused = [row["command"] for row in proxy.show("HELP") if row["who"] == "admin_users"]
    shown = [row["command"] for row in proxy.show("HELP") if row["who"] != "admin_users"]
    assert len(refused) > 15 and all(command.startswith(("SHOW ", "EXPLAIN ROUTE ")) for command in shown)
    for command in refused:
        with pytest.raises(psycopg2.Error) as caught:
            execute(proxy, command.replace("[db]", "app").replace("key = value", "query_timeout = 5").replace(" id", " 1"), "stats")
        assert caught.value.pgcode == "42501", command
    assert proxy.raw("app").value("SELECT 1") == "1"


def test_ordinary_users_may_not_enter_the_console(proxy):
    with pytest.raises(psycopg2.OperationalError):
        proxy.admin("app")
    with pytest.raises(psycopg2.OperationalError):
        proxy.admin("admin", password="wrong")


def test_the_log_has_the_end_of_the_consoles_clients_too(proxy):
    """As it has their logins: who counts both must not find clients that never leave."""
    proxy.show("VERSION")
    leaving = "client disconnected reason=client_terminated database=pgweir user=admin address=127.0.0.1:"
    wait_until(lambda: leaving in proxy.log(), what="who said goodbye is told of")
    killed, other = proxy.admin(), proxy.admin()
    number = next(row["id"] for row in proxy.show("CLIENTS") if row["user"] == "admin")
    other.cursor().execute(f"KILL_CLIENT {number}")
    wait_until(lambda: "client disconnected reason=client_killed database=pgweir" in proxy.log(), what="who was killed, too")
    for connection in (killed, other):
        connection.close()


def test_no_secret_stands_in_any_answer(proxy):
    for what in SHOWN:
        answer = str(proxy.show(what))
        assert "-secret" not in answer and "SCRAM-SHA-256$" not in answer, what


@pytest.mark.threaded
def test_pause_waits_for_transactions_and_resume_lets_clients_go_on(proxy, cluster):
    inside, idle = proxy.raw("app"), proxy.raw("app")
    inside.ask("BEGIN")
    inside.ask("SELECT 1")
    pausing = threading.Thread(target=execute, args=(proxy, "PAUSE app"))
    pausing.start()
    wait_until(lambda: any(row["name"] == "app" and row["paused"] in (1, "1") for row in proxy.show("DATABASES")), what="app is paused")
    idle.send(raw.query("SELECT 'held'"))
    assert inside.value("SELECT 2") == "2" and pausing.is_alive()
    inside.ask("COMMIT")
    pausing.join(60)
    assert not pausing.is_alive()
    wait_until(lambda: not cluster.primary.sql("SELECT 1 FROM pg_stat_activity WHERE datname = 'app' AND usename = 'app' AND application_name = ''"
                                               " AND backend_type = 'client backend' AND pid IN (SELECT pid FROM pg_stat_activity WHERE client_port::text = ANY(%s))",
                                               parameters=[[str(row["local_port"]) for row in proxy.show("SERVERS")] or ["0"]]), what="no server connection is left")
    assert proxy.raw("second").value("SELECT 'unaffected'") == "unaffected"
    execute(proxy, "RESUME app")
    assert raw.rows_of(idle.read_until_ready()) == [["held"]]
    for client in (inside, idle):
        client.close()


def test_pause_and_resume_of_everything(proxy):
    client = proxy.raw("app")
    client.ask("SELECT 1")
    execute(proxy, "PAUSE")
    client.send(raw.query("SELECT 'held'"))
    wait_until(lambda: proxy.pool("app")["cl_waiting"] == 1, what="the client waits")
    execute(proxy, "RESUME")
    assert raw.rows_of(client.read_until_ready()) == [["held"]]
    with pytest.raises(psycopg2.Error):
        execute(proxy, "RESUME")                        # It is not paused.
    client.close()


def test_signals_pause_and_resume_as_pgbouncers_do(proxy):
    client = proxy.raw("app")
    client.ask("SELECT 1")
    proxy.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: not proxy.show("SERVERS"), what="server connections are let go of")
    client.send(raw.query("SELECT 'held'"))
    wait_until(lambda: proxy.pool("app")["cl_waiting"] == 1, what="the client waits")
    proxy.process.send_signal(signal.SIGUSR2)
    assert raw.rows_of(client.read_until_ready()) == [["held"]]
    client.close()


@pytest.mark.ours
def test_who_waits_in_vain_is_told_that_the_database_is_paused(proxy):
    client = proxy.raw("app")
    execute(proxy, "SET query_wait_timeout = 1")
    execute(proxy, "PAUSE app")
    assert "paused" in raw.error_of(client.ask("SELECT 1"))["H"]
    execute(proxy, "PAUSE second")
    with pytest.raises(raw.ServerError) as refused:
        proxy.raw("second")
    assert "paused" in refused.value.fields["H"]
    assert re.search(r"console command command=PAUSE name=app user=admin", proxy.log())
    execute(proxy, "SET query_wait_timeout = 100")
    execute(proxy, "RESUME app")
    assert client.value("SELECT 2") == "2"
    client.close()


def test_kill_throws_out_clients_of_that_database_only(proxy):
    victim, bystander = proxy.raw("app"), proxy.raw("second")
    for client in (victim, bystander):
        client.ask("SELECT 1")
    execute(proxy, "KILL app")
    assert "E" in raw.types(victim.read_to_end())
    assert bystander.value("SELECT 1") == "1"
    execute(proxy, "RESUME app")
    assert proxy.raw("app").value("SELECT 1") == "1"


@pytest.mark.ours
def test_kill_client_throws_out_one(proxy):
    victim, bystander = proxy.raw("app", application_name="victim"), proxy.raw("app")
    for client in (victim, bystander):
        client.ask("SELECT 1")
    number = next(row for row in proxy.show("CLIENTS") if row["application_name"] == "victim")
    execute(proxy, f"KILL_CLIENT {number.get('id') or number['ptr']}")
    error = raw.error_of(victim.read_to_end())
    assert (error["S"], error["C"]) == ("FATAL", "57P01")
    assert bystander.value("SELECT 1") == "1"


def test_reconnect_replaces_server_connections_when_they_are_released(proxy):
    idle, inside = proxy.raw("app"), proxy.raw("app")
    inside.ask("BEGIN")
    inside_pid, idle_pid = inside.value("SELECT pg_backend_pid()"), idle.value("SELECT pg_backend_pid()")
    execute(proxy, "RECONNECT")
    assert inside.value("SELECT pg_backend_pid()") == inside_pid
    inside.ask("COMMIT")
    wait_until(lambda: {idle.value("SELECT pg_backend_pid()"), inside.value("SELECT pg_backend_pid()")}.isdisjoint({inside_pid, idle_pid}),
               5, "both old connections are gone")


def test_disable_refuses_new_clients_and_enable_takes_them_again(proxy):
    client = proxy.raw("app")
    client.ask("SELECT 1")
    execute(proxy, "DISABLE app")
    with pytest.raises((raw.ServerError, raw.Closed)):
        proxy.raw("app")
    assert client.value("SELECT 'still here'") == "still here"
    execute(proxy, "ENABLE app")
    assert proxy.raw("app").value("SELECT 1") == "1"


def test_wait_close_returns_when_the_old_server_connections_are_gone(proxy):
    client = proxy.raw("app")
    client.ask("BEGIN")
    execute(proxy, "RECONNECT app")
    waiting = threading.Thread(target=execute, args=(proxy, "WAIT_CLOSE app"))
    waiting.start()
    time.sleep(0.2)
    assert waiting.is_alive()
    client.ask("COMMIT")
    waiting.join(60)
    assert not waiting.is_alive()


def test_set_changes_a_running_setting(proxy):
    execute(proxy, "SET query_wait_timeout = 1")
    rows = {row["key"]: row["value"] for row in proxy.show("CONFIG")}
    assert rows["query_wait_timeout"].rstrip("s") == "1"


@pytest.mark.ours
def test_a_reload_says_what_takes_a_restart(proxy):
    proxy.sections["pgweir"].update(listen_backlog=77, query_wait_timeout=77)
    proxy.write()
    with contextlib.closing(proxy.admin()) as connection:
        connection.cursor().execute("RELOAD")
        said = "".join(connection.notices)
    assert "[pgweir] listen_backlog changed: takes effect after a restart" in said and "query_wait_timeout" not in said


@pytest.mark.ours
def test_set_of_a_key_that_needs_a_restart_says_so(proxy):
    connection = proxy.admin()
    try:
        connection.cursor().execute("SET listen_port = 1")
        said = "".join(connection.notices)
    except psycopg2.Error as error:
        said = str(error)
    assert "restart" in said
    connection.close()


def test_reload_takes_new_settings(proxy):
    proxy.sections["database third"] = {**proxy.sections["database app"], "dbname": "app"}
    proxy.write()
    execute(proxy, "RELOAD")
    wait_until(lambda: any(row["name"] == "third" for row in proxy.show("DATABASES")), what="the new database")
    assert proxy.raw("third").value("SELECT 1") == "1"


@pytest.mark.ours
def test_shutdown_ends_at_once(proxy):
    client = proxy.raw("app")
    with contextlib.suppress(psycopg2.Error):
        execute(proxy, "SHUTDOWN")
    assert proxy.process.wait(60) == 0
    assert raw.error_of(client.read_to_end())["C"] == "57P01"


@pytest.mark.ours
def test_shutdown_wait_for_servers_lets_transactions_end(proxy):
    inside, idle = proxy.raw("app"), proxy.raw("app")
    inside.ask("BEGIN")
    with contextlib.suppress(psycopg2.Error):
        execute(proxy, "SHUTDOWN WAIT_FOR_SERVERS")
    assert inside.value("SELECT 1") == "1"
    inside.ask("COMMIT")
    idle.read_to_end()
    assert proxy.process.wait(60) == 0


@pytest.mark.ours
def test_shutdown_wait_for_clients_waits_until_they_leave(proxy):
    client = proxy.raw("app")
    assert client.value("SELECT 1") == "1"
    with contextlib.suppress(psycopg2.Error):
        execute(proxy, "SHUTDOWN WAIT_FOR_CLIENTS")
    assert client.value("SELECT 'still served'") == "still served"
    with pytest.raises((raw.ServerError, raw.Closed, OSError)):
        proxy.raw("app")
    client.send(raw.terminate())
    client.close()
    assert proxy.process.wait(60) == 0


def test_show_pools_counts_clients_and_servers(proxy):
    inside, idle = proxy.raw("app"), proxy.raw("app")
    inside.ask("BEGIN")
    idle.ask("SELECT 1")
    # A pool's first transactions are followed by questions of the proxy's own.
    pool = wait_until(lambda: (found := proxy.pool("app"))["sv_active"] == 1 and found, what="the idle client's connection is back")
    assert (pool["sv_active"], pool["cl_waiting"], pool["pool_mode"]) == (1, 0, "transaction")
    assert pool["cl_active"] == 2 and pool["sv_active"] + pool["sv_idle"] + pool["sv_used"] <= 3


def test_show_stats_counts_queries_and_transactions(proxy):
    before = next(row for row in proxy.show("STATS_TOTALS") if row["database"] == "app") if any(
        row["database"] == "app" for row in proxy.show("STATS_TOTALS")) else None
    client = proxy.raw("app")
    for _ in range(10):
        client.ask("SELECT 1")
    client.ask("BEGIN")
    client.ask("SELECT 1")
    client.ask("COMMIT")

    def counted():
        row = next((row for row in proxy.show("STATS_TOTALS") if row["database"] == "app"), None)
        base = before or {"query_count": 0, "xact_count": 0}
        return row and (row["query_count"] - base["query_count"], row["xact_count"] - base["xact_count"]) == (13, 11)

    wait_until(counted, 5, "13 queries in 11 transactions")
