"""LISTEN, UNLISTEN and NOTIFY with pool_mode = transaction: as on a connection of one's own, and without keeping one."""
import contextlib
import os
import signal
import struct
import threading

import psycopg
import pytest

from harness import raw
from harness.process import wait_until

pytestmark = [pytest.mark.ours, pytest.mark.threaded]


class Heard(list):
    """What a raw client was notified of, as (channel, payload), and with which pids."""

    def __init__(self, client: raw.Client):
        super().__init__()
        self.client = client
        self.pids: list[int] = []
        self.notices: list[dict] = []

    def take(self, messages: list[raw.Message]) -> None:
        for each in messages:
            if each.type == "A":
                self.pids.append(struct.unpack("!I", each.body[:4])[0])
                channel, payload = each.body[4:].split(b"\0")[:2]
                self.append((channel.decode(), payload.decode()))
            elif each.type == "N":
                self.notices.append(each.fields())

    def ask(self, sql: str | bytes) -> list[raw.Message]:
        messages = self.client.ask(sql)
        assert raw.good(messages), raw.error_of(messages)
        self.take(messages)
        return messages

    def wait(self, count: int) -> "Heard":
        while len(self) < count:
            self.take([self.client.receive()])
        return self

    def last_words(self) -> "Heard":
        """Nothing can be on the way any more once this has come by: a notification of its own behind all others."""
        self.ask("LISTEN last_words")
        self.ask("NOTIFY last_words")
        while ("last_words", "") not in self:
            self.take([self.client.receive()])
        self.ask("UNLISTEN last_words")
        self.pids.pop(self.index(("last_words", "")))
        self.remove(("last_words", ""))
        return self


def listener(pgweir, *channels, database="app", **parameters) -> Heard:
    heard = Heard(pgweir.raw(database, **parameters))
    for channel in channels:
        heard.ask(f"LISTEN {channel}")
    return heard


def settled(pgweir, name: str = "app") -> None:
    """Every session has given its server connection back."""
    wait_until(lambda: not pgweir.pins() and int(pgweir.pool(name)["sv_active"]) == 0,
               what="no session keeps a server connection")


@pytest.fixture
def small(start_pgweir):
    """A pool of one server connection, and two worker threads."""
    return start_pgweir({"pgweir": {"pool_mode": "transaction", "default_pool_size": 1, "threads": 2}})


def notify(cluster, channel: str, *payloads) -> None:
    with cluster.primary.connect("app") as connection:
        for payload in payloads:
            connection.execute("SELECT pg_notify(%s, %s)", [channel, str(payload)])


def test_two_clients_listen_over_one_server_connection(small, cluster):
    first, second = listener(small, "one", "common"), listener(small, "two", "common")
    settled(small)
    notify(cluster, "common", "from outside")
    assert first.wait(1) == [("common", "from outside")] and second.wait(1) == [("common", "from outside")]
    first.ask("NOTIFY common, 'from first'")
    second.ask("NOTIFY one, 'for first'")
    first.ask("NOTIFY two, 'for second'")
    assert first.wait(3)[1:] == [("common", "from first"), ("one", "for first")]
    assert second.wait(3)[1:] == [("common", "from first"), ("two", "for second")]


def test_a_client_that_does_not_listen_hears_nothing(small, cluster):
    heard, deaf = listener(small, "mine"), listener(small)
    settled(small)
    for _ in range(5):
        deaf.ask("SELECT pg_notify('mine', 'x')")
    assert heard.wait(5) == [("mine", "x")] * 5
    deaf.ask("SELECT 1")
    assert deaf == []


def server_pids(pgweir) -> list[int]:
    return [int(row["remote_pid"]) for row in pgweir.show("SERVERS")] + [int(row["server_pid"]) for row in pgweir.show("listeners")]


