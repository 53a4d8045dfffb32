"""Whatever an outside party sends gets a clear error or a closed connection, and nobody else notices."""
import contextlib
import pathlib
import random
import re
import resource
import signal
import socket
import ssl
import struct
import threading

import pytest

from harness import raw
from harness.plugin import tls_settings
from harness.postgres import PASSWORDS
from harness.process import wait_until
from harness.raw import message, sync


NOISE = random.Random(1)        # The same in each run: a test that fails can be run again.


@pytest.fixture
def bystander(pgweir):
    """A client that was there before, and must still be served after."""
    client = pgweir.raw("app")
    assert client.value("SELECT 1") == "1"
    yield client
    assert client.value("SELECT 'unaffected'") == "unaffected"
    client.close()
    newcomer = pgweir.raw("app")
    assert newcomer.value("SELECT 1") == "1"
    newcomer.close()


def connect(target, timeout_s=60) -> raw.Client:
    return raw.Client(target.host, target.port, timeout_s=timeout_s)


def end_of(client: raw.Client) -> bytes:
    """What the other side says until it closes; a reset counts as closed."""
    said = b""
    try:
        while piece := client.sock.recv(65536):
            said += piece
    except ConnectionResetError:
        pass
    client.close()
    return said


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\nHost: db\r\n\r\n", b"\0" * 64, b"\xff" * 64, b"SSH-2.0-OpenSSH_9.2\r\n", NOISE.randbytes(4000),
    b"\x16\x03\x01\x02\x00" + NOISE.randbytes(100), struct.pack("!i", 4), struct.pack("!i", 0), struct.pack("!i", -1),
    struct.pack("!ii", 8, 99 << 16), struct.pack("!ii", 7, raw.SSL_REQUEST), struct.pack("!ii", 9, raw.SSL_REQUEST) + b"\0",
    struct.pack("!ii", 10001, 3 << 16), struct.pack("!ii", 1 << 30, 3 << 16), struct.pack("!ii", 0x7fffffff, 3 << 16),
    struct.pack("!ii", 15, raw.CANCEL_REQUEST) + b"1234567", struct.pack("!ii", 8, raw.CANCEL_REQUEST),
    struct.pack("!ii", 2000, raw.CANCEL_REQUEST) + bytes(1992),
    struct.pack("!ii", 12, 3 << 16) + b"user", struct.pack("!ii", 9, 3 << 16) + b"\0",
    struct.pack("!ii", 20, 3 << 16) + b"user\0a\0\0\0\0\0\0"], ids=range(21))
def test_garbage_instead_of_a_startup_packet_is_refused(pgweir, bystander, garbage):
    client = connect(pgweir)
    client.send(garbage)
    client.half_close()
    said = end_of(client)
    assert said[:1] in (b"", b"E", b"\x15", b"S"), said


@pytest.mark.parametrize("seed", range(5))
def test_random_bytes_after_login_end_that_session_only(pgweir, bystander, seed):
    noise = random.Random(seed)
    client = pgweir.raw("app")
    client.send(bytes(noise.randrange(256) for _ in range(2000)))
    client.half_close()
    end_of(client)


@pytest.mark.parametrize("kind", list("QPBDECSHFdcfXp") + ["?"])
def test_a_length_word_of_1_gib_is_refused_or_waits_without_memory(pgweir, bystander, kind):
    """Nothing is allocated for what has only been announced."""
    before_kib = pgweir.memory_kib() if hasattr(pgweir, "process") else 0
    client = pgweir.raw("app")
    client.send(kind.encode() + struct.pack("!i", 1 << 30) + b"x" * 1000)
    client.half_close()
    end_of(client)
    if hasattr(pgweir, "process"):
        assert pgweir.memory_kib() - before_kib < 16 * 1024


@pytest.mark.parametrize("kind", list("QPBDECSHFdcfX"))
@pytest.mark.parametrize("length", [0, 3, -1, -(1 << 31)])
def test_a_length_word_that_cannot_be_is_refused(pgweir, bystander, kind, length):
    client = pgweir.raw("app")
    client.send(kind.encode() + struct.pack("!i", length) + bytes(16))
    said = end_of(client)
    assert said[:1] in (b"", b"E"), said


