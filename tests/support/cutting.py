"""A wire between a client and a PostgreSQL server that can be cut when a word has gone over it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class Wire:
    """Forwards everything, until `word` was sent: the server still gets it, its answer is lost.

    Args:
        port: The server's.
    """

    def __init__(self, port: int) -> None:
        self.word: bytes | None = None
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._answers, args=(server, client), daemon=True).start()
            threading.Thread(target=self._questions, args=(client, server), daemon=True).start()

    def _questions(self, client: socket.socket, server: socket.socket) -> None:
        """From the client to the server, whichever of them hangs up."""
        with suppress(OSError):
            while sent := _heard(client):
                cut = self.word is not None and self.word in sent
                if cut:
                    self.word = None
                    client.shutdown(socket.SHUT_RDWR)
                server.sendall(sent)
                if cut:
                    break
            server.shutdown(socket.SHUT_WR)

    def _answers(self, server: socket.socket, client: socket.socket) -> None:
        """From the server to the client, if that is still there."""
        while told := _heard(server):
            with suppress(OSError):
                client.sendall(told)
        server.close()
        client.close()


def _heard(wire: socket.socket) -> bytes:
    try:
        return wire.recv(1 << 16)
    except OSError:
        return b""