def test_many_clients_listen_over_few_connections(start_pgweir, cluster):
    pgweir = start_pgweir({"pgweir": {"pool_mode": "transaction", "default_pool_size": 2, "threads": 3}})
    clients = [listener(pgweir, "everyone", f"only_{n}") for n in range(50)]
    settled(pgweir)
    notify(cluster, "everyone", "hello")
    for n in range(50):
        notify(cluster, f"only_{n}", n)
    for n, client in enumerate(clients):
        assert client.wait(2) == [("everyone", "hello"), (f"only_{n}", str(n))]
    row, = pgweir.show("listeners")
    assert (row["database"], row["user"], row["state"]) == ("app", "app", "open")
    assert (int(row["channels"]), int(row["sessions"])) == (51, 50)
    assert len(server_pids(pgweir)) == 3
    for client in clients:
        client.client.close()
    wait_until(lambda: (int(pgweir.show("listeners")[0]["channels"]), int(pgweir.show("listeners")[0]["sessions"])) == (0, 0),
               what="those who leave listen no more")


def test_each_notification_comes_once_and_in_order_while_channels_move(start_pgweir, cluster):
    """One process notifies all the time; clients begin to listen meanwhile. Whatever a client hears first, from there on
    it hears everything, once, in order."""
    pgweir = start_pgweir({"pgweir": {"pool_mode": "transaction", "default_pool_size": 3, "threads": 3}})
    stop, sent = threading.Event(), [0]

    def shout():
        with cluster.primary.connect("app") as connection:
            while not stop.is_set():
                connection.execute(f"NOTIFY numbers, '{sent[0]}'")
                sent[0] += 1

    thread = threading.Thread(target=shout)
    thread.start()
    try:
        wait_until(lambda: sent[0] > 100, what="there is noise")
        clients = []
        for _ in range(20):
            clients.append(listener(pgweir, "numbers"))
            for heard in clients[-3:]:
                heard.ask("SELECT 1")
        for heard in clients:
            heard.wait(500)
    finally:
        stop.set()
        thread.join()
    settled(pgweir)
    last = str(sent[0] - 1)
    for heard in clients:
        while heard[-1][1] != last:
            heard.take([heard.client.receive()])
        numbers = [int(payload) for _, payload in heard]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_rolled_back_listen_leaves_nothing(small, cluster):
    heard = listener(small)
    for sql in ("BEGIN", "LISTEN gone", "ROLLBACK"):
        heard.ask(sql)
    heard.ask("BEGIN; LISTEN gone; ROLLBACK")
    heard.ask("LISTEN kept")
    settled(small)
    notify(cluster, "gone", 1)
    notify(cluster, "kept", 2)
    assert heard.wait(1) == [("kept", "2")]
    assert int(small.show("listeners")[0]["channels"]) == 1


def test_savepoints_decide_as_in_postgresql(small, cluster):
    heard = listener(small)
    for sql in ("BEGIN", "LISTEN before", "SAVEPOINT s", "LISTEN undone", "ROLLBACK TO s", "LISTEN after", "COMMIT"):
        heard.ask(sql)
    settled(small)
    for channel in ("undone", "before", "after"):
        notify(cluster, channel, channel)
    assert heard.wait(2) == [("before", "before"), ("after", "after")]


@pytest.mark.parametrize("ends", ["COMMIT", "ROLLBACK"])
@pytest.mark.parametrize("starts", ["BEGIN; SELECT 1", "SELECT 1; BEGIN", "BEGIN"])
def test_an_unlisten_counts_if_its_transaction_commits(small, cluster, starts, ends):
    """The channels are put in force on the connection at hand within that transaction."""
    heard = listener(small, "stays", "goes")
    settled(small)
    for sql in (starts, "UNLISTEN goes", "LISTEN comes", ends):
        heard.ask(sql)
    settled(small)
    for channel in ("goes", "comes", "stays"):
        notify(cluster, channel, channel)
    expected = ["comes", "stays"] if ends == "COMMIT" else ["goes", "stays"]
    assert [channel for channel, _ in heard.wait(2)] == expected


