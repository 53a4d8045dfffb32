"""What tests of `pgweir provision` share: a database to provision for, a master user as managed services have it, and the
command itself. """
import collections
import json
import os
import pathlib
import re
import subprocess
import threading
import time

import psycopg

from .clusters import command
from .pgweir import binary, ini, replace
from .postgres import PASSWORD, bin_folder
from .process import die_with_parent, wait_until

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
        self.server.sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'shop'")
        wait_until(lambda: not self.server.sql("SELECT 1 FROM pg_replication_slots WHERE database = 'shop' AND active"), 20,
                   "nobody has a slot any more")
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


def reports(folder: pathlib.Path, sections: dict, act: str, *arguments: str) -> dict[str, dict]:
    """The same with --json, by the names of the sections."""
    done = run(folder, sections, act, "--json", *arguments)
    assert done.stdout, done.stderr
    return {one["name"]: one for one in json.loads(done.stdout)}


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


def make_rotation_due(world: World) -> None:
    """With rotate_every = 1h: the password is older than it is."""
    age_password(world, 3601)


def age_password(world: World, seconds: int) -> None:
    record = world.folder / "hevo.json.pgweir"
    aged = json.loads(record.read_text())
    aged["current"]["created"] -= seconds
    replace(record, json.dumps(aged))           # A daemon may be reading it.


def can_log_in(server, user: str, password: str, dbname: str = "shop") -> bool:
    try:
        psycopg.connect(host=server.host, port=server.port, user=user, password=password, dbname=dbname).close()
        return True
    except psycopg.OperationalError as failure:
        assert "password authentication failed" in str(failure), failure
        return False


REFERENCE = {"user_prefix": "prod_platform_api_db_", "profile": "read-only", "owners": "migrator, late owner",
             "replication": 1, "comment": '"Read-only user for Hevo data pipeline operations"'}


ROTATED = {"user": "turn", "profile": "owner", "owners": "migrator", "schemas": "public, stock", "strategy": "alternating",
           "member_of": "pg_monitor", "settings": "work_mem=7MB", "replication": 1, "valid_for": "30d"}


def least_privileges_suffice(world: World) -> None:
    """What docs/provisioning.md asks for, and nothing else: CREATEROLE, a member of the database's owner, and since 16 the admin
    option on what is to be granted or owned."""
    world.server.sql("CREATE ROLE least LOGIN CREATEROLE PASSWORD 'master-secret'; GRANT master TO least")
    if world.version >= 16:
        world.server.sql("GRANT migrator, \"late owner\", pg_monitor TO least WITH ADMIN OPTION, INHERIT FALSE, SET FALSE")
    path = world.folder / "least.json"
    sections = world.sections("least", secret={"provider": "file", "path": path}, user="modest", profile="read-only",
                              owners='migrator, late owner', member_of="pg_monitor", connection_limit=5, comment="modest")
    for act, *more in (("apply",), ("check",), ("rotate", "hevo"), ("drop", "hevo", "--yes")):
        done = report(world.folder, sections, act, *more)
        assert (done["status"], kinds(done, "blocked")) == (0, []), (act, done)


def stand_in_for_rds(world: World, replicate: bool = True) -> None:
    """On RDS whoever is a member of rds_replication may replicate. Elsewhere it takes the attribute, which no master user may
    take away again."""
    members = world.server.sql("SELECT rolname FROM pg_roles WHERE pg_has_role(oid, 'rds_replication', 'MEMBER') AND NOT rolsuper"
                               " AND rolname <> 'rds_replication'")
    for name, in members:
        statement = "ALTER ROLE {} REPLICATION" if replicate else "ALTER ROLE {} NOREPLICATION"
        world.server.sql(psycopg.sql.SQL(statement).format(psycopg.sql.Identifier(name)))


def stream_changes(host: str, port: int, user: str, password: str, world: World) -> None:
    """pg_recvlogical gets what is written to the table `orders`; fails if it does not."""
    world.server.sql("CREATE PUBLICATION pipeline FOR TABLE orders", "shop")
    tool = [bin_folder() / "pg_recvlogical", "-h", host, "-p", str(port), "-U", user, "-d", "shop", "-S", "pipeline"]
    environment = {**os.environ, "PGPASSWORD": password}
    subprocess.run([*tool, "--create-slot", "-P", "pgoutput"], env=environment, check=True, timeout=60)
    receiver = subprocess.Popen([*tool, "--start", "-f", "-", "-o", "proto_version=1", "-o", "publication_names=pipeline", "-n"],
                                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent(9))
    try:
        world.server.sql("INSERT INTO orders (what) VALUES ('seen by the pipeline')", "shop")
        got = b""
        while b"seen by the pipeline" not in got:
            more = os.read(receiver.stdout.fileno(), 65536)
            assert more, receiver.stderr.read()
            got += more
    finally:
        receiver.terminate()
        receiver.communicate(timeout=60)


