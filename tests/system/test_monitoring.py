"""Metrics, health and the status page over HTTP; SHOW EVENTS and SHOW THREADS."""
import base64
import contextlib
import http.client
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import psycopg
import pytest

from harness import raw
from harness.pgweir import Pgweir, binary
from harness.plugin import tls_settings
from harness.postgres import PASSWORDS
from harness.process import free_port, listen, remove_folder, wait_until
from harness.raw import ServerError, query
from harness.web import Web

pytestmark = pytest.mark.ours


@pytest.fixture
def start_web(start_pgweir):
    """start_web(sections): a proxy with both ports, and the pages of each."""
    def start(sections: dict | None = None, **main):
        pages, health = free_port(), free_port()
        sections = {title: dict(body) for title, body in (sections or {}).items()}
        sections["pgweir"] = {"http_listen": f"127.0.0.1:{pages}", "health_listen": f"127.0.0.1:{health}", "pool_mode": "transaction",
                              **main, **sections.get("pgweir", {})}
        proxy = start_pgweir(sections)
        return proxy, Web(pages), Web(health)
    return start


def test_queries_waits_pins_and_logins_are_counted(start_web):
    proxy, web, _ = start_web({"database app": {"pool_size": 1}})
    first, second = proxy.connect("app", sslmode="prefer"), proxy.connect("app", sslmode="prefer")
    first.execute("SELECT pg_advisory_lock(4711)")
    # The server is asked what is left only after the client has its answer.
    wait_until(lambda: web.metrics()["pgweir_pinned_sessions"]["advisory_lock"] == 1, 10, "the lock pins")
    pinned = web.metrics()
    assert pinned["pgweir_pins_total"]["advisory_lock"] == 1
    assert pinned["pgweir_pool_servers_pinned"]["app", "app"] == 1
    second.pgconn.send_query(b"SELECT 1")
    wait_until(lambda: web.metrics()["pgweir_pool_clients_waiting"]["app", "app"] == 1, 10, "the second client waits")
    assert web.metrics()["pgweir_pool_longest_wait_seconds"]["app", "app"] > 0
    first.execute("SELECT pg_advisory_unlock(4711)")
    while second.pgconn.get_result():
        pass
    with pytest.raises(psycopg.OperationalError):
        proxy.connect("app", password="wrong", sslmode="prefer")
    now = web.metrics()
    assert now["pgweir_pinned_sessions"]["advisory_lock"] == 0
    assert now["pgweir_queries_total"]["app"] >= 3
    assert now["pgweir_client_logins_total"]["none"] == 2
    assert now["pgweir_client_login_failures_total"]["authentication"] == 1
    assert now["pgweir_client_login_duration_seconds_count"]["app"] == 2
    assert now["pgweir_server_logins_total"]["app"] == 1 == now["pgweir_server_login_duration_seconds_count"]["app"]
    # Who waited is in all three, and every assignment is in the one about waiting.
    assert now["pgweir_wait_duration_seconds_count"]["app"] == now["pgweir_server_assignments_total"]["app"]
    assert now["pgweir_query_duration_seconds_count"]["app"] == now["pgweir_queries_total"]["app"] \
        == now["pgweir_server_round_trip_seconds_count"]["app"]
    waited = now["pgweir_query_duration_seconds_sum"]["app"] - now["pgweir_server_round_trip_seconds_sum"]["app"]
    assert 0 < waited <= now["pgweir_wait_duration_seconds_sum"]["app"]
    assert set(now["pgweir_worker_sessions"]) == {"0", "1"}


