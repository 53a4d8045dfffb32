"""Reads go to replicas that are fresh enough, everything else to the primary, and the client notices nothing of it."""
import threading
import time

import psycopg
import pytest

from harness import raw
from harness.postgres import PASSWORD
from harness.process import wait_until

pytestmark = pytest.mark.ours

PROBE = {"probe_user": "postgres", "probe_password": PASSWORD, "probe_interval": "50ms"}


def address(server) -> str:
    return f"{server.host}:{server.port}"


def sections(cluster, database=None, **more) -> dict:
    servers = [cluster.primary, *cluster.replicas]
    return {"pgweir": {"pool_mode": "transaction", "threads": 2, "server_login_retry": "1s", "query_wait_timeout": "25s"},
            "cluster main": {"hosts": ", ".join(address(server) for server in servers), **PROBE, **more},
            "database app": {"cluster": "main", "routing": "auto", **(database or {})}}


def ready(proxy, count=2):
    """Replicas get reads, and what functions there are is known."""
    wait_until(lambda: sum(row["fresh_as_of_age_ms"] is not None and row["role"] == "replica" for row in proxy.show("HOSTS")) >= count,
               20, "the replicas are measured")
    client = proxy.raw("app")
    wait_until(lambda: where(client) == "replica", 20, "a read goes to a replica")
    client.close()


def where(client) -> str:
    """Which server answers a read, told by what a standby alone has."""
    return "replica" if client.value("SELECT where_am_i()") == "true" else "primary"


def routes(proxy, database="app") -> dict:
    return {row["reason"]: row["count"] for row in proxy.show("ROUTES") if row["database"] == database}


@pytest.fixture(scope="module")
def place(cluster, replicas):
    """A function that tells where it is called without being honest about it, and a table."""
    cluster.primary.sql("CREATE FUNCTION where_am_i() RETURNS text STABLE LANGUAGE sql AS 'SELECT pg_is_in_recovery()::text'", "app")
    cluster.primary.sql("CREATE TABLE routed (n int PRIMARY KEY, v int NOT NULL DEFAULT 0)", "app")
    cluster.primary.sql("GRANT ALL ON routed TO app", "app")
    wait_until(cluster.caught_up, 20, "the replicas have them")
    yield cluster
    cluster.primary.sql("DROP FUNCTION where_am_i()", "app")
    cluster.primary.sql("DROP TABLE routed", "app")


def test_reads_go_to_replicas_and_writes_to_the_primary(start_pgweir, place):
    proxy = start_pgweir(sections(place))
    ready(proxy)
    client = proxy.raw("app")
    assert where(client) == "replica"
    assert raw.types(client.ask("INSERT INTO routed VALUES (1) ON CONFLICT DO NOTHING")) == "CZ"
    assert place.primary.sql("SELECT count(*) FROM routed", "app") == [(1,)]
    print(proxy.show("ROUTES"))
