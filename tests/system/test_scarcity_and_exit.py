"""Pools that are too small, servers that do not answer, and the end in the middle of it all: nobody hangs, nothing leaks."""
import itertools
import signal
import socket
import subprocess
import threading

import pytest

from harness import raw
from harness.postgres import PASSWORDS, bin_folder
from harness.process import listen, wait_until

pytestmark = pytest.mark.ours


@pytest.mark.threaded
@pytest.mark.parametrize("threads", [1, 4])
def test_clients_of_session_mode_with_settings_of_their_own_take_turns_on_a_pool_of_one(start_pgweir, threads):
    """No connection that one of them leaves fits the next: it has to make room for a new one."""
    proxy = start_pgweir({"pgweir": {"threads": threads, "pool_mode": "session", "query_wait_timeout": 100}, "database app": {"pool_size": 1}})
    said, failed = [], []

    def come(number):
        try:
            for turn in range(3):
                client = proxy.raw("app", timeout_s=60, application_name=f"client {number} {turn}")
                said.append(client.value("SHOW application_name") == f"client {number} {turn}")
                client.close()
        except Exception as error:      # pylint: disable=broad-except
            failed.append(error)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed[:3]
    assert said == [True] * 24


def test_the_reserve_serves_who_has_waited_for_long(start_pgweir):
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "default_pool_size": 1, "reserve_pool_size": 1,
                                     "reserve_pool_timeout": "300ms", "query_wait_timeout": 100}})
    holder, patient, third = (proxy.raw("app") for _ in range(3))
    holder.ask("BEGIN")
    assert raw.good(patient.ask("BEGIN"))
    third.send(raw.query("SELECT 'third'"))
    wait_until(lambda: proxy.pool("app")["maxwait"] >= 1, 10, "the third has waited, too")
    assert (proxy.pool("app")["sv_active"], proxy.pool("app")["cl_waiting"]) == (2, 1)      # The reserve has an end.
    holder.ask("COMMIT")
    assert raw.rows_of(third.read_until_ready()) == [["third"]]
    patient.close()


def test_who_has_waited_longest_is_served_first(start_pgweir, cluster):
    cluster.primary.sql("DROP SEQUENCE IF EXISTS turn; CREATE SEQUENCE turn; GRANT ALL ON turn TO app", "app")
    proxy = start_pgweir({"pgweir": {"threads": 1, "pool_mode": "transaction", "query_wait_timeout": 100}, "database app": {"pool_size": 1}})
    holder, *waiters = (proxy.raw("app") for _ in range(6))
    holder.ask("BEGIN")
    waiters = waiters[::2] + waiters[1::2]              # Not in the order of their logins.
    for number, waiter in enumerate(waiters):
        waiter.send(raw.query("SELECT nextval('turn')"))
        wait_until(lambda: proxy.pool("app")["cl_waiting"] == number + 1)
    holder.ask("COMMIT")
    assert [raw.rows_of(waiter.read_until_ready())[0][0] for waiter in waiters] == ["1", "2", "3", "4", "5"]
    cluster.primary.sql("DROP SEQUENCE turn", "app")


def test_server_connections_are_opened_side_by_side(start_pgweir):
    """One goes ahead, since all may be refused; then the server answers none before it has seen three more."""
    three, numbers = threading.Barrier(3), itertools.count()

    def on_startup(_backend):
        if next(numbers) >= 2:
            three.wait(100)

    with raw.FakeServer(on_startup=on_startup) as server:
        proxy = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_tls_sslmode": "disable", "auth_type": "trust"},
                              "database app": {"host": server.host, "port": server.port, "pool_size": 5}})
        proxy.raw("app").ask("SELECT 1")
        logins = [threading.Thread(target=lambda: said.append(proxy.raw("app").ask("BEGIN")[-1].body)) for _ in range(5)]
        said = []
        for login in logins:
            login.start()
        for login in logins:
            login.join()
        assert said == [b"T"] * 5


def crowd_of(proxy, count: int) -> list[socket.socket]:
    """They say nothing."""
    crowd = [socket.socket() for _ in range(count)]
    for each in crowd:
        each.setblocking(False)
        each.connect_ex((proxy.host, proxy.port))
    return crowd


