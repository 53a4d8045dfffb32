"""Settings that follow a client: how a server connection gets them, what happens if it will not, and what clients notice of it."""
import os
import re
import signal
import threading

import pytest

from harness import raw
from harness.postgres import PASSWORDS
from harness.process import wait_until
from harness.raw import bind, close_portal, close_statement, execute, extended, parse, query, sync

pytestmark = pytest.mark.ours


@pytest.mark.parametrize("state_count", [2, 3])
def test_the_difference_goes_ahead_in_the_packet_of_the_clients_message(start_pgweir, state_count):
    """As a simple query, and as a batch once a server has taken them."""
    behind = {"Q": [], "B": []}

    def on_message(backend, got):
        begins = got.text().startswith("BEGIN;") if got.type == "Q" else got.type == "B" and backend.statement_of(got).startswith("BEGIN")
        if begins:
            behind[got.type].append(bytes(backend.received))

    with raw.FakeServer(on_message) as server:
        proxy = start_pgweir({"pgweir": {"server_tls_sslmode": "disable"}, "database app": {
            "host": server.host, "port": server.port, "pool_size": 1, "state_audit": "off"}})
        clients = [proxy.raw("app", work_mem=f"{number}MB") for number in range(state_count)]
        behind["Q"].clear()
        for number in range(4 * state_count):
            client = clients[number % state_count]
            assert client.value(f"SELECT {number}") == f"SELECT {number}" if number % 4 < 2 else raw.good(client.ask(extended(f"SELECT {number}")))
        assert len(behind["Q"]) <= state_count and len(behind["B"]) >= 3 * state_count
        assert all(b"SELECT " in each.replace(b"SELECT pg_catalog", b"") for kind in behind.values() for each in kind)


def test_what_one_server_does_not_report_is_unreported_only_there(start_pgweir):
    """search_path is reported since PostgreSQL 18. What goes ahead of a client's message is kept for servers that report alike."""
    def on_message(backend, got):
        if got.type == "B" and "set_config" in backend.statement_of(got):
            backend.path = re.search(rb"search_path.{4}(\w{3})", got.body, re.DOTALL)[1].decode()
        elif got.type == "S" and "path" in backend.__dict__:
            backend.send(raw.parameter_status("search_path", backend.__dict__.pop("path")))

    def pair_of(name):
        clients = [proxy.raw(name, search_path=path) for path in ("one", "two")]
        for number in range(8):
            yield clients[number % 2].ask(extended(f"SELECT {number}"))

    with raw.FakeServer() as old, raw.FakeServer(on_message, parameters={"search_path": "public"}) as new:
        proxy = start_pgweir({"pgweir": {"server_tls_sslmode": "disable", "state_audit": "off", "threads": 1}, **{
            f"database {name}": {"host": server.host, "port": server.port, "pool_size": 1} for name, server in (("old", old), ("new", new))}})
        assert {raw.types(answer) for answer in pair_of("old")} == {raw.types(answer) for answer in pair_of("new")}
        assert sum("set_config" in sql for backend in new.backends for sql in backend.statements.values()) == 1


@pytest.fixture
def ending(start_pgweir):
    """Two clients of one server connection, and what the server says to their settings, before it goes."""
    last_words = []

    def on_message(backend, got):
        if not last_words or got.type != "B" or not backend.statement_of(got).startswith("BEGIN"):
            return False
        backend.send(last_words.pop())
        backend.close()
        return True

    with raw.FakeServer(on_message) as server:
        proxy = start_pgweir({"pgweir": {"server_tls_sslmode": "disable"}, "database app": {
            "host": server.host, "port": server.port, "pool_size": 1, "state_audit": "off"}})
        clients = [proxy.raw("app", work_mem=f"{number}MB") for number in range(2)]
        for client in clients * 2:
            client.ask("SELECT 0")
        yield clients[0], last_words


def test_settings_that_fail_are_asked_for_elsewhere_also_if_the_server_ends_then(ending):
    """What it says behind the failure is no answer to the client's."""
    client, last_words = ending
    last_words.append(raw.error_response("26000", "gone") + raw.error_response("57P01", "terminating", severity="FATAL"))
    assert client.value("SELECT 1") == "SELECT 1" and not last_words


def test_a_server_that_ends_instead_of_taking_settings_costs_no_session(ending):
    client, last_words = ending
    last_words.append(raw.error_response("57P01", "terminating", severity="FATAL"))
    assert client.value("SELECT 1") == "SELECT 1" and not last_words


