import Bytes
import Configuration
import CoordinationProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import CoordinationServer

@Suite("Operating the coordinator")
struct OperationsTests {
    @Test("cons tells what each connection asked, was told and waited for; crst begins anew") func connections() throws
    {
        let bench = Bench()
        let wire = bench.client()
        wire.ask(.create, CreateRequest(path: "/a", data: [1]))
        wire.ask(.exists, ExistsRequest(path: "/a"))
        #expect(bench.run { wire.replies.count == 2 })
        func fields() throws -> [String: String] {
            let line = try #require(bench.word("cons").split(separator: "\n").first { $0.contains(",sid=0x") })
            var fields: [String: String] = [:]
            for pair in line[line.index(after: try #require(line.firstIndex(of: "(")))...].dropLast().split(
                separator: ",")
            {
                let parts = pair.split(separator: "=", maxSplits: 1)
                fields[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
            }
            return fields
        }
        let told = try fields()
        #expect(
            Set(told.keys) == [
                "queued", "recved", "sent", "sid", "lop", "est", "to", "lcxid", "lzxid", "lresp", "llat", "minlat",
                "avglat", "maxlat",
            ])
        #expect(told["queued"] == "0" && told["recved"] == "3" && told["sent"] == "3" && told["lop"] == "EXIS")
        #expect(told["sid"] == String(wire.welcome?.sessionID ?? 0, radix: 16, uppercase: false).withHexMark)
        #expect(told["lcxid"] == "0x2" && told["to"] == "4000" && told["lzxid"] == "0x2")
        #expect(bench.word("crst") == "Connection stats reset.\n")
        #expect(try fields()["recved"] == "0" && fields()["lop"] == "NA")
    }

    @Test("latencies are the time until the disk had it") func latency() throws {
        let bench = Bench()
        let wire = bench.client()
        for index in 0..<10 { wire.ask(.create, CreateRequest(path: "/n\(index)", data: nil)) }
        #expect(bench.run { wire.replies.count == 10 })
        let latency = try #require(bench.server?.statistics.latency)
        #expect(latency.count == 11 && latency.smallest > 0)
        #expect(bench.server?.statistics.updateLatency.count == 11)
        #expect(bench.word("srst") == "Server stats reset.\n")
        #expect(bench.word("srvr").contains("Latency min/avg/max: 0/0.0/0\n"))
    }

    @Test("wchs, wchc, wchp and dump tell who watches and who owns what") func watches() {
        let bench = Bench()
        let wire = bench.client()
        let session = "0x" + String(wire.welcome?.sessionID ?? 0, radix: 16)
        wire.ask(.create, CreateRequest(path: "/e", data: nil, mode: .ephemeral))
        wire.ask(.exists, ExistsRequest(path: "/e", watch: true))
        wire.ask(.exists, ExistsRequest(path: "/none", watch: true))
        #expect(bench.run { wire.replies.count == 3 })
        #expect(bench.word("wchs") == "1 connections watching 2 paths\nTotal watches:2\n")
        #expect(bench.word("wchc") == "\(session)\n\t/e\n\t/none\n\n")
        #expect(bench.word("wchp") == "/e\n\t\(session)\n/none\n\t\(session)\n\n")
        let dump = bench.word("dump")
        #expect(dump.hasPrefix("SessionTracker dump:\nSession Sets (1)/(1):\n1 expire at "))
        #expect(
            dump.contains(
                "Sessions with Ephemerals (1):\n\(session):\n\t/e\nConnections dump:\nConnections Sets (2)/(2):\n"))
        #expect(dump.contains(" sessionId: \(session)\n") && dump.contains(" sessionId: 0x0\n"))
    }

    @Test("the trace mask is asked and set, also in two pieces; hash keeps no history") func traceMask() {
        let bench = Bench()
        #expect(bench.word("gtmk") == "306" && bench.word("hash") == "")
        let wire = bench.wire()
        wire.isText = true
        wire.send([UInt8]("stmk".utf8) + [0, 0, 0])
        bench.simulation.run(for: .milliseconds(50))
        #expect(wire.reason == nil)
        wire.send([0, 0, 0, 0, 10])
        bench.run { wire.reason != nil }
        #expect(wire.text == [UInt8]("10".utf8) && bench.word("gtmk") == "10")
    }

