"""A cancel request reaches exactly the query it was meant for, or nobody."""
import contextlib
import threading
import time

import psycopg
import pytest

from harness import raw
from harness.names import NAME, Renaming, needs_namespace
from harness.process import free_port, listen, wait_until


def send_cancel(target, pid: int, key: bytes, tls: bool = False) -> None:
    """As PQcancel does: a connection of its own, and then waits for the other side to close it."""
    client = raw.Client(target.host, target.port)
    if tls:
        assert client.request_tls() == b"S"
    client.send(raw.cancel_request(pid, key))
    with contextlib.suppress(raw.Closed, OSError):
        client.receive_exactly(1)
    client.close()


def is_running(cluster, marker: str) -> bool:
    """For a while already: who asks and ends in the same breath wants an answer."""
    return bool(cluster.primary.sql(
        "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE %s AND pid <> pg_backend_pid()"
        " AND query_start < clock_timestamp() - interval '50 ms'",
        parameters=[f"%{marker}%"]))


def start_sleep(client: raw.Client, cluster, marker: str) -> None:
    client.send(raw.query(f"SELECT pg_sleep(60) /* {marker} */"))
    wait_until(lambda: is_running(cluster, marker), what=f"{marker} runs")


@pytest.mark.threaded
@pytest.mark.parametrize("mode", ["app", "session"])
def test_libpq_cancels_its_running_query(pgweir, cluster, mode):
    connection = pgweir.connect(mode)
    failure = []

    def work():
        try:
            connection.execute("SELECT pg_sleep(60) /* libpq cancel */")
        except psycopg.errors.QueryCanceled as error:
            failure.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: is_running(cluster, "libpq cancel"))
    connection.cancel()
    thread.join(60)
    assert failure and failure[0].sqlstate == "57014"
    assert connection.execute("SELECT 1").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("mode", ["app", "session"])
def test_a_cancel_request_may_come_over_tls_or_not(pgweir, cluster, mode, tls):
    client = pgweir.raw(mode, tls=True)
    start_sleep(client, cluster, "raw cancel")
    send_cancel(pgweir, client.pid, client.key, tls)
    assert raw.error_of(client.read_until_ready())["C"] == "57014"
    assert client.value("SELECT 1") == "1"
    client.close()


@pytest.mark.parametrize("what", ["pid", "key"])
def test_a_cancel_with_a_wrong_pid_or_key_does_nothing(pgweir, cluster, what):
    client = pgweir.raw("app")
    with cluster.primary.connect("app") as holder:
        holder.execute("SELECT pg_advisory_lock(1)")
        client.send(raw.query("SELECT 'survived', pg_advisory_xact_lock(1) /* wrong cancel */"))
        wait_until(lambda: is_running(cluster, "wrong cancel"))
        wrong_key = bytes([client.key[0] ^ 1]) + client.key[1:]
        send_cancel(pgweir, client.pid ^ 1 if what == "pid" else client.pid, wrong_key if what == "key" else client.key)
    assert raw.rows_of(client.read_until_ready())[0][0] == "survived"
    client.close()


def test_a_cancel_of_an_idle_client_does_nothing(pgweir):
    client = pgweir.raw("one")
    assert client.value("SELECT 1") == "1"
    send_cancel(pgweir, client.pid, client.key)
    assert client.value("SELECT pg_sleep(0.05)::text || 'fine'") == "fine"
    client.close()


@pytest.mark.threaded
def test_a_stale_cancel_never_hits_the_next_client_on_the_same_server_connection(pgweir):
    """pgdog#1505: between the two the server connection changes hands."""
    first, second = pgweir.raw("one"), pgweir.raw("one")
    for _ in range(30):
        assert first.value("SELECT 1") == "1"
        canceller = threading.Thread(target=send_cancel, args=(pgweir, first.pid, first.key))
        canceller.start()
        assert second.value("SELECT pg_sleep(0.01)::text || 'mine'") == "mine"
        canceller.join()
    first.close()
    second.close()


@pytest.mark.threaded
def test_a_cancel_that_races_the_end_of_its_query_hits_nobody_else(pgweir):
    """The server connection must not be lent out while a cancel for its last borrower is in flight."""
    first, second = pgweir.raw("one"), pgweir.raw("one")
    for _ in range(30):
        first.send(raw.query("SELECT pg_sleep(0.01)"))
        second.send(raw.query("SELECT pg_sleep(0.01)::text || 'mine'"))
        canceller = threading.Thread(target=send_cancel, args=(pgweir, first.pid, first.key))
        canceller.start()
        first.read_until_ready()                # Cancelled or not: both are right.
        assert raw.rows_of(second.read_until_ready()) == [["mine"]]
        canceller.join()
    first.close()
    second.close()


