"""Settings that follow a client: how a server connection gets them, what happens if it will not, and what clients notice of it."""
import pytest

from harness import raw
from harness.postgres import PASSWORDS
from harness.process import wait_until
from harness.raw import bind, execute, extended, parse, query, sync

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
    proxy = start_pgweir({"database app": {"pool_size": 1, "state_audit": "off"}})
    clients = [proxy.raw("app"), proxy.raw("app")]
    for client, work_mem in zip(clients, ("7MB", "9MB")):
        client.ask(f"SET work_mem = '{work_mem}'")
    for client in clients * 2:
        client.ask("SELECT 0")
    yield proxy, clients
    for client in clients:
        client.close()


@pytest.mark.parametrize("message", [
    query("INSERT INTO never VALUES (1)"), extended("INSERT INTO never VALUES (1)"),
    query("BEGIN; INSERT INTO never VALUES (1)") + query("COMMIT"), extended("INSERT INTO never VALUES (1)") + query("SELECT 1") + extended("SELECT 1"),
    parse("INSERT INTO never VALUES (1)", "s") + sync() + bind(name="s") + execute() + sync()],
    ids=["query", "batch", "transaction", "pipeline", "named"])
def test_settings_whose_batch_fails_are_asked_for_again(two_states, cluster, never, direct, message):
    """Somebody has deallocated its statements behind our back: a function, and nobody is told what those do."""
    proxy, (client, other) = two_states
    cluster.primary.sql("CREATE OR REPLACE FUNCTION forget() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$", "app")
    before = other.value("SELECT pg_backend_pid()")
    client.ask("SELECT forget()")
    other.ask("SELECT 0")       # Its settings go behind DISCARD SEQUENCES, as a query.
    answer = client.ask_all(message)
    assert raw.good(answer), raw.error_of(answer)
    assert raw.types(answer).replace("S", "") == raw.types(direct.ask_all(message)).replace("S", "")
    assert client.value("SELECT pg_backend_pid()") != before
    assert client.value("SHOW work_mem") == "7MB" and other.value("SHOW work_mem") == "9MB"
    assert client.value("SELECT count(*) FROM never") == "2"


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
