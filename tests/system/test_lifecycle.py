"""The process: start, reload, drain, scarcity, many clients, replicas."""
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import time

import pytest

from harness import pgweir as pgweir_module
from harness import raw
from harness.pgweir import userlist
from harness.plugin import database, tls_settings
from harness.postgres import PASSWORDS, bin_folder
from harness.process import accepts, run, wait_until

pytestmark = pytest.mark.ours


def test_sigterm_closes_idle_clients_with_57P01_and_exits_0(start_pgweir):
    proxy = start_pgweir()
    clients = [proxy.raw("app") for _ in range(20)]
    proxy.process.send_signal(signal.SIGTERM)
    for client in clients:
        error = raw.error_of(client.read_to_end())
        assert (error["S"], error["C"]) == ("FATAL", "57P01")
    assert proxy.process.wait(60) == 0


def test_sigterm_lets_a_running_transaction_end(start_pgweir):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "drain_timeout": "20s"}})
    client = proxy.raw("app")
    client.ask("BEGIN")
    proxy.process.send_signal(signal.SIGTERM)
    assert client.value("SELECT 'still'") == "still"
    client.ask("COMMIT")
    assert raw.error_of(client.read_to_end())["C"] == "57P01"
    assert proxy.process.wait(60) == 0


def test_sigterm_lets_who_is_queued_have_its_turn(start_pgweir):
    proxy = start_pgweir({"pgweir": {"threads": 1, "drain_timeout": "200s"}, "database app": {"pool_size": 1}})
    holder, queued, idle = proxy.raw("app"), proxy.raw("app"), proxy.raw("app")
    holder.ask("BEGIN")
    queued.send(raw.query("SELECT 'served'"))
    wait_until(lambda: proxy.pool("app")["cl_waiting"] == 1, what="one waits")
    proxy.process.send_signal(signal.SIGTERM)
    assert raw.error_of(idle.read_to_end())["C"] == "57P01"
    holder.ask("COMMIT")
    assert raw.rows_of(queued.read_until_ready()) == [["served"]]
    assert raw.error_of(queued.read_to_end())["C"] == "57P01"
    assert proxy.process.wait(60) == 0


@pytest.mark.parametrize("signum, transaction", [(signal.SIGTERM, True), (signal.SIGTERM, False), (signal.SIGQUIT, False)])
def test_what_a_signal_ends_in_the_middle_is_cancelled(start_pgweir, cluster, signum, transaction):
    """By drain_timeout, or at once. Who is told 57P01 takes it for undone: it must not be done on the server later on."""
    def running() -> list:
        return cluster.primary.sql("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%/* drained */' AND state = 'active'"
                                   " AND pid <> pg_backend_pid()")

    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "drain_timeout": "1s"}})
    client = proxy.raw("app")
    if transaction:
        client.ask("BEGIN")
    client.send(raw.query("SELECT pg_sleep(60) /* drained */"))
    wait_until(running)
    proxy.process.send_signal(signum)
    assert raw.error_of(client.read_to_end())["C"] == "57P01"
    assert proxy.process.wait(60) == 0
    wait_until(lambda: not running(), what="the server has been told to cancel it")


def test_a_stream_of_replication_does_not_hold_up_the_end(start_pgweir):
    """It has no end of its own."""
    proxy = start_pgweir()
    stream = proxy.raw("app", "repl", replication="true")
    position = raw.rows_of(stream.ask("IDENTIFY_SYSTEM"))[0][2]
    stream.send(raw.query(f"START_REPLICATION {position}"))
    stream.read_until("W")
    proxy.process.send_signal(signal.SIGINT)
    assert raw.error_of([each for each in stream.read_to_end() if each.type == "E"])["C"] == "57P01"
    assert proxy.process.wait(60) == 0


