"""The fixtures of all tests under tests/: one cluster and one shared proxy per run, and a maker of further proxies."""
import os
import resource
import signal
import threading

import pytest

from . import target
from .pgbouncer import PgBouncer
from .pgweir import Pgweir, sanitized
from .postgres import Cluster

TEST_TIMEOUT_S = int(os.environ.get("PGWEIR_TEST_TIMEOUT_S", "240"))

MARKS = {
    "pooler": "applies to a pooler, not to a direct connection",
    "ours": "applies to pgweir only",
    "memory": "measures memory: says nothing under a sanitizer",
    "bulk": "moves much data: worth repeating with a release build, whose memory can be judged strictly",
    "threaded": "worth running under the thread sanitizer",
}


def pytest_configure(config):
    for name, meaning in MARKS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_runtest_setup(item):
    kind = target.kind()
    if kind == "direct" and item.get_closest_marker("pooler"):
        pytest.skip("needs a pooler")
    if kind != "pgweir" and item.get_closest_marker("ours"):
        pytest.skip("needs pgweir")
    if kind == "pgweir" and item.get_closest_marker("memory") and sanitized():
        pytest.skip("memory under a sanitizer says nothing")


class TookTooLong(Exception):
    """A test hangs."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Ends a test that hangs. Where it hangs inside a C library no exception gets in: there its proxy is killed. On a busy machine
    execnet may run all of a worker's tests in a thread that is not its first one, where no signal is to be had: there as well."""
    def interrupt(*_):
        raise TookTooLong(f"still running after {TEST_TIMEOUT_S} s")

    def kill_proxies():
        for proxy in list(Pgweir.running):
            if proxy.alive():
                proxy.process.kill()

    watchdog = threading.Timer(TEST_TIMEOUT_S + 10, kill_proxies)
    watchdog.daemon = True
    watchdog.start()
    signals = threading.current_thread() is threading.main_thread()
    if signals:
        signal.signal(signal.SIGALRM, interrupt)
        signal.alarm(TEST_TIMEOUT_S)
    try:
        yield
    finally:
        if signals:
            signal.alarm(0)
        watchdog.cancel()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        item.has_failed = True
        for proxy in Pgweir.running:
            report.sections.append((f"end of the log of the proxy on port {proxy.port}", proxy.log()[-4000:]))


@pytest.fixture(scope="session")
def cluster():
    made = Cluster()
    try:
        yield made.start()
    finally:
        made.stop()


@pytest.fixture(scope="session")
def replicas(cluster):
    return cluster.start_replicas(2)


def database(cluster, **more) -> dict:
    """A [database] section that leads to the primary."""
    return {"host": cluster.primary.host, "port": cluster.primary.port, **more}


def tls_settings(cluster) -> dict:
    certificates = cluster.certificates
    return {"client_tls_sslmode": "prefer", "client_tls_cert_file": certificates.server_cert,
            "client_tls_key_file": certificates.server_key, "server_tls_sslmode": "verify-full",
            "server_tls_ca_file": certificates.ca}


def shared_sections(cluster) -> dict[str, dict]:
    """The proxy that most tests share: TLS and SCRAM on both sides, every pool mode."""
    return {
        "pgweir": {"pool_mode": "transaction", "default_pool_size": 10, "max_client_conn": 5000, **tls_settings(cluster)},
        "database app": database(cluster, dbname="app"),
        "database session": database(cluster, dbname="app", pool_mode="session", pool_size=20),
        "database statement": database(cluster, dbname="app", pool_mode="statement"),
        "database one": database(cluster, dbname="app", pool_size=1),
        "database bench": database(cluster, dbname="bench"),
        "database bench_session": database(cluster, dbname="bench", pool_mode="session", pool_size=20),
        "database other": database(cluster, dbname="other"),
        "database nowhere": database(cluster, dbname="there_is_no_such_database"),
    }


def make(sections: dict[str, dict], **more):
    kind = target.kind()
    if kind == "direct":
        return target.Direct(sections)
    return (PgBouncer if kind == "pgbouncer" else Pgweir)(sections, **more)


class Shared:
    """The shared proxy, started on first use and again when a test brought it down."""

    def __init__(self, cluster):
        self.cluster, self.proxy = cluster, None

    def get(self):
        if self.proxy is None:
            proxy = make(shared_sections(self.cluster))
            if isinstance(proxy, Pgweir):
                proxy.start()
            self.proxy = proxy
        return self.proxy

    def check(self) -> None:
        if not isinstance(self.proxy, Pgweir):
            return
        proxy = self.proxy
        if not proxy.alive():
            self.proxy = None
            raise AssertionError(f"the proxy died with {proxy.process.returncode}\n{proxy.log()[-8000:]}")
        proxy.check_log()


@pytest.fixture(scope="session")
def shared(cluster):
    holder = Shared(cluster)
    yield holder
    if holder.proxy is not None:
        holder.proxy.stop()


@pytest.fixture
def pgweir(request, shared):
    """The shared proxy. A test that failed has it replaced, so that the next one starts clean."""
    proxy = shared.get()
    yield proxy
    proxy.close_all()
    shared.check()
    if getattr(request.node, "has_failed", False) and isinstance(proxy, Pgweir):
        proxy.discard()
        shared.proxy = None


@pytest.fixture
def pair(pgweir):
    """Two clients on one server connection."""
    clients = pgweir.raw("one"), pgweir.raw("one")
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def start_pgweir(cluster):
    """start_pgweir(sections, users=…): a proxy of the test's own. Databases without a host lead to the primary, but for those
    that say "host": None."""
    started = []

    def start(sections: dict[str, dict] | None = None, *, wait: bool = True, **more):
        sections = {title: dict(body) for title, body in (sections or {}).items()}
        for title, body in sections.items():
            if title.startswith("database ") and not {"host", "cluster"} & set(body):
                body.update(database(cluster))
            if body.get("host", "") is None:
                del body["host"]
        if not any(title.startswith("database ") for title in sections):
            sections["database app"] = database(cluster)
        proxy = make(sections, **more)
        if isinstance(proxy, Pgweir):
            started.append(proxy)
            proxy.start(wait)
        return proxy

    yield start
    failures = []
    for proxy in started:
        proxy.close_all()
        try:
            proxy.stop()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, "\n".join(failures)


@pytest.fixture
def aws():
    """A look-alike of AWS, empty: see harness/aws.py."""
    from .aws import Aws                # Here, since botocore takes half a second to import.
    with Aws() as running:
        yield running