def reference_case(world: World, admin: str, start_pgweir, folder: pathlib.Path, secret: dict | None = None,
                   read_secret=None) -> None:
    """From nothing in one apply to a user that reads through pgweir what is there and what comes, and nothing else."""
    sections = world.sections(admin, secret=secret, **REFERENCE)
    applied = report(folder, sections, "apply")
    assert (applied["status"], applied["state"], kinds(applied, "change", "blocked", "extra")) == (0, "clean", []), applied
    value = read_secret() if read_secret else secret_value(folder / "hevo.json")
    assert value["username"] == applied["role"] and re.fullmatch(r"prod_platform_api_db_[a-z0-9]{8}", applied["role"])
    assert len(value["password"]) == 24
    assert all(re.search(kind, value["password"]) for kind in ("[a-z]", "[A-Z]", "[0-9]", "[^a-zA-Z0-9]"))
    assert world.server.sql("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s",
                            parameters=[value["username"]]) == [("Read-only user for Hevo data pipeline operations",)]
    stand_in_for_rds(world)
    proxy = start_pgweir({"pgweir": {"pool_mode": "transaction"}, "cluster main": sections["cluster main"],
                          "secret hevo": sections["secret hevo"], "provision hevo": sections["provision hevo"],
                          "user pipeline": {"provision": "hevo"}, "database shop": {"cluster": "main"}})
    wait_until(lambda: proxy.show("SECRETS")[0]["username"] == value["username"], 20, "the secret has been read")
    with psycopg.connect(host=proxy.host, port=proxy.port, dbname="shop", user=value["username"], autocommit=True,
                         password=value["password"]) as connection:
        assert connection.execute("SELECT what FROM orders").fetchall() == [("a weir",)]
        world.server.sql('SET ROLE "late owner"; CREATE TABLE public.later (id int)', "shop")
        connection.execute("SELECT * FROM later")
        # Before 15 everybody may create tables in schema public; the plan says so.
        assert any("everybody has CREATE on schema public" in what for what in kinds(applied, "warning")) == (world.version < 15)
        for refused in ("INSERT INTO later VALUES (1)", "UPDATE orders SET what = ''", "DELETE FROM orders", "TRUNCATE orders",
                        "SELECT nextval('orders_id_seq')", "SELECT * FROM stock.items",
                        *(["CREATE TABLE mine (id int)"] if world.version >= 15 else [])):
            try:
                connection.execute(refused)
                raise AssertionError(f"{refused}: was not refused")
            except psycopg.errors.InsufficientPrivilege:
                pass
    stream_changes(proxy.host, proxy.port, "pipeline", value["password"], world)
    assert report(folder, sections, "check")["status"] == 0
    again = report(folder, sections, "apply")
    assert (again["status"], again["changed"], again["role"]) == (0, 0, applied["role"])
    assert value["password"] not in world.server.log_file.read_text()


class Traffic:
    """Clients at work for the length of a with block, through a proxy that follows their secrets: each logs in with what its
    secret says at that moment, asks, and goes; one per user stays. What failed is in `failed_logins` and `failed_queries`."""

    def __init__(self, proxy, secrets: dict, dbname: str = "shop", sql: str = "SELECT what FROM orders"):
        """`secrets`: by the name that clients use, what gives the value of the moment."""
        self.proxy, self.secrets, self.dbname, self.sql = proxy, secrets, dbname, sql
        self.failed_logins, self.failed_queries, self.ended, self.awaited = [], [], threading.Event(), threading.Event()
        self.logins, self.queries = collections.Counter(), collections.Counter()
        self.threads = [threading.Thread(target=work, args=(user,), daemon=True) for user in secrets
                        for work in (self.come_and_go, self.stay)]

    def __enter__(self):
        self.start()
        self.go_on()
        return self

    def __exit__(self, *_):
        self.end()

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(60)

    def connect(self, user: str):
        while not self.ended.is_set():
            try:
                connection = psycopg.connect(host=self.proxy.host, port=self.proxy.port, dbname=self.dbname, user=user,
                                             password=self.secrets[user]()["password"], autocommit=True)
                self.logins[user] += 1
                return connection
            except psycopg.Error as failure:
                self.failed_logins.append((user, str(failure)))
        return None

    def ask(self, user: str, connection) -> None:
        try:
            connection.execute(self.sql)
            self.queries[user] += 1
        except psycopg.Error as failure:
            self.failed_queries.append((user, failure.sqlstate, str(failure)))

    def come_and_go(self, user: str) -> None:
        while (connection := self.connect(user)) is not None:
            with connection:
                self.ask(user, connection)
            self.rest()

    def stay(self, user: str) -> None:
        connection = self.connect(user)
        while not self.ended.is_set() and not connection.closed:
            self.ask(user, connection)
            self.rest()

    def rest(self) -> None:
        """Longer where nobody waits for them: what happens meanwhile needs the processor."""
        self.awaited.wait(0.1)
        time.sleep(0.02)

    def go_on(self, logins: int = 2) -> None:
        """Until so many more clients of each user have logged in and asked, or something fails."""
        before = {user: (self.logins[user], self.queries[user]) for user in self.secrets}
        self.awaited.set()
        wait_until(lambda: self.failed_logins or all(
            self.logins[user] >= logins + before[user][0] and self.queries[user] >= logins + before[user][1]
            for user in self.secrets), 60, "clients go on")
        self.awaited.clear()

    def go_on_anew(self) -> None:
        """The same over server connections that are opened only now."""
        command(self.proxy, "RECONNECT")
        self.go_on()

    def assert_nobody_noticed(self) -> None:
        assert not self.failed_logins and not self.failed_queries, (self.failed_logins[:3], self.failed_queries[:3])
