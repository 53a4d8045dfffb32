"""Pipelines put together at random, cut at random places: what PostgreSQL answers straight, it answers through pgweir.

PGWEIR_TEST_SEED repeats a run; PGWEIR_TEST_PIPELINES sets how many there are. """
import os
import random

import pytest

from harness import raw
from harness.postgres import PASSWORDS
from harness.raw import (bind, close_portal, close_statement, copy_data, copy_done, copy_fail, describe_portal, describe_statement, execute,
                         flush, parse, query, sync)
from session import comparable

SEED = int(os.environ.get("PGWEIR_TEST_SEED", random.randrange(1 << 30)))
PIPELINES = int(os.environ.get("PGWEIR_TEST_PIPELINES", "40"))

NAMES = ["", "s", "t"]
TEXTS = ["SELECT 1", "SELECT 'two', 2", "SELECT nonsense", "SELECT 1/0", "INSERT INTO r VALUES (1)", "SELECT n FROM r ORDER BY n", "", "COPY (SELECT 1) TO STDOUT"]
QUERIES = [*TEXTS, "BEGIN", "COMMIT", "ROLLBACK", "SELECT 1; SELECT 2", "SELECT count(*) FROM r"]
TABLE = "DROP TABLE IF EXISTS r; CREATE TABLE r (n int); GRANT ALL ON r TO app"


def pieces(chance: random.Random) -> list[bytes]:
    """Messages up to the Sync or Query that ends them."""
    made = []
    for _ in range(chance.randrange(6)):
        name, portal = chance.choice(NAMES), chance.choice(["", "", "p"])
        made.append(chance.choice([
            parse(chance.choice(TEXTS), name), parse(chance.choice(TEXTS), name), bind(name=name, portal=portal), bind(name=name, portal=portal),
            execute(portal), execute(portal, 1), describe_statement(name), describe_portal(portal), close_statement(name), close_portal(portal), flush(),
            bind(name=name) + execute()]))
    made.append(chance.choice([sync(), sync(), query(chance.choice(QUERIES)) + sync(),
                               query("COPY r FROM STDIN") + copy_data(b"7\n") + chance.choice([copy_done(), copy_fail("no")]) + sync()]))
    return made


def conversation(chance: random.Random) -> list[list[bytes]]:
    turns = [b"".join(piece for _ in range(chance.randrange(1, 4)) for piece in pieces(chance)) for _ in range(4)]
    turns.append(query("ROLLBACK"))
    cut = []
    for turn in turns:
        places = sorted(chance.sample(range(1, len(turn)), min(chance.randrange(4), len(turn) - 1)))
        cut.append([turn[start:end] for start, end in zip([0, *places], [*places, len(turn)])])
    return cut


def run(client: raw.Client, turns: list[list[bytes]]) -> list:
    """A turn ends with a query that works in any state: how many ReadyForQuery there are depends on errors and COPY."""
    trace = []
    for number, turn in enumerate(turns):
        for part in turn:
            client.send(part)
        mark = f"turn {number}".encode()
        client.send(sync() + query("ROLLBACK") + query(f"SELECT '{mark.decode()}'"))
        while not (len(trace) > 2 and trace[-3][0] == "D" and mark in trace[-3][1] and trace[-1][0] == "Z"):
            got = client.receive()
            trace.append((got.type, comparable(got)))
    return trace


def outcome(client: raw.Client, turns: list[list[bytes]]) -> list:
    try:
        return run(client, turns)
    finally:
        client.close()


@pytest.mark.parametrize("mode", ["one", "session"])
def test_random_pipelines_get_the_same_answers(pgweir, cluster, mode):
    chance = random.Random(SEED)
    for number in range(PIPELINES):
        turns = conversation(chance)
        traces = []
        for host, port, name in ((cluster.primary.host, cluster.primary.port, "app"), (pgweir.host, pgweir.port, pgweir.database(mode))):
            cluster.primary.sql(TABLE, "app")
            client = raw.Client(host, port, timeout_s=10)
            client.login("app", name, PASSWORDS["app"])
            traces.append(outcome(client, turns))
        assert traces[1] == traces[0], f"PGWEIR_TEST_SEED={SEED}, pipeline {number}: {turns}"
