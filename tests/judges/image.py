"""Judges of the image vectors: check sums, image building, what the reference pages accept, signature tails."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Final

from judges import _recipes
from judges._cases import Case, Problem, each, number
from judges._recipes import build, named_file
from mitherm.errors import BadFile
from mitherm.image.container import MAGIC as CONTAINER_MAGIC
from mitherm.image.container import ZigbeeContainer
from mitherm.image.inspect import inspect, verify
from mitherm.image.sign_file import SignFile, has_tail
from mitherm.image.tail import tag_crc
from mitherm.image.telink import EXTENDED, FLAG, MARK, TelinkImage, crc_ok, finalise, pad, trailer
from mitherm.model.models import BANK
from mitherm.primitives.checksums import crc16, crc32_raw

_TEXTS: Final = {
    "short": "Wrong binary Telink OTA firmware size!",
    "head": "Unknown Zigbee OTA header!",
    "inner": "Wrong binary Zigbee OTA firmware size!",
    "type": "The current firmware version does not support OTA for image type `{:04X}`.",
    "extended": "The current firmware version does not support EXT OTA. "
    "Update the new custom BLE version (4.6 or higher)!",
    "208k": "Size firmware is more 208 kbytes!",
    "bank": f"Size firmware is more {BANK} bytes!",
    "mark": "Incorrect head in Telink OTA binary firmware",
    "size": "Invalid size pointer in Telink OTA binary firmware!",
    "crc": "Incorrect CRC in Telink OTA binary firmware!",
    "simple": "Select file is no telink firmware .bin",
}


_SHORTEST: Final = 40
"""Bytes of the header, start-up code included."""


def _differs(**pairs: tuple[Any, Any]) -> Problem:
    """The first pair (got, wanted) that is not equal."""
    return next((f"{name}: {got!r}, not {wanted!r}" for name, (got, wanted) in pairs.items() if got != wanted), None)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- ota-crc ----------------------------------------------------------------------------------------------------------


def _crc(case: Case) -> Problem:
    value = int(case["value"], 16)
    if "file" in case:
        return _crc_of_file(case, value)
    data = bytes.fromhex(case["data"])
    sums: dict[str, Callable[[bytes], int]] = {
        "crc16": crc16,
        "crc32_trailer": crc32_raw,
        "crc32_tag": lambda data: crc32_raw(data, 0),
    }
    got = sums[case["kind"]](data)
    size = 2 if case["kind"] == "crc16" else 4
    stored = got.to_bytes(size, "little").hex()
    return _differs(value=(got, value), stored=(stored, case.get("stored", stored)))


def _crc_of_file(case: Case, value: int) -> Problem:
    file = case["file"]
    data = named_file(file)
    parsed = TelinkImage.parse(data).data
    got = tag_crc(parsed[:-4], b"") if case["kind"] == "crc32_tag" else trailer(parsed[:-4])
    return _differs(value=(got, value), sha256=(_sha(data), case.get("sha256", _sha(data))))


# --- ota-image-build --------------------------------------------------------------------------------------------------


def _image_build(case: Case) -> Problem:
    return _wrapped(case) if "header_hex" in case else _finalised(case)


def _finalised(case: Case) -> Problem:
    raw, wanted = named_file(case["raw"]), case["result"]
    if _sha(raw) != case["raw"].get("sha256", _sha(raw)):
        return "the recipe does not give the raw file of the vector"
    made = _recipes.finalise(raw)
    again_differs = _recipes.finalise(made) != made
    return _ours_differs(raw, made) or _differs(
        length=(len(made), wanted["length"]),
        size_field=(int.from_bytes(made[0x18:0x1C], "little"), number(wanted.get("size_field", len(made)))),
        bytes_6_7=(made[6:8].hex(), wanted.get("bytes_6_7", "5d02")),
        trailer=(made[-4:].hex(), wanted.get("trailer", made[-4:].hex())),
        raw_hex=(raw.hex(), case["raw"].get("hex", raw.hex())),
        hex=(made.hex(), wanted.get("hex", made.hex())),
        sha256=(_sha(made), wanted["sha256"]),
        second_run=(again_differs, case.get("second_run_changes_file", False)),
    )


def _ours_differs(raw: bytes, made: bytes) -> Problem:
    """Our tool does the same, except for what it refuses on purpose: no mark, too short, or finished and damaged."""
    damaged = raw[6:8] == FLAG and not crc_ok(raw[: int.from_bytes(raw[24:28], "little")])
    try:
        ours = finalise(raw)
    except BadFile as problem:
        return None if raw[8:12] != MARK or len(raw) < _SHORTEST or damaged else str(problem)
    TelinkImage.parse(ours)
    return _differs(ours=(ours, made), twice=(finalise(ours), ours))


def _wrapped(case: Case) -> Problem:
    inner = build(case["image_recipe"])
    head = bytes.fromhex(case["header_hex"])
    read = ZigbeeContainer.from_bytes(head + inner)
    made = _wrap(inner, read, case.get("args"))
    prefix = made.file_name("").removesuffix("-.zigbee")
    named = case.get("file_name", prefix).removesuffix(".zigbee")
    return _differs(
        image_sha256=(_sha(inner), case["image_sha256"]),
        read_image=(read.image, inner),
        header=(made.to_bytes()[:62].hex(), case["header_hex"]),
        length=(len(made.to_bytes()), case["length"]),
        sha256=(_sha(made.to_bytes()), case["sha256"]),
        payload_offset=(len(head), case.get("payload_offset", 62)),
        file_name=(named.startswith(prefix), True),
    )


def _wrap(inner: bytes, read: ZigbeeContainer, args: Any) -> ZigbeeContainer:
    """By the identifiers in `args`, else those of the image; what `args` does not name in our words comes from the head."""
    if not args:
        return ZigbeeContainer.wrap(inner, text=read.text)
    named = {key.lower(): value for key, value in args.items()} if isinstance(args, dict) else {}

    def given(default: int, *beginnings: str) -> int:
        found = (value for key, value in named.items() if key.startswith(beginnings) and value is not None)
        return number(next(found, default))

    return ZigbeeContainer.wrap(
        inner,
        manufacturer=given(read.manufacturer, "man"),
        image_type=given(read.image_type, "image_type", "type", "img"),
        file_version=given(read.file_version, "file_version", "version", "ver"),
        text=read.text,
    )


# --- ota-image-validate -----------------------------------------------------------------------------------------------


def _validate(case: Case) -> Problem:
    data = named_file(case["file"])
    if _sha(data) != case["file"]["sha256"]:
        return "the recipe does not give the file of the vector"
    extended = not case["state"].startswith("no extended")
    text, payload = _full_page(data, extended) if case["page"] == "TelinkMiFlasher" else _simple_page(data)
    sent = pad(payload)
    return _differs(
        message=(text, case["message"]),
        accepted=(text is None, case["accepted"]),
        blocks=(len(sent) // 16 if text is None else 0, case["blocks"]),
        sent_sha256=(_sha(sent) if text is None else None, case["sent_sha256"]),
        inspection=(_our_verdict_fits(data, text), True),
    )


def _simple_page(data: bytes) -> tuple[str | None, bytes]:
    """TelinkOTA.html and TelinkFlasher.html look at the boot mark only."""
    return (None if data[8:12] == MARK else _TEXTS["simple"]), data


def _full_page(data: bytes, extended: bool) -> tuple[str | None, bytes]:
    """TelinkMiFlasher.html: firmware-image.md 8, in its order."""
    if len(data) < 1024:
        return _TEXTS["short"], data
    in_container = data.startswith(CONTAINER_MAGIC)
    payload = data[62:] if in_container else data
    if in_container:
        text, payload = _container_page(data, extended)
        if text:
            return text, payload
    if extended and len(payload) > EXTENDED:
        return _TEXTS["208k"], payload
    if not extended and len(payload) > BANK:
        return _TEXTS["bank"], payload
    return _image_page(payload), payload


def _container_page(data: bytes, extended: bool) -> tuple[str | None, bytes]:
    version, head = int.from_bytes(data[4:6], "little"), int.from_bytes(data[6:8], "little")
    kind, length = int.from_bytes(data[12:14], "little"), int.from_bytes(data[58:62], "little")
    payload = data[62 : 62 + length]
    if (version, head) != (0x0100, 56):
        return _TEXTS["head"], payload
    if length < _SMALLEST_INNER or length + 62 > len(data):
        return _TEXTS["inner"], payload
    if not extended and 0x0203 <= kind <= 0x0205:
        return _TEXTS["type"].format(kind), payload
    return (_TEXTS["extended"] if not extended and length > BANK else None), payload


def _image_page(payload: bytes) -> Problem:
    if payload[8:12] != MARK:
        return _TEXTS["mark"]
    size = int.from_bytes(payload[24:28], "little")
    if size > len(payload) or size % 16 != 4:
        return _TEXTS["size"]
    stored = int.from_bytes(payload[size - 4 : size], "little")
    return None if size >= 4 and trailer(payload[: size - 4]) == stored else _TEXTS["crc"]


_UNSOUND: Final = frozenset({_TEXTS[key] for key in ("head", "inner", "mark", "size", "crc")})
_SMALLEST_INNER: Final = 2048
"""The page wants more of a container than that its lengths are right."""


def _our_verdict_fits(data: bytes, text: str | None) -> bool:
    """Our own check refuses everything the full page calls unsound (not merely small), and agrees with itself."""
    found = inspect(data)
    try:
        sound = verify(data).crc_ok is True
    except BadFile:
        sound = False
    consistent = sound == (found.crc_ok is True)
    small = text == _TEXTS["inner"] and int.from_bytes(data[58:62], "little") < _SMALLEST_INNER
    return consistent and (small or not (sound and text in _UNSOUND))


# --- ota-sign-tail ----------------------------------------------------------------------------------------------------

_INVALID: Final = "Invalid signature file!"
_OVERLOOKED: Final = 1024


def _sign_tail(case: Case) -> Problem:
    plain = named_file(case["image"])
    if _sha(plain) != case["image"].get("sha256", _sha(plain)):
        return "the recipe does not give the image of the vector"
    raw, wanted = bytes.fromhex(case["sign_file_hex"]), case.get("result")
    if not wanted or "sha256" not in wanted or any(_INVALID in line for line in case.get("log", ())):
        return _differs(refused=(_refused(raw), True))
    template = SignFile.from_bytes(raw)
    signed = pad(_as_page(template, plain))
    tail_hex = signed[len(plain) :].hex()
    return _decoded(case, raw) or _differs(
        length=(len(signed), wanted["length"]),
        blocks=(len(signed) // 16, wanted.get("blocks", len(signed) // 16)),
        sha256=(_sha(signed), wanted["sha256"]),
        tail=(tail_hex, wanted.get("tail_hex", tail_hex)),
        idempotent=(template.apply(signed) if has_tail(signed) else signed, signed),
    )


def _refused(raw: bytes) -> bool:
    try:
        SignFile.from_bytes(raw)
    except BadFile:
        return True
    return False


def _as_page(template: SignFile, plain: bytes) -> bytes:
    """The page overlooks a tail of its own of up to 1024 bytes and adds another; we never add a second one."""
    behind = len(plain) - int.from_bytes(plain[0x18:0x1C], "little")
    overlooked = has_tail(plain) and behind <= _OVERLOOKED
    return plain + template.tail_for(len(plain)) if overlooked else template.apply(plain)


def _decoded(case: Case, raw: bytes) -> Problem:
    """Decode, and encode what the vector says into the same file."""
    read, wanted = SignFile.from_bytes(raw), case.get("decoded")
    if wanted is None:
        return _differs(encoded=(read.to_bytes(), raw))
    patches = tuple((number(patch["offset"]), number(patch["value"])) for patch in wanted["patches"])
    made = SignFile(raw[: wanted["block_len"]], wanted["fill"], patches)
    return _differs(decoded=(read, made), encoded=(made.to_bytes().hex(), raw.hex()))


AREAS = {
    "ota-crc": each(_crc),
    "ota-image-build": each(_image_build),
    "ota-image-validate": each(_validate),
    "ota-sign-tail": each(_sign_tail),
}
