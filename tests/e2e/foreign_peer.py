"""A BLE central that shares no code with mitherm: `python foreign_peer.py MONIKER ADDRESS IMAGE`; prints what it found.

It does what a browser page does: connects, reads the device information, registers (mi-auth.md 5.2), logs in (5.5) and
sends an image in plain Telink packets (telink-ota.md 2, 3), then listens for who comes back.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import os
import struct
import sys
from pathlib import Path

from bumble.core import UUID
from bumble.device import Device, Peer
from bumble.hci import Address, OwnAddressType
from bumble.transport import open_transport
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

CONTROL = UUID.from_16_bits(0x0010)
PARCELS = UUID.from_16_bits(0x0019)
OTA = UUID("00010203-0405-0607-0809-0a0b0c0d2b12")
INTERVAL = UUID("ebe0ccd8-7a0a-4b0c-8a1a-6ff2997da3a6")
DEVICE_INFORMATION = {"model": 0x2A24, "firmware": 0x2A26, "hardware": 0x2A27, "maker": 0x2A29}
DID = b"blt.3.129vforeigATC".rjust(20, b"\0")


class Page:
    """The connection as a page sees it: writes without response, and two streams of notifications."""

    def __init__(self, peer):
        self.peer = peer
        self.said = {CONTROL: asyncio.Queue(), PARCELS: asyncio.Queue()}

    def find(self, uuid):
        (found,) = self.peer.get_characteristics_by_uuid(uuid)
        return found

    async def begin(self):
        await self.peer.discover_services()
        for service in self.peer.services:
            await service.discover_characteristics()
        for uuid, queue in self.said.items():
            await self.peer.subscribe(self.find(uuid), queue.put_nowait)

    async def write(self, uuid, text):
        await self.peer.write_value(self.find(uuid), bytes.fromhex(text) if isinstance(text, str) else text)

    async def hear(self, uuid):
        async with asyncio.timeout(10):
            return bytes(await self.said[uuid].get())

    async def expect(self, uuid, text):
        heard = await self.hear(uuid)
        assert heard.hex() == text, f"{heard.hex()} instead of {text}"

    async def send_parcel(self, kind, data):
        """Header, READY, frames, SUCCESS."""
        frames = [data[start : start + 18] for start in range(0, len(data), 18)]
        await self.write(PARCELS, struct.pack("<HBBH", 0, 0, kind, len(frames)))
        await self.expect(PARCELS, "00000101")
        for number, frame in enumerate(frames, 1):
            await self.write(PARCELS, struct.pack("<H", number) + frame)
        await self.expect(PARCELS, "00000100")

    async def take_parcel(self, kind):
        """The same from the other side."""
        header = await self.hear(PARCELS)
        assert header[:4] == bytes((0, 0, 0, kind)), header.hex()
        await self.write(PARCELS, "00000101")
        data = b""
        for number in range(1, struct.unpack("<H", header[4:])[0] + 1):
            frame = await self.hear(PARCELS)
            assert frame[:2] == struct.pack("<H", number), frame.hex()
            data += frame[2:]
        await self.write(PARCELS, "00000100")
        return data


def derive(secret, salt, info):
    """64 bytes."""
    return HKDF(SHA256(), 64, salt, info).derive(secret)


async def register(page):
    """Gives token and bind key, and the DID the unit reported before."""
    await page.write(CONTROL, "a2000000")
    told = await page.take_parcel(0)
    assert told[:4] == bytes.fromhex("01000000"), told.hex()
    await page.write(CONTROL, "15000000")
    private = ec.generate_private_key(ec.SECP256R1())
    own = private.public_key().public_numbers()
    await page.send_parcel(3, own.x.to_bytes(32, "big") + own.y.to_bytes(32, "big"))
    point = b"\x04" + await page.take_parcel(3)
    secret = private.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
    okm = derive(secret, bytes(16), b"mible-setup-info")
    cipher = AESCCM(okm[28:44], tag_length=4)
    await page.send_parcel(0, cipher.encrypt(bytes(range(0x10, 0x1C)), told[4:] or DID, b"devID"))
    await page.write(CONTROL, "13000000")
    await page.expect(CONTROL, "11000000")
    return okm[:12], okm[12:28], told[4:]


async def log_in(page, token):
    """Both sides prove that they know the token."""
    mine = os.urandom(16)
    await page.write(CONTROL, "24000000")
    await page.send_parcel(0x0B, mine)
    theirs = await page.take_parcel(0x0D)
    keys = derive(token, mine + theirs, b"mible-login-info")
    proof = await page.take_parcel(0x0C)
    assert proof == hmac.digest(keys[:16], theirs + mine, hashlib.sha256)
    await page.send_parcel(0x0A, hmac.digest(keys[16:32], mine + theirs, hashlib.sha256))
    await page.expect(CONTROL, "21000000")


def crc16(data):
    """MODBUS."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


async def flash(page, image):
    """The sequence of the browser flashers: interval, version, start, blocks with a read after every eighth, end."""
    await page.write(INTERVAL, "1e0000")
    await asyncio.sleep(0.5)
    await page.write(OTA, "00ff")
    await page.write(OTA, "01ff")
    blocks = [image[start : start + 16].ljust(16, b"\xff") for start in range(0, len(image), 16)]
    for number, block in enumerate(blocks):
        packet = struct.pack("<H", number) + block
        await page.write(OTA, packet + struct.pack("<H", crc16(packet)))
        if number % 8 == 7:
            assert await page.peer.read_value(page.find(OTA)) == b"\0"
    await page.peer.read_value(page.find(OTA))
    last = len(blocks) - 1
    await page.write(OTA, struct.pack("<HHH", 0xFF02, last, 0xFFFF - last))


async def listen(device, address):
    """Every report of the unit, without end."""
    reports = asyncio.Queue()
    device.host.on("advertising_report", lambda report: reports.put_nowait(report))
    await device.start_scanning(legacy=True, active=True)
    try:
        while True:
            report = await reports.get()
            if report.address.to_string(False) == address:
                yield bytes(report.data)
    finally:
        await device.stop_scanning()


async def heard(device, address, part):
    """Wait for a report that contains `part`."""
    async with asyncio.timeout(30):
        async for data in listen(device, address):
            if part in data:
                return


async def main(moniker, address, image):
    logging.disable(logging.CRITICAL)
    async with await open_transport(moniker) as transport:
        device = Device.with_hci("page", Address("F0:F1:F2:F3:F4:F5"), transport.source, transport.sink)
        await device.power_on()
        await heard(device, address, b"LYWSD03MMC")
        peer = Peer(await device.connect(address + "/P", own_address_type=OwnAddressType.PUBLIC, timeout=20))
        gone = asyncio.Event()
        peer.connection.on("disconnection", lambda reason: gone.set())
        page = Page(peer)
        await page.begin()
        facts = {
            name: (await peer.read_value(page.find(UUID.from_16_bits(number)))).rstrip(b"\0").decode()
            for name, number in DEVICE_INFORMATION.items()
        }
        token, bind_key, did = await register(page)
        await log_in(page, token)
        await flash(page, image)
        async with asyncio.timeout(20):
            await gone.wait()
        await heard(device, address, b"ATC_" + address[9:].replace(":", "").encode())
    print(
        json.dumps({**facts, "did": did.hex(), "record": (token + bind_key).hex(), "mitherm": "mitherm" in sys.modules})
    )


asyncio.run(main(*sys.argv[1:3], Path(sys.argv[3]).read_bytes()))
