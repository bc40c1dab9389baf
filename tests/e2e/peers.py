"""Servers on loopback: our simulator, nginx, and a peer over raw sockets that misbehaves to order."""
import atexit
import http.client
import json
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
import uuid
from pathlib import Path


# A uuid is one command's: where an answer has this one, each request gets another in its place.
SAMPLE_UUID = "42742677-adc3-54ca-83a1-5aaaf71482f8"
OK = b'{"errno":0,"error":"succ","data":{"uuid":"%s"}}' % SAMPLE_UUID.encode()
FULL = b'{"errno":5006,"error":"system logic limit"}'


class Simulator:
    def __init__(self, binary, audit_path, options):
        self.audit_path = Path(audit_path)
        self.process = subprocess.Popen(
            [binary, "simulate", "--listen", "127.0.0.1:0", "--audit", str(audit_path), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self._end)  # also where a test fails before it could stop it
        self.url = self.process.stdout.readline().strip()
        if not self.url.startswith("http://127.0.0.1:"):
            raise RuntimeError(f"no simulator: {self.url!r} {self.process.communicate()}")

    def _end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.out, self.err = self.process.communicate(timeout=60)
        return self.process.returncode

    def audit(self):
        """All requests so far. Stops the simulator, so that none is still on its way to the file."""
        self.stop()
        return [json.loads(line) for line in self.audit_path.read_text(encoding="utf-8").splitlines()]


class Nginx:
    """nginx with one answer for every POST, but for its uuid, and a log of the requests."""

    def __init__(self, folder, body=OK.decode().replace(SAMPLE_UUID, "$request_id"),
                 status=200, keepalive_requests=1000, tls=None, http2=False):
        self.folder = Path(folder)
        self.folder.mkdir()
        with socket.socket() as probe:  # nginx cannot say which port the kernel picked
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        speaks = (" ssl" if tls else "") + (" http2" if http2 else "")
        keys = f"ssl_certificate {tls.cert}; ssl_certificate_key {tls.key};" if tls else ""
        self.log = self.folder / "access.log"
        conf = self.folder / "nginx.conf"
        conf.write_text(f"""
daemon off; worker_processes 1; pid {self.folder}/pid; error_log {self.folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  log_format all '$status $request_method $request_uri $http_content_type $http_api_key $request_body_file $content_length $server_protocol';
  access_log {self.log} all;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/fastcgi; uwsgi_temp_path {self.folder}/uwsgi; scgi_temp_path {self.folder}/scgi;
  keepalive_requests {keepalive_requests};
  server {{
    listen 127.0.0.1:{self.port}{speaks};
    {keys}
    location / {{ default_type application/json; return {status} '{body}'; }}
  }}
}}
""")
        self.conf = conf
        self._launch()

    def _launch(self):
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        self.process = subprocess.Popen([binary, "-c", str(self.conf), "-p", str(self.folder), "-e",
                                         str(self.folder / "error.log")])
        end = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=60).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError("nginx did not start")

    def pause(self, seconds):
        """Ends nginx, with what it is answering, and starts it again after a while."""
        self.stop()
        time.sleep(seconds)
        self._launch()

    def requests(self):
        """The log's lines; asks nginx to end first, so that all of them are written."""
        self.stop()
        return [line for line in self.log.read_text().splitlines() if line]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Request:
    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.lines = lines[1:]
        self.method, self.target, self.version = lines[0].split(" ")
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:] if line)}
        self.body = body

    @property
    def imei(self):
        return self.target.split("imei=", 1)[1].split("&", 1)[0]


