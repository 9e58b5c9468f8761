"""What the known keys of one unit open: the one place that answers "who can log in to it" and "who can read it"."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from mitherm.model.record import KeyGeneration
from mitherm.primitives.secret import Secret


@dataclass(frozen=True, slots=True)
class LoginToken:
    """A token (12 bytes) that a unit may accept, and the generation it belongs to."""

    secret: Secret
    generation: KeyGeneration


@dataclass(frozen=True, slots=True)
class Access:
    """The generations of one unit, each kind ranked: the likeliest to be in use first, superseded ones last.

    A login needs a token; a bind key reads beacons and opens no door (mi-auth.md 4).
    """

    generations: tuple[KeyGeneration, ...] = ()
    """Mi keys: what stock firmware holds."""
    beacon_keys: tuple[KeyGeneration, ...] = ()
    """pvvx' own bind keys."""

    @property
    def current(self) -> KeyGeneration | None:
        """The Mi keys the unit most likely holds; None if all were superseded."""
        return _current(self.generations)

    @property
    def current_beacon_key(self) -> KeyGeneration | None:
        """The same for pvvx' own bind key."""
        return _current(self.beacon_keys)

    @property
    def tokens(self) -> tuple[LoginToken, ...]:
        """Every token worth a try, the likeliest first; the same one again for each generation that has it."""
        tokens = ((item.keys.login_token, item) for item in self.generations)
        return tuple(LoginToken(token, generation) for token, generation in tokens if token is not None)

    @property
    def current_token(self) -> LoginToken | None:
        """The token the unit most likely holds; None where there is none, or all were superseded."""
        return next((token for token in self.tokens if token.generation.may_be_held), None)

    @property
    def can_log_in(self) -> bool:
        """Whether there is a token that the unit is not known to have given up."""
        return self.current_token is not None

    @property
    def pairs(self) -> tuple[KeyGeneration, ...]:
        """Generations that hold token and bind key, and so fill a key record."""
        return tuple(generation for generation in self.generations if generation.keys.complete)

    @property
    def current_pair(self) -> KeyGeneration | None:
        """The pair the unit most likely holds; None if all were superseded."""
        return _current(self.pairs)

    @property
    def current_bind_key(self) -> KeyGeneration | None:
        """The likeliest keys of stock firmware that read its beacons."""
        return _current(tuple(generation for generation in self.generations if generation.keys.bind_key is not None))

    @property
    def bind_keys(self) -> tuple[Secret, ...]:
        """Every bind key the unit may encrypt with, the likeliest first, beacon keys included; no duplicates."""
        keys = (generation.keys.bind_key for generation in (*self.generations, *self.beacon_keys))
        return tuple(dict.fromkeys(key for key in keys if key is not None))

    def without(self, tokens: Collection[Secret]) -> Access:
        """The same, less the generations of tokens that a unit refused."""
        return replace(
            self,
            generations=tuple(generation for generation in self.generations if generation.keys.token not in tokens),
        )


def _current(ranked: tuple[KeyGeneration, ...]) -> KeyGeneration | None:
    return next((generation for generation in ranked if generation.may_be_held), None)
