"""Does a session read what it has written? Many sessions write counters and read them back at once, while replicas fall behind.

    tests/harness/read_your_writes.py --seconds 600 --sessions 50 --mode session

makes a primary, two replicas and a proxy, and ends with status 1 when a read was stale that must not be (session: own writes;
database: everybody's), or, with --mode off, when none was: then the checker could not fail. `make soak` runs all three. """
import argparse
import dataclasses
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))

import psycopg

from harness.clusters import PROBE, address
from harness.pgweir import Pgweir
from harness.postgres import Cluster
from harness.process import wait_until

MODES = ("session", "database", "off")


@dataclasses.dataclass
class Tally:
    """What one session, or all of them, have seen."""
    writes: int = 0
    reads: int = 0
    at_once: int = 0            # Of the reads, those right behind a write.
    on_replica: int = 0
    at_once_on_replica: int = 0
    stale: int = 0              # Less than had been written.
    backwards: int = 0          # On replicas: less than had been read there before.

    def add(self, other: "Tally") -> None:
        for field in dataclasses.fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def __str__(self) -> str:
        return (f"{self.writes} writes, {self.reads} reads, {100 * self.on_replica / max(1, self.reads):.1f} % of them on replicas "
                f"(of those right behind a write {100 * self.at_once_on_replica / max(1, self.at_once):.1f} %), "
                f"{self.stale} stale, {self.backwards} backwards")


def sections(cluster, **more) -> dict:
    """One database of the proxy's per mode, by the mode's name."""
    servers = [cluster.primary, *cluster.replicas]
    probe = {key: value for key, value in PROBE.items() if key != "probe_interval"}
    return {"pgweir": {"pool_mode": "transaction", "threads": 2, "query_wait_timeout": "30s"},
            "cluster main": {"hosts": ", ".join(address(server) for server in servers), **probe, **more},
            **{f"database {mode}": {"cluster": "main", "dbname": "app", "routing": "auto", "read_your_writes": mode} for mode in MODES}}


def prepare(cluster, sessions: int) -> None:
    for statement in ("CREATE TABLE counters (id int PRIMARY KEY, n bigint NOT NULL)",
                      f"INSERT INTO counters SELECT id, 0 FROM generate_series(1, {sessions}) id", "GRANT ALL ON counters TO app",
                      "CREATE FUNCTION on_replica() RETURNS boolean STABLE LANGUAGE sql AS 'SELECT pg_is_in_recovery()'"):
        cluster.primary.sql(statement, "app")
    wait_until(cluster.caught_up, 30, "the replicas have the counters")


def clean_up(cluster) -> None:
    for statement in ("DROP TABLE counters", "DROP FUNCTION on_replica()"):
        cluster.primary.sql(statement, "app")


READ = "SELECT n, on_replica() FROM counters WHERE id = %s"


class Session(threading.Thread):
    """One connection. Every other one prepares its statements; some reads are READ ONLY transactions."""

    def __init__(self, check: "Check", number: int):
        super().__init__(daemon=True)
        self.check, self.number, self.dice = check, number, random.Random(number)
        self.tally, self.error, self.read_before = Tally(), None, {}

    def run(self) -> None:
        try:
            with self.check.proxy.connect(self.check.mode, "app", autocommit=True, sslmode="prefer") as connection:
                connection.prepare_threshold = 1 if self.number % 2 else None
                while not self.check.over.is_set():
                    self.write(connection)
                    self.read(connection, self.number, at_once=True)
                    for _ in range(self.dice.randrange(6)):
                        time.sleep(self.dice.random() * self.check.pause_s)
                        self.read(connection, self.dice.randrange(1, len(self.check.written)) if self.dice.random() < 0.3 else self.number)
                    time.sleep(self.dice.random() * self.check.pause_s)
        except psycopg.Error as error:
            self.error = error

    def write(self, connection) -> None:
        self.check.written[self.number] = connection.execute(
            "UPDATE counters SET n = n + 1 WHERE id = %s RETURNING n", [self.number]).fetchone()[0]
        self.tally.writes += 1

    def read(self, connection, whose: int, at_once: bool = False) -> None:
        wanted = self.check.written[whose] if whose == self.number or self.check.mode == "database" else 0
        if self.dice.random() < 0.1:
            connection.execute("BEGIN READ ONLY")
            found, on_replica = connection.execute(READ, [whose]).fetchone()
            connection.execute("COMMIT")
        else:
            found, on_replica = connection.execute(READ, [whose]).fetchone()
        self.tally.reads += 1
        self.tally.at_once += at_once
        self.tally.on_replica += on_replica
        self.tally.at_once_on_replica += at_once and on_replica
        self.tally.stale += found < wanted
        if on_replica:
            self.tally.backwards += found < self.read_before.get(whose, 0)
            self.read_before[whose] = found