def test_what_clients_and_servers_do_is_counted(start_web, cluster):
    proxy, web, _ = start_web(**tls_settings(cluster))
    before = web.metrics()
    plain, encrypted = proxy.raw("app"), proxy.raw("app", tls=True)
    half = proxy.keep(raw.Client(proxy.host, proxy.port))
    half.send(raw.startup({"user": "app", "database": "app"}))
    wait_until(lambda: web.metrics()["pgweir_client_logins_in_progress"][()] == 1, 10, "one is in the middle of its login")
    half.close()
    statement = raw.parse("SELECT $1::int", "s") + raw.bind("1", name="s") + raw.execute() + raw.sync()
    plain.ask(statement)
    encrypted.ask(raw.parse("SELECT $1::int", "s") + raw.sync())
    plain.ask(query("BEGIN"))
    now = wait_until(lambda: (now := web.metrics())["pgweir_pool_servers_in_transaction"]["app", "app"] == 1 and now, 10, "it is open")
    assert now["pgweir_client_sessions"] == {"yes": 1, "no": 1}
    assert {kind: count for kind, count in now["pgweir_client_logins_total"].items() if count} == {"none": 1, "TLSv1.3": 1}
    assert now["pgweir_client_connections_received_total"][()] - before["pgweir_client_connections_received_total"][()] == 3
    # The second client's is the first one's, as the server sees it.
    assert (now["pgweir_client_parses_total"]["app"], now["pgweir_binds_total"]["app"]) == (2, 1)
    assert now["pgweir_server_parses_total"]["app"] == now["pgweir_server_logins_total"]["app"] == 1
    assert now["pgweir_client_received_bytes_total"]["app"] >= len(statement) and now["pgweir_client_sent_bytes_total"]["app"] > 0
    states = {state: now["pgweir_pool_servers"]["app", "app", state] for state in ("active", "idle", "cleaning", "opening")}
    assert states == {"active": 1, "idle": 0, "cleaning": 0, "opening": 0}
    assert now["pgweir_pool_servers_tls"]["app", "app"] == 1 == sum(now["pgweir_worker_servers"].values())
    plain.ask(query("COMMIT"))
    assert web.metrics()["pgweir_transactions_total"]["app"] == 2
    assert web.metrics()["pgweir_transaction_seconds_total"]["app"] > 0
    with contextlib.closing(raw.Client(proxy.host, proxy.port)) as stranger:
        stranger.send(raw.cancel_request(plain.pid, b"none"))
        stranger.read_to_end()
    plain.send(raw.terminate())
    encrypted.close()
    proxy.admin().cursor().execute("RECONNECT app")
    after = wait_until(lambda: (now := web.metrics())["pgweir_client_sessions"] == {"yes": 0, "no": 0}
                       and now["pgweir_server_connections_closed_total"]["reconnect"] == 1 and now, 10, "both have left, and the server")
    closed = {reason: count for reason, count in after["pgweir_client_connections_closed_total"].items() if count}
    assert sum(closed.values()) == 2 and len(closed) == 2, closed
    assert after["pgweir_cancel_requests_total"] == {"delivered": 0, "unknown": 1}
    for name in ("cpu_seconds_total", "uptime_seconds"):
        assert after[f"pgweir_{name}"][()] > before[f"pgweir_{name}"][()] > 0
    assert 0 < sum(after["pgweir_worker_cpu_seconds_total"].values()) < after["pgweir_cpu_seconds_total"][()]
    wait_until(lambda: sum(web.metrics()["pgweir_worker_loop_delay_seconds_count"].values())
               > sum(before["pgweir_worker_loop_delay_seconds_count"].values()), 10, "delays are measured")


def test_what_the_process_is_doing_is_told(start_web):
    proxy, web, _ = start_web()
    began = web.metrics()
    assert began["pgweir_build_info"] == {binary_version(): 1}
    assert abs(began["pgweir_start_time_seconds"][()] + began["pgweir_uptime_seconds"][()] - time.time()) < 60
    status = pathlib.Path(f"/proc/{proxy.process.pid}/status").read_text()
    resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024
    assert resident / 2 < began["pgweir_resident_memory_bytes"][()] < resident * 2
    proxy.reload()
    wait_until(lambda: web.metrics()["pgweir_config_generation"][()] > began["pgweir_config_generation"][()], 10, "it was reloaded")
    console = proxy.admin().cursor()
    console.execute("PAUSE")
    assert web.metrics()["pgweir_paused"][()] == 1
    console.execute("RESUME")
    assert web.metrics()["pgweir_paused"][()] == 0


def binary_version() -> str:
    return subprocess.run([binary(), "--version"], check=True, capture_output=True, text=True).stdout.split()[1]


def test_routes_are_counted_by_decision_and_reason(start_web, cluster, replicas):
    hosts = ", ".join(f"{server.host}:{server.port}" for server in [cluster.primary, *replicas])
    proxy, web, _ = start_web({"cluster main": {"hosts": hosts, "probe_user": "app", "probe_password": PASSWORDS["app"]},
                               "database app": {"cluster": "main", "dbname": "app", "routing": "auto", "pool_size": 4}})
    client = proxy.raw("app")
    client.ask("CREATE TABLE IF NOT EXISTS routed (n int)")
    assert web.metrics()["pgweir_routes_total"]["primary", "writes"] == 1
    assert [(row["decision"], row["reason"], row["count"]) for row in web.json()["routes"]] == [("primary", "writes", 1)]

    def read_by_a_replica():
        client.ask("SELECT 1")
        return web.metrics()["pgweir_routes_total"]["replica", "read"]

    wait_until(read_by_a_replica, 20, "a replica is fresh enough")
    assert web.metrics()["pgweir_pool_servers_limit"]["app", "app"] == 3 * 4
    cluster.primary.sql("DROP TABLE routed", "app")


