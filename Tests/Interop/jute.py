"""A client of the coordination service in plain bytes: it sends what real clients would never send, and hides nothing of the answers."""

import socket
import struct

CREATE, DELETE, EXISTS, GET, SET, GET_ACL, SET_ACL, CHILDREN, SYNC = range(1, 10)
CHILDREN2, CHECK, MULTI, CREATE2, RECONFIG, CHECK_WATCHES, REMOVE_WATCHES, CREATE_CONTAINER = range(12, 20)
CREATE_TTL, MULTI_READ = 21, 22
AUTH, SET_WATCHES, SASL, EPHEMERALS, ALL_CHILDREN, SET_WATCHES2, ADD_WATCH, WHO_AM_I = range(100, 108)
CLOSE = -11
EVENT = -1
OPEN = [(31, "world", "anyone")]


def integer(value):
    return struct.pack(">i", value)


def long(value):
    return struct.pack(">q", value)


def boolean(value):
    return b"\1" if value else b"\0"


def buffer(data):
    return integer(-1) if data is None else integer(len(data)) + data


def string(text):
    return buffer(None if text is None else text.encode("utf-8", "surrogatepass"))


def vector(items, encode):
    return integer(len(items)) + b"".join(map(encode, items))


def acl(entries):
    return integer(-1) if entries is None else vector(entries, lambda e: integer(e[0]) + string(e[1]) + string(e[2]))


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        assert self.at + count <= len(self.data), "the answer ends too early"
        self.at += count
        return self.data[self.at - count:self.at]

    def integer(self):
        return struct.unpack(">i", self.take(4))[0]

    def long(self):
        return struct.unpack(">q", self.take(8))[0]

    def buffer(self):
        length = self.integer()
        return None if length < 0 else self.take(length)

    def string(self):
        data = self.buffer()
        return None if data is None else data.decode("utf-8", "surrogatepass")

    def vector(self, item):
        return [item() for _ in range(max(self.integer(), 0))]

    def acl(self):
        return self.vector(lambda: (self.integer(), self.string(), self.string()))

    def stat(self):
        names = ("czxid", "mzxid", "ctime", "mtime", "version", "cversion", "aversion", "owner", "length", "children", "pzxid")
        return dict(zip(names, struct.unpack(">qqqqiiiqiiq", self.take(68))))

    def result(self, op):
        """The body that follows a reply without an error."""
        if op == CREATE:
            return self.string()
        if op in (CREATE2, CREATE_CONTAINER, CREATE_TTL):
            return self.string(), self.stat()
        if op in (EXISTS, SET, SET_ACL):
            return self.stat()
        if op == GET:
            return self.buffer(), self.stat()
        if op == GET_ACL:
            return self.acl(), self.stat()
        if op == CHILDREN:
            return sorted(self.vector(self.string))
        if op == CHILDREN2:
            return sorted(self.vector(self.string)), self.stat()
        if op == EPHEMERALS:
            return sorted(self.vector(self.string))
        if op == SYNC:
            return self.string()
        if op in (ALL_CHILDREN, ADD_WATCH):
            return self.integer()
        if op == WHO_AM_I:
            return sorted(self.vector(lambda: (self.string(), self.string())))
        if op == SASL:
            return self.buffer()
        if op in (MULTI, MULTI_READ):
            return self.multi()
        return None

    def multi(self):
        results = []
        while True:
            kind, done, _ = self.integer(), self.take(1) != b"\0", self.integer()
            if done:
                return results
            results.append((kind, self.integer() if kind == -1 else self.result(kind)))


class Session:
    """One session, on one connection at a time. Events that come before a reply are kept in `events`."""

    def __init__(self, port, timeout=30_000):
        self.port, self.timeout = port, timeout
        self.id, self.password, self.xid = 0, bytes(16), 0
        self.events = []
        self.connect()

    def connect(self, seen=0):
        self.socket = socket.create_connection(("127.0.0.1", self.port), 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._send(integer(0) + long(seen) + integer(self.timeout) + long(self.id) + buffer(self.password) + b"\0")
        reader = Reader(self._packet())
        reader.integer()
        assert reader.integer() > 0, "the session is refused"
        self.id, self.password = reader.long(), reader.buffer()

    def drop(self):
        self.socket.close()

    def call(self, op, body=b"", xid=None):
        """(error, zxid, result) of one request."""
        if xid is None:
            self.xid += 1
            xid = self.xid
        self._send(integer(xid) + integer(op) + body)
        while True:
            reader = Reader(self._packet())
            answered, zxid, error = reader.integer(), reader.long(), reader.integer()
            if answered == EVENT:
                kind, state, path = reader.integer(), reader.integer(), reader.string()
                assert state == 3
                self.events.append((kind, path))
                continue
            assert answered == xid, f"reply {answered} to request {xid}"
            result = reader.result(op) if error == 0 or op == SASL else None
            assert reader.at == len(reader.data), f"{len(reader.data) - reader.at} bytes too many behind op {op}"
            return error, zxid, result

    def auth(self, scheme, data):
        return self.call(AUTH, integer(0) + string(scheme) + buffer(data), xid=-4)

    def is_closed(self):
        """Whether the server ends the connection without another word."""
        self.socket.settimeout(20)
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def taken_events(self):
        events, self.events = self.events, []
        return events

    def _send(self, packet):
        self.socket.sendall(integer(len(packet)) + packet)

    def _packet(self):
        return self._exactly(struct.unpack(">i", self._exactly(4))[0])

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the server closed the connection")
            data += piece
        return data


def multi(operations):
    """The body of a multi: (op, body) pairs."""
    end = integer(-1) + boolean(True) + integer(-1)
    return b"".join(integer(op) + boolean(False) + integer(-1) + body for op, body in operations) + end
