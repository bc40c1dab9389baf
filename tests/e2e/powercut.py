"""What a disk may hold after a power cut, from the system calls of a run (strace) up to then.

    run.start(before=record("trace"))
    for cut in cuts(Disk(folder), Trace("trace")):
        files = cut.state(dice, "pages", header)   # path -> bytes

What was synced is there. What was not may be missing, there in part, or there; a file that was created, renamed or removed may
be so or not before its folder was synced. What the program stores in mapped pages is not seen: they hold anything.
"""
import re
import struct

import xxhash

PAGE = 4096
CHOICES = ("none", "all", "prefix", "pages")  # of what was not synced
CALLS = "openat,write,pwrite64,fdatasync,fsync,ftruncate,fallocate,rename,unlink,sendto"
OTHER_BOOT = b"00000000-0000-0000-0000-000000000000"
BOOT_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def record(out, *words):
    """The command that runs another one and records what Trace reads."""
    return ["strace", "-f", "-qq", "-y", "-xx", "-s", "10000000", "-e", f"trace={CALLS}", "-o", out, *words]


def unhex(text):
    return bytes.fromhex(text.replace("\\x", "")) if "\\x" in text else text.encode()


class Call:
    """One system call: `begun` and `ended` are its places in the order of all beginnings and ends."""

    def __init__(self, name, arguments, begun):
        self.name, self.begun, self.ended, self.result = name, begun, None, None
        self.path = unhex(match[1]).decode() if (match := re.match(r"\d+<([^>]*)>", arguments)) else None
        self.texts = [unhex(text) for text in re.findall(r'"((?:[^"\\]|\\.)*)"', arguments)]
        self.arguments = arguments

    def number(self, place):
        return int(re.match(r"-?\d+", re.sub(r'"[^"]*"', '""', self.arguments).split(", ")[place])[0])


class Trace:
    """The calls of a trace in the order of their beginnings; those that did not end have no `ended`."""

    def __init__(self, path, place=0):
        self.calls, open_calls = [], {}
        with open(path, encoding="latin-1") as file:
            for line in file:
                pid, text = line.split(None, 1)
                if text.startswith(("+++", "---")):
                    continue
                place += 1
                if text.startswith("<..."):
                    call, rest = open_calls.pop(pid), text.split("resumed>", 1)[1]
                else:
                    name, rest = text.split("(", 1)
                    call = Call(name, rest, place)
                    self.calls.append(call)
                    if rest.rstrip().endswith("<unfinished ...>"):
                        open_calls[pid] = call
                        continue
                match = re.search(r"\) += (-?\d+|\?)", rest)
                if match and match[1] != "?":
                    call.ended, call.result = place, int(match[1])
                    if call.name == "openat":
                        call.path = unhex(re.search(r"= \d+<([^>]*)>", rest)[1]).decode() if call.result >= 0 else None
        self.end = place + 1


class File:
    """A file's bytes, as the program sees them and as the disk surely has them."""

    def __init__(self, data=b"", synced=None):
        self.seen, self.synced = bytearray(data), bytearray(data if synced is None else synced)
        self.snapshots = None  # where a journal's begin: what is before is mapped, and not known
        self.run_id = None


def put(data, offset, piece):
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    data[offset:offset + len(piece)] = piece


