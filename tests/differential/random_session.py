"""Random sessions: what client A says, made from a seed; a disturbing client B; how to play both and to make a script smaller.

A script is a list of steps (kind, payload). B only says something while A has no server connection of its own, so the first
run, through pgweir, decides where it does: a step of B's that it leaves out is left out of the run straight to PostgreSQL too.
"""
import contextlib
import dataclasses
import random
import re
import time

from harness import raw
from harness.process import wait_until
from harness.raw import (bind, close_portal, close_statement, copy_data, copy_done, copy_fail, describe_portal,
                         describe_statement, execute, extended, flush, parse, query, sync)
from session import comparable

TABLES = """DROP TABLE IF EXISTS r, r2; DROP SCHEMA IF EXISTS elsewhere CASCADE; DROP SEQUENCE IF EXISTS sq, sq2;
SET ROLE app; CREATE TABLE r (n int PRIMARY KEY, t text); INSERT INTO r SELECT n, 'row ' || n FROM generate_series(1, 9) n;
CREATE SEQUENCE sq; CREATE SEQUENCE sq2 START 100; CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.r (n int, t text);
INSERT INTO elsewhere.r VALUES (1, 'elsewhere'); RESET ROLE; GRANT app, other TO postgres; GRANT other TO app"""

# Of one kind, so that A and B write over each other's.
SETTINGS = {
    "work_mem": ["7MB", "9MB", "64kB", "nonsense"], "search_path": ["elsewhere, public", "public", "pg_catalog", '"$user", "od""d"'],
    "DateStyle": ["German", "ISO, DMY", "SQL, MDY"], "TimeZone": ["Asia/Tokyo", "UTC", "-3", "Nowhere/Land"],
    "IntervalStyle": ["iso_8601", "postgres"], "application_name": ["one", "a 'quoted' name", "back\\slash", ""],
    "client_min_messages": ["warning", "notice"], "statement_timeout": ["7s", "0", "70000"],
    "default_transaction_isolation": ["serializable", "read committed"], "extra_float_digits": ["0", "3"],
    "standard_conforming_strings": ["on", "off"], "bytea_output": ["escape", "hex"], "client_encoding": ["LATIN1", "UTF8"],
    "enable_seqscan": ["off", "on"], "default_transaction_read_only": ["off", "on"], "transaction_isolation": ["serializable"], "xmloption": ["document", "content"],
    "lc_monetary": ["C"], "geqo_seed": ["0.5"], "vacuum_cost_delay": ["1.5"],
}
CUSTOM = ["app.tenant", "app.account", "Other.Name"]
ROLES = ["app", "other", "NONE"]
NAMES = ["s1", "s2", '"S 3"']
# So that a receiver sees them one by one.
PIECES_APART_S = 0.002
# Its first row is there before it sleeps.
LONG_QUERY = "SELECT repeat('x', 9000) FROM generate_series(1, 3); SELECT pg_sleep(60)"
# Ends whatever the bytes before it have left open; nothing else is answered with EmptyQueryResponse.
THE_END = copy_fail("the end") + sync() + query("")
SEEN = [*SETTINGS, "role", "session_authorization"]


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def bare(name: str) -> str:
    return name.strip('"')


def probe() -> str:
    """What the session is like, in one row."""
    columns = [f"'{name}=' || current_setting('{name}')" for name in SEEN] + ["current_user", "session_user"]
    columns += [f"'{name}=' || coalesce(current_setting('{name}', true), 'NULL')" for name in CUSTOM]
    columns += ["'cursors', (SELECT string_agg(c.name, ',' ORDER BY c.name) FROM pg_catalog.pg_cursors c)",
                "'locks', (SELECT count(*) FROM pg_catalog.pg_locks l WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid())",
                "'prepared', (SELECT string_agg(p.name, ',' ORDER BY p.name) FROM pg_catalog.pg_prepared_statements p WHERE from_sql)",
                "'temporary', pg_catalog.to_regclass('pg_temp.mine') IS NULL", "pg_catalog.to_regclass('pg_temp.gone') IS NULL"]
    return "SELECT pg_catalog.concat_ws(E'\\n', " + ", ".join(columns) + ")"


# Outside of transactions only: in one that has begun without a mention of channels, the connection at hand does not know them.
CHANNELS = "SELECT c FROM pg_catalog.pg_listening_channels() c ORDER BY c"


