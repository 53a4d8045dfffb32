"""One scripted session for two interleaved clients, run anywhere, as a trace that can be compared.

A script is a list of steps (who, what). `what` is SQL for a simple query, or bytes made with harness.raw; the step reads
until the server has answered everything: as many ReadyForQuery as the bytes ask for. Steps that end in the middle
of something say how, with until(). """
import dataclasses

from harness import raw

# Of no meaning, or different by nature: where in the server's source an error was raised.
VOLATILE_FIELDS = set("FLRWp")


@dataclasses.dataclass
class until:
    """Send `data`, and read up to the `count`th message whose type is in `kinds`."""

    data: bytes
    kinds: str
    count: int = 1


@dataclasses.dataclass
class hears:
    """Read until the client has heard that many notifications since it came."""

    count: int


def comparable(got: raw.Message):
    if got.type in "EN":
        return {field: value for field, value in got.fields().items() if field not in VOLATILE_FIELDS}
    if got.type == "A":
        return got.body[4:]             # All but the notifying process.
    if got.type == "T":
        return columns(got.body)
    return got.body


def columns(body: bytes) -> list:
    """Names, types and formats; the table's OID differs from one database to the next."""
    at, found = 2, []
    for _ in range(int.from_bytes(body[:2], "big")):
        end = body.index(b"\0", at)
        found.append((body[at:end], body[end + 5:end + 19]))
        at = end + 19
    return found


def hear(client: raw.Client, more: int) -> list[raw.Message]:
    replies = []
    while sum(each.type == "A" for each in replies) < more:
        replies.append(client.receive())
    return replies


def play(connect, script, apart: str = "") -> list:
    """The trace: (who, message type, content) of everything received, in order. Messages of the types in `apart` stand behind all
    others, client by client: for what may come a moment earlier or later."""
    clients: dict[str, raw.Client] = {}
    trace = []
    try:
        for who, what in script:
            if isinstance(what, dict):
                clients[who] = connect(**what)
                trace.append((who, "login", clients[who].parameters))
                continue
            if who not in clients:
                clients[who] = connect()
            if isinstance(what, until):
                clients[who].send(what.data)
                replies = clients[who].read_until(what.kinds, what.count)
            elif isinstance(what, hears):
                replies = hear(clients[who], what.count - sum(each[:2] == (who, "A") for each in trace))
            elif what is None:
                clients.pop(who).close()
                continue
            else:
                data = raw.query(what) if isinstance(what, str) else what
                clients[who].send(data)
                replies = clients[who].read_until_ready(raw.readies(data))
            trace += [(who, each.type, comparable(each)) for each in replies]
    finally:
        for client in clients.values():
            client.close()
    set_apart = sorted((each for each in trace if each[1] in apart), key=lambda each: each[0])
    return [each for each in trace if each[1] not in apart] + set_apart
