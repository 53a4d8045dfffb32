"""How clients log in, and how pgweir logs in to servers for them."""
import concurrent.futures
import hashlib
import socket
import struct

import psycopg
import psycopg.sql
import pytest

from harness import raw
from harness.plugin import tls_settings
from harness.postgres import PASSWORDS
from harness.process import wait_until

pytestmark = pytest.mark.pooler


def refused(target, sqlstate="28P01", **login) -> None:
    with pytest.raises(raw.ServerError) as caught:
        target.raw(**login)
    assert caught.value.sqlstate == sqlstate, caught.value


def is_refused(target, **login) -> bool:
    try:
        target.raw(**login).close()
    except raw.ServerError as error:
        return error.sqlstate == "28P01"
    return False


def md5_verifier(user: str, password: str) -> str:
    return "md5" + hashlib.md5(f"{password}{user}".encode()).hexdigest()


def scram_verifier(cluster, user: str) -> str:
    return cluster.primary.sql("SELECT rolpassword FROM pg_authid WHERE rolname = %s", parameters=[user])[0][0]


@pytest.mark.parametrize("auth_type", ["trust", "md5", "scram-sha-256"])
def test_each_auth_type_lets_in_whom_it_should(start_pgweir, auth_type):
    proxy = start_pgweir({"pgweir": {"auth_type": auth_type, "pool_mode": "transaction"}})
    for user in ("app", "md5user"):
        assert proxy.raw("app", user).value("SELECT current_user") == user
    if auth_type != "trust":
        refused(proxy, password="wrong")
        refused(proxy, user="nobody", password="x")


def test_plain_is_asked_for_over_tls_only_unless_allowed(start_pgweir, cluster):
    proxy = start_pgweir({"pgweir": {"auth_type": "plain", **tls_settings(cluster)}})
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"
    refused(proxy, tls=True, password="wrong")
    if proxy.__class__.__name__ == "Pgweir":
        client = raw.Client(proxy.host, proxy.port)
        client.send(raw.startup({"user": "app", "database": "app"}))
        assert client.receive().type == "E"         # It never asks for the password in the open.


@pytest.mark.parametrize("auth_type", ["md5", "scram-sha-256"])
def test_verifiers_in_the_auth_file_are_enough(start_pgweir, cluster, auth_type):
    """With a SCRAM verifier that the server knows too, the client's proof opens the server: SCRAM pass-through."""
    users = {"app": scram_verifier(cluster, "app"), "md5user": md5_verifier("md5user", PASSWORDS["md5user"]), "admin": PASSWORDS["admin"]}
    proxy = start_pgweir({"pgweir": {"auth_type": auth_type}}, users=users)
    assert proxy.raw("app", "app").value("SELECT current_user") == "app"
    refused(proxy, user="app", password="wrong")
    if auth_type == "md5":
        assert proxy.raw("app", "md5user").value("SELECT current_user") == "md5user"
        refused(proxy, user="md5user", password="wrong")


def test_a_users_section_can_hold_the_password(start_pgweir):
    if type(start_pgweir()).__name__ != "Pgweir":
        pytest.skip("a section of ours")
    proxy = start_pgweir({"user app": {"password": PASSWORDS["app"]}, "user other": {"password": PASSWORDS["other"], "client_password": "in front"}},
                         users={})
    assert proxy.raw("app", "app").value("SELECT current_user") == "app"
    assert proxy.raw("app", "other", password="in front").value("SELECT current_user") == "other"
    refused(proxy, user="other", password=PASSWORDS["other"])


def test_a_databases_own_user_logs_in_for_everyone(start_pgweir):
    proxy = start_pgweir({"database app": {"user": "app", "password": PASSWORDS["app"]}})
    assert proxy.raw("app", "other").value("SELECT current_user") == "app"


