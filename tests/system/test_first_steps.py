"""`pgweir init` and `pgweir doctor`: a first pgweir.ini from a server, and what is wrong with one that does not work."""
import contextlib
import json
import os
import pathlib
import subprocess
import time
import urllib.parse

import pytest

from harness import raw
from harness.pgweir import binary, ini
from harness.postgres import PASSWORDS
from harness.process import free_port, run
from test_moving_in import Successor, write

pytestmark = pytest.mark.ours


def url(*servers, user: str = "app", password: str | None = None, dbname: str = "app") -> str:
    hosts = ",".join(f"{server.host}:{server.port}" for server in servers)
    password = urllib.parse.quote(PASSWORDS[user] if password is None else password, safe="")
    return f"postgresql://{user}:{password}@{hosts}/{dbname}"


def init(*arguments, check: bool = True):
    return run([binary(), "init", *arguments], check=check)


def diagnose(path: pathlib.Path, status: int) -> list[dict]:
    """The findings; every grade is counted right."""
    result = run([binary(), "doctor", "-c", path, "--json"], check=False)
    assert result.returncode == status, result.stdout + result.stderr
    said = json.loads(result.stdout)
    for grade in ("good", "note", "wrong"):
        assert said[grade] == sum(finding["grade"] == grade for finding in said["findings"])
    return said["findings"]


def found(findings: list[dict], grade: str, *words: str) -> dict:
    """The finding that has all the words; what is wrong comes with advice."""
    for finding in findings:
        if finding["grade"] == grade and all(word in finding["where"] + ": " + finding["finding"] for word in words):
            assert grade == "good" or grade == "note" or finding["advice"]
            return finding
    raise AssertionError(f"no {grade} finding with {words} in {json.dumps(findings, indent=1)}")


def test_init_writes_a_file_that_works_and_that_the_doctor_finds_well(cluster, replicas, tmp_path):
    path = tmp_path / "pgweir.ini"
    init("--url", url(replicas[0], cluster.primary, replicas[1], user="postgres"), "-o", path)
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"# {cluster.primary.host}:{cluster.primary.port} is the primary." in text and text.count("is a replica.") == 2
    assert "[database app]" in text and "[database other]" in text and "template" not in text and "superuser" in text
    assert "\nprobe_user = postgres\n" in text and text.count("\n;routing = auto\n") == text.count("[database ")
    findings = diagnose(path, 0)
    found(findings, "good", f":{cluster.primary.port}", "primary, PostgreSQL", "users get 197")
    found(findings, "good", f":{replicas[0].port}", "replica, PostgreSQL")
    found(findings, "good", "database app as postgres", "logs in")
    port = free_port()
    successor = Successor(text.replace("listen_port = 6432", f"listen_port = {port}"), port).start()
    try:
        assert successor.connect2("app", "postgres", sslmode="disable").cursor().execute("SELECT 1") is None
        assert successor.admin("postgres", sslmode="disable")
    finally:
        successor.close_all()
        successor.stop()


def test_init_never_overwrites_and_never_shows_the_password_in_an_error(cluster, tmp_path):
    path = write(tmp_path / "pgweir.ini", "mine")
    refused = init("--url", url(cluster.primary), "-o", path, check=False)
    assert refused.returncode == 1 and "--force" in refused.stderr and path.read_text() == "mine"
    init("--url", url(cluster.primary), "-o", path, "--force")
    # Who is no member of pg_monitor does not watch; and there is nothing to route to.
    assert "[user app]" in path.read_text() and "\n;probe_user = " in path.read_text() and "routing = " not in path.read_text()
    for bad in (url(cluster.primary, password="wrong-one"), "postgresql://app:wrong-one@[oops/app", "postgresql://app:wrong-one@h:0/x"):
        refused = init("--url", bad, check=False)
        assert refused.returncode == 1 and refused.stderr and "wrong-one" not in refused.stderr and refused.stdout == ""


def sections(servers, tmp_path, **more) -> pathlib.Path:
    """A pgweir.ini with one cluster and one database, and what a test puts over it."""
    users = write(tmp_path / "userlist.txt", '"app" "app-secret"\n')
    made = {
        "pgweir": {"listen_port": free_port(), "auth_file": users, "max_client_conn": 100, **more.pop("pgweir", {})},
        "cluster main": {"hosts": f"{servers.primary.host}:{servers.primary.port}", "probe_user": "postgres",
                         "probe_password": PASSWORDS["postgres"], **more.pop("cluster", {})},
        "database app": {"cluster": "main", "dbname": "app", **more.pop("database", {})},
        "user app": {"password": PASSWORDS["app"], **more.pop("user", {})},
    }
    return write(tmp_path / "pgweir.ini", ini(made))