class Maker:
    """Steps of A's and of B's. Each method that begins with a_ is a kind of step of A's, as likely as WEIGHTS says."""

    WEIGHTS = {
        "a_set": 9, "a_set_local": 4, "a_reset": 4, "a_set_config": 5, "a_custom": 5, "a_role": 4, "a_begin": 10, "a_end": 14,
        "a_savepoint": 6, "a_error": 4, "a_chain": 2, "a_sql_prepare": 5, "a_sql_execute": 7, "a_deallocate": 4, "a_parse": 5,
        "a_bind": 8, "a_unnamed": 5, "a_close": 3, "a_portal": 3, "a_discard": 3, "a_temporary": 5, "a_cursor": 5, "a_lock": 5,
        "a_listen": 4, "a_sequence": 3, "a_copy": 3, "a_several": 5, "a_flush": 4, "a_pipeline": 5, "a_rows": 6, "a_write": 4,
        "a_batch": 7, "a_code": 3,
    }

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.superuser = seed % 2 == 0
        self.startup = seed % 3 == 0

    def script(self, size: int) -> list[tuple]:
        steps = []
        while len(steps) < size:
            kind = self.random.choices(list(self.WEIGHTS), list(self.WEIGHTS.values()))[0]
            made = getattr(self, kind)()
            steps += made if isinstance(made, list) else [made if isinstance(made, tuple) else ("a", made)]
            if self.random.random() < 0.35:
                steps.append(("b", self.disturbance()))
            if self.random.random() < 0.2:
                steps.append(("probe", probe()))
        return steps

    def pick(self, *choices):
        return self.random.choice(choices)

    def either(self, sql: str):
        """By the simple or the extended protocol."""
        return sql if self.random.random() < 0.6 else extended(sql)

    def setting(self) -> tuple[str, str]:
        name = self.pick(*SETTINGS)
        return name, self.pick(*SETTINGS[name])

    def set_sql(self, how: str = "SET") -> str:
        name, value = self.setting()
        if name == "search_path":
            return f"{how} search_path = {value}"
        return f"{how} {name} {self.pick('=', 'TO')} {quoted(value)}"

    # --- A ---

    def a_set(self):
        return self.either(self.pick(self.set_sql(), self.set_sql("SET SESSION"), "SET TIME ZONE 'Europe/Rome'", "SET NAMES 'UTF8'",
                                     "SET SCHEMA 'elsewhere'", "SET XML OPTION DOCUMENT",
                                     "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"))

    def a_set_local(self):
        return self.either(self.set_sql("SET LOCAL"))

    def outside(self, sql: str):
        """What leads to startup values does so from the next transaction on: then it is one of its own."""
        return [("a", "ROLLBACK"), ("a", self.either(sql))] if self.startup else self.either(sql)

    def a_reset(self):
        return self.outside(self.pick("RESET ALL", *[f"{form.format(self.setting()[0])}" for form in ("RESET {}", "SET {} TO DEFAULT") * 3]))

    def a_set_config(self):
        name, value = self.setting()
        local = self.pick("false", "false", "true")
        if self.random.random() < 0.5:
            return self.either(f"SELECT set_config('{name}', {quoted(value)}, {local})")
        return extended("SELECT set_config($1, $2, $3::bool)", name, value, local)

    def a_custom(self):
        name = self.pick(*CUSTOM)
        return self.pick(self.either(f"SET {self.pick('', 'LOCAL ', 'SESSION ')}{name} = 'mine'"), f"SET {name} = 'mine'; RESET {name}",
                         extended("SELECT set_config($1, $2, $3::bool)", name, "bound", self.pick("false", "true")),
                         self.either(f"SELECT set_config('{name}', 'told', {self.pick('false', 'true')})"))

    def a_role(self):
        forms = [f"SET {self.pick('', 'LOCAL ')}ROLE {self.pick(*ROLES)}", "RESET ROLE", "SET SESSION AUTHORIZATION DEFAULT"]
        if self.superuser:
            forms += ["SET SESSION AUTHORIZATION app", "RESET SESSION AUTHORIZATION", "SET LOCAL SESSION AUTHORIZATION other"]
        return self.either(self.pick(*forms))

    def a_begin(self):
        return self.either(self.pick("BEGIN", "BEGIN", "START TRANSACTION READ ONLY", "BEGIN ISOLATION LEVEL REPEATABLE READ"))

    def a_end(self):
        return self.either(self.pick("COMMIT", "COMMIT", "ROLLBACK", "END", "/* the end */ ABORT"))

    def a_savepoint(self):
        return self.either(self.pick("SAVEPOINT a", "SAVEPOINT b", "ROLLBACK TO a", "ROLLBACK TO SAVEPOINT b", "RELEASE a"))

    def a_error(self):
        return self.either(self.pick("SELECT 1/0", "SELECT nonsense", "syntax error here", "SELECT 'x'::int"))

    def a_chain(self):
        return self.either(self.pick("COMMIT AND CHAIN", "ROLLBACK AND CHAIN"))

    def a_sql_prepare(self):
        name = self.pick(*NAMES)
        return self.either(f"PREPARE {name} AS SELECT {self.random.randrange(100)}, current_setting('work_mem')")

    def a_sql_execute(self):
        return self.either(self.pick("EXECUTE ", "EXECUTE ", "EXPLAIN (COSTS OFF) EXECUTE ") + self.pick(*NAMES))

    def a_deallocate(self):
        return self.either(self.pick("DEALLOCATE ALL", *[f"DEALLOCATE {self.pick('', 'PREPARE ')}{name}" for name in NAMES]))

    def statement_text(self) -> str:
        return self.pick(f"SELECT {self.random.randrange(5)}", "SELECT n, t FROM r WHERE n < 3 ORDER BY n", "SELECT nonsense",
                         "SELECT current_setting('work_mem'), '01/02/2024'::date", "SHOW DateStyle", "SET work_mem = '5MB'",
                         "SELECT timestamptz '2024-03-01 12:00'", r"SELECT 'back\\slash'", "SELECT $1::text")

    def a_parse(self):
        name = bare(self.pick(*NAMES))
        return parse(self.statement_text(), name) + self.pick(b"", describe_statement(name)) + sync()

    def a_bind(self):
        name = bare(self.pick(*NAMES))
        return bind(*self.pick((), (), ("x",)), name=name) + self.pick(b"", describe_portal()) + execute(limit=self.pick(0, 0, 1)) + sync()

    def a_unnamed(self):
        return self.pick(parse(self.statement_text()) + sync(), bind() + execute() + sync(), describe_statement() + sync(),
                         parse("SELECT 1/$1::int") + sync(), close_statement() + sync())

    def a_close(self):
        return self.pick(close_statement(bare(self.pick(*NAMES))), close_portal("p"), sync(), flush()) + sync()

    def a_portal(self):
        return self.pick(parse("SELECT n FROM r ORDER BY n") + bind(portal="p") + execute("p", 2) + sync(),
                         execute("p", 1) + sync(), describe_portal("p") + sync())

    def a_discard(self):
        return self.outside(self.pick("DISCARD ALL", "DISCARD PLANS", "DISCARD TEMP", "DISCARD SEQUENCES"))

    def a_temporary(self):
        return self.either(self.pick("CREATE TEMP TABLE mine (n int)", "CREATE TEMP TABLE mine AS SELECT 1 AS n", "DROP TABLE mine",
                                     "INSERT INTO mine VALUES (2)", "SELECT * FROM mine", "DROP TABLE IF EXISTS mine",
                                     "CREATE TEMP TABLE gone (n int) ON COMMIT DROP", "SELECT n INTO TEMP mine FROM r WHERE n = 1"))

    def a_cursor(self):
        name = self.pick("c", "d")
        return self.either(self.pick(f"DECLARE {name} CURSOR WITH HOLD FOR SELECT n FROM r ORDER BY n", f"DECLARE {name} CURSOR FOR SELECT 5",
                                     f"FETCH 2 FROM {name}", f"FETCH {name}", f"MOVE {name}", f"CLOSE {name}", "CLOSE ALL"))

    def a_lock(self):
        key = self.pick(1, 2)
        return self.either(self.pick(f"SELECT pg_advisory_lock({key})", f"SELECT pg_try_advisory_lock({key})", f"SELECT pg_advisory_unlock({key})",
                                     "SELECT pg_advisory_unlock_all()", f"SELECT pg_advisory_lock_shared({key})", f"SELECT pg_advisory_xact_lock({key})"))

    def a_listen(self):
        return self.either(self.pick("LISTEN x", "LISTEN y", "UNLISTEN x", "UNLISTEN *", "NOTIFY x, 'hello'", "SELECT pg_notify('y', 'there')"))

    def a_sequence(self):
        return self.either(self.pick("SELECT nextval('public.sq'), currval('public.sq')", "SELECT nextval('public.sq2'), lastval()",
                                     "SELECT nextval('public.sq')"))

    def a_copy(self):
        """Only if the server agrees to the COPY is anything sent after it."""
        rows = b"%d\tcopied\n" % self.random.randrange(20, 40)
        rest = self.pick(copy_data(rows) + copy_done(), copy_data(rows) + copy_fail("no more"), copy_data(b"wrong\n") + copy_done())
        return self.pick(("a", "COPY (SELECT n, t FROM r ORDER BY n LIMIT 2) TO STDOUT"), ("chain", [(query("COPY r FROM STDIN"), "GZ"), (rest, "Z")]))

    def a_several(self):
        return "; ".join(self.simple() for _ in range(self.random.randrange(2, 5)))

    def a_pipeline(self):
        """Whole queries sent at once, nothing waited for between them."""
        return b"".join(query(self.simple()) if self.random.random() < 0.5 else extended(self.simple()) for _ in range(self.random.randrange(2, 5)))

    def a_batch(self):
        """Under one Sync, flushed now and then: what is said of a name may change within it."""
        def part() -> bytes:
            name = bare(self.pick(*NAMES))
            return self.pick(parse(self.statement_text(), name), bind(name=name) + execute(), bind(name=name) + execute(), close_statement(name),
                             describe_statement(name), parse(f"DEALLOCATE {self.pick('ALL', *NAMES)}") + bind() + execute(),
                             parse(f"PREPARE {self.pick(*NAMES)} AS SELECT 'batch'") + bind() + execute(),
                             parse(self.simple()) + bind() + execute(), flush())
        return b"".join(part() for _ in range(self.random.randrange(2, 7))) + sync()

    def a_code(self):
        """What is seen of it is that it is code."""
        name = self.pick(*NAMES[:2])
        return self.either("DO $$BEGIN " + self.pick(
            self.set_sql(), self.set_sql("SET LOCAL"), "PERFORM set_config('app.tenant', 'coded', false)", f"PREPARE code AS SELECT '{name}'",
            "CREATE TEMP TABLE mine (n int)", "PERFORM pg_try_advisory_lock(1)", "SET work_mem = '6MB'; RAISE 'no'") + "; END$$")

    def simple(self) -> str:
        while True:
            kind = self.pick("a_set", "a_set_local", "a_reset", "a_role", "a_begin", "a_end", "a_savepoint", "a_error", "a_sql_prepare",
                             "a_sql_execute", "a_deallocate", "a_temporary", "a_cursor", "a_lock", "a_rows", "a_discard")
            made = getattr(self, kind)()
            if isinstance(made, str):
                return made

    def a_flush(self):
        name = bare(self.pick("", *NAMES))
        first = self.pick((parse(self.statement_text(), name), "1E"), (describe_statement(name), "TnE"))
        parts = [first, (bind(name=name), "2E"), (execute(), "CIsE")]
        return ("chain", [(data + flush(), kinds) for data, kinds in parts] + [(sync(), "Z")])

    def a_rows(self):
        return self.either(self.pick("SELECT * FROM r ORDER BY n", "SELECT timestamptz '2024-03-01 12:00+00', interval '1 day 2 hours'",
                                     "SELECT 'é'", r"SELECT length('a\\b')", "SELECT 0.1::float8 * 3, bytea '\\x00ff'", ""))

    def a_write(self):
        return self.either(self.pick("UPDATE pg_settings SET setting = '8MB' WHERE name = 'work_mem'", "UPDATE r SET t = t || '+' WHERE n = 1", "INSERT INTO r VALUES (50, 'fifty')", "DELETE FROM r WHERE n >= 20"))

    # --- B ---

    def disturbance(self) -> list:
        """Whatever pins ends before it does."""
        key = self.pick(1, 2, 3)
        return self.pick(
            [self.set_sql()], [self.set_sql()], ["RESET ALL"], [f"SET ROLE {self.pick(*ROLES)}"], ["BEGIN", self.set_sql("SET LOCAL"), "COMMIT"],
            [f"SET {self.pick(*CUSTOM)} = 'of b'"],
            [f"PREPARE s1 AS SELECT 'of b'", "EXECUTE s1", "DEALLOCATE s1"], [parse("SELECT 'of b'", "s2") + sync()],
            [bind(name="s2") + execute() + sync()], [close_statement("s2") + sync()], [parse("SELECT 'of b'") + sync()],
            [f"BEGIN; SELECT pg_try_advisory_lock({key}); SELECT pg_advisory_unlock({key}); COMMIT"],
            ["BEGIN", "CREATE TEMP TABLE mine (b text) ON COMMIT DROP", "COMMIT"], ["BEGIN", "DECLARE c CURSOR FOR SELECT 'of b'", "ROLLBACK"],
            ["BEGIN", "SELECT nonsense", "ROLLBACK"], ["SELECT nextval('public.sq2')"], ["LISTEN x", "UNLISTEN x"], ["NOTIFY x, 'from b'"],
            ["DISCARD ALL"], [extended("SHOW work_mem")], [probe()])