def test_a_1_gib_length_word_during_login_is_refused(pgweir, bystander):
    client = connect(pgweir)
    client.send(raw.startup({"user": "app", "database": pgweir.database("app")}))
    client.receive()
    client.send(b"p" + struct.pack("!i", 1 << 30) + b"x" * 1000)
    said = end_of(client)
    assert said[:1] in (b"", b"E")


@pytest.mark.parametrize("body", [
    message("P", b"no end"), message("P", b"s\0SELECT 1\0\x7f\xff"), message("B", b"\0\0\xff\xff"), message("B", b"\0\0\0\0\0\1\0\0\0\5ab"),
    message("D", b""), message("D", b"X\0"), message("E", b"\0"), message("C", b"Q\0"), message("Q", b"SELECT 1"), message("Q", b""),
    message("H", b"surplus"), message("S", b"surplus"), message("F", b"\0\0")], ids=range(13))
def test_messages_with_a_broken_body_get_an_error(pgweir, bystander, body):
    client = pgweir.raw("app")
    client.send(body + sync())
    client.half_close()
    replies = client.read_to_end()
    assert "E" in raw.types(replies) or raw.types(replies) in ("", "Z")
    client.close()


def test_a_password_message_outside_login_is_refused(pgweir, bystander):
    client = pgweir.raw("app")
    client.send(message("p", b"again\0"))
    client.half_close()
    error = raw.error_of(client.read_to_end())
    assert error["C"] == "08P01"


def test_copy_data_outside_of_copy_is_ignored_as_postgresql_does(pgweir, bystander):
    client = pgweir.raw("app")
    client.send(raw.copy_data(b"stray") + raw.copy_done() + raw.copy_fail("stray"))
    assert client.value("SELECT 1") == "1"
    client.close()


@pytest.mark.threaded
@pytest.mark.parametrize("options", ["-i", "-c local_preload_libraries=there_is_none", "-c post_auth_delay=30"])
def test_a_login_that_a_client_makes_fail_or_stall_is_waited_for_by_that_client_only(start_pgweir, options):
    """Whoever comes after it may use what lies idle, of this worker or another, and room that is left."""
    proxy = start_pgweir({"database app": {"pool_size": 2}})
    before = proxy.raw("app")
    hostile = connect(proxy)
    hostile.send(raw.startup({"user": "app", "database": "app", "options": options}))
    refused = threading.Thread(target=lambda: pytest.raises((raw.ServerError, raw.Closed), hostile.authenticate, "app", PASSWORDS["app"]))
    refused.start()
    if "delay" in options:
        wait_until(lambda: proxy.pool("app")["cl_waiting"] == 1)
    else:
        refused.join()
    for client in [before, *(proxy.raw("app") for _ in range(4))]:
        assert client.value("SELECT 'unaffected'") == "unaffected"
    assert refused.is_alive() == ("delay" in options)
    hostile.half_close()
    refused.join()


@pytest.mark.ours
def test_for_who_waits_behind_a_slow_login_connections_are_not_opened_without_end(start_pgweir):
    """One that the client in front cannot use, since it was logged in with other settings, is not left idle and opened again."""
    may_log_in = threading.Event()

    def hold(backend) -> bool:
        return len(server.backends) > 1 and "seed" not in str(backend.startup) and not may_log_in.wait(60)

    with raw.FakeServer(on_startup=hold) as server:
        proxy = start_pgweir({"pgweir": {"threads": 1, "server_tls_sslmode": "disable"},
                              "database app": {"host": server.host, "port": server.port, "pool_size": 4}})
        holder, slow = proxy.raw("app"), proxy.raw("app")
        holder.ask("BEGIN")
        slow.send(raw.query("SELECT 'slow'"))
        wait_until(lambda: len(server.backends) == 2, what="its server connection is logging in")
        assert proxy.raw("app", seed="0.5", timeout_s=30).value("SELECT 'behind'") == "SELECT 'behind'"
        assert len(server.backends) <= 4            # One to say hello, and one for the query.
        may_log_in.set()
        assert raw.rows_of(slow.read_until_ready()) == [["SELECT 'slow'"]]


