"""Clusters that a proxy watches: its sections, what its console says of them, and servers that a test may wreck."""
import pytest

from .postgres import PASSWORD, Cluster

PROBE = {"probe_user": "postgres", "probe_password": PASSWORD, "probe_interval": "50ms"}


def address(server) -> str:
    return f"{server.host}:{server.port}"


def sections(*servers, **more) -> dict:
    """[cluster main] of these servers, or addresses, and a database `app` in it."""
    hosts = ", ".join(server if isinstance(server, str) else address(server) for server in servers)
    return {"pgweir": {"pool_mode": "transaction", "server_login_retry": "1s", "query_wait_timeout": "100s"},
            "cluster main": {"hosts": hosts, **PROBE, **more},
            "database app": {"cluster": "main"}}


def row(proxy) -> dict:
    return next((row for row in proxy.show("CLUSTERS") if row["cluster"] == "main"), {})


def host(proxy, server) -> dict:
    return next(row for row in proxy.show("HOSTS") if row["host"] == address(server))


def command(proxy, text: str) -> None:
    """On the console."""
    console = proxy.admin()
    try:
        console.cursor().execute(text)
    finally:
        console.close()


def conninfo_of(primary) -> str:
    """For a replica."""
    return f"host={primary.host} port={primary.port} user=repl password=repl-secret"


def follow(replica, primary):
    """Has the replica stream from another primary, or replica."""
    replica.sql(f"ALTER SYSTEM SET primary_conninfo = '{conninfo_of(primary)}'")
    replica.sql("SELECT pg_reload_conf()")


@pytest.fixture
def own():
    """A cluster with two replicas that a test may wreck."""
    made = Cluster()
    try:
        made.start()
        made.start_replicas(2)
        yield made
    finally:
        made.stop()
