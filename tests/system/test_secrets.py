"""[secret]: credentials that come from files, the environment or the section itself, and change while pgweir runs."""
import json
import os
import subprocess
import threading
import time

import psycopg2
import pytest

from harness import raw
from harness.pgweir import binary
from harness.postgres import PASSWORDS
from harness.process import wait_until
from harness.rotation import Load, Mount, assert_says_nothing, console, has_version, secret_row, temporary_role, write

pytestmark = pytest.mark.ours

OLD, NEW = "old-%pass/word 1", "new-%pass/word 2"


@pytest.fixture
def role(cluster):
    """A role that nobody else uses, with the password OLD."""
    with temporary_role(cluster.primary, "rotated", OLD) as name:
        yield name


@pytest.fixture
def mount(tmp_path):
    return Mount(tmp_path / "mount")


def alter(cluster, password: str) -> None:
    cluster.primary.sql(f"ALTER ROLE rotated PASSWORD '{password}'")


def sections(path, **secret) -> dict:
    return {"pgweir": {"pool_mode": "transaction", "log_level": "debug"}, "database app": {"pool_size": 4},
            "user rotated": {"secret": "rotated"}, "secret rotated": {"provider": "file", "path": path, **secret}}


def reconnect(proxy) -> None:
    console(proxy, "RECONNECT")


def test_a_password_that_changes_on_the_server_first_fails_nobody(start_pgweir, cluster, role, mount):
    """Connections that are open go on serving until the secret says what the server wants."""
    mount.put(username=role, password=OLD + "\n")
    proxy = start_pgweir(sections(mount.folder))
    with Load(proxy, "rotated", OLD) as running:
        alter(cluster, NEW)
        running.more()
        mount.put(username=role, password=NEW)
        has_version(proxy, 2)
        reconnect(proxy)
        running.password = NEW
        running.more()
        running.password = OLD          # Of a client that has not heard of the new one: within rotation_grace.
        running.more()
    assert_says_nothing(proxy, OLD, NEW)


def test_a_password_that_changes_in_the_secret_first_fails_nobody(start_pgweir, cluster, role, mount):
    """The server still wants the previous value, also for connections that are opened meanwhile."""
    mount.put(username=role, password=OLD)
    proxy = start_pgweir(sections(mount.folder))
    with Load(proxy, "rotated", OLD) as running:
        mount.put(username=role, password=NEW)
        has_version(proxy, 2)
        running.password = NEW
        reconnect(proxy)
        running.more()
        alter(cluster, NEW)
        reconnect(proxy)
        running.more()
    assert_says_nothing(proxy, OLD, NEW)


def test_clients_wait_while_the_server_takes_neither_value(start_pgweir, cluster, role, mount):
    """As it is for a moment when the server changes between the trial of the one and of the other."""
    mount.put(password=OLD)
    proxy = start_pgweir(sections(mount.folder))
    mount.put(password=NEW)
    has_version(proxy, 2)
    alter(cluster, "neither")
    client = threading.Thread(target=lambda: answers.append(proxy.raw("app", role, password=NEW).value("SELECT 1")))
    answers = []
    client.start()
    wait_until(lambda: "server login failed" in proxy.log(), 15, "the server refuses both")
    alter(cluster, NEW)
    client.join(60)
    assert answers == ["1"]


def test_the_previous_password_lets_clients_in_for_the_grace_only(start_pgweir, cluster, role, mount):
    mount.put(password=OLD)
    proxy = start_pgweir(sections(mount.folder, rotation_grace="0s"))
    assert proxy.raw("app", role, password=OLD).value("SELECT 1") == "1"
    alter(cluster, NEW)
    mount.put(password=NEW)
    has_version(proxy, 2)
    with pytest.raises(raw.ServerError) as caught:
        proxy.raw("app", role, password=OLD)
    assert caught.value.sqlstate == "28P01"
    assert proxy.raw("app", role, password=NEW).value("SELECT 1") == "1"


