"""max_server_conn: one limit for all pools of a host, found out from the server with `auto`."""
import pytest

from harness import raw
from harness.plugin import database
from harness.postgres import PASSWORDS
from harness.process import wait_until

pytestmark = pytest.mark.ours


def busy(proxy, name: str, user: str = "app"):
    """A client inside a transaction."""
    client = proxy.raw(name, user)
    assert raw.good(client.ask("BEGIN"))
    return client


def waiting(proxy, name: str, user: str = "app"):
    """A client that has asked for a transaction."""
    client = proxy.raw(name, user)
    client.send(raw.query("BEGIN"))
    return client


def host(proxy) -> dict:
    row, = proxy.show("HOSTS")
    return {name: row[name] for name in ("host", "current_connections", "max_connections", "server_allows")}


def pools(cluster, **more) -> dict:
    return {"database one": database(cluster, dbname="app", **more), "database two": database(cluster, dbname="app", **more)}


def test_a_number_limits_all_pools_of_the_host_together(start_pgweir, cluster):
    proxy = start_pgweir({"pgweir": {"max_server_conn": 3, "default_pool_size": 5}, **pools(cluster)})
    for name in ("one", "two"):
        proxy.raw(name).close()             # From now on a login waits for no server connection.
    clients = [busy(proxy, name) for name in ("one", "two", "one")]
    fourth = waiting(proxy, "two")
    wait_until(lambda: proxy.pool("two")["cl_waiting"] == 1, 10, "the fourth waits")
    assert host(proxy) == {"host": f"127.0.0.1:{cluster.primary.port}", "current_connections": 3, "max_connections": 3, "server_allows": None}
    clients[0].ask("COMMIT")                # Idle now, and of the other pool: it makes room.
    assert raw.good(fourth.read_until_ready())
    assert host(proxy)["current_connections"] == 3
    for client in (*clients[1:], fourth):
        client.ask("COMMIT")


@pytest.mark.threaded
@pytest.mark.parametrize("threads", [1, 4])
def test_what_has_been_idle_longest_makes_room(start_pgweir, cluster, threads):
    proxy = start_pgweir({"pgweir": {"max_server_conn": 2, "threads": threads, "query_wait_timeout": 100},
                          **pools(cluster), "database three": database(cluster, dbname="other")})
    one, two = proxy.raw("one"), proxy.raw("two")
    for name, client in ("one", one), ("two", two), ("one", one):                    # Two has been idle for longer.
        assert client.value("SELECT 1") == "1"
        wait_until(lambda: proxy.pool(name)["sv_active"] == 0, what="it is given back")
    assert proxy.raw("three", "other").value("SELECT 1") == "1"
    if threads == 1:
        assert {row["database"] for row in proxy.show("SERVERS")} == {"one", "three"}
    assert host(proxy)["current_connections"] <= 2
    assert [client.value("SELECT 1") for client in (one, two)] == ["1"] * 2


def test_auto_asks_the_server_and_divides_by_the_fleet(start_pgweir, cluster):
    connections, reserved = (int(cluster.primary.sql(f"SHOW {name}")[0][0]) for name in ("max_connections", "superuser_reserved_connections"))
    allowed = connections - reserved
    proxy = start_pgweir({"pgweir": {"fleet_size": 60, "default_pool_size": 10}, **pools(cluster)})
    assert proxy.show("HOSTS") == []
    assert proxy.raw("one").value("SELECT 1") == "1"
    limit = (allowed - max(allowed // 20, 2)) // 60
    assert limit == 3
    assert host(proxy) == {"host": f"127.0.0.1:{cluster.primary.port}", "current_connections": 1, "max_connections": limit, "server_allows": allowed}
    proxy.raw("two").close()
    clients = [busy(proxy, name) for name in ("one", "two", "one")]
    others = [waiting(proxy, name) for name in ("two", "one", "two")]
    wait_until(lambda: proxy.pool("one")["cl_waiting"] + proxy.pool("two")["cl_waiting"] == 3, 10, "three of six wait")
    assert host(proxy)["current_connections"] == 3
    for client in clients:
        client.ask("COMMIT")
    assert all(raw.good(client.read_until_ready()) for client in others)


@pytest.mark.threaded
def test_auto_holds_from_the_very_first_connection_on(start_pgweir, cluster):
    """Many at once in front of a proxy that has not asked yet: none is opened that would have to be taken back."""
    began, = cluster.primary.sql("SELECT clock_timestamp()::text")[0]
    proxy = start_pgweir({"pgweir": {"fleet_size": 90, "default_pool_size": 20, "threads": 4}, **pools(cluster, min_pool_size=8, user="app", password=PASSWORDS["app"])})
    wait_until(lambda: proxy.show("HOSTS") and host(proxy)["server_allows"], 10, "the server has been asked")
    clients = [proxy.keep(raw.Client(proxy.host, proxy.port)) for _ in range(10)]
    for client in clients:
        client.send(raw.startup({"user": "app", "database": "one"}))
    for client in clients:
        client.authenticate("app", PASSWORDS["app"])
    assert host(proxy)["max_connections"] == 2
    assert proxy.log().count("server connection closed") == 0
    opened = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND backend_start > %s::timestamptz"
    assert cluster.primary.sql(opened, parameters=[began])[0][0] <= 2


def test_a_server_that_minds_the_question_has_no_limit(start_pgweir):
    def minds(backend, got):
        if got.type == "Q" and b"max_connections" in got.body:
            backend.send(raw.error_response("42704", "unrecognized configuration parameter") + raw.ready())
            return True
        return False

    with raw.FakeServer(on_message=minds) as server:
        proxy = start_pgweir({"database app": {"host": "127.0.0.1", "port": server.port}})
        assert proxy.raw("app").value("SELECT 1") == "SELECT 1"
        assert (host(proxy)["max_connections"], host(proxy)["server_allows"]) == (0, None)
        for client in [waiting(proxy, "app") for _ in range(5)]:
            client.read_until_ready()


def test_zero_is_no_limit_and_asks_nothing(start_pgweir):
    asked = []

    def listen(backend, got):
        asked.append(got.body)
        return False

    with raw.FakeServer(on_message=listen) as server:
        proxy = start_pgweir({"pgweir": {"max_server_conn": 0}, "database app": {"host": "127.0.0.1", "port": server.port}})
        assert proxy.raw("app").value("SELECT 1") == "SELECT 1"
        assert not any(b"max_connections" in body for body in asked)


def test_a_failed_login_leaves_the_question_to_the_next(start_pgweir, cluster):
    proxy = start_pgweir({**pools(cluster), "database nowhere": database(cluster, dbname="there_is_no_such_database")})
    with pytest.raises(raw.ServerError):
        proxy.raw("nowhere")
    assert host(proxy)["server_allows"] is None
    assert proxy.raw("one").value("SELECT 1") == "1"
    assert host(proxy)["server_allows"] > 0
