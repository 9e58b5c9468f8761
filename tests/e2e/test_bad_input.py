"""What a person can get wrong, and what can go wrong around one: exit code, a sentence, nothing lost, no traceback."""

from __future__ import annotations

import shutil
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.person import Person, error_of, person_of
from mitherm.image.container import ZigbeeContainer
from mitherm.image.synth import package
from mitherm.ops.keys.activate import activate
from mitherm.ops.updating.flash import flash
from mitherm.virtual.faults import Fault
from rig import UNIT, Rig

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

HERE = str(UNIT)
PVVX = package("pvvx-5.8")
BANK = 0x20000


def flipped(image: bytes) -> bytes:
    """One bit in the middle is wrong, and so is the check sum."""
    middle = len(image) // 2
    return image[:middle] + bytes([image[middle] ^ 1]) + image[middle + 1 :]


def sealed(body: bytes) -> bytes:
    """An image with a check sum that is right."""
    return body + (zlib.crc32(body) ^ 0xFFFFFFFF).to_bytes(4, "little")


def too_long(image: bytes) -> bytes:
    """A sound image that is larger than the bank."""
    size = BANK + 0x1004
    body = bytearray(image[:-4].ljust(size - 4, b"\xff"))
    body[0x18:0x1C] = size.to_bytes(4, "little")
    return sealed(bytes(body))


def zigbee(image: bytes) -> bytes:
    """Zigbee firmware in the container that coordinators want."""
    return ZigbeeContainer.wrap(sealed(image[:0x14] + bytes.fromhex("0302") + image[0x16:-4])).to_bytes()


