"""Elliptic curves and certificates against values that neither side of ours made: RFC 6979, RFC 5903, OpenSSL."""

from mitherm.primitives import crypto

ROOT = bytes.fromhex(
    "90a9246f674513de0511fa1d0c65868003fd14298859ec6b73925f29f6f56348"
    "203524d3eea9be9c6fd7174a7f19d1811c91df7b5922e741c23fb481c7dcd795"
)
LEAF = bytes.fromhex(
    "94aa93374ebfa9d023d7132c56a8da5a559c86edecb19ef11d6d00a85508b70b"
    "e3e9e0d8d225be643e702120e6ca72c864e4b86ce9769e5474887072de410f37"
)
CERTIFICATE = b"""\
-----BEGIN CERTIFICATE-----
MIIBBzCBrgIBBzAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARyb290MCAXDTI2MTIw
MTAzMDczNloYDzIxMjYxMTA3MDMwNzM2WjAPMQ0wCwYDVQQDDARsZWFmMFkwEwYH
KoZIzj0CAQYIKoZIzj0DAQcDQgAElKqTN06/qdAj1xMsVqjaWlWchu3ssZ7xHW0A
qFUItwvj6eDY0iW+ZD5wISDmynLIZOS4bOl2nlR0iHBy3kEPNzAKBggqhkjOPQQD
AgNIADBFAiEAk0eUThW566UvAUPS4+X2241a5n2QaRmFuuwYSrhOGRYCICGL9IVM
5hBmNzKKjZJ7HQ1J5HKi8Ahy8wuizh9yKr3X
-----END CERTIFICATE-----
"""
"""`openssl x509 -req -CA root.pem -set_serial 7 -sha256` over two fresh P-256 keys, the points of which stand above."""
SIGNATURE = bytes.fromhex(
    "304502201f54ea62c459cb0a9badb76238c6e6805b607efb5dfaff4916010963457931"
    "e1022100c1e4d2bdde5af9ba24bf0547c01ea5fa0422ab8d087013023949385007836578"
)
"""`openssl dgst -sha256 -sign leaf.key` of MESSAGE."""
MESSAGE = b"an image and its tag"


def test_signature_of_rfc_6979() -> None:
    """A.2.5, P-256, SHA-256, message "sample": public key and r, s."""
    key = crypto.private_key(bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"))
    assert crypto.public_point(key).hex() == (
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
    )
    raw = bytes.fromhex(
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
    )
    assert crypto.ecdsa_verify(crypto.public_point(key), crypto.der_signature(raw), b"sample")
    assert not crypto.ecdsa_verify(crypto.public_point(key), crypto.der_signature(raw), b"Sample")
    signed = crypto.ecdsa_raw(key, b"sample")
    assert crypto.ecdsa_verify(crypto.public_point(key), crypto.der_signature(signed), b"sample")


def test_shared_secret_of_rfc_5903() -> None:
    """8.1, 256-bit random ECP group: the initiator's key and the responder's point."""
    key = crypto.private_key(bytes.fromhex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"))
    point = bytes.fromhex(
        "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
        "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"
    )
    secret = crypto.shared_secret(key, point)
    assert secret is not None
    assert secret.hex() == "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"
    assert crypto.shared_secret(key, point[:-1] + b"\0") is None


def test_certificate_of_openssl() -> None:
    """The point of a certificate, if the issuer's point signed it; nobody else's."""
    assert crypto.certificate_point(CERTIFICATE, ROOT) == LEAF
    assert crypto.certificate_point(CERTIFICATE, LEAF) is None
    assert crypto.certificate_point(CERTIFICATE[:-60], ROOT) is None


def test_signature_of_openssl() -> None:
    """DER as OpenSSL writes it, leading zero bytes included."""
    assert crypto.ecdsa_verify(LEAF, SIGNATURE, MESSAGE)
    assert not crypto.ecdsa_verify(LEAF, SIGNATURE, MESSAGE + b"s")
    assert not crypto.ecdsa_verify(ROOT, SIGNATURE, MESSAGE)
