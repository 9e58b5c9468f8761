"""Registration of generation 2 by a client that has what only Xiaomi's cloud can give."""

import datetime
import random

import pytest

from judges._mi_pump import Records, UnitRunner
from mitherm.errors import MiAuthRefused
from mitherm.model.keys import did_record
from mitherm.primitives.crypto import ecdsa_sign, make_certificate, private_key, public_point, shared_secret
from mitherm.protocol.mi.channel import MiChannel
from mitherm.protocol.mi.messages import Opcode, SetupKeys, signed_content
from mitherm.protocol.mi.parcel import ParcelType
from mitherm.virtual.reactors.mi_device import MiDevice

DID = "blt.1.1abcd23efgh56"
ROOT = private_key(bytes(31) + b"\1")
CLOUD = private_key(bytes(31) + b"\2")
VALID = tuple(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in (2020, 2050))


def unit(content, roots):
    records = Records(content)
    return UnitRunner(MiDevice(records, generation=2, entropy=random.Random(2).randbytes, roots=roots)), records


def raw_signature(key, message):
    """DER to r‖s."""
    der = ecdsa_sign(key, message)
    first = der[4 : 4 + der[3]]
    second = der[6 + der[3] :]
    return b"".join(int.from_bytes(part, "big").to_bytes(32, "big") for part in (first, second))


def mi_home(did, *, root=ROOT, signer=CLOUD, verdict=Opcode.ACCEPTED, sign_did=None):
    """Registration as the app does it, with certificate and signature."""
    channel = MiChannel()
    key = private_key(bytes(31) + b"\5")
    yield from channel.open()
    yield from channel.command(Opcode.REGISTER)
    yield from channel.send(ParcelType.PUBLIC_KEY, public_point(key))
    setup = SetupKeys.derive(shared_secret(key, (yield from channel.receive(ParcelType.PUBLIC_KEY))))
    utc = bytes(4)
    signature = raw_signature(signer, signed_content(sign_did or did, setup.bind_key, utc))
    certificate = make_certificate(("root", "cloud"), public_point(CLOUD), root, serial=1, valid=VALID)
    yield from channel.command(verdict)
    yield from channel.send(ParcelType.DEVICE_INFO, setup.seal_did(did + signature + utc))
    yield from channel.send(ParcelType.SERVER_CERTIFICATE, certificate)
    yield from channel.verdict()
    return setup.record


def test_generation_2_with_certificate():
    """13, signed DID, certificate, 11."""
    central, records = unit({}, roots=(bytes(64), public_point(ROOT)))
    record = central.run(mi_home(did_record(DID)))
    assert records.written == [(1, did_record(DID)), (16, record), (4, bytes(4))]
    assert central.codes == [0x11]


@pytest.mark.parametrize(
    "fault",
    [
        {"root": private_key(bytes(31) + b"\3")},
        {"signer": private_key(bytes(31) + b"\3")},
        {"sign_did": bytes(20)},
        {"did": did_record("blt.1.other")},
        {"verdict": Opcode.REFUSED},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_generation_2_refuses(fault):
    """Foreign root, foreign signer, signature over another DID, DID of another unit, refused by the app: 12."""
    central, records = unit({1: did_record(DID)}, roots=(public_point(ROOT),))
    with pytest.raises(MiAuthRefused) as caught:
        central.run(mi_home(**({"did": did_record(DID)} | fault)))
    assert caught.value.code == 0x12
    assert records.written == []
