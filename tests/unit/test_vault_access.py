"""What the keys of the vault open, and copies of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mitherm.model.address import Address
from mitherm.model.keys import MiKeys
from mitherm.primitives.secret import Secret
from mitherm.store.vault import Vault

UNIT = Address.parse("A4:C1:38:01:02:03")
NOW = datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC)
HOUR = timedelta(hours=1)


def mi_keys(number: int, did: str | None = "blt.3.1abcdefghijkl") -> MiKeys:
    return MiKeys(Secret(bytes([number] * 12)), Secret(bytes([number + 1] * 16)), did)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "vault")


def test_a_bind_key_opens_no_door(vault: Vault) -> None:
    """It reads; a token logs in; both of one or of two generations."""
    assert not vault.access(UNIT).can_log_in
    vault.add(UNIT, MiKeys(bind_key=mi_keys(1).bind_key), "import", NOW)
    access = vault.access(UNIT)
    assert (access.can_log_in, access.tokens, access.bind_keys) == (False, (), (mi_keys(1).bind_key,))
    vault.add(UNIT, MiKeys(token=mi_keys(1).token), "typed", NOW)
    access = vault.access(UNIT)
    assert (access.can_log_in, access.bind_keys, access.pairs) == (True, (mi_keys(1).bind_key,), ())
    assert [token.secret for token in access.tokens] == [mi_keys(1).token]


@pytest.mark.parametrize("filler", [0x00, 0xFF])
def test_a_placeholder_is_no_token(vault: Vault, filler: int) -> None:
    """Zeros and blank flash stand for none."""
    vault.add(UNIT, MiKeys(token=Secret(bytes([filler] * 12))), "import", NOW)
    assert not vault.access(UNIT).can_log_in and not vault.access(UNIT).tokens


def test_tokens_that_were_given_up_are_tried_last_and_promise_nothing(vault: Vault) -> None:
    """Superseded generations stay worth a try."""
    vault.supersede(vault.add(UNIT, mi_keys(1), "unit", NOW), NOW)
    assert not vault.access(UNIT).can_log_in and len(vault.access(UNIT).tokens) == 1
    vault.add(UNIT, mi_keys(5), "unit", NOW + HOUR)
    access = vault.access(UNIT)
    assert access.can_log_in
    assert [token.secret for token in access.tokens] == [mi_keys(5).token, mi_keys(1).token]
    assert access.without({mi_keys(5).token}).can_log_in is False


def test_a_copy_of_the_vault_is_independent(vault: Vault, tmp_path: Path) -> None:
    """Marks come along; what is added to the copy stays there."""
    vault.supersede(vault.add(UNIT, mi_keys(1), "unit", NOW), NOW)
    copy = vault.copy(tmp_path / "copy")
    assert copy.access(UNIT) == vault.access(UNIT)
    copy.add(UNIT, mi_keys(3), "unit", NOW + HOUR)
    assert not vault.access(UNIT).can_log_in and copy.access(UNIT).can_log_in
    assert Vault(tmp_path / "none").copy(tmp_path / "nothing").units() == ()
