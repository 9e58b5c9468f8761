"""Beacons: every advertising format of these thermometers, both ways. Pure: time, keys and addresses are arguments.

advert            AD structures
custom            0x181A: atc1441 and pvvx, plain and encrypted; pvvx event pair 0x2A56 + 0x2AEB
mibeacon          0xFE95
bthome            0xFCD2 (v2), 0x181C and 0x181E (v1)
"""
