"""A private certificate authority, made with openssl for each test run."""
import ssl
import subprocess
from pathlib import Path

HERE = "IP:127.0.0.1,DNS:localhost,DNS:platform.test"
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Certificate:
    def __init__(self, cert, key):
        self.cert = cert
        self.key = key

    def context(self, newest=None):
        """For a Python server; `newest` is the newest TLS version that it speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if newest:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest
        context.load_cert_chain(self.cert, self.key)
        return context


class Authority:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.count = 0
        self.ca = self.folder / "ca.pem"
        openssl("req", "-x509", *NEW_KEY, "-keyout", self.folder / "ca.key", "-out", self.ca, "-days", 2,
                "-subj", "/CN=nbatch test authority")

    def issue(self, names=HERE, days=2):
        """A certificate for these names; with negative days it has expired."""
        self.count += 1
        stem = self.folder / f"server{self.count}"
        key, request, cert, extensions = (stem.with_suffix(s) for s in (".key", ".csr", ".pem", ".ext"))
        extensions.write_text(f"subjectAltName={names}\n")
        openssl("req", *NEW_KEY, "-keyout", key, "-out", request, "-subj", "/CN=nbatch test")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
                "-days", days, "-extfile", extensions, "-out", cert)
        return Certificate(cert, key)

    def self_signed(self, names=HERE):
        cert, key = self.folder / "self.pem", self.folder / "self.key"
        openssl("req", "-x509", *NEW_KEY, "-keyout", key, "-out", cert, "-days", 2, "-subj", "/CN=nbatch test",
                "-addext", f"subjectAltName={names}")
        return Certificate(cert, key)
