"""One thin door to `cryptography`: AES-CCM, RC4, ECDH and ECDSA on P-256, HKDF, HMAC, X.509.

Points are X‖Y, 64 bytes big-endian, without the 04 prefix, as Xiaomi sends them (mi-auth.md 5.2).
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

# cryptography is imported where it is used: most commands never decrypt anything, and it costs 20 ms.

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def ccm_encrypt(key: bytes, nonce: bytes, plain: bytes, aad: bytes | None, tag_length: int = 4) -> bytes:
    """AES-128-CCM; returns cipher text ‖ tag."""
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    return AESCCM(key, tag_length).encrypt(nonce, plain, aad)


def ccm_decrypt(key: bytes, nonce: bytes, cipher: bytes, aad: bytes | None, tag_length: int = 4) -> bytes | None:
    """AES-128-CCM of cipher text ‖ tag; None when the tag is wrong."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESCCM

    if len(cipher) < tag_length:
        return None
    try:
        return AESCCM(key, tag_length).decrypt(nonce, cipher, aad)
    except InvalidTag:
        return None


class CcmKey:
    """AES-128-CCM with the key set up once; raises ValueError for a key that is not 16 bytes."""

    __slots__ = ("_ccm", "_wrong_tag")

    def __init__(self, key: bytes, tag_length: int = 4) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESCCM

        if len(key) != 16:
            raise ValueError("an AES-128 key has 16 bytes")
        self._ccm = AESCCM(key, tag_length)
        self._wrong_tag = InvalidTag

    def encrypt(self, nonce: bytes, plain: bytes, aad: bytes | None) -> bytes:
        """Cipher text ‖ tag."""
        return self._ccm.encrypt(nonce, plain, aad)

    def decrypt(self, nonce: bytes, cipher: bytes, aad: bytes | None) -> bytes | None:
        """Plain text of cipher text ‖ tag; None when the tag is wrong or missing."""
        try:
            return self._ccm.decrypt(nonce, cipher, aad)
        except self._wrong_tag:
            return None


def rc4(key: bytes, data: bytes, dropped: int) -> bytes:
    """RC4 without the first `dropped` bytes of its key stream; encrypts and decrypts."""
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
    from cryptography.hazmat.primitives.ciphers import Cipher

    stream = Cipher(ARC4(key), None).encryptor()
    stream.update(bytes(dropped))
    return stream.update(data)


def hkdf(secret: bytes, salt: bytes | None, info: bytes, length: int) -> bytes:
    """HKDF-SHA256."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256, 32 bytes."""
    return hmac.new(key, message, hashlib.sha256).digest()


def same(left: bytes, right: bytes) -> bool:
    """Comparison in constant time."""
    return hmac.compare_digest(left, right)


def private_key(scalar: bytes) -> ec.EllipticCurvePrivateKey:
    """P-256 private key from a 32-byte big-endian scalar, taken modulo the group order (never 0)."""
    from cryptography.hazmat.primitives.asymmetric import ec

    number = int.from_bytes(scalar, "big") % _ORDER or 1
    return ec.derive_private_key(number, ec.SECP256R1())


def public_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The public point X‖Y, 64 bytes."""
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def point_key(point: bytes) -> ec.EllipticCurvePublicKey | None:
    """Public key from X‖Y; None when the 64 bytes are no point of the curve."""
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + point)
    except ValueError:
        return None


def shared_secret(key: ec.EllipticCurvePrivateKey, point: bytes) -> bytes | None:
    """ECDH: the X coordinate, always 32 bytes; None when `point` is not on the curve."""
    from cryptography.hazmat.primitives.asymmetric import ec

    peer = point_key(point)
    return None if peer is None else key.exchange(ec.ECDH(), peer)


def ecdsa_verify(point: bytes, signature: bytes, message: bytes) -> bool:
    """ECDSA-SHA256 with a DER signature under the public point X‖Y."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    peer = point_key(point)
    if peer is None:
        return False
    try:
        peer.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def ecdsa_sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """ECDSA-SHA256, DER; the same bytes every time (RFC 6979) where OpenSSL can do it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        return key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    except UnsupportedAlgorithm:
        return key.sign(message, ec.ECDSA(hashes.SHA256()))


def ecdsa_raw(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    """ECDSA-SHA256 as r‖s, 64 bytes big-endian."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    r, s = decode_dss_signature(ecdsa_sign(key, message))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def der_signature(raw: bytes) -> bytes:
    """r‖s (64 bytes) to DER."""
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


def certificate_point(encoded: bytes, issuer: bytes) -> bytes | None:
    """Public point of an X.509 certificate (PEM or DER) signed by the point `issuer`; None when it is not, or malformed.

    Dates and names are not looked at, as the devices do not (mi-auth.md 5.3, virtual-unit.md 5).
    """
    from cryptography import x509  # 90 ms that only certificates are worth
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        load = x509.load_pem_x509_certificate if encoded.startswith(b"-----") else x509.load_der_x509_certificate
        certificate = load(encoded)
        key = certificate.public_key()
        signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != ec.SECP256R1.name:
        return None
    numbers = key.public_numbers()
    point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    return point if ecdsa_verify(issuer, signature, signed) else None


def make_certificate(
    names: tuple[str, str],
    point: bytes,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    serial: int,
    valid: tuple[datetime.datetime, datetime.datetime],
) -> bytes:
    """DER of an X.509 certificate over a public point for (issuer name, subject name). Raises ValueError."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    public = point_key(point)
    if public is None:
        raise ValueError("not a point of P-256")
    issuer, subject = (x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in names)
    builder = x509.CertificateBuilder(issuer, subject, public, serial, *valid)
    try:
        certificate = builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=True)
    except UnsupportedAlgorithm:
        certificate = builder.sign(issuer_key, hashes.SHA256())
    return certificate.public_bytes(Encoding.DER)


def pem(certificate: bytes) -> bytes:
    """DER to PEM."""
    text = base64.b64encode(certificate)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""])