def test_a_server_that_ends_for_another_reason_instead_of_taking_settings_ends_the_session(ending):
    client, last_words = ending
    last_words.append(raw.error_response("XX000", "terminating", severity="FATAL"))
    client.send(query("SELECT 1"))
    error = raw.error_of(client.read_to_end())
    assert (error["S"], error["C"], error["M"]) == ("FATAL", "XX000", "terminating") and not last_words


@pytest.fixture
def never(cluster):
    """A table, and a role that app may be."""
    cluster.primary.sql("""DROP TABLE IF EXISTS never; CREATE TABLE never (n int); DROP ROLE IF EXISTS short_lived;
        CREATE ROLE short_lived; GRANT short_lived TO app; GRANT ALL ON never TO app""", "app")
    yield
    cluster.primary.sql("DROP TABLE never; DROP ROLE IF EXISTS short_lived", "app")


INSERT = "INSERT INTO never VALUES (1)"


@pytest.mark.parametrize("message", [
    query(INSERT), extended(INSERT), query(f"COMMIT; {INSERT}"), query(f"/* ; */ ROLLBACK; {INSERT}"), extended("ROLLBACK") + extended(INSERT),
    query("END") + query(INSERT), parse("ABORT") + bind() + execute() + parse(INSERT) + bind() + execute() + sync()])
def test_nothing_runs_behind_settings_that_fail(pgweir, cluster, never, message):
    """The role is gone. What was sent in the same packet must not run as somebody else."""
    client, other = pgweir.raw("one"), pgweir.raw("one")
    client.ask("SET ROLE short_lived")
    other.ask("SELECT 1")
    cluster.primary.sql("REVOKE ALL ON never FROM short_lived; DROP ROLE short_lived", "app")
    client.send(message)
    error = raw.error_of(client.read_to_end())
    assert (error["S"], error["C"], error["M"]) == ("FATAL", "22023", 'role "short_lived" does not exist')
    assert other.value("SELECT count(*) FROM never") == "0" and other.value("SELECT current_user") == "app"


@pytest.mark.parametrize("setting", ["work_mem", "role"])
def test_a_parse_behind_new_settings_is_shared(start_pgweir, never, setting):
    """As a batch and as a simple query: they are in force before it, or it does not run."""
    proxy = start_pgweir({"database app": {"pool_size": 1, "state_audit": "off"}})
    values = {"work_mem": ("5MB", "6MB"), "role": ("app", "short_lived")}[setting]
    clients = [proxy.raw("app") for _ in values]
    for _ in range(2):
        for client, value in zip(clients, values):
            client.ask(f"SET {setting} = '{value}'")
    parses = lambda: next(row["total_server_parse_count"] for row in proxy.show("STATS") if row["database"] == "app")
    before = parses()
    for number, client in enumerate(clients * 2):
        assert raw.good(client.ask(parse(f"SELECT current_setting('{setting}')", name=f"s{number}") + sync()))
        assert raw.rows_of(client.ask(bind(name=f"s{number}") + execute() + sync())) == [[values[clients.index(client)]]]
    # A role decides what a text means.
    assert parses() - before == {"work_mem": 1, "role": 2}[setting]
    for client in clients:
        client.close()


def test_a_server_connection_in_the_clients_state_is_preferred(start_pgweir):
    proxy = start_pgweir({"database app": {"pool_size": 2}})
    clients = [proxy.raw("app"), proxy.raw("app")]
    for sql in "BEGIN", "COMMIT":               # So that there are two.
        for client in clients:
            client.ask(sql)
    wait_until(lambda: proxy.pool("app")["sv_active"] == 0, what="questions of the proxy's own are answered")
    for client, work_mem in zip(clients, ("7MB", "9MB")):
        client.ask(f"SET work_mem = '{work_mem}'")
    backends = [{client.value("SELECT pg_backend_pid()") for _ in range(5)} for client in clients * 2]
    assert backends[0] == backends[2] and backends[1] == backends[3] and len(backends[0] | backends[1]) == 2


def test_no_parameter_is_reported_without_cause(pair):
    """Each time the server reports to pgweir what it has changed for the one client and the other."""
    for client, zone in zip(pair, ("Asia/Tokyo", "Europe/Rome")):
        assert "S" in raw.types(client.ask(f"SET TimeZone = '{zone}'"))
        client.ask(parse("SHOW TimeZone", "s") + sync())
    for client, zone in zip(pair * 3, ("Asia/Tokyo", "Europe/Rome") * 3):
        assert raw.types(client.ask("SHOW TimeZone")) == "TDCZ"
        assert raw.types(client.ask(bind(name="s") + execute() + sync())) == "2DCZ"


