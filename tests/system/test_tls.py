"""TLS on both sides: modes, certificates, direct TLS, tickets, reload."""
import shutil
import socket
import ssl

import psycopg
import pytest

from harness import certs, raw
from harness.plugin import tls_settings
from harness.postgres import PASSWORDS
from harness.process import run, wait_until

pytestmark = pytest.mark.pooler


def settings(cluster, mode: str, **more) -> dict:
    return {**tls_settings(cluster), "client_tls_sslmode": mode, **more}


def test_require_refuses_clients_without_tls(start_pgweir, cluster):
    proxy = start_pgweir({"pgweir": settings(cluster, "require")})
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"
    with pytest.raises(raw.ServerError) as caught:
        proxy.raw("app")
    assert caught.value.fields["S"] == "FATAL"


@pytest.mark.parametrize("mode", ["allow", "prefer"])
def test_allow_and_prefer_take_both(start_pgweir, cluster, mode):
    proxy = start_pgweir({"pgweir": settings(cluster, mode)})
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"
    assert proxy.raw("app").value("SELECT 1") == "1"


def test_disable_declines_tls(start_pgweir, cluster):
    proxy = start_pgweir({"pgweir": {"client_tls_sslmode": "disable"}})
    client = raw.Client(proxy.host, proxy.port)
    assert client.request_tls() == b"N"
    client.login("app", "app", PASSWORDS["app"])
    assert client.value("SELECT 1") == "1"


@pytest.mark.ours
def test_verify_ca_wants_a_certificate_of_that_authority(start_pgweir, cluster):
    certificates = cluster.certificates
    proxy = start_pgweir({"pgweir": settings(cluster, "verify-ca", client_tls_ca_file=certificates.ca)})
    with proxy.connect("app", sslcert=certificates.client_cert, sslkey=certificates.client_key) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        proxy.connect("app", sslcert="/nonexistent")
    other = start_pgweir({"pgweir": settings(cluster, "verify-ca", client_tls_ca_file=certificates.other_ca)})
    with pytest.raises(psycopg.OperationalError):
        other.connect("app", sslcert=certificates.client_cert, sslkey=certificates.client_key)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_tls_1_2_and_1_3_are_spoken(pgweir, version):
    context = raw.insecure_context()
    context.minimum_version = context.maximum_version = version
    client = raw.Client(pgweir.host, pgweir.port)
    client.request_tls(context)
    client.login("app", "app", PASSWORDS["app"])
    assert client.sock.version() == f"TLSv{'1.2' if version == ssl.TLSVersion.TLSv1_2 else '1.3'}"
    assert client.value("SELECT 1") == "1"
    client.close()


@pytest.mark.ours
def test_direct_tls_needs_the_alpn_name(pgweir):
    client = raw.Client(pgweir.host, pgweir.port)
    client.start_tls(raw.insecure_context("postgresql"))
    assert client.sock.selected_alpn_protocol() == "postgresql"
    client.login("app", "app", PASSWORDS["app"])
    assert client.value("SELECT 1") == "1"
    client.close()
    for alpn in (None, "http/1.1"):
        client = raw.Client(pgweir.host, pgweir.port)
        with pytest.raises((ssl.SSLError, raw.Closed, OSError)):
            client.start_tls(raw.insecure_context(alpn))
            client.login("app", "app", PASSWORDS["app"])
        client.close()


@pytest.mark.ours
def test_alpn_is_answered_after_an_ssl_request_too(pgweir):
    client = raw.Client(pgweir.host, pgweir.port)
    client.request_tls(raw.insecure_context("postgresql"))
    assert client.sock.selected_alpn_protocol() == "postgresql"
    client.close()


@pytest.mark.ours
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_a_returning_client_resumes_its_session_by_ticket(pgweir, version):
    context = raw.insecure_context()
    context.minimum_version = context.maximum_version = version
    session = None
    reused = []
    for _ in range(2):
        sock = socket.create_connection((pgweir.host, pgweir.port))
        sock.sendall(raw.ssl_request())
        assert sock.recv(1) == b"S"
        tls = context.wrap_socket(sock, server_hostname="localhost", session=session)
        client = raw.Stream(tls)
        client.send(raw.startup({"user": "app", "database": "app"}))
        client.receive()                    # A TLS 1.3 ticket comes with the first data.
        session = tls.session
        reused.append(tls.session_reused)
        client.close()
    assert reused == [False, True]


