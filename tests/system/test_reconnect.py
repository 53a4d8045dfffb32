"""Server connections that are let go: none is forgotten, wherever it is at that moment."""
import contextlib
import threading

import pytest

from harness import raw
from harness.postgres import PASSWORDS
from harness.process import wait_until

pytestmark = pytest.mark.ours


@contextlib.contextmanager
def clients_at_work(proxy, count: int, sql: str):
    """They ask as fast as they can. Yields what the last answer was."""
    last, over = [None], threading.Event()

    def work(client):
        while not over.is_set():
            last[0] = client.value(sql)

    workers = [threading.Thread(target=work, args=(proxy.raw("app"),)) for _ in range(count)]
    for worker in workers:
        worker.start()
    try:
        wait_until(lambda: last[0], 10, "somebody has been answered")
        yield last
    finally:
        over.set()
        for worker in workers:
            worker.join()


@pytest.mark.threaded
def test_reconnect_meets_a_connection_that_travels_between_workers(start_pgweir):
    """One connection for clients of four workers is on its way to one of them most of the time."""
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "threads": 4}, "database app": {"pool_size": 1}})
    with clients_at_work(proxy, 8, "SELECT pg_backend_pid()") as last, proxy.admin().cursor() as console:
        for _ in range(60):
            before = last[0]
            console.execute("RECONNECT app")
            wait_until(lambda: last[0] != before, 5, "the connection was replaced")


def test_who_comes_after_a_reconnect_is_told_what_the_role_has_now(start_pgweir, cluster):
    """What clients are told at login is kept, so that most of them need no server connection for it."""
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}})
    try:
        for zone in "Asia/Tokyo", "Europe/Rome":
            cluster.primary.sql(f"ALTER ROLE other SET TimeZone = '{zone}'")
            with proxy.admin().cursor() as console:
                console.execute("RECONNECT")
            with contextlib.closing(proxy.raw("app", "other")) as client:
                assert client.parameters["TimeZone"] == zone
                assert client.value("SHOW TimeZone") == zone
    finally:
        cluster.primary.sql("ALTER ROLE other RESET ALL")


@pytest.mark.threaded
def test_a_connection_opened_for_the_old_settings_serves_nobody_after_a_reload(start_pgweir):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "threads": 4},
                          "database app": {"pool_size": 1, "connect_query": "SET application_name = 'old'"}})
    with clients_at_work(proxy, 8, "SELECT pg_backend_pid()") as last:
        for turn in range(10):
            before = last[0]
            proxy.sections["database app"]["connect_query"] = f"SET application_name = 'new{turn}'"
            proxy.reload()
            wait_until(lambda: last[0] != before, 5, "the connection was replaced")


def test_a_login_that_began_before_a_reload_works_with_the_new_settings(start_pgweir):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "threads": 1},
                          "database app": {"user": "app", "password": PASSWORDS["app"]}})
    client = proxy.keep(raw.Client(proxy.host, proxy.port))
    client.send(raw.startup({"user": "other", "database": "app"}))
    client.receive_at_least(5)
    proxy.sections["database app"].update(user="postgres", password=PASSWORDS["postgres"])
    proxy.reload()
    wait_until(lambda: "configuration reloaded" in proxy.log(), 10, "the reload is done")
    assert proxy.show("VERSION")            # The worker has taken it into use as well: it answers letters in order.
    proxy.show("POOLS")
    client.authenticate("other", PASSWORDS["other"])
    assert client.value("SELECT current_user") == "postgres"