def test_unlisten_everything_within_a_transaction(small, cluster):
    heard = listener(small, "a", "b")
    settled(small)
    for sql in ("BEGIN", "SELECT 1", "UNLISTEN *", "LISTEN c", "COMMIT"):
        heard.ask(sql)
    settled(small)
    for channel in "abc":
        notify(cluster, channel, channel)
    assert heard.wait(1) == [("c", "c")]


def test_a_rollback_to_a_savepoint_loses_no_channel(small, cluster):
    heard = listener(small, "a", "b")
    settled(small)
    for sql in ("BEGIN", "SAVEPOINT s", "UNLISTEN *", "ROLLBACK TO s", "LISTEN c", "COMMIT"):
        heard.ask(sql)
    settled(small)
    for channel in "abc":
        notify(cluster, channel, channel)
    assert heard.wait(3) == [("a", "a"), ("b", "b"), ("c", "c")]


@pytest.mark.parametrize("how", ["simple", "extended", "prepared"])
def test_unlisten_ends_one_channel(small, cluster, how):
    heard = listener(small, "a", "b", '"Odd ""one"')
    settled(small)
    if how == "simple":
        heard.ask("UNLISTEN a")
    elif how == "extended":
        heard.ask(raw.extended("UNLISTEN a"))
    else:
        heard.ask(raw.parse("UNLISTEN a", "s") + raw.sync())
        other = small.raw("app")
        other.ask("SELECT 1")
        heard.ask(raw.bind(name="s") + raw.execute() + raw.sync())
    settled(small)
    for channel in ("a", "b", 'Odd "one'):
        notify(cluster, channel, channel)
    assert heard.wait(2) == [("b", "b"), ('Odd "one', 'Odd "one')]


def hears_only(small, cluster, heard: Heard, *expected: str) -> bool:
    """Of a and b, notified one after the other. A channel that is the shared connection's, too, comes last."""
    heard.ask("LISTEN the_end")
    settled(small)
    for channel in ("a", "b", "the_end"):
        notify(cluster, channel, channel)
    while ("the_end", "the_end") not in heard:
        heard.take([heard.client.receive()])
    return heard == [(channel, channel) for channel in (*expected, "the_end")]


def batch(*statements: str) -> bytes:
    return b"".join(raw.parse(sql) + raw.bind() + raw.execute() for sql in statements)


@pytest.mark.parametrize("sql, left", [("UNLISTEN a", ["b"]), ("UNLISTEN *", [])])
@pytest.mark.parametrize("before", ["SELECT 1", "BEGIN", "SELECT 1 ... seen"])
def test_an_unlisten_in_the_middle_of_a_batch_counts(small, cluster, sql, left, before):
    """Where a Query of ours would end the batch's transaction."""
    heard = listener(small, "a", "b")
    settled(small)
    if before.endswith("seen"):
        heard.client.send(batch("SELECT 1") + raw.flush())
        heard.client.read_until("C")
    ahead = [] if before.endswith("seen") else [before]
    heard.ask(batch(*ahead, sql, "SELECT 2", *["COMMIT"] * (before == "BEGIN")) + raw.sync())
    assert hears_only(small, cluster, heard, *left), heard


@pytest.mark.parametrize("sql", ["UNLISTEN a", "UNLISTEN *"])
def test_a_batch_that_fails_behind_its_unlisten_takes_it_back(small, cluster, sql):
    heard = listener(small, "a", "b")
    settled(small)
    assert raw.types(heard.client.ask(batch("SELECT 1", sql, "SELECT 1/0") + raw.sync()))[-2:] == "EZ"
    assert hears_only(small, cluster, heard, "a", "b"), heard