@pytest.mark.ours
def test_cert_authentication_takes_the_name_from_the_certificate(start_pgweir, cluster):
    certificates = cluster.certificates
    proxy = start_pgweir({"pgweir": {"auth_type": "cert", **tls_settings(cluster), "client_tls_sslmode": "verify-full",
                                     "client_tls_ca_file": certificates.ca, "server_tls_cert_file": certificates.client_cert,
                                     "server_tls_key_file": certificates.client_key}})
    files = {"sslcert": certificates.client_cert, "sslkey": certificates.client_key}
    with proxy.connect("app", "certuser", **files) as connection:       # Which logs in to the server by certificate too.
        assert connection.execute("SELECT current_user").fetchone() == ("certuser",)
    with pytest.raises(psycopg.OperationalError):
        proxy.connect("app", "app", **files)
    with pytest.raises(psycopg.OperationalError):
        proxy.connect("app", "certuser", sslcert="/nonexistent")


@pytest.mark.ours
def test_a_map_says_for_whom_else_a_certificate_speaks(start_pgweir, cluster, tmp_path):
    certificates = cluster.certificates
    (tmp_path / "ident.conf").write_text("people certuser other\npeople /^(cert)user$ \\1ified\n")
    (tmp_path / "hba.conf").write_text("hostssl all all 127.0.0.1/32 cert map=people\n")
    proxy = start_pgweir({"pgweir": {"auth_type": "hba", "auth_hba_file": tmp_path / "hba.conf", "auth_ident_file": tmp_path / "ident.conf",
                                     **tls_settings(cluster), "client_tls_ca_file": certificates.ca}})
    files = {"sslcert": certificates.client_cert, "sslkey": certificates.client_key}
    with proxy.connect("app", "other", **files) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("other",)
    for user in ("certuser", "app"):            # With a map only what it says counts.
        with pytest.raises(psycopg.OperationalError, match="certificate authentication failed"):
            proxy.connect("app", user, **files)
    with pytest.raises(psycopg.OperationalError, match="valid client certificate"):
        proxy.connect("app", "other", sslcert="/nonexistent")


@pytest.mark.ours
@pytest.mark.parametrize("clientcert, with_certificate, user, password, says", [
    ("verify-ca", True, "app", None, None), ("verify-ca", False, "app", None, "valid client certificate"),
    ("verify-ca", True, "app", "wrong", "password authentication failed"), ("verify-full", True, "app", None, "certificate authentication failed"),
    ("verify-full", False, "app", None, "valid client certificate"), ("verify-full", True, "certuser", "cert-secret", None),
    ("verify-full", True, "certuser", "wrong", "password authentication failed")])
@pytest.mark.parametrize("method", ["scram-sha-256", "md5", "password"])
def test_a_certificate_may_be_asked_for_besides_a_password(start_pgweir, cluster, tmp_path, method, clientcert, with_certificate, user, password, says):
    certificates = cluster.certificates
    (tmp_path / "hba.conf").write_text(f"hostssl all all 127.0.0.1/32 {method} clientcert={clientcert}\n")
    proxy = start_pgweir({"pgweir": {"auth_type": "hba", "auth_hba_file": tmp_path / "hba.conf", **tls_settings(cluster),
                                     "client_tls_ca_file": certificates.ca, "server_tls_cert_file": certificates.client_cert,
                                     "server_tls_key_file": certificates.client_key}}, users={**PASSWORDS, "certuser": "cert-secret"})
    files = {"sslcert": certificates.client_cert, "sslkey": certificates.client_key} if with_certificate else {"sslcert": "/nonexistent"}
    if says is None:
        with proxy.connect("app", user, password=password, **files) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (user,)
        return
    with pytest.raises(psycopg.OperationalError, match=says):
        proxy.connect("app", user, password=password, **files)


HBA = """
# first match wins
host     other     app   127.0.0.1/32  reject
hostssl  app       app   127.0.0.1/32  scram-sha-256
hostnossl app      app   127.0.0.1/32  reject
host     app       md5user 127.0.0.0/8 md5
host     all       trusted,plainuser  127.0.0.1/32  trust
host     pgweir    all   127.0.0.1/32  scram-sha-256
"""