def zones_told(answer: list[raw.Message]) -> list[str]:
    return [each.body.split(b"\0")[1].decode() for each in answer if each.type == "S"]


# What a client does, and of which zone it is told then. The other one is in Rome.
CHANGES = [("SELECT 1", []), ("SET TimeZone = 'Europe/Rome'", ["Europe/Rome"]), ("SET TimeZone = 'Asia/Tokyo'", ["Asia/Tokyo"]),
           ("SET TimeZone = 'America/Lima'", ["America/Lima"]), ("SET TimeZone = 'Asia/Tokyo'; SELECT 1", ["Asia/Tokyo"]),
           (extended("SET TimeZone = 'Europe/Rome'"), ["Europe/Rome"]), (extended("SET TimeZone = 'Asia/Tokyo'"), ["Asia/Tokyo"]),
           ("SET TimeZone = 'Europe/Rome'; SET TimeZone = 'Asia/Tokyo'", []), ("BEGIN; SET LOCAL TimeZone = 'Europe/Rome'", ["Europe/Rome"]),
           ("COMMIT", ["Asia/Tokyo"]), ("SELECT 1/0", []), ("BEGIN", []), ("SET TimeZone = 'Europe/Rome'", ["Europe/Rome"]), ("ROLLBACK", ["Asia/Tokyo"]),
           ("SELECT 2", [])]


@pytest.fixture
def direct(cluster):
    client = raw.Client(cluster.primary.host, cluster.primary.port)
    client.login("app", "app", PASSWORDS["app"])
    yield client
    client.close()


def test_a_change_to_what_another_client_has_is_reported(pair, direct):
    """The server is in that client's state when it gets both, and sees no change."""
    pair[1].ask("SET TimeZone = 'Europe/Rome'")
    for each in pair[0], direct:
        each.ask("SET TimeZone = 'Asia/Tokyo'")
    for each in pair * 2:
        each.ask("SELECT 0")
    status = b"I"
    for message, told in CHANGES * 2:
        if status == b"I":
            assert pair[1].value("SHOW TimeZone") == "Europe/Rome"
        answer = pair[0].ask(message)
        status = answer[-1].body
        assert zones_told(answer) == zones_told(direct.ask(message)) == told, message


def test_what_discard_all_resets_is_reported(pair):
    for each, zone in zip(pair, ("Asia/Tokyo", "Europe/Rome")):
        each.ask(f"SET TimeZone = '{zone}'")
    for each in pair * 2:
        each.ask("SELECT 0")
    default = zones_told(pair[0].ask("DISCARD ALL"))
    assert len(default) == 1 and default[0] not in ("Asia/Tokyo", "Europe/Rome") and pair[0].value("SHOW TimeZone") == default[0]
    assert pair[1].value("SHOW TimeZone") == "Europe/Rome"


@pytest.fixture
def two_states(start_pgweir):
    """Two clients of one server connection, whose settings have gone ahead as a batch; nobody looks for what functions leave."""
    proxy = start_pgweir({"pgweir": {"cancel_wait_timeout": 3600}, "database app": {"pool_size": 1, "state_audit": "off"}})
    clients = [proxy.raw("app"), proxy.raw("app")]
    for client, work_mem, zone in zip(clients, ("7MB", "9MB"), ("Asia/Tokyo", "Europe/Rome")):
        client.ask(f"SET work_mem = '{work_mem}'; SET TimeZone = '{zone}'")
    for client in clients * 2:
        client.ask("SELECT 0")
    yield proxy, clients
    for client in clients:
        client.close()


@pytest.fixture
def forget(cluster):
    """Deallocates behind our back, and nobody is told what functions do."""
    cluster.primary.sql("CREATE OR REPLACE FUNCTION forget() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", "app")
    return "SELECT forget()"


@pytest.mark.parametrize("message", [
    query(INSERT), extended(INSERT), query(f"BEGIN; {INSERT}") + query("COMMIT"), extended(INSERT) + query("SELECT 1") + extended("SELECT 1"),
    parse(INSERT, "s") + sync() + bind(name="s") + execute() + sync(), extended("SELECT 1") + extended(INSERT), extended("SELECT 1") + query(INSERT),
    query("SELECT 1") + query(INSERT), extended("SELECT 1") + close_portal() + extended(INSERT), parse("SELECT 1", "s") + sync() + query(INSERT)],
    ids=["query", "batch", "transaction", "pipeline", "named", "second", "query second", "queries", "behind a Close", "behind a Parse"])
