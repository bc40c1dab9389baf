"""A program on a terminal of its own, as a person has it: what it writes can be waited for, keys can be sent."""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time


class PtySession:
    def __init__(self, words, env=None, cwd=None, columns=100, rows=30):
        self.output = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if cwd:
                os.chdir(cwd)
            os.execvpe(words[0], [str(word) for word in words], env if env is not None else os.environ)
        self.code = None
        self.resize(columns, rows)

    def resize(self, columns, rows=30):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def kill(self, number):
        os.kill(self.pid, number)

    def _read(self, timeout):
        ready, _, _ = select.select([self.fd], [], [], timeout)
        if not ready:
            return True
        try:
            part = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += part
        return bool(part)

    def wait_for(self, text, since=0, timeout=60):
        """Waits until the text has been written behind `since`; returns where that is."""
        end = time.monotonic() + timeout
        wanted = text.encode() if isinstance(text, str) else text
        while (at := self.output.find(wanted, since)) < 0:
            assert time.monotonic() < end, (text, self.output[since:][-2000:])
            if not self._read(0.2):
                at = self.output.find(wanted, since)
                assert at >= 0, (text, self.output[since:][-2000:])
                break
        return at + len(wanted)

    def finish(self, timeout=60):
        """Waits for the end; returns all that was written."""
        end = time.monotonic() + timeout
        while self._read(0.2):
            assert time.monotonic() < end, self.output[-2000:]
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        os.close(self.fd)
        return self.output

    def stop(self):
        if self.code is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                os.close(self.fd)
            except (ProcessLookupError, ChildProcessError, OSError):
                pass
            self.code = -1