@pytest.mark.ours
def test_hba_rules_decide_by_first_match(start_pgweir, cluster, tmp_path):
    rules = tmp_path / "hba.conf"
    rules.write_text(HBA)
    proxy = start_pgweir({"pgweir": {"auth_type": "hba", "auth_hba_file": rules, **tls_settings(cluster)},
                          "database app": {}, "database other": {}}, users={**PASSWORDS, "trusted": ""})
    assert proxy.raw("app", tls=True).value("SELECT 1") == "1"
    refused(proxy, "28000")                                     # No TLS.
    refused(proxy, "28000", database="other", tls=True)
    refused(proxy, "28P01", tls=True, password="wrong")
    assert proxy.raw("app", "md5user").value("SELECT 1") == "1"
    assert proxy.raw("app", "trusted").value("SELECT current_user") == "trusted"
    refused(proxy, "28000", user="repl")                        # No rule at all.


AUTH_QUERY = "SELECT usename, passwd FROM pooler.get_auth($1)"


@pytest.fixture
def auth_query_proxy(start_pgweir):
    return start_pgweir({"pgweir": {"auth_user": "authq", "auth_query": AUTH_QUERY, "auth_type": "scram-sha-256", "pool_mode": "transaction"},
                         "database app": {}}, users={"authq": PASSWORDS["authq"], "admin": PASSWORDS["admin"]})


def test_auth_query_finds_users_on_the_server(auth_query_proxy):
    assert auth_query_proxy.raw("app", "app").value("SELECT current_user") == "app"
    refused(auth_query_proxy, user="app", password="wrong")
    refused(auth_query_proxy, user="nobody", password="x")


def test_auth_query_finds_a_user_made_a_moment_ago(auth_query_proxy, cluster):
    cluster.primary.sql("DROP ROLE IF EXISTS fresh")
    with pytest.raises(raw.ServerError):
        auth_query_proxy.raw("app", "fresh", password="fresh-secret")
    cluster.primary.sql("CREATE ROLE fresh LOGIN PASSWORD 'fresh-secret'")

    def works():
        try:
            return auth_query_proxy.raw("app", "fresh", password="fresh-secret").value("SELECT current_user") == "fresh"
        except raw.ServerError:
            return False

    wait_until(works, 5, "the new user is let in")


@pytest.mark.ours
@pytest.mark.parametrize("query,reason", [
    ("SELECT 1/0, 'x' WHERE $1 = $1", "division by zero"), ("SELECT $1::text", "must return two columns"),
    ("SELECT u, p FROM (VALUES ('other', 'other-secret'), ('app', 'app-secret')) AS v (u, p) WHERE $1 <> ''", "returned 2 rows"),
    ("SELECT $1::text, repeat('x', 9000)", "password of more than"),
    ("SELECT $1::text, 'app-secret' WHERE pg_terminate_backend(pg_backend_pid())", "terminating connection")],
    ids=["fails", "one column", "two rows", "long", "ends"])
def test_an_auth_query_that_does_not_answer_lets_nobody_in(start_pgweir, query, reason):
    """What is wrong is for the log; a stranger does not hear whom we have asked, and as whom."""
    proxy = start_pgweir({"pgweir": {"auth_user": "authq", "auth_query": query}}, users={"authq": PASSWORDS["authq"]})
    with pytest.raises(raw.ServerError) as caught:
        proxy.raw("app")
    assert caught.value.sqlstate == "58000" and caught.value.fields["M"] == 'could not look up user "app"'
    assert reason in proxy.log()