# --- Playing ---

class Differs(AssertionError):
    """The two ways disagree."""


@dataclasses.dataclass
class Run:
    """One client A and one client B, both at the same place."""

    connect: object
    may_disturb: object             # Called with A's status before a step of B's.
    wait_until_gone: object         # Called with a client that has closed its connection: nothing of it is under way when it returns.
    trace: list = dataclasses.field(default_factory=list)
    heard: list = dataclasses.field(default_factory=list)

    def play(self, script: list) -> "Run":
        self.a, self.b = self.connect(), self.connect()
        try:
            for number, step in enumerate(script):
                self.trace.append(self.step(number, *step))
            self.heard = self.notifications()
        finally:
            self.a.close()
            self.b.close()
        self.trace.append(self.newcomer())
        return self

    def newcomer(self) -> list:
        """Who comes behind A and B meets nothing of theirs."""
        client = self.connect()
        try:
            return self.ask(client, probe()) + self.ask(client, CHANNELS)
        finally:
            client.close()

    def step(self, number: int, kind: str, what) -> list:
        if kind == "probe":
            seen = self.ask(self.a, what) + (self.ask(self.a, CHANNELS) if self.a.status == "I" else [])
            return seen + [("parameters", dict(self.a.parameters))]
        if kind == "b":
            return [self.ask(self.b, each) for each in what] if self.may_disturb(number, self.a.status) else []
        if kind == "cut":
            return self.cut(*what)
        if kind == "cancel":
            return self.cancel(what)
        if kind == "anew":
            return self.anew(*what)
        return self.chain(what) if kind == "chain" else self.ask(self.a, what)

    def cut(self, messages: list[bytes], cuts: list[int]) -> list:
        """Up to the answer to an empty Query, with which they end."""
        data = b"".join(messages) + THE_END
        for begin, end in zip([0, *cuts], [*cuts, len(data)]):
            if begin:
                time.sleep(PIECES_APART_S)
            self.a.send(data[begin:end])
        replies = self.a.read_until("I")
        return self.told(self.a, replies + self.a.read_until_ready())

    def cancel(self, before: bytes) -> list:
        """How much there is ahead of the error is a matter of chance."""
        self.a.send(before + query(LONG_QUERY))
        replies = self.a.read_until_ready(raw.readies(before)) + self.a.read_until("DE")
        if replies[-1].type == "D":
            with contextlib.closing(raw.Client(*self.a.sock.getpeername()[:2])) as canceller:
                canceller.send(raw.cancel_request(self.a.pid, self.a.key))
                canceller.read_to_end()
        return [each for each in self.told(self.a, replies + self.a.read_until_ready()) if each[0] in "EZ"]

    def anew(self, last: bytes, startup: dict) -> list:
        self.a.send(last)
        self.a.close()
        self.wait_until_gone(self.a)
        self.a = self.connect(**startup)
        return [("parameters", dict(self.a.parameters))]

    def ask(self, client: raw.Client, what) -> list:
        data = query(what) if isinstance(what, str) else what
        client.send(data)
        return self.told(client, client.read_until_ready(raw.readies(data)))

    def chain(self, parts: list) -> list:
        """Each only if the one before was answered as hoped; what has begun is synced."""
        seen = []
        for number, (data, kinds) in enumerate(parts):
            self.a.send(data)
            replies = self.a.read_until(kinds)
            seen += self.told(self.a, replies)
            if replies[-1].type == "E":
                self.a.send(parts[-1][0])
                return seen + self.told(self.a, self.a.read_until_ready())
            if replies[-1].type == "Z":
                return seen
        return seen

    def told(self, client: raw.Client, replies: list) -> list:
        """Notifications come when they come; what parameters are reported to be is compared now and then."""
        if client is self.a:
            self.heard += [comparable(each) for each in replies if each.type == "A"]
        for each in replies:
            if each.type == "S":
                name, value = each.body.decode().split("\0")[:2]
                client.parameters[name] = value
        return [(each.type, comparable(each)) for each in replies if each.type not in "AS"]

    def notifications(self) -> list:
        self.a.ask("ROLLBACK")
        self.a.ask("RESET ALL")
        self.a.ask("LISTEN the_end")
        self.a.send(query("NOTIFY the_end"))
        heard = list(self.heard)
        while not any(each.startswith(b"the_end\0") for each in heard):
            got = self.a.receive()
            heard += [comparable(got)] if got.type == "A" else []
        return heard


