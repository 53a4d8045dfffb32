"""Random sessions with what the other makers leave out: DDL under prepared statements, functions that set things and are made and changed
on the way, lists and odd spellings of settings, client encodings, statements of the protocol's that end transactions, binary values,
cursors as portals, cancel requests, long texts, and clients that leave in the middle and come back.

Steps of the kind "cancel" cancel what A runs; "anew" has A say something, leave, with a Terminate or without, and come back, perhaps
with other startup parameters."""
import re
import struct

from harness.raw import (bind, close_statement, cstring, describe_portal, describe_statement, execute, extended, flush, message, parse, query, sync,
                         terminate)
from random_pipelines import PipelineMaker
from random_session import CUSTOM, NAMES, bare, quoted

INT4, TEXT, BOOL = 23, 25, 16
ENCODINGS = ["UTF8", "LATIN1", "SJIS", "BIG5", "GBK", "GB18030", "EUC_JP", "WIN1252", "SQL_ASCII", "UHC"]
LISTS = ["elsewhere, public", '"od""d", public', "''", '""', "'a b', \"C\"", '"$user", public', "elsewhere, 'x,y', \"z\"", "pg_temp, public"]
STARTUPS = [{}, {"application_name": "again"}, {"options": "-c lock_timeout=80s -c work_mem=3MB"}, {"options": "-c search_path=elsewhere,\\ public"},
            {"DateStyle": "SQL, DMY", "TimeZone": "Asia/Tokyo"}, {"client_encoding": "LATIN1"}, {"statement_timeout": "90s"},
            {"default_transaction_read_only": "on"}, {"options": "--work-mem=4MB", "extra_float_digits": "0"}]

TO_STARTUP = re.compile(r"\b(DEFAULT|RESET|NULL|LOCAL$|reset_val)\b")


def binary(*values, name: str = "", portal: str = "", one_format: bool = False) -> bytes:
    """A Bind whose values are binary."""
    formats = (1,) if one_format else (1,) * len(values)
    body = cstring(portal) + cstring(name) + struct.pack(f"!H{len(formats)}H", len(formats), *formats) + struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message("B", body + struct.pack("!HH", 1, 1))