def test_a_server_that_takes_no_cancel_does_not_hold_up_the_end(start_pgweir):
    def mute(backend, got) -> bool:
        return got.type == "Q" and got.text() == "SELECT 'never answered'"

    with raw.FakeServer(on_message=mute) as server:
        server.cancel_may_end.clear()
        proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "cancel_wait_timeout": "1h"},
                              "database app": {"host": server.host, "port": server.port, "server_tls_sslmode": "disable"}})
        client = proxy.raw("app")
        client.send(raw.query("SELECT 'never answered'"))
        wait_until(lambda: any(mute(None, got) for got in server.seen), 10, "it runs")
        proxy.process.send_signal(signal.SIGQUIT)
        assert raw.error_of(client.read_to_end())["C"] == "57P01"
        assert proxy.process.wait(60) == 0
        wait_until(lambda: server.cancels, what="the server has read what it was sent")
        assert len(server.cancels) == 1
        server.cancel_may_end.set()


@pytest.mark.parametrize("signals", [1, 2])
def test_a_peer_that_has_not_logged_in_does_not_hold_up_the_end(start_pgweir, signals):
    """It would be refused; client_login_timeout is a minute."""
    proxy = start_pgweir({"pgweir": {"drain_delay": "0", "drain_timeout": "25s"}})
    silent = socket.create_connection((proxy.host, proxy.port))
    asking = socket.create_connection((proxy.host, proxy.port))
    asking.sendall(raw.ssl_request())
    assert asking.recv(1) in (b"N", b"S")
    for _ in range(signals):
        proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(60) == 0
    silent.close()
    asking.close()


def test_clients_are_still_accepted_during_drain_delay(start_pgweir):
    proxy = start_pgweir({"pgweir": {"drain_delay": "200s", "drain_timeout": "200s"}})
    proxy.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "shutting down how=drain" in proxy.log(), what="the drain begins")
    assert proxy.raw("app").value("SELECT 1") == "1"
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_that_comes_while_pgweir_starts_is_not_its_end(start_pgweir, tmp_path, number):
    """The start is held up where it writes its pidfile: nobody reads that yet."""
    pidfile = tmp_path / "pid"
    os.mkfifo(pidfile)
    proxy = start_pgweir({"pgweir": {"pidfile": str(pidfile), "drain_delay": "0"}}, wait=False)
    status = pathlib.Path(f"/proc/{proxy.process.pid}/status")
    wait_until(lambda: int(re.search(r"SigCgt:\s*(\w+)", status.read_text())[1], 16) >> (number - 1) & 1, what="the signal is watched")
    proxy.process.send_signal(number)
    with pidfile.open() as reader:
        assert int(reader.read()) == proxy.process.pid
    if number == signal.SIGTERM:
        assert proxy.process.wait(60) == 0
    else:
        wait_until(lambda: accepts(proxy.host, proxy.port))
        assert proxy.raw("app").value("SELECT 1") == "1"


def test_a_signal_that_comes_while_pgweir_ends_does_not_spoil_its_exit_status(start_pgweir):
    """An impatient supervisor says it again and again, up to the very end."""
    proxy = start_pgweir()
    while proxy.process.poll() is None:
        proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.returncode == 0


def test_reload_adds_a_database_and_disturbs_no_session(start_pgweir):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}})
    inside, idle = proxy.raw("app"), proxy.raw("app")
    inside.ask("BEGIN")
    pid = inside.value("SELECT pg_backend_pid()")
    with pytest.raises(raw.ServerError):
        proxy.raw("added")
    proxy.sections["database added"] = {**proxy.sections["database app"], "dbname": "app"}
    proxy.users["newcomer"] = "x"
    proxy.sections["pgweir"].update({"listen_backlog": 77, "proxy_protocol": 1})
    proxy.reload()

    def added():
        try:
            return proxy.raw("added").value("SELECT 1") == "1"
        except raw.ServerError:
            return False

    wait_until(added, what="the new database is served")
    assert inside.value("SELECT pg_backend_pid()") == pid and idle.value("SELECT 1") == "1"
    for key, running in ("listen_backlog", "128"), ("proxy_protocol", "0"):
        assert f"takes effect after a restart section=pgweir key={key}" in proxy.log()
        assert [row["value"] for row in proxy.show("CONFIG") if row["key"] == key] == [running]
    inside.close()
    idle.close()