def test_the_doctor_says_what_is_wrong_with_logins(cluster, tmp_path):
    findings = diagnose(sections(cluster, tmp_path, user={"password": "not-the-one"},
                                 pgweir={"auth_user": "other", "auth_query": "SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1"}), 1)
    assert "not-the-one" not in str(findings)
    assert "secret test" in found(findings, "wrong", "database app as app", "password authentication failed")["advice"]
    findings = diagnose(sections(cluster, tmp_path, database={"dbname": "nowhere"}), 1)
    assert "create it" in found(findings, "wrong", "database app as app", "does not exist")["advice"]
    path = sections(cluster, tmp_path, pgweir={"auth_user": "other"})
    write(tmp_path / "userlist.txt", '"other" "other-secret"\n')
    assert "GRANT" in found(diagnose(path, 1), "wrong", "database app as other", "auth_query", "pg_authid")["advice"]


def test_the_doctor_says_what_is_wrong_with_hosts(cluster, replicas, tmp_path):
    dead = free_port()
    findings = diagnose(sections(cluster, tmp_path, cluster={"hosts": f"127.0.0.1:{dead}, {replicas[0].host}:{replicas[0].port}"}), 1)
    assert "firewall" in found(findings, "wrong", f"127.0.0.1:{dead}")["advice"]
    found(findings, "wrong", "cluster main", "no host takes writes")
    findings = diagnose(sections(cluster, tmp_path, cluster={"probe_user": "app", "probe_password": PASSWORDS["app"]}), 1)
    assert "GRANT pg_monitor" in found(findings, "wrong", "app is no member of pg_monitor")["advice"]
    findings = diagnose(sections(cluster, tmp_path, pgweir={"server_tls_sslmode": "verify-full"}), 1)
    assert "server_tls_ca_file" in found(findings, "wrong", f":{cluster.primary.port}", "certificate")["advice"]
    findings = diagnose(sections(cluster, tmp_path, cluster={"hosts": "db.nowhere.invalid:5432"}), 1)
    assert "resolver" in found(findings, "wrong", "db.nowhere.invalid", "could not resolve")["advice"]


def says(**said):
    """For a FakeServer: it is a primary that is well, but for what is `said`; its clock goes `ahead_s` before ours."""
    def answers(backend, got):
        if got.type not in "DE" or "clock_timestamp" not in backend.sql and "rolconnlimit" not in backend.sql:
            return False
        clock = str(int((time.time() + said.get("ahead_s", 0)) * 1000))
        row = (said.get("recovering", "f"), said.get("version", "15.0"), said.get("number", "150000"), "7000000000000000001", clock,
               "200", "197", None, "t", said.get("receivers", "0"), said.get("behind_s", "0"))
        row = row if "clock_timestamp" in backend.sql else ("-1",)
        backend.send(raw.row_description(*"abcdefghijk"[:len(row)]) if got.type == "D"
                     else raw.data_row(*row) + raw.command_complete("SELECT 1"))
        return True
    return answers


@pytest.mark.parametrize(("ahead_s", "grade", "word"), [(0, None, None), (15, "note", "ahead"), (-15, "note", "behind"),
                                                         (90, "wrong", "ahead"), (-3600, "wrong", "behind")])
def test_the_doctor_says_whose_clock_differs(cluster, tmp_path, ahead_s, grade, word):
    with raw.FakeServer(on_message=says(ahead_s=ahead_s)) as server:
        findings = diagnose(sections(cluster, tmp_path, cluster={"hosts": f"127.0.0.1:{server.port}"}), 1 if grade == "wrong" else 0)
    found(findings, "good", f"127.0.0.1:{server.port}", "primary, PostgreSQL 15.0")
    told = [finding for finding in findings if "clock" in finding["finding"]]
    if grade is None:
        assert not told
    else:
        assert found(told, grade, "its clock is", "ms " + word)["advice"].startswith("let NTP set both clocks")


def test_the_doctor_says_what_is_wrong_with_replication_and_versions(cluster, tmp_path):
    """Of a replica that nothing comes in at and that lags, and of an old primary."""
    lame, old = says(recovering="t", behind_s="100"), says(version="12.9", number="120009")
    with raw.FakeServer(on_message=lame) as replica, raw.FakeServer(on_message=old) as primary:
        hosts = f"127.0.0.1:{primary.port}, 127.0.0.1:{replica.port}"
        findings = diagnose(sections(cluster, tmp_path, cluster={"hosts": hosts}), 1)
    assert "primary_conninfo" in found(findings, "wrong", f":{replica.port}", "no WAL comes in")["advice"]
    assert "max_lag" in found(findings, "note", f":{replica.port}", "has still to replay what is 100 s old")["advice"]
    assert "13 or later" in found(findings, "wrong", f":{primary.port}", "PostgreSQL 12.9 is not supported")["advice"]
    with raw.FakeServer(on_message=says(recovering="t", receivers="1", behind_s="20")) as replica:
        findings = diagnose(sections(cluster, tmp_path, cluster={"hosts": f"127.0.0.1:{replica.port}"}), 1)
    found(findings, "note", f":{replica.port}", "20 s old, more than max_lag: it gets no reads")
    with raw.FakeServer(on_message=says(recovering="t", receivers="1")) as replica:
        findings = diagnose(sections(cluster, tmp_path, cluster={"hosts": f"127.0.0.1:{replica.port}"}), 1)
    assert not [finding for finding in findings if "WAL" in finding["finding"] or "replay" in finding["finding"]]


