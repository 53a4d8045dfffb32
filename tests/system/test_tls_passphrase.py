"""Private keys that are encrypted, with passphrases from secrets."""
import pathlib
import subprocess

import pytest

from harness import certs, raw
from harness.pgweir import binary
from harness.process import run, wait_until
from harness.rotation import assert_says_nothing, console, has_version, write

pytestmark = pytest.mark.ours

OLD, NEW = "old passphrase", "new passphrase"


def encrypt(key: pathlib.Path, to: pathlib.Path, passphrase: str) -> pathlib.Path:
    """In place of what was there, as whole as a mount does it."""
    fresh = to.with_suffix(".new")
    run(["openssl", "pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "1", "-in", key, "-out", fresh, "-passout", f"pass:{passphrase}"])
    fresh.replace(to)
    return to


def towards_clients(cluster, key: pathlib.Path, **more) -> dict:
    return {"client_tls_sslmode": "prefer", "client_tls_cert_file": cluster.certificates.server_cert,
            "client_tls_key_file": key, **more}


def test_certificate_key_and_passphrase_of_clients_are_renewed_together(start_pgweir, cluster, tmp_path):
    """Whoever writes the passphrase last needs no RELOAD."""
    certificates = cluster.certificates
    secret, cert = tmp_path / "passphrase", tmp_path / "tls.crt"
    write(secret, OLD)
    cert.write_bytes(certificates.server_cert.read_bytes())
    key = encrypt(certificates.server_key, tmp_path / "tls.key", OLD)
    proxy = start_pgweir({"pgweir": towards_clients(cluster, key, client_tls_cert_file=cert, client_tls_key_secret="rotated"),
                          "secret rotated": {"provider": "file", "path": secret}})
    first = proxy.certificate()
    new_cert, new_key = certs.issue(certificates.ca.parent, "server3", "/CN=localhost", "subjectAltName=DNS:localhost\n")
    cert.write_bytes(new_cert.read_bytes())
    encrypt(new_key, key, NEW)
    write(secret, NEW)
    wait_until(lambda: proxy.certificate() != first, what="the new certificate is shown")
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"
    assert_says_nothing(proxy, OLD, NEW)


def test_a_key_that_does_not_open_leaves_the_former_in_use(start_pgweir, cluster, tmp_path):
    secret = tmp_path / "passphrase"
    write(secret, OLD)
    key = encrypt(cluster.certificates.server_key, tmp_path / "tls.key", OLD)
    proxy = start_pgweir({"pgweir": towards_clients(cluster, key, client_tls_key_secret="rotated"),
                          "secret rotated": {"provider": "file", "path": secret}})
    encrypt(cluster.certificates.server_key, key, "neither")
    write(secret, NEW)
    wait_until(lambda: "does not hold its passphrase" in proxy.log(), what="the log says so")
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"


def test_clients_are_told_to_come_again_while_there_is_no_passphrase(start_pgweir, cluster, tmp_path):
    """Nobody who merely prefers TLS goes on in the clear."""
    secret = tmp_path / "passphrase"
    key = encrypt(cluster.certificates.server_key, tmp_path / "tls.key", OLD)
    proxy = start_pgweir({"pgweir": towards_clients(cluster, key, client_tls_key_secret="rotated"),
                          "secret rotated": {"provider": "file", "path": secret}})
    client = raw.Client(proxy.host, proxy.port)
    assert client.request_tls() == b"E"
    client.close()
    write(secret, OLD)
    wait_until(lambda: "the key has been read again" in proxy.log(), what="the passphrase is there")
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"


def test_a_reload_whose_secret_does_not_open_the_key_changes_nothing(start_pgweir, cluster, tmp_path):
    """That secret is new: it has been read by the time that the key is, and is forgotten again."""
    write(tmp_path / "right", OLD)
    write(tmp_path / "wrong", NEW)
    key = encrypt(cluster.certificates.server_key, tmp_path / "tls.key", OLD)
    proxy = start_pgweir({"pgweir": towards_clients(cluster, key, client_tls_key_secret="right"),
                          "secret right": {"provider": "file", "path": tmp_path / "right"}})
    proxy.sections["pgweir"]["client_tls_key_secret"] = "wrong"
    proxy.sections["secret wrong"] = {"provider": "file", "path": tmp_path / "wrong"}
    proxy.reload()
    wait_until(lambda: "configuration not reloaded" in proxy.log(), what="the reload is refused")
    assert "does not hold its passphrase" in proxy.log()
    assert [row["name"] for row in proxy.show("SECRETS")] == ["right"]
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"
    write(tmp_path / "wrong", OLD)
    proxy.reload()
    wait_until(lambda: "configuration reloaded" in proxy.log(), what="the reload is taken")
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"


def test_servers_and_probes_are_shown_a_certificate_whose_key_is_encrypted(start_pgweir, cluster, tmp_path):
    certificates = cluster.certificates
    secret = tmp_path / "passphrase"
    write(secret, OLD)
    key = encrypt(certificates.client_key, tmp_path / "client.key", OLD)
    host = f"{cluster.primary.host}:{cluster.primary.port}"
    proxy = start_pgweir({
        "cluster main": {"hosts": host, "probe_user": "certuser", "server_tls_sslmode": "verify-full",
                         "server_tls_ca_file": certificates.ca, "server_tls_cert_file": certificates.client_cert,
                         "server_tls_key_file": key, "server_tls_key_secret": "rotated"},
        "database app": {"cluster": "main", "user": "certuser"},
        "secret rotated": {"provider": "file", "path": secret}})
    assert proxy.raw("app").value("SELECT current_user") == "certuser"
    wait_until(lambda: "cluster has a primary" in proxy.log(), what="the probe has logged in")
    encrypt(certificates.client_key, key, NEW)
    write(secret, NEW)
    has_version(proxy, 2)
    console(proxy, "RECONNECT")
    assert proxy.raw("app").value("SELECT current_user") == "certuser"
    assert "former key" not in proxy.log()


@pytest.fixture
def in_secrets_manager(aws, monkeypatch, tmp_path, cluster):
    """The sections of a proxy whose keys towards clients and servers have their passphrases there, in two shapes."""
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    aws.put("prod/clients", OLD)
    aws.put("prod/servers", {"key": {"passphrase": OLD}})
    certificates, provider = cluster.certificates, {"provider": "aws-secrets-manager", "refresh_interval": "1h"}
    cert = tmp_path / "tls.crt"
    cert.write_bytes(certificates.server_cert.read_bytes())
    return {
        "pgweir": towards_clients(cluster, encrypt(certificates.server_key, tmp_path / "tls.key", OLD),
                                  client_tls_cert_file=cert, client_tls_key_secret="clients"),
        "database app": {"host": cluster.primary.host, "port": cluster.primary.port, "user": "certuser",
                         "server_tls_sslmode": "verify-full", "server_tls_ca_file": certificates.ca,
                         "server_tls_cert_file": certificates.client_cert,
                         "server_tls_key_file": encrypt(certificates.client_key, tmp_path / "client.key", OLD),
                         "server_tls_key_secret": "servers"},
        "secret clients": {**provider, "id": "prod/clients"},
        "secret servers": {**provider, "id": "prod/servers", "json_key": "key.passphrase"}}


def test_passphrases_in_secrets_manager_are_rotated_with_their_keys(start_pgweir, cluster, aws, in_secrets_manager):
    """As a rotation does it: the value to come, then the keys, then the labels."""
    certificates, sections = cluster.certificates, in_secrets_manager
    proxy = start_pgweir(sections)
    ready(proxy)
    first = proxy.certificate()
    assert proxy.raw("app", tls=True).value("SELECT current_user") == "certuser"
    aws.put("prod/clients", NEW, stages=["AWSPENDING"])
    aws.put("prod/servers", {"key": {"passphrase": NEW}}, stages=["AWSPENDING"])
    new_cert, new_key = certs.issue(certificates.ca.parent, "server4", "/CN=localhost", "subjectAltName=DNS:localhost\n")
    sections["pgweir"]["client_tls_cert_file"].write_bytes(new_cert.read_bytes())
    encrypt(new_key, sections["pgweir"]["client_tls_key_file"], NEW)
    encrypt(certificates.client_key, sections["database app"]["server_tls_key_file"], NEW)
    for name in ("clients", "servers"):
        aws.promote(f"prod/{name}")
        console(proxy, f"REFRESH SECRET {name}")
    wait_until(lambda: proxy.certificate() != first, what="the new certificate is shown")
    console(proxy, "RECONNECT")
    assert proxy.raw("app", tls=True).value("SELECT current_user") == "certuser"
    assert "former key" not in proxy.log() and "cannot be taken into use" not in proxy.log()
    assert_says_nothing(proxy, OLD, NEW)


def test_commands_and_a_passphrase_in_secrets_manager(start_pgweir, aws, in_secrets_manager):
    """`check` asks nobody over the network, so it leaves such keys alone. `doctor` asks."""
    proxy = start_pgweir(in_secrets_manager)
    ready(proxy)
    path = proxy.ini_path
    asked = len(aws.requests())
    check = command("check", path)
    assert check.returncode == 0 and "passphrase" not in check.stderr and len(aws.requests()) == asked, check.stderr
    doctor = command("doctor", path)
    assert doctor.returncode == 0 and len(aws.requests()) > asked, doctor.stdout
    for passphrase in (NEW, "yet another"):     # The previous value would open the key as well.
        aws.put("prod/clients", passphrase)
        aws.put("prod/servers", {"key": {"passphrase": passphrase}})
    lost = command("doctor", path)
    assert lost.returncode == 1 and 'secret "clients" does not hold its passphrase' in lost.stdout, lost.stdout
    # Why, OpenSSL says in words of chance: of 256 wrong passphrases one has what looks like an end.
    assert "could not load private key file" in lost.stdout and not lost.stderr
    assert not [text for text in (OLD, NEW) for said in (check, doctor, lost) if text in said.stdout + said.stderr]


def ready(proxy) -> None:
    wait_until(lambda: proxy.log().count("secret has a new value") == 2 and "the key has been read again" in proxy.log(),
               what="both passphrases are there")


def command(name: str, path) -> subprocess.CompletedProcess:
    """Without a terminal of its own: nothing may ask there."""
    return subprocess.run([binary(), name, "-c", path], capture_output=True, text=True, timeout=120, start_new_session=True)


@pytest.mark.parametrize("body, said", [
    ("", "is encrypted: name the [secret] with its passphrase"),
    ("client_tls_key_secret = wrong", 'secret "wrong" does not hold its passphrase'),
    ("client_tls_key_secret = rigth", 'there is no [secret rigth]; did you mean "right"?'),
    ("client_tls_key_secret = tokens", "makes tokens, and no passphrase"),
    ("client_tls_key_secret = right", None),
])
def test_check_opens_the_key(cluster, tmp_path, body, said):
    key = encrypt(cluster.certificates.server_key, tmp_path / "tls.key", OLD)
    path = tmp_path / "pgweir.ini"
    path.write_text(f"[pgweir]\nclient_tls_sslmode = prefer\nclient_tls_cert_file = {cluster.certificates.server_cert}\n"
                    f"client_tls_key_file = {key}\n{body}\n[database app]\nhost = 127.0.0.1\n"
                    f"[secret right]\nprovider = static\nvalue = {OLD}\n[secret wrong]\nprovider = static\nvalue = {NEW}\n"
                    "[secret tokens]\nprovider = rds-iam\n")
    result = command("check", path)
    assert result.returncode == (1 if said else 0), result.stderr
    assert (said or "") in result.stderr
    assert OLD not in result.stdout + result.stderr
