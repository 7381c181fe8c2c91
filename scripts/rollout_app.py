"""The service that bench-rollout.sh replaces: MODE says what it does on SIGTERM, BOOT how many seconds it starts.

graceful: answers what is under way, then ends. abrupt: ends at once. deaf: goes on until it is killed.
"""

import http.server
import os
import signal
import socketserver
import threading
import time

MODE, VERSION = os.environ["MODE"], os.environ["VERSION"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(2)
        if self.path == "/bad" or (self.path == "/health" and os.environ.get("BAD")):
            self.send_error(500)
            return
        body = VERSION.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = MODE != "graceful"
    request_queue_size = 256


def stop(*_):
    if MODE == "abrupt":
        os._exit(0)
    threading.Thread(target=server.shutdown).start()


signal.signal(signal.SIGTERM, signal.SIG_IGN if MODE == "deaf" else stop)
time.sleep(float(os.environ.get("BOOT", "2")))
server = Server(("", 8080), Handler)
server.serve_forever()
