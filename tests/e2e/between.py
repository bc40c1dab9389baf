"""A proxy between the program and the simulator that changes what the platform says of its history."""
import http.client
import http.server
import json
import socket
import threading
import urllib.parse


def at_once(netloc):
    """A connection on which nothing waits for more."""
    connection = http.client.HTTPConnection(netloc, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class Between:
    """change(path, query, answer) gets each answer about the history, and returns what is said in its place; lose(n, path)
    says whether the n-th request gets no answer: "before" it was processed, or "after"."""

    def __init__(self, url, change=lambda path, query, answer: answer, lose=lambda n, path: None):
        upstream = urllib.parse.urlsplit(url).netloc
        self.calls, self.lost = [], 0
        lock, between, here = threading.Lock(), self, threading.local()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self):
                with lock:
                    between.calls.append(self.path)
                    lost = lose(len(between.calls), self.path)
                    between.lost += lost is not None
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if lost == "before":
                    self.close_connection = True
                    return
                if not hasattr(here, "connection"):
                    here.connection = at_once(upstream)
                connection = here.connection
                headers = {name: self.headers[name] for name in ("api-key", "Content-Type") if self.headers[name]}
                connection.request(self.command, self.path, body or None, headers)
                response = connection.getresponse()
                text = response.read()
                if lost == "after":
                    self.close_connection = True
                    return
                parts = urllib.parse.urlsplit(self.path)
                if "/history" in parts.path:
                    query = dict(urllib.parse.parse_qsl(parts.query))
                    text = json.dumps(change(parts.path, query, json.loads(text))).encode()
                self.send_response(response.status)  # with the Date of this machine
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
