"""COPY in bulk: every byte arrives, and the proxy's memory stays flat. PGWEIR_TEST_COPY_MIB sets the size (1024: the bar)."""
import os
import pathlib
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


def kernel_holds(client: raw.Client) -> int:
    """How many bytes for the client wait in the sockets of either end."""
    pair = {client.sock.getsockname()[1], client.sock.getpeername()[1]}
    held = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        ends = [int(words[n].split(":")[1], 16) for n in (1, 2)]
        if set(ends) == pair:
            held += int(words[4].split(":")[ends[0] == client.sock.getsockname()[1]], 16)
    return held


@pytest.fixture
def stalled(start_pgweir):
    """A client that reads nothing, and the rest of whose last answer is with pgweir; its server connection has been given back.
    With another client, and the proxy."""
    pgweir = start_pgweir({"pgweir": {"threads": 1, "default_pool_size": 1}})
    client, other, console = pgweir.raw("app"), pgweir.raw("app", timeout_s=20), pgweir.admin().cursor()
    queries = answered = 0
    while kernel_holds(client) == answered:
        size = 7000 if queries else 1 << 20     # The server sends so little at once, together with its ReadyForQuery.
        queries += 1
        client.send(raw.query(f"SELECT repeat('x', {size})"))
        wait_until(lambda: column(console, "STATS", "total_query_count") == [queries]
                   and column(console, "SERVERS", "state") == ["idle"], what="all is answered")
        answered += len(raw.row_description("repeat") + raw.data_row("x" * size) + raw.command_complete("SELECT 1") + raw.ready())
    assert answered - kernel_holds(client) < 7000
    yield client, other, pgweir
    pgweir.close_all()


def column(console, what: str, name: str) -> list:
    console.execute(f"SHOW {what}")
    at = [each.name for each in console.description].index(name)
    return [row[at] for row in console.fetchall() if "pgweir" not in row]


@pytest.mark.ours
def test_the_connection_of_a_client_that_reads_slowly_serves_the_next_one(stalled):
    client, other, _ = stalled
    assert other.value("SELECT 'unaffected'") == "unaffected"
    client.send(raw.query("SELECT 'read at last'"))
    while (last := raw.rows_of(client.read_until_ready())[0][0])[0] == "x":
        pass
    assert last == "read at last"


@pytest.mark.ours
def test_an_answer_that_cannot_be_passed_on_yet_costs_nothing(stalled):
    """The loop sleeps until the client reads."""
    client, _, pgweir = stalled
    client.send(raw.query("SELECT 'read at last'"))
    workers = [task / "stat" for task in pathlib.Path(f"/proc/{pgweir.process.pid}/task").iterdir()
               if (task / "comm").read_text().startswith("worker")]

    def sleeps() -> bool:
        return all(path.read_text().rsplit(")", 1)[1].split()[0] == "S" for path in workers for _ in range(200))

    assert workers
    wait_until(sleeps, what="the worker sleeps")
    while raw.rows_of(client.read_until_ready())[0][0] != "read at last":
        pass


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