@pytest.mark.pooler
def test_a_queued_client_can_cancel(pgweir, cluster):
    """With the pool full the query has no server connection yet; the cancel must not get lost (pgdog#1362)."""
    holder, queued = pgweir.raw("one"), pgweir.raw("one")
    start_sleep(holder, cluster, "pool holder")
    queued.send(raw.query("SELECT 'queued'"))
    wait_until(lambda: pgweir.pool("one")["cl_waiting"] == 1, what="the second client waits")
    send_cancel(pgweir, queued.pid, queued.key)
    assert raw.error_of(queued.read_until_ready())["C"] == "57014"
    assert is_running(cluster, "pool holder")
    send_cancel(pgweir, holder.pid, holder.key)
    assert raw.error_of(holder.read_until_ready())["C"] == "57014"
    assert queued.value("SELECT 'later'") == "later"
    holder.close()
    queued.close()


@pytest.mark.pooler
def test_a_queued_transaction_that_is_cancelled_never_runs(pgweir, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS never; CREATE TABLE never (n int); GRANT ALL ON never TO app", "app")
    holder, queued = pgweir.raw("one"), pgweir.raw("one")
    start_sleep(holder, cluster, "pool holder")
    queued.send(raw.extended("INSERT INTO never VALUES (1)"))
    wait_until(lambda: pgweir.pool("one")["cl_waiting"] == 1)
    send_cancel(pgweir, queued.pid, queued.key)
    assert raw.error_of(queued.read_until_ready())["C"] == "57014"
    send_cancel(pgweir, holder.pid, holder.key)
    holder.read_until_ready()
    assert holder.value("SELECT count(*) FROM never") == "0"
    holder.close()
    queued.close()


@pytest.mark.pooler
def test_one_of_1000_queued_clients_is_cancelled_and_the_others_are_not(pgweir, cluster):
    holder = pgweir.raw("one")
    clients = [pgweir.raw("one") for _ in range(1000)]
    start_sleep(holder, cluster, "pool holder")
    for client in clients:
        client.send(raw.query("SELECT 'answered'"))
    wait_until(lambda: pgweir.pool("one")["cl_waiting"] == 1000, 20, "all wait")
    middle = clients[500]
    send_cancel(pgweir, middle.pid, middle.key)
    assert raw.error_of(middle.read_until_ready())["C"] == "57014"
    send_cancel(pgweir, holder.pid, holder.key)
    holder.read_until_ready()
    for client in clients:
        if client is not middle:
            assert raw.rows_of(client.read_until_ready()) == [["answered"]]
        client.close()
    holder.close()


@pytest.mark.ours
def test_a_cancel_that_reaches_a_peer_is_passed_on(start_pgweir, cluster):
    """Several processes behind one address: the cancel may land in the wrong one."""
    ports = [free_port(), free_port()]
    peers = {str(number + 1): f"host=127.0.0.1 port={port}" for number, port in enumerate(ports)}
    first, second = (start_pgweir({
        "pgweir": {"listen_port": port, "peer_id": number + 1}, "peers": peers, "database app": {"pool_size": 2},
    }) for number, port in enumerate(ports))
    for home, other in ((first, second), (second, first)):
        client = home.raw("app")
        start_sleep(client, cluster, "peer cancel")
        send_cancel(other, client.pid, client.key)
        assert raw.error_of(client.read_until_ready())["C"] == "57014"
        client.close()


@pytest.mark.ours
@needs_namespace
def test_a_cancel_finds_a_peer_at_the_second_of_its_addresses(start_pgweir, cluster, tmp_path):
    """Nobody listens at the first one, which /etc/hosts gives nonetheless: ::1 for localhost, say."""
    ports = [free_port(), free_port()]
    hosts = tmp_path / "hosts"
    hosts.write_text(f"::1 {NAME}\n127.0.0.1 {NAME}\n")
    server = {"host": cluster.primary.host, "port": cluster.primary.port}
    first, second = ({"pgweir": {"listen_port": port, "peer_id": number}, "database app": server,
                      "peers": {number: f"host=127.0.0.1 port={port}", 3 - number: f"host={NAME} port={ports[2 - number]}"}}
                     for number, port in enumerate(ports, 1))
    home, other = start_pgweir(first), Renaming(hosts, second)
    other.start()
    try:
        client = home.raw("app")
        start_sleep(client, cluster, "second address")
        send_cancel(other, client.pid, client.key)
        assert raw.error_of(client.read_until_ready())["C"] == "57014"
    finally:
        other.close_all()
        other.stop()


@pytest.mark.ours
def test_a_cancel_for_nobody_does_not_travel_between_peers_for_ever(start_pgweir):
    ports = [free_port(), free_port()]
    peers = {str(number + 1): f"host=127.0.0.1 port={port}" for number, port in enumerate(ports)}
    first, second = (start_pgweir({
        "pgweir": {"listen_port": port, "peer_id": number + 1}, "peers": peers, "database app": {},
    }) for number, port in enumerate(ports))
    for number in range(1, 4):
        for at in (first, second):
            send_cancel(at, number << 20 | 77, b"\1\2\3\4")
    assert first.raw("app").value("SELECT 1") == "1" and second.raw("app").value("SELECT 1") == "1"


@pytest.mark.ours
def test_protocol_3_2_clients_get_a_long_cancel_key_that_works(pgweir, cluster):
    client = pgweir.raw("app", version=raw.PROTOCOL_3_2)
    assert client.negotiated is None and 4 < len(client.key) <= 256
    start_sleep(client, cluster, "long key")
    send_cancel(pgweir, client.pid, client.key[:4])
    send_cancel(pgweir, client.pid, client.key[:-1] + bytes([client.key[-1] ^ 1]))
    assert is_running(cluster, "long key")
    send_cancel(pgweir, client.pid, client.key)
    assert raw.error_of(client.read_until_ready())["C"] == "57014"
    client.close()


@pytest.mark.pooler
def test_vanished_clients_cost_no_query_and_no_server_connection(pgweir, cluster):
    """A client that dies in the middle of a query: cancel, drain, roll back, reuse."""
    backend = pgweir.raw("one").value("SELECT pg_backend_pid()")
    for beginning in ("", "BEGIN; SELECT 1; "):
        client = pgweir.raw("one")
        client.send(raw.query(f"{beginning}SELECT pg_sleep(60) /* vanished */"))
        wait_until(lambda: is_running(cluster, "vanished"))
        time.sleep(0.1)                     # What ends within 5 ms of its query has ended in the same breath.
        client.close()
        wait_until(lambda: not is_running(cluster, "vanished"), 5, "the query is gone")
        survivor = pgweir.raw("one")
        assert survivor.value("SELECT pg_backend_pid()") == backend
        assert survivor.value("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND pid = pg_backend_pid()") == "0"
        survivor.close()


@pytest.mark.pooler
def test_a_client_that_vanishes_inside_a_transaction_is_rolled_back(pgweir, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS abandoned; CREATE TABLE abandoned (n int); GRANT ALL ON abandoned TO app", "app")
    for mode in ("one", "session"):
        client = pgweir.raw(mode)
        client.ask("BEGIN")
        client.ask("INSERT INTO abandoned VALUES (1)")
        client.close()
        other = pgweir.raw(mode)
        assert other.value("SELECT count(*) FROM abandoned") == "0"
        other.close()
        wait_until(lambda: not cluster.primary.sql(
            "SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'abandoned'", "app"),
            what="its locks are gone")


def test_a_client_that_vanishes_with_rows_in_flight_leaves_a_clean_server_connection(pgweir):
    """pgagroal: the next client received rows of the one that died."""
    for _ in range(5):
        client = pgweir.raw("one")
        client.send(raw.query("SELECT 'stale' || n, repeat('x', 1000) FROM generate_series(1, 100000) n"))
        client.read_until("D", 3)
        client.close()
        other = pgweir.raw("one")
        assert raw.rows_of(other.ask("SELECT 'fresh'")) == [["fresh"]]
        other.close()


def test_a_client_that_vanishes_inside_copy_in_loads_nothing(pgweir, cluster):
    cluster.primary.sql("DROP TABLE IF EXISTS half; CREATE TABLE half (n int); GRANT ALL ON half TO app", "app")
    client = pgweir.raw("one")
    client.send(raw.query("COPY half FROM STDIN"))
    client.read_until("G")
    client.send(raw.copy_data(b"1\n2\n"))
    client.close()
    other = pgweir.raw("one")
    assert other.value("SELECT count(*) FROM half") == "0"
    other.close()


def until_cancelled(server, backend) -> None:
    """Answers as a server whose query runs until somebody cancels it."""
    wait_until(lambda: server.cancels, what="a cancel request came")
    server.cancels.clear()
    backend.send(raw.error_response("57014", "canceled") + raw.ready())


def cancels_found(proxy) -> int:
    return sum(row["cancels_delivered"] for row in proxy.show("THREADS"))


@pytest.fixture
def fake_server():
    def on_message(backend, got):
        if b"SET " in got.body:
            server.settings_asked.set()
            server.settings_may_end.wait(60)
        if (got.type == "Q" and b"endless" in got.body) or server.cancels:
            server.query_runs.set()
            until_cancelled(server, backend)
            return True

    with raw.FakeServer(on_message) as server:
        server.settings_asked, server.settings_may_end, server.query_runs = (threading.Event() for _ in range(3))
        yield server
        server.settings_may_end.set()
        server.cancel_may_end.set()


def in_front_of(start_pgweir, server):
    return start_pgweir({"pgweir": {"auth_type": "trust", "pool_mode": "transaction", "state_audit": "off"},
                         "database app": {"host": server.host, "port": server.port, "pool_size": 1}})


@pytest.mark.ours
def test_a_cancel_hits_the_query_and_not_the_settings_ahead_of_it(start_pgweir, fake_server):
    """They are in one packet. Were the settings cancelled, the client would be told that they are bad, and thrown out."""
    proxy = in_front_of(start_pgweir, fake_server)
    first, client = proxy.raw("app"), proxy.raw("app", application_name="another")
    assert first.value("SELECT 1") == "SELECT 1"
    client.send(raw.query("SELECT endless"))
    assert fake_server.settings_asked.wait(60)
    canceller = threading.Thread(target=send_cancel, args=(proxy, client.pid, client.key))
    canceller.start()
    wait_until(lambda: cancels_found(proxy) == 1, what="the request came")
    time.sleep(0.1)         # For what must not happen.
    assert not fake_server.cancels
    fake_server.settings_may_end.set()
    assert raw.error_of(client.read_until_ready())["C"] == "57014"
    canceller.join(60)
    assert client.value("SELECT 2") == "SELECT 2"


def test_a_cancel_reaches_a_query_behind_a_statement_that_had_to_be_prepared(pgweir, cluster):
    """The server says nothing of that before the query ends."""
    client, other = pgweir.raw("one"), pgweir.raw("one")
    assert raw.good(client.ask(raw.parse("SELECT pg_sleep(60) /* prepared again */", "s") + raw.sync()))
    other.ask("DISCARD ALL")
    client.send(raw.bind(name="s") + raw.execute() + raw.sync())
    wait_until(lambda: is_running(cluster, "prepared again"))
    send_cancel(pgweir, client.pid, client.key)
    assert raw.error_of(client.read_until_ready())["C"] == "57014"
    assert client.value("SELECT 1") == "1"


@pytest.mark.parametrize("extended", [False, True], ids=["query", "batch"])
def test_a_cancel_reaches_a_query_behind_settings(pair, pgweir, cluster, extended):
    """Often enough for them to go as a batch, of which the server says nothing before the query ends."""
    client, other = pair
    client.ask("SET work_mem = '7MB'")
    for each in (client, other) * 3:
        each.ask("SELECT 1")
    sleep = "SELECT pg_sleep(60) /* behind settings */"
    client.send(raw.extended(sleep) if extended else raw.query(sleep))
    wait_until(lambda: is_running(cluster, "behind settings"))
    send_cancel(pgweir, client.pid, client.key)
    assert raw.error_of(client.read_until_ready())["C"] == "57014"
    assert client.value("SHOW work_mem") == "7MB"


@pytest.mark.ours
@pytest.mark.parametrize("message, rest", [
    (raw.query("SELECT 5"), ""), (raw.extended("SELECT 5"), ""), (raw.query("SELECT 5") + raw.query("SELECT 6"), "SELECT 6"),
    (raw.extended("SELECT 5") + raw.extended("SELECT 6"), "SELECT 6"), (raw.parse("SELECT 5", "s") + raw.flush(), None)],
    ids=["query", "batch", "queries", "batches", "flush"])
def test_a_cancel_that_hits_a_batch_of_settings_is_the_querys(start_pgweir, message, rest):
    """The settings are put in force again for what comes behind it; the query itself has not run."""
    hit = threading.Event()

    def on_message(backend, got):
        if hit.is_set() and got.type == "B" and backend.statement_of(got).startswith("BEGIN"):
            wait_until(lambda: server.cancels, what="a cancel request came")
            hit.clear()
            backend.failed = True
            backend.send(raw.error_response("57014", "canceled"))
        return backend.failed

    with raw.FakeServer(on_message) as server:
        proxy = in_front_of(start_pgweir, server)
        client, other = proxy.raw("app", work_mem="7MB"), proxy.raw("app", work_mem="9MB")
        for each in (client, other) * 3:
            each.ask("SELECT 1")
        hit.set()
        client.send(message)
        wait_until(lambda: any(b"SELECT 5" in each.received for each in server.backends), what="the server has it")
        send_cancel(proxy, client.pid, client.key)
        if rest is None:
            assert client.receive().fields()["C"] == "57014"
            client.send(raw.sync())
            assert raw.types(client.read_until_ready()) == "Z"
        else:
            answer = client.read_until_ready(raw.readies(message))
            assert raw.types(answer)[:2] == "EZ" and answer[0].fields()["C"] == "57014"
            assert [row[0] for row in raw.rows_of(answer)] == [rest] * bool(rest)
        assert client.value("SELECT 7") == "SELECT 7" and other.value("SELECT 8") == "SELECT 8"
        ran = [each.text() for each in server.seen if each.type == "Q"]
        assert ran.count("SELECT 7") == 1


def assert_ends_when_taken(client: raw.Client, canceller: raw.Client, fake_server) -> None:
    """The connection of a cancel request ends when the server has taken it, and not before."""
    fake_server.cancel_may_end.clear()
    client.send(raw.query("SELECT endless"))
    assert fake_server.query_runs.wait(60)
    canceller.send(raw.cancel_request(client.pid, client.key))
    assert raw.error_of(client.read_until_ready())["C"] == "57014"
    canceller.sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        canceller.receive_exactly(1)
    fake_server.cancel_may_end.set()
    canceller.sock.settimeout(60)
    with pytest.raises((raw.Closed, ConnectionError)):
        canceller.receive_exactly(1)
    canceller.close()
    assert client.value("SELECT 2") == "SELECT 2"


@pytest.mark.ours
def test_a_client_learns_when_the_server_has_taken_its_cancel(start_pgweir, fake_server):
    """As from PostgreSQL: its connection ends then. Who asks again sooner could lose the next query to the request."""
    proxy = in_front_of(start_pgweir, fake_server)
    client, canceller = proxy.raw("app"), raw.Client(proxy.host, proxy.port)
    assert_ends_when_taken(client, canceller, fake_server)


@pytest.mark.ours
def test_a_client_learns_when_a_peers_server_has_taken_its_cancel(start_pgweir, fake_server):
    """The peer says so as a server does. Otherwise the request could come late, and hit what the client asks next."""
    ports = [free_port(), free_port()]
    peers = {number: f"host=127.0.0.1 port={port}" for number, port in enumerate(ports, 1)}
    home, other = (start_pgweir({
        "pgweir": {"listen_port": port, "peer_id": number, "auth_type": "trust", "state_audit": "off"}, "peers": peers,
        "database app": {"host": fake_server.host, "port": fake_server.port, "pool_size": 1},
    }) for number, port in enumerate(ports, 1))
    client, canceller = home.raw("app"), raw.Client(other.host, other.port)
    assert_ends_when_taken(client, canceller, fake_server)


@pytest.mark.ours
@pytest.mark.parametrize("limit", ["1s", "60s"])
def test_a_peer_that_never_answers_a_cancel_is_waited_for_until_cancel_wait_timeout_or_the_end(start_pgweir, limit):
    with contextlib.closing(listen()) as silent:
        peers = {1: f"host=127.0.0.1 port={free_port()}", 2: f"host=127.0.0.1 port={silent.getsockname()[1]}"}
        proxy = start_pgweir({"pgweir": {"peer_id": 1, "cancel_wait_timeout": limit}, "peers": peers})
        canceller = raw.Client(proxy.host, proxy.port)
        canceller.send(raw.cancel_request(2 << 23 | 1 << 22, b"abcd"))
        peer, _ = silent.accept()
        if limit == "60s":
            proxy.stop()
        with pytest.raises((raw.Closed, ConnectionError)):
            canceller.receive_exactly(1)
        peer.close()
        canceller.close()
