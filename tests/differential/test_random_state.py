"""Long random sessions on a pool of one, disturbed by another client: the traces must be those of a direct connection.

PGWEIR_TEST_RANDOM_SEED runs one seed only, PGWEIR_TEST_RANDOM_STEPS makes the sessions longer, and PGWEIR_TEST_RANDOM_SEEDS
says how many of them there are. """
import os

import pytest

from harness import raw
from harness.postgres import PASSWORDS
from random_session import TABLES, Differs, Maker, play_both, smaller

pytestmark = pytest.mark.ours

STEPS = int(os.environ.get("PGWEIR_TEST_RANDOM_STEPS", "300"))
SEEDS = [int(os.environ["PGWEIR_TEST_RANDOM_SEED"])] if "PGWEIR_TEST_RANDOM_SEED" in os.environ \
    else range(1, 1 + int(os.environ.get("PGWEIR_TEST_RANDOM_SEEDS", "6")))


STARTUP = {"application_name": "began as", "extra_float_digits": "2", "DateStyle": "German", "options": "-c search_path=elsewhere"}


def connector(host: str, port: int, database: str, user: str, startup: dict):
    def connect():
        client = raw.Client(host, port, timeout_s=60)
        client.login(user, database, PASSWORDS[user], **startup)
        return client

    return connect


@pytest.fixture
def differ(pgweir, cluster):
    primary = cluster.primary

    def run(script: list, user: str, startup: dict):
        def straight(play):
            primary.sql(TABLES, "app")
            return play(connector(primary.host, primary.port, "app", user, startup))

        primary.sql(TABLES, "app")
        play_both(straight, connector(pgweir.host, pgweir.port, "one", user, startup), pgweir, script)

    return run


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_session_is_answered_as_postgresql_does(differ, seed):
    maker = Maker(seed)
    user = "postgres" if maker.superuser else "app"
    script = maker.script(STEPS)

    def fails(part: list) -> str | None:
        try:
            differ(part, user, STARTUP if maker.startup else {})
        except Differs as difference:
            return str(difference)
        return None

    if fails(script):
        small = smaller(script, fails)
        steps = "\n".join(f"    {step!r}," if step[0] != "probe" else "    probe" for step in small)
        pytest.fail(f"PGWEIR_TEST_RANDOM_SEED={seed} ({user}, {'with' if maker.startup else 'no'} startup parameters): made smaller to\n{steps}\n{fails(small)}", pytrace=False)