def test_many_silent_connections_disturb_nobody(pgweir, bystander):
    count = min(5000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500) if hasattr(pgweir, "process") else 150
    silent = [socket.create_connection((pgweir.host, pgweir.port)) for _ in range(count)]
    assert bystander.value("SELECT 1") == "1"
    for each in silent:
        each.close()


@pytest.mark.ours
@pytest.mark.parametrize("said", [b"", raw.startup({"user": "app", "database": "app"})], ids=["nothing", "hello"])
def test_who_does_not_log_in_keeps_no_newcomer_out(start_pgweir, said):
    """There is room for max_client_conn and a thousand. These have client_login_timeout, a minute, to say more."""
    proxy = start_pgweir({"pgweir": {"max_client_conn": 5}})
    kept = proxy.raw("app")
    silent = []
    for _ in range(1400):
        silent.append(socket.create_connection((proxy.host, proxy.port)))
        with contextlib.suppress(OSError):          # It may have been turned away already.
            silent[-1].sendall(said)

    def logs_in():
        try:
            proxy.raw("app", timeout_s=5).close()
            return True
        except (raw.ServerError, raw.Closed, OSError):      # Who is slow to speak is taken for another of those.
            return False

    wait_until(logs_in, 20, "somebody who is not silent logs in")
    assert kept.value("SELECT 'unaffected'") == "unaffected"
    for each in silent:
        each.close()


@pytest.mark.pooler
def test_silent_connections_are_closed_after_client_login_timeout(start_pgweir):
    proxy = start_pgweir({"pgweir": {"client_login_timeout": 3}})
    half = connect(proxy)
    half.send(raw.startup({"user": "app", "database": "app"}))
    half.receive()
    silent = connect(proxy)
    assert end_of(silent)[:1] in (b"", b"E")
    assert end_of(half)[:1] in (b"", b"E")


@pytest.mark.parametrize("cut", [0, 1, 5, 50, 150])
def test_a_tls_handshake_that_stops_half_way_disturbs_nobody(pgweir, bystander, cut):
    hello = client_hello()
    clients = []
    for _ in range(20):
        client = connect(pgweir)
        client.send(raw.ssl_request())
        assert client.receive_exactly(1) == b"S"
        client.send(hello[:cut])
        clients.append(client)
    assert bystander.value("SELECT 1") == "1"
    for client in clients:
        client.close()


def client_hello(alpn: str | None = None) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = raw.insecure_context(alpn).wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        connection.do_handshake()
    return outgoing.read()


@pytest.mark.ours
def test_a_crowd_of_tls_handshakes_from_one_address_does_not_go_ahead_of_another_address(start_pgweir, cluster):
    """They take a millisecond each. The log tells in which order they had their turn, since these end there: nobody speaks HTTP."""
    proxy = start_pgweir({"pgweir": {"login_threads": 1, **tls_settings(cluster)}})
    crowd = []
    for address in ["127.0.0.1"] * 300 + ["127.0.0.2"]:
        client = raw.Stream(socket.create_connection((proxy.host, proxy.port), source_address=(address, 0)))
        client.send(raw.ssl_request())
        assert client.receive_exactly(1) == b"S"
        crowd.append(client)
    proxy.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: all("\nState:\tT" in (thread / "status").read_text()
                           for thread in pathlib.Path(f"/proc/{proxy.process.pid}/task").iterdir()), what="it stands still")
    for client in crowd:
        client.send(client_hello("http/1.1"))
    proxy.process.send_signal(signal.SIGCONT)

    def turns():
        return re.findall(r'address="?([\d.]+):\d+"? phase="tls handshake"', proxy.log())

    wait_until(lambda: len(turns()) == 301, 60, "all have had their turn")
    assert turns().index("127.0.0.2") < 20
    for client in crowd:
        client.close()


