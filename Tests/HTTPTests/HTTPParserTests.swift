import Platform
import Testing

@testable import HTTP

@Suite("Reading HTTP requests")
struct HTTPParserTests {
    private func parse(_ text: String, _ limits: HTTPLimits = HTTPLimits()) -> HTTPParser.Outcome {
        parse([UInt8](text.utf8), limits)
    }
    private func parse(_ bytes: [UInt8], _ limits: HTTPLimits = HTTPLimits()) -> HTTPParser.Outcome {
        bytes.withUnsafeBytes { HTTPParser.parse($0, limits) }
    }
    private func status(_ text: String, _ limits: HTTPLimits = HTTPLimits()) -> Int? {
        if case .problem(let problem) = parse(text, limits) { problem.status } else { nil }
    }
    private func request(_ text: String) -> HTTPRequest? {
        if case .request(let request, _) = parse(text) { request } else { nil }
    }

    @Test("a browser's request is taken apart") func browser() {
        let text = "GET /commands/stat?a=1&b=x+y%26 HTTP/1.1\r\nHost: localhost:2180\r\nAccept:  */* \r\n\r\nGET"
        guard case .request(let request, let consumed) = parse(text) else {
            Issue.record("not understood")
            return
        }
        #expect(consumed == text.utf8.count - 3)
        #expect(request.method == "GET" && request.path == "/commands/stat" && request.keepsAlive)
        #expect(request.parameter("a") == "1" && request.parameter("b") == "x y&")
        #expect(request.header("host") == "localhost:2180" && request.header("accept") == "*/*")
    }

    @Test("every prefix of a request is incomplete, and no cut changes what is read") func prefixes() {
        let text = "\r\nHEAD http://127.0.0.1/%7e?q HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n"
        let bytes = [UInt8](text.utf8)
        for end in 0..<bytes.count {
            guard case .incomplete(let needs) = parse(Array(bytes[..<end])) else {
                Issue.record("decided after \(end) bytes")
                return
            }
            #expect(needs > end)
        }
        let whole = request(text)
        #expect(whole?.path == "/~" && whole?.minorVersion == 0 && whole?.keepsAlive == true)
    }

    @Test(
        "what is no request is refused with the right status",
        arguments: [
            ("\u{16}\u{03}\u{01}", 400), ("GET  / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/2.0\r\n\r\n", 505),
            ("GET / FTP/1.1\r\n\r\n", 400), ("GET x HTTP/1.1\r\n\r\n", 400), ("G@T / HTTP/1.1\r\n\r\n", 400),
            ("GET /%zz HTTP/1.1\r\n\r\n", 400), ("GET /%00 HTTP/1.1\r\n\r\n", 400), ("GET /%ff HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nA : b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nnonsense\r\n\r\n", 400), ("GET / HTTP/1.1\r\nA: \u{01}\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", 413),
            ("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
        ])
    func refused(_ text: String, _ expected: Int) { #expect(status(text) == expected) }

    @Test("heads and header counts are bounded") func bounds() {
        #expect(status("GET /" + String(repeating: "x", count: 20_000)) == 431)
        let many = (0...100).map { "h\($0): v\r\n" }.joined()
        #expect(status("GET / HTTP/1.1\r\n\(many)\r\n") == 431)
    }

    @Test("a body up to the limit comes whole") func body() {
        var limits = HTTPLimits()
        limits.body = 4
        let head = "POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
        #expect(parse(head + "abc", limits) == .incomplete(needs: head.utf8.count + 4))
        guard case .request(let request, let consumed) = parse(head + "abcde", limits) else {
            Issue.record("not understood")
            return
        }
        #expect(request.body == [UInt8]("abcd".utf8) && consumed == head.utf8.count + 4)
    }

    @Test("noise and mutilated requests never crash it", arguments: 1...8 as ClosedRange<UInt64>)
    func noise(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let good = [UInt8]("GET /a%20b?c=d HTTP/1.1\r\nHost: [::1]:1\r\nContent-Length: 0\r\n\r\n".utf8)
        for _ in 0..<1500 {
            var bytes = good
            switch random.next() % 3 {
            case 0: bytes = (0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            case 1:
                for _ in 0...(random.next() % 4) {
                    bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
                }
            default: bytes.removeSubrange(0..<Int(random.next() % UInt64(bytes.count)))
            }
            switch parse(bytes) {
            case .incomplete(let needs): #expect(needs > bytes.count)
            case .request(let request, let consumed):
                #expect(consumed <= bytes.count && consumed > 0 && request.path.hasPrefix("/"))
            case .problem(let problem): #expect((400...505).contains(problem.status) && !problem.reason.isEmpty)
            }
        }
    }

    @Test("only this machine's names and plain addresses are hosts") func hosts() {
        let guarded = HostGuard(names: ["Box.example", ""])
        for host in [
            "localhost", "LOCALHOST:2180", "127.0.0.1:2180", "[::1]:2180", "box.example", "a.localhost", "10.0.0.7",
        ] {
            #expect(guarded.accepts(host, minorVersion: 1), "\(host)")
        }
        for host in [
            "evil.example", "localhost.evil.example", "", ":2180", "127.0.0.1.evil.example", "[::1", "[x]", "a:b",
            "1.2.3.4x",
        ] { #expect(!guarded.accepts(host, minorVersion: 1), "\(host)") }
        #expect(guarded.accepts(nil, minorVersion: 0) && !guarded.accepts(nil, minorVersion: 1))
    }

    @Test("a page from elsewhere is not our own") func origins() {
        func own(_ headers: [(name: String, value: String)]) -> Bool {
            HostGuard.isOwnPage(HTTPRequest(method: "GET", path: "/", headers: [("host", "localhost:1")] + headers))
        }
        #expect(own([]) && own([("origin", "http://localhost:1")]) && own([("sec-fetch-site", "none")]))
        #expect(!own([("origin", "http://evil.example")]) && !own([("origin", "null")]))
        #expect(!own([("sec-fetch-site", "cross-site")]) && !own([("sec-fetch-site", "same-site")]))
    }

    @Test("JSON is laid out as ZooKeeper's AdminServer does it") func json() {
        let value = JSON.object([
            "a": .integer(1), "b": .array([]), "c": .object([]), "d": .object(["e\"\n\u{01}": .null]),
            "f": .array([.bool(true), .number(0.5), .object(["g": .string("/é")])]),
        ])
        #expect(
            value.pretty == """
                {
                  "a" : 1,
                  "b" : [ ],
                  "c" : { },
                  "d" : {
                    "e\\"\\n\\u0001" : null
                  },
                  "f" : [ true, 0.5, {
                    "g" : "/é"
                  } ]
                }
                """)
    }
}
