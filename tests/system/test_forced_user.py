"""`user` in [database]: whoever the client is, pgweir logs in as one role. One pool serves them all."""
import contextlib

import pytest

from harness import raw
from harness.postgres import PASSWORDS
from harness.process import wait_until

pytestmark = pytest.mark.ours

CLIENTS = ("app", "other", "authq")


@pytest.fixture
def proxy(start_pgweir):
    """Of two workers, so that a pool is shared by both."""
    return start_pgweir({"pgweir": {"pool_mode": "transaction", "threads": 2},
                         "database app": {"user": "app", "password": PASSWORDS["app"], "pool_size": 1},
                         "user other": {"pool_mode": "session"}})


def test_clients_of_all_names_share_the_pool(proxy):
    said = [proxy.raw("app", user).value("SELECT current_user || pg_backend_pid()") for user in ("app", "authq") * 4]
    assert len(set(said)) == 1 and said[0].startswith("app")
    assert [(row["database"], row["user"]) for row in proxy.show("POOLS")] == [("app", "app")]
    assert {row["user"] for row in proxy.show("SERVERS")} == {"app"}


def test_a_client_is_shown_under_its_own_name(proxy):
    for user in CLIENTS[:2]:
        proxy.raw("app", user)
    assert sorted(row["user"] for row in proxy.show("CLIENTS") if row["database"] == "app") == ["app", "other"]
    assert {"app", "other"} <= {row["name"] for row in proxy.show("USERS")}


def test_the_clients_own_section_says_its_pool_mode(proxy):
    """`other` keeps the only connection, so that `app` has to wait until it has left."""
    proxy.raw("app", "app").close()         # From now on a login waits for no server connection.
    keeps = proxy.raw("app", "other")
    pid = keeps.value("SELECT pg_backend_pid()")
    waits = proxy.raw("app", "app")
    waits.send(raw.query("SELECT 1"))
    wait_until(lambda: proxy.pool("app")["cl_waiting"] == 1, 10, "the other client waits")
    assert keeps.value("SELECT pg_backend_pid()") == pid
    keeps.close()
    assert raw.rows_of(waits.read_until_ready()) == [["1"]]


def test_limits_of_server_connections_are_those_of_the_role(start_pgweir):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "default_pool_size": 10},
                          "database app": {"user": "app", "password": PASSWORDS["app"]},
                          "user app": {"pool_size": 2}, "user other": {"pool_size": 7}})
    clients = [proxy.raw("app", "other") for _ in range(4)]
    for client in clients:
        client.send(raw.query("BEGIN"))
    wait_until(lambda: proxy.pool("app")["cl_waiting"] == 2, 10, "two wait for the pool's two connections")
    assert proxy.pool("app")["pool_size"] == 2


@pytest.mark.parametrize("first", ["app", "other"])
def test_what_one_client_proved_logs_in_for_all(start_pgweir, cluster, first):
    """Without a password in the configuration the role's own client brings what the server wants to know; those who
    come after it with nothing to offer must not take it away again."""
    verifiers = dict(cluster.primary.sql("SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ('app', 'other')"))
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "threads": 1, "query_wait_timeout": 5, "server_idle_timeout": 1},
                          "database app": {"user": "app"}}, users={**verifiers, "admin": PASSWORDS["admin"]})
    if first == "other":
        with contextlib.suppress(raw.ServerError):      # Nobody has brought anything yet.
            proxy.raw("app", "other").value("SELECT 1")
    proxy.raw("app", "app").close()
    assert proxy.raw("app", "other").value("SELECT current_user") == "app"
    wait_until(lambda: not proxy.show("SERVERS"), 15, "the connection is closed")
    assert proxy.raw("app", "other").value("SELECT current_user") == "app"


def test_a_new_role_serves_those_who_are_here_and_those_who_come(start_pgweir):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}, "database app": {"user": "app", "password": PASSWORDS["app"]}})
    here = proxy.raw("app", "authq")
    assert here.value("SELECT current_user") == "app"
    proxy.sections["database app"].update(user="postgres", password=PASSWORDS["postgres"])
    proxy.reload()
    wait_until(lambda: proxy.raw("app", "other").value("SELECT current_user") == "postgres", 10, "newcomers work as the new role")
    wait_until(lambda: here.value("SELECT current_user") == "postgres", 10, "and so does who was here")