def test_the_doctor_says_what_is_wrong_with_limits(cluster, tmp_path):
    findings = diagnose(sections(cluster, tmp_path, pgweir={"fleet_size": 4, "max_server_conn": 50}), 1)
    found(findings, "wrong", "max_server_conn allows 50 connections by 4 instances, the smallest host has 197")
    findings = diagnose(sections(cluster, tmp_path, pgweir={"fleet_size": 40}), 0)
    found(findings, "note", "want 800 connections")
    # Other tests' proxies may have some open.
    cluster.primary.sql("ALTER ROLE app CONNECTION LIMIT 150")
    try:
        found(diagnose(sections(cluster, tmp_path, pgweir={"default_pool_size": 180}), 1), "wrong", "may have 150 connections, the pool 180")
    finally:
        cluster.primary.sql("ALTER ROLE app CONNECTION LIMIT -1")


def test_the_doctor_says_what_is_wrong_with_files(cluster, tmp_path):
    path = sections(cluster, tmp_path, pgweir={"client_tls_sslmode": "require", "client_tls_key_file": cluster.certificates.server_key,
                                               "client_tls_cert_file": write(tmp_path / "cert.pem", "no certificate")})
    (tmp_path / "userlist.txt").chmod(0o644)
    path.chmod(0o644)
    findings = diagnose(path, 1)
    found(findings, "wrong", "auth_file", "read by everybody")
    found(findings, "wrong", "configuration", "everybody may read it")
    found(findings, "wrong", "TLS towards clients", "cert.pem cannot be parsed")
    said = run([binary(), "doctor", "-c", path], check=False)
    assert said.returncode == 1 and "wrong  auth_file: " in said.stdout and "       -> chmod o-rwx" in said.stdout


def watched(*command) -> tuple[str, str]:
    """What it writes to standard output, and to a terminal that is its standard error."""
    terminal, end = os.openpty()
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end, text=True) as process:
            os.close(end)
            seen = b""
            # Reading fails when nobody has the other end any more.
            with contextlib.suppress(OSError):
                while chunk := os.read(terminal, 4096):
                    seen += chunk
            return process.stdout.read(), seen.decode()
    finally:
        os.close(terminal)


def test_who_watches_a_terminal_sees_what_is_waited_for(cluster, tmp_path):
    primary = f"{cluster.primary.host}:{cluster.primary.port}"
    write(tmp_path / "password", PASSWORDS["app"]).chmod(0o600)
    path = sections(cluster, tmp_path, user={"secret": "app"})
    text = path.read_text().replace(f"password = {PASSWORDS['app']}\n", "")
    write(path, text + f"\n[secret app]\nprovider = file\npath = {tmp_path / 'password'}\n")
    commands = {
        ("doctor", "-c", path): ("reading secret app", f"asking {primary}, app as app"),
        ("secret", "test", "-c", path, "app"): ("reading secret app", f"logging in to {primary} as app"),
        ("init", "--url", url(cluster.primary)): (f"asking {primary}",),
    }
    for words, expected in commands.items():
        said, shown = watched(binary(), *words)
        lines = shown.split("\r\x1b[K")
        assert all(line in lines for line in expected), (words, shown)
        # What is wiped away leaves nothing behind, and does not get into what was asked for.
        assert lines[-1] == "" or lines[-1].startswith("pgweir: it holds a password"), shown
        assert said and "\x1b" not in said
        unwatched = run([binary(), *words], check=False)
        assert unwatched.stdout and not any(line in unwatched.stderr for line in expected) and "\x1b" not in unwatched.stderr


def test_the_doctor_reads_no_further_than_a_broken_file(tmp_path):
    findings = diagnose(write(tmp_path / "pgweir.ini", "[pgweir]\npool_mod = x\n"), 1)
    found(findings, "wrong", "configuration", "pgweir.ini:2", "pool_mode")
    assert not [finding for finding in findings if finding["grade"] == "good"]