def test_a_statement_that_unlistens_may_be_bound_in_the_middle_of_a_batch(small, cluster):
    heard = listener(small, "a", "b")
    heard.ask(raw.parse("UNLISTEN a", "s") + raw.sync())
    settled(small)
    heard.ask(batch("SELECT 1") + raw.bind(name="s") + raw.execute() + batch("SELECT pg_notify('b', 'mine')") + raw.sync())
    assert heard.wait(1) == [("b", "mine")] and heard.pids == [heard.client.pid]
    heard.clear()
    assert hears_only(small, cluster, heard, "b"), heard


def test_an_unlisten_does_not_count_if_its_commit_fails(small, cluster):
    """An ERROR, and no ROLLBACK for an answer."""
    cluster.primary.sql("""DROP TABLE IF EXISTS checked_late; CREATE TABLE checked_late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
        INSERT INTO checked_late VALUES (1); GRANT ALL ON checked_late TO app""", "app")
    heard = listener(small, "a", "b")
    settled(small)
    for sql in "BEGIN", "INSERT INTO checked_late VALUES (1)", "UNLISTEN a":
        heard.ask(sql)
    assert raw.error_of(heard.client.ask("COMMIT"))["C"] == "23505"
    assert hears_only(small, cluster, heard, "a", "b"), heard


@pytest.mark.parametrize("how", ["UNLISTEN a", "UNLISTEN *"])
def test_what_was_sent_before_an_unlisten_is_heard_and_nothing_else(small, cluster, how):
    """As lib/pq's tests expect it, however long the listening connection takes to bring it."""
    heard = listener(small, "a", "b")
    settled(small)
    hub = int(small.show("listeners")[0]["server_pid"])
    os.kill(hub, signal.SIGSTOP)
    try:
        notify(cluster, "a", "before")
        heard.ask(how)
        notify(cluster, "a", "behind")
    finally:
        os.kill(hub, signal.SIGCONT)
    assert heard.wait(1) == [("a", "before")]
    settled(small)
    assert heard.last_words() == [("a", "before")]


def test_other_state_of_the_session_follows_beside_its_channels(small, cluster):
    """Two questions about one transaction, in either order."""
    heard = listener(small)
    heard.ask("SET work_mem = '5MB'; LISTEN a")
    settled(small)
    heard.ask("UNLISTEN a; LISTEN b; SET work_mem = '6MB'")
    settled(small)
    other = small.raw("app")
    assert other.value("SHOW work_mem") == "4MB"
    notify(cluster, "a", 1)
    notify(cluster, "b", 2)
    assert heard.wait(1) == [("b", "2")]
    assert heard.client.value("SHOW work_mem") == "6MB"


@pytest.mark.parametrize("ends", ["UNLISTEN *", "DISCARD ALL"])
def test_all_listening_ends(small, cluster, ends):
    heard, other = listener(small, "a", "b"), listener(small, "a")
    settled(small)
    heard.ask(ends)
    settled(small)
    notify(cluster, "a", 1)
    other.wait(1)
    heard.ask("LISTEN c")
    notify(cluster, "a", 2)
    notify(cluster, "c", 3)
    assert heard.wait(1) == [("c", "3")]
    assert other.wait(2) == [("a", "1"), ("a", "2")]


def test_pg_listening_channels_says_what_the_client_listens_to(small):
    heard, other = listener(small, "a", "b"), small.raw("app")
    settled(small)
    channels = raw.rows_of(heard.ask("SELECT * FROM pg_listening_channels() AS c ORDER BY c"))
    assert channels == [["a"], ["b"]]
    settled(small)
    assert other.value("SELECT count(*) FROM pg_listening_channels()") == "0"
    assert raw.rows_of(heard.ask(raw.extended("SELECT count(*) FROM pg_listening_channels()"))) == [["2"]]


def test_no_marker_reaches_a_client(small):
    heard = listener(small, "a")
    for _ in range(5):
        heard.ask("LISTEN b")
        heard.ask("UNLISTEN b")
    assert heard.last_words() == []