    @Test("srvr is answered whatever the whitelist says; the rest is refused by name") func whitelist() {
        let bench = Bench { $0.words = [] }
        #expect(bench.word("srvr").hasPrefix("Zookeeper version: 3.9"))
        for word in FourLetterWords.known where word != "srvr" {
            #expect(
                bench.word(word).hasPrefix("\(word) is not executed because it is not in the whitelist.\n"), "\(word)")
        }
    }

    @Test("mntr has ZooKeeper's names, and counts what happened") func monitor() {
        let bench = Bench()
        let watcher = bench.client(), wire = bench.client()
        watcher.ask(.exists, ExistsRequest(path: "/a", watch: true))
        bench.run { watcher.replies.count == 1 }
        wire.ask(.create, CreateRequest(path: "/a", data: [1]))
        bench.run { watcher.replies.count == 2 }
        var values: [String: String] = [:]
        for line in bench.word("mntr").split(separator: "\n") {
            let parts = line.split(separator: "\t")
            if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
        }
        #expect(values["zk_server_state"] == "standalone" && values["zk_znode_count"] == "6")
        #expect(values["zk_global_sessions"] == "2" && values["zk_watch_count"] == "0")
        #expect(values["zk_cnt_node_created_watch_count"] == "1" && values["zk_sum_node_created_watch_count"] == "1")
        #expect(values["zk_connection_request_count"] == "2" && values["zk_cnt_updatelatency"] == "3")
        #expect(values.keys.allSatisfy { $0.hasPrefix("zk_") && !$0.contains("letterbox") })
    }

    @Test("admin HTTP serves the page, commands and metrics; a page from elsewhere resets nothing") func admin() throws
    {
        let bench = Bench { $0.adminPort = 2180 }
        _ = bench.client()
        func get(_ target: String, _ headers: String = "Host: localhost:2180\r\n") -> String {
            let wire = Wire()
            wire.isText = true
            bench.simulation.node("browser").world.network.connect(
                host: "zk", port: 2180, timeout: .seconds(5), handler: wire)
            bench.run { wire.connection != nil || wire.reason != nil }
            wire.send([UInt8]("GET \(target) HTTP/1.1\r\n\(headers)Connection: close\r\n\r\n".utf8))
            bench.run { wire.reason != nil }
            return String(decoding: wire.text, as: UTF8.self)
        }
        #expect(get("/").contains("<h1>Coordinator of "))
        #expect(get("/commands/ruok").hasSuffix("{\n  \"command\" : \"ruok\",\n  \"error\" : null\n}"))
        #expect(get("/commands/mntr").contains("\"znode_count\" : 5,\n"))
        #expect(get("/metrics").contains("# TYPE znode_count gauge\nznode_count 5\n"))
        #expect(get("/metrics").contains("letterbox_fsync_seconds_count "))
        #expect(get("/commands/nonsense").hasPrefix("HTTP/1.1 404 ") && get("/nothing").hasPrefix("HTTP/1.1 404 "))
        #expect(
            get("/commands/snapshot").hasPrefix("HTTP/1.1 403 ") && get("/commands/restore").hasPrefix("HTTP/1.1 403 "))
        for command in AdminCommand.offered where command.name != "leader" && command.name != "set_trace_mask" {
            #expect(
                get("/commands/\(command.name)").contains("\"command\" : \"\(command.name)\",\n  \"error\" : null\n}"),
                "\(command.name)")
        }
        #expect(get("/commands/set_trace_mask?traceMask=4").contains("\"tracemask\" : 4"))
        let foreign = "Host: localhost:2180\r\nSec-Fetch-Site: cross-site\r\n"
        #expect(get("/commands/set_trace_mask?traceMask=9", foreign).hasPrefix("HTTP/1.1 403 "))
        #expect(get("/commands/ruok", foreign).hasPrefix("HTTP/1.1 200 "))
        #expect(get("/commands/ruok", "Host: evil.example\r\n").hasPrefix("HTTP/1.1 403 "))
        #expect(bench.word("gtmk") == "4")
        #expect(bench.word("GET / HTTP/1.1\r\n\r\n").contains("http://127.0.0.1:2180/"))
    }

    @Test("an admin port that is taken is told in one line, and the service goes on") func adminPortTaken() {
        let bench = Bench { $0.adminPort = 2181 }
        _ = bench.client()
        #expect(bench.lines.count { $0.contains("admin HTTP is off: ") && $0.contains(":2181") } == 1)
        #expect(bench.word("ruok") == "imok")
    }

    @Test("a session's life is told: begun, moved, resumed, expired with what it held, closed") func narration() {
        let bench = Bench()
        let first = bench.client(timeout: 2000)
        let id = first.welcome?.sessionID ?? 0, name = "session 0x" + String(id, radix: 16)
        let second = bench.wire()
        second.connect(session: id, password: first.welcome?.password ?? [], timeout: 2000)
        bench.run { second.welcome != nil && first.reason != nil }
        second.ask(.create, CreateRequest(path: "/brokers", data: nil))
        second.ask(.create, CreateRequest(path: "/brokers/ids", data: nil))
        for path in ["/z", "/a", "/brokers/ids/1", "/controller"] {
            second.ask(.create, CreateRequest(path: path, data: [UInt8]("{\"brokerid\":1}".utf8), mode: .ephemeral))
        }
        bench.run { second.replies.count == 6 }
        second.connection?.close()
        let third = bench.wire()
        third.connect(session: id, password: first.welcome?.password ?? [], timeout: 2000)
        bench.run { third.welcome != nil }
        third.connection?.close()
        let other = bench.client()
        other.ask(.exists, ExistsRequest(path: "/controller", watch: true))
        #expect(bench.run { other.replies.count == 2 })
        other.ask(.closeSession)
        bench.run { other.reason != nil }
        func one(_ parts: String...) {
            #expect(
                bench.lines.count { line in parts.allSatisfy { line.contains($0) } } == 1, "\(parts)\n\(bench.lines)")
        }
        one(name, " began: timeout 2000 ms")
        one("connection ", " closed: its \(name) speaks from ")
        one(name, " resumed: it was at ")
        one("/brokers/ids/1 appeared by \(name)")
        one("/controller appeared {\"brokerid\":1} by \(name)")
        one(name, " expired: 2000 ms silent; 4 ephemerals removed: /brokers/ids/1, /controller, …")
        one("/controller vanished with \(name)")
        one(" closed by its client")
    }

    @Test("a thousand sessions that expire together are summed up") func massExpiry() {
        let bench = Bench()
        let wires = (0..<300).map { _ in bench.wire(from: "crowd") }
        for wire in wires { wire.connect(timeout: 2000) }
        bench.run { wires.allSatisfy { $0.welcome != nil } }
        for (index, wire) in wires.enumerated() {
            wire.ask(.create, CreateRequest(path: "/e\(index)", data: nil, mode: .ephemeral))
        }
        #expect(bench.run { bench.server?.core.sessionCount == 0 })
        bench.simulation.run(for: .seconds(3))
        let expired = bench.lines.count { $0.contains(" expired: ") }
        #expect(expired >= Narrator.atMost && expired <= 3 * Narrator.atMost, "\(expired)")
        #expect(
            bench.lines.contains {
                $0.contains(" more sessions expired within a second; ") && $0.contains(" ephemerals removed with them")
            })
    }

    @Test("with audit.enable each change is told with who made it, failures too") func audit() {
        let bench = Bench { $0.audits = true }
        let wire = bench.client()
        wire.ask(.create, CreateRequest(path: "/a\nb", data: nil))
        wire.ask(.create, CreateRequest(path: "/a", data: nil, mode: .ephemeral))
        wire.ask(.create, CreateRequest(path: "/a", data: nil))
        wire.ask(.setData, SetDataRequest(path: "/a", data: [1], version: -1))
        wire.ask(.delete, DeleteRequest(path: "/none", version: -1))
        wire.ask(.closeSession)
        bench.run { wire.reason != nil }
        let session = "session=0x" + String(wire.welcome?.sessionID ?? 0, radix: 16)
        let address =
            bench.lines.first { $0.contains("operation=setData") }?.split(separator: "\t").dropFirst(2).first ?? ""
        let who = "\(session)\tuser=\(address.dropFirst(3))\t\(address)\t"
        let lines = bench.lines.filter { $0.contains("operation=") }
        #expect(address.hasPrefix("ip="))
        #expect(lines.contains(who + "operation=create\tznode=/a\tznode_type=ephemeral\tresult=success"))
        #expect(lines.contains(who + "operation=create\tznode=/a\tznode_type=persistent\tresult=failure"))
        #expect(lines.contains(who + "operation=setData\tznode=/a\tresult=success"))
        #expect(lines.contains(who + "operation=delete\tznode=/none\tresult=failure"))
        #expect(
            lines.contains {
                $0.hasPrefix(session)
                    && $0.contains("operation=ephemeralZNodeDeletionOnSessionCloseOrExpire\tznode=/a\t")
            })
        #expect(lines.contains { $0.hasSuffix("operation=serverStart\tresult=success") })
        #expect(bench.lines.allSatisfy { !$0.contains("\n") })
    }
}

extension String {
    fileprivate var withHexMark: String { "0x" + self }
}

extension Bench {
    var lines: [String] { node.lines.map(\.text) }
}
