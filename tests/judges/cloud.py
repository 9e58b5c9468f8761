"""Judge of the account service: how requests are signed and encrypted, answers decrypted."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from urllib.parse import urlsplit

from judges._cases import Case, Problem, each
from mitherm.cloud.hosts import Hosts
from mitherm.cloud.signing import decrypt, encrypt, signed_form, signed_nonce


def problem(case: Case) -> Problem:
    """Both sides of one exchange: the form that is sent, what the service reads in it, and the answer."""
    secret, nonce = b64decode(case["ssecurity_b64"]), b64decode(case["nonce_b64"])
    key = signed_nonce(secret, nonce)
    path = case.get("path") or urlsplit(case["url"]).path.removeprefix("/app")
    if "signed_nonce_b64" in case and b64encode(key).decode() != case["signed_nonce_b64"]:
        return f"signed nonce {b64encode(key).decode()}"
    asked = Hosts().api_url(case.get("region", "cn"), path)
    if "url" in case and urlsplit(asked).path != urlsplit(case["url"]).path:
        return f"would ask {asked}"
    if "form" in case:
        wrong = _form_problem(case, path, key, signed_form(path, case["data"], secret, nonce))
        if wrong:
            return wrong
    return _answer_problem(case, key)


def _form_problem(case: Case, path: str, key: bytes, form: dict[str, str]) -> Problem:
    wrong = {name: form.get(name) for name, value in case["form"].items() if form.get(name) != value}
    if wrong or form.keys() != case["form"].keys():
        return f"form {wrong or sorted(form)}"
    if decrypt(form["data"].encode(), key).decode() != case["data"]:
        return "the service would read other data"
    text = f"POST&{path}&data={case['data']}&{b64encode(key).decode()}"
    if decrypt(form["rc4_hash__"].encode(), key) != b64encode(hashlib.sha1(text.encode()).digest()):
        return "the service would refuse rc4_hash__"
    return None


def _answer_problem(case: Case, key: bytes) -> Problem:
    if "response_cipher_b64" not in case:
        return None
    plain = decrypt(case["response_cipher_b64"].encode(), key).decode()
    if plain != case["response_plain"]:
        return f"answer read as {plain!r}"
    sealed = encrypt(case["response_plain"].encode(), key)
    return None if sealed == case["response_cipher_b64"] else f"answer sealed as {sealed}"


AREAS = {"mi-auth-cloud": each(problem)}
