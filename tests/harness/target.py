"""What a test talks to: pgweir, or in its place PostgreSQL itself or PgBouncer.

PGWEIR_TEST_TARGET=pgweir|direct|pgbouncer chooses; PGWEIR_TEST_DIRECT=1 means direct. The other two show that a test
asks for what a direct connection, or another pooler, really gives. """
import contextlib
import os

import psycopg
import psycopg2

from . import raw
from .postgres import PASSWORDS


def kind() -> str:
    if os.environ.get("PGWEIR_TEST_DIRECT") == "1":
        return "direct"
    return os.environ.get("PGWEIR_TEST_TARGET", "pgweir")


class Target:
    """Somewhere to connect to. `host` may be changed to a socket folder by a test that wants it so."""

    host = "127.0.0.1"
    port = 0

    def database(self, name: str) -> str:
        """The name to ask for in order to reach the configured database `name`."""
        return name

    def conninfo(self, database: str = "app", user: str = "app", password: str | None = None, **more) -> str:
        """For libpq; TLS unless `sslmode` says otherwise."""
        password = PASSWORDS.get(user) if password is None else password
        words = {"host": self.host, "port": self.port, "dbname": self.database(database), "user": user,
                 "password": password, "sslmode": "require", "connect_timeout": 60, **more}
        return psycopg.conninfo.make_conninfo(**{name: value for name, value in words.items() if value is not None})

    def connect(self, database: str = "app", user: str = "app", *, autocommit: bool = True, **more) -> psycopg.Connection:
        return self.keep(psycopg.connect(self.conninfo(database, user, **more), autocommit=autocommit))

    def connect2(self, database: str = "app", user: str = "app", *, autocommit: bool = True, **more):
        """With psycopg2, which speaks only the simple query protocol."""
        connection = psycopg2.connect(self.conninfo(database, user, **more))
        connection.autocommit = autocommit
        return self.keep(connection)

    def raw(self, database: str = "app", user: str = "app", *, tls: bool = False, password: str | None = None,
            version: int = raw.PROTOCOL_3_0, timeout_s: float = 60, **parameters) -> raw.Client:
        """A raw client, logged in."""
        client = self.keep(raw.Client(self.host, self.port, timeout_s=timeout_s))
        if tls:
            assert client.request_tls() == b"S"
        client.login(user, self.database(database), PASSWORDS.get(user) if password is None else password, version, **parameters)
        return client

    def certificate(self) -> bytes:
        """What a client is shown that asks for TLS, as DER."""
        with contextlib.closing(raw.Client(self.host, self.port)) as client:
            assert client.request_tls() == b"S"
            return client.sock.getpeercert(binary_form=True)

    def keep(self, connection):
        self.__dict__.setdefault("opened", []).append(connection)
        return connection

    def close_all(self) -> None:
        """Whatever a test left open, so that it holds no server connection of the next one."""
        for connection in self.__dict__.pop("opened", []):
            connection.close()

    def stop(self) -> None:
        pass


class Direct(Target):
    """The server that pgweir would stand in front of."""

    def __init__(self, sections: dict[str, dict]):
        self.sections = sections
        self.port = next((int(body["port"]) for title, body in sections.items() if title.startswith("database ") and "port" in body), 0)

    def database(self, name: str) -> str:
        section = self.sections.get(f"database {name}", {})
        return section.get("dbname", name)
