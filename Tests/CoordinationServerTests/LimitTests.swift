import Bytes
import Configuration
import CoordinationProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import CoordinationServer

@Suite("The coordinator's limits")
struct LimitTests {
    @Test("maxCnxns bounds the connections of all addresses") func maxCnxns() {
        let bench = Bench { $0.maxConnections = 2 }
        let wires = ["one", "two", "three"].map { bench.wire(from: $0) }
        #expect(bench.run { wires.contains { $0.reason != nil } })
        #expect(wires.count { $0.reason != nil } == 1 && bench.server?.statistics.refusedConnections == 1)
        wires.first { $0.reason == nil }?.connection?.close()
        bench.simulation.run(for: .seconds(1))
        #expect(bench.word("ruok") == "imok")
    }

    @Test("a connection without a session ends after its time; one with a session stays") func sessionless() {
        let bench = Bench { $0.sessionlessTimeout = .seconds(2) }
        let silent = bench.wire(), half = bench.wire(), served = bench.client(timeout: 10_000)
        half.send([0, 0])
        #expect(bench.run { silent.reason != nil && half.reason != nil })
        #expect(served.reason == nil && bench.server?.statistics.silentConnections == 2)
    }

    @Test("above globalOutstandingLimit nobody is answered less, only read later", arguments: [true, false])
    func outstanding(_ global: Bool) {
        let bench = Bench {
            if global { $0.outstandingLimit = 4 } else { $0.requestLimit = 4 }
        }
        let wires = (0..<4).map { _ in bench.client(timeout: 10_000) }
        for index in 0..<30 {
            for (number, wire) in wires.enumerated() {
                wire.ask(.create, CreateRequest(path: "/n\(number)-\(index)", data: nil))
            }
        }
        var most = 0
        #expect(
            bench.run {
                most = max(most, bench.server?.outstanding ?? 0)
                return wires.allSatisfy { $0.replies.count == 30 }
            })
        // One request of each connection may be taken when the limit is just reached.
        #expect(most >= 4 && most <= (global ? 9 : 4), "\(most)")
        #expect((bench.server?.statistics.throttleWaits ?? 0) > 0)
        #expect(wires.allSatisfy { $0.replies.map(\.header.xid) == Array(1...30) })
    }

    @Test("large requests beyond largeRequestMaxBytes under way close their connection") func large() {
        let bench = Bench {
            $0.largeRequestThreshold = 1000
            $0.largeRequestMaxBytes = 5000
        }
        let wire = bench.client()
        wire.ask(.create, CreateRequest(path: "/small", data: [UInt8](repeating: 1, count: 500)))
        wire.ask(.create, CreateRequest(path: "/large", data: [UInt8](repeating: 1, count: 3000)))
        #expect(bench.run { wire.replies.count == 2 })
        let greedy = bench.client()
        for index in 0..<3 {
            greedy.ask(.create, CreateRequest(path: "/g\(index)", data: [UInt8](repeating: 1, count: 3000)))
        }
        #expect(bench.run { greedy.reason != nil })
        #expect(bench.server?.statistics.refusedLargeRequests == 1)
        wire.ask(.exists, ExistsRequest(path: "/g0"))
        #expect(bench.run { wire.replies.count == 3 })
    }

    @Test("sessions that come faster than the throttle allows are refused, and let in later") func throttle() {
        let bench = Bench {
            $0.throttle.tokens = 2
            $0.throttle.fillTime = 1000
        }
        let wires = (0..<5).map { _ in bench.wire() }
        for wire in wires { wire.connect() }
        #expect(bench.run { wires.allSatisfy { $0.welcome != nil || $0.reason != nil } })
        #expect(wires.count { $0.welcome != nil } == 2)
        bench.simulation.run(for: .seconds(2))
        #expect(bench.client().welcome != nil)
        #expect(bench.lines.contains { $0.contains("sessions come faster than connection_throttle_tokens allows") })
    }

    @Test("session timeouts are held between their bounds") func timeouts() {
        let bench = Bench()
        #expect(bench.client(timeout: 1).welcome?.timeout == 1000)
        #expect(bench.client(timeout: 99_999).welcome?.timeout == 10_000)
    }

    @Test("TLS is answered with an alert, HTTP with a page that names the admin port, and neither floods the log")
    func foreign() {
        let bench = Bench()
        let tls = bench.wire()
        tls.isText = true
        tls.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])
        #expect(bench.run { tls.reason != nil })
        #expect(tls.text == [0x15, 3, 1, 0, 2, 2, 0x46])
        #expect(bench.word("GET / HTTP/1.1\r\n\r\n").contains("admin.enableServer=true turns it on"))
        let many = (0..<60).map { _ in bench.wire(from: "noise") }
        for wire in many { wire.send([UInt8]("GET / HTTP/1.1\r\n\r\n".utf8)) }
        #expect(bench.run { many.allSatisfy { $0.reason != nil } })
        bench.simulation.run(for: .seconds(2))
        #expect(bench.lines.count { $0.contains("it speaks HTTP") } < 45)
        #expect(bench.lines.contains { $0.contains("more connections were closed that do not speak this protocol") })
    }

    private func config(_ pairs: KeyValuePairs<String, String>) throws -> CoordinatorConfig {
        var properties = Properties(pairs)
        properties["dataDir"] = "d"
        return try CoordinatorConfig(properties)
    }

    @Test("limits are read from the file under both of ZooKeeper's names") func settings() throws {
        let read = try config([
            "maxCnxns": "7", "globalOutstandingLimit": "9", "zookeeper.request_throttle_max_requests": "11",
            "largeRequestThreshold": "5", "largeRequestMaxBytes": "6", "clientPortListenBacklog": "3",
            "nio.sessionlessCnxnTimeout": "250", "connection_throttle_tokens": "4", "zookeeper.audit.enable": "true",
            "readonlymode.enabled": "true", "admin.enableServer": "false", "requestThrottleStallTime": "1",
        ])
        #expect(read.maxConnections == 7 && read.outstandingLimit == 9 && read.requestLimit == 11)
        #expect(read.largeRequestThreshold == 5 && read.largeRequestMaxBytes == 6 && read.backlog == 3)
        #expect(read.sessionlessTimeout == .milliseconds(250) && read.throttle.tokens == 4 && read.audits)
        #expect(read.words == ["srvr", "isro"] && read.adminPort == nil && read.notUnderstood.isEmpty)
        #expect(try config(["jute.maxbuffer": "0x400000"]).maxBuffer == 4 << 20)
        let usual = try config([:])
        #expect(usual.words == ["srvr"] && usual.adminPort == 2180 && usual.adminAddress == "127.0.0.1")
        #expect(usual.maxClientConnections == 60 && usual.maxConnections == 0)
    }

    @Test("misspelt settings get the nearest name; what promises more than there is refuses the start") func unknown()
        throws
    {
        let read = try config(["maxClientCnxn": "1", "globalOutstandingLimits": "2"])
        #expect(read.notUnderstood.map(\.name) == ["maxClientCnxn", "globalOutstandingLimits"])
        #expect(read.notUnderstood.map(\.nearest) == ["maxClientCnxns", "globalOutstandingLimit"])
        for (key, value) in [
            ("secureClientPort", "2281"), ("authProvider.1", "x"), ("admin.commandURL", "commands"), ("maxCnxns", "-1"),
            ("connection_throttle_drop_increase", "2"),
        ] {
            #expect(throws: ConfigError.self, "\(key)") { try config([key: value]) }
        }
    }
}
