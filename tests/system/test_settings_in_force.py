"""Settings that follow a client: how a server connection gets them, what happens if it will not, and what clients notice of it."""
import pytest

from harness import raw
from harness.process import wait_until
from harness.raw import bind, execute, extended, parse, query, sync

pytestmark = pytest.mark.ours


def test_the_difference_goes_ahead_in_the_packet_of_the_clients_message(start_pgweir):
    behind = []

    def on_message(backend, got):
        if got.type == "Q" and got.text().startswith("BEGIN;"):
            behind.append(bytes(backend.received))

    with raw.FakeServer(on_message) as server:
        proxy = start_pgweir({"pgweir": {"server_tls_sslmode": "disable"}, "database app": {
            "host": server.host, "port": server.port, "pool_size": 1, "state_audit": "off"}})
        clients = [proxy.raw("app", work_mem="7MB"), proxy.raw("app", work_mem="9MB")]
        behind.clear()
        for number in range(6):
            clients[number % 2].ask(f"SELECT {number}") if number < 4 else clients[number % 2].ask(extended(f"SELECT {number}"))
        assert len(behind) >= 5 and all(b"SELECT " in each for each in behind)


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
