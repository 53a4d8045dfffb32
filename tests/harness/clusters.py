"""Clusters that a proxy watches: its sections, what its console says of them, and servers that a test may wreck."""
import pytest

from .postgres import PASSWORD, Cluster

PROBE = {"probe_user": "postgres", "probe_password": PASSWORD, "probe_interval": "50ms"}


def address(server) -> str:
    return f"{server.host}:{server.port}"


def sections(*servers, **more) -> dict:
    """[cluster main] of these servers, or addresses, and a database `app` in it."""
    hosts = ", ".join(server if isinstance(server, str) else address(server) for server in servers)
    return {"pgweir": {"pool_mode": "transaction", "server_login_retry": "1s", "query_wait_timeout": "25s"},
            "cluster main": {"hosts": hosts, **PROBE, **more},
            "database app": {"cluster": "main"}}


def row(proxy) -> dict:
    return next((row for row in proxy.show("CLUSTERS") if row["cluster"] == "main"), {})


def host(proxy, server) -> dict:
    return next(row for row in proxy.show("HOSTS") if row["host"] == address(server))


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