class Check:
    """One run. Replicas stop and go on by turns, so that they are behind at any time and in any combination."""

    def __init__(self, proxy, cluster, mode: str, sessions: int, pause_s: float = 0.1):
        self.proxy, self.cluster, self.mode, self.pause_s = proxy, cluster, mode, pause_s
        self.over, self.written = threading.Event(), [0] * (sessions + 1)
        rows = cluster.primary.sql("SELECT id, n FROM counters", "app")
        for number, n in rows:
            self.written[number] = n
        self.sessions = [Session(self, number) for number in range(1, sessions + 1)]

    def make_lag(self, replica, dice) -> None:
        while not self.over.is_set():
            replica.sql("SELECT pg_wal_replay_pause()")
            self.over.wait(dice.random() * 1.5)
            replica.sql("SELECT pg_wal_replay_resume()")
            self.over.wait(dice.random() * 3)

    def all_together(self) -> Tally:
        tally = Tally()
        for session in self.sessions:
            tally.add(session.tally)
        return tally

    def run(self, seconds: float, until=None) -> Tally:
        """For so long, or until the tally satisfies `until`."""
        lag = [threading.Thread(target=self.make_lag, args=(replica, random.Random(replica.port)), daemon=True) for replica in self.cluster.replicas]
        threads = [*self.sessions, *lag]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end and not (until and until(self.all_together())):
            time.sleep(0.1)
        self.over.set()
        for thread in threads:
            thread.join(60)
        for session in self.sessions:
            if session.error:
                raise session.error
        return self.all_together()


def wait_until_replicas_serve(proxy, mode: str) -> None:
    """With the names known, and both replicas measured."""
    with proxy.connect(mode, "app", autocommit=True, sslmode="prefer") as connection:
        wait_until(lambda: connection.execute("SELECT on_replica()").fetchone()[0], 30, "a replica serves")


def faults(mode: str, tally: Tally) -> list[str]:
    found = []
    if mode == "off":
        return [] if tally.stale else ["no stale read was found: the checker cannot fail"]
    if tally.stale:
        found.append(f"{tally.stale} stale reads")
    if tally.backwards:
        found.append(f"{tally.backwards} reads on replicas that show less than one before")
    if not tally.on_replica and mode == "session":
        found.append("replicas served nothing")
    return found


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=20 * float(os.environ.get("SOAK_MINUTES", "3")), help="for each mode")
    options.add_argument("--sessions", type=int, default=50)
    options.add_argument("--pause", type=float, default=0.1, help="greatest time between two reads, in seconds")
    options.add_argument("--mode", choices=MODES, action="append", help="may be given several times")
    given = options.parse_args()
    cluster, wrong = Cluster(), []
    try:
        cluster.start()
        cluster.start_replicas(2)
        prepare(cluster, given.sessions)
        proxy = Pgweir(sections(cluster)).start()
        for mode in given.mode or MODES:
            wait_until_replicas_serve(proxy, mode)
            tally = Check(proxy, cluster, mode, given.sessions, given.pause).run(given.seconds)
            print(f"read_your_writes = {mode}, {given.sessions} sessions, {given.seconds:g} s: {tally}", flush=True)
            wrong += [f"{mode}: {fault}" for fault in faults(mode, tally)]
        proxy.stop()
    finally:
        cluster.stop()
    for fault in wrong:
        print(fault, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