def test_a_notification_waits_for_the_end_of_the_transaction(small, cluster):
    """As PostgreSQL holds it back: it comes before the ReadyForQuery of the COMMIT."""
    heard = listener(small, "a")
    second = listener(small)
    settled(small)
    before = int(small.show("listeners")[0]["notifications"])
    heard.ask("BEGIN")
    notify(cluster, "a", "meanwhile")
    for _ in range(20):
        assert raw.types(heard.ask("SELECT 1")) == "TDCZ"
    wait_until(lambda: int(small.show("listeners")[0]["notifications"]) > before, what="it has arrived")
    small.show("POOLS")                 # Workers answer in order: the client's has been told of it before this.
    assert raw.types(heard.ask("COMMIT")) == "CAZ"
    assert heard == [("a", "meanwhile")]
    second.ask("SELECT 1")


def test_a_notification_never_splits_a_result(small, cluster):
    heard = listener(small, "a")
    settled(small)
    stop = threading.Event()

    def shout():
        with cluster.primary.connect("app") as connection:
            while not stop.is_set():
                connection.execute("NOTIFY a, 'x'")

    thread = threading.Thread(target=shout)
    thread.start()
    try:
        heard.wait(1)
        queries = 0
        while queries < 30 or len(heard) < 30:
            messages = heard.ask("SELECT repeat('y', 3000) FROM generate_series(1, 300)")
            inside = raw.types(messages)
            inside = inside[inside.index("T"):inside.index("C")]
            assert inside == "T" + "D" * 300
            queries += 1
    finally:
        stop.set()
        thread.join()


def test_the_pid_of_ones_own_notifications_is_the_one_the_client_knows(small):
    heard, other = listener(small, "a"), small.raw("app")
    settled(small)
    heard.ask("NOTIFY a, 'mine'")
    heard.wait(1)
    other.ask("NOTIFY a, 'not mine'")
    heard.wait(2)
    heard.ask("SELECT pg_notify('a', 'mine too')")
    heard.wait(3)
    heard.ask("NOTIFY elsewhere, 'mine'")
    other.ask("NOTIFY a, 'mine'")
    heard.wait(4)
    heard.ask(raw.parse("SELECT pg_notify('a', $1)", "s") + raw.bind("by name", name="s") + raw.execute() + raw.sync())
    other.ask("NOTIFY a, 'by name'")
    heard.wait(6)
    for sql in ("BEGIN", "SELECT 1", "NOTIFY a, 'within'", "COMMIT"):
        heard.ask(sql)
    other.ask("NOTIFY a, 'within'")
    heard.wait(8)
    assert [pid == heard.client.pid for pid in heard.pids] == [True, False, True, False, True, False, True, False]


def test_listen_and_notify_at_once(small):
    heard = listener(small)
    heard.ask("LISTEN a; NOTIFY a, 'at once'")
    assert heard.wait(1) == [("a", "at once")] and heard.pids == [heard.client.pid]
    assert heard.last_words() == [("a", "at once")]


def test_a_lost_listening_connection_is_told_and_replaced(small, cluster):
    heard, silent = listener(small, "a"), small.raw("app")
    settled(small)
    for round_ in range(2):
        pid = int(small.show("listeners")[0]["server_pid"])
        cluster.primary.sql(f"SELECT pg_terminate_backend({pid})")
        while len(heard.notices) <= round_:
            heard.take([heard.client.receive()])
        notice = heard.notices[-1]
        assert (notice["S"], notice["C"]) == ("WARNING", "01000") and "may have been lost" in notice["M"]
        notify(cluster, "a", round_)
        assert heard.wait(round_ + 1)[-1] == ("a", str(round_))
    assert raw.types(silent.ask("SELECT 1")) == "TDCZ"
    assert "listening connection closed" in small.log()