def test_a_reload_takes_no_prepared_statement_away(start_pgweir):
    proxy = start_pgweir({"database app": {"pool_size": 1}})
    client = proxy.raw("app")
    for name in "a", "b":
        assert raw.good(client.ask(raw.parse(f"SELECT '{name}'", name=name) + raw.sync()))
    proxy.sections["pgweir"]["max_prepared_statements"] = 0
    proxy.reload()
    wait_until(lambda: {"0"} == {row["value"] for row in proxy.show("CONFIG") if row["key"] == "max_prepared_statements"},
               what="the reload is done")
    for name in "a", "b", "a":
        assert raw.rows_of(client.ask(raw.bind(name=name) + raw.execute() + raw.sync())) == [[name]]
    client.close()


def test_reload_of_a_removed_database_lets_its_sessions_end(start_pgweir):
    proxy = start_pgweir({"database app": {}, "database gone": {"dbname": "app"}})
    client = proxy.raw("gone")
    client.ask("BEGIN")
    del proxy.sections["database gone"]
    proxy.reload()

    def removed():
        try:
            proxy.raw("gone")
            return False
        except raw.ServerError as error:
            return error.sqlstate == "3D000"

    wait_until(removed, what="new clients are told 3D000")
    assert client.value("SELECT 1") == "1"
    client.ask("COMMIT")
    client.close()


def test_a_reload_with_a_mistake_changes_nothing_and_says_where(start_pgweir):
    proxy = start_pgweir()
    proxy.sections["pgweir"]["pool_mod"] = "session"
    proxy.reload()
    wait_until(lambda: "pool_mod" in proxy.log(), what="the log names the key")
    assert "pool_mode" in proxy.log() and proxy.raw("app").value("SELECT 1") == "1"


def test_a_changed_password_is_taken_by_reload(start_pgweir):
    proxy = start_pgweir({"pgweir": {"auth_type": "md5"}, "database app": {"user": "app", "password": PASSWORDS["app"]}})
    proxy.users["other"] = "changed"
    proxy.reload()

    def changed():
        try:
            proxy.raw("app", "other", password="changed").close()
            return True
        except raw.ServerError:
            return False

    wait_until(changed, what="the new password is right")
    with pytest.raises(raw.ServerError):
        proxy.raw("app", "other", password=PASSWORDS["other"])


def test_check_names_every_mistake_at_once(tmp_path):
    ini = tmp_path / "pgweir.ini"
    ini.write_text("[pgweir]\npool_mod = transaction\nlisten_port = high\n[database app]\nhst = x\n")
    result = run([pgweir_module.binary(), "check", "-c", ini], check=False)
    said = result.stdout + result.stderr
    assert result.returncode == 1
    assert "pgweir.ini:2" in said and "pool_mode" in said and "pgweir.ini:3" in said and "pgweir.ini:5" in said


def test_a_warning_is_logged_once(start_pgweir, tmp_path):
    """However often the file that it is about is read."""
    users = tmp_path / "readable.txt"
    users.write_text(userlist(PASSWORDS))
    users.chmod(0o644)
    assert start_pgweir({"pgweir": {"auth_file": users}}).log().count("everybody may read the passwords in it") == 1


def test_check_reads_the_files_that_are_named(cluster, tmp_path):
    """What would make the start fail. One that is missing may be where pgweir will run, and is a warning."""
    users, rules, certificate = tmp_path / "users.txt", tmp_path / "hba.conf", tmp_path / "server.crt"
    ini = tmp_path / "pgweir.ini"
    ini.write_text("[pgweir]\nauth_type = hba\nauth_file = users.txt\nauth_hba_file = hba.conf\nclient_tls_sslmode = require\n"
                   f"client_tls_cert_file = server.crt\nclient_tls_key_file = {cluster.certificates.server_key}\n"
                   f"[database app]\nhost = h\nserver_tls_sslmode = verify-full\nserver_tls_ca_file = {users}\n")
    missing = run([pgweir_module.binary(), "check", "-c", ini], check=False)
    assert missing.returncode == 0, missing.stderr
    assert all(f"warning: {path}: No such file" in missing.stderr for path in (users, rules, certificate))
    users.write_text('"app\n')
    rules.write_text("local all all trust\nhost all all 127.0.0.1/33 trust\nhostx all all all trust\n")
    certificate.write_text("no certificate\n")
    for path in (users, rules, certificate):
        path.chmod(0o600)
    bad = run([pgweir_module.binary(), "check", "-c", ini], check=False)
    assert bad.returncode == 1
    for said in (f"{users}:1: ", f"{rules}:2: ", f"{rules}:3: ", "client_tls: ", "server_tls: "):
        assert said in bad.stderr, bad.stderr


