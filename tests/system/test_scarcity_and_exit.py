"""Pools that are too small, servers that do not answer, and the end in the middle of it all: nobody hangs, nothing leaks."""
import signal
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