@pytest.mark.memory
def test_memory_goes_back_when_a_flood_of_half_open_tls_handshakes_is_over(start_pgweir, cluster):
    """Each takes some 50 KiB, and the C library by itself gives none of it back."""
    proxy = start_pgweir({"pgweir": tls_settings(cluster)})
    kept = proxy.raw("app", tls=True)
    before_kib, hello, flood = proxy.memory_kib(), client_hello(), []
    for _ in range(1000):
        flood.append(connect(proxy))
        flood[-1].send(raw.ssl_request())
    for client in flood:
        assert client.receive_exactly(1) == b"S"
        client.send(hello)
    for client in flood:
        assert client.receive_exactly(1)                # The server's part of the handshake.
    peak_kib = proxy.memory_kib()
    assert peak_kib - before_kib > 20 * 1024
    for client in flood:
        client.close()
    wait_until(lambda: proxy.memory_kib() - before_kib < 10 * 1024, 30, "the memory is given back")
    assert kept.value("SELECT 'unaffected'") == "unaffected"


def test_garbage_inside_a_tls_handshake_is_refused(pgweir, bystander):
    for garbage in (NOISE.randbytes(500), b"\x16\x03\x01\xff\xff" + bytes(100), client_hello()[:-5] + b"\xff" * 5):
        client = connect(pgweir)
        client.send(raw.ssl_request())
        client.receive_exactly(1)
        client.send(garbage)
        client.half_close()
        end_of(client)


def test_bytes_sent_before_the_tls_handshake_are_not_taken_as_encrypted(pgweir, bystander):
    """CVE-2021-23214: a man in the middle must not slip a startup packet in ahead of the handshake."""
    client = connect(pgweir)
    client.send(raw.ssl_request() + raw.startup({"user": "app", "database": "app"}))
    said = end_of_with_timeout(client)
    assert said[:1] in (b"", b"E", b"S") and b"R" != said[1:2]


def end_of_with_timeout(client: raw.Client) -> bytes:
    client.sock.settimeout(1)
    said = b""
    try:
        while piece := client.sock.recv(65536):
            said += piece
    except (TimeoutError, ConnectionResetError):
        pass
    client.close()
    return said


@pytest.mark.ours
def test_a_connection_over_the_limit_is_told_so(start_pgweir):
    proxy = start_pgweir({"pgweir": {"max_client_conn": 3}})
    kept = [proxy.raw("app") for _ in range(3)]
    with pytest.raises((raw.ServerError, raw.Closed)) as caught:
        proxy.raw("app")
    assert caught.type is raw.ServerError and caught.value.sqlstate == "53300"
    kept.pop().close()

    def works():
        try:
            proxy.raw("app").close()
            return True
        except raw.ServerError:
            return False

    wait_until(works, what="a place is free again")
    for client in kept:
        client.close()


# --- Hostile servers ---

def fake(start_pgweir, server, **settings):
    return start_pgweir({"pgweir": {"pool_mode": "transaction", "server_tls_sslmode": "disable", "query_wait_timeout": 3,
                                    "server_login_retry": 1, **settings},
                         "database app": {"host": server.host, "port": server.port, "pool_size": 1}})


HOSTILE_REPLIES = {
    "gigabyte": b"D" + struct.pack("!i", 0x7fffffff) + b"x" * 1000,
    "negative": b"D" + struct.pack("!i", -5),
    "tiny": b"C" + struct.pack("!i", 2) + b"x",
    "unknown type": message("?", b"what") + raw.ready(),
    "garbage": NOISE.randbytes(3000),
    "copy unasked": message("W", b"\0\0\0") + raw.ready(),
    "bad status": message("Z", b"Q"),
    "long status": message("Z", b"II"),
    "authentication again": raw.authentication(3),
    "two errors": raw.error_response("XX000", "one") + raw.error_response("XX000", "two") + raw.ready(),
    "key again": raw.backend_key(1, b"abcd") + raw.ready(),
    "broken status": message("S", b"no end") + raw.ready(),
}