def test_a_reload_that_fails_leaves_the_users_as_they_were(start_pgweir, cluster):
    """All of it is taken into use, or nothing: not the new auth_file beside the old certificate."""
    certificates = cluster.certificates
    proxy = start_pgweir({"pgweir": {"client_tls_sslmode": "prefer", "client_tls_cert_file": certificates.server_cert,
                                     "client_tls_key_file": certificates.server_key}})
    proxy.users = {"app": "another"}
    proxy.sections["pgweir"]["client_tls_cert_file"] = certificates.server_key
    proxy.reload()
    wait_until(lambda: "client_tls: " in proxy.log(), what="the log says what is wrong")
    assert proxy.raw("app").value("SELECT 1") == "1"


def test_the_command_line_answers_help_version_and_misuse():
    program = pgweir_module.binary()
    assert "Usage" in run([program, "--help"]).stdout or "usage" in run([program, "--help"]).stdout
    assert "pgweir" in run([program, "--version"]).stdout
    assert run([program, "--nonsense"], check=False).returncode == 2
    assert run([program, "-c", "/nonexistent/pgweir.ini"], check=False).returncode == 1


def test_a_port_in_use_is_said_clearly_and_the_pidfile_of_who_uses_it_stays(start_pgweir, tmp_path):
    pidfile = tmp_path / "pid"
    first = start_pgweir({"pgweir": {"pidfile": pidfile}})
    second = start_pgweir({"pgweir": {"pidfile": pidfile, "listen_port": first.port}}, wait=False)
    assert second.process.wait(60) == 1
    assert str(first.port) in second.log()
    assert pidfile.read_text() == f"{first.process.pid}\n"
    second.process = None


def test_a_group_that_is_not_there_is_said_clearly_and_leaves_no_socket(start_pgweir, tmp_path):
    proxy = start_pgweir({"pgweir": {"unix_socket_dir": tmp_path, "unix_socket_group": "no_such_group"}}, wait=False)
    assert proxy.process.wait(60) == 1
    assert re.search(r'unix_socket_group: there is no group .*"no_such_group', proxy.log())
    assert list(tmp_path.iterdir()) == []
    proxy.process = None


def test_accept_is_paused_when_descriptors_run_out_and_resumed_after(start_pgweir):
    proxy = start_pgweir({"pgweir": {"max_client_conn": 40, "default_pool_size": 2, "threads": 1}}, open_files=80)
    assert "the limit of open files is lower than max_client_conn and the pools may need limit=80" in proxy.log()
    kept = proxy.raw("app")
    crowd = []
    for _ in range(120):
        sock = socket.socket()
        sock.settimeout(0.2)
        try:
            sock.connect((proxy.host, proxy.port))
        except TimeoutError:
            pass
        crowd.append(sock)
    assert kept.value("SELECT 'served'") == "served"
    used = cpu_seconds(proxy)
    time.sleep(1)
    assert cpu_seconds(proxy) - used < 0.5          # It does not spin on accept().
    for sock in crowd:
        sock.close()

    def works():
        try:
            proxy.raw("app", timeout_s=2).close()
            return True
        except (raw.ServerError, raw.Closed, OSError):
            return False

    wait_until(works, 20, "new clients are accepted again")
    assert proxy.log().count("accepting paused") == 1       # Ten attempts a second are no news.
    wait_until(lambda: "accepting resumed" in proxy.log(), 5, "the log says that it is over")
    kept.close()