class OddsMaker(PipelineMaker):
    WEIGHTS = {**PipelineMaker.WEIGHTS, "a_groups": 25, "a_ddl": 20, "a_function": 15, "a_odd": 25, "a_encoding": 8, "a_control": 15,
               "a_binary": 6, "a_as_portal": 8, "a_cancel": 4, "a_long": 2, "a_anew": 8, "a_of": 12}

    # --- Steps ---

    def a_ddl(self):
        return self.either(self.pick(
            "CREATE INDEX ON r (t)", "ALTER TABLE r ADD COLUMN IF NOT EXISTS extra int", "ALTER TABLE r DROP COLUMN IF EXISTS extra",
            "DROP TABLE elsewhere.r", "CREATE TABLE elsewhere.r (n int, t text)", "CREATE TABLE elsewhere.r AS SELECT 7::int AS n, 'new'::text AS t",
            "CREATE TABLE IF NOT EXISTS r2 AS SELECT 3 AS n", "DROP TABLE IF EXISTS r2", "ALTER TABLE IF EXISTS r2 RENAME TO r3; ALTER TABLE IF EXISTS r3 RENAME TO r2",
            "TRUNCATE elsewhere.r", "ALTER SCHEMA elsewhere RENAME TO away; ALTER SCHEMA away RENAME TO elsewhere", "CREATE OR REPLACE VIEW elsewhere.v AS SELECT 1 AS one",
            "DROP VIEW IF EXISTS elsewhere.v", "ANALYZE r"))

    def a_of(self):
        """Statements of what the DDL changes."""
        name = bare(self.pick(*NAMES))
        text = self.pick("SELECT n, t FROM elsewhere.r", "SELECT n FROM r2", "TABLE r2", "SELECT one FROM elsewhere.v", "SELECT elsewhere.f()", "SELECT elsewhere.f() FROM r WHERE n = 1")
        return self.pick(close_statement(name) + parse(text, name) + sync(), bind(name=name) + execute() + sync(), bind(name=name) + execute() + sync(), text,
                         parse(text) + bind() + execute() + sync(), f"PREPARE {self.pick(*NAMES)} AS {text}", f"EXECUTE {self.pick(*NAMES)}",
                         f"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF) EXECUTE {self.pick(*NAMES)}", f"CREATE TEMP TABLE made ON COMMIT DROP AS EXECUTE {self.pick(*NAMES)}")

    def a_function(self):
        name = self.pick(*CUSTOM)
        body = self.pick(f"PERFORM set_config('{name}', 'of f', {self.pick('true', 'false')})", "SET work_mem = '21MB'", "SET LOCAL work_mem = '20MB'",
                         f"SET {name} = 'f'", "NULL", "CREATE TEMP TABLE IF NOT EXISTS mine (n int)", "PERFORM pg_try_advisory_lock(1)", "RESET work_mem",
                         f"EXECUTE 'SET work_mem = ''22MB'''")
        own = self.pick("", "", "SET work_mem = '21MB'", f"SET {name} = 'own'", "SET search_path FROM CURRENT", "SET search_path = elsewhere, pg_temp")
        return self.either(self.pick(
            f"CREATE OR REPLACE FUNCTION elsewhere.f() RETURNS text LANGUAGE plpgsql {own} AS $$BEGIN {body}; RETURN current_setting('work_mem'); END$$",
            f"CREATE OR REPLACE FUNCTION elsewhere.f() RETURNS text LANGUAGE sql {own} AS $$SELECT current_setting('work_mem')$$",
            "ALTER FUNCTION elsewhere.f() SET work_mem = '24MB'", f"ALTER FUNCTION elsewhere.f() SET {name} = 'altered'", "ALTER FUNCTION elsewhere.f() RESET ALL",
            "DROP FUNCTION IF EXISTS elsewhere.f()", "SELECT elsewhere.f()", "SELECT elsewhere.f()", "SELECT elsewhere.f()"))

    def odd(self) -> str:
        """What leads to startup values does so from the next transaction on."""
        while True:
            made = self.any_odd()
            if not (self.startup and TO_STARTUP.search(made)):
                return made

    def any_odd(self) -> str:
        name = self.pick(*CUSTOM)
        return self.pick(
            f"SET search_path = {self.pick(*LISTS)}", f"SET LOCAL search_path TO {self.pick(*LISTS)}", f"SELECT set_config('search_path', {quoted(self.pick(*LISTS))}, false)",
            "SET temp_tablespaces = ''", "SET temp_tablespaces = pg_default", "SET DateStyle TO DMY, ISO", "SET DateStyle = 'ISO'", "SET TIME ZONE LOCAL", "SET TIME ZONE DEFAULT",
            "SET TIME ZONE INTERVAL '+02:00' HOUR TO MINUTE", "SET TIME ZONE -3.5", "SET LOCAL TIME ZONE 'Europe/Rome'", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE, ISOLATION LEVEL READ COMMITTED", "SET CONSTRAINTS ALL DEFERRED", "SET TRANSACTION READ ONLY", "SET work_mem TO 8192", "SET work_mem = '1GB'",
            'SET "work_mem" = 5000', 'SET "Work_Mem" TO DEFAULT', "SET WORK_MEM = 4096", "SELECT set_config('work_mem', NULL, false)", f"SELECT set_config('{name}', NULL, false)",
            f"SELECT set_config('{name}', '', false)", f"SET {name} = ''", f"SET {name} TO DEFAULT", f"SELECT pg_catalog.set_config(E'{name}', E'\\'', false)",
            f"SELECT set_config('{name.upper()}', 'in capitals', false)", f"SET {name} = 1, 2, 'three'", f"SET {name} TO on", f"SHOW {name}",
            "SELECT set_config(name, setting, false) FROM pg_settings WHERE name = 'work_mem'", "UPDATE pg_settings SET setting = reset_val WHERE name = 'work_mem'",
            "UPDATE pg_settings SET setting = '9MB' WHERE name IN ('work_mem', 'maintenance_work_mem')", f"UPDATE pg_settings SET setting = 'up' WHERE name = '{name}'",
            "WITH x AS (SELECT set_config('work_mem', '2MB', false) AS w) SELECT w FROM x", "SELECT set_config('work_mem', '3MB', n > 1) FROM generate_series(1, 2) n",
            "SELECT set_config('work_mem', '6MB', false), 1/0", "SET ROLE 'app'", 'SET ROLE "other"', "SET LOCAL ROLE NONE", "SET default_transaction_deferrable = on", "SET plan_cache_mode = force_generic_plan",
            "SET application_name TO DEFAULT", "SET LOCAL application_name = 'local'", "SET client_encoding TO DEFAULT", "RESET client_encoding", "RESET SESSION AUTHORIZATION", "SET row_security = off",
            "SET temp_buffers = 200", "SET lock_timeout = '3min'", "SET idle_in_transaction_session_timeout = '4min'", "SET check_function_bodies = off", "SET default_text_search_config = 'simple'",
            "SET bytea_output = 'escape'; SELECT '\\x00'::bytea; RESET bytea_output", "SET backslash_quote = off", "SET escape_string_warning = off", "SET transform_null_equals = on",
            "SELECT NULL = current_setting('work_mem')", "COMMENT ON TABLE r IS 'SET work_mem'", "CLOSE ALL; SET work_mem = '2MB'; DISCARD PLANS")

    def a_odd(self):
        return self.either(self.odd())

    def a_encoding(self):
        """The bytes may be no character, or one with a backslash or a quote for its second byte."""
        encoding = self.pick(*ENCODINGS)
        piece = self.pick(b"\x95\x5c", b"\x83\x5c", b"\xe9", b"\xa4\xa2", b"\x81\x5c\x27", b"\xc3\xa9", b"\xb0\x5c", b"\x81\x30\x81\x30")
        text = self.pick(b"SELECT '" + piece + b"'", b"SELECT '" + piece + b"', set_config('work_mem', '2MB', false)", b"SET application_name = '" + piece + b"'",
                         b"SELECT E'" + piece + b"\\'; SET work_mem = 3000; --'", b"SELECT 1 AS \"" + piece + b"\"",
                         b"SET app.tenant = '" + piece + b"'", b"SELECT set_config('app.tenant', '" + piece + b"', false)")
        return [("a", self.either(self.pick(f"SET client_encoding = '{encoding}'", f"SET NAMES {quoted(encoding)}", f"SET LOCAL client_encoding TO {encoding}", f"SELECT set_config('client_encoding', '{encoding}', false)"))),
                ("a", query(text) if self.random.random() < 0.6 else message("P", b"\0" + text + b"\0\0\0") + bind() + execute() + sync()),
                *([("a", "SET client_encoding = 'UTF8'")] if self.random.random() < 0.7 else [])]

    def control(self) -> str:
        return self.pick("BEGIN", "COMMIT", "ROLLBACK", "DISCARD ALL", "RESET ALL", "SET LOCAL work_mem = '2MB'", "LISTEN x", "UNLISTEN *", "CREATE TEMP TABLE mine (n int)", "DROP TABLE IF EXISTS mine",
                         "DECLARE c CURSOR WITH HOLD FOR SELECT n FROM r ORDER BY n", "CLOSE ALL", "SELECT pg_advisory_lock(1)", "SELECT pg_advisory_unlock_all()", "DISCARD TEMP", "DISCARD PLANS", "SAVEPOINT a",
                         "ROLLBACK TO a", "SET app.tenant = 'named'", "SET ROLE app", "RESET ROLE", "CALL commits('Asia/Kolkata')", "DO $$BEGIN SET work_mem = '17MB'; COMMIT; SET LOCAL work_mem = '18MB'; END$$",
                         "ROLLBACK AND CHAIN", "SELECT nextval('public.sq'), lastval()", "DISCARD SEQUENCES", "PREPARE TRANSACTION 'random'", "ROLLBACK PREPARED 'random'", "NOTIFY x")

    def a_control(self):
        """Statements of the protocol that end or begin something, kept under names and run again and again, DISCARD among others.
        PostgreSQL 15 crashes where SQL's EXECUTE runs some of them: the names are others."""
        def part() -> bytes:
            name = self.pick("", "end 1", "end 2")
            return self.pick(parse(self.control(), name), bind(name=name) + execute(), bind(name=name) + execute(), bind(name=name) + describe_portal() + execute(), close_statement(name),
                             describe_statement(name), parse(self.control()) + bind() + execute(), sync(), sync(), flush(), query(self.control()))
        return self.cut(b"".join(part() for _ in range(self.random.randrange(1, 7))) + sync())

    def a_binary(self):
        name = bare(self.pick("", *NAMES))
        types, text = self.pick(((INT4,), "SELECT $1 + 1"), ((TEXT, TEXT), "SELECT set_config($1, $2, false)"), ((TEXT, TEXT, BOOL), "SELECT set_config($1, $2, $3)"), ((), "SELECT $1::text, $2::int"))
        setting, value = self.setting()
        number, name_of = struct.pack("!i", self.random.randrange(9)), self.pick(setting, setting, *CUSTOM).encode()
        values = self.pick((number,), (name_of, value.encode()), (name_of, value.encode(), self.pick(b"\0", b"\1")), (b"x", number), (None,), (b"\xff\xfe", b""))
        return self.pick(b"", close_statement(name)) + parse(text, name, types) + binary(*values, name=name, one_format=self.pick(True, False)) + self.pick(b"", describe_portal()) + execute() + sync()

    def a_as_portal(self):
        """SQL's cursors are the protocol's portals, and the other way about."""
        declare = parse(f"DECLARE c {self.pick('', 'SCROLL ', 'BINARY ')}CURSOR {self.pick('', 'WITH HOLD ')}FOR SELECT n FROM r ORDER BY n") + bind() + execute()
        opened = parse("SELECT n FROM r ORDER BY n") + bind(portal="p")
        rest = [self.pick(execute("c", self.pick(0, 1, 2)), describe_portal("c"), flush(), parse("FETCH 2 FROM c") + bind() + execute(), parse("MOVE c") + bind() + execute(), parse("CLOSE c") + bind() + execute(),
                          parse("FETCH FROM p") + bind() + execute(), execute("p", 1), parse("CLOSE p") + bind() + execute(), parse("SAVEPOINT a") + bind() + execute(), parse("SELECT name FROM pg_cursors ORDER BY name") + bind() + execute())
                for _ in range(self.random.randrange(1, 6))]
        begin = self.pick(b"", parse("BEGIN") + bind() + execute())
        return begin + self.pick(declare, opened, declare + opened) + b"".join(rest) + sync()

    def a_cancel(self):
        return ("cancel", self.pick(b"", query("SET work_mem = '2MB'"), extended("SET app.tenant = 'cancelled'")))

    def a_long(self):
        padding = "/*" + "x" * self.pick(70000, 20000, 66000) + "*/"
        text = self.pick(padding + " {}", "{} " + padding).format(self.any_simple())
        return self.either(text)

    def a_anew(self):
        last = self.pick(b"", b"", query("BEGIN") + query("SET work_mem = '2MB'"), query("COPY r FROM STDIN"), parse("SELECT n FROM r") + bind() + execute(limit=1) + flush(), query("INSERT INTO r VALUES (60, 'the last')"),
                         query("CREATE TEMP TABLE mine (n int)"), query("SELECT pg_advisory_lock(1)"), query("SET app.tenant = 'gone'"), query("LISTEN x"), parse("SELECT 1", "s1"), query(self.any_simple()))
        return ("anew", (last + self.pick(b"", sync()) + self.pick(b"", terminate()), self.pick(*STARTUPS) if self.startup else {}))

    def any_simple(self) -> str:
        return self.odd() if self.random.random() < 0.3 else super().any_simple()