@pytest.fixture
def far_file(tmp_path):
    """A file behind a link, so that changes are not seen until somebody looks; rewrites it, as if long ago."""
    class FarFile:
        path = tmp_path / "link"

        def put(self, text: str) -> None:
            target = tmp_path / "far" / "secret"
            target.parent.mkdir(exist_ok=True)
            write(target, text)
            os.utime(target, (time.time() - 60,) * 2)

    made = FarFile()
    made.put(OLD)
    made.path.symlink_to(tmp_path / "far" / "secret")
    return made


def test_a_client_that_knows_the_new_password_first_is_let_in(start_pgweir, cluster, role, far_file):
    """It has read the secret, and pgweir has not: its proof has the secret read again."""
    proxy = start_pgweir(sections(far_file.path))
    assert proxy.raw("app", role, password=OLD).value("SELECT 1") == "1"
    alter(cluster, NEW)
    far_file.put(NEW)
    assert secret_row(proxy)["version"] == 1
    assert proxy.raw("app", role, password=NEW).value("SELECT 1") == "1"
    assert proxy.raw("app", role, password=OLD).value("SELECT 1") == "1"
    row = secret_row(proxy)
    assert row["version"] == 2
    assert sorted(row["client_logins"].split("; ")) == ["rotated: 1 with version 2", "rotated: 2 with version 1"]
    assert_says_nothing(proxy, OLD, NEW)


def test_who_reads_a_new_file_before_it_has_settled_is_let_in(start_pgweir, cluster, role, far_file):
    """What has just been written is not believed at once; a client that believes it waits."""
    proxy = start_pgweir(sections(far_file.path))
    wait_until(lambda: (secret_row(proxy)["fetched"] or 0) >= 1, 15, "it may be read again at once")
    alter(cluster, NEW)
    far_file.put(NEW)
    os.utime(far_file.path)
    assert proxy.raw("app", role, password=NEW).value("SELECT 1") == "1"


def test_revoke_ends_the_grace_and_what_came_in_by_it(start_pgweir, cluster, role, mount):
    mount.put(password=OLD)
    proxy = start_pgweir(sections(mount.folder))
    old, idle = proxy.raw("app", role, password=OLD), proxy.raw("app", role, password=OLD)
    old_pid = old.value("SELECT pg_backend_pid()")
    alter(cluster, NEW)
    mount.put(password=NEW)
    has_version(proxy, 2)
    late, new = proxy.raw("app", role, password=OLD), proxy.raw("app", role, password=NEW)
    console(proxy, "REVOKE SECRET rotated")
    with pytest.raises(psycopg2.Error, match="no such secret"):
        console(proxy, "REVOKE SECRET nobody")
    for client in (old, idle, late):
        assert raw.error_of(client.read_to_end())["C"] == "57P01"
    assert new.value("SELECT pg_backend_pid()") != old_pid
    with pytest.raises(raw.ServerError) as caught:
        proxy.raw("app", role, password=OLD)
    assert caught.value.sqlstate == "28P01"
    assert secret_row(proxy)["previous"] == "revoked"
    assert proxy.raw("app", role, password=NEW).value("SELECT 1") == "1"


def test_revoke_closes_the_shared_listening_connection_too(start_pgweir, cluster, role, mount):
    mount.put(password=OLD)
    proxy = start_pgweir(sections(mount.folder))
    proxy.raw("app", role, password=OLD).ask("LISTEN news")
    first = wait_until(lambda: listening_pid(proxy), 15, "the pool listens")
    alter(cluster, NEW)
    mount.put(password=NEW)
    has_version(proxy, 2)
    proxy.raw("app", role, password=NEW).ask("LISTEN news")
    assert listening_pid(proxy) == first
    console(proxy, "REVOKE SECRET rotated")
    wait_until(lambda: listening_pid(proxy) not in (0, None, first), 15, "another connection listens")
    assert "listening connection closed reason=revoked" in proxy.log()


def listening_pid(proxy) -> int | None:
    return next((row["server_pid"] for row in proxy.show("LISTENERS")), None)


def test_established_connections_live_on(start_pgweir, cluster, role, mount):
    mount.put(password=OLD)
    proxy = start_pgweir(sections(mount.folder))
    client = proxy.raw("app", role, password=OLD)
    pid = client.value("SELECT pg_backend_pid()")
    alter(cluster, NEW)
    mount.put(password=NEW)
    has_version(proxy, 2)
    assert client.value("SELECT pg_backend_pid()") == pid
    reconnect(proxy)
    assert client.value("SELECT pg_backend_pid()") != pid
    assert "server refused the value of a secret" not in proxy.log()        # The new one was tried first.