@pytest.mark.ours
@pytest.mark.parametrize("reply", HOSTILE_REPLIES.values(), ids=HOSTILE_REPLIES)
def test_a_server_that_breaks_the_protocol_costs_its_own_connection_only(start_pgweir, reply):
    def on_message(backend, got):
        if got.type == "Q" and b"hostile" in got.body:
            backend.send(reply)
            backend.close()
            return True

    with raw.FakeServer(on_message) as server:
        proxy = fake(start_pgweir, server, query_wait_timeout=100)
        victim, bystander = proxy.raw("app"), proxy.raw("app")
        assert bystander.value("SELECT 1") == "SELECT 1"
        victim.send(raw.query("SELECT hostile"))
        victim.half_close()
        end_of(victim)
        assert bystander.value("SELECT 2") == "SELECT 2"
        bystander.close()


SCRAM_FIRST = message("R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")
HOSTILE_LOGINS = {
    "closes": b"",
    "garbage": NOISE.randbytes(500),
    "unknown method": raw.authentication(99),
    "no mechanism": message("R", struct.pack("!i", 10) + b"\0"),
    "unknown mechanism": message("R", struct.pack("!i", 10) + b"ROT13\0\0"),
    "scram ok without proof": SCRAM_FIRST + raw.authentication(0),
    "scram bad nonce": SCRAM_FIRST + raw.authentication(11, b"r=other,s=c2FsdA==,i=4096"),
    "scram no iterations": SCRAM_FIRST + raw.authentication(11, b"r=x,s=c2FsdA==,i=0"),
    "scram endless iterations": SCRAM_FIRST + raw.authentication(11, b"r=x,s=c2FsdA==,i=2147483647"),
    "md5 short salt": raw.authentication(5, b"ab"),
    "cleartext without TLS": raw.authentication(3),
    "huge": b"R" + struct.pack("!i", 1 << 30),
    "ready at once": raw.ready(),
    "truncated error": message("E", b"SFATAL\0C28P01") + b"",
    "version 0 negotiation": message("v", struct.pack("!ii", 0, 1 << 30)),
}


@pytest.mark.ours
@pytest.mark.parametrize("reply", HOSTILE_LOGINS.values(), ids=HOSTILE_LOGINS)
def test_a_hostile_server_login_fails_cleanly_and_gives_no_password_away(start_pgweir, reply):
    replies = []

    def on_startup(backend):
        backend.send(reply)
        if reply:
            try:
                backend.sock.settimeout(1)
                while True:
                    replies.append(backend.receive())
            except (raw.Closed, TimeoutError, OSError):
                pass
        raise raw.Closed

    with raw.FakeServer(on_startup=on_startup) as server:
        proxy = fake(start_pgweir, server)
        try:
            client = proxy.raw("app")
            error = raw.error_of(client.ask("SELECT 1") if "E" else [])
            assert error["C"] and error["M"]
        except (raw.ServerError, raw.Closed) as failure:
            assert isinstance(failure, raw.ServerError) or replies is not None
        assert not any(b"app-secret" in each.body for each in replies)
        assert "app-secret" not in proxy.log()


@pytest.mark.ours
def test_a_server_that_never_answers_the_login_is_given_up(start_pgweir):
    with raw.FakeServer(on_startup=lambda backend: backend.receive()) as server:
        proxy = fake(start_pgweir, server, server_connect_timeout=1)
        try:
            client = proxy.raw("app")
            client.send(raw.query("SELECT 1"))
            error = client.read_until("E")[-1].fields()
        except raw.ServerError as failure:
            error = failure.fields
        assert error["C"] and error["M"]


def test_no_secret_reaches_the_log(pgweir, shared):
    with pytest.raises(raw.ServerError):
        pgweir.raw("app", password="a-wrong-secret")
    pgweir.raw("app").close()
    if hasattr(pgweir, "process"):
        for secret in ("app-secret", "a-wrong-secret", "admin-secret", "SCRAM-SHA-256$"):
            assert secret not in pgweir.log()
