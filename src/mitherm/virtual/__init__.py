"""Virtual thermometers: a real unit's flash, rules, timers and defects, with no hardware.

nor_flash     512 KiB of NOR flash: the only truth that survives
chip          what firmware runs on: flash, board, cell, sensor, clock, radio outbox
firmware/     the personalities: stock, pvvx, atc1441
boot          from flash to personality
unit          one unit: power, boot, link, adverts, faults
world         a folder of units, loaded and saved
mi_home       the Mi Home app and its account
pair          a procedure against a unit, synchronously
loopback, air the edges: an in-memory radio; bumble's controllers under the genuine bleak API
"""
