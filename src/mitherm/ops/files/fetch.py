"""Published firmware into the library: downloaded once, checked against the catalogue, offline from then on (H17).

It blocks; from an event loop call it with `asyncio.to_thread`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches

from mitherm.cloud.download import addresses, download
from mitherm.cloud.driver import AbsentPerson, perform
from mitherm.cloud.web import StandardWeb, Web
from mitherm.errors import BadFile, ImageCorrupt, ImageMissing, NetworkUnreachable, NotSupported
from mitherm.image.catalogue import Catalogue, Entry
from mitherm.image.signature import Signature
from mitherm.model.models import LYWSD03MMC
from mitherm.ops.files.firmware import LibraryAddition, check_fit, keep
from mitherm.ops.files.images import SelectedImage
from mitherm.ops.files.library import ImageSource
from mitherm.protocol.events import Event, Notice
from mitherm.store.library import Library, LibraryEntry

RULE = "H17"


def fetch(
    images: ImageSource,
    name: str,
    *,
    now: datetime,
    web: Web | None = None,
    tell: Callable[[Event], None] = lambda event: None,
    mirror: str | None = None,
) -> LibraryAddition:
    """A file of the catalogue into the library; without network if it is there.

    Raises ImageMissing for an unknown or withdrawn file, ImageCorrupt for a download or library file that is not what
    the catalogue describes, NotSupported for dumps, NetworkUnreachable.
    """
    entry = published(images.catalogue, name)
    stored = next((file for file in images.library.entries() if file.sha256 == entry.sha256), None)
    spoiled = None if stored is None else _spoiled(images.library, stored)
    if stored is not None and spoiled is None:
        return LibraryAddition(stored, new=False)
    if spoiled is not None:
        tell(Notice("warning", f"{spoiled.message}; fetching it anew"))
    urls = addresses(entry.repository, entry.path, images.catalogue.snapshots.get(entry.repository, "HEAD"), mirror)
    try:
        # One byte more than it should have shows that a file is too long, and no publisher can fill the memory.
        data = perform(download(urls, entry.size + 1), web or StandardWeb(), person=AbsentPerson(), tell=tell)
    except (NetworkUnreachable, ImageMissing) as problem:
        if spoiled is not None:
            raise spoiled from problem
        raise
    image = images.inspected(entry.name, data)
    _check_download(entry, image)
    check_fit(image)
    return LibraryAddition(keep(images, image, now).entry, new=True)


def published(catalogue: Catalogue, name: str) -> Entry:
    """The file of this name, SHA-256 or KIND (`pvvx-5.8`, for LYWSD03MMC). Raises ImageMissing, NotSupported."""
    entry = catalogue.by_name(name) or catalogue.by_file(name.lower()) or _by_kind(catalogue, name)
    if entry is None:
        near = get_close_matches(name, [entry.name for entry in catalogue.files], 1)
        raise ImageMissing(
            f"the catalogue has no file {name!r}",
            hint=(f"Did you mean {near[0]}? " if near else "") + "`mitherm firmware list --all` shows it.",
        )
    if entry.role == "full-flash-dump":
        raise NotSupported(f"{entry.name} is a dump of somebody's whole flash: it belongs on no other unit")
    return entry


def _check_download(entry: Entry, image: SelectedImage) -> None:
    """Length and SHA-256 are those of the catalogue. Raises ImageCorrupt, which says what kind of wrong."""
    size = image.inspection.size
    if size != entry.size:
        length = f"more than {entry.size}" if size > entry.size else str(size)
        raise _refused(f"the download of {entry.name} has {length} bytes instead of {entry.size}")
    if image.inspection.sha256 != entry.sha256:
        raise _refused(f"the download of {entry.name} is {_kind_of_wrong(image)}")


def _kind_of_wrong(image: SelectedImage) -> str:
    try:
        check_fit(image)
    except BadFile:
        return "damaged: its SHA-256 is wrong, and it is no sound image either"
    return "a sound image, but not the one the catalogue describes (SHA-256): somebody changed it"


def _refused(message: str) -> ImageCorrupt:
    return ImageCorrupt(message, rule=RULE, hint="Nothing was stored. Try again, or from another --mirror.")


def _spoiled(library: Library, entry: LibraryEntry) -> ImageCorrupt | None:
    try:
        library.read(entry)
    except ImageCorrupt as problem:
        return problem
    return None


def _by_kind(catalogue: Catalogue, kind: str) -> Entry | None:
    """Of several files the genuine one: unsigned stock is refused by the units that most need it."""
    fitting = [entry for entry in catalogue.files if entry.model == LYWSD03MMC and kind.lower() in _kinds(entry)]
    return next(iter(sorted(fitting, key=lambda entry: entry.signature is not Signature.GENUINE)), None)


def _kinds(entry: Entry) -> tuple[str, ...]:
    match entry.role:
        case "custom" | "stock":
            return (f"{entry.family}-{entry.version}".lower() if entry.version else str(entry.family),)
        case "signature-block":
            return (f"sign-{entry.version}".lower(),)
    return ()
