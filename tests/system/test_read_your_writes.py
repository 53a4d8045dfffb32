"""The checker of `make soak` for a few seconds: replicas fall behind, and nobody misses what was written."""
import pytest

from harness import read_your_writes as checker
from harness.pgweir import Pgweir

pytestmark = pytest.mark.ours

SESSIONS = 16


@pytest.fixture(scope="module")
def place(cluster, replicas):
    checker.prepare(cluster, SESSIONS)
    yield cluster
    checker.clean_up(cluster)


@pytest.fixture(scope="module")
def proxy(place):
    started = Pgweir(checker.sections(place))
    started.start()
    try:
        yield started
    finally:
        started.stop()


ENOUGH = {"session": lambda tally: tally.writes > 300 and tally.on_replica > 100, "database": lambda tally: tally.writes > 300,
          "off": lambda tally: tally.stale}


@pytest.mark.parametrize("mode", ENOUGH)
def test_reads_show_what_they_must_while_replicas_fall_behind(proxy, place, mode):
    """And with `off` they do not: else this test could not fail."""
    checker.wait_until_replicas_serve(proxy, mode)
    tally = checker.Check(proxy, place, mode, SESSIONS).run(160, until=ENOUGH[mode])
    print(f"\n{mode}: {tally}")
    assert ENOUGH[mode](tally) and not checker.faults(mode, tally)