def test_a_question_that_takes_too_long_is_answered_for_itself_alone(start_pgweir, cluster):
    """Those behind it on the same connection are asked again, and it is not."""
    proxy = start_pgweir({"pgweir": {"auth_user": "authq", "auth_query":
                                     "SELECT $1, (SELECT passwd FROM pooler.get_auth($1)) WHERE $1 <> 'stuck' OR pg_sleep(600) IS NULL"}},
                         users={"authq": PASSWORDS["authq"]})
    asking = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'authq' AND state = 'active' AND query LIKE '%stuck%'"
    with concurrent.futures.ThreadPoolExecutor() as others:
        stuck = others.submit(refused, proxy, "58000", user="stuck", password="x")
        try:
            wait_until(lambda: cluster.primary.sql(asking) == [(1,)], what="a question under way")
            assert proxy.raw("app").value("SELECT 1") == "1"
            stuck.result()
        finally:
            cluster.primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'authq'")


def test_auth_query_respects_valid_until(auth_query_proxy):
    """CVE-2025-2291."""
    refused(auth_query_proxy, user="expired")


@pytest.mark.parametrize("change", ["DROP ROLE again; CREATE ROLE again LOGIN PASSWORD '2'", "ALTER ROLE again PASSWORD '2'"], ids=["role", "password"])
def test_a_role_that_has_changed_has_its_server_connections_opened_anew(auth_query_proxy, cluster, change):
    """A server process whose role was dropped meanwhile has no rights any more, also if there is one of the same name again."""
    def pid(client):
        return client.value("SELECT pg_backend_pid()")

    cluster.primary.sql("DROP ROLE IF EXISTS again; CREATE ROLE again LOGIN PASSWORD '1'")
    busy = auth_query_proxy.raw("app", "again", password="1")
    busy.ask("BEGIN")
    clients = [auth_query_proxy.raw("app", "again", password="1") for _ in range(3)]
    was, in_use = {pid(client) for client in clients}, pid(busy)
    assert in_use not in was
    cluster.primary.sql(change)
    # What the server has said a moment ago serves those who come at once.
    wait_until(lambda: is_refused(auth_query_proxy, user="again", password="1"), what="the old password is none any more")
    # Nobody has shown the new password yet: what is open is all there is, and goes on.
    was |= {pid(client) for client in clients}
    client = auth_query_proxy.raw("app", "again", password="2")
    assert client.value("SELECT current_user") == "again"
    assert all(pid(each) not in was | {in_use} for each in (*clients, client))
    # It is what has begun that has to end first.
    assert pid(busy) == in_use
    busy.ask("COMMIT")
    pid(busy)
    now = {pid(each) for each in (busy, *clients, client)}
    assert in_use not in now
    auth_query_proxy.raw("app", "again", password="2").value("SELECT 1")
    assert now <= {str(backend) for backend, in cluster.primary.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'again'")}
    cluster.primary.sql("DROP ROLE again")


def test_the_clients_search_path_does_not_reach_auth_query(start_pgweir, cluster):
    """CVE-2025-12819: an unqualified name in auth_query must not be looked up where the client says."""
    cluster.primary.sql("CREATE SCHEMA IF NOT EXISTS evil AUTHORIZATION other; GRANT USAGE ON SCHEMA evil TO PUBLIC; "
                        "CREATE OR REPLACE VIEW evil.pg_shadow AS SELECT 'app'::name AS usename, 'stolen'::text AS passwd; "
                        "GRANT SELECT ON evil.pg_shadow TO PUBLIC", "app")
    try:
        proxy = start_pgweir({"pgweir": {"auth_user": "postgres", "auth_query": "SELECT usename, passwd FROM pg_shadow WHERE usename = $1",
                                         "auth_type": "scram-sha-256"}, "database app": {}},
                             users={"postgres": PASSWORDS["postgres"]})
        for startup in ({"search_path": "evil, pg_catalog"}, {"options": "-c search_path=evil,pg_catalog"}):
            with pytest.raises((raw.ServerError, raw.Closed)):
                proxy.raw("app", "app", password="stolen", **startup)
        assert proxy.raw("app", "app").value("SELECT 1") == "1"
    finally:
        cluster.primary.sql("DROP SCHEMA evil CASCADE", "app")


def test_a_wrong_server_password_gives_the_servers_own_error(start_pgweir):
    proxy = start_pgweir({"pgweir": {"auth_type": "scram-sha-256", "query_wait_timeout": 5, "server_login_retry": 1}},
                         users={"app": "what pgweir believes"})
    try:
        client = proxy.raw("app", password="what pgweir believes")
        client.send(raw.query("SELECT 1"))
        error = client.read_until("E")[-1].fields()
    except raw.ServerError as failure:
        error = failure.fields
    assert error["C"] == "28P01" and "password authentication failed" in error["M"]


def test_refusals_take_as_long_for_unknown_users_as_for_wrong_passwords(start_pgweir):
    """Both go through the whole exchange: the same number and kinds of messages. (Time itself is for the bench.)"""
    proxy = start_pgweir()
    talks = []
    for user in ("app", "nobody"):
        client = raw.Client(proxy.host, proxy.port)
        client.send(raw.startup({"user": user, "database": "app"}))
        first = client.receive()
        assert struct.unpack_from("!i", first.body)[0] == 10
        scram = raw.Scram("wrong")
        client.send(raw.message("p", raw.cstring("SCRAM-SHA-256") + struct.pack("!i", len(scram.first())) + scram.first()))
        challenge = client.receive()
        client.send(raw.message("p", scram.final(challenge.body[4:])))
        last = client.receive()
        talks.append((first.body, challenge.body.split(b",i=")[1], len(challenge.body), last.fields()["C"]))
    assert talks[0] == talks[1]


def test_an_unknown_user_is_shown_the_same_salt_every_time(start_pgweir):
    """A random one would give away that there is no such user."""
    proxy = start_pgweir()

    def salt(user):
        client = raw.Client(proxy.host, proxy.port)
        client.send(raw.startup({"user": user, "database": "app"}))
        client.receive()
        first = raw.Scram("x").first()
        client.send(raw.message("p", raw.cstring("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
        return client.receive().body.split(b",s=")[1]

    assert salt("app") == salt("app")
    if type(proxy).__name__ == "Pgweir":
        assert salt("nobody") == salt("nobody") != salt("nobody else")


# --- PROXY protocol, version 2 ---

def proxy_header(source: str, port: int) -> bytes:
    return (b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11" + struct.pack("!H", 12)
            + socket.inet_aton(source) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", port, 5432))


@pytest.mark.ours
def test_the_proxy_protocol_names_the_real_client(start_pgweir):
    proxy = start_pgweir({"pgweir": {"proxy_protocol": 1, "unix_socket_dir": "/tmp"}})
    client = raw.Client(proxy.host, proxy.port, before=proxy_header("192.0.2.33", 4711))
    client.login("app", "app", PASSWORDS["app"])
    assert client.value("SELECT 1") == "1"
    proxy.host = "/tmp"                                 # The console over the socket, which carries no header.
    assert ("192.0.2.33", 4711) in [(row["addr"], int(row["port"])) for row in proxy.show("CLIENTS")]
    client.close()


@pytest.mark.ours
def test_the_proxy_protocol_header_may_arrive_in_pieces(start_pgweir):
    proxy = start_pgweir({"pgweir": {"proxy_protocol": 1}})
    client = raw.Client(proxy.host, proxy.port)
    client.send_bytewise(proxy_header("192.0.2.34", 4712))
    client.login("app", "app", PASSWORDS["app"])
    assert client.value("SELECT 1") == "1"
    client.close()


@pytest.mark.ours
def test_a_connection_without_the_expected_header_is_refused(start_pgweir):
    proxy = start_pgweir({"pgweir": {"proxy_protocol": 1}})
    signature = b"\r\n\r\n\0\r\nQUIT\n"
    for beginning, reason in ((raw.startup({"user": "app", "database": "app"}) + bytes(16), "no PROXY protocol version 2 header"),
                              (b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n", "no PROXY protocol version 2 header"),
                              (signature + b"\x31\x11\0\x0c" + bytes(12), "of an unknown version or command"),
                              (signature + b"\x21\x11\xff\xff" + bytes(5000), "is too long"),
                              (signature + b"\x21\x21\0\x0c" + bytes(12), "is too short for its address")):
        before = proxy.log().count(reason)
        client = raw.Client(proxy.host, proxy.port)
        client.send(beginning)
        client.half_close()
        assert raw.types(client.read_to_end()) in ("", "E")
        wait_until(lambda: proxy.log().count(reason) == before + 1, 5, f"the log says {reason}")


@pytest.mark.ours
@pytest.mark.parametrize("beginning, reason", [
    (raw.ssl_request(), "no PROXY protocol version 2 header"), (raw.gssenc_request(), "no PROXY protocol version 2 header"),
    (proxy_header("192.0.2.1", 1)[:20], "canceling authentication due to timeout")], ids=["ssl", "gssenc", "cut"])
def test_a_connection_that_waits_without_a_whole_header_is_refused_and_the_log_says_why(start_pgweir, beginning, reason):
    """psql's SSLRequest is shorter than a header: whoever sends it waits for an answer, and sends nothing more."""
    proxy = start_pgweir({"pgweir": {"proxy_protocol": 1, "client_login_timeout": "1s" if "timeout" in reason else 0}})
    client = raw.Client(proxy.host, proxy.port)
    client.send(beginning)
    assert client.read_to_end() == []
    wait_until(lambda: reason in proxy.log(), 5, f"the log says {reason}")


@pytest.mark.ours
def test_many_failed_logins_from_one_address_are_slowed_down_but_right_ones_pass(start_pgweir):
    proxy = start_pgweir()
    for _ in range(20):
        with pytest.raises((raw.ServerError, raw.Closed)):
            proxy.raw("app", password="wrong")
    wait_until(lambda: logs_in(proxy), 30, "a right password is let in again")


def logs_in(proxy) -> bool:
    try:
        proxy.raw("app").close()
        return True
    except (raw.ServerError, raw.Closed):
        return False


# Of each kind that SASLprep treats in a way of its own: mapped to a space or to nothing, composed, of both directions, prohibited,
# not assigned in Unicode 3.2.
ODD_PASSWORDS = ["no\u00a0break", "\u3000wide", "ogham\u1680", "zero\u200bwidth", "so\u00adft", "\ufeffmark", "join\u2060er", "\u00aaw\u2168\ufb01",
                 "e\u0301", "\u212b", "\uff21\uff22", "\u3392", "\u0130\u00df", "\u0627\u0628", "\u06271", "\u0627b\u0628", "\u0340tone", "\u200eleft",
                 "\ue000private", "\u0221new", "\U0001f600", "\u1e9e", "x" * 200 + "\u2168"]


def test_odd_passwords_are_those_of_libpq_and_of_the_server(start_pgweir, cluster):
    """libpq prepares them for its proof, the server for its verifier, and pgweir for both."""
    users = {f"odd{number}": password for number, password in enumerate(ODD_PASSWORDS)}
    with cluster.primary.connect() as connection:
        for user, password in users.items():
            connection.execute(psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(psycopg.sql.Identifier(user), password))
    try:
        proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}, "database app": {"pool_size": 1}},
                             users={**users, "admin": PASSWORDS["admin"]})
        for user, password in users.items():
            with psycopg.connect(proxy.conninfo("app", user, password=password, sslmode="prefer")) as connection:
                assert connection.execute("SELECT current_user").fetchone() == (user,), repr(password)
        proxy.close_all()
        proxy.stop()
    finally:
        for user in users:
            cluster.primary.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'")
            cluster.primary.sql(f"DROP ROLE {user}")