def test_clients_leave_descriptors_to_servers_and_administrators(start_pgweir):
    """Whoever has logged in gets a server connection, as many as the pool may have, and the console can be reached."""
    proxy = start_pgweir({"pgweir": {"threads": 1, "login_threads": 1, "pool_mode": "transaction", "auth_type": "trust"},
                          "database app": {"pool_size": 8}, "user app": {"password": PASSWORDS["app"]}}, open_files=80)
    clients = []
    with pytest.raises(raw.ServerError) as refused:
        while len(clients) < 80:
            clients.append(proxy.raw("app"))
    assert refused.value.sqlstate == "53300" and "too many clients" in str(refused.value)
    assert len(clients) > 10
    crowd = crowd_of(proxy, 45)
    for client in clients[:8]:
        assert raw.good(client.ask("BEGIN"))
    assert proxy.pool("app")["sv_active"] == 8
    console = proxy.admin()
    console.cursor().execute("RELOAD")
    console.close()
    for sock in crowd:
        sock.close()
    clients.pop().close()
    wait_until(lambda: comes_in(proxy), 20, "there is room again")


def comes_in(proxy) -> bool:
    try:
        proxy.raw("app", timeout_s=5).close()
        return True
    except (raw.ServerError, raw.Closed, OSError):
        return False


def test_without_descriptors_for_servers_clients_wait_and_hear_why(start_pgweir):
    """The pool of one database has taken them all, but for those of the control plane."""
    greedy = {"pool_size": 60, "min_pool_size": 60, "user": "app", "password": PASSWORDS["app"]}
    proxy = start_pgweir({"pgweir": {"threads": 1, "login_threads": 1, "pool_mode": "transaction", "server_login_retry": 1,
                                     "max_server_conn": 0}, "database app": {}}, open_files=64)
    holder, unlucky = proxy.raw("app"), proxy.raw("app")
    holder.ask("BEGIN")
    proxy.sections["pgweir"]["query_wait_timeout"] = 3         # Long enough for a try.
    proxy.sections["database greedy"] = {**proxy.sections["database app"], **greedy, "dbname": "app"}
    proxy.reload()
    wait_until(lambda: "Too many open files" in proxy.log(), 60)
    error = raw.error_of(unlucky.ask("SELECT 1"))
    assert error["C"] == "08001" and "Too many open files" in error["M"]
    assert holder.value("SELECT 'unaffected'") == "unaffected"
    proxy.admin().cursor().execute("PAUSE greedy")
    wait_until(lambda: raw.good(unlucky.ask("SELECT 1")), 20, "it is served again")
    holder.close()


@pytest.fixture
def silent_server():
    """Accepts, and says nothing."""
    listener = listen()
    taken = []
    running = threading.Event()
    listener.settimeout(0.1)

    def accept():
        while not running.is_set():
            try:
                taken.append(listener.accept()[0])
            except TimeoutError:
                pass

    thread = threading.Thread(target=accept)
    thread.start()
    yield listener.getsockname(), taken
    running.set()
    thread.join()
    for sock in (*taken, listener):
        sock.close()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_the_end_while_connections_are_being_opened(start_pgweir, silent_server, signum):
    (host, port), taken = silent_server
    # With max_server_conn = auto the first login would be the only one until the server has answered.
    proxy = start_pgweir({"pgweir": {"drain_timeout": "2s", "max_server_conn": 0}, "database app": {"host": host, "port": port, "pool_size": 5}})
    clients = [raw.Client(proxy.host, proxy.port) for _ in range(5)]
    threads = [threading.Thread(target=log_in, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(taken) >= 3, what="several logins are under way")
    proxy.process.send_signal(signum)
    assert proxy.process.wait(60) == 0
    for thread in threads:
        thread.join()
    proxy.check_log()


def log_in(client) -> None:
    try:
        client.login("app", "app", PASSWORDS["app"])
    except (raw.ServerError, raw.Closed, OSError):
        pass


@pytest.mark.threaded
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_the_end_under_load(start_pgweir, tmp_path, signum, mode):
    proxy = start_pgweir({"pgweir": {"threads": 4, "pool_mode": mode, "drain_timeout": "3s"}, "database app": {"pool_size": 3}})
    script = tmp_path / "load.sql"
    script.write_text("BEGIN;\nSELECT 1;\nSELECT repeat('x', 100000);\nCOMMIT;\n")
    load = subprocess.Popen([bin_folder() / "pgbench", "-n", "-c", "3" if mode == "session" else "12", "-T", "20", "-f", script, "-M", "prepared", "-C" if signum == signal.SIGQUIT else "-n",
                             proxy.conninfo("app", sslmode="prefer")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: (proxy.pool("app").get("sv_active") or 0) > 0, what="the load runs")
    proxy.process.send_signal(signum)
    if signum == signal.SIGINT and mode == "session":
        load.terminate()
    assert proxy.process.wait(60) == 0
    load.terminate()
    load.wait(60)
    proxy.check_log()