@pytest.mark.parametrize("accept, kind", [
    (None, "text/plain; version=0.0.4; charset=utf-8"),
    ("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.3", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ("text/plain,application/openmetrics-text;q=0", "text/plain; version=0.0.4; charset=utf-8"),
])
def test_metrics_come_in_the_format_that_was_asked_for(start_web, accept, kind):
    proxy, web, _ = start_web({'database odd "name\\': {"dbname": "app"}})
    proxy.raw('odd "name\\').ask("SELECT 1")
    _, headers, body = web.get("/metrics", **({"Accept": accept} if accept else {}))
    assert headers["content-type"] == kind
    text = body.decode()
    assert text.endswith("# EOF\n") == ("openmetrics" in kind)
    assert r'pgweir_queries_total{database="odd \"name\\"} 1' in text


def test_a_parser_of_openmetrics_takes_all_of_it(start_web):
    parser = pytest.importorskip("prometheus_client.openmetrics.parser", reason="python3-prometheus-client is not installed")
    proxy, web, _ = start_web({"secret s": {"provider": "static", "value": "x"}})
    proxy.raw("app").ask("SELECT 1")
    families = {family.name: family for family in
                parser.text_string_to_metric_families(web.text("/metrics", Accept="application/openmetrics-text"))}
    assert families["pgweir_query_duration_seconds"].type == "histogram"
    assert families["pgweir_client_received_bytes"].unit == "bytes"
    documented = subprocess.run([binary(), "describe", "metrics"], check=True, capture_output=True, text=True).stdout
    assert {line[4:].removesuffix("_total") for line in documented.splitlines() if line.startswith("### ")} == set(families)
    for family in families.values():
        assert family.documentation and (not family.unit or family.name.endswith(family.unit))


def test_promtool_finds_no_fault(start_web):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (package prometheus)")
    proxy, web, _ = start_web()
    proxy.raw("app").ask("SELECT 1")
    checked = subprocess.run(["promtool", "check", "metrics"], input=web.text("/metrics"), capture_output=True, text=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_pools_beyond_the_limit_count_as_other_and_stay_where_they_are(start_web):
    proxy, web, _ = start_web({f"database d{i}": {"dbname": "app"} for i in range(5)}, metrics_max_pools=2)
    for i in (3, 1, 4, 0, 2):
        proxy.raw(f"d{i}").ask("SELECT 1")
        web.metrics()
    now = web.metrics()
    assert now["pgweir_queries_total"] == {"d1": 1, "d3": 1, "other": 3}
    assert now["pgweir_pool_clients"] == {("d1", "app"): 1, ("d3", "app"): 1, ("other", "other"): 3}


def test_a_tenant_neither_hurts_nor_sees_another(start_web):
    """One has all its clients, one of them holds its only server connection; the other works and is counted by itself."""
    proxy, web, _ = start_web({"database greedy": {"dbname": "app", "max_db_client_connections": 3, "pool_size": 1},
                               "database modest": {"dbname": "app"}})
    holder, *others = [proxy.raw("greedy") for _ in range(3)]
    holder.ask("BEGIN")
    for other in others:
        other.send(query("SELECT 1"))
    wait_until(lambda: web.metrics()["pgweir_pool_clients_waiting"]["greedy", "app"] == 2, 10, "its own clients wait")
    with pytest.raises(ServerError, match='53300: too many connections for database "greedy"'):
        proxy.raw("greedy")
    modest = proxy.raw("modest", "other")
    for _ in range(5):
        assert modest.value("SELECT 1") == "1"
    now = web.metrics()
    assert now["pgweir_queries_total"] == {"greedy": 1, "modest": 5}
    assert (now["pgweir_server_logins_total"]["greedy"], now["pgweir_pool_clients_waiting"]["modest", "other"]) == (1, 0)
    assert {row["database"]: int(row["total_query_count"]) for row in proxy.show("STATS")}["modest"] == 5
    # Nor may it look: neither here nor by the console's commands through its own database.
    with pytest.raises(ServerError, match='42501: user "other" is not allowed'):
        proxy.raw("pgweir", "other")
    with pytest.raises(ServerError, match="42704: unrecognized configuration parameter"):
        modest.value("SHOW POOLS")


def test_users_are_told_apart_on_request(start_web):
    proxy, web, _ = start_web(metrics_per_user=1)
    proxy.raw("app").ask("SELECT 1")
    proxy.raw("app", "postgres").ask("SELECT 1")
    assert web.metrics()["pgweir_queries_total"] == {("app", "app"): 1, ("app", "postgres"): 1}


def test_hosts_and_secrets_have_metrics(start_web, cluster, replicas, tmp_path):
    servers = [cluster.primary, *replicas]
    hosts = [f"{server.host}:{server.port}" for server in servers]
    missing = tmp_path / "missing"
    proxy, web, _ = start_web({
        "cluster main": {"hosts": ", ".join(hosts), "probe_user": "postgres", "probe_password": PASSWORDS["postgres"], "probe_interval": "100ms"},
        "database app": {"cluster": "main"}, "secret good": {"provider": "static", "value": "x"},
        "secret bad": {"provider": "file", "path": missing}})
    proxy.raw("app").ask("SELECT 1")
    now = wait_until(lambda: len((now := web.metrics()).get("pgweir_host_lag_seconds", {})) == 2 and now, 20, "both replicas are measured")
    assert set(now["pgweir_host_lag_seconds"]) == {("main", host) for host in hosts[1:]}
    assert [now["pgweir_host_state"]["main", host, "primary"] for host in hosts] == [1, 0, 0]
    assert [now["pgweir_host_state"]["main", host, "replica"] for host in hosts] == [0, 1, 1]
    assert now["pgweir_host_connections"]["main", hosts[0]] == 1
    assert now["pgweir_cluster_state"]["main", "served"] == 1
    assert now["pgweir_secret_good"] == {"good": 1, "bad": 0}
    assert now["pgweir_secret_reads_total"]["good", "good"] == 1
    assert now["pgweir_secret_reads_total"]["bad", "failed"] >= 1
    assert now["pgweir_secret_version"] == {"good": 1, "bad": 0}
    for name in ("secret_age_seconds", "secret_read_age_seconds"):
        assert set(now[f"pgweir_{name}"]) == {"good"} and 0 < now[f"pgweir_{name}"]["good"] <= now["pgweir_uptime_seconds"][()]
    page = web.json()
    assert {host["host"]: host["state"] for host in page["clusters"][0]["hosts"]} == dict(zip(hosts, ["primary", "replica", "replica"]))


def test_what_a_server_says_of_itself_has_metrics(start_web, cluster, replicas):
    """Beside what it says when it is asked directly; one of the replicas replays nothing meanwhile."""
    primary, (held, other) = cluster.primary, replicas
    names = {server: ("main", f"{server.host}:{server.port}") for server in (primary, held, other)}
    proxy, web, _ = start_web({
        "cluster main": {"hosts": ", ".join(host for _, host in names.values()), "probe_user": "postgres",
                         "probe_password": PASSWORDS["postgres"], "probe_interval": "100ms"},
        "database app": {"cluster": "main"}})
    proxy.raw("app").ask("SELECT 1")
    timeline = primary.sql("SELECT timeline_id FROM pg_control_checkpoint()")[0][0]

    def all_are_known() -> dict | None:
        now = web.metrics()
        return now if (len(now.get("pgweir_host_timeline", ())), len(now.get("pgweir_host_lag_bytes", ()))) == (3, 2) else None

    now = wait_until(all_are_known, 20, "all are measured")
    assert set(now["pgweir_host_timeline"].values()) == {timeline} and now["pgweir_cluster_timeline"] == {"main": timeline}
    allowed = primary.sql("SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int")[0][0]
    assert now["pgweir_host_connections_allowed"][names[primary]] == allowed
    held.sql("SELECT pg_wal_replay_pause()")
    try:
        wait_until(lambda: held.sql("SELECT pg_get_wal_replay_pause_state()") == [("paused",)], 10, "it replays nothing")
        primary.sql("SELECT pg_logical_emit_message(false, 'test', repeat('x', 100000))")
        replayed = held.sql("SELECT pg_last_wal_replay_lsn()")[0][0]

        def is_told() -> bool:
            written = primary.sql("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), %s)", parameters=[replayed])[0][0]
            now = web.metrics()
            ages = now.get("pgweir_host_fresh_age_seconds")
            return written > 100000 and now.get("pgweir_host_lag_bytes") == {names[held]: written, names[other]: 0} \
                and ages[names[held]] > ages[names[other]] >= 0

        wait_until(is_told, 20, "one has not replayed what was written")
    finally:
        held.sql("SELECT pg_wal_replay_resume()")


def test_draining_is_not_ready_but_alive(start_web):
    proxy, web, health = start_web(drain_delay="200s", drain_timeout="200s")
    for each in (web, health):
        assert [each.status(path) for path in ("/healthz", "/readyz")] == [200, 200]
    proxy.process.send_signal(signal.SIGTERM)
    wait_until(lambda: health.status("/readyz") == 503, 10, "it says that it is draining")
    assert web.status("/readyz") == 503
    assert [each.status("/healthz") for each in (web, health)] == [200, 200]
    assert web.metrics()["pgweir_draining"][()] == 1
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(60) == 0


def test_a_database_makes_it_unready_only_for_who_asks_for_it(start_web):
    proxy, _, health = start_web({"database app": {}, "database an other": {"dbname": "app"}})
    assert [health.status(f"/readyz?db={name}") for name in ("app", "an%20other", "an+other", "none", "%zz")] == [200, 200, 200, 404, 200]
    proxy.admin().cursor().execute("DISABLE app")
    assert [health.status(path) for path in ("/readyz?db=app", "/readyz?x=1&db=an%20other", "/readyz")] == [503, 200, 200]


def test_a_cluster_without_a_primary_makes_it_unready_only_for_who_asks(start_web):
    _, _, health = start_web({"cluster main": {"hosts": f"127.0.0.1:{free_port()}", "probe_user": "postgres", "probe_password": "x",
                                               "probe_interval": "100ms"},
                              "database app": {"cluster": "main"}})
    wait_until(lambda: health.status("/readyz?db=app") == 503, 20, "it is known that there is no primary")
    assert health.get("/readyz?db=app")[2] == b"the cluster has no primary\n"
    assert health.status("/readyz") == 200


def test_health_listen_has_nothing_but_health(start_web):
    _, web, health = start_web()
    assert [health.status(path) for path in ("/", "/metrics", "/status.json", "/healthz?x")] == [404, 404, 404, 200]
    assert [web.status(path) for path in ("/", "/metrics", "/status.json", "/nothing")] == [200, 200, 200, 404]


def test_a_password_keeps_strangers_out_and_a_reload_changes_it(start_web):
    proxy, web, health = start_web(http_user="watcher", http_password="'s3:cret'")

    def login(password, scheme="Basic"):
        return {"Authorization": f"{scheme} " + base64.b64encode(f"watcher:{password}".encode()).decode()}

    for path in ("/", "/metrics", "/status.json", "/healthz", "/nothing"):
        status, headers, body = web.get(path)
        assert (status, headers["www-authenticate"][:5]) == (401, "Basic") and b"pgweir" not in body
    assert [web.get("/metrics", **login(password))[0] for password in ("s3:cret", "s3:cre", "s3:crett", "")] == [200, 401, 401, 401]
    assert web.get("/metrics", **login("s3:cret", "basic"))[0] == 200
    assert web.get("/metrics", **login("s3:cret", "Bearer"))[0] == 401
    assert health.status("/readyz") == 200
    assert "s3:cret" not in proxy.log() + str(proxy.show("CONFIG"))
    proxy.sections["pgweir"]["http_password"] = "another"
    proxy.reload()
    wait_until(lambda: web.get("/metrics", **login("another"))[0] == 200, 10, "the new password is in force")
    assert web.get("/metrics", **login("s3:cret"))[0] == 401


GARBAGE = {
    b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc": b"405",
    b"DELETE /metrics HTTP/1.1\r\n\r\n": b"405",
    b"GET /\r\n\r\n": b"400",
    b"GET  / HTTP/1.1\r\n\r\n": b"400",
    b"GET http://x/ HTTP/1.1\r\n\r\n": b"400",
    b"GET /../etc/passwd HTTP/1.1\r\n\r\n": b"404",
    b"GET / HTTP/2.0\r\n\r\n": b"505",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n": b"400",
    b"GET /\x00 HTTP/1.1\r\n\r\n": b"400",
    b"\x16\x03\x01\x02\x00\x01\n\n": b"400",
    b"GET /" + b"a" * 9000: b"431",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 2000: b"431",
    b"GET /healthz HTTP/1.0\n\n": b"200",
    b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n": b"200",
}


def test_garbage_is_refused_and_hurts_nobody(start_web):
    _, web, health = start_web()
    for each in (web, health):
        for request, status in GARBAGE.items():
            with socket.create_connection(("127.0.0.1", each.port), 10) as stream:
                stream.sendall(request)
                answer = b""
                while chunk := stream.recv(65536):
                    answer += chunk
            expected = b"404" if each is health and request.startswith(b"HEAD /metrics") else status
            assert answer.startswith(b"HTTP/1.1 " + expected), (request[:40], answer[:80])
            head, _, body = answer.partition(b"\r\n\r\n")
            assert b"X-Content-Type-Options: nosniff" in head and b"default-src 'none'" in head
            if request.startswith(b"HEAD"):
                assert not body
        assert each.status("/healthz") == 200


def test_idle_connections_do_not_keep_others_out(start_web):
    _, _, health = start_web()
    idle = [socket.create_connection(("127.0.0.1", health.port), 10) for _ in range(70)]
    for each in idle:
        each.setblocking(False)
    # 64 may wait for 5 s; the rest is closed at once.
    wait_until(lambda: healthy(health), 20, "there is room again")
    for each in idle:
        each.close()


def test_readers_that_leave_in_the_middle_disturb_nobody(start_web):
    proxy, web, _ = start_web()
    proxy.connect("app", sslmode="prefer").close()
    for path in ("/metrics", "/status.json"):
        streams = [socket.create_connection(("127.0.0.1", web.port), 60) for _ in range(24)]
        for stream in streams:
            stream.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        for stream in streams[::2]:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.close()
        for stream in streams[1::2]:
            answer = http.client.HTTPResponse(stream)
            answer.begin()
            assert answer.status == 200 and int(answer.headers["Content-Length"]) == len(answer.read())
            answer.close()
            stream.close()
    # Whoever is still waiting when it ends leaves nothing behind that a sanitizer would see.
    late = [socket.create_connection(("127.0.0.1", web.port), 60) for _ in range(8)]
    for stream in late:
        stream.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(60) == 0
    for stream in late:
        stream.close()


def healthy(web) -> bool:
    try:
        return web.status("/healthz") == 200
    except OSError:
        return False


def test_a_port_that_is_taken_is_said_at_the_start(start_pgweir):
    with listen() as taken:
        for key in ("http_listen", "health_listen"):
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            proxy = start_pgweir({"pgweir": {key: address}}, wait=False)
            assert proxy.process.wait(60) == 1
            assert f'reason="{key}: cannot listen on {address}: Address already in use"' in proxy.log()
            Pgweir.running.discard(proxy)
            proxy.process = None
            remove_folder(proxy.folder)


def test_no_page_shows_sql_or_secrets(start_web):
    proxy, web, _ = start_web()
    client = proxy.raw("app")
    client.ask("SELECT 'a literal of mine'")
    client.ask("SELECT * FROM a_table_that_is_not_there WHERE x = 'a literal of mine'")
    shown = "".join(web.text(path) for path in ("/", "/metrics", "/status.json"))
    for word in ("a literal of mine", "a_table_that", *PASSWORDS.values()):
        assert word not in shown


def test_events_and_threads_are_shown_on_the_console(start_web):
    proxy, web, _ = start_web()
    proxy.raw("app").ask("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        proxy.connect("app", password="wrong", sslmode="prefer")
    threads = proxy.show("THREADS")
    assert sum(row["clients"] for row in threads) == 1 == sum(row["servers"] for row in threads)
    proxy.admin().cursor().execute("RECONNECT app")
    events = proxy.show("EVENTS")
    assert events[0]["event"] == "console command" and events[0]["detail"] == "command=RECONNECT name=app user=admin"
    failed = next(row for row in events if row["event"] == "login failed")
    assert (failed["severity"], failed["count"]) == ("warning", 1) and "user=app" in failed["detail"]
    assert [event["event"] for event in web.json()["events"]] == [row["event"] for row in events]
    wait_until(lambda: all(row["loop_delay_p99_us"] > 0 for row in proxy.show("THREADS")), 10, "delays are measured")
