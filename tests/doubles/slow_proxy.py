"""A loopback proxy that hands every piece of a request on later: an object store far away."""

import socket
import socketserver
import threading
import time
from contextlib import contextmanager, suppress


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection(self.server.target) as upstream:
            answering = threading.Thread(target=_copy, args=(upstream, self.request, 0.0))
            answering.start()
            _copy(self.request, upstream, self.server.delay_s)
            answering.join()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


def _copy(source, target, delay_s):
    with suppress(OSError):
        while data := source.recv(1 << 16):
            time.sleep(delay_s)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def slow_proxy(host, port, delay_s):
    """The port of a proxy to `host:port`, while in the block."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.target, server.delay_s = (host, port), delay_s
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()
