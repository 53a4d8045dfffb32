"""Starts what is measured: the instant server, and in front of it the relay, PgBouncer and pgweir.

Everything listens on loopback, on ports the kernel chose, with its files in one throwaway folder."""

import dataclasses
import hashlib
import hmac
import base64
import os
import pathlib
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import time

USER = "bench"
PASSWORD = "benchpw"
MAX_CLIENTS = 15000


class TargetError(Exception):
    """A program that did not start."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a run of a proxy needs; each target writes it down in its own way."""
    pool_mode: str = "transaction"
    pool_size: int = 32
    auth: str = "trust"
    userlist: str = "plain"         # how auth_file holds the password: plain | scram
    tls: bool = False
    threads: int = 1
    empty_databases: int = 0


class Target:
    """One running program: its name in the tables, where to connect, whose CPU to measure."""

    def __init__(self, name, process, port, log=None):
        self.name, self.process, self.port, self.log = name, process, port, log

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def scram_secret(password):
    """A SCRAM-SHA-256 secret as pg_authid holds it (RFC 5803)."""
    salt, rounds = os.urandom(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def login(port, database):
    """One plain trust login and goodbye: makes a proxy create its pool for `database`."""
    fields = f"user\0{USER}\0database\0{database}\0\0".encode()
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(struct.pack("!II", len(fields) + 8, 196608) + fields)
        received = b""
        while not received.endswith(b"Z\0\0\0\x05I"):
            chunk = connection.recv(4096)
            if not chunk:
                raise TargetError(f"login to {database} failed: {received!r}")
            received += chunk
        connection.sendall(b"X\0\0\0\x04")


class Bench:
    """The folder, the certificate, the userlist and the programs of one run."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.programs = pathlib.Path(arguments.programs).resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pgweir-bench-"))
        self.running = []
        self.raw = []           # every single result, for --json
        self.account = self.choose_account()
        self.make_files()
        self.server = self.start_self_naming("server", [self.programs / "bench_server", "--threads", "1"], core=1)

    def choose_account(self):
        """PgBouncer refuses to run as root: the postgres account then stands in."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam("postgres")
        except KeyError:
            return None

    def make_files(self):
        self.certificate, self.key = self.folder / "tls.crt", self.folder / "tls.key"
        algorithm = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=localhost", "-newkey"]
                       + algorithm[self.arguments.tls_key] + ["-keyout", self.key, "-out", self.certificate],
                       check=True, stderr=subprocess.DEVNULL)
        self.userlists = {kind: self.folder / f"userlist-{kind}.txt" for kind in ("plain", "scram")}
        for kind, secret in (("plain", PASSWORD), ("scram", scram_secret(PASSWORD))):
            self.userlists[kind].write_text(f'"{USER}" "{secret}"\n')
            self.userlists[kind].chmod(0o600)
        if self.account:
            for path in (self.folder, self.certificate, self.key, *self.userlists.values()):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def pin(self, core):
        """The proxy has core 0 to itself; load and server share core 1."""
        return ["taskset", "-c", str(core)] if self.arguments.pin else []

    def start_self_naming(self, name, command, core=0):
        """A program that says `listening PORT`."""
        process = subprocess.Popen(self.pin(core) + command, stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline().split()
        target = Target(name, process, int(line[1]) if len(line) == 2 else 0)
        self.running.append(target)
        return target

    def start_proxy(self, name, command, port, account):
        log = self.folder / f"{name}-{port}.log"
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
        with open(log, "wb") as output:
            process = subprocess.Popen(self.pin(0) + command, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                       cwd=self.folder, **identity)
        target = Target(name, process, port, log)
        self.running.append(target)
        self.wait_for(target)
        return target

    def wait_for(self, target):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and target.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", target.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        tail = "\n".join(target.log.read_text(errors="replace").splitlines()[-5:])
        raise TargetError(f"{target.name} does not come up:\n{tail}")

    def stop(self, targets):
        for target in targets:
            target.stop()
            self.running.remove(target)

    def stop_all_but_server(self):
        self.stop([target for target in self.running if target is not self.server])

    def close(self):
        self.stop(list(self.running))
        shutil.rmtree(self.folder, ignore_errors=True)

    # The targets. Each returns None where its program is missing.

    def direct(self, _settings=None):
        return Target("direct", self.server.process, self.server.port)

    def relay(self, _settings=None):
        return self.start_self_naming("relay", [self.programs / "bench_relay", "--to", str(self.server.port)])

    def pgbouncer(self, settings):
        if not shutil.which(self.arguments.pgbouncer) or (os.geteuid() == 0 and not self.account):
            return None
        port = free_port()
        file = self.folder / f"pgbouncer-{port}.ini"
        file.write_text(self.pgbouncer_ini(settings, port))
        target = self.start_proxy("pgbouncer", [self.arguments.pgbouncer, file], port, self.account)
        self.touch(target, settings)
        return target

    def pgweir(self, settings):
        program = pathlib.Path(self.arguments.pgweir).resolve()
        if not os.access(program, os.X_OK):
            return None
        port = free_port()
        file = self.folder / f"pgweir-{port}.ini"
        file.write_text(self.pgweir_ini(settings, port))
        target = self.start_proxy("pgweir", [program, "-c", file], port, None)
        self.touch(target, settings)
        return target

    def touch(self, target, settings):
        """A pool exists from its first login on."""
        for number in range(settings.empty_databases):
            login(target.port, f"empty{number}")

    def common_settings(self, settings, port):
        values = {
            "listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "",
            "pool_mode": settings.pool_mode, "default_pool_size": settings.pool_size,
            "max_client_conn": MAX_CLIENTS, "auth_type": settings.auth, "auth_file": self.userlists[settings.userlist],
            "client_tls_sslmode": "require" if settings.tls else "disable",
        }
        if settings.tls:
            values |= {"client_tls_cert_file": self.certificate, "client_tls_key_file": self.key}
        return values

    def pgbouncer_ini(self, settings, port):
        where = f"host=127.0.0.1 port={self.server.port} dbname=bench"
        names = ["bench"] + [f"empty{number}" for number in range(settings.empty_databases)]
        values = self.common_settings(settings, port) | {
            "log_connections": 0, "log_disconnections": 0, "log_stats": 0, "listen_backlog": 4096,
        } | dict(pair.split("=", 1) for pair in self.arguments.pgbouncer_set)
        return "\n".join(["[databases]"] + [f"{name} = {where}" for name in names] + ["[pgbouncer]"]
                         + [f"{key} = {value}" for key, value in values.items()] + [""])

    def pgweir_ini(self, settings, port):
        where = f"host = 127.0.0.1\nport = {self.server.port}\ndbname = bench"
        names = ["bench"] + [f"empty{number}" for number in range(settings.empty_databases)]
        values = self.common_settings(settings, port) | {
            "threads": settings.threads, "drain_delay": 0, "drain_timeout": 0,
            "max_server_conn": 0,       # The instant server's answer to how many it allows would be no number.
        } | dict(pair.split("=", 1) for pair in self.arguments.pgweir_set)
        return "\n".join(["[pgweir]"] + [f"{key} = {value}" for key, value in values.items()]
                         + [f"[database {name}]\n{where}" for name in names] + [""])
