"""The same operations on our coordinator and on Debian's Apache ZooKeeper 3.8 have the same answers, to the bit that can be the same.

Scripts are random, by seed; each step goes to both servers, and replies, zxids, stats (times as zero or not), events and their
order are compared, and at the end the trees. LETTERBOX_RULE_SEEDS=1,2,3 chooses seeds, LETTERBOX_RULE_STEPS how long each is.
What 3.8 does otherwise than 3.9, or worse on purpose left behind, is listed in `equal` and where a generator avoids it.
"""

import contextlib
import os
import random
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

import jute
from harness import BINARY, Process, eventually, free_port
from jute import OPEN, Session, acl, boolean, buffer, integer, long, string, vector

JAR = Path("/usr/share/java/zookeeper.jar")
pytestmark = pytest.mark.skipif(
    shutil.which("java") is None or not JAR.exists(), reason="Debian's zookeeper package is not installed")

SEEDS = [int(seed) for seed in os.environ.get("LETTERBOX_RULE_SEEDS", "1,2,3,4,5,6").split(",")]
STEPS = int(os.environ.get("LETTERBOX_RULE_STEPS", "400"))
SUPER = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs="  # super:admin
PROPERTIES = {
    "extendedTypesEnabled": "true", "enforceQuota": "true", "forceSync": "no",
    "DigestAuthenticationProvider.superDigest": SUPER}


class Server:
    def __init__(self, kind, directory, **properties):
        self.kind, self.port = kind, free_port()
        directory = directory / kind
        directory.mkdir()
        config = directory / "server.properties"
        lines = {
            "dataDir": directory / "data", "clientPort": self.port, "tickTime": 2000, "maxClientCnxns": 0,
            "admin.enableServer": "false", "4lw.commands.whitelist": "*"}
        properties = {**PROPERTIES, **properties}
        if kind == "apache":
            flags = [f"-D{key if key.startswith('znode') else 'zookeeper.' + key}={value}" for key, value in properties.items()]
            command = ["java", "-cp", str(JAR), "-Xmx256m", *flags, "org.apache.zookeeper.server.ZooKeeperServerMain", str(config)]
        else:
            lines.update(properties)
            command = [str(BINARY), "coordinator", str(config)]
        config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        # Apache's listens before it serves, and closes those who come too early.
        self.process = Process(kind, command, directory / "out", lambda process: "Mode:" in (self.says("srvr") or ""))

    def says(self, word):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.sendall(word.encode())
            return connection.makefile().read()


@contextlib.contextmanager
def pair(**properties):
    directory = Path(tempfile.mkdtemp(prefix="rules-"))
    servers = [Server("ours", directory, **properties), Server("apache", directory, **properties)]
    try:
        for server in servers:
            server.process.start(wait=False)
        for server in servers:
            server.process.wait_ready()
        yield servers
    finally:
        for server in servers:
            server.process.kill()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def servers():
    with pair(**{"znode.container.checkIntervalMs": 3_600_000}) as servers:
        yield servers


class Side:
    """One server in a script: its sessions, and how its numbers are made comparable."""

    def __init__(self, server):
        self.server = server
        self.sessions = [Session(server.port) for _ in range(3)]
        self.base = self.sessions[0].call(jute.SYNC, string("/"))[1]

    def zxid(self, value):
        return value - self.base if value > self.base else ("old" if value > 0 else value)

    def normal(self, value):
        if isinstance(value, dict):
            owners = {session.id: number for number, session in enumerate(self.sessions)}
            return {
                **value, "czxid": self.zxid(value["czxid"]), "mzxid": self.zxid(value["mzxid"]), "pzxid": self.zxid(value["pzxid"]),
                "ctime": value["ctime"] > 0, "mtime": value["mtime"] > 0, "owner": owners.get(value["owner"], value["owner"])}
        if isinstance(value, (tuple, list)):
            return type(value)(self.normal(item) for item in value)
        return value

    def do(self, step):
        """The answer and everybody's events."""
        number, op, body = step["client"], step["op"], step.get("body", b"")
        session = self.sessions[number]
        if op == "reconnect":
            session.drop()
            session.connect()
            for credentials in step["auth"]:
                session.auth("digest", credentials)
            lists = b"".join(vector(paths, string) for paths in step["watches"])
            answer = session.call(jute.SET_WATCHES2, long(self.base + step["since"]) + lists, xid=-8)
            answer = answer[0], self.zxid(answer[1]), None
        elif op == "leave":
            session.call(jute.CLOSE)
            self.sessions[number] = session = Session(self.server.port)
            for credentials in step["auth"]:
                session.auth("digest", credentials)
            answer = None
        else:
            error, zxid, result = session.call(op, body)
            answer = error, self.zxid(zxid), self.normal(result)
        events = []
        for session in self.sessions:
            session.call(jute.EXISTS, string("/") + boolean(False))
            told = session.taken_events()
            # A closed session's nodes go in the order of a hash table there.
            events.append(sorted(told) if op == "leave" else told)
        return answer, events

    def leave(self):
        for session in self.sessions:
            with contextlib.suppress(OSError):
                session.call(jute.CLOSE)
                session.drop()

    def tree(self, root):
        administrator = Session(self.server.port)
        assert administrator.auth("digest", b"super:admin")[0] == 0
        lines, waiting = [], [root]
        while waiting:
            path = waiting.pop()
            error, _, data = administrator.call(jute.GET, string(path) + boolean(False))
            if error:
                lines.append((path, error))
                continue
            acl = administrator.call(jute.GET_ACL, string(path))[2]
            children = administrator.call(jute.CHILDREN, string(path) + boolean(False))[2]
            lines.append((path, self.normal(data), acl[0]))
            waiting.extend(f"{path}/{child}" for child in children)
        administrator.call(jute.CLOSE)
        return sorted(lines)


