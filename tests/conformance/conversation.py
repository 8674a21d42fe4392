"""Conversations of clients with a server, message by message, as text; and what came back, as text.

One line is one message of one client; `a`, `b` ... are clients, connected when first mentioned:

    a login application_name=x options=...     settings of the startup packet (before its other lines)
    a Q SELECT 1                               Query
    a P name | SELECT $1 | 23 25               Parse, with parameter types
    a B portal | name | one | two              Bind, values as text; \\N is NULL
    a D S name                                 Describe (S statement, P portal); C closes likewise
    a E portal | 10                            Execute, with the most rows (0: all)
    a S      a H                               Sync, Flush
    a d text      a c      a f why             CopyData (a newline is added), CopyDone, CopyFail
    a F 1598 | 16                              FunctionCall of the OID, values as text
    a X                                        Terminate
    a wait      a wait 2                       what was sent goes out, and is answered up to the (second) ReadyForQuery
    a read 3                                   what was sent goes out, and three messages are read
    a hear                                     reads until a NotificationResponse has come

`#` begins a comment. A line that ends in a backslash goes on. Answers differ in nothing but process ids and OIDs of
what is made on the way, which are left out of the text.
"""
import re
import socket
import struct

SECONDS = 10  # for an answer; a gateway that is silent is wrong
PROTOCOL_30 = 196608
FIRST_OWN_OID = 16384  # of what is not PostgreSQL's own
READY, NOTIFICATION = "Z", "A"
ASYNCHRONOUS = "SNA"  # may come at any time


class Silence(Exception):
    """No answer in time, or the connection was closed."""


def text(value):
    return value.encode() + b"\0"


def split(rest):
    return [part.strip() for part in rest.split("|")] if rest else []


def encode(kind, rest):
    """The bytes of one message."""
    words = split(rest)
    if kind == "Q":
        body = text(rest)
    elif kind == "P":
        name, sql, *types = words + [""] * (2 - len(words))
        types = types[0].split() if types else []
        body = text(name) + text(sql) + struct.pack(f">H{len(types)}I", len(types), *map(int, types))
    elif kind == "B":
        portal, name, *values = words + [""] * (2 - len(words))
        body = text(portal) + text(name) + struct.pack(">HH", 0, len(values)) + b"".join(map(value, values)) + struct.pack(">H", 0)
    elif kind in "DC":
        what, _, name = rest.partition(" ")
        body = what.encode() + text(name.strip())
    elif kind == "E":
        portal, most = words if len(words) == 2 else (words[0] if words else "", "0")
        body = text(portal) + struct.pack(">I", int(most))
    elif kind == "F":
        oid, *values = words
        body = struct.pack(">IHH", int(oid), 0, len(values)) + b"".join(map(value, values)) + struct.pack(">H", 0)
    elif kind == "d":
        body = rest.encode() + b"\n"
    elif kind == "f":
        body = text(rest)
    elif kind in "SHcX":
        body = b""
    else:
        raise ValueError(f"no such message: {kind} {rest}")
    return kind.encode() + struct.pack(">I", len(body) + 4) + body


def value(word):
    return struct.pack(">i", -1) if word == "\\N" else struct.pack(">I", len(word.encode())) + word.encode()


def strings(body):
    return [part.decode(errors="replace") for part in body.split(b"\0")]


