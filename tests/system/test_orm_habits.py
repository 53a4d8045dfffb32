"""What frameworks send at connect, around their work and at return, from many clients on few server connections.

None of it may cost a server connection of one's own, and every client must see its own values. """
import pytest

from harness import raw
from harness.process import wait_until
from harness.raw import bind, close_statement, describe_portal, describe_statement, execute, parse, query, sync

pytestmark = pytest.mark.ours

CLIENTS, ROUNDS, POOL = 200, 4, 10
ZONES = ["UTC", "Asia/Tokyo", "Europe/Rome", "America/New_York"]


def extended(*statements: str) -> bytes:
    """Under one Sync."""
    return b"".join(parse(sql) + bind() + describe_portal() + execute() for sql in statements) + sync()


class Habit:
    """What one framework does. Client number n has settings and values of its own."""

    startup: dict[str, str] = {}

    def __init__(self, number: int):
        self.number = number
        self.zone = ZONES[number % len(ZONES)]

    def at_connect(self) -> list:
        return []

    def before(self) -> list:
        return []

    def after(self) -> list:
        return []

    def work(self) -> list:
        """Within a transaction."""
        return [f"SELECT {self.number}, current_setting('TimeZone')"]

    def expected(self) -> list[str]:
        return [str(self.number), self.zone]


class Django(Habit):
    startup = {"client_encoding": "UTF8"}

    def at_connect(self):
        return [f"SELECT set_config('TimeZone', '{self.zone}', false)", "SET default_transaction_isolation TO 'repeatable read'"]

    def work(self):
        return ["SAVEPOINT s1", *super().work(), "RELEASE SAVEPOINT s1"]


class SqlAlchemy(Habit):
    """psycopg2, with the reset at return that pools do; a listener sets the zone at each checkout."""

    def at_connect(self):
        asked = "BEGIN", "SELECT pg_catalog.version()", "SELECT current_schema()", "SHOW standard_conforming_strings", "ROLLBACK"
        return [b"".join(query(sql) for sql in asked)]

    def before(self):
        return [f"SET TIME ZONE '{self.zone}'"]

    def after(self):
        return ["ROLLBACK", "RESET ALL"]


class Psycopg(Habit):
    """Prepares by the protocol what it sends often, and deallocates by SQL what it sends no more."""

    def before(self):
        return [parse("SELECT $1::text, current_setting('TimeZone')", "_pg3_0") + sync()]

    def work(self):
        return [bind(self.number, name="_pg3_0") + describe_portal() + execute() + sync()]

    def at_connect(self):
        return [extended(f"SET TIME ZONE '{self.zone}'")]

    def after(self):
        return ["DEALLOCATE _pg3_0"]


class Hibernate(Habit):
    """pgjdbc: startup parameters, SETs by the extended protocol, BEGIN in the first batch, statements S_1 and on."""

    def __init__(self, number):
        super().__init__(number)
        self.startup = {"client_encoding": "UTF8", "DateStyle": "ISO", "TimeZone": self.zone, "extra_float_digits": "2"}
        self.known = False

    def at_connect(self):
        return [extended("SET extra_float_digits = 3"), extended("SET application_name = 'PostgreSQL JDBC Driver'"),
                extended("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED")]

    def work(self):
        text = b"" if self.known else parse("SELECT $1::text, current_setting('TimeZone')", "S_1") + describe_statement("S_1")
        self.known = True
        return [text + bind(self.number, name="S_1") + describe_portal() + execute() + sync()]


class Rails(Habit):
    """PG::Connection: a1, a2 …, and DEALLOCATE when the cache is full or cleared."""

    def __init__(self, number):
        super().__init__(number)
        self.made = 0

    def at_connect(self):
        return ["SET client_min_messages TO 'warning'", "SET standard_conforming_strings = on", f"SET SESSION timezone TO '{self.zone}'",
                "SELECT t.oid, t.typname FROM pg_type t WHERE t.typname IN ('int4', 'text')", "SET intervalstyle = iso_8601"]

    def work(self):
        self.made += 1
        name = f"a{self.made}"
        return [parse("SELECT $1::text, current_setting('TimeZone')", name) + describe_statement(name) + sync(),
                bind(self.number, name=name) + execute() + sync()]

    def after(self):
        return [f"DEALLOCATE a{self.made}"]


class RailsReset(Rails):
    """A connection that is reset: DISCARD ALL, then what is sent at connect again."""

    def after(self):
        self.made = 0
        return ["DISCARD ALL", *self.at_connect()]


