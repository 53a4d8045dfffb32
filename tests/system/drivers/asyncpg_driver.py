"""asyncpg: the argument is a JSON object for connect(). Prints "ok" when everything held."""
import asyncio
import json
import ssl
import sys

import asyncpg


async def fails(error, work) -> None:
    try:
        await work
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


async def one_connection(where: dict) -> None:
    connection = await asyncpg.connect(**where)
    await connection.execute("DROP TABLE IF EXISTS asyncpg_t; CREATE TABLE asyncpg_t (id int PRIMARY KEY, what text, tags text[])")
    await connection.copy_records_to_table("asyncpg_t", records=[(n, f"row {n}", ["a", "b"]) for n in range(500)])
    for n in range(30):
        assert await connection.fetchval("SELECT what FROM asyncpg_t WHERE id = $1", n) == f"row {n}"
    statement = await connection.prepare("SELECT $1::int + 1")
    assert [await statement.fetchval(n) for n in range(20)] == list(range(1, 21))
    await connection.executemany("UPDATE asyncpg_t SET what = $2 WHERE id = $1", [(n, "changed") for n in range(100)])

    async def fail_inside() -> None:
        async with connection.transaction():
            await connection.execute("DELETE FROM asyncpg_t WHERE id = 400")
            await connection.execute("INSERT INTO asyncpg_t VALUES (1, 'twice', NULL)")

    await fails(asyncpg.UniqueViolationError, fail_inside())
    await fails(asyncpg.UndefinedColumnError, connection.fetch("SELECT nonsense FROM asyncpg_t"))
    async with connection.transaction():
        seen = [row["id"] async for row in connection.cursor("SELECT id FROM asyncpg_t ORDER BY id", prefetch=50)]
    assert seen == list(range(500))
    assert await connection.fetchval("SELECT tags FROM asyncpg_t WHERE id = 3") == ["a", "b"]
    await connection.execute("DROP TABLE asyncpg_t")
    await connection.close()


async def a_pool(where: dict) -> None:
    async with asyncpg.create_pool(**where, min_size=5, max_size=20) as pool:
        answers = await asyncio.gather(*(pool.fetchval("SELECT $1::int * 3", n) for n in range(200)))
    assert answers == [n * 3 for n in range(200)]


async def main(config: dict) -> None:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    where = {**config, "ssl": tls, "timeout": 20, "command_timeout": 30}
    await one_connection(where)
    await a_pool(where)
    print("ok")


asyncio.run(main(json.loads(sys.argv[1])))
