"""What tests of `pgweir provision` share: a database to provision for, a master user as managed services have it, and the
command itself. """
import json
import pathlib
import subprocess

import psycopg

from .pgweir import binary, ini
from .postgres import PASSWORD
from .process import die_with_parent

MASTER_PASSWORD = "master-secret"

WORLD = """
CREATE ROLE master LOGIN CREATEROLE CREATEDB PASSWORD 'master-secret';
CREATE ROLE rds_replication;
CREATE ROLE migrator LOGIN PASSWORD 'migrator-secret';
CREATE ROLE "late owner" LOGIN PASSWORD 'late-secret';
CREATE DATABASE shop OWNER master;
"""
ADMIN_OPTION = "GRANT rds_replication, migrator, \"late owner\", pg_monitor TO master WITH ADMIN OPTION, INHERIT FALSE, SET FALSE"

SHOP = """
CREATE SCHEMA stock AUTHORIZATION migrator;
GRANT CREATE ON SCHEMA public, stock TO migrator, "late owner";
GRANT USAGE ON SCHEMA stock TO "late owner";
SET ROLE migrator;
CREATE TABLE public.orders (id serial PRIMARY KEY, what text);
INSERT INTO public.orders (what) VALUES ('a weir');
CREATE TABLE stock.items (id int);
CREATE VIEW public.recent AS SELECT * FROM public.orders;
SET ROLE "late owner";
CREATE TABLE public."odd ""name" (id int);
RESET ROLE;
"""


def statements(text: str) -> list[str]:
    return [statement for statement in text.strip().split(";\n") if statement.strip(" ;")]


class World:
    """Roles and a database of a server, all of which remove() takes away again."""

    def __init__(self, server, folder: pathlib.Path):
        self.server, self.folder = server, folder
        self.version = int(server.sql("SHOW server_version_num")[0][0]) // 10000
        self.before = {name for name, in server.sql("SELECT rolname FROM pg_roles")}
        for statement in statements(WORLD):
            server.sql(statement.rstrip(";"))
        if self.version >= 16:
            server.sql(ADMIN_OPTION)
        with server.connect("shop") as connection:
            for statement in statements(SHOP):
                connection.execute(statement.rstrip(";"))

    def remove(self) -> None:
        self.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'shop'")
        self.server.sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = 'shop'")
        self.server.sql("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        left = {name for name, in self.server.sql("SELECT rolname FROM pg_roles")} - self.before
        with self.server.connect() as connection:
            for dbname, in connection.execute("SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1'"):
                with self.server.connect(dbname) as there:
                    for name in left:
                        there.execute(psycopg.sql.SQL("DROP OWNED BY {}").format(psycopg.sql.Identifier(name)))
            for name in left:
                connection.execute(psycopg.sql.SQL("DROP ROLE {}").format(psycopg.sql.Identifier(name)))

    def sections(self, admin: str = "postgres", servers=None, secret: dict | None = None, **provision) -> dict:
        secret_path = self.folder / "hevo.json"
        password = PASSWORD if admin == "postgres" else MASTER_PASSWORD
        hosts = ", ".join(f"{server.host}:{server.port}" for server in servers or [self.server])
        return {
            "pgweir": {"listen_addr": "127.0.0.1", "http_listen": "", "health_listen": ""},
            "cluster main": {"hosts": hosts, "admin_user": admin, "admin_password": password},
            "secret hevo": secret or {"provider": "file", "path": secret_path},
            "provision hevo": {"cluster": "main", "database": "shop", "secret": "hevo", **provision},
        }


def run(folder: pathlib.Path, sections: dict, act: str, *arguments: str, timeout_s: int = 80, environment=None):
    """One run of the command; `sections` become its pgweir.ini."""
    path = folder / "provision.ini"
    path.write_text(ini(sections))
    path.chmod(0o600)
    return subprocess.run([binary(), "provision", act, "-c", path, *arguments], capture_output=True, text=True,
                          timeout=timeout_s, env=environment, preexec_fn=die_with_parent(9))


def start(folder: pathlib.Path, act: str, *arguments: str) -> subprocess.Popen:
    """One run, with the provision.ini of the last one, whose end is not waited for."""
    return subprocess.Popen([binary(), "provision", act, "-c", folder / "provision.ini", *arguments], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent(9))


def report(folder: pathlib.Path, sections: dict, act: str, *arguments: str, **more) -> dict:
    """The same with --json, of one section; `status` is how the command ended."""
    done = run(folder, sections, act, "--json", *arguments, **more)
    assert done.stdout, done.stderr
    return {**json.loads(done.stdout)[0], "status": done.returncode, "progress": done.stderr}


def kinds(found: dict, *wanted: str) -> list[str]:
    """What the steps of these kinds say."""
    return [step["what"] for step in found["steps"] if step["kind"] in wanted]


def secret_value(path: pathlib.Path) -> dict:
    return json.loads(path.read_text())


def can_log_in(server, user: str, password: str, dbname: str = "shop") -> bool:
    try:
        psycopg.connect(host=server.host, port=server.port, user=user, password=password, dbname=dbname).close()
        return True
    except psycopg.OperationalError as failure:
        assert "password authentication failed" in str(failure), failure
        return False