class Npgsql(Habit):
    """The reset is sent at the next use, in front of its first command and in the same packet."""

    def __init__(self, number):
        super().__init__(number)
        self.startup = {"client_encoding": "UTF8", "TimeZone": self.zone}
        self.used = False

    def before(self):
        reset = query("DISCARD ALL") if self.used else b""
        self.used = True
        return [reset + parse("SELECT $1::text, current_setting('TimeZone')", "_p1") + describe_statement("_p1") + sync()]

    def work(self):
        return [bind(self.number, name="_p1") + execute() + sync()]


class NpgsqlPrepared(Npgsql):
    """With statements to keep, it resets piece by piece."""

    RESET = "CLOSE ALL", "SET SESSION AUTHORIZATION DEFAULT", "RESET ALL", "UNLISTEN *", "SELECT pg_advisory_unlock_all()", "DISCARD SEQUENCES", "DISCARD TEMP"

    def before(self):
        if not self.used:
            return super().before()
        return [query("; ".join(self.RESET[:5])) + query("DISCARD SEQUENCES") + query("DISCARD TEMP") + extended("SELECT 1")]


class Asyncpg(Habit):
    """Parse and Describe under one Sync, Bind and Execute under the next; a reset in one text."""

    def at_connect(self):
        return [f"SET timezone = '{self.zone}'"]

    def work(self):
        return [parse("SELECT $1::text, current_setting('TimeZone')", "__asyncpg_stmt_1__") + describe_statement("__asyncpg_stmt_1__") + sync(),
                bind(self.number, name="__asyncpg_stmt_1__") + execute() + sync(), close_statement("__asyncpg_stmt_1__") + sync()]

    def after(self):
        return ["SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;", *self.at_connect()]


HABITS = [Django, SqlAlchemy, Psycopg, Hibernate, Rails, RailsReset, Npgsql, NpgsqlPrepared, Asyncpg]


def say_all(clients: list[raw.Client], messages: list) -> list[list[raw.Message]]:
    """Each client its own message, all at once; then all the answers."""
    data = [query(each) if isinstance(each, str) else each for each in messages]
    for client, each in zip(clients, data):
        client.send(each)
    answers = [client.read_until_ready(raw.readies(each)) for client, each in zip(clients, data)]
    for each, answer in zip(data, answers):
        assert raw.good(answer), (each, raw.error_of(answer))
    return answers


def in_step(clients: list[raw.Client], scripts: list[list]) -> list[list[str]]:
    """Scripts of one length. Returns the last row that each has seen."""
    rows = [[] for _ in clients]
    for step in zip(*scripts):
        for number, answer in enumerate(say_all(clients, step)):
            rows[number] = (raw.rows_of(answer) or [rows[number]])[-1]
    return rows


@pytest.fixture
def proxy(start_pgweir):
    return start_pgweir({"pgweir": {"max_client_conn": 1000}, "database app": {"pool_size": POOL}})


def rounds(proxy, habits: list[Habit]) -> None:
    clients = [proxy.raw("app", **habit.startup) for habit in habits]
    in_step(clients, [habit.at_connect() for habit in habits])
    for _ in range(ROUNDS):
        in_step(clients, [habit.before() for habit in habits])
        # Not more transactions at a time than there are server connections.
        for at in range(0, len(clients), POOL):
            some, own = clients[at:at + POOL], habits[at:at + POOL]
            rows = in_step(some, [["BEGIN", *habit.work(), "COMMIT"] for habit in own])
            assert rows == [habit.expected() for habit in own]
        in_step(clients, [habit.after() for habit in habits])
        wait_until(lambda: proxy.pins() == {}, what="nobody keeps a server connection")
    for client in clients:
        client.close()


@pytest.mark.threaded
@pytest.mark.parametrize("habit", HABITS)
def test_many_clients_of_one_framework_share_few_connections(proxy, habit):
    rounds(proxy, [habit(number) for number in range(CLIENTS)])


@pytest.mark.threaded
def test_frameworks_side_by_side_do_not_notice_each_other(proxy):
    clients = {habit: [] for habit in HABITS}
    habits = {habit: [habit(number) for number in range(POOL)] for habit in HABITS}
    for habit, own in habits.items():
        clients[habit] = [proxy.raw("app", **each.startup) for each in own]
        in_step(clients[habit], [each.at_connect() for each in own])
    for _ in range(ROUNDS):
        for part in "before", "work", "after":
            for habit, own in habits.items():
                scripts = [["BEGIN", *each.work(), "COMMIT"] if part == "work" else getattr(each, part)() for each in own]
                rows = in_step(clients[habit], scripts)
                assert part != "work" or rows == [each.expected() for each in own], habit
    wait_until(lambda: proxy.pins() == {}, what="nobody keeps a server connection")
