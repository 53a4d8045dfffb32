"""Random sessions whose messages are piled up as no driver would, and cut anywhere: groups of the extended protocol with portals,
row limits, Flush and Close at odd places, COPY, FunctionCall, settings and transactions within them, and code that does such things.

Steps of the kind "cut" are messages, and where their bytes are cut into pieces that are sent one by one. What they leave open is
ended by THE_END, so that nobody has to count how often a server gets ready."""
import re
import struct

from harness.raw import (bind, close_portal, close_statement, copy_data, copy_done, copy_fail, describe_portal,
                         describe_statement, execute, flush, function_call, parse, query, sync)
from random_session import CUSTOM, NAMES, Maker, bare, quoted, smaller

PORTALS = ["", "p", "q"]

# Made once, by way of the proxy, which reads what functions do.
FUNCTIONS = """SET ROLE app;
CREATE OR REPLACE FUNCTION scoped() RETURNS text LANGUAGE sql SET work_mem = '11MB' AS $$SELECT current_setting('work_mem')$$;
CREATE OR REPLACE FUNCTION leaves(value text) RETURNS text LANGUAGE plpgsql AS
    $$BEGIN PERFORM set_config('work_mem', value, false); RETURN current_setting('work_mem'); END$$;
CREATE OR REPLACE FUNCTION names() RETURNS void LANGUAGE plpgsql AS
    $$BEGIN PERFORM set_config('app.tenant', 'of a function', false); SET DateStyle = 'SQL, DMY'; END$$;
CREATE OR REPLACE FUNCTION locks(key int) RETURNS bool LANGUAGE plpgsql AS
    $$BEGIN RETURN pg_try_advisory_lock(key); END$$;
CREATE OR REPLACE FUNCTION fails() RETURNS void LANGUAGE plpgsql AS
    $$BEGIN SET work_mem = '13MB'; RAISE 'no'; END$$;
CREATE OR REPLACE FUNCTION catches() RETURNS text LANGUAGE plpgsql AS
    $$BEGIN SET work_mem = '14MB'; BEGIN SET extra_float_digits = 2; RAISE 'no'; EXCEPTION WHEN others THEN SET IntervalStyle = 'sql_standard'; END;
    RETURN current_setting('extra_float_digits'); END$$;
CREATE OR REPLACE PROCEDURE commits(value text) LANGUAGE plpgsql AS
    $$BEGIN SET work_mem = '15MB'; COMMIT; PERFORM set_config('TimeZone', value, false); SET LOCAL DateStyle = 'German'; COMMIT; SET work_mem = '16MB'; ROLLBACK; END$$;
CREATE OR REPLACE PROCEDURE lasts() LANGUAGE plpgsql AS
    $$BEGIN CREATE TEMP TABLE mine AS SELECT 5 AS n; COMMIT; PERFORM 1/0; END$$;
RESET ROLE"""
NO_FUNCTIONS = "DROP ROUTINE scoped, leaves, names, locks, fails, catches, commits, lasts"

PREPARED_TRANSACTION = "random"


# set_config(text, text, bool), pg_try_advisory_lock(bigint), pg_advisory_unlock(bigint), int4pl(int, int)
SET_CONFIG, TRY_LOCK, UNLOCK, PLUS = 2078, 2882, 2885, 177


# What is not kept under a name: names in it are not found (docs/session-state.md), or PostgreSQL 15 crashes when SQL's EXECUTE runs it
# outside of a transaction.
NAMED = re.compile(r"\b(PREPARE|EXECUTE|DEALLOCATE|SAVEPOINT|RELEASE|ROLLBACK TO)\b")


def messages_of(data: bytes) -> list[bytes]:
    at, found = 0, []
    while at < len(data):
        size = 1 + int.from_bytes(data[at + 1:at + 5], "big")
        found.append(data[at:at + size])
        at += size
    return found