def test_settings_whose_batch_fails_are_asked_for_again(two_states, cluster, never, direct, forget, message):
    """Somebody has deallocated its statements. What the server reaches behind a Sync does not run twice, nor is it told of."""
    proxy, (client, other) = two_states
    before = other.value("SELECT pg_backend_pid()")
    client.ask(forget)
    other.ask("SELECT 0")       # Its settings go behind DISCARD SEQUENCES, as a query.
    answer = client.ask_all(message)
    assert raw.good(answer), raw.error_of(answer)
    assert raw.types(answer) == raw.types(direct.ask_all(message))
    assert client.value("SELECT pg_backend_pid()") != before
    assert [[each.value(f"SHOW {name}") for name in ("work_mem", "TimeZone")] for each in (client, other)] == [
        ["7MB", "Asia/Tokyo"], ["9MB", "Europe/Rome"]]
    assert client.value("SELECT count(*) FROM never") == "2"


@pytest.mark.parametrize("message", [query(INSERT), extended(INSERT), query("BEGIN"), query(INSERT) + query("SELECT 1"),
                                     parse(INSERT, "s") + sync() + bind(name="s") + execute() + sync()],
                         ids=["query", "batch", "transaction", "pipeline", "named"])
@pytest.mark.parametrize("taken", [False, True], ids=["query", "batch"])
def test_a_backend_that_ends_before_the_clients_settings_are_in_force_costs_no_client(start_pgweir, cluster, never, direct, message, taken):
    """Nothing of the client's has run, and nothing of it is there."""
    proxy = start_pgweir({"database app": {"pool_size": 1, "state_audit": "off"}})
    client, other = proxy.raw("app"), proxy.raw("app")
    client.ask("SET default_text_search_config = 'pg_catalog.simple'")
    for _ in range(2 if taken else 0):
        other.ask("SELECT 1")
        client.ask("SELECT 1")
    other.ask("SELECT 1")
    # No server process knows it by heart any more.
    cluster.primary.sql("UPDATE pg_ts_config SET cfgname = cfgname WHERE cfgname = 'simple'", "app")
    with cluster.primary.connect("app") as holder:
        holder.execute("BEGIN; LOCK TABLE pg_ts_config IN ACCESS EXCLUSIVE MODE")
        client.send(message)
        waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'app'"
        wait_until(lambda: cluster.primary.sql(waiting), what="the settings wait")
        cluster.primary.sql("SELECT pg_terminate_backend(%s, 5000)", parameters=[cluster.primary.sql(waiting)[0][0]])
        holder.execute("ROLLBACK")
    answer = client.read_until_ready(raw.readies(message))
    assert raw.good(answer) and raw.types(answer) == raw.types(direct.ask_all(message))
    for each in client, direct:
        each.ask("COMMIT")
    assert client.value("SHOW default_text_search_config") == "pg_catalog.simple"
    assert int(client.value("SELECT count(*) FROM never")) == 2 * (INSERT.encode() in message)


@pytest.mark.parametrize("end", ["terminated", "killed"])
def test_a_backend_that_ends_during_a_login_is_replaced_by_another(start_pgweir, cluster, end):
    """The client has not been told anything yet."""
    proxy = start_pgweir({"pgweir": {"server_login_retry": 1}, "database app": {"pool_size": 1, "state_audit": "off"}})
    before = proxy.raw("app")
    before.ask("SELECT 1")
    before.close()
    wait_until(lambda: proxy.pool("app")["sv_idle"] == 1, what="a server connection is idle")
    cluster.primary.sql("UPDATE pg_ts_config SET cfgname = cfgname WHERE cfgname = 'simple'", "app")
    holder = cluster.primary.connect("app")
    holder.execute("BEGIN; LOCK TABLE pg_ts_config IN ACCESS EXCLUSIVE MODE")
    clients = []
    login = threading.Thread(target=lambda: clients.append(proxy.raw("app", timeout_s=60, default_text_search_config="pg_catalog.simple")))
    login.start()
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'app'"
    wait_until(lambda: cluster.primary.sql(waiting), what="the settings wait")
    if end == "killed":
        with cluster.primary.beginning_anew():
            os.kill(cluster.primary.sql(waiting)[0][0], signal.SIGKILL)
    else:
        cluster.primary.sql("SELECT pg_terminate_backend(%s, 5000)", parameters=[cluster.primary.sql(waiting)[0][0]])
        holder.execute("ROLLBACK")
    holder.close()
    login.join()
    assert [client.value("SHOW default_text_search_config") for client in clients] == ["pg_catalog.simple"]


