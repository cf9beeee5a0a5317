"""The end of a WebSocket that a kubelet serves for `portforward`: frames of channel and bytes."""

import base64
import hashlib
import socket
import struct
import threading
from contextlib import suppress

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BINARY, CLOSE = 2, 8


def serve(request, port, lead_to):
    """Answer an HTTP request to upgrade, then carry bytes to and from a port of this machine."""
    key = request.headers["Sec-WebSocket-Key"] + _GUID
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()  # noqa: S324 - RFC 6455
    request.send_response(101)
    request.send_header("Upgrade", "websocket")
    request.send_header("Connection", "Upgrade")
    request.send_header("Sec-WebSocket-Accept", accept)
    request.send_header("Sec-WebSocket-Protocol", "v4.channel.k8s.io")
    request.end_headers()
    request.close_connection = True
    with suppress(OSError):  # whoever only tried is gone already
        for channel in (0, 1):  # data and errors begin with the number of their port
            _send(request.wfile, bytes((channel,)) + struct.pack("<H", port))
    with socket.create_connection(("127.0.0.1", lead_to)) as server:
        answering = threading.Thread(target=_answers, args=(server, request.wfile), daemon=True)
        answering.start()
        with suppress(OSError):
            while (data := _receive(request.rfile)) is not None:
                server.sendall(data[1:])
            server.shutdown(socket.SHUT_RDWR)
        answering.join()


def _answers(server, out):
    with suppress(OSError, ValueError):
        while data := server.recv(1 << 16):
            _send(out, b"\0" + data)
        _send(out, b"", CLOSE)


def _send(out, payload, opcode=BINARY):
    size = len(payload)
    kind = bytes((0x80 | opcode,))
    if size < 126:
        head = kind + bytes((size,))
    elif size < 1 << 16:
        head = kind + struct.pack(">BH", 126, size)
    else:
        head = kind + struct.pack(">BQ", 127, size)
    out.write(head + payload)
    out.flush()


def _receive(source):
    """Payload of the next binary frame; None at the end."""
    head = source.read(2)
    if len(head) < 2 or head[0] & 0x0F == CLOSE:
        return None
    size = head[1] & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", source.read(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", source.read(8))
    mask = source.read(4)
    masked = source.read(size)
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))