def test_while_the_password_is_refused_open_connections_do_not_age(start_pgweir, cluster, role, tmp_path):
    """They may be the only ones that work. Without that, this one would be gone before it is asked again."""
    wanted = sections(write(tmp_path / "secret", OLD))
    wanted["pgweir"].update(server_idle_timeout="1s")
    proxy = start_pgweir(wanted)
    holds, waits = proxy.raw("app", role, password=OLD), proxy.raw("app", role, password=OLD)
    holds.value("SELECT 1")
    wait_until(lambda: proxy.pool("app", role)["sv_active"] == 0, 15, "questions of the proxy's own are answered")
    holds.value("BEGIN")
    pid = holds.value("SELECT pg_backend_pid()")
    alter(cluster, NEW)
    waits.send(raw.query("SELECT pg_backend_pid()"))
    wait_until(lambda: "server login failed" in proxy.log(), 15, "the server refuses the password")
    holds.value("COMMIT")
    assert raw.rows_of(waits.read_until_ready()) == [[pid]]
    time.sleep(4)
    assert waits.value("SELECT pg_backend_pid()") == pid


def test_the_secret_may_name_another_user_of_the_server(start_pgweir, cluster, role, tmp_path):
    """The client's name stays that of its section."""
    path = write(tmp_path / "secret.json", json.dumps({"username": role, "password": OLD, "port": "5432", "engine": "postgres"}))
    wanted = sections(path)
    wanted["user service"] = wanted.pop("user rotated")
    proxy = start_pgweir(wanted)
    assert proxy.raw("app", "service", password=OLD).value("SELECT current_user") == role
    assert proxy.pool("app", "service")
    assert secret_row(proxy)["username"] == role


def test_auth_querys_own_login_follows_its_secret(start_pgweir, cluster, role, tmp_path):
    """Whichever of server and secret changes first. Each proxy opens its connection for the question anew."""
    cluster.primary.sql("ALTER ROLE rotated SUPERUSER")
    path = write(tmp_path / "secret", OLD)
    wanted = {"pgweir": {"pool_mode": "transaction", "log_level": "debug", "auth_user": "rotated"}, "database app": {},
              "user rotated": {"secret": "rotated"}, "secret rotated": {"provider": "file", "path": path}}
    proxy = start_pgweir(wanted, users={"admin": PASSWORDS["admin"]})
    write(tmp_path / "new", NEW).rename(path)
    has_version(proxy, 2)
    assert proxy.raw("app", "app").value("SELECT 1") == "1"                 # Only the previous value lets us in.
    row = secret_row(proxy)
    assert (row["refused"], row["hosts_refusing"]) == (1, 0)
    alter(cluster, NEW)
    cluster.primary.sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'rotated'")
    assert proxy.raw("app", "other").value("SELECT 1") == "1"               # Only the current value does, another answer.
    assert secret_row(proxy)["refused"] == 2
    assert_says_nothing(proxy, OLD, NEW)


def test_a_password_that_auth_query_knows_anew_lets_in_at_the_first_try(start_pgweir, cluster, role):
    """It has another salt, which a client must hear before it proves anything. Each of these logins is the first with it."""
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "auth_user": "postgres"}, "database app": {}},
                         users={name: PASSWORDS[name] for name in ("admin", "postgres")})
    for password in (OLD, NEW, OLD):
        alter(cluster, password)
        time.sleep(0.1)                 # For half of this an answer is believed.
        for _ in range(2):
            assert proxy.raw("app", role, password=password).value("SELECT current_user") == role


def test_clients_may_have_a_secret_of_their_own(start_pgweir, role, tmp_path):
    path = write(tmp_path / "server", OLD + "\n")
    wanted = sections(path)
    wanted["user rotated"]["client_secret"] = "clients"
    wanted["secret clients"] = {"provider": "static", "value": "what-clients-know"}
    proxy = start_pgweir(wanted)
    assert proxy.raw("app", role, password="what-clients-know").value("SELECT current_user") == role
    with pytest.raises(raw.ServerError):
        proxy.raw("app", role, password=OLD)
    assert_says_nothing(proxy, OLD, "what-clients-know")


