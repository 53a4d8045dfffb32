"""docs/troubleshooting.md: its symptoms are provoked, and what the page says of them holds."""
import re

import pytest

from harness.pgweir import binary
from harness.process import ROOT, run, wait_until
from harness.raw import ServerError, query

pytestmark = pytest.mark.ours
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()


def rows_of(heading: str) -> str:
    """A section of the page."""
    return PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]


def login(proxy, database: str = "app", user: str = "app", **more) -> tuple[str, str]:
    """SQLSTATE and text of what a client hears that logs in."""
    with pytest.raises(ServerError) as refusal:
        proxy.raw(database, user, **more)
    return refusal.value.sqlstate, refusal.value.fields["M"]


def asked(proxy, database: str, *texts: str) -> tuple[str, str]:
    """SQLSTATE and text of the first error of a client that says all this."""
    client = proxy.raw(database)
    for text in texts:
        client.send(query(text))
        for each in client.read_until("ZE"):
            if each.type == "E":
                return each.fields()["C"], each.fields()["M"]
    while (got := client.receive()).type != "E":
        pass
    return got.fields()["C"], got.fields()["M"]


def test_clients_that_cannot_connect(start_pgweir, cluster):
    certificates = cluster.certificates
    proxy = start_pgweir({
        "pgweir": {"pool_mode": "transaction", "max_client_conn": 6},
        "database app": {"pool_size": 1}, "database wrong": {"dbname": "app", "user": "app", "password": "not this one"},
        "database few": {"dbname": "app", "max_db_client_connections": 1}})
    assert login(proxy, "nowhere") == ("3D000", 'database "nowhere" does not exist')
    assert login(proxy, user="stranger", password="x") == ("28P01", 'password authentication failed for user "stranger"')
    assert login(proxy, password="x")[0] == "28P01"
    # The page tells the two apart by the log.
    for detail in ("there is no such user, or it has no password", "wrong password"):
        assert re.search(f'login failed .*detail="{detail}"', proxy.log()) and detail in PAGE
    assert proxy.log().count("user=stranger") == 1      # One line per event.
    assert "server login failed" not in proxy.log() and "`server login failed`" in PAGE
    assert login(proxy, "wrong")[0] == "28P01" and "server login failed database=wrong" in proxy.log()
    assert f"host=127.0.0.1 port={cluster.primary.port} sqlstate=28P01" in proxy.log()      # Which of several it is.
    few = proxy.raw("few")
    assert login(proxy, "few") == ("53300", 'too many connections for database "few"')
    few.close()
    holder = proxy.raw("app")
    holder.ask("BEGIN")
    proxy.admin().cursor().execute("SET query_wait_timeout = 1")
    state, text = asked(proxy, "app", "SELECT 1")
    assert state == "53300" and text in PAGE
    # The session goes on: without a line of its own nobody would know why the query failed.
    assert re.search(rf'query got no server connection database=app .*sqlstate=53300 reason="{text}" pool_has=1 pool_size=1\n', proxy.log())
    with pytest.raises(ServerError, match="53300: sorry, too many clients already"):
        for _ in range(10):
            proxy.raw("app")
    strict = start_pgweir({"pgweir": {"client_tls_sslmode": "require", "client_tls_cert_file": certificates.server_cert,
                                      "client_tls_key_file": certificates.server_key}})
    state, text = login(strict)
    assert f"{text} ({state})" in PAGE


def test_queries_that_wait(start_pgweir):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}, "database app": {"pool_size": 1}})
    holder, waiting = proxy.raw("app"), proxy.raw("app")
    holder.ask("SET application_name = 'the one'")
    holder.ask("SELECT pg_advisory_lock_shared(4714)")
    wait_until(lambda: proxy.pins() == {"advisory_lock": 1}, 10, "it pins")
    waiting.send(query("SELECT 1"))
    pool = wait_until(lambda: (row := proxy.pool("app"))["cl_waiting"] == 1 and row, 10, "it waits")
    assert pool["sv_active"] == pool["pool_size"] == 1
    server = proxy.show("SERVERS")[0]
    client = next(row for row in proxy.show("CLIENTS") if row["ptr"] == server["link"])
    assert server["request_time"] and (client["application_name"], client["pin"]) == ("the one", "advisory_lock")
    assert str(server["remote_pid"]) == holder.value("SELECT pg_backend_pid()")
    assert [row["reason"] for row in proxy.show("PINS") if row["count"]] == ["advisory_lock"]
    holder.ask("SELECT pg_advisory_unlock_shared(4714)")
    waiting.read_until_ready()
    proxy.admin().cursor().execute("PAUSE")
    assert "paused" in str(proxy.show("STATE"))
    proxy.admin().cursor().execute("RESUME")


ERRORS = {
    "57P05": ("client_idle_timeout", "SELECT 1"), "57014": ("query_timeout", "SELECT pg_sleep(9)"), "25P03": ("idle_transaction_timeout", "BEGIN"),
    "25P04": ("transaction_timeout", "BEGIN", "SELECT 1"), "0A000": ("temporary_tables", "CREATE TEMP TABLE t (n int)")}


def test_errors_of_pgweirs_own(start_pgweir):
    section = rows_of("Errors that come from pgweir")
    databases = {f"database {key}": {"dbname": "app", key: "reject" if key == "temporary_tables" else "200ms"} for key, *_ in ERRORS.values()}
    del databases["database client_idle_timeout"]["client_idle_timeout"]
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "client_idle_timeout": "1s"}, "database app": {}, **databases})
    for state, (key, *texts) in ERRORS.items():
        assert asked(proxy, key, *texts)[0] == state, key
        assert re.search(f"^\\|.*{state}.*\\|.*{key}", section, re.M), key
    console = proxy.admin().cursor()
    console.execute("SET client_idle_timeout = 0")
    victim = proxy.raw("app")
    console.execute("KILL app")
    assert victim.read_to_end()[-1].fields()["C"] == "57P01" and "57P01" in section


def test_what_the_page_names_exists(pgweir):
    """Console commands, keys and commands, in whatever page."""
    admin = pgweir.admin()
    admin.cursor().execute("SHOW HELP")
    known = "".join(admin.notices)
    settings = run([binary(), "describe", "settings"]).stdout
    keys = set(re.findall(r"^### (\S+)$", settings, re.M))
    for page in [*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]:
        text = page.read_text()
        for command in re.findall(r"SHOW ([A-Z]{2,})\b", text):
            assert f"SHOW {command}" in known, f"{page.name}: SHOW {command}"
        for command in re.findall(r"`pgweir ([a-z][a-z-]+)[ `|]", text):
            assert f"pgweir {command}" in run([binary(), "--help"]).stdout or command == "describe", f"{page.name}: pgweir {command}"
        for key in re.findall(r"`([a-z_]+) = [^`]*`", text):
            assert key in keys or "_" not in key or key in OTHERS, f"{page.name}: {key}"


# Keys of PostgreSQL, Patroni and other poolers.
OTHERS = {"sts_regional_endpoints"}