FILES: dict[str, tuple[Callable[[bytes], bytes], int, str, str]] = {
    "no image": (lambda _: b"Dear thermometer, please be a hygrometer.\n" * 400, 2, "NotAnImage", "image"),
    "truncated": (lambda image: image[:50_000], 2, "ImageCorrupt", "50000"),
    "damaged": (flipped, 2, "ImageCorrupt", "checksum"),
    "empty": (lambda _: b"", 2, "NotAnImage", "empty"),
    "of another model": (lambda _: package("pvvx-5.8", "CGG1"), 4, "ImageForOtherModel", "CGG1"),
    "too long": (too_long, 4, "ImageTooLarge", "bank"),
    "zigbee": (zigbee, 4, "ImageForOtherModel", "LYWSD03MMC"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_must_not_be_flashed(tmp_path: Path, name: str) -> None:
    """Contract code, the kind of the error, a message to the point; the unit's flash is as before."""
    make, code, kind, word = FILES[name]
    rig = Rig(tmp_path, "atc1441" if name == "too long" else "pvvx-5.5")
    before = rig.flash()
    image = tmp_path / "image.bin"
    image.write_bytes(make(PVVX))
    failed = person_of(rig).gets("flash", HERE, str(image), "--yes", code=code)
    error = error_of(failed, kind)
    assert word in error["message"]
    assert (error["rule"] is not None) == (code == 4)
    assert rig.flash() == before


def test_no_file_at_all(tmp_path: Path) -> None:
    """A directory is 2, a path where nothing is 3, a name the library does not know 3."""
    rig = Rig(tmp_path, "pvvx-5.8")
    person = person_of(rig)
    assert "directory" in error_of(person.gets("flash", HERE, str(tmp_path), code=2), "BadFile")["message"]
    error_of(person.gets("flash", HERE, str(tmp_path / "gone.bin"), code=3), "FileMissing")
    error_of(person.gets("flash", HERE, "no-such-image", code=3), "ImageMissing")


def test_bad_files_are_told_in_words(tmp_path: Path) -> None:
    """Without --json: stdout stays empty, stderr says what is wrong."""
    rig = Rig(tmp_path, "pvvx-5.5")
    image = tmp_path / "image.bin"
    image.write_bytes(package("pvvx-5.8", "CGG1"))
    said = person_of(rig).types("flash", HERE, str(image), "--yes", code=4)
    assert said.out == ""
    for word in ("CGG1", "H1", "--allow-other-model", "unit is unchanged"):
        assert word in said.err


# --- units ------------------------------------------------------------------------------------------------------------


def test_unknown_unit(tmp_path: Path) -> None:
    """An address or name that nobody has is 3."""
    person = person_of(Rig(tmp_path, "pvvx-5.8"))
    assert "FF:FF" in error_of(person.gets("info", "A4:C1:38:FF:FF:FF", code=3), "DeviceNotFound")["message"]
    error_of(person.gets("info", "Attic", code=3), "DeviceNotFound")
    error_of(
        person.gets("virtual battery", str(tmp_path / "units"), "A4:C1:38:FF:FF:FF", "in", code=3), "DeviceNotFound"
    )
    error_of(person.gets("virtual list", str(tmp_path / "nowhere"), code=3), "FileMissing")


def test_two_units_with_one_name(tmp_path: Path) -> None:
    """Nobody guesses which one is meant: 2, with both addresses."""
    rig = Rig(tmp_path, "pvvx-5.8,name=Cellar", "pvvx-5.8,name=Cellar", "pvvx-5.8,name=Attic")
    rig.shelve("stock-1.0.0_0130")
    person = person_of(rig)
    before = rig.flash()
    message = error_of(person.gets("bring", "Cellar", "--to", "stock", "--yes", code=2), "UsageProblem")["message"]
    assert "A4:C1:38:00:00:01" in message
    assert "A4:C1:38:00:00:02" in message
    assert rig.flash() == before
    assert person.gets("info", "Attic")["unit"]["address"] == "A4:C1:38:00:00:03"


# --- keys -------------------------------------------------------------------------------------------------------------

TOKEN, BIND_KEY = "5a" * 12, "6b" * 16


@pytest.mark.parametrize(
    ("arguments", "typed", "words"),
    [
        (("--bind-key",), TOKEN, ("bind key", "token")),
        (("--token",), BIND_KEY, ("token", "bind key")),
        (("--token",), "5a" * 11, ("token", "24")),
        (("--token",), "no key", ("token",)),
    ],
)
def test_keys_of_the_wrong_length(
    tmp_path: Path, arguments: tuple[str, ...], typed: str, words: tuple[str, ...]
) -> None:
    """5; a token typed as bind key is named, and the other way round; the key itself is never shown, nothing is stored."""
    rig = Rig(tmp_path, "stock-1.0.0_0130")
    said = person_of(rig).types("keys", "import", "--address", HERE, *arguments, "--json", code=5, stdin=typed + "\n")
    message = error_of(said.document("keys import"), "KeyProblem")["message"]
    for word in words:
        assert word in message
    assert typed not in said.out + said.err
    assert not rig.stores.vault.generations(UNIT)


def test_login_with_a_bind_key(tmp_path: Path) -> None:
    """The bind key given where the token belongs is named, before anything is sent."""
    said = person_of(Rig(tmp_path, "stock-1.0.0_0130")).types("login", HERE, "--token", code=5, stdin=BIND_KEY + "\n")
    assert "bind key" in said.err
    assert BIND_KEY not in said.err


# --- the disk ---------------------------------------------------------------------------------------------------------


def untouched(rig: Rig) -> bool:
    """The unit was not registered: its key sector is blank."""
    return set(rig.flash()[0x78000:0x7A000]) == {0xFF}


def test_home_that_cannot_be(tmp_path: Path) -> None:
    """MITHERM_HOME below a regular file: 1, the unit is unchanged and knows no keys."""
    rig = Rig(tmp_path, "stock-1.0.0_0130")
    (tmp_path / "file").write_text("no folder")
    person = person_of(rig, MITHERM_HOME=str(tmp_path / "file" / "home"))
    error_of(person.gets("activate", HERE, code=1), "DiskProblem")
    assert untouched(rig)


def may_mount() -> bool:
    """Whether a private mount is possible here."""
    if shutil.which("unshare") is None:
        return False
    probe = ("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt")
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def inside(folder: Path, options: str, prepare: str = ":") -> tuple[str, ...]:
    """Words in front of a command that give it a small file system at `folder`, which vanishes with it."""
    script = f'mount -t tmpfs -o {options} none "{folder}" && {prepare} && exec "$@"'
    return ("unshare", "-m", "sh", "-c", script, "sh")


@pytest.mark.skipif(not may_mount(), reason="no private mounts here")
@pytest.mark.parametrize(
    ("options", "prepare", "why"),
    [
        ("size=64k", ":", "full"),
        ("size=64k", 'head -c 70000 /dev/zero > "$MITHERM_HOME/filler" 2>/dev/null || true', "full"),
        ("size=1m", 'mount -o remount,ro "$MITHERM_HOME"', "read-only"),
    ],
)
def test_vault_that_cannot_be_written(tmp_path: Path, options: str, prepare: str, why: str) -> None:
    """Full or read-only is found out before the first message: 1, why, and a unit that knows nothing of it."""
    rig = Rig(tmp_path, "stock-1.0.0_0130")
    rig.home.mkdir()
    before = inside(rig.home, options, prepare)
    failed = person_of(rig).gets("activate", HERE, code=1, before=before)
    assert why in error_of(failed, "DiskProblem")["message"]
    assert untouched(rig)


# --- links ------------------------------------------------------------------------------------------------------------

ACTIVATE, FLASH = "stock-1.0.0_0130", "pvvx-5.8,bound=mi-home"
OTA_CHAR = "00010203-0405-0607-0809-0a0b0c0d2b12"
LAST = 5806
"""Writes of START, 5805 blocks, and END comes next."""
CUTS = [
    (ACTIVATE, "connect", 1),
    (ACTIVATE, "write:*", 9),
    (ACTIVATE, "notify:*", 4),
    (ACTIVATE, "notify:*", 11),
    (FLASH, "read:*", 3),
    (FLASH, f"write:{OTA_CHAR}", 1),
    (FLASH, f"write:{OTA_CHAR}", 4000),
    (FLASH, f"write:{OTA_CHAR}", LAST + 1),
]


@pytest.mark.parametrize(("spec", "place", "n"), CUTS)
def test_link_lost(tmp_path: Path, spec: str, place: str, n: int) -> None:
    """Whichever message the link is lost at: a contract code or success, a repeat does it, the keys are in the vault."""
    rig = Rig(tmp_path, spec)
    rig.shelve("stock-1.0.0_0130")
    rig.world(lambda world: world.find(UNIT).faults.faults.append(Fault("disconnect", place, n)))
    words = ("activate", HERE) if spec == ACTIVATE else ("flash", HERE, "stock-1.0.0_0130", "--yes")
    first = person_of(rig).types(*words, "--json", code=None)
    document = first.document(words[0])
    assert first.code in (0, 1, 8), first
    assert document["ok"] or document["error"]["message"]
    assert rig.world(lambda world: not world.find(UNIT).faults.faults), "the fault never happened"
    if spec == ACTIVATE:
        rig.run(lambda bench: activate(bench, UNIT))
    else:
        after = rig.run(lambda bench: flash(bench, HERE, "stock-1.0.0_0130")).after
        assert (after.family, after.version) == ("stock", "1.0.0_0130")
    current = rig.stores.vault.current(UNIT)
    assert current is not None
    assert current.keys.record in rig.flash()


def test_a_unit_that_dies_after_100_percent(tmp_path: Path) -> None:
    """Transferred and never seen again is 8, with what was done and what to try; the keys are in the vault."""
    rig = Rig(tmp_path, "pvvx-5.8,bound=mi-home")
    rig.shelve("stock-1.0.0_0130")
    rig.world(lambda world: world.find(UNIT).faults.faults.append(Fault("reset", "after-ota", dark=True)))
    failed = person_of(rig).gets("bring", HERE, "--to", "stock", "--yes", code=8)
    error = error_of(failed, "NotVerified", "unknown")
    assert "cell" in error["hint"]
    assert failed["result"]["outcome"] == "transferred"
    assert rig.stores.vault.current(UNIT) is not None


def test_firmware_without_a_version(tmp_path: Path) -> None:
    """atc1441 tells no version: one transfer is enough, and the end is success."""
    rig = Rig(tmp_path, "pvvx-5.8")
    rig.shelve("atc1441")
    done = person_of(rig).types("flash", HERE, "atc1441", "--yes")
    assert done.err.count("transfer: 100 %") == 1


def test_units_that_cannot_be_made(tmp_path: Path) -> None:
    """One bad SPEC among good ones is 2, and no unit was made."""
    folder = tmp_path / "units"
    person = Person(tmp_path / "home")
    for bad in ("nonsense", "pvvx-5.8,bound=perhaps", "stock-1.0.0_0130,name=Cellar", "pvvx-5.8,battery_mv=much"):
        person.gets("virtual create", str(folder), "--unit", "atc1441", "--unit", bad, code=2)
        assert not list(folder.glob("*/flash.bin"))


def test_endpoints_that_cannot_be(tmp_path: Path) -> None:
    """An HCI moniker that means nothing is 2."""
    rig = Rig(tmp_path, "atc1441")
    for moniker in ("carrier-pigeon:1", "tcp-server:127.0.0.1:99999"):
        error_of(person_of(rig).gets("virtual serve", str(rig.folder), "--hci", moniker, code=2), "UsageProblem")
