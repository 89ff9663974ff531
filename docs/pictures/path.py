#!/usr/bin/env python3
"""A path with known troubles, for the pictures of this directory: relays UDP from 127.0.0.1:20002 to a
responder on 127.0.0.1:20001 and back, with delay, loss, a change of path and an outage."""
import asyncio, random, time

random.seed(1)
begun = None


def trouble():
    """Delay outbound and inbound in ms, loss outbound, by the time since the first packet."""
    at = time.monotonic() - begun
    out, back, loss = 4.0, 3.0, 0.0
    if 25 <= at < 40:
        out, loss = out + random.expovariate(1 / 2.5), 0.06
    if 40 <= at:
        out = 9.0
    if 62 <= at < 66:
        loss = 1.0
    return out + random.expovariate(1 / 0.3), back + random.expovariate(1 / 0.2), loss


class Far(asyncio.DatagramProtocol):
    def datagram_received(self, octets, address):
        asyncio.get_running_loop().call_later(trouble()[1] / 1e3, near.sendto, octets, sender)


class Near(asyncio.DatagramProtocol):
    def datagram_received(self, octets, address):
        global begun, sender
        begun, sender = begun or time.monotonic(), address
        out, _, loss = trouble()
        if random.random() >= loss:
            asyncio.get_running_loop().call_later(out / 1e3, far.sendto, octets)


async def main():
    global near, far
    loop = asyncio.get_running_loop()
    far, _ = await loop.create_datagram_endpoint(Far, remote_addr=("127.0.0.1", 20001))
    near, _ = await loop.create_datagram_endpoint(Near, local_addr=("127.0.0.1", 20002))
    await asyncio.sleep(3600)


asyncio.run(main())
