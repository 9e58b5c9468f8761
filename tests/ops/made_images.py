"""Images that tests send: synthetic ones, and what is made of them."""

from mitherm.image.container import ZigbeeContainer
from mitherm.image.sign_file import SignFile
from mitherm.image.synth import package
from mitherm.image.telink import trailer


def finished(body: bytearray) -> bytes:
    """An image with the right length and check sum around a changed body (without trailer)."""
    body[0x18:0x1C] = (len(body) + 4).to_bytes(4, "little")
    return bytes(body) + trailer(bytes(body)).to_bytes(4, "little")


def nobodys(kind: str = "pvvx-5.8") -> bytes:
    """A sound image that is neither synthetic nor in the catalogue."""
    body = bytearray(package(kind)[:-4])
    body[0x40:0x80] = bytes(0x40)
    return finished(body)


def large(size: int = 0x20004, kind: str = "pvvx-5.7") -> bytes:
    """A sound synthetic image of `size` bytes (16 n + 4)."""
    body = bytearray(package(kind)[:-4])
    return finished(body + bytes(size - 4 - len(body)))


def zigbee(manufacturer: int = 0x1141, size: int = 0x20404) -> bytes:
    """A Zigbee container with an image nobody has seen."""
    body = bytearray(package("pvvx-5.8")[:-4])
    body[0x40:0x100] = bytes(0xC0)
    body[0x02:0x06] = bytes.fromhex("01300060")
    body[0x12:0x14] = manufacturer.to_bytes(2, "little")
    return ZigbeeContainer.wrap(finished(body + bytes(size - 4 - len(body)))).to_bytes()


def forged(kind: str = "pvvx-5.8") -> bytes:
    """An image with the tail of the sign file."""
    return SignFile.from_bytes(package("sign-2.1.1_0159")).apply(small(kind))


def small(kind: str, model: str = "LYWSD03MMC", size: int = 0x1004) -> bytes:
    """A synthetic image of a KIND that is complete and short: it boots like the long one.

    2.1.1_0159 stays long: its length tells the builds apart.
    """
    if kind.startswith("stock-2"):
        return package(kind, model)
    return finished(bytearray(package(kind, model)[: size - 4]))


def tail_changed(at: int, byte: int, kind: str = "stock-2.1.1_0159") -> bytes:
    """A signed file with one byte of its tail changed; `at` counts from the beginning of the tail."""
    data = bytearray(package(kind))
    data[104404 + at] = byte
    return bytes(data)
