"""Beacons: every advertising format of these thermometers, both ways. Pure: time, keys and addresses are arguments.

advert            AD structures
custom            0x181A: atc1441 and pvvx, plain and encrypted; pvvx event pair 0x2A56 + 0x2AEB
mibeacon          0xFE95, with its table of objects
bthome            0xFCD2 (v2), 0x181C and 0x181E (v1), with their table of objects
qingping          0xFDCD
decode            the one door to all decoders
unit_state        what is remembered of one unit: duplicates, replays, merged state, which key fits
tracker           which unit sent a frame, and what became of it
"""

from mitherm.beacon.decode import decode, decode_event
from mitherm.beacon.keys import BeaconKey
from mitherm.model.reading import DecodeFailure, Reading

__all__ = ["BeaconKey", "DecodeFailure", "Reading", "decode", "decode_event"]