def equal(step, ours, apache):
    if ours == apache:
        return True
    (mine, my_events), (theirs, their_events) = ours, apache
    if my_events != their_events or mine is None or theirs is None:
        return False
    # 3.9 asks for READ before it says that a node exists; 3.8 tells everybody.
    if step["op"] == jute.EXISTS and mine[0] == -102 and theirs[0] == 0:
        return True
    # 3.8 answers create2 inside a multi without its stat.
    if step["op"] == jute.MULTI and mine[:2] == theirs[:2] and mine[2] is not None and theirs[2] is not None:
        def without(results):
            return [(jute.CREATE, r[0]) if kind in (jute.CREATE2, jute.CREATE) and isinstance(r, tuple) else (
                jute.CREATE if kind == jute.CREATE2 else kind, r) for kind, r in results]
        return without(mine[2]) == without(theirs[2])
    return False


class Script:
    """Random steps below one root. `/a /b`: open nodes; `/p`: lists of all kinds; `/q`: a quota; watches are kept apart by
    client, as 3.8 mixes persistent and one-shot ones on a path (ZOOKEEPER-4466)."""

    CREDENTIALS = [[], [b"u1:p1"], [b"u2:p2"]]
    BAD = ["", "x", "/{r}/", "/{r}//a", "/{r}/a/", "/{r}/..", "/{r}/a/./b", "/{r}/\x01", "/{r}/\ue000", "/{r}/a\x7f", "/nowhere/a"]
    GOOD_NAMES = ["a", "b", "c", "größe", "日本", "...", "a b"]

    def __init__(self, seed):
        self.random, self.root, self.count = random.Random(seed), f"/s{seed}", 0

    def path(self, kind=None):
        draw = self.random
        if kind is None:
            kind = draw.choices(["open", "list", "quota", "bad"], [55, 22, 15, 5])[0]
        if kind == "bad":
            return draw.choice(self.BAD).replace("{r}", self.root[1:])
        start = {"open": draw.choice(["/a", "/b"]), "list": "/p", "quota": "/q"}[kind]
        names = [draw.choice(self.GOOD_NAMES[:3] if draw.random() < 0.9 else self.GOOD_NAMES) for _ in range(draw.choice([0, 1, 1, 1, 2, 2]))]
        return "/".join([self.root + start, *names])

    def data(self):
        return self.random.choice([None, b"", b"x", bytes(self.random.randrange(40)), "ü".encode()])

    def version(self):
        return self.random.choices([-1, 0, 1, 2, 7], [60, 20, 10, 5, 5])[0]

    def acl(self):
        draw = self.random
        if draw.random() < 0.5:
            return OPEN
        entries = [
            (31, "world", "anyone"), (1, "world", "anyone"), (31, "auth", ""), (draw.randrange(32), "auth", "ignored"),
            (31, "digest", "u1:dPiZ5q8fAAAAAAAAAAAAAAAAAAA="), (draw.randrange(32), "world", "anyone"), (31, "ip", "127.0.0.1"),
            (31, "ip", "127.0.0.0/8"), (draw.randrange(32), "ip", "10.0.0.0/8"), (31, "ip", "0.0.0.0"), (31, "ip", "127.0.0.1/33"),
            (31, "ip", "127.0.0"), (31, "world", "nobody"), (31, "digest", "nocolon"), (31, "digest", "a:b:c"), (31, "digest", "a:"),
            (31, "nothing", "x"), (31, "super", ""), (31, "sasl", "x"), (0, "world", "anyone"), (1, "ip", "127.0.0.1/0"),
            (31, "digest", ":b"), (31, "digest", "a:b:")]
        good = entries[:10] if draw.random() < 0.8 else entries
        chosen = [draw.choice(good) for _ in range(draw.choice([0, 1, 1, 1, 2, 3]))]
        # As kazoo writes it; two of them are too much for Apache's comparison.
        return [(31, "auth", None)] if len(chosen) == 1 and chosen[0][1] == "auth" else chosen

    def create(self, path=None, multi=False):
        draw = self.random
        path = path if path is not None else self.path()
        listed = path.startswith(self.root + "/p")
        body = string(path) + buffer(self.data()) + acl(self.acl() if listed else OPEN)
        op = draw.choices([jute.CREATE, jute.CREATE2, jute.CREATE_CONTAINER, jute.CREATE_TTL], [60, 25, 8, 7])[0]
        if op == jute.CREATE_TTL:
            flags = draw.choices([5, 6], [70, 30])[0]
            ttl = draw.choices([3_600_000, 0, -1, 0xff_ffff_ffff, 0x100_0000_0000], [80, 5, 5, 5, 5])[0]
            return op, body + integer(flags) + long(ttl)
        if op == jute.CREATE_CONTAINER:
            return op, body + integer(4)
        if multi:
            # Flags that do not fit the operation are taken in another way there by 3.8, by 3.9, and outside.
            return op, body + integer(draw.randrange(4))
        return op, body + integer(draw.choices([0, 1, 2, 3, 4, 5, 9, -1], [50, 15, 20, 10, 2, 1, 1, 1])[0])

    def write(self):
        """One operation a multi may hold."""
        kind = self.random.choices(["create", "delete", "set", "check"], [45, 20, 20, 15])[0]
        # Pending growth counts against a quota in ours, not in Apache's: multis stay away from it.
        path = self.path(self.random.choices(["open", "list", "bad"], [70, 25, 5])[0])
        if kind == "create":
            return self.create(path, multi=True)
        if kind == "delete":
            return jute.DELETE, string(path) + integer(self.version())
        if kind == "set":
            return jute.SET, string(path) + buffer(self.data()) + integer(self.version())
        return jute.CHECK, string(path) + integer(self.version())

    def step(self):
        draw, client = self.random, self.random.randrange(3)
        self.count += 1
        kind = draw.choices(
            ["create", "delete", "set", "get", "exists", "children", "acl", "multi", "read", "watch", "leave", "reconnect", "other"],
            [26, 12, 10, 10, 6, 8, 7, 8, 2, 5, 1.5, 1.5, 3])[0]
        one_shot = client != 2 and draw.random() < 0.5
        if kind == "create":
            op, body = self.create()
        elif kind == "delete":
            op, body = jute.DELETE, string(self.path()) + integer(self.version())
        elif kind == "set":
            op, body = jute.SET, string(self.path()) + buffer(self.data()) + integer(self.version())
        elif kind == "get":
            op, body = jute.GET, string(self.path()) + boolean(one_shot)
        elif kind == "exists":
            path = self.path()
            # Where 3.9 refuses and 3.8 answers, 3.8 would also keep the watch.
            op, body = jute.EXISTS, string(path) + boolean(one_shot and path.startswith((self.root + "/a", self.root + "/b")))
        elif kind == "children":
            op, body = draw.choice([jute.CHILDREN, jute.CHILDREN2]), string(self.path()) + boolean(one_shot)
        elif kind == "acl":
            path = self.path("list")
            op, body = jute.GET_ACL, string(path)
            if draw.random() < 0.5:
                op, body = jute.SET_ACL, string(path) + acl(self.acl()) + integer(self.version())
        elif kind == "multi":
            op, body = jute.MULTI, jute.multi([self.write() for _ in range(draw.choice([0, 1, 2, 2, 3, 3, 4, 6]))])
        elif kind == "read":
            op = jute.MULTI_READ
            body = jute.multi([
                (draw.choice([jute.GET, jute.CHILDREN]), string(self.path()) + boolean(False)) for _ in range(draw.randrange(1, 4))])
        elif kind == "watch":
            path = self.path(draw.choice(["open", "list"]))
            if client == 2:
                # One mode for each path, for ever.
                op, body = jute.ADD_WATCH, string(path) + integer(len(path) % 2)
                if draw.random() < 0.4:
                    op, body = jute.REMOVE_WATCHES, string(path) + integer(3)
            else:
                # No checkWatches: 3.8 takes watches further up for the path's own once anybody's is recursive.
                op, body = jute.REMOVE_WATCHES, string(path) + integer(draw.choice([1, 2, 3]))
        elif kind == "leave":
            return {"client": client, "op": "leave", "auth": self.CREDENTIALS[client]}
        elif kind == "reconnect":
            lists = [[self.path("open") for _ in range(draw.randrange(4))] for _ in range(3)]
            watches = lists + [[], []] if client != 2 else [[], [], [], *lists[:1], []]
            watches = [sorted(set(paths), key=paths.index) for paths in watches]
            if client == 2:
                watches[3] = [path for path in watches[3] if len(path) % 2 == 0]
            return {
                "client": client, "op": "reconnect", "auth": self.CREDENTIALS[client], "watches": watches,
                "since": draw.randrange(self.count + 1)}
        else:
            op = draw.choice([jute.SYNC, jute.EPHEMERALS, jute.ALL_CHILDREN, jute.WHO_AM_I, jute.RECONFIG])
            body = {jute.WHO_AM_I: b"", jute.RECONFIG: string(None) * 3 + long(-1)}.get(op, string(self.path()))
        return {"client": client, "op": op, "body": body}

    def beginning(self):
        def create(path, data=b"", entries=OPEN):
            return {"client": 1, "op": jute.CREATE, "body": string(path) + buffer(data) + acl(entries) + integer(0)}

        yield create(self.root)
        for name in "abpq":
            yield create(f"{self.root}/{name}", b"12345")
        quota = f"/zookeeper/quota{self.root}"
        yield create(quota)
        yield create(quota + "/q")
        yield create(quota + "/q/zookeeper_limits", b"count=5,bytes=-1=;byteHardLimit=60;countHardLimit=9")
        yield create(quota + "/q/zookeeper_stats", b"count=0,bytes=0")