def test_pause_lets_go_of_the_listening_connection_too(small, cluster):
    heard = listener(small, "a")
    settled(small)
    with contextlib.closing(small.admin()) as admin:
        pids = server_pids(small)
        admin.cursor().execute("PAUSE")
        running = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"
        wait_until(lambda: cluster.primary.sql(running, parameters=[pids]) == [(0,)], what="nobody is connected")
        admin.cursor().execute("RESUME")
    while not heard.notices:
        heard.take([heard.client.receive()])
    notify(cluster, "a", 1)
    assert heard.wait(1) == [("a", "1")]


def test_reconnect_and_reload_keep_the_channels(small, cluster):
    heard = listener(small, "a")
    settled(small)
    with contextlib.closing(small.admin()) as admin:
        admin.cursor().execute("RELOAD")
        notify(cluster, "a", 0)
        heard.wait(1)
        admin.cursor().execute("RECONNECT")
    while not heard.notices:
        heard.take([heard.client.receive()])
    notify(cluster, "a", 1)
    assert heard.wait(2) == [("a", "0"), ("a", "1")]


def test_the_listening_connection_ends_when_nobody_listens_for_long(start_pgweir):
    pgweir = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_idle_timeout": "1s"}})
    heard = listener(pgweir, "a")
    settled(pgweir)
    assert pgweir.show("listeners")[0]["state"] == "open"
    heard.client.close()
    wait_until(lambda: pgweir.show("listeners")[0]["state"] == "closed", what="the listening connection is closed")
    assert listener(pgweir, "a").last_words() == []


def test_without_a_listening_connection_the_client_keeps_its_own(start_pgweir, cluster):
    """Nobody else may log in: the client's LISTEN works all the same."""
    cluster.primary.sql("DROP ROLE IF EXISTS limited")
    cluster.primary.sql("CREATE ROLE limited LOGIN PASSWORD 'x' CONNECTION LIMIT 1")
    pgweir = start_pgweir({"pgweir": {"pool_mode": "transaction", "server_login_retry": "200ms"}}, users={
        "limited": "x", "admin": "admin-secret", "stats": "stats-secret"})
    heard = Heard(pgweir.raw("app", "limited", password="x"))
    heard.ask("LISTEN a")
    wait_until(lambda: "listening connection failed" in pgweir.log(), what="the listening connection is refused")
    notify(cluster, "a", 1)
    assert heard.wait(1) == [("a", "1")]
    wait_until(lambda: pgweir.pins() == {"listen": 1}, what="so many pins")
    cluster.primary.sql("ALTER ROLE limited CONNECTION LIMIT 5")
    wait_until(lambda: not pgweir.pins(), what="the client's connection is given back")
    notify(cluster, "a", 2)
    assert heard.wait(2) == [("a", "1"), ("a", "2")]
    heard.client.close()


def test_another_client_encoding_keeps_its_connection(small, cluster):
    """The shared connection's notifications would be in the wrong encoding."""
    heard = listener(small, "a", client_encoding="LATIN1")
    notify(cluster, "a", "ä")
    while not heard:
        message = heard.client.receive()
        assert message.type == "A" and message.body.endswith(b"\0\xe4\0")
        break
    wait_until(lambda: small.pins() == {"listen": 1}, what="so many pins")


@pytest.mark.memory
def test_a_client_that_does_not_read_is_closed_and_harms_nobody(small, cluster):
    heard, stalled = listener(small, "a"), listener(small, "a")
    settled(small)
    before = small.memory_kib()
    with cluster.primary.connect("app") as connection:
        for block in range(100):
            connection.execute("SELECT pg_notify('a', %s || n || repeat('x', 7000)) FROM generate_series(1, 100) n", [f"{block} "])
            heard.wait((block + 1) * 100)
    wait_until(lambda: "notifications_unread" in small.log(), what="the client that does not read is closed")
    assert small.memory_kib() - before < 60000
    with pytest.raises((raw.Closed, ConnectionError)):
        while True:
            stalled.client.receive()
    heard.ask("SELECT 1")