class Connection:
    """One accepted connection, with the words for what a bad peer does."""

    def __init__(self, sock, peer):
        self.sock = sock
        self.peer = peer
        self.buffer = b""

    def read_request(self):
        """The next whole request, or None when the client is gone. It counts as processed only by process()."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                return None
        head, rest = self.buffer.split(b"\r\n\r\n", 1)
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(rest) < length:
            self.buffer = head + b"\r\n\r\n" + rest
            if not self._more():
                return None
            rest = self.buffer.split(b"\r\n\r\n", 1)[1]
        self.buffer = rest[length:]
        return Request(head, rest[:length])

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except OSError:
            return False
        self.buffer += data
        return bool(data)

    def process(self, request):
        """Notes that the command was accepted and returns its uuid."""
        return self.peer.process(request)

    def send(self, data):
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def reply(self, body, status="200 OK", headers=()):
        body = body.replace(SAMPLE_UUID.encode(), str(uuid.uuid4()).encode())
        lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
        return self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def accept(self, request):
        """Processes and answers as the platform does."""
        return self.reply(success(self.process(request)))

    def forward(self, request):
        """Sends a request on to where its absolute target says, and returns the answer's body."""
        url = urllib.parse.urlsplit(request.target)
        upstream = http.client.HTTPConnection("127.0.0.1", url.port, timeout=60)
        headers = {k: v for k, v in request.headers.items() if not k.startswith("proxy-")}
        upstream.request(request.method, url._replace(scheme="", netloc="").geturl(), request.body, headers)
        body = upstream.getresponse().read()
        upstream.close()
        return body

    def tunnel(self, port):
        """Carries bytes both ways until one side ends."""
        upstream = socket.create_connection(("127.0.0.1", port), timeout=60)
        sides = {self.sock: upstream, upstream: self.sock}
        while not self.peer.stopping:
            for side in select.select(sides, [], [], 0.2)[0]:
                data = side.recv(65536)
                if not data:
                    upstream.close()
                    return
                sides[side].sendall(data)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def hold(self):
        """Stays silent until the client goes or the peer is stopped."""
        while not self.peer.stopping and self._more():
            pass


def success(command_uuid):
    return json.dumps({"errno": 0, "error": "succ", "data": {"uuid": command_uuid}}).encode()


class RawPeer:
    """Serves each connection in a thread by script(connection, number), number counting from 0."""

    def __init__(self, script, tls=None):
        self.script = script
        self.tls = tls
        self.stopping = False
        self.lock = threading.Lock()
        self.processed = []  # the requests that were accepted, in order: the oracle
        self.seen = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets = []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def process(self, request):
        with self.lock:
            self.processed.append(request)
        return str(uuid.uuid4())

    def _serve(self):
        number = 0
        while not self.stopping:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets.append(sock)
            threading.Thread(target=self._one, args=(sock, number), daemon=True).start()
            number += 1

    def _one(self, sock, number):
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self.sockets.append(sock)
            self.script(Connection(sock, self), number)
        except OSError:
            pass
        finally:
            try:
                sock.close()
            except OSError:
                pass

    def stop(self):
        self.stopping = True
        # Its thread must be out of accept() before the descriptor is free: it would serve the next peer's connections.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.thread.join(timeout=10)
        self.listener.close()
        for sock in self.sockets:
            try:
                sock.close()
            except OSError:
                pass


def answering(answers):
    """A peer's script: the n-th request (from 0) gets answers[n], (status line, body), if there is one, else success."""
    def script(connection, number):
        while (request := connection.read_request()) is not None:
            with connection.peer.lock:
                n = connection.peer.asked = getattr(connection.peer, "asked", -1) + 1
            status, body = answers.get(n, ("200 OK", OK))
            if body == OK:
                connection.process(request)
            connection.reply(body, status)
    return script


class Proxy(RawPeer):
    """Forwards absolute-form requests and CONNECT to 127.0.0.1, whatever name they ask for; notes what it sees."""

    def __init__(self, refuse=None):
        self.requests = []  # "METHOD target" of each
        self.heads = []  # their headers
        self.refuse = refuse  # a status line instead of service
        super().__init__(self._proxy)

    def _proxy(self, connection, number):
        while request := connection.read_request():
            self.requests.append(f"{request.method} {request.target}")
            self.heads.append(request.headers)
            if self.refuse:
                connection.reply(b"no", self.refuse)
            elif request.method == "CONNECT":
                connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
                return connection.tunnel(int(request.target.split(":")[1]))
            else:
                connection.reply(connection.forward(request))
