import Bytes
import CoordinationProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import CoordinationServer

@Suite("The coordinator")
struct CoordinationServerTests {
    @Test("answers requests in their order, those right behind the handshake too") func order() {
        let bench = Bench()
        let wire = bench.wire()
        wire.connect()
        wire.ask(.create, CreateRequest(path: "/a", data: [1]))
        wire.ask(.getData, GetDataRequest(path: "/a"))
        wire.ask(.create, CreateRequest(path: "/a", data: [1]))
        wire.ask(.exists, ExistsRequest(path: "/none"))
        #expect(bench.run { wire.replies.count == 4 })
        #expect(wire.welcome?.timeout == 4000)
        #expect(wire.replies.map(\.header.xid) == [1, 2, 3, 4])
        #expect(wire.replies.map(\.header.error) == [.ok, .ok, .nodeExists, .noNode])
        #expect(wire.replies.map(\.header.zxid) == [2, 2, 3, 3])
    }

    @Test("a watch event comes before every reply that shows the change") func events() {
        let bench = Bench()
        let watcher = bench.client(), writer = bench.client()
        watcher.ask(.exists, ExistsRequest(path: "/a", watch: true))
        bench.run { watcher.replies.count == 1 }
        writer.ask(.exists, ExistsRequest(path: "/a", watch: true))
        writer.ask(.create, CreateRequest(path: "/a", data: nil))
        watcher.ask(.getData, GetDataRequest(path: "/a"))
        #expect(bench.run { writer.replies.count == 3 && watcher.replies.count == 3 })
        #expect(writer.replies.map(\.header.xid) == [1, -1, 2])
        let event = writer.replies[1]
        #expect(event.header.zxid == writer.replies[2].header.zxid)
        #expect((try? WatchEvent.decode(event.body)) == WatchEvent(.nodeCreated, path: "/a"))
        let order = watcher.replies.map(\.header)
        if order[2].xid == 2, order[2].error == .ok { #expect(order[1].xid == -1) }
    }

    @Test("four-letter words are answered whole or in pieces; others are refused by name") func words() {
        let bench = Bench {
            $0.words = ["ruok", "srvr", "mntr", "stat", "cons", "conf", "dump", "wchs", "isro", "envi"]
        }
        #expect(bench.word("ruok") == "imok")
        #expect(bench.word("ruok\n") == "imok")
        #expect(bench.word("isro") == "rw")
        #expect(bench.word("srvr").contains("Mode: standalone\nNode count: 5\n"))
        #expect(bench.word("dirs").hasPrefix("dirs is not executed because it is not in the whitelist.\n"))
        #expect(bench.word("dirs").contains("4lw.commands.whitelist"))
        #expect(bench.word("GET / HTTP/1.1\r\n\r\n").hasPrefix("HTTP/1.1 400"))
        for word in ["mntr", "stat", "cons", "conf", "dump", "wchs", "envi"] { #expect(bench.word(word).count > 10) }
        let wire = bench.wire()
        wire.isText = true
        for byte in [UInt8]("ruok".utf8) {
            wire.send([byte])
            bench.simulation.run(for: .milliseconds(20))
        }
        bench.run { wire.reason != nil }
        #expect(wire.text == [UInt8]("imok".utf8))
    }

    @Test("packets up to jute.maxbuffer are served, larger and negative ones close") func lengths() {
        let bench = Bench()
        let wire = bench.client()
        // Path, list and lengths around the data.
        let overhead = CreateRequest(path: "/big", data: []).encoded.count + 8
        wire.ask(.create, CreateRequest(path: "/big", data: [UInt8](repeating: 1, count: 0xfffff - overhead)))
        #expect(bench.run { wire.replies.count == 1 })
        #expect(wire.replies.first?.header.error == .ok)
        wire.ask(.create, CreateRequest(path: "/bigger", data: [UInt8](repeating: 1, count: 0x100000 - overhead)))
        #expect(bench.run { wire.reason != nil })
        let other = bench.wire()
        other.send([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])
        #expect(bench.run { other.reason != nil })
        #expect(other.replies.isEmpty)
    }

    @Test("an old client's handshake has no read-only flag, and neither has its answer") func oldHandshake() {
        let bench = Bench()
        let wire = bench.wire()
        wire.isText = true
        var request = ConnectRequest()
        request.readOnly = nil
        var writer = JuteWriter()
        writer.packet(request)
        wire.send(writer.bytes.array)
        #expect(bench.run { wire.text.count >= 40 })
        bench.simulation.run(for: .milliseconds(50))
        #expect(wire.text.count == 40)
    }

    @Test("a refused session is told so with zeros; one from the future is not answered") func refusals() {
        let bench = Bench()
        let refused = bench.wire()
        refused.connect(session: 99, password: [UInt8](repeating: 1, count: 16))
        #expect(bench.run { refused.reason != nil })
        #expect(refused.welcome == ConnectResponse())
        let future = bench.wire()
        future.connect(seen: 1 << 40)
        #expect(bench.run { future.reason != nil })
        #expect(future.welcome == nil)
    }

    @Test("a resumed session closes the connection that spoke for it") func evicts() {
        let bench = Bench()
        let first = bench.client()
        first.ask(.create, CreateRequest(path: "/e", data: nil, mode: .ephemeral))
        bench.run { first.replies.count == 1 }
        let second = bench.wire()
        second.connect(session: first.welcome?.sessionID ?? 0, password: first.welcome?.password ?? [])
        #expect(bench.run { second.welcome != nil && first.reason != nil })
        #expect(second.welcome?.sessionID == first.welcome?.sessionID)
        second.ask(.exists, ExistsRequest(path: "/e"))
        #expect(bench.run { second.replies.count == 1 })
        #expect(second.replies.first?.header.error == .ok)
    }

    @Test("a silent session expires at most about 100 ms late, its nodes go, and its connection is closed")
    func expiry() {
        let bench = Bench()
        let silent = bench.client(timeout: 2000), other = bench.client(timeout: 10_000)
        silent.ask(.create, CreateRequest(path: "/e", data: nil, mode: .ephemeral))
        bench.run { silent.replies.count == 1 }
        let began = bench.simulation.now
        other.ask(.exists, ExistsRequest(path: "/e", watch: true))
        #expect(bench.run { other.replies.count == 2 })
        let took = bench.simulation.now - began
        #expect(took >= .milliseconds(2000) - .milliseconds(10))
        #expect(took <= .milliseconds(2300))
        #expect(bench.run { silent.reason != nil })
        #expect((try? WatchEvent.decode(other.replies[1].body)) == WatchEvent(.nodeDeleted, path: "/e"))
    }

    @Test("pings keep a session") func pings() {
        let bench = Bench()
        let wire = bench.client(timeout: 1000)
        for _ in 0..<10 {
            bench.simulation.run(for: .milliseconds(700))
            wire.ping()
        }
        #expect(bench.run { wire.replies.count == 10 })
        #expect(wire.replies.allSatisfy { $0.header.xid == -2 && $0.header.error == .ok })
        #expect(wire.reason == nil)
    }

    @Test("a paused process takes nobody's session") func pause() {
        let bench = Bench()
        let wire = bench.client(timeout: 2000)
        bench.node.pause()
        bench.simulation.run(for: .seconds(20))
        bench.node.resume()
        bench.simulation.run(for: .milliseconds(700))
        wire.ping()
        #expect(bench.run { wire.replies.count == 1 || wire.reason != nil })
        #expect(wire.reason == nil)
    }

    @Test("closing answers, then ends the stream; the ephemerals are gone by then") func close() {
        let bench = Bench()
        let wire = bench.client(), other = bench.client()
        wire.ask(.create, CreateRequest(path: "/e", data: nil, mode: .ephemeral))
        let xid = wire.ask(.closeSession)
        #expect(bench.run { wire.reason != nil })
        #expect(wire.reply(xid)?.header.error == .ok)
        other.ask(.exists, ExistsRequest(path: "/e"))
        #expect(bench.run { other.replies.count == 1 })
        #expect(other.replies.first?.header.error == .noNode)
    }

    @Test("a client that does not read does not stall others, and gets everything in the end") func slowReader() {
        let bench = Bench()
        let slow = bench.client(timeout: 10_000), other = bench.client(timeout: 10_000)
        slow.ask(.create, CreateRequest(path: "/big", data: [UInt8](repeating: 7, count: 200_000)))
        bench.run { slow.replies.count == 1 }
        slow.connection?.pause()
        for _ in 0..<60 { slow.ask(.getData, GetDataRequest(path: "/big")) }
        bench.simulation.run(for: .milliseconds(500))
        #expect((bench.server?.connections.compactMap { $0?.connection.unsentBytes }.max() ?? 0) < 3 << 20)
        other.ask(.exists, ExistsRequest(path: "/big"))
        #expect(bench.run { other.replies.count == 1 })
        slow.connection?.resume()
        #expect(bench.run { slow.replies.count == 61 })
    }

    @Test("who does not read its answers keeps its session while it pings, and loses it when it falls silent")
    func silentReader() {
        let bench = Bench()
        let slow = bench.client(timeout: 2000), other = bench.client(timeout: 10_000)
        slow.ask(.create, CreateRequest(path: "/e", data: [UInt8](repeating: 7, count: 200_000), mode: .ephemeral))
        bench.run { slow.replies.count == 1 }
        slow.connection?.pause()
        for _ in 0..<60 { slow.ask(.getData, GetDataRequest(path: "/e")) }
        var answers = 0
        func isThere() -> CoordinationError? {
            answers += 1
            other.ask(.exists, ExistsRequest(path: "/e"))
            bench.run { other.replies.count == answers }
            return other.replies.last?.header.error
        }
        for _ in 0..<8 {
            bench.simulation.run(for: .milliseconds(1000))
            slow.ping()
            #expect(isThere() == .ok)
        }
        bench.simulation.run(for: .milliseconds(2500))
        #expect(isThere() == .noNode)
    }

    @Test("too many connections of one address are not let in") func limit() {
        let bench = Bench { $0.maxClientConnections = 2 }
        let wires = (0..<3).map { _ in bench.wire(from: "one") }
        #expect(bench.run { wires.contains { $0.reason != nil } })
        #expect(wires.count { $0.reason != nil } == 1)
        #expect(bench.word("ruok") == "imok")
    }

    @Test("dataLogDir that spells dataDir otherwise is the same directory") func otherSpelling() {
        let bench = Bench { $0.dataLogDir = "./data/" }
        let wire = bench.client()
        #expect(bench.problem == nil)
        wire.ask(.create, CreateRequest(path: "/a", data: nil))
        #expect(bench.run { wire.replies.count == 1 })
        bench.node.crash(.power)
        bench.node.restart()
        let again = bench.client()
        again.ask(.exists, ExistsRequest(path: "/a"))
        #expect(bench.run { again.replies.count == 1 })
        #expect(again.replies.first?.header.error == .ok)
    }

    @Test("a port that is taken, and a directory in use, are named before anything is touched") func taken() {
        let bench = Bench()
        _ = bench.client()
        #expect(bench.problem == nil)
        let world = bench.node.world!
        do throws(StartProblem) {
            _ = try CoordinationServer.start(config: bench.config, world: world)
            Issue.record("two on one port")
        } catch { #expect(error.description.contains("Stop that program")) }
        var other = bench.config
        other.clientPort = 2199
        do throws(StartProblem) {
            _ = try CoordinationServer.start(config: other, world: world)
            Issue.record("two on one directory")
        } catch { #expect(error.description.contains("in use by another coordinator")) }
    }

    @Test("an append that fails stops the coordinator, and nothing was promised") func appendFails() {
        let bench = Bench()
        let wire = bench.client()
        wire.ask(.create, CreateRequest(path: "/a", data: nil))
        bench.run { wire.replies.count == 1 }
        bench.node.storage.fail(.sync, of: "log.", code: 5)
        wire.ask(.create, CreateRequest(path: "/b", data: nil))
        #expect(bench.run { !bench.ended.isEmpty })
        #expect(bench.ended.first??.contains("the coordinator stops") == true)
        bench.run { wire.reason != nil }
        #expect(wire.replies.count == 1)
    }

    @Test("a full disk keeps changes waiting, unacknowledged, and they are done when there is room") func fullDisk() {
        let bench = Bench { $0.preallocation = 0 }
        let wire = bench.client(), other = bench.client()
        wire.ask(.create, CreateRequest(path: "/a", data: nil))
        bench.run { wire.replies.count == 1 }
        let capacity = bench.node.storage.capacity
        // A part of the entry fits.
        bench.node.storage.capacity = bench.node.storage.usedBytes + 50
        wire.ask(.create, CreateRequest(path: "/b", data: [UInt8](repeating: 7, count: 300)))
        bench.simulation.run(for: .seconds(3))
        #expect(wire.replies.count == 1)
        #expect(bench.ended.isEmpty)
        other.ping()
        #expect(bench.run { other.replies.count == 1 }, "who has not asked for a change is kept alive")
        bench.node.storage.capacity = capacity
        #expect(bench.run { wire.replies.count == 2 })
        #expect(wire.replies.last?.header.error == .ok)
        bench.node.crash(.power)
        bench.node.restart()
        let again = bench.client()
        again.ask(.exists, ExistsRequest(path: "/b"))
        #expect(bench.run { again.replies.count == 1 })
        #expect(again.replies.first?.header.error == .ok)
    }

    @Test("a disk that stands still takes nobody's session: who comes back is told at once that it goes on")
    func stalledDisk() throws {
        let bench = Bench { $0.preallocation = 0 }
        let wire = bench.client(timeout: 2000), idle = bench.client(timeout: 2000)
        wire.ask(.create, CreateRequest(path: "/e", data: nil, mode: .ephemeral))
        bench.run { wire.replies.count == 1 }
        let session = try #require(wire.welcome)
        let capacity = bench.node.storage.capacity
        bench.node.storage.capacity = bench.node.storage.usedBytes
        wire.ask(.create, CreateRequest(path: "/waits", data: [UInt8](repeating: 7, count: 300)))
        var speaker = wire
        for _ in 0..<10 {
            // As clients do that hear nothing for two thirds of their session's time.
            bench.simulation.run(for: .milliseconds(1300))
            idle.ping()
            speaker = bench.comesBack(speaker, session)
            #expect(speaker.welcome?.sessionID == session.sessionID)
        }
        #expect(idle.replies.count == 10)
        bench.node.storage.capacity = capacity
        speaker.ask(.exists, ExistsRequest(path: "/e"))
        speaker.ask(.exists, ExistsRequest(path: "/waits"))
        #expect(bench.run { speaker.replies.count == 2 })
        #expect(speaker.replies.map(\.header.error) == [.ok, .ok])
    }

    @Test(
        "while more waits for the disk than may, pings and returning sessions are heard, and whom it keeps waiting keeps its session"
    )
    func crowdedLog() throws {
        let bench = Bench { $0.preallocation = 0 }
        let writer = bench.client(timeout: 2000), idle = bench.client(timeout: 2000),
            moving = bench.client(timeout: 2000)
        let capacity = bench.node.storage.capacity
        writer.ask(.create, CreateRequest(path: "/first", data: nil))
        bench.run { writer.replies.count == 1 }
        bench.node.storage.capacity = bench.node.storage.usedBytes
        let count = 12
        for index in 0..<count {
            writer.ask(.create, CreateRequest(path: "/n\(index)", data: [UInt8](repeating: 7, count: 900_000)))
        }
        bench.simulation.run(for: .seconds(1))
        #expect(bench.server?.isLogCrowded == true)
        let session = try #require(moving.welcome)
        var speaker = moving
        for _ in 0..<8 {
            idle.ping()
            speaker = bench.comesBack(speaker, session)
            #expect(speaker.welcome?.sessionID == session.sessionID)
            bench.simulation.run(for: .milliseconds(1300))
        }
        #expect(idle.replies.count == 8 && idle.reason == nil)
        bench.node.storage.capacity = capacity
        #expect(bench.run { writer.replies.count == 1 + count })
        #expect(writer.replies.allSatisfy { $0.header.error == .ok })
    }

    @Test("stopped while the disk is full, what waits is given up, and the next start has what was acknowledged")
    func stoppedFull() {
        let bench = Bench { $0.preallocation = 0 }
        let wire = bench.client()
        wire.ask(.create, CreateRequest(path: "/a", data: nil))
        bench.run { wire.replies.count == 1 }
        let capacity = bench.node.storage.capacity
        bench.node.storage.capacity = bench.node.storage.usedBytes
        wire.ask(.create, CreateRequest(path: "/b", data: [UInt8](repeating: 7, count: 300)))
        bench.simulation.run(for: .seconds(3))
        var stopped = false
        bench.server?.stop { stopped = true }
        #expect(bench.run { stopped })
        #expect(wire.replies.count == 1)
        bench.node.crash(.power)
        bench.node.storage.capacity = capacity
        bench.node.restart()
        let again = bench.client()
        again.ask(.exists, ExistsRequest(path: "/a"))
        #expect(bench.run { again.replies.count == 1 })
        #expect(again.replies.first?.header.error == .ok)
    }

    @Test("snapshots come by size and by time, and only after changes") func snapshotRules() {
        let bench = Bench {
            $0.snapshotAfterBytes = 2000
            $0.snapCount = 1_000_000
        }
        let files = {
            (try? bench.node.world.disk.list("data/version-2").map(\.name).filter { $0.hasPrefix("snapshot.") }) ?? []
        }
        let wire = bench.client()
        #expect(files() == ["snapshot.0"])
        for number in 0..<8 {
            wire.ask(.create, CreateRequest(path: "/n\(number)", data: [UInt8](repeating: 1, count: 400)))
        }
        #expect(bench.run { files().count > 1 })
        let timed = Bench { $0.snapshotInterval = .seconds(2) }
        let names = {
            (try? timed.node.world.disk.list("data/version-2").map(\.name).filter { $0.hasPrefix("snapshot.") }) ?? []
        }
        let client = timed.client(timeout: 10_000)
        client.ask(.create, CreateRequest(path: "/a", data: nil))
        #expect(timed.run { names().count == 2 })
        timed.simulation.run(for: .seconds(6))
        #expect(names().count == 2)
    }

    @Test("stopped cleanly, everything is there at the next start") func cleanStop() {
        let bench = Bench()
        let wire = bench.client()
        wire.ask(.create, CreateRequest(path: "/a", data: [4]))
        bench.run { wire.replies.count == 1 }
        var stopped = false
        bench.server?.stop { stopped = true }
        #expect(bench.run { stopped })
        bench.node.crash(.power)
        bench.node.restart()
        let again = bench.client()
        again.ask(.getData, GetDataRequest(path: "/a"))
        #expect(bench.run { again.replies.count == 1 })
        #expect((try? GetDataResponse.decode(again.replies.first?.body ?? []).data) == [4])
    }

    @Test(
        "whatever was acknowledged survives kill -9 and power failures, with snapshots taken meanwhile",
        arguments: 1...12 as ClosedRange<UInt64>)
    func crashes(_ seed: UInt64) throws {
        let bench = Bench(seed: seed) { $0.snapCount = 40 }
        var acknowledged: Set<String> = []
        var asked: [Int32: String] = [:]
        var next = 0
        var highest: Int64 = 0
        for round in 0..<5 {
            #expect(bench.problem == nil)
            let wire = bench.client(timeout: 10_000)
            for _ in 0..<60 {
                let path = "/n\(next)"
                next += 1
                asked[wire.ask(.create, CreateRequest(path: path, data: [UInt8](path.utf8)))] = path
            }
            let enough = Int(bench.simulation.random.next() % 60)
            bench.run { wire.replies.count >= enough }
            bench.node.crash(bench.simulation.random.next() % 2 == 0 ? .process : .power)
            for reply in wire.replies where reply.header.error == .ok {
                if let path = asked[reply.header.xid] { acknowledged.insert(path) }
                highest = max(highest, reply.header.zxid)
            }
            asked = [:]
            bench.node.restart()
            #expect(bench.problem == nil, "round \(round)")
            let reader = bench.client(timeout: 10_000)
            reader.ask(.getChildren, GetChildrenRequest(path: "/"))
            #expect(bench.run { reader.replies.count == 1 })
            #expect((reader.replies.first?.header.zxid ?? 0) >= highest)
            let children = try GetChildrenResponse.decode(reader.replies.first?.body ?? []).children
            let missing = acknowledged.subtracting(children.map { "/" + $0 })
            #expect(missing.isEmpty, "lost \(missing.sorted().prefix(3)), seed \(seed)")
        }
    }

    @Test("the same seed plays the same run") func deterministic() {
        func hash() -> UInt64 {
            let bench = Bench(seed: 5) { $0.snapCount = 30 }
            let wires = (0..<5).map { _ in bench.client() }
            for index in 0..<40 {
                for wire in wires {
                    wire.ask(.exists, ExistsRequest(path: "/n\(index)", watch: true))
                    wire.ask(.create, CreateRequest(path: "/n\(index)", data: nil, mode: .ephemeral))
                }
            }
            bench.simulation.run(for: .seconds(8))
            return bench.simulation.traceHash
        }
        #expect(hash() == hash())
    }
}