def test_session_mode_delivers_by_the_sessions_own_connection(start_pgweir, cluster):
    pgweir = start_pgweir({"pgweir": {"pool_mode": "session"}})
    heard = listener(pgweir, "a")
    notify(cluster, "a", 1)
    assert heard.wait(1) == [("a", "1")]
    assert pgweir.show("listeners") == []


# --- Drivers ---

def test_psycopg_hears(small, cluster):
    connection = small.connect("app", sslmode="prefer")
    connection.execute("LISTEN a")
    settled(small)
    notify(cluster, "a", *range(3))
    found = []

    def hear(notice):
        found.append((notice.channel, notice.payload, notice.pid == connection.info.backend_pid))
        return len(found)

    for notice in connection.notifies():
        if hear(notice) == 3:
            break
    connection.add_notify_handler(hear)         # For what comes while a query runs.
    connection.execute("NOTIFY a, 'own'")
    wait_until(lambda: connection.execute("SELECT 1") and len(found) == 4, what="its own is heard")
    assert found == [("a", "0", False), ("a", "1", False), ("a", "2", False), ("a", "own", True)]


def test_psycopg_hears_within_transactions(small, cluster):
    connection = small.connect("app", autocommit=False, sslmode="prefer")
    found = []
    connection.add_notify_handler(lambda notice: found.append(notice.payload))
    connection.execute("LISTEN a")
    connection.commit()
    settled(small)
    notify(cluster, "a", 1)
    wait_until(lambda: connection.execute("SELECT 1") and connection.commit() is None and found == ["1"], what="it is heard")
    connection.execute("UNLISTEN a")
    connection.rollback()
    notify(cluster, "a", 2)
    wait_until(lambda: connection.execute("SELECT 1") and connection.commit() is None and found == ["1", "2"], what="it is heard")


def test_asyncpg_hears(small, cluster):
    import asyncio

    import asyncpg

    async def play():
        connection = await asyncpg.connect(host=small.host, port=small.port, user="app", password="app-secret", database="app")
        heard = asyncio.Queue()

        def listen(_, pid, channel, payload):
            heard.put_nowait((channel, payload, pid == connection.get_server_pid()))

        await connection.add_listener("a", listen)
        await connection.add_listener("b", listen)
        await asyncio.to_thread(settled, small)
        await asyncio.to_thread(notify, cluster, "a", 1)
        assert await heard.get() == ("a", "1", False)
        await connection.remove_listener("a", listen)
        await connection.execute("SELECT pg_notify('a', 'unheard'), pg_notify('b', 'heard')")
        assert (await heard.get())[:2] == ("b", "heard")
        await connection.close()

    asyncio.run(asyncio.wait_for(play(), 60))


def test_many_clients_come_and_go(start_pgweir, cluster):
    """Threads of clients that listen, notify each other and leave, on several workers; nothing is lost on those who stay."""
    pgweir = start_pgweir({"pgweir": {"pool_mode": "transaction", "default_pool_size": 4, "threads": 4}})
    stayer = listener(pgweir, "tally")
    settled(pgweir)

    def come_and_go(name):
        for n in range(15):
            with psycopg.connect(pgweir.conninfo("app", sslmode="prefer"), autocommit=True) as connection:
                connection.execute(f"LISTEN c_{name % 3}")
                connection.execute(f"SELECT pg_notify('c_{name % 3}', 'x'), pg_notify('tally', '{name}.{n}')")
                if n % 2:
                    connection.execute("UNLISTEN *")

    threads = [threading.Thread(target=come_and_go, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    stayer.wait(90)
    for thread in threads:
        thread.join()
    assert sorted(stayer) == sorted(("tally", f"{name}.{n}") for name in range(6) for n in range(15))
    for name in range(6):
        assert [payload for _, payload in stayer if payload.startswith(f"{name}.")] == [f"{name}.{n}" for n in range(15)]
    stayer.client.close()
    settled(pgweir)