def run(script, steps, sides):
    """Does the steps on both, and says at once where they part."""
    for number, step in enumerate(steps):
        ours, apache = (side.do(step) for side in sides)
        assert equal(step, ours, apache), (
            f"seed root {script.root}, step {number}: {step}\n   ours: {ours}\n apache: {apache}")


@pytest.mark.parametrize("seed", SEEDS)
def test_answers_are_those_of_apache_zookeeper(servers, seed):
    print(f"seed {seed}")
    sides = [Side(server) for server in servers]
    try:
        compare(sides, seed)
    finally:
        # Sessions left behind would expire in the middle of other seeds, and use zxids up.
        for side in sides:
            side.leave()


def compare(sides, seed):
    for side in sides:
        for session, credentials in zip(side.sessions, Script.CREDENTIALS):
            for each in credentials:
                assert session.auth("digest", each)[0] == 0
    script = Script(seed)
    run(script, script.beginning(), sides)
    run(script, (script.step() for _ in range(STEPS // 2)), sides)
    if seed == SEEDS[0]:
        # Numbers go on where they were, and sessions with what they own, when both are killed and come back.
        for side in sides:
            side.server.process.kill()
            side.server.process.start()
            for number, session in enumerate(side.sessions):
                session.connect()
                for each in Script.CREDENTIALS[number]:
                    session.auth("digest", each)
    run(script, (script.step() for _ in range(STEPS // 2)), sides)
    for root in (script.root, f"/zookeeper/quota{script.root}"):
        ours, apache = (side.tree(root) for side in sides)
        assert ours == apache, f"seed {seed}: the trees differ below {root}"
        assert len(ours) > 3


def test_containers_and_ttl_nodes_are_taken_away_alike():
    """What stays and what goes, and the child before its parent; all else in the order is up to the moment of the check."""
    with pair(**{"znode.container.checkIntervalMs": 100, "znode.container.maxPerMinute": 60_000}) as servers:
        left = []
        for server in servers:
            session = Session(server.port)

            def create(path, op=jute.CREATE, flags=0, ttl=None):
                body = string(path) + buffer(b"") + acl(OPEN) + integer(flags)
                assert session.call(op, body if ttl is None else body + long(ttl))[0] == 0

            for name in ("never", "used", "busy", "listed"):
                create(f"/{name}", jute.CREATE_CONTAINER, 4)
            session.call(jute.ADD_WATCH, string("/used") + integer(1))
            for name in ("used", "busy"):
                create(f"/{name}/child")
            create("/used/inner", jute.CREATE_CONTAINER, 4)
            create("/used/inner/child")
            create("/brief", jute.CREATE_TTL, 5, 50)
            create("/long", jute.CREATE_TTL, 5, 3_600_000)
            # Long enough for its child to come.
            create("/parent", jute.CREATE_TTL, 5, 2000)
            create("/parent/child")
            session.call(jute.DELETE, string("/used/inner/child") + integer(-1))
            session.call(jute.DELETE, string("/used/child") + integer(-1))

            def children():
                return session.call(jute.CHILDREN, string("/") + boolean(False))[2]

            eventually(lambda: "used" not in children() and "brief" not in children(), "the used container and the TTL node go")
            events = session.taken_events()
            for child, parent in (("/used/inner/child", "/used/inner"), ("/used/child", "/used"), ("/used/inner", "/used")):
                assert events.index((2, child)) < events.index((2, parent)), f"{child} before {parent} in {events}"
            left.append((children(), sorted(events)))
            session.call(jute.DELETE, string("/parent/child") + integer(-1))
            eventually(lambda: "parent" not in children(), "a TTL node goes when its last child has gone")
        assert left[0] == left[1]
        assert left[0][0] == ["busy", "listed", "long", "never", "parent", "zookeeper"]


def test_what_ends_a_connection_and_what_does_not(servers):
    """Bad credentials, tokens of SASL, unknown operations: the same words, and the same end."""
    unknown = [0, 10, 23, 99, 108, -2]
    heard = []
    for server in servers:
        answers = []
        for scheme, data in [("none", b""), ("digest", None), ("world", b"anyone"), ("auth", b""), ("super", b"super:admin")]:
            session = Session(server.port)
            answers.append((scheme, session.auth(scheme, data)[:2], session.is_closed()))
        session = Session(server.port)
        answers.append(session.auth("digest", b"nocolon")[:2])
        answers.append(session.auth("ip", b"")[:2])
        answers.append(session.call(jute.WHO_AM_I)[2])
        answers.append(session.call(jute.SASL, buffer(b""), xid=-4))
        answers.append(session.call(jute.SASL, buffer(b"token")))
        answers.append(session.call(jute.EXISTS, string("/") + boolean(False))[0])
        answers.append(session.auth("digest", b"super:admin")[:2])
        answers.append(session.call(jute.WHO_AM_I)[2])
        answers.append(session.call(jute.SET, string("/zookeeper/config") + buffer(b"") + integer(-1))[0])
        answers.append(session.call(jute.EXISTS, string("/\0x") + boolean(False))[0] in (-8, -101))
        for op, body in [(jute.ADD_WATCH, string("/a") + integer(7)), (jute.REMOVE_WATCHES, string("/a") + integer(9)),
                         (jute.MULTI, jute.multi([(jute.SET_ACL, string("/a") + acl(OPEN) + integer(-1))])),
                         (jute.MULTI, jute.multi([(jute.GET, string("/a") + boolean(False))])),
                         (jute.MULTI_READ, jute.multi([(jute.EXISTS, string("/") + boolean(False))])),
                         (jute.EPHEMERALS, string(None)), (jute.CREATE, string("/x"))]:
            answers.append((op, session.call(op, body)[0]))
        for op in unknown:
            session = Session(server.port)
            answers.append((op, session.call(op)[:2], session.is_closed()))
        heard.append(answers)
    assert heard[0] == heard[1]


def test_a_session_is_taken_over_by_whoever_knows_its_password(servers):
    heard = []
    for server in servers:
        first = Session(server.port)
        number = first.call(jute.CREATE, string("/moved-") + buffer(b"") + acl(OPEN) + integer(3))[0]
        second = Session(server.port)
        own = second.id, second.password
        second.drop()
        second.id, second.password = first.id, first.password
        second.connect()
        answers = [number, first.is_closed(), len(second.call(jute.EPHEMERALS, string("/"))[2])]
        second.call(jute.CLOSE)
        answers.append(second.is_closed())
        third = Session(server.port)
        third.drop()
        third.id, third.password = second.id, second.password
        with pytest.raises(AssertionError, match="refused"):
            third.connect()
        answers.append(third.is_closed())
        third.id, third.password = own
        third.connect()
        answers.append([name for name in third.call(jute.CHILDREN, string("/") + boolean(False))[2] if name.startswith("moved")])
        third.call(jute.CLOSE)
        heard.append(answers)
    assert heard[0] == heard[1]
