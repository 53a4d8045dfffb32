"""pgweir before a real server, and replicas of it, for what the instant server cannot show."""
import contextlib
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
os.environ.setdefault("PGWEIR_BIN", str(ROOT / "build/release/pgweir"))

from harness.pgweir import Pgweir
from harness.postgres import Cluster


@contextlib.contextmanager
def started(sections, replicas: int = 0):
    """The servers, the primary first, and pgweir, with one worker and a configuration that `sections` makes for these servers."""
    cluster = Cluster()
    proxy = None
    try:
        cluster.start()
        servers = [cluster.primary, *(cluster.start_replicas(replicas) if replicas else ())]
        mine = sections(servers)
        proxy = Pgweir({**mine, "pgweir": {"threads": 1, "pool_mode": "transaction", "log_connections": 0, "log_disconnections": 0,
                                           **mine.get("pgweir", {})}})
        proxy.start()
        yield servers, proxy
    finally:
        if proxy is not None:
            proxy.stop()
        cluster.stop()
