"""An OpenID provider on loopback, and a guard before a FlyteAdmin that wants its tokens."""

import base64
import hashlib
import json
import secrets
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import grpc
from flyteidl.service import auth_pb2, auth_pb2_grpc

CLIENT, SECRET = "flyteperf", "a secret: 100%"
HEADER = "flyte-authorization"


class Login(grpc.ServerInterceptor, auth_pb2_grpc.AuthMetadataServiceServicer):
    """Gives tokens for a client's secret, and for a code with the right verifier (PKCE)."""

    def __init__(self):
        self.tokens = set()
        self.granted = []
        self._challenges = {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.callback = f"http://127.0.0.1:{free.getsockname()[1]}/callback"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add_to(self, server):
        auth_pb2_grpc.add_AuthMetadataServiceServicer_to_server(self, server)

    def intercept_service(self, continuation, details):
        told = dict(details.invocation_metadata)
        allowed = told.get(HEADER, "").removeprefix("Bearer ") in self.tokens
        if allowed or "AuthMetadataService" in details.method:
            return continuation(details)
        refuse = lambda _, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")  # noqa: E731
        return grpc.unary_unary_rpc_method_handler(refuse)

    def GetOAuth2Metadata(self, _request, _context):
        return auth_pb2.OAuth2MetadataResponse(
            token_endpoint=f"{self.url}/token", authorization_endpoint=f"{self.url}/authorize"
        )

    def GetPublicClientConfig(self, _request, _context):
        return auth_pb2.PublicClientAuthConfigResponse(
            client_id=CLIENT,
            redirect_uri=self.callback,
            scopes=["all"],
            authorization_metadata_key=HEADER,
        )

    def _grant(self, kind):
        token = secrets.token_hex(8)
        self.tokens.add(token)
        self.granted.append(kind)
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def _by_secret(self, authorization):
        user, _, secret = (
            base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        )
        return (user, parse_qs(f"s={secret}")["s"][0]) == (CLIENT, SECRET)

    def _by_code(self, form):
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return self._challenges.pop(form["code"], None) == challenge

    def _handler(login):
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                code = secrets.token_hex(8)
                login._challenges[code] = query["code_challenge"]
                back = urlencode({"code": code, "state": query["state"]})
                self.send_response(302)
                self.send_header("Location", f"{query['redirect_uri']}?{back}")
                self.end_headers()

            def do_POST(self):
                length = int(self.headers["Content-Length"])
                form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
                if form["grant_type"] == "client_credentials":
                    right = login._by_secret(self.headers.get("Authorization", ""))
                else:
                    right = login._by_code(form)
                self.send_response(200 if right else 401)
                self.end_headers()
                answer = login._grant(form["grant_type"]) if right else {"error": "invalid_client"}
                self.wfile.write(json.dumps(answer).encode())

        return Handler
