"""`make demo`: a throwaway primary with two streaming replicas, pgweir in front of them, and a short workload.

Stays up until Ctrl-C; with DEMO_ONCE=1 it ends after the workload, with its status. With DATABASE_URL it stands in front
of that server instead, and only reads from it. """
import os
import pathlib
import re
import secrets
import signal
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import psycopg
from psycopg.conninfo import conninfo_to_dict

from harness import certs, process
from harness.pgweir import Pgweir
from harness.postgres import PASSWORDS, Cluster, bin_folder

CLIENTS, SERVERS = 64, 10
SECONDS_EACH = 3
SECONDS_SLOW = 30


def say(text: str = "") -> None:
    print(text, flush=True)


def preferred_port() -> int:
    return process.free_port() if process.accepts("127.0.0.1", 6432) else 6432


def front(certificates: certs.Certificates) -> dict:
    return {"listen_port": preferred_port(), "pool_mode": "transaction", "default_pool_size": SERVERS, "max_client_conn": 1000,
            "auth_type": "scram-sha-256", "client_tls_sslmode": "prefer", "client_tls_cert_file": certificates.server_cert,
            "client_tls_key_file": certificates.server_key, "threads": 0, "http_listen": f"127.0.0.1:{process.free_port()}"}


class Throwaway:
    """Three servers of our own."""

    database, user = "app", "app"
    password = PASSWORDS["app"]

    def __init__(self):
        self.cluster = Cluster()
        self.writable = True

    def start(self) -> dict:
        self.cluster.start()
        say(f"  {self.cluster.primary.name:9} 127.0.0.1:{self.cluster.primary.port}")
        self.cluster.start_replicas(2)
        for server in self.cluster.replicas:
            say(f"  {server.name:9} 127.0.0.1:{server.port}")
        servers = [self.cluster.primary, *self.cluster.replicas]
        certificates = self.cluster.certificates
        return {
            "pgweir": front(certificates),
            "cluster demo": {"hosts": ", ".join(f"{server.host}:{server.port}" for server in servers),
                             "server_tls_sslmode": "verify-full", "server_tls_ca_file": certificates.ca,
                             "probe_user": "app", "probe_password": self.password},
            "database app": {"cluster": "demo", "routing": "auto"},
        }

    def stop(self) -> None:
        self.cluster.stop()


class Existing:
    """The server of DATABASE_URL. Nothing is written to it."""

    def __init__(self, url: str):
        self.where = conninfo_to_dict(url)
        self.database = self.where.get("dbname", "postgres")
        self.user = self.where.get("user", "postgres")
        self.password = self.where.get("password") or secrets.token_urlsafe(12)
        self.writable = False
        self.folder = process.new_folder("demo")

    def start(self) -> dict:
        where = self.where
        server = {"host": where.get("host", "127.0.0.1"), "port": where.get("port", 5432), "dbname": self.database,
                  "server_tls_sslmode": where.get("sslmode", "prefer")}
        if "sslrootcert" in where:
            server["server_tls_ca_file"] = where["sslrootcert"]
        say(f"  {server['host']}:{server['port']}, database {self.database}")
        return {"pgweir": front(certs.make(self.folder)), f"database {self.database}": server}

    def stop(self) -> None:
        process.remove_folder(self.folder)


def pgbench(proxy: Pgweir, where: str, *arguments) -> tuple[bool, str]:
    """Whether nothing failed, and what to say. pgbench counts its connecting in, which may be all there is on a busy machine."""
    for seconds in (SECONDS_EACH, SECONDS_SLOW):
        result = process.run([bin_folder() / "pgbench", "-n", "-c", CLIENTS, "-j", "2", "-T", seconds, *arguments, where], check=False)
        if result.returncode != 0 or "actually processed: 0\n" not in result.stdout:
            break
    tps = re.search(r"tps = ([\d.]+)", result.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", result.stdout)
    good = result.returncode == 0 and bool(tps) and (not failed or failed.group(1) == "0")
    return good, (f"{float(tps.group(1)) if tps else 0:8.0f} transactions/s, {failed.group(1) if failed else '0'} failed"
                  + ("" if good else f"\n{result.stderr}"))


def reads(proxy: Pgweir, where: str) -> bool:
    """Reads of one row each, which the replicas serve."""
    good, told = pgbench(proxy, where, "-M", "prepared", "-S")
    decided = {"replica": 0, "primary": 0}
    for row in proxy.show("ROUTES"):
        decided[row["decision"]] = decided.get(row["decision"], 0) + int(row["count"])
    say(f"  reads     {told}")
    say(f"routed since the start: {decided['replica']} to replicas, {decided['primary']} to the primary (SHOW ROUTES says why)")
    return good and decided["replica"] > 0


def workload(proxy: Pgweir, server) -> bool:
    """True when nothing failed."""
    where = proxy.conninfo(server.database, server.user, server.password)
    with psycopg.connect(where, autocommit=True) as connection:
        version, address = connection.execute("SELECT current_setting('server_version'), inet_server_port()").fetchone()
        say(f"connected through pgweir over {'TLS' if connection.pgconn.ssl_in_use else 'plain TCP'}: PostgreSQL {version} on port {address}")
    if server.writable:
        process.run([bin_folder() / "pgbench", "-i", "-q", "-s", "10", where])
        what = []
    else:
        script = proxy.folder / "read.sql"
        script.write_text("SELECT count(*) FROM pg_class;\n")
        what = ["-f", script]
    say(f"pgbench with {CLIENTS} clients over {SERVERS} server connections, TLS and SCRAM:")
    worked = True
    for protocol in ("simple", "extended", "prepared"):
        good, told = pgbench(proxy, where, "-M", protocol, *what)
        worked = worked and good
        say(f"  {protocol:9} {told}")
    if server.writable:
        worked = reads(proxy, where) and worked
    pool = proxy.pool(server.database, server.user)
    say(f"the pool now: {pool.get('sv_idle', 0)} idle server connections, of at most {SERVERS} to each server")
    return worked


def how_to_connect(proxy: Pgweir, server) -> None:
    say()
    say(f"  psql '{proxy.conninfo(server.database, server.user, server.password)}'")
    say(f"  psql '{proxy.conninfo('pgweir', 'admin', PASSWORDS['admin'])}' -c 'SHOW POOLS'")
    say(f"  http://{proxy.sections['pgweir']['http_listen']}/ (the status page)")
    say(f"  {proxy.ini_path}")
    say(f"  {proxy.log_path}")


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    url = os.environ.get("DATABASE_URL")
    server = Existing(url) if url else Throwaway()
    proxy = None
    try:
        say("servers:")
        sections = server.start()
        proxy = Pgweir(sections, users={server.user: server.password, "admin": PASSWORDS["admin"]})
        proxy.start()
        say(f"pgweir:     127.0.0.1:{proxy.port}")
        worked = workload(proxy, server)
        how_to_connect(proxy, server)
        if os.environ.get("DEMO_ONCE") == "1":
            return 0 if worked else 1
        say("\nCtrl-C ends it all.")
        while proxy.alive():
            time.sleep(0.5)
        say(f"pgweir ended\n{proxy.log()[-2000:]}")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        if proxy is not None:
            proxy.stop()
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
