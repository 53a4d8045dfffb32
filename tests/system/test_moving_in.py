"""`pgweir import-pgbouncer`: a PgBouncer that runs, and pgweir in its place with what the import made of its files."""
import pathlib
import signal

import psycopg2
import pytest

from harness.pgbouncer import PgBouncer
from harness.pgweir import Pgweir, binary
from harness.postgres import PASSWORDS
from harness.process import end, remove_folder, run

pytestmark = pytest.mark.ours


def imported(ini: pathlib.Path, status: int = 0) -> str:
    result = run([binary(), "import-pgbouncer", ini], check=False)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout


def write(path: pathlib.Path, text: str) -> pathlib.Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


class Successor(Pgweir):
    """pgweir with a file that is given, but for a drain that the tests need not wait for."""

    def __init__(self, text: str, port: int):
        super().__init__({"pgweir": {"listen_port": port}})
        self.text = text.replace("[pgweir]\n", "[pgweir]\ndrain_delay = 0s\n", 1)

    def write(self) -> None:
        write(self.ini_path, self.text)


@pytest.fixture
def bouncer(cluster):
    """Debian's PgBouncer with the tests' usual sections: TLS, SCRAM, forced users, auth_query and pools of its own sizes."""
    place = {"host": cluster.primary.host, "port": cluster.primary.port}
    certificates = cluster.certificates
    made = PgBouncer({
        "pgweir": {"pool_mode": "transaction", "default_pool_size": 7, "auth_user": "authq", "server_tls_sslmode": "verify-full",
                   "server_tls_ca_file": certificates.ca, "client_tls_sslmode": "prefer",
                   "client_tls_cert_file": certificates.server_cert, "client_tls_key_file": certificates.server_key,
                   "auth_query": "SELECT * FROM pooler.get_auth($1)"},
        "database app": {**place, "dbname": "app", "pool_size": 3},
        "database forced": {**place, "dbname": "app", "user": "other", "password": PASSWORDS["other"]},
        "database *": place,
    }, users={name: PASSWORDS[name] for name in ("app", "admin", "stats", "authq", "md5user")})
    yield made.start()
    if made.process is not None:
        end(made.process, signal.SIGTERM)
    remove_folder(made.folder)


def logins(target) -> dict:
    """Who gets where through it, and as whom."""
    found = {}
    for database, user in (("app", "app"), ("forced", "app"), ("postgres", "app"), ("app", "md5user"), ("other", "other")):
        try:
            with target.connect2(database, user) as connection, connection.cursor() as cursor:
                cursor.execute("SELECT current_user || '@' || current_database()")
                found[database, user] = cursor.fetchone()[0]
        except psycopg2.OperationalError as refused:
            found[database, user] = "refused" if "FATAL" in str(refused) else str(refused)
    target.close_all()
    return found


def test_who_logged_in_through_pgbouncer_logs_in_through_pgweir(bouncer):
    before = logins(bouncer)
    assert before["app", "app"] == "app@app" and before["forced", "app"] == "other@app"
    text = imported(bouncer.ini_path)
    end(bouncer.process, signal.SIGTERM)
    bouncer.process = None
    successor = Successor(text, bouncer.port)
    successor.write()
    run([binary(), "check", "-c", successor.ini_path])
    successor.start()
    try:
        assert logins(successor) == before
        sizes = {row["name"]: row["pool_size"] for row in successor.show("DATABASES")}
        assert sizes["app"] == 3 and sizes["forced"] == 7
    finally:
        successor.close_all()
        successor.stop()


def test_every_key_that_pgbouncer_shows_is_known(bouncer, tmp_path):
    cursor = bouncer.admin().cursor()
    cursor.execute("SHOW CONFIG")
    keys = {row[0]: row[1] for row in cursor.fetchall()}
    bouncer.close_all()
    keys.update(unix_socket_dir=str(tmp_path), disable_pqexec="0", job_name="x")
    lines = "".join(f"{key} = {value or ''}\n" for key, value in keys.items())
    text = imported(write(tmp_path / "pgbouncer.ini", f"[databases]\na = host=h\n[pgbouncer]\n{lines}"))
    assert len(keys) > 80 and "is not a key" not in text and "\n#!" not in text
    for key in keys:
        assert f"\n{key} =" in text or f"\n# {key}" in text or key in (
            "verbose", "server_check_query", "client_tls_ciphers", "server_tls_ciphers"), f"{key} is lost without a word"