def test_a_query_whose_names_are_prepared_ahead_does_not_run_twice(two_states, never, forget):
    """There is a Sync ahead of it, behind which the server runs it, although the settings have failed."""
    client, other = two_states[1]
    assert raw.good(client.ask(parse("SELECT 'named'", "s") + sync()))
    client.ask(forget)
    other.ask("SELECT 0")
    client.ask("SELECT 0")      # On another server connection, which does not have it.
    for each in (other, client) * 2:
        each.ask("SELECT 0")
    client.ask(forget)
    other.ask("SELECT 0")
    assert raw.rows_of(client.ask(f"BEGIN; {INSERT}; COMMIT; EXECUTE s")) == [["named"]]
    assert client.value("SELECT count(*) FROM never") == "1"


def test_a_query_that_waits_for_the_settings_ahead_of_it_is_not_waited_for(two_states):
    """Nothing of the client's makes the server say how they fare."""
    client, other = two_states[1]
    assert raw.good(client.ask(parse("SELECT 'named'", "s") + sync()))
    for _ in range(3):
        assert other.value("SHOW work_mem") == "9MB"
        assert client.value("EXECUTE s") == "named"
        assert other.value("SHOW work_mem") == "9MB"
        assert raw.rows_of(client.ask(parse("SELECT 1") + query("EXECUTE s"))) == [["named"]]


@pytest.fixture
def nobody_may_set_config(cluster):
    sql = "{} EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) {} PUBLIC"
    cluster.primary.sql(sql.format("REVOKE", "FROM"), "app")
    yield
    cluster.primary.sql(sql.format("GRANT", "TO"), "app")


def test_without_the_right_to_set_config_the_server_connection_is_kept(two_states, nobody_may_set_config):
    """SET needs none. The first try costs a connection, the others are queries."""
    clients = two_states[1]
    pids = [each.value("SELECT pg_backend_pid()") for each in clients * 5]
    assert len(set(pids[1:])) == 1
    assert [each.value("SHOW work_mem") for each in clients] == ["7MB", "9MB"]


@pytest.fixture
def unnamed(two_states, cluster):
    client, other = two_states[1]
    before = other.value("SELECT pg_backend_pid()")
    assert raw.good(client.ask(parse("SELECT 'kept'") + sync()))
    assert other.value("SELECT pg_backend_pid()") == before
    return client


@pytest.mark.parametrize("message, types", [
    (sync(), "2DCZ"), (sync() + query("SELECT 1"), "2DCZTDCZ"), (query("SELECT 1") + sync(), "2DCTDCZZ"), (close_statement() + sync(), "2DC3Z")],
    ids=["alone", "and a query behind", "and a query within", "and its end"])
def test_an_unnamed_statement_is_there_when_its_batch_is_dealt_with_again(unnamed, nobody_may_set_config, message, types):
    unnamed.send(bind() + execute() + message)
    answer = unnamed.read_until_ready(types.count("Z"))
    assert raw.types(answer) == types and raw.rows_of(answer)[0] == ["kept"]


def test_who_breaks_the_protocol_behind_settings_does_not_keep_the_server_connection(two_states):
    """The settings have no Sync yet, and the server says nothing without one."""
    client, other = two_states[1]
    client.send(raw.message("B", b"malformed"))
    assert raw.error_of(client.read_to_end())["C"] == "08P01"
    assert other.value("SHOW work_mem") == "9MB"


RESETS = ["SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;", "DISCARD ALL", "DEALLOCATE ALL", "DISCARD PLANS", "DISCARD TEMP",
          "DISCARD SEQUENCES", "SET SESSION AUTHORIZATION DEFAULT", "RESET ROLE", "CLOSE ALL", "UNLISTEN *", "ROLLBACK"]


def test_resets_touch_nobody_elses_state(pair, pgweir):
    client, other = pair
    for sql in ("SET work_mem = '7MB'", "SET resets.tenant = 'mine'", "SET ROLE app", "PREPARE s AS SELECT 'by sql'", "LISTEN resets",
                parse("SELECT 'by protocol'", "p") + sync()):
        assert raw.good(other.ask(sql))
    for reset in RESETS:
        for each in reset, extended(reset) if ";" not in reset else reset:
            assert raw.good(client.ask(each)), each
        assert [other.value(sql) for sql in ("SHOW work_mem", "SELECT current_setting('resets.tenant')", "SHOW role", "EXECUTE s",
                                             "SELECT pg_listening_channels()")] == ["7MB", "mine", "app", "by sql", "resets"], reset
        assert raw.rows_of(other.ask(bind(name="p") + execute() + sync())) == [["by protocol"]]
    wait_until(lambda: pgweir.pins() == {}, what="nobody keeps the server connection")
