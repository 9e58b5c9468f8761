"""The owner's Xiaomi account, as the operating system reaches it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Final

from mitherm.cloud.driver import AbsentPerson, Person
from mitherm.cloud.hosts import REGIONS, Hosts
from mitherm.cloud.password_login import Credentials
from mitherm.cloud.session import Ground
from mitherm.cloud.web import StandardWeb
from mitherm.ops.bench import Stores
from mitherm.ops.keys import account
from mitherm.ops.keys.account import KeyFetch, Service
from mitherm.protocol.events import Event

LOCAL_SERVICE: Final = "MITHERM_CLOUD_URL"
"""A server on this computer that plays the service; for tests."""


def fetch_keys(
    stores: Stores,
    *,
    person: Person | None = None,
    regions: Sequence[str] = REGIONS,
    credentials: Credentials | None = None,
    tell: Callable[[Event], None] = lambda event: None,
) -> KeyFetch:
    """Token and bind key of all Bluetooth units of an account into the vault. It blocks: use `asyncio.to_thread` in a loop.

    `person` is shown a QR code to scan, unless there are `credentials`. Nothing of the login is kept. Raises CloudError,
    NetworkUnreachable, AnswerNeeded, DiskProblem; KeysMissing when the account has no such unit.
    """
    local = os.environ.get(LOCAL_SERVICE)
    ground = Ground(os.urandom, time.time, Hosts.local(local) if local else Hosts())
    service = Service(ground, StandardWeb(), person or AbsentPerson(), tell)
    return account.fetch_keys(service, stores.vault, regions=regions, credentials=credentials)