def test_check_explains_every_key_of_pgbouncers_that_is_missing(bouncer, tmp_path):
    cursor = bouncer.admin().cursor()
    cursor.execute("SHOW CONFIG")
    keys = [row[0] for row in cursor.fetchall()]
    bouncer.close_all()
    ini = write(tmp_path / "pgweir.ini", "[pgweir]\n" + "".join(f"{key} = 1\n" for key in keys))
    said = run([binary(), "check", "-c", ini], check=False).stderr
    unknown = [line for line in said.splitlines() if "has no key" in line]
    assert len(unknown) > 15 and all("as PgBouncer has: " in line for line in unknown), said


def test_includes_quotes_and_several_hosts_survive(tmp_path):
    write(tmp_path / "users.txt", '"a" "b"\n')
    write(tmp_path / "more.ini", '"odd ""name""" = host=h1,h2 port=5433 user=\'o\'\'brien\' password=\'a;b "c$${d}\'\n')
    text = imported(write(tmp_path / "pgbouncer.ini", "[databases]\n%include more.ini\n[users]\nbob = pool_mode=session\n"
                          "[pgbouncer]\nlisten_addr=*\nauth_file=users.txt\n[peers]\n1 = host=h9\n"), status=1)
    assert "hosts = h1:5433, h2:5433" in text and "#! host = h1,h2" in text
    ini = write(tmp_path / "pgweir.ini", text)
    said = run([binary(), "check", "-c", ini]).stdout
    assert f"auth_file = {tmp_path}/users.txt" in said and "user = o'brien" in said and "[user bob]" in said
    assert "1 = host=h9 port=6432" in said


@pytest.mark.parametrize("text, complaint", [
    ("[databases]\na = host=h\nb = host\n[pgbouncer]\n", "pgbouncer.ini:3: b: \"host\" is not followed by ="),
    ("[databases]\na = password='x\n", "pgbouncer.ini:2: a: the quote of password is not closed"),
    ("[pgbouncer]\nlisten_port\n", "pgbouncer.ini:2: neither a [section] nor a key = value"),
    ("listen_port = 1\n", "pgbouncer.ini:1: stands before the first section"),
    ("[pgweir]\n", "pgbouncer.ini:1: PgBouncer has no section [pgweir]"),
    ("%include missing.ini\n", "cannot read"),
    ("%include pgbouncer.ini\n", "more than 10 deep"),
])
def test_what_cannot_be_read_is_named_with_its_line(tmp_path, text, complaint):
    result = run([binary(), "import-pgbouncer", write(tmp_path / "pgbouncer.ini", text)], check=False)
    assert result.returncode == 1 and complaint in result.stderr and result.stdout == ""


@pytest.mark.parametrize("line, note", [
    ("auth_type = pam", "#! auth_type = pam"), ("disable_pqexec = 1", "#! disable_pqexec = 1"),
    ("frobnicate = 1", "#! frobnicate: is not a key"), ("[databases]\nb = application_name=x", "#! application_name = x: "), ("listen_port = high", "#! pgweir check says"),
])
def test_what_wants_a_decision_is_marked_and_ends_with_1(tmp_path, line, note):
    assert note in imported(write(tmp_path / "pgbouncer.ini", f"[databases]\na = host=h\n[pgbouncer]\n{line}\n"), status=1)


def test_a_file_that_is_there_is_replaced_only_by_force(tmp_path):
    source = write(tmp_path / "pgbouncer.ini", "[databases]\na = host=h\n[pgbouncer]\n")
    target = write(tmp_path / "pgweir.ini", "mine")
    target.chmod(0o644)
    command = [binary(), "import-pgbouncer", source, "-o", target]
    refused = run(command, check=False)
    assert refused.returncode == 1 and "--force" in refused.stderr and target.read_text() == "mine"
    run([*command, "--force"])
    assert "[database a]" in target.read_text() and target.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pgbouncer.ini", "pgweir.ini"]
