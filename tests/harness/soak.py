"""`make soak`: the main uses at once for SOAK_MINUTES, while backends die, the server restarts and the proxy reloads.

Ends with status 1 when a client saw an error that none of the disturbances explains, when memory grew, or when the
proxy crashed. Also measures what only a quiet run can: how soon a queued client is cancelled. """
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import psycopg

from harness import raw
from harness.pgweir import Pgweir
from harness.plugin import shared_sections
from harness.postgres import Cluster, bin_folder
from harness.process import run, wait_until

MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
EXPECTED = ("08", "57", "25P02", "40", "55006")      # Classes of what a disturbance may cause.


class Count:
    """Per worker thread: what went well, what was disturbed, what must not have happened."""

    def __init__(self):
        self.good, self.disturbed, self.wrong = 0, 0, []

    def failed(self, what: str, error: Exception) -> None:
        sqlstate = getattr(error, "sqlstate", None)
        if sqlstate and not sqlstate.startswith(EXPECTED):
            self.wrong.append(f"{what}: {sqlstate} {error}")
        else:
            self.disturbed += 1


def work(proxy: Pgweir, number: int, count: Count, over: threading.Event) -> None:
    """Connects, does some of everything, checks every answer, leaves; politely or not."""
    dice = random.Random(number)
    while not over.is_set():
        try:
            with proxy.connect(dice.choice(["app", "session", "one"]), autocommit=True) as connection:
                for _ in range(dice.randrange(1, 40)):
                    wanted = dice.randrange(1 << 30)
                    kind = dice.randrange(5)
                    if kind == 0:
                        got = connection.execute(f"SELECT {wanted}").fetchone()[0]
                    elif kind == 1:
                        got = connection.execute("SELECT %s::int", [wanted], prepare=True).fetchone()[0]
                    elif kind == 2:
                        with connection.transaction():
                            connection.execute("SELECT pg_sleep(0.001)")
                            got = connection.execute("SELECT %s::int", [wanted]).fetchone()[0]
                    elif kind == 3:
                        with connection.cursor().copy(f"COPY (SELECT {wanted} FROM generate_series(1, 1000)) TO STDOUT") as copy:
                            rows = list(copy.rows())
                        got = int(rows[0][0]) if len(rows) == 1000 else -1
                    else:
                        with connection.pipeline():
                            cursors = [connection.execute("SELECT %s::int", [wanted]) for _ in range(10)]
                            got = {cursor.fetchone()[0] for cursor in cursors}.pop()
                    if got != wanted:
                        count.wrong.append(f"kind {kind}: asked for {wanted}, got {got}")
                        over.set()
                    count.good += 1
                if dice.randrange(10) == 0:
                    os.close(os.dup(connection.fileno()))
                    connection.pgconn.finish()
        except (psycopg.Error, OSError) as error:
            count.failed("worker", error)
            time.sleep(0.1)


def disturb(proxy: Pgweir, cluster: Cluster, over: threading.Event) -> None:
    dice = random.Random(0)
    while not over.wait(dice.uniform(2, 8)):
        kind = dice.randrange(10)
        try:
            if kind < 4:
                cluster.primary.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' ORDER BY random() LIMIT 2")
            elif kind < 7:
                proxy.reload()
            elif kind < 9:
                raw.Client(proxy.host, proxy.port).send(os.urandom(1000))
            else:
                cluster.primary.restart(signal.SIGINT)
        except (psycopg.Error, OSError):
            pass


def cancel_of_one_of_1000_ms(proxy: Pgweir) -> float:
    """The bar is 50 ms."""
    holder = proxy.raw("one")
    clients = [proxy.raw("one") for _ in range(1000)]
    holder.ask("BEGIN")
    for client in clients:
        client.send(raw.query("SELECT 1"))
    wait_until(lambda: proxy.pool("one")["cl_waiting"] == 1000, 30)
    middle = clients[500]
    began = time.monotonic()
    with raw_socket(proxy) as canceller:
        canceller.sendall(raw.cancel_request(middle.pid, middle.key))
        middle.read_until_ready()
    taken_ms = (time.monotonic() - began) * 1000
    for client in [*clients, holder]:
        client.close()
    return taken_ms


def raw_socket(proxy: Pgweir):
    return raw.Client(proxy.host, proxy.port).sock


def main() -> int:
    cluster = Cluster().start()
    proxy = Pgweir(shared_sections(cluster))
    try:
        proxy.start()
        cancel_ms = sorted(cancel_of_one_of_1000_ms(proxy) for _ in range(5))[2]
        print(f"one of 1,000 queued clients is cancelled in {cancel_ms:.1f} ms (median of 5)", flush=True)
        over, calm, counts = threading.Event(), threading.Event(), [Count() for _ in range(20)]
        threads = [threading.Thread(target=work, args=(proxy, number, count, over)) for number, count in enumerate(counts)]
        # The server that it restarts last dies with this thread (PR_SET_PDEATHSIG): it has to outlive the others.
        disturber = threading.Thread(target=disturb, args=(proxy, cluster, calm))
        for thread in [*threads, disturber]:
            thread.start()
        began, early_kib = time.monotonic(), 0
        while not over.wait(10) and time.monotonic() - began < MINUTES * 60:
            memory_kib = proxy.memory_kib()
            early_kib = early_kib or (memory_kib if time.monotonic() - began > 60 else 0)
            print(f"{time.monotonic() - began:6.0f} s  {sum(c.good for c in counts)} good, {sum(c.disturbed for c in counts)} disturbed, "
                  f"{sum(len(c.wrong) for c in counts)} wrong, {memory_kib} KiB", flush=True)
            if not proxy.alive():
                break
        over.set()
        for thread in threads:
            thread.join(60)
        calm.set()
        disturber.join(60)
        wrong = [each for count in counts for each in count.wrong]
        print("\n".join(wrong[:50]))
        grown_kib = proxy.memory_kib() - early_kib if early_kib else 0
        print(f"memory grew by {grown_kib} KiB after the first minute")
        proxy.stop()
        return 1 if wrong or cancel_ms >= 50 or grown_kib > 8 * 1024 else 0
    finally:
        if proxy.alive():
            proxy.process.kill()
        cluster.stop()


if __name__ == "__main__":
    run([bin_folder() / "postgres", "--version"])
    sys.exit(main())