def describe(kind, body):
    """One message of the server as a line."""
    if kind in "EN":
        fields = {chr(field[0]): field[1:].decode(errors="replace") for field in body.split(b"\0") if field}
        # Where in the server's source it was raised says nothing about the answer.
        kept = " ".join(f"{key}={fields[key]}" for key in sorted(fields) if key not in "FLR")
        return f"{'Error' if kind == 'E' else 'Notice'} {kept}"
    if kind == "T":
        columns, at = [], 2
        for _ in range(struct.unpack_from(">H", body)[0]):
            end = body.index(b"\0", at)
            table, number, of_type, size, modifier, how = struct.unpack_from(">IhIhih", body, end + 1)
            own = "own" if table >= FIRST_OWN_OID else str(table)
            columns.append(f"{body[at:end].decode()}({own},{number},{own_oid(of_type)},{size},{modifier},{how})")
            at = end + 19
        return "RowDescription " + " ".join(columns)
    if kind == "D":
        values, at = [], 2
        for _ in range(struct.unpack_from(">H", body)[0]):
            size = struct.unpack_from(">i", body, at)[0]
            at += 4
            values.append("NULL" if size < 0 else repr(body[at:at + size].decode(errors="replace")))
            at += max(size, 0)
        return "DataRow " + " ".join(values)
    if kind == "t":
        count = struct.unpack_from(">H", body)[0]
        return "ParameterDescription " + " ".join(own_oid(oid) for oid in struct.unpack_from(f">{count}I", body, 2))
    if kind == "A":
        return "Notification " + " ".join(strings(body[4:])[:2])
    if kind == "S":
        return "ParameterStatus " + "=".join(strings(body)[:2])
    if kind == "Z":
        return "Ready " + body.decode()
    if kind == "C":
        return "Complete " + strings(body)[0]
    if kind == "d":
        return "CopyData " + repr(body.decode(errors="replace"))
    names = {"1": "ParseComplete", "2": "BindComplete", "3": "CloseComplete", "n": "NoData", "s": "PortalSuspended",
             "I": "EmptyQuery", "c": "CopyDone", "G": "CopyIn", "H": "CopyOut", "V": "FunctionResult"}
    return f"{names.get(kind, kind)} {body.hex() if kind in 'GHV' else ''}".strip()


def own_oid(oid):
    return "own" if oid >= FIRST_OWN_OID else str(oid)


class Client:
    def __init__(self, place, database, user, settings):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self.socket.connect(str(place.folder / f".s.PGSQL.{place.port}"))
        self.waiting, self.out = b"", b""
        words = {"user": user, "database": database, **settings}
        body = struct.pack(">I", PROTOCOL_30) + b"".join(text(key) + text(of) for key, of in words.items()) + b"\0"
        self.socket.sendall(struct.pack(">I", len(body) + 4) + body)
        self.parameters = {}
        self.login = []
        while True:
            kind, body = self.receive()
            if kind == "S":
                self.parameters.update([strings(body)[:2]])
            elif kind in "EN":
                self.login.append(describe(kind, body))
            if kind in "ZE":
                break

    def receive(self):
        try:
            while len(self.waiting) < 5 or len(self.waiting) < 1 + struct.unpack_from(">I", self.waiting, 1)[0]:
                got = self.socket.recv(65536)
                if not got:
                    raise Silence("closed")
                self.waiting += got
        except (TimeoutError, ConnectionError) as error:
            raise Silence("no answer" if isinstance(error, TimeoutError) else "reset") from error
        size = 1 + struct.unpack_from(">I", self.waiting, 1)[0]
        message, self.waiting = self.waiting[:size], self.waiting[size:]
        return chr(message[0]), message[5:]

    def send(self):
        if self.out:
            self.socket.sendall(self.out)
        self.out = b""


def lines_of(script):
    for line in re.sub(r"\\\n\s*", "", script).splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            yield line


def hold(place, database, user, script):
    """What came back, a line a message, with the client's name in front."""
    clients, seen = {}, []

    def read(name, enough):
        while True:
            kind, body = clients[name].receive()
            seen.append(f"{name} < {describe(kind, body)}")
            if enough(kind):
                return

    def client(name, settings=None):
        if name not in clients:
            clients[name] = Client(place, database, user, settings or {})
            seen.extend(f"{name} < {line}" for line in clients[name].login)
        return clients[name]
    try:
        for line in lines_of(script):
            name, kind, *rest = line.split(" ", 2)
            rest = rest[0] if rest else ""
            seen.append(line)
            if kind == "login":
                settings = dict(word.split("=", 1) for word in re.findall(r"(?:[^\s\"]|\"[^\"]*\")+", rest))
                client(name, {key: of.strip('"') for key, of in settings.items()})
                continue
            me = client(name)
            count = int(rest or 1) if kind in ("wait", "read", "hear") else 0
            if count:
                me.send()
                for _ in range(count):
                    wanted = {"wait": READY, "hear": NOTIFICATION, "read": None}[kind]
                    read(name, lambda got, w=wanted: got == w or (w is None and got not in ASYNCHRONOUS))
            else:
                me.out += encode(kind, rest)
                if kind == "X":
                    me.send()
                    me.socket.close()
    except Silence as silence:
        seen.append(f"{name} < ({silence})")
    except OSError as error:
        seen.append(f"{name} < ({error})")
    finally:
        for one in clients.values():
            one.socket.close()
    return "\n".join(seen) + "\n"
