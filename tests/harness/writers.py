"""Clients that write while a test takes their server away, and what has come of it."""
import contextlib
import threading
import time

import psycopg

from .process import PATIENCE, wait_until


class Writer(threading.Thread):
    """Writes key after key, each in a transaction of its own and once only, over one connection: it never makes another."""

    def __init__(self, proxy, name: str):
        super().__init__(daemon=True)
        self.name, self.over = name, threading.Event()
        self.connection = psycopg.connect(proxy.conninfo("app", "app", sslmode="prefer"), autocommit=True)
        self.written, self.errors, self.times = [], [], []

    def run(self):
        number = 0
        while not self.over.is_set() and not self.connection.closed:
            number += 1
            try:
                self.connection.execute("INSERT INTO numbers VALUES (%s)", [f"{self.name}-{number}"])
                self.written.append(f"{self.name}-{number}")
                self.times.append(time.monotonic())
            except psycopg.Error as error:
                self.errors.append((error.sqlstate, str(error)))


@contextlib.contextmanager
def writers(proxy, count: int):
    """So many at work, all of whom have written twice: what the proxy asks the server behind a first write has been answered."""
    started = [Writer(proxy, f"w{number}") for number in range(count)]
    try:
        for writer in started:
            writer.start()
        wait_until(lambda: all(len(writer.written) > 1 for writer in started), 30, "everybody has written")
        yield started
    finally:
        end_writers(started)


def end_writers(started: list[Writer]) -> None:
    for writer in started:
        writer.over.set()
    for writer in started:
        writer.join(60 * PATIENCE)
    assert not [writer.name for writer in started if writer.is_alive()], "a client waits for ever"
    assert not [writer.name for writer in started if writer.connection.closed], "a client's connection was dropped"


def make_table(cluster) -> None:
    """What they write to, on the primary and its replicas."""
    cluster.primary.sql("CREATE TABLE numbers (key text)", "app")
    cluster.primary.sql("GRANT ALL ON numbers TO app", "app")
    wait_until(cluster.caught_up, 20, "the replicas have the table")


def keys_on(server) -> list[str]:
    """As a list, since one that is there twice was written twice."""
    return [key for (key,) in server.sql("SELECT key FROM numbers", "app")]