def cpu_seconds(proxy) -> float:
    fields = pathlib.Path(f"/proc/{proxy.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def idle_clients(proxy, count: int, tls: bool, limit_kib: float | None = None) -> None:
    """So much memory for each of them soon after, and each answers a query afterwards."""
    context = raw.insecure_context()
    warm = [proxy.raw("app", tls=tls) for _ in range(50)]
    for client in warm:
        client.ask("SELECT 1")
    before_kib = proxy.memory_kib()
    clients = []
    for _ in range(count):
        client = raw.Client(proxy.host, proxy.port, timeout_s=60)
        if tls:
            client.request_tls(context)
        client.login("app", "app", PASSWORDS["app"])
        clients.append(client)
    if limit_kib:
        # What their logins took is given back behind their last words.
        wait_until(lambda: (proxy.memory_kib() - before_kib) / count < limit_kib, 5, f"an idle client has less than {limit_kib} KiB")
        print(f"{(proxy.memory_kib() - before_kib) / count:.2f} KiB per idle client")
    for client in clients:
        assert client.value("SELECT 1") == "1"
        client.close()
    for client in warm:
        client.close()


@pytest.mark.memory
@pytest.mark.parametrize("transport,count,limit_kib", [("plain", 10000, 0.75), ("tls", 3000, 20)], ids=["plain", "tls"])
def test_idle_clients_cost_little_memory_and_all_answer_afterwards(start_pgweir, cluster, transport, count, limit_kib):
    count = min(count, (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500))
    proxy = start_pgweir({"pgweir": {**tls_settings(cluster), "auth_type": "md5", "max_client_conn": count + 200, "pool_mode": "transaction",
                                     "default_pool_size": 10}})
    idle_clients(proxy, count, transport == "tls", limit_kib)


def test_a_thousand_idle_clients_all_answer(start_pgweir):
    proxy = start_pgweir({"pgweir": {"auth_type": "md5", "max_client_conn": 2000, "pool_mode": "transaction", "default_pool_size": 5}})
    idle_clients(proxy, 1000, False)


@pytest.mark.threaded
def test_server_connections_are_shared_by_all_workers_within_one_budget(start_pgweir, cluster, tmp_path):
    proxy = start_pgweir({"pgweir": {"threads": 4, "pool_mode": "transaction"}, "database bench": {"dbname": "app", "pool_size": 3}})
    script = tmp_path / "who.sql"
    script.write_text("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app';\n")
    load = subprocess.Popen([bin_folder() / "pgbench", "-n", "-c", "40", "-j", "2", "-T", "3", "-f", script, proxy.conninfo("bench", sslmode="prefer")],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    most = 0
    while load.poll() is None:
        # As the server counts them: a tour of the workers may meet a connection twice that is lent meanwhile. (Of another test's
        # pgbench the shared proxy may have some, to another database.)
        most = max(most, cluster.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'"
                                             " AND datname = 'app'")[0][0])
        time.sleep(0.05)
    assert load.returncode == 0, load.stderr.read()
    assert 1 <= most <= 3


@pytest.mark.threaded
def test_no_waiting_client_starves(start_pgweir):
    """One server connection, forty clients, four workers: everybody gets a share."""
    proxy = start_pgweir({"pgweir": {"threads": 4, "pool_mode": "transaction"}, "database app": {"pool_size": 1}})
    clients = [proxy.raw("app") for _ in range(40)]
    for client in clients:
        client.send(raw.query("SELECT 1") * 20)
    for client in clients:
        assert raw.rows_of(client.read_until_ready(20)) == [["1"]] * 20
        client.close()


@pytest.mark.threaded
def test_clients_that_come_and_go_under_load_leave_nothing_behind(start_pgweir):
    proxy = start_pgweir({"pgweir": {"threads": 4, "pool_mode": "transaction"}, "database app": {"pool_size": 4}})
    load = subprocess.Popen([bin_folder() / "pgbench", "-n", "-c", "8", "-T", "4", "-f", "/dev/stdin", proxy.conninfo("app", sslmode="prefer")],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    load.stdin.write("SELECT 1;\n")
    load.stdin.close()
    for number in range(150):
        client = proxy.raw("app")
        client.send(raw.query("SELECT pg_sleep(0.01)") if number % 3 else raw.query("BEGIN; SELECT 1"))
        if number % 2:
            client.read_until_ready()
        client.close()
        if number % 25 == 0:
            proxy.reload()
    assert load.wait(60) == 0, load.stderr.read()
    assert proxy.raw("app").value("SELECT 1") == "1"
    wait_until(lambda: proxy.pool("app")["sv_active"] == 0, what="no server connection is held")


@pytest.mark.parametrize("sections,logins", [
    ({"database app": {"max_db_connections": 2}}, [("app", "app"), ("app", "other")]),
    ({"pgweir": {"max_user_connections": 2}, "database app": {}, "database more": {"dbname": "other"}}, [("app", "app"), ("more", "app")])],
    ids=["database", "user"])
def test_caps_per_database_and_user_hold_over_all_pools(start_pgweir, sections, logins):
    proxy = start_pgweir({**sections, "pgweir": {"pool_mode": "transaction", "default_pool_size": 5, "query_wait_timeout": 100,
                                                 **sections.get("pgweir", {})}})
    clients = [proxy.raw(*login) for login in logins * 3]
    for client in clients:
        client.send(raw.query("SELECT pg_sleep(0.1)"))
    for client in clients:
        assert raw.good(client.read_until_ready())
    assert 1 <= len(proxy.show("SERVERS")) <= 2


@pytest.mark.threaded
def test_clients_are_spread_over_the_workers(start_pgweir):
    proxy = start_pgweir({"pgweir": {"threads": 4, "pool_mode": "transaction"}})
    clients = [proxy.raw("app") for _ in range(12)]
    assert [row["clients"] for row in proxy.show("THREADS")] == [3] * 4
    for client in clients:
        client.close()


def test_server_connections_age_out(start_pgweir):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_lifetime": 1, "server_idle_timeout": 1}})
    client = proxy.raw("app")
    first = client.value("SELECT pg_backend_pid()")
    wait_until(lambda: not proxy.show("SERVERS"), 15, "the idle connection is closed")
    assert client.value("SELECT pg_backend_pid()") != first


def test_min_pool_size_is_kept_ready(start_pgweir):
    proxy = start_pgweir({"database app": {"min_pool_size": 3, "user": "app", "password": PASSWORDS["app"], "pool_size": 5}})
    wait_until(lambda: len(proxy.show("SERVERS")) >= 3, 15, "three connections are open before anybody came")


def test_a_cluster_of_three_hosts_serves_writes_from_its_primary(start_pgweir, cluster, replicas):
    hosts = [f"{server.host}:{server.port}" for server in (*replicas, cluster.primary)]     # The primary stands last.
    proxy = start_pgweir({"cluster main": {"hosts": ", ".join(hosts), "probe_user": "app", "probe_password": PASSWORDS["app"]},
                          "database app": {"cluster": "main"}})
    client = proxy.raw("app")
    assert client.value("SELECT pg_is_in_recovery()") == "f"
    assert client.ask("CREATE TABLE IF NOT EXISTS written_through_a_cluster (n int)")[-2].text() == "CREATE TABLE"
    client.close()


def test_a_full_disk_under_the_log_stops_nobody(start_pgweir):
    proxy = start_pgweir({"pgweir": {"logfile": "/dev/full"}})
    for _ in range(20):
        assert proxy.raw("app").value("SELECT 1") == "1"


def test_json_log_lines_are_json(start_pgweir):
    import json
    proxy = start_pgweir({"pgweir": {"log_format": "json"}})
    proxy.raw("app").close()
    with pytest.raises(raw.ServerError):
        proxy.raw("app", password="wrong", application_name='quo"te\n')
    lines = proxy.log().rpartition("\n")[0].splitlines()       # One may be on its way.
    assert lines and all(isinstance(json.loads(line), dict) for line in lines)


def test_a_wildcard_database_serves_any_name(start_pgweir, cluster):
    proxy = start_pgweir({"database *": database(cluster)})
    assert proxy.raw("app").value("SELECT current_database()") == "app"
    assert proxy.raw("other", "other").value("SELECT current_database()") == "other"
    with pytest.raises(raw.ServerError) as caught:
        proxy.raw("no_such_database").value("SELECT 1")
    assert caught.value.sqlstate == "3D000"
