"""A server that plays the account service by mi-auth.md 10.2, with its moods: pending scans, second factor, captcha, limits.

Its cryptography is its own, so that a shared mistake cannot hide.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

USER, ACCOUNT, PASSWORD = "6001234567", "owner@example.org", "correct horse"
SSECURITY = bytes(range(1, 17))
TOKEN_COOKIE = "service-token/+=="
PREFIX = b"&&&START&&&"
THERMOMETER = {
    "name": "Bedroom",
    "did": "blt.3.1abcdefgh1234",
    "mac": "A4:C1:38:00:00:01",
    "model": "miaomiaoce.sensor_ht.t2",
    "token": "0102030405060708090a0b0c",
    "localip": "",
}
LAMP = {"name": "Lamp", "did": "123456789", "mac": "50:EC:50:00:00:09", "model": "yeelink.light", "token": "ab" * 16}
BEACON_KEY = "53de43ccbdd6f6f1d46164d400112233"


def rc4(key: bytes, data: bytes) -> bytes:
    """RC4 with 1024 bytes dropped, written out."""
    box, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) & 255
        box[i], box[j] = box[j], box[i]
    i = j = 0
    for byte in bytes(1024) + data:
        i = (i + 1) & 255
        j = (j + box[i]) & 255
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) & 255])
    return bytes(out[1024:])


@dataclass
class Mood:
    """What the service knows and how it behaves."""

    homes: dict[str, dict[str, list[dict[str, Any]]]] = field(
        default_factory=lambda: {"de": {"77": [THERMOMETER, LAMP]}}
    )
    """Region -> home -> units."""
    shared: dict[str, dict[str, tuple[str, list[dict[str, Any]]]]] = field(default_factory=dict)
    """Region -> home of somebody else -> (owner, units)."""
    beacon_keys: dict[str, str] = field(default_factory=lambda: {THERMOMETER["did"]: BEACON_KEY})
    pending_polls: int = 2
    poll: str = "answer"
    """answer, hang, gone or never."""
    scan_timeout: int = 300
    second_factor: str = "none"
    """none, once (passed in the browser) or always."""
    captcha: bool = False
    limited: bool = False
    expired: bool = False
    broken: str = ""
    """portal: an HTML page instead of JSON; garbage: undecipherable API answers; 503."""
    location: str = ""
    """Where a login leads; empty: to the genuine place."""
    unwilling_regions: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)
    """METHOD path of every request, in order."""
    wrong: list[str] = field(default_factory=list)
    """What no genuine client would send."""
    factor_passed: bool = False


class Handler(BaseHTTPRequestHandler):
    """One request."""

    mood: Mood
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    # --- plumbing -----------------------------------------------------------------------------------------------------

    def reply(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, document: dict[str, Any], **headers: str) -> None:
        self.reply(PREFIX + json.dumps(document).encode(), **headers)

    @property
    def base(self) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host}:{port}"

    @property
    def cookies(self) -> dict[str, str]:
        pairs = (one.partition("=") for one in self.headers.get("Cookie", "").split("; ") if one)
        return {name: value for name, _, value in pairs}

    def blocked(self, path: str) -> bool:
        self.mood.asked.append(f"{self.command} {path}")
        if self.mood.limited:
            self.reply(b"slow down", 429)
        elif self.mood.broken == "503":
            self.reply(b"", 503)
        elif self.mood.broken == "portal":
            self.reply(b"<html>Welcome to the hotel</html>")
        else:
            return False
        return True

    # --- account ------------------------------------------------------------------------------------------------------

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        if self.blocked(parts.path):
            return
        match parts.path:
            case "/longPolling/loginUrl":
                self.offer(query)
            case "/longPolling/poll":
                self.polled()
            case "/pass/serviceLogin":
                if query.get("sid") != "xiaomiio" or query.get("_json") != "true":
                    self.mood.wrong.append(self.path)
                self.answer({"code": 70016, "_sign": "sign/+="}, Set_Cookie="step=1; Path=/")
            case "/sts":
                self.reply(b"ok", 302, Location="/sts/2", Set_Cookie="other=1; Path=/; HttpOnly")
            case "/sts/2":
                self.reply(b"ok", Set_Cookie=f"serviceToken={TOKEN_COOKIE}; Path=/; HttpOnly")
            case _:
                self.reply(b"", 404)

    def offer(self, query: dict[str, str]) -> None:
        if query.get("sid") != "xiaomiio" or not query.get("callback"):
            self.mood.wrong.append(self.path)
        poll = f"{self.base}/longPolling/poll?k=1"
        shown = f"{self.base}/longPolling/login?ticket=lp_1"
        self.answer(
            {"code": 0, "qr": f"{self.base}/qr.png", "loginUrl": shown, "lp": poll, "timeout": self.mood.scan_timeout}
        )

    def polled(self) -> None:
        mood = self.mood
        if mood.poll == "gone":
            self.reply(b"", 404)
        elif mood.poll == "hang":
            mood.poll = "answer"
            time.sleep(0.3)
            self.answer({})
        elif mood.poll == "never" or mood.pending_polls > 0:
            mood.pending_polls -= 1
            self.answer({"code": 1})
        else:
            self.answer(self.session())

    def session(self) -> dict[str, Any]:
        return {
            "code": 0,
            "userId": int(USER),
            "ssecurity": b64encode(SSECURITY).decode(),
            "passToken": "pass-token",
            "location": self.mood.location or f"{self.base}/sts?d=wb",
        }

    def log_in(self, form: dict[str, str]) -> None:
        mood = self.mood
        if self.cookies.get("step") != "1" or form.get("_sign") != "sign/+=" or not self.cookies.get("deviceId"):
            mood.wrong.append("login without sign or cookies")
        if form.get("hash") != hashlib.md5(PASSWORD.encode()).hexdigest().upper() or form.get("user") != ACCOUNT:
            self.answer({"code": 70016, "desc": "wrong", "location": "", "captchaUrl": None})
        elif mood.captcha:
            self.answer({"code": 87001, "captchaUrl": "/pass/getCode?icodeType=login"})
        elif mood.second_factor == "always" or (mood.second_factor == "once" and not mood.factor_passed):
            self.answer({"code": 0, "notificationUrl": "/identity/authStart?context=c1"})
        else:
            self.answer(self.session())

    # --- API ----------------------------------------------------------------------------------------------------------

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if self.blocked(parts.path):
            return
        if parts.path == "/pass/serviceLoginAuth2":
            self.log_in(form)
            return
        _, region, app, path = parts.path.split("/", 3)
        if app != "app":
            self.reply(b"", 404)
            return
        self.call(region, f"/{path}", form)

    def call(self, region: str, path: str, form: dict[str, str]) -> None:
        nonce = b64decode(form["_nonce"])
        key = hashlib.sha256(SSECURITY + nonce).digest()
        data = self.opened(path, form, key)
        wanted = {"userId": USER, "serviceToken": TOKEN_COOKIE, "yetAnotherServiceToken": TOKEN_COOKIE}
        fresh = abs(int.from_bytes(nonce[8:], "big") * 60 - time.time()) < 180
        authentic = data is not None and fresh and wanted.items() <= self.cookies.items()
        if self.headers.get("MIOT-ENCRYPT-ALGORITHM") != "ENCRYPT-RC4":
            self.mood.wrong.append("no MIOT-ENCRYPT-ALGORITHM")
        if self.mood.expired or not authentic:
            self.reply(json.dumps({"code": 3, "message": "auth err"}).encode(), 401 if self.mood.expired else 200)
            return
        answer = self.result(region, path, json.loads(data or "null"))
        sealed = b64encode(rc4(key, json.dumps(answer).encode()))
        self.reply(b"!!!" if self.mood.broken == "garbage" else sealed)

    def opened(self, path: str, form: dict[str, str], key: bytes) -> str | None:
        """The data; None if anything about the signature is wrong."""

        def signed(fields: dict[str, str]) -> str:
            pairs = [f"{name}={value}" for name, value in fields.items()]
            text = "&".join(["POST", path, *pairs, b64encode(key).decode()])
            return b64encode(hashlib.sha1(text.encode()).digest()).decode()

        data = rc4(key, b64decode(form["data"])).decode("utf-8", "replace")
        hashed = rc4(key, b64decode(form["rc4_hash__"])).decode("utf-8", "replace")
        right = (
            hashed == signed({"data": data})
            and form["signature"] == signed({"data": form["data"], "rc4_hash__": form["rc4_hash__"]})
            and form["ssecurity"] == b64encode(SSECURITY).decode()
        )
        return data if right else None

    def result(self, region: str, path: str, data: dict[str, Any]) -> dict[str, Any]:
        mood = self.mood
        if region in mood.unwilling_regions:
            return {"code": -8, "message": "data error"}
        own, shared = mood.homes.get(region, {}), mood.shared.get(region, {})
        match path:
            case "/v2/homeroom/gethome":
                return _good({"homelist": [{"id": home} for home in own]})
            case "/v2/user/get_device_cnt":
                family = [{"home_id": int(home), "home_owner": int(owner)} for home, (owner, _) in shared.items()]
                return _good({"share": {"share_family": family}})
            case "/v2/home/home_device_list":
                owner, home = str(data["home_owner"]), str(data["home_id"])
                if owner == USER:
                    return _good({"device_info": own.get(home, [])})
                known, units = shared.get(home, ("", []))
                return _good({"device_info": units if owner == known else []})
            case "/v2/device/blt_get_beaconkey":
                if "blt" not in data["did"]:
                    mood.wrong.append(f"beacon key of {data['did']}")
                found = mood.beacon_keys.get(data["did"])
                return _good({"beaconkey": found}) if found else {"code": -6, "message": "invalid arg"}
        return {"code": -1, "message": "no such path"}


def _good(result: dict[str, Any]) -> dict[str, Any]:
    return {"code": 0, "message": "ok", "result": result}


@contextmanager
def service(mood: Mood) -> Iterator[str]:
    """The service on this computer; its base address."""
    with serving(type("Service", (Handler,), {"mood": mood})) as base:
        yield base


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Any handler as a server; its base address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
