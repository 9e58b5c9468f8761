"""Reports as lines of text, to standard output or any other text stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TextIO, TypeAlias

from mitherm.model.report import Report
from mitherm.publish.sink import Sink

Encode: TypeAlias = Callable[[Report], str]


class LineSink(Sink):
    """Writes in a thread: a reader that does not read holds up nobody else. A closed pipe raises BrokenPipeError."""

    def __init__(self, name: str, stream: TextIO, encode: Encode, header: str = "") -> None:
        super().__init__(name)
        self._stream = stream
        self._encode = encode
        self._header = header

    async def run(self) -> None:
        """See Sink.run."""
        if self._header:
            await asyncio.to_thread(self._write, self._header)
            self._header = ""
        while batch := await self.feed.batch():
            await asyncio.to_thread(self._write, "".join(map(self._encode, batch)))
            self.sent += len(batch)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