class TlsByHand:
    """A socket whose records go out when told to."""

    def __init__(self, sock: socket.socket):
        self.sock, self.received, self.made = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = raw.insecure_context().wrap_bio(self.received, self.made, server_hostname="localhost")
        self.until_done(self.tls.do_handshake)

    def push(self) -> None:
        self.sock.sendall(self.made.read())

    def until_done(self, step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.push()
                self.received.write(self.sock.recv(65536))
            finally:
                self.push()

    def sendall(self, data: bytes) -> None:
        self.tls.write(data)
        self.push()

    def recv(self, size: int) -> bytes:
        return self.until_done(lambda: self.tls.read(size))

    def close(self) -> None:
        self.sock.close()


def test_a_goodbye_in_one_packet_with_a_message_is_heard(pgweir):
    """Behind it the client sends nothing, not even the end of the stream, before it has the answer."""
    client = pgweir.keep(raw.Client(pgweir.host, pgweir.port, timeout_s=20))
    client.send(raw.ssl_request())
    assert client.receive_exactly(1) == b"S"
    sock, client.sock = client.sock, TlsByHand(client.sock)
    client.login("app", pgweir.database("app"), PASSWORDS["app"])
    client.sock.tls.write(raw.sync())
    with pytest.raises(ssl.SSLWantReadError):
        client.sock.tls.unwrap()
    client.sock.push()
    while sock.recv(65536):
        pass


def test_large_results_pass_tls_whole(pgweir):
    client = pgweir.raw("app", tls=True)
    for size in (1, 16383, 16384, 16385, 100_000, 3_000_000):
        assert len(client.value(f"SELECT repeat('x', {size})")) == size
    client.close()


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_the_server_side_modes_work(start_pgweir, cluster, mode):
    proxy = start_pgweir({"pgweir": {"server_tls_sslmode": mode, "server_tls_ca_file": cluster.certificates.ca}})
    assert proxy.raw("app").value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "t"


def test_server_tls_may_be_disabled(start_pgweir):
    proxy = start_pgweir({"pgweir": {"server_tls_sslmode": "disable"}})
    assert proxy.raw("app").value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "f"


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_server_certificate_of_another_authority_is_refused(start_pgweir, cluster, mode):
    proxy = start_pgweir({"pgweir": {"server_tls_sslmode": mode, "server_tls_ca_file": cluster.certificates.other_ca,
                                     "query_wait_timeout": 2, "server_login_retry": 1}})
    with pytest.raises((raw.ServerError, raw.Closed)):
        proxy.raw("app").value("SELECT 1")


def test_a_server_that_declines_tls_is_refused_when_it_is_required(start_pgweir):
    with raw.FakeServer() as server:
        proxy = start_pgweir({"pgweir": {"server_tls_sslmode": "require", "query_wait_timeout": 2, "server_login_retry": 1},
                              "database app": {"host": server.host, "port": server.port}})
        with pytest.raises((raw.ServerError, raw.Closed)):
            proxy.raw("app").value("SELECT 1")
        assert not server.backends


@pytest.mark.ours
def test_tls_can_differ_per_cluster_and_per_database(start_pgweir, cluster):
    primary = cluster.primary
    proxy = start_pgweir({
        "pgweir": {"server_tls_sslmode": "disable"},
        "cluster main": {"hosts": f"{primary.host}:{primary.port}", "server_tls_sslmode": "verify-full",
                         "server_tls_ca_file": cluster.certificates.ca, "probe_user": "app", "probe_password": PASSWORDS["app"]},
        "database app": {"cluster": "main"},
        "database plain": {"dbname": "app"},
        "database own": {"dbname": "app", "server_tls_sslmode": "require"}})
    used = [proxy.raw(name).value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") for name in ("app", "plain", "own")]
    assert used == ["t", "f", "t"]


@pytest.mark.ours
def test_an_expired_certificate_is_warned_of(start_pgweir, cluster, tmp_path):
    """Clients that verify it say "expired" and leave; whoever looks at the log or says RELOAD is told before they call."""
    shutil.copy(cluster.certificates.ca, tmp_path / "ca.crt")
    shutil.copy(cluster.certificates.ca.with_suffix(".key"), tmp_path / "ca.key")
    good, old = (certs.issue(tmp_path, name, "/CN=localhost", days=days) for name, days in (("good", 2), ("old", -1)))
    proxy = start_pgweir({"pgweir": settings(cluster, "require", client_tls_cert_file=good[0], client_tls_key_file=good[1])})
    assert "has expired" not in proxy.log()
    proxy.sections["pgweir"].update(client_tls_cert_file=old[0], client_tls_key_file=old[1])
    proxy.write()
    proxy.reload()
    wait_until(lambda: f"{old[0]}: the certificate has expired" in proxy.log(), what="the log tells of it")
    said = run([*proxy.command()[:-2], "check", *proxy.command()[-2:]]).stderr
    assert said.count("the certificate has expired") == 1
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"


@pytest.mark.ours
def test_certificates_are_reloaded_without_a_restart(start_pgweir, cluster, tmp_path):
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(cluster.certificates.server_cert, cert)
    shutil.copy(cluster.certificates.server_key, key)
    proxy = start_pgweir({"pgweir": {**settings(cluster, "require"), "client_tls_cert_file": cert, "client_tls_key_file": key}})
    old = proxy.raw("app", tls=True)
    first = old.sock.getpeercert(binary_form=True)
    folder = cluster.certificates.ca.parent
    new_cert, new_key = certs.issue(folder, "server2", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    shutil.copy(new_key, key)
    shutil.copy(new_cert, cert)
    proxy.reload()
    wait_until(lambda: proxy.certificate() != first, what="the new certificate is shown")
    assert old.value("SELECT 1") == "1"
    old.close()