def test_a_databases_secret_serves_all_its_clients(start_pgweir, role, tmp_path, monkeypatch):
    monkeypatch.setenv("ROTATED_URL", f"postgresql+psycopg://{role}:old-%25pass%2Fword%201@db.example:5432/app?sslmode=require")
    proxy = start_pgweir({"database app": {"user": "anybody", "secret": "rotated"},
                          "secret rotated": {"provider": "env", "variable": "ROTATED_URL"}})
    assert proxy.raw("app", "app").value("SELECT current_user") == role
    assert proxy.raw("app", "other").value("SELECT current_user") == role
    assert secret_row(proxy)["host"] == "db.example"
    assert_says_nothing(proxy, OLD)


def test_a_secret_that_is_not_there_yet_fails_its_users_only(start_pgweir, role, tmp_path):
    path = tmp_path / "later"
    proxy = start_pgweir(sections(path, refresh_interval="1s"))
    assert proxy.raw("app", "app").value("SELECT 1") == "1"
    with pytest.raises(raw.ServerError) as caught:
        proxy.raw("app", role, password=OLD)
    assert caught.value.sqlstate == "57P03" and "has no value" in str(caught.value)
    assert "No such file" in secret_row(proxy)["problem"] and secret_row(proxy)["version"] == 0
    write(path, OLD)
    has_version(proxy, 1)
    assert proxy.raw("app", role, password=OLD).value("SELECT current_user") == role


def test_a_server_login_without_a_value_says_so(start_pgweir, role, tmp_path):
    """The client has proved who it is in another way; there is no trying without a password."""
    wanted = sections(tmp_path / "later")
    wanted["user rotated"]["client_password"] = "known"
    proxy = start_pgweir(wanted)
    with pytest.raises(raw.ServerError) as caught:
        proxy.raw("app", role, password="known").value("SELECT 1")
    assert 'secret "rotated" has no value yet' in str(caught.value)


def test_half_a_value_leaves_the_last_good_one_in_force(start_pgweir, role, tmp_path):
    path = write(tmp_path / "secret", json.dumps({"username": role, "password": OLD}))
    proxy = start_pgweir(sections(path))
    for broken in ('{"username": "rotated", "pass', ""):
        path.write_text(broken)
        wait_until(lambda: secret_row(proxy)["problem"], 15, "the broken file is noticed")
        assert proxy.raw("app", role, password=OLD).value("SELECT current_user") == role
        write(path, json.dumps({"username": role, "password": OLD}))
        wait_until(lambda: not secret_row(proxy)["problem"], 15, "the good file is noticed")
    path.unlink()
    wait_until(lambda: secret_row(proxy)["problem"], 15, "the missing file is noticed")
    assert proxy.raw("app", role, password=OLD).value("SELECT current_user") == role
    assert secret_row(proxy)["version"] == 1


def place(path, node, password=OLD, **more) -> None:
    """A secret with all that RDS says."""
    new = path.with_name("new")
    write(new, json.dumps({"username": "rotated", "password": password, "host": node.host, "port": node.port, **more}))
    new.rename(path)


def port_of(client) -> str:
    return client.value("SELECT inet_server_port()::text")


def test_a_secret_may_say_where_the_database_is(start_pgweir, cluster, replicas, role, tmp_path):
    """Its host, port and dbname, as soon as there is a value, and when they change."""
    path = tmp_path / "secret"
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"},
                          "database known": {"host": cluster.primary.host, "port": cluster.primary.port, "dbname": "app"},
                          "database app": {"secret": "rotated", "host": None}, "secret rotated": {"provider": "file", "path": path}})
    console(proxy, "SET query_wait_timeout = 1")
    with pytest.raises(raw.ServerError):
        proxy.raw("app", "app").value("SELECT 1")
    console(proxy, "SET query_wait_timeout = 100")
    wait_for = [cluster.primary, replicas[0]]
    wait_until(lambda: replicas[0].sql("SELECT count(*) FROM pg_roles WHERE rolname = 'rotated'") == [(1,)], 15, "it has the role")
    for node in wait_for:
        place(path, node, dbname="other")
        wait_until(lambda node=node: any(row["port"] == node.port and row["database"] == "other" for row in proxy.show("DATABASES")
                                         if row["name"] == "app"), 15, "the snapshot has the secret's host")
        client = proxy.raw("app", "app")
        assert port_of(client) == str(node.port)
        assert client.value("SELECT current_database()") == "other"
    assert proxy.raw("known", "app").value("SELECT current_database()") == "app"


