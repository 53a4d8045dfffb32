"""What tests of secrets share: mounts and files that hold them, roles that are rotated, and clients at work meanwhile."""
import contextlib
import functools
import itertools
import json
import pathlib
import threading
import time

import psycopg

from .memory import findable
from .process import wait_until


# --- Files ---

class Mount:
    """A folder as Kubernetes mounts a secret: files are links through ..data, which a rename moves to the next generation."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.generation = folder, 0
        folder.mkdir()

    def put(self, mode: int = 0o600, **files: str) -> None:
        self.generation += 1
        generation = self.folder / f"..generation_{self.generation}"
        generation.mkdir()
        for name, text in files.items():
            write(generation / name, text, mode)
            link = self.folder / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        next_link = self.folder / "..data_tmp"
        next_link.symlink_to(generation.name)
        next_link.rename(self.folder / "..data")


def write(path: pathlib.Path, text: str, mode: int = 0o600) -> pathlib.Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


# --- What the proxy says ---

def secret_row(proxy, name: str = "rotated") -> dict:
    return next(row for row in proxy.show("SECRETS") if row["name"] == name)


def has_version(proxy, version: int, name: str = "rotated") -> None:
    wait_until(lambda: secret_row(proxy, name)["version"] == version, 15, f"version {version} of the secret is in force")


def said(proxy) -> str:
    """All that it shows to anybody who may look: the log and the console."""
    return proxy.log() + "".join(str(proxy.show(what)) for what in ("SECRETS", "CONFIG", "POOLS", "SERVERS", "CLIENTS", "USERS"))


def assert_says_nothing(proxy, *values: str) -> None:
    shown = said(proxy)
    assert not [value for value in values if value in shown]


def console(proxy, command: str) -> None:
    with contextlib.closing(proxy.admin()) as connection:
        connection.cursor().execute(command)


# --- Roles ---

def make_role(node, name: str, password: str) -> None:
    node.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")


def drop_role(node, name: str) -> None:
    node.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{name}'")
    node.sql(f"DROP ROLE {name}")


@contextlib.contextmanager
def temporary_role(node, name: str, password: str):
    make_role(node, name, password)
    try:
        yield name
    finally:
        drop_role(node, name)


class Rotation:
    """The rotating side: one role or two that take turns, their secret in Secrets Manager, and the four steps.

    `notes` stands in front of the password: a long one has it arrive in a later part of the answer."""

    def __init__(self, node, aws, users, secret_id: str = "prod/rotating", notes: str = ""):
        self.node, self.aws, self.users, self.id, self.notes = node, aws, users, secret_id, notes
        self.passwords, self.user = [], users[0]
        self.think_up()
        for user in users:
            make_role(node, user, self.passwords[0])
        for user in users[1:]:
            node.sql(f"GRANT {users[0]} TO {user}")
        self.aws.put(self.id, self.value(self.user, self.passwords[0]))

    def value(self, user, password) -> dict:
        return {"notes": self.notes, "username": user, "password": password, "engine": "postgres", "host": self.node.host, "port": self.node.port}

    def think_up(self) -> None:
        """Of another length than the last ones, so that it does not take the place that they have had in somebody's memory."""
        self.passwords.append(findable(4 + len(self.passwords) % 6 * 8))

    @property
    def current(self) -> str:
        return json.loads(self.aws.call("GetSecretValue", SecretId=self.id)["SecretString"])["password"]

    def create(self) -> None:
        self.next_user = self.users[(self.users.index(self.user) + 1) % len(self.users)]
        self.think_up()
        self.aws.put(self.id, self.value(self.next_user, self.passwords[-1]), stages=["AWSPENDING"])

    def set(self) -> None:
        self.node.sql(f"ALTER ROLE {self.next_user} PASSWORD '{self.passwords[-1]}'")

    def finish(self) -> None:
        self.aws.promote(self.id)
        self.user = self.next_user

    def drop(self) -> None:
        for user in reversed(self.users):
            drop_role(self.node, user)


# --- Clients ---

class Load:
    """Clients at work until the end of the with block, which fails if one of them has: some stay, others come and go.

    `password` is what they know, or what tells it; it may change meanwhile. They keep servers busy and the processor idle: a
    query that takes its time, and a pause before the next login."""

    def __init__(self, proxy, user: str, password, stay: int = 2, come: int = 1, dbname: str = "app", query_s: float = 0.04):
        self.dbname, self.query_s = dbname, query_s
        self.proxy, self.user, self.password = proxy, user, password
        self.ended, self.failures, self.queries = False, [], itertools.count()
        self.rounds = [0] * come        # Of each that comes and goes.
        works = [self.stay] * stay + [functools.partial(self.come_and_go, number) for number in range(come)]
        self.threads = [threading.Thread(target=self.run, args=(work,)) for work in works]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        try:
            self.more()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        assert not self.failures, self.failures[:3]

    def stop(self) -> None:
        self.ended = True
        for thread in self.threads:
            thread.join(60)

    def run(self, work) -> None:
        try:
            work()
        except Exception as failure:
            self.failures.append(repr(failure))

    def connect(self):
        password = self.password() if callable(self.password) else self.password
        return psycopg.connect(host=self.proxy.host, port=self.proxy.port, dbname=self.dbname, user=self.user, password=password,
                               autocommit=True)

    def ask(self, connection) -> None:
        assert connection.execute(f"SELECT current_user, pg_sleep({self.query_s})").fetchone()[0] == self.user
        next(self.queries)

    def stay(self) -> None:
        with contextlib.closing(self.connect()) as connection:
            while not self.ended:
                self.ask(connection)

    def come_and_go(self, number: int) -> None:
        while not self.ended:
            with contextlib.closing(self.connect()) as connection:
                self.ask(connection)
            self.rounds[number] += 1
            time.sleep(0.05)

    @property
    def logins(self) -> int:
        return sum(self.rounds)

    def settle(self) -> None:
        """Until each login that is under way has come to its end."""
        before = list(self.rounds)
        wait_until(lambda: self.failures or all(now > then for now, then in zip(self.rounds, before)), 40, "logins end", 0.05)
        assert not self.failures, self.failures[:3]

    def opened(self) -> int:
        """Server connections of the database so far, as the log tells with log_level = debug."""
        return self.proxy.log().count(f"server connection opened database={self.dbname} ")

    def more(self, logins: int = 4, servers: int = 0) -> None:
        """Until that many more clients have logged in, and that many server connections."""
        logins, servers = self.logins + logins, self.opened() + servers
        wait_until(lambda: self.failures or self.logins >= logins and self.opened() >= servers, 40, "logins go on", 0.1)
        assert not self.failures, self.failures[:3]