def play_both(straight, through, proxy, script: list, database: str = "one") -> None:
    """Raises Differs with the first step that does."""
    console = proxy.admin()
    cursor = console.cursor()
    disturbed = set()

    def rows(what: str) -> list[dict]:
        cursor.execute(f"SHOW {what}")
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]

    def pinned() -> bool:
        return any(row["count"] for row in rows("PINS") if row["reason"] != "session_mode")

    def settled() -> bool:
        return pinned() or not any(row["sv_active"] for row in rows("POOLS") if row["database"] == database)

    def all_gone(_) -> None:
        wait_until(lambda: sum(row["database"] == database for row in rows("CLIENTS")) == 1 and not pinned() and settled(),
                   what="only B is there", step_s=0.005)

    def may_disturb(number: int, status: str) -> bool:
        if status != "I":
            return False
        wait_until(settled, what="A has been given back, or is pinned", step_s=0.001)
        if not pinned():
            disturbed.add(number)
        return number in disturbed

    try:
        got = Run(through, may_disturb, all_gone)
        failure = None
        try:
            got.play(script)
        except (OSError, raw.Closed, AssertionError) as error:
            failure = error
    finally:
        console.close()
    expected = straight(lambda connect, gone: Run(connect, lambda number, _: number in disturbed, gone).play(script[:len(got.trace) + 1] if failure else script))
    compare(script, expected, got, failure)