def test_a_secret_points_elsewhere_only_where_it_may(start_pgweir, cluster, replicas, role, tmp_path):
    """follow_host: open transactions end where they began."""
    paths = {name: tmp_path / name for name in ("follows", "stays", "differs")}
    for path in paths.values():
        place(path, cluster.primary)
    wanted = {"pgweir": {"pool_mode": "transaction"}}
    for name, path in paths.items():
        wanted[f"database {name}"] = {"dbname": "app", "secret": name, "host": cluster.primary.host, "port": cluster.primary.port}
        wanted[f"secret {name}"] = {"provider": "file", "path": path}
    wanted["secret follows"]["follow_host"] = "127.0.*"
    wanted["secret differs"]["follow_host"] = "*.example"
    proxy = start_pgweir(wanted)
    clients = {name: proxy.raw(name, "app") for name in paths}
    clients["follows"].value("BEGIN")
    for client in clients.values():
        assert port_of(client) == str(cluster.primary.port)
    for path in paths.values():
        place(path, replicas[0])
    wait_until(lambda: any(row["port"] == replicas[0].port for row in proxy.show("DATABASES")), 15, "one has moved")
    assert port_of(clients["follows"]) == str(cluster.primary.port)
    clients["follows"].value("COMMIT")
    wait_until(lambda: port_of(clients["follows"]) == str(replicas[0].port), 15, "the worker has the new snapshot")
    assert {name: port_of(clients[name]) == str(cluster.primary.port) for name in ("stays", "differs")} == {
        "stays": True, "differs": True}


def test_files_that_anybody_may_write_are_refused(start_pgweir, role, tmp_path):
    path = write(tmp_path / "secret", OLD, 0o666)
    proxy = start_pgweir(sections(path))
    assert "everybody may write" in secret_row(proxy)["problem"]
    path.chmod(0o644)
    has_version(proxy, 1)
    assert "everybody may read" in proxy.log()


def test_refresh_reads_at_once(start_pgweir, role, tmp_path):
    path = write(tmp_path / "secret", OLD)
    proxy = start_pgweir(sections(path))
    console(proxy, "REFRESH SECRET rotated")
    with pytest.raises(psycopg2.Error, match="no such secret"):
        console(proxy, "REFRESH SECRET nobody")
    path.unlink()
    with pytest.raises(psycopg2.Error, match="cannot be read"):
        console(proxy, "REFRESH SECRET rotated")


def command(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_commands_show_and_test_a_secret_without_its_value(start_pgweir, cluster, role, tmp_path):
    path = write(tmp_path / "secret", json.dumps({"username": role, "password": OLD, "host": "db.example", "dbname": "app"}))
    proxy = start_pgweir(sections(path))
    shown = command("secret", "show", "-c", proxy.ini_path, "rotated")
    assert shown.returncode == 0 and "db.example" in shown.stdout and role in shown.stdout
    tested = command("secret", "test", "-c", proxy.ini_path, "rotated")
    assert tested.returncode == 0 and "logged in" in tested.stdout, tested
    alter(cluster, NEW)
    refused = command("secret", "test", "-c", proxy.ini_path, "rotated")
    assert refused.returncode == 1 and "password authentication failed" in refused.stdout, refused
    assert command("secret", "show", "-c", proxy.ini_path, "nobody").returncode == 1
    assert command("secret", "show", "-c", proxy.ini_path).returncode == 2
    for said in (shown, tested, refused):
        assert OLD not in said.stdout + said.stderr
    path.unlink()
    assert command("secret", "show", "-c", proxy.ini_path, "rotated").returncode == 1
    checked = command("check", "-c", proxy.ini_path)
    assert checked.returncode == 0 and 'secret "rotated" cannot be read' in checked.stderr