class Disk:
    """Follows the calls of one or more traces, in their order."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.files, self.names, self.synced_names, self.pending = {}, {}, {}, []
        self.sent = []  # what was sent to the server
        self.begun_syncs = {}

    def begin(self, call):
        if call.name in ("fdatasync", "fsync") and call.path in self.names:
            self.begun_syncs[call.begun] = (self.names[call.path], bytes(self.names[call.path].seen))
        elif call.name in ("fdatasync", "fsync") and call.path == self.folder:
            self.begun_syncs[call.begun] = (None, len(self.pending))
        elif call.name == "sendto":
            self.sent.append(call.texts[0])

    def end(self, call):
        name = call.name
        if call.result is None or call.result < 0:
            return
        if name == "openat":
            self._opened(call)
        elif name in ("rename", "unlink"):
            self._renamed(call)
        elif name in ("fdatasync", "fsync"):
            self._synced(call)
        elif name != "sendto" and call.path in self.names:
            self._written(call, self.names[call.path])

    def _opened(self, call):
        if not call.path.startswith(self.folder) or "O_CREAT" not in call.arguments:
            return
        if call.path not in self.names:
            self.names[call.path] = File()
            self.pending.append((call.path, self.names[call.path]))
        elif "O_TRUNC" in call.arguments:
            self.names[call.path] = File()  # as a new one in its place
            self.pending.append((call.path, self.names[call.path]))

    def _renamed(self, call):
        paths = [text.decode() for text in call.texts]
        paths = [path if path.startswith("/") else f"{self.folder}/{path}" for path in paths]
        file = self.names.pop(paths[0], None)
        if file is None:
            return
        self.pending.append((paths[0], None))
        if call.name == "rename":
            self.names[paths[1]] = file
            self.pending.append((paths[1], file))

    def _synced(self, call):
        what = self.begun_syncs.pop(call.begun, None)
        if what is None:
            return
        if what[0] is not None:
            what[0].synced[:] = what[1]
        else:
            for path, file in self.pending[:what[1]]:
                self.synced_names[path] = file
            self.pending = self.pending[what[1]:]

    def _written(self, call, file):
        if call.name == "write":
            put(file.seen, len(file.seen), call.texts[0][:call.result])
        elif call.name == "pwrite64":
            put(file.seen, call.number(3), call.texts[0][:call.result])
            if call.path.endswith((".journal", ".journal.new")):  # opened with O_DSYNC
                put(file.synced, call.number(3), call.texts[0][:call.result])
                if file.snapshots is None:  # the first one goes to the second of two places
                    file.snapshots = 2 * call.number(3) - len(file.seen)
                    file.run_id = call.texts[0][8:16]
        elif call.name == "fallocate":
            put(file.seen, call.number(2) + call.number(3), b"")
        elif call.name == "ftruncate":
            length = call.number(1)
            del file.seen[length:]
            put(file.seen, length, b"")

    def adopt(self, path, data):
        """A file that was there before, and is synced."""
        self.names[str(path)] = self.synced_names[str(path)] = File(data)

    def state(self, dice, choice, open_calls, header):
        """One thing that the disk may hold: path -> bytes."""
        names = dict(self.synced_names)
        count = {"none": 0, "all": len(self.pending)}.get(choice, dice.randint(0, len(self.pending)))
        for path, file in self.pending[:count]:
            names[path] = file
        files = {}
        for path, file in names.items():
            if file is None:
                continue
            torn = [(call.number(3) if call.name == "pwrite64" else len(file.seen), call.texts[0]) for call in open_calls
                    if call.name in ("write", "pwrite64") and self.names.get(call.path) is file]
            files[path] = mix(file, torn, dice, choice)
            if path.endswith(".journal"):
                files[path] = header.put_on(file, files[path], dice)
        return files


class Cut:
    """A moment of a run. Good until the next one is asked for."""

    def __init__(self, disk, open_calls, place):
        self.disk, self.open_calls, self.place = disk, list(open_calls), place

    def sent(self):
        """The devices that were sent something."""
        return {match[1].decode() for text in self.disk.sent if (match := re.search(rb"imei=(\d+)", text))}

    def state(self, dice, choice, header):
        return self.disk.state(dice, choice, self.open_calls, header)


def cuts(disk, trace):
    """The moments before and after each sync, and some others."""
    events = sorted([(call.begun, False, call) for call in trace.calls] +
                    [(call.ended, True, call) for call in trace.calls if call.ended is not None], key=lambda event: event[:2])
    open_calls = []
    for place, is_end, call in events:
        if is_end and call.name in ("fdatasync", "fsync", "pwrite64"):
            yield Cut(disk, open_calls, place)
        if is_end:
            if call in open_calls:
                open_calls.remove(call)
            disk.end(call)
        else:
            open_calls.append(call)
            disk.begin(call)
        concerns = call.name in ("rename", "unlink") or (call.path or "").startswith(disk.folder)
        if concerns or place % 16 == 0:
            yield Cut(disk, open_calls, place)


def mix(file, torn, dice, choice):
    """The file as the disk may have it: what is synced, and of the rest what the choice says."""
    if choice == "none":
        return bytes(file.synced)
    full = bytearray(file.seen)
    for offset, piece in torn:
        put(full, offset, piece)
    if choice == "all":
        return bytes(full)
    same = 0
    shortest = min(len(full), len(file.synced))
    while same < shortest and full[same:same + PAGE] == file.synced[same:same + PAGE]:
        same += PAGE
    if choice == "prefix":
        cut = dice.randint(min(same, len(full)), len(full))
        return bytes(full[:cut]) + bytes(file.synced[cut:])
    size = dice.choice([len(full), len(file.synced), dice.randint(shortest, max(len(full), len(file.synced)))])
    out = bytearray(size)
    for at in range(0, size, PAGE):
        source = file.synced if dice.random() < 0.5 else full
        piece = source[at:min(at + PAGE, size)]
        out[at:at + len(piece)] = piece
    return bytes(out)


class Header:
    """The journal's header: magic, version, checksum, run id, and what follows; it is not seen by strace."""

    CHECK, RUN = slice(12, 16), slice(16, 24)

    def __init__(self, journal):
        boot = BOOT_ID.search(journal, 0, PAGE)
        self.bytes = bytearray(journal[:PAGE])
        self.mapped = journal[PAGE:]
        self.size = self._find_size()
        self.bytes[boot.start():boot.end()] = OTHER_BOOT

    def _checksum(self, size):
        version = struct.unpack_from("<I", self.bytes, 8)[0]
        data = bytes(self.bytes[:12]) + bytes(4) + bytes(self.bytes[16:size])
        return struct.pack("<I", xxhash.xxh3_64_intdigest(data, seed=version) & 0xffffffff)

    def _find_size(self):
        for size in range(24, PAGE + 1, 4):
            if self._checksum(size) == self.bytes[self.CHECK]:
                return size
        raise AssertionError("the header's checksum is not as it was thought to be")

    def put_on(self, file, journal, dice):
        """The journal with this header, of another boot of the machine; its mapped pages are nobody knows what."""
        if file.snapshots is None:  # it was there before: all is known of it
            boot = BOOT_ID.search(journal, 0, PAGE)
            self.bytes[:] = journal[:PAGE]
            self.bytes[boot.start():boot.end()] = OTHER_BOOT
            mapped = journal[PAGE:]
        else:
            self.bytes[self.RUN] = file.run_id
            length = file.snapshots - PAGE
            mapped = dice.choice([bytes(length), dice.randbytes(length), self.mapped[:length].ljust(length)])
            mapped += journal[file.snapshots:]
        self.bytes[self.CHECK] = self._checksum(self.size)
        return bytes(self.bytes) + mapped
