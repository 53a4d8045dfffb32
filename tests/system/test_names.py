"""A host's name that leads to another server than before."""
import pytest

from harness.clusters import PROBE, own, row  # noqa: F401 (own is a fixture)
from harness.names import NAME, Renaming, needs_namespace
from harness.process import give_away, wait_until

pytestmark = pytest.mark.ours


@needs_namespace
def test_a_name_that_leads_elsewhere_is_followed(own, tmp_path):
    """Also by connections that are open, and where it is the only host."""
    old, new = own.primary, own.replicas[0]
    elsewhere = own.folder / "elsewhere"
    elsewhere.mkdir()
    give_away(elsewhere)
    new.stop()
    (new.data / "postgresql.auto.conf").open("a").write(f"\nlisten_addresses = '127.0.0.2'\nport = {old.port}\n"
                                                       f"unix_socket_directories = '{elsewhere}'\n")
    new.folder, new.port = elsewhere, old.port
    new.start()
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 {NAME}\n")
    proxy = Renaming(hosts, {"pgweir": {"pool_mode": "transaction", "dns_max_ttl": "100ms"},
                             "cluster main": {"hosts": f"{NAME}:{old.port}", **PROBE}, "database app": {"cluster": "main"}})
    proxy.start()
    try:
        client = proxy.raw("app")
        assert client.value("SELECT host(inet_server_addr())") == "127.0.0.1"
        wait_until(lambda: row(proxy)["timeline"] == 1, 10, "it has been looked at")
        new.sql("SELECT pg_promote()")
        with hosts.open("r+") as file:              # At no moment without the name.
            file.write("127.0.0.2")
        wait_until(lambda: client.value("SELECT host(inet_server_addr())") == "127.0.0.2", 15, "its connection is replaced")
        wait_until(lambda: row(proxy)["timeline"] == 2, 10, "the other server is looked at")
        assert "a name leads to another address" in proxy.log()
    finally:
        proxy.close_all()
        proxy.stop()