def smaller_cuts(script: list, fails, tries: int = 200) -> list:
    """Leaves out messages of cut steps, and cuts, while it still fails."""
    for number, (kind, what) in enumerate(script):
        if kind != "cut":
            continue

        def with_step(messages: list, cuts: list) -> list:
            return [*script[:number], ("cut", (messages, cuts)), *script[number + 1:]]

        messages, cuts = what
        if cuts and fails(with_step(messages, [])):
            cuts = []
        if not cuts:
            messages = smaller(messages, lambda part: fails(with_step(part, [])), tries)
        script = with_step(messages, cuts)
    return script


class PipelineMaker(Maker):
    WEIGHTS = {**Maker.WEIGHTS, "a_groups": 60, "a_call": 5, "a_routine": 8, "a_two_phase": 3, "a_texts": 10, "a_copy_group": 5}

    def __init__(self, seed: int, old_portals: bool = False):
        """With `old_portals` an Execute may mean a portal of an earlier group. PostgreSQL 15 crashes at some of them: where the
        transaction has failed since, and the portal's statement is gone."""
        super().__init__(seed)
        self.old_portals = old_portals
        self.bound = set()

    def portal(self, wanted: str) -> str:
        return wanted if self.old_portals or wanted in self.bound else "never"

    def a_portal(self):
        return parse("SELECT n FROM r ORDER BY n") + bind(portal="p") + execute("p", 2) + describe_portal("p") + sync()

    # --- Texts ---

    def any_simple(self) -> str:
        while True:
            made = self.simple() if self.random.random() < 0.7 else self.pick(self.routine(), self.set_config_sql(), self.custom_sql(), self.chain_sql())
            if made:
                return made

    def chain_sql(self) -> str:
        return self.pick("COMMIT AND CHAIN", "ROLLBACK AND CHAIN", "SAVEPOINT a", "ROLLBACK TO a", "RELEASE a", "SET LOCAL work_mem = '3MB'")

    def set_config_sql(self) -> str:
        name, value = self.setting()
        return f"SELECT set_config('{name}', {quoted(value)}, {self.pick('false', 'true')})"

    def custom_sql(self) -> str:
        name = self.pick(*CUSTOM)
        return self.pick(f"SET {name} = 'piled'", f"SET LOCAL {name} = 'piled'", f"RESET {name}", f"SELECT current_setting('{name}', true)")

    def routine(self) -> str:
        return self.pick("SELECT scoped()", "SELECT leaves('12MB')", "SELECT leaves('nonsense')", "SELECT names()", "SELECT locks(1)",
                         "SELECT fails()", "SELECT catches()", "CALL commits('Asia/Kolkata')", "CALL commits('Nowhere')", "CALL lasts()",
                         "DO $$BEGIN SET work_mem = '17MB'; COMMIT; SET work_mem = '18MB'; ROLLBACK; END$$",
                         "DO $$BEGIN PERFORM leaves('19MB'); EXCEPTION WHEN others THEN NULL; END$$")

    def a_routine(self):
        return self.either(self.routine())

    def a_texts(self):
        """Several statements in one text: transactions begin and end in the middle of it."""
        return "; ".join(self.pick("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "ROLLBACK TO a") if self.random.random() < 0.3 else self.any_simple()
                         for _ in range(self.random.randrange(2, 6)))

    def a_two_phase(self):
        return self.either(self.pick(f"PREPARE TRANSACTION '{PREPARED_TRANSACTION}'", f"COMMIT PREPARED '{PREPARED_TRANSACTION}'",
                                     f"ROLLBACK PREPARED '{PREPARED_TRANSACTION}'"))

    # --- Messages ---

    def call(self) -> bytes:
        name, value = self.setting()
        key = struct.pack("!q", self.pick(1, 2))
        return self.pick(function_call(SET_CONFIG, name.encode(), value.encode(), self.pick(b"\0", b"\1")), function_call(TRY_LOCK, key),
                         function_call(UNLOCK, key), function_call(PLUS, b"\0\0\0\1", b"\0\0\0\2"), function_call(PLUS, b"wrong", b"\0"))

    def a_call(self):
        return ("a", self.call())

    def named_text(self, name: str, text: str) -> str:
        return "SELECT 'no names'" if name and NAMED.search(text) else text

    def text(self) -> str:
        return self.pick(self.statement_text, self.any_simple, lambda: "SELECT n, t FROM r ORDER BY n", lambda: "SELECT $1::int + 1",
                         lambda: "SELECT set_config($1, $2, false)", lambda: "SELECT $1::text, current_setting('work_mem')",
                         lambda: "INSERT INTO r VALUES ($1, 'piled') RETURNING n")()

    def values(self) -> tuple:
        name, value = self.setting()
        return self.pick((), (), (), (self.random.randrange(20, 60),), ("x",), (name, value), (self.pick(*CUSTOM), "bound"), (None,))

    def formats(self) -> tuple:
        return self.pick((), (), (), (1,), (0,))

    def binds(self, *values, name: str, portal: str) -> bytes:
        self.bound.add(portal)
        return bind(*values, name=name, portal=portal, result_formats=self.formats())

    def one_message(self) -> bytes:
        name, portal = bare(self.pick("", "", *NAMES)), self.pick("", "", *PORTALS)
        return self.random.choices(
            [lambda: parse(self.named_text(name, self.text()), name), lambda: self.binds(*self.values(), name=name, portal=portal),
             lambda: execute(self.portal(portal), self.pick(0, 0, 1, 2)), lambda: describe_portal(self.portal(portal)),
             lambda: describe_statement(name), lambda: close_portal(portal), lambda: close_statement(name), flush],
            [5, 5, 5, 2, 2, 1, 2, 2])[0]()

    def run_text(self) -> bytes:
        """A statement all the way, its messages in their order."""
        name, portal = bare(self.pick("", "", "", *NAMES)), self.pick("", "", "", *PORTALS)
        values = self.values()
        text = self.pick("SELECT $1::text, current_setting('work_mem')", "SELECT $1::int + 1") if len(values) == 1 else \
            "SELECT set_config($1, $2, false)" if len(values) == 2 else self.any_simple()
        return (self.pick(b"", close_statement(name)) + parse(self.named_text(name, text), name) + self.pick(b"", b"", describe_statement(name))
                + self.binds(*values, name=name, portal=portal) + self.pick(b"", describe_portal(portal))
                + execute(portal, self.pick(0, 0, 0, 1)) + self.pick(b"", b"", b"", flush(), close_portal(portal)))

    def copy(self) -> bytes:
        rows = copy_data(b"%d\tcopied\n" % self.random.randrange(20, 90))
        end = self.pick(copy_done(), copy_done(), copy_fail("no more"), b"")
        begin = parse("COPY r FROM STDIN") + bind() + execute()
        return self.pick(begin + rows + end, begin + sync() + rows + end + sync(), query("COPY r FROM STDIN") + rows + end,
                         begin + flush() + rows + rows + end, parse("COPY r TO STDOUT") + bind() + execute())

    def group(self) -> bytes:
        self.bound.clear()
        parts = [self.random.choices([self.one_message, self.run_text], [4, 3])[0]() for _ in range(self.random.randrange(0, 5))]
        end = self.random.choices([sync, lambda: query(self.any_simple()), self.call, lambda: b""], [12, 3, 1, 1])[0]()
        return b"".join(parts) + end

    def cut(self, data: bytes) -> tuple:
        """In one packet, mostly."""
        cuts = sorted({self.random.randrange(1, len(data) + 1) for _ in range(self.pick(0, 0, 0, 1, 1, 3))} if data else ())
        return ("cut", (messages_of(data), cuts))

    def a_groups(self):
        return self.cut(b"".join(self.group() for _ in range(self.random.randrange(1, 5))))

    def a_copy_group(self):
        return self.cut(self.group() + self.copy() + self.pick(b"", sync(), flush()))
