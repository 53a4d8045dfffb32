"""What clients meet when another host becomes the primary, and what an old one never gets."""
import psycopg
import pytest

from harness.clusters import address, host, own, row, sections  # noqa: F401 (own is a fixture)
from harness.process import free_port, wait_until

pytestmark = pytest.mark.ours


def follow(replica, primary):
    """Has the replica stream from another primary."""
    replica.sql(f"ALTER SYSTEM SET primary_conninfo = 'host={primary.host} port={primary.port} user=repl password=repl-secret'")
    replica.sql("SELECT pg_reload_conf()")


def refused(proxy):
    with pytest.raises(psycopg.OperationalError) as caught:
        with proxy.connect("app", autocommit=True, sslmode="prefer") as connection:
            connection.execute("CREATE TABLE must_not_be (n int)")
    return str(caught.value)


def test_an_old_primary_that_is_cut_off_from_its_cluster_gets_no_write_also_after_a_restart(start_pgweir, own, tmp_path):
    """The proxy sees the old primary and a replica, but not the new primary: the replica's timeline tells."""
    old, (new, other) = own.primary, own.replicas
    settings = sections(old, f"127.0.0.1:{free_port()}", other)
    settings["pgweir"].update(query_wait_timeout="1s", state_dir=tmp_path)
    proxy = start_pgweir(settings)
    assert proxy.raw("app").value("SELECT inet_server_port()") == str(old.port)
    new.sql("SELECT pg_promote()")
    follow(other, new)
    wait_until(lambda: host(proxy, old)["state"] == "fenced", 20, "the replica shows the newer timeline")
    assert row(proxy)["state"] == "without primary" and host(proxy, other)["timeline"] == 2
    assert 'no primary is known in cluster "main"' in refused(proxy)

    # Nobody is left to tell but the file.
    proxy.stop()
    other.stop()
    record = tmp_path / "cluster-main"
    assert "timeline 2\n" in record.read_text()
    proxy = start_pgweir(settings)
    wait_until(lambda: host(proxy, old)["state"] == "fenced", 20, "it is known")
    assert 'no primary is known in cluster "main"' in refused(proxy)
    assert old.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")[0][0] == 0
    proxy.stop()

    record.write_text(record.read_text().replace("timeline 2", "timeline 3"))
    proxy = start_pgweir(settings)
    wait_until(lambda: row(proxy)["primary"] == address(old), 20, "a damaged file is none")
    assert "the record of a cluster is damaged" in proxy.log()
    wait_until(lambda: "timeline 1\n" in record.read_text(), 10, "and is written anew")
