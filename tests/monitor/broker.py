"""A real mosquitto on a free loopback port, and somebody who listens to everything on it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"
WAIT_S = 45.0


def find_mosquitto() -> str | None:
    """The program, from Debian's package; installed if we may."""
    if (path := _which()) is not None or shutil.which("apt-get") is None or os.geteuid() != 0:
        return path
    with (Path(tempfile.gettempdir()) / "mitherm-install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other test processes want it too
        for command in (["update"], ["install", "-y", "--no-install-recommends", "mosquitto"]):
            if _which() is None:
                subprocess.run(["apt-get", *command], capture_output=True, check=False, timeout=300)
    return _which()


def _which() -> str | None:
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def wait_for(what: str, condition: Callable[[], Any], wait_s: float = WAIT_S) -> Any:
    """Wait until `condition` gives something true."""
    deadline = time.monotonic() + wait_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {wait_s} s: {what}")
        time.sleep(0.02)
    return found


def free_port() -> int:
    """A port nobody uses now."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])


@dataclass
class Broker:
    """mosquitto that forgets everything when it dies."""

    program: str
    folder: Path
    password: str | None = None
    tls: bool = False
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def ca_file(self) -> Path:
        """Its certificate, signed by itself."""
        return self.folder / "cert.pem"

    def start(self) -> None:
        """Returns when connections are taken."""
        self.folder.mkdir(exist_ok=True)
        lines = [
            f"listener {self.port} {HOST}",
            "persistence false",
            "set_tcp_nodelay true",
            "user root",
            "log_type none",
        ]
        lines.append(f"allow_anonymous {'false' if self.password else 'true'}")
        if self.password:
            (self.folder / "users").write_text(f"mitherm:{self.password}\n")
            subprocess.run(["mosquitto_passwd", "-U", self.folder / "users"], check=True, capture_output=True)
            lines.append(f"password_file {self.folder / 'users'}")
        if self.tls:
            _write_certificate(self.folder)
            lines += [f"certfile {self.ca_file}", f"keyfile {self.folder / 'key.pem'}"]
        (self.folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen([self.program, "-c", self.folder / "mosquitto.conf"], stdout=subprocess.DEVNULL)
        wait_for("mosquitto takes connections", self._takes_connections)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _takes_connections(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex((HOST, self.port)) == 0


class Listener:
    """Subscribes to everything, comes back by itself, remembers all messages."""

    def __init__(self, broker: Broker) -> None:
        self.messages: list[tuple[str, str, bool]] = []
        self.subscribed = threading.Event()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id="listener")
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = lambda *_: self.subscribed.set()
        self._client.on_disconnect = lambda *_: self.subscribed.clear()
        self._client.on_message = self._take
        if broker.password:
            self._client.username_pw_set("mitherm", broker.password)
        if broker.tls:
            self._client.tls_set(str(broker.ca_file))
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(HOST, broker.port)
        self._client.loop_start()
        assert self.subscribed.wait(WAIT_S)

    def publish(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """As Home Assistant would."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(WAIT_S)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def last(self, topic: str) -> str | None:
        """The last payload of a topic."""
        return next((payload for one, payload, _ in reversed(self.messages) if one == topic), None)

    def json(self, topic: str) -> list[dict[str, Any]]:
        """All payloads of a topic."""
        return [json.loads(payload) for one, payload, _ in list(self.messages) if one == topic and payload]

    def states(self, unit: str) -> list[dict[str, Any]]:
        """All states of a unit."""
        return self.json(f"mitherm/{unit}/state")

    def _take(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        self.messages.append((message.topic, message.payload.decode(), message.retain))


class Cable:
    """A way to a broker that can swallow what is sent to it, and be cut."""

    def __init__(self, broker: Broker) -> None:
        self.swallows = False
        self.swallowed = b""
        self._broker = broker
        self._ends: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()

    @property
    def port(self) -> int:
        """Where to connect to instead."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Both ends lose the connection."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, broker = await asyncio.open_connection(HOST, self._broker.port)
        self._ends += [writer, broker]
        with suppress(ConnectionError):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(reader, broker, to_broker=True))
                group.create_task(self._forward(answers, writer, to_broker=False))

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_broker: bool) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                if to_broker and self.swallows:
                    self.swallowed += data
                else:
                    writer.write(data)
        writer.close()


def _write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
