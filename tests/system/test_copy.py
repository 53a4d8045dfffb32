"""COPY in bulk: every byte arrives, and the proxy's memory stays flat. PGWEIR_TEST_COPY_MIB sets the size (1024: the bar)."""
import os
import socket

import pytest

from harness import raw
from harness.pgweir import Pgweir
from harness.process import wait_until

SIZE_MIB = int(os.environ.get("PGWEIR_TEST_COPY_MIB", "128"))
LINE = b"x" * 1023 + b"\n"
CHUNK = LINE * 64                       # 64 KiB per CopyData.


def memory_kib(target) -> int:
    return target.memory_kib() if isinstance(target, Pgweir) else 0


def assert_flat(target, before_kib: int) -> None:
    """Sanitizers keep freed memory, so there it says nothing; `make check` repeats these with a release build."""
    if isinstance(target, Pgweir) and not target.sanitized():
        grown_kib = target.memory_kib() - before_kib
        assert grown_kib < 2 * 1024, f"grew by {grown_kib} KiB"


@pytest.mark.bulk
@pytest.mark.parametrize("transport", ["plain", "tls"])
def test_copy_in_and_out_moves_everything_in_flat_memory(pgweir, cluster, transport):
    cluster.primary.sql("DROP TABLE IF EXISTS bulk; CREATE UNLOGGED TABLE bulk (line text); GRANT ALL ON bulk TO app", "app")
    client = pgweir.raw("app", tls=transport == "tls", timeout_s=120)
    assert client.value("SELECT 1") == "1"
    before_kib = memory_kib(pgweir)
    client.send(raw.query("COPY bulk FROM STDIN"))
    client.read_until("G")
    chunk = raw.copy_data(CHUNK)
    for n in range(SIZE_MIB * 16):
        client.send(chunk)
        if n % 256 == 0:
            assert_flat(pgweir, before_kib)
    client.send(raw.copy_done())
    done = client.read_until_ready()
    assert done[0].text() == f"COPY {SIZE_MIB * 1024}", done
    assert_flat(pgweir, before_kib)

    client.send(raw.query("COPY bulk TO STDOUT"))
    client.read_until("H")
    lines = 0
    while (got := client.receive()).type == "d":
        assert got.body == LINE
        lines += 1
        if lines % 65536 == 0:
            assert_flat(pgweir, before_kib)
    assert lines == SIZE_MIB * 1024
    client.read_until_ready()
    cluster.primary.sql("DROP TABLE bulk", "app")
    client.close()


@pytest.mark.bulk
def test_a_reader_that_stops_reading_makes_the_server_wait(pgweir, cluster):
    """Back-pressure: nothing but the sockets' buffers may hold the rows."""
    client = pgweir.raw("app", timeout_s=60)
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    assert client.value("SELECT 1") == "1"
    before_kib = memory_kib(pgweir)
    client.send(raw.query("SELECT n, repeat('y', 10000) FROM generate_series(1, 20000) n /* slow reader */"))
    wait_until(lambda: cluster.primary.sql(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND query LIKE '%slow reader%' AND pid <> pg_backend_pid()"),
        15, "the server waits for its client")
    assert_flat(pgweir, before_kib)
    other = pgweir.raw("app")
    assert other.value("SELECT 'unaffected'") == "unaffected"
    other.close()
    rows = client.read_until_ready()
    assert sum(1 for each in rows if each.type == "D") == 20000
    client.close()


def test_a_server_that_stops_reading_makes_the_client_wait(pgweir, cluster):
    """Its trigger waits for a lock that the test has."""
    cluster.primary.sql("DROP TABLE IF EXISTS held; CREATE TABLE held (line text); GRANT ALL ON held TO app; "
                        "CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_xact_lock(4715); RETURN NULL; END$$; "
                        "CREATE TRIGGER wait BEFORE INSERT ON held FOR EACH ROW WHEN (NEW.line = 'stop') EXECUTE FUNCTION wait()", "app")
    client = pgweir.raw("app")
    client.ask("SELECT 1")
    before_kib = memory_kib(pgweir)
    with cluster.primary.connect("app") as holder:
        holder.execute("SELECT pg_advisory_lock(4715)")
        client.send(raw.query("COPY held FROM STDIN"))
        client.read_until("G")
        client.send(raw.copy_data(b"stop\n"))
        client.sock.settimeout(0.5)
        sent_mib = 0
        with pytest.raises(TimeoutError):
            while sent_mib < 200:
                client.send(raw.copy_data(CHUNK) * 16)
                sent_mib += 1
        assert sent_mib < 100
        assert_flat(pgweir, before_kib)
        client.close()                  # In the middle of a message: the COPY must fail, not hang.
    wait_until(lambda: not cluster.primary.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY held%' AND state = 'active'"),
               30, "the COPY is gone")


@pytest.mark.bulk
def test_one_value_of_64_mib_passes_both_ways(pgweir):
    client = pgweir.raw("app", timeout_s=120)
    client.ask("SELECT 1")
    before_kib = memory_kib(pgweir)
    size = 64 << 20
    client.send(raw.parse("SELECT $1::text") + raw.bind("z" * size) + raw.execute() + raw.sync())
    replies = client.read_until_ready()
    assert raw.types(replies) == "12DCZ" and len(replies[2].values()[0]) == size
    assert_flat(pgweir, before_kib)
    client.close()
