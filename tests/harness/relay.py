"""A relay between pgweir and a server that may cut, hold or reword what it passes on."""
import contextlib
import socket
import threading
from typing import Callable, Iterable

from .process import listen

PIECE = 65536


class Relay:
    """Listens on loopback and passes on to `address`; what comes, either way, goes out as the pieces that `cut` makes of it."""

    def __init__(self, address: tuple[str, int], cut: Callable[[bytes], Iterable[bytes]]):
        self.address, self.cut = address, cut
        self.listener = listen()
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.address)
            except OSError:
                near.close()
                continue
            for source, target in ((near, far), (far, near)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while received := source.recv(PIECE):
                for piece in self.cut(received):
                    target.sendall(piece)
        except OSError:
            pass
        # What another thread waits for goes on after a close() alone.
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
