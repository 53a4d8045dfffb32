"""Long random sessions on a pool of one or two, disturbed by another client: the traces must be those of a direct connection, and who
comes behind them finds nothing of theirs.

PGWEIR_TEST_RANDOM_SEED runs one seed only, PGWEIR_TEST_RANDOM_STEPS makes the sessions longer, and PGWEIR_TEST_RANDOM_SEEDS
says how many of them there are. """
import contextlib
import os

import pytest

from harness import raw
from harness.clusters import command
from harness.postgres import PASSWORDS
from harness.process import wait_until
from random_odds import OddsMaker
from random_pipelines import FUNCTIONS, NO_FUNCTIONS, PipelineMaker, smaller_cuts
from random_session import TABLES, Differs, Maker, play_both, smaller

pytestmark = pytest.mark.ours

STEPS = int(os.environ.get("PGWEIR_TEST_RANDOM_STEPS", "300"))
SEEDS = [int(os.environ["PGWEIR_TEST_RANDOM_SEED"])] if "PGWEIR_TEST_RANDOM_SEED" in os.environ \
    else range(1, 1 + int(os.environ.get("PGWEIR_TEST_RANDOM_SEEDS", "6")))


STARTUP = {"application_name": "began as", "extra_float_digits": "2", "DateStyle": "German", "options": "-c search_path=elsewhere"}


def connector(host: str, port: int, database: str, user: str, startup: dict):
    def connect(**other):
        client = raw.Client(host, port, timeout_s=60)
        client.login(user, database, PASSWORDS[user], **{**startup, **other})
        return client

    return connect


def reset(primary) -> None:
    for name, in primary.sql("SELECT gid FROM pg_prepared_xacts WHERE database = 'app'", "app"):
        primary.sql(f"ROLLBACK PREPARED '{name}'", "app")
    primary.sql(TABLES, "app")


@pytest.fixture
def proxy(start_pgweir):
    """Of its own: it is told of the functions, and each run begins on a server connection that knows nothing."""
    return start_pgweir({"database one": {"dbname": "app", "pool_size": 1}, "database two": {"dbname": "app", "pool_size": 2}})


@pytest.fixture
def functions(proxy, cluster):
    with contextlib.closing(proxy.raw("one", "postgres")) as client:
        assert raw.good(client.ask(FUNCTIONS))
    yield
    cluster.primary.sql(NO_FUNCTIONS, "app")


@pytest.fixture
def differ(proxy, cluster):
    primary = cluster.primary

    def wait_until_gone(client) -> None:
        wait_until(lambda: not primary.sql(f"SELECT FROM pg_stat_activity WHERE pid = {client.pid}", "app"), what="the server process has ended", step_s=0.005)

    def run(script: list, user: str, startup: dict, database: str = "one"):
        def straight(play):
            reset(primary)
            return play(connector(primary.host, primary.port, "app", user, startup), wait_until_gone)

        reset(primary)
        command(proxy, "RECONNECT")
        play_both(straight, connector(proxy.host, proxy.port, database, user, startup), proxy, script, database)

    return run


def look_for_difference(differ, maker: Maker, steps_wanted: int, database: str, seed: int, make_smaller) -> None:
    user = "postgres" if maker.superuser else "app"
    script = maker.script(steps_wanted)

    def fails(part: list) -> str | None:
        try:
            differ(part, user, STARTUP if maker.startup else {}, database)
        except Differs as difference:
            return str(difference)
        return None

    if fails(script):
        small = make_smaller(script, fails)
        steps = "\n".join(f"    {step!r}," if step[0] != "probe" else "    probe" for step in small)
        pytest.fail(f"PGWEIR_TEST_RANDOM_SEED={seed} ({user}, {'with' if maker.startup else 'no'} startup parameters): made smaller to\n{steps}\n{fails(small)}", pytrace=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_session_is_answered_as_postgresql_does(differ, seed):
    look_for_difference(differ, Maker(seed), STEPS, "one", seed, smaller)


@pytest.mark.parametrize("database", ["one", "two"])
@pytest.mark.parametrize("seed", SEEDS)
def test_random_pipelines_are_answered_as_postgresql_does(functions, differ, seed, database):
    look_for_difference(differ, PipelineMaker(seed), STEPS // 4, database, seed, lambda script, fails: smaller_cuts(smaller(script, fails), fails))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_odds_are_answered_as_postgresql_does(functions, differ, seed):
    look_for_difference(differ, OddsMaker(seed), STEPS // 5, "one", seed, lambda script, fails: smaller_cuts(smaller(script, fails), fails))
