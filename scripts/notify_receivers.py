"""Receivers of messages for prove-notify.sh: a mail server with STARTTLS and a login (aiosmtpd), and one that takes JSON.

usage: notify_receivers.py DIR     (reads cert.pem and key.pem of DIR; writes ports, letters/ and json/)
"""

import http.server
import json
import pathlib
import socket
import ssl
import sys
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

base = pathlib.Path(sys.argv[1])
for name in ("letters", "json"):
    (base / name).mkdir(exist_ok=True)


class Letters:
    """Keeps each letter; the first one with `drop` in its subject is lost after DATA, as by a server that dies."""

    def __init__(self):
        self.count = 0
        self.dropped = False

    async def handle_DATA(self, server, session, envelope):
        if b"drop-once" in envelope.content and not self.dropped:
            self.dropped = True
            server.transport.abort()
            return "451 lost"
        self.count += 1
        (base / "letters" / f"{self.count}.eml").write_bytes(envelope.content)
        return "250 kept"


def login(server, session, envelope, mechanism, data):
    right = data.login == b"stagegate" and data.password == b"canary-mail-5d1f"
    return AuthResult(success=right, handled=right)


def free_port():
    """Returns a port that nobody listens at: the controller connects to the one that it was given, and knows no other."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def mail_server():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(base / "cert.pem", base / "key.pem")
    controller = Controller(
        Letters(), hostname="127.0.0.1", port=free_port(), tls_context=context, require_starttls=True,
        authenticator=login, auth_required=True, auth_require_tls=True,
    )
    controller.start()
    return controller.port


class Json(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        number = len(list((base / "json").iterdir())) + 1
        text = {"path": self.path, "headers": dict(self.headers), "body": json.loads(body)}
        (base / "json" / f"{number}.json").write_text(json.dumps(text))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Json)
threading.Thread(target=server.serve_forever, daemon=True).start()
mail = mail_server()
(base / "ports.new").write_text(f"mail={mail}\njson={server.server_port}\n")
(base / "ports.new").rename(base / "ports")
time.sleep(600)
