"""A Jaeger in a few lines: its query service."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit


class FakeJaeger:
    """Answers every query for traces with one trace; keeps what was asked."""

    def __init__(self, execution, start_us=1_000_000):
        self.asked = []
        tags = [{"key": "exec_id", "type": "string", "value": execution}]
        span = {
            "traceID": "0" * 31 + "1",
            "spanID": "0" * 15 + "1",
            "operationName": "pkg.controller.Propeller/Handle",
            "references": [],
            "startTime": start_us,
            "duration": 5000,
            "tags": tags,
            "processID": "p1",
        }
        process = {"p1": {"serviceName": "flytepropeller", "tags": []}}
        trace = {"traceID": span["traceID"], "spans": [span], "processes": process}
        self.answer = {"data": [trace]}
        self.server = HTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def _handler(jaeger):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                jaeger.asked.append({k: v[0] for k, v in parse_qs(parts.query).items()})
                self.send_response(200 if parts.path == "/api/traces" else 404)
                self.end_headers()
                self.wfile.write(json.dumps(jaeger.answer).encode())

            def log_message(self, *_):
                pass

        return Handler
