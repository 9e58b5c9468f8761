"""The catalogue is a value: what one bench knows of firmware files, another need not know."""

import asyncio
from dataclasses import replace
from pathlib import Path

import made_images
import pytest

from mitherm.errors import GuardRefused
from mitherm.image.catalogue import Catalogue, Entry, KnownDefect
from mitherm.image.inspect import inspect
from mitherm.image.shipped import shipped_catalogue
from mitherm.ops.bench import Bench
from mitherm.ops.updating.flash import flash
from mitherm.virtual.clock import VirtualClockLoop
from rig import UNIT, Rig

WITHDRAWN = KnownDefect("refuse", "H3", "it was withdrawn", "this test", {"family": "pvvx", "version": "5.8"}, {})


def shipped_and(*rows: KnownDefect, files: tuple[Entry, ...] = ()) -> Catalogue:
    """The shipped catalogue with something more."""
    shipped = shipped_catalogue()
    return replace(shipped, files=(*shipped.files, *files), bad=(*shipped.bad, *rows))


def test_two_benches_of_one_process_use_two_catalogues(tmp_path: Path) -> None:
    """Side by side in one loop: what one refuses, the other sends, and the default stays the shipped one."""
    wary, plain = (Rig(tmp_path / name, "pvvx-5.7") for name in ("wary", "plain"))
    for rig in (wary, plain):
        rig.shelve("pvvx-5.8")

    async def both() -> list[object]:
        async with wary.bench(catalogue=shipped_and(WITHDRAWN)) as first, plain.bench() as second:
            updates = (flash(bench, str(UNIT), "pvvx-5.8") for bench in (first, second))
            return list(await asyncio.gather(*updates, return_exceptions=True))

    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        refused, done = runner.run(both())
    assert isinstance(refused, GuardRefused) and refused.rule == "H3" and "withdrawn" in refused.message
    assert wary.updates_begun == 0
    assert getattr(done, "outcome", done) == "verified"


def test_who_vouches_for_an_image_is_the_catalogue_of_the_bench(tmp_path: Path) -> None:
    """An image of nobody is refused (H20), and sent by a bench whose catalogue has it."""
    data = made_images.nobodys("pvvx-5.8")
    path = tmp_path / "new.bin"
    path.write_bytes(data)
    entry = Entry("new.bin", "r", "new.bin", "custom", len(data), inspect(data).sha256, None, None, family="pvvx")
    rig = Rig(tmp_path, "pvvx-5.7")

    async def send(bench: Bench) -> str:
        return (await flash(bench, str(UNIT), str(path))).outcome

    with pytest.raises(GuardRefused) as refusal:
        rig.run(send)
    assert refusal.value.rule == "H20"
    assert rig.run(send, catalogue=shipped_and(files=(entry,))) == "verified"
