"""A loopback HTTP server that answers every GET after a fixed latency; run as a script: LATENCY_S.

Standard library only: it starts with `-I`, without this package on its path.
It writes its port to standard output and ends when its standard input closes, so it never outlives its driver.
"""

import asyncio
import functools
import hashlib
import sys


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, latency_s: float) -> None:
    """Answer one request with the SHA-256 of its path, in hex, after the latency; then close."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(latency_s)
        body = hashlib.sha256(head.split(b" ", 2)[1]).hexdigest().encode()
        fields = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close"
        writer.write(fields.encode() + b"\r\n\r\n" + body)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # the client went away; its task reports that
    finally:
        writer.close()


async def serve(latency_s: float) -> None:
    """Serve on a free port of 127.0.0.1 until standard input closes."""
    handler = functools.partial(answer, latency_s=latency_s)
    server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=1024)
    async with server:
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