def compare(script: list, expected: Run, got: Run, failure) -> None:
    for number, (a, b) in enumerate(zip(expected.trace, got.trace)):
        if a != b and not explained(a, b):
            what = f"{script[number][0]} {str(script[number][1])[:200]}" if number < len(script) else "the newcomer"
            raise Differs(f"step {number}, {what}:\n{difference(a, b)}")
    if failure:
        raise Differs(f"step {len(got.trace)}, {script[len(got.trace)] if len(got.trace) < len(script) else 'the end'}: {failure!r}")
    if expected.heard != got.heard:
        raise Differs(f"notifications:\n  straight {expected.heard}\n  through  {got.heard}")


# Explained differences: what is not compared of errors.
EXPLAINED = {
    # A position behind the name of a statement of the protocol's, which is sent with ours.
    "P": re.compile(r"\d+"),
}


def explained(a: list, b: list) -> bool:
    def excused(error: dict) -> dict:
        return {field: EXPLAINED[field].sub("", value) if field in EXPLAINED else value for field, value in error.items()}

    def plain(messages: list) -> list:
        return [(kind, what if kind != "E" else {} if number in aborted else excused(what)) for number, (kind, what) in enumerate(messages)]

    if any(isinstance(each, list) for each in b):
        return False
    # A statement that is not on the connection at hand cannot be prepared in a failed transaction: one error for another.
    aborted = [number for number, (kind, what) in enumerate(b) if kind == "E" and what["C"] == "25P02"]
    return plain(a) == plain(b)


def difference(a: list, b: list) -> str:
    """Of B's steps too, which are lists of lists."""
    for one, other in zip(a, b):
        if one != other:
            return f"  straight {one}\n  through  {other}"
    return f"  straight {a}\n  through  {b}"


def smaller(script: list, fails, tries: int = 200) -> list:
    """Leaves out pieces, ever smaller ones, while it still fails."""
    piece = max(len(script) // 2, 1)
    while tries > 0:
        at = 0
        while at < len(script) and tries > 0:
            without = script[:at] + script[at + piece:]
            tries -= 1
            if without and fails(without):
                script = without
            else:
                at += piece
        if piece == 1:
            break
        piece //= 2
    return script
