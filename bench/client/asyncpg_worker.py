"""The client benchmark through asyncpg on uvloop: one process, one loop, one task a session."""

import asyncio
import resource
import sys
import time

import asyncpg
import uvloop

PG_TYPE = (
    "select typname, typnamespace, typowner, typlen, typbyval, typcategory, typispreferred, typisdefined, typdelim, "
    "typrelid, typelem, typarray from pg_type where typtypmod = $1 and typisdefined = $2")
BATCH_ROWS = [(i, f"this is row {i}") for i in range(1000)]
COPY_ROWS = [(i, 1_000_000_007 * i, f"this is row {i}") for i in range(10_000)]


def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Session:
    """A connection with its prepared statements."""

    @classmethod
    async def connect(cls, dsn):
        self = cls()
        self.connection = await asyncpg.connect(dsn)
        self.prepared = {
            "pg_type": (await self.connection.prepare(PG_TYPE), (-1, True)),
            "series": (await self.connection.prepare("select i from generate_series(1, 1000) as s(i)"), ()),
            "bytea": (await self.connection.prepare("select value from _bytes"), ()),
            "int_array": (await self.connection.prepare("select value from _arrays"), ()),
            "one": (await self.connection.prepare("select 1+1"), ()),
        }
        return self

    async def run_once(self, query):
        if query == "batch":
            await self.connection.executemany("insert into _batch (a, b) values ($1, $2)", BATCH_ROWS)
            return len(BATCH_ROWS)
        if query == "copy":
            await self.connection.copy_records_to_table("_copy", records=COPY_ROWS, columns=("a", "b", "c"))
            return len(COPY_ROWS)
        statement, arguments = self.prepared[query]
        return len(await statement.fetch(*arguments))


async def run_slice(sessions, query, seconds):
    for session in sessions:
        await session.run_once(query)
    statements = rows = 0
    cpu = cpu_seconds()
    start = time.monotonic()

    async def loop(session):
        nonlocal statements, rows
        while time.monotonic() < start + seconds:
            count = await session.run_once(query)  # not `rows += await`: that reads rows before it waits
            rows += count
            statements += 1

    await asyncio.gather(*map(loop, sessions))
    took = time.monotonic() - start
    print(statements, rows, f"{took:.6f} {cpu_seconds() - cpu:.6f}", flush=True)


async def main():
    sessions = [await Session.connect(sys.argv[1]) for _ in range(10)]
    python = ".".join(map(str, sys.version_info[:3]))
    print(f"ready asyncpg {asyncpg.__version__} (uvloop {uvloop.__version__}, Python {python})", flush=True)
    for line in sys.stdin:  # blocking is fine: between slices nothing runs
        query, count, seconds = line.split()
        await run_slice(sessions[:int(count)], query, float(seconds))


uvloop.install()
asyncio.run(main())
