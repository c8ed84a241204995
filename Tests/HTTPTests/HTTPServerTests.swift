import Platform
import SimulatedPlatform
import Testing

@testable import HTTP

/// A machine that serves, and browsers that say exactly what a test wants.
private final class Bench: ServerProgram {
    let simulation = Simulation(seed: 1)
    let node: SimulatedNode
    private(set) var server: HTTPServer?
    private(set) var asked: [String] = []

    init(_ adjust: @escaping (inout HTTPServer.Options) -> Void = { _ in }) {
        node = simulation.node("web")
        node.boot { [weak self] world in
            guard let self else { return nil }
            var options = HTTPServer.Options()
            adjust(&options)
            server = try? HTTPServer(host: "", port: 80, world: world, options: options) { [weak self] request in
                self?.asked.append(request.method + " " + request.path)
                return request.path == "/big"
                    ? HTTPResponse(body: [UInt8](repeating: 7, count: 600_000)) : HTTPResponse(text: "hello")
            }
            return self
        }
    }

    func start(failed: @escaping (ServerFailure) -> Void) throws(ServerFailure) {}
    func stop(then: @escaping () -> Void) { then() }

    func browser() -> Browser {
        let browser = Browser()
        simulation.node("browser").world.network.connect(
            host: "web", port: 80, timeout: .seconds(5), handler: browser)
        run { browser.connection != nil || browser.reason != nil }
        return browser
    }

    @discardableResult
    func run(_ condition: () -> Bool) -> Bool { simulation.run(within: .seconds(120), until: condition) }
}

private final class Browser: ConnectionHandler {
    var connection: (any Connection)?
    var reason: CloseReason?
    var bytes: [UInt8] = []
    var text: String { String(decoding: bytes, as: UTF8.self) }
    var answers: Int { text.components("HTTP/1.1 ") }
    func opened(_ connection: any Connection) { self.connection = connection }
    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        self.bytes += bytes
        return bytes.count
    }
    func closed(_ connection: any Connection, _ reason: CloseReason) { self.reason = reason }
    func send(_ text: String) { connection?.send([UInt8](text.utf8)) }
}

extension String {
    fileprivate func components(_ part: String) -> Int {
        var count = 0, rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(part) { count += 1 }
            rest.removeFirst()
        }
        return count
    }
}

@Suite("The HTTP server")
struct HTTPServerTests {
    @Test("pipelined requests are answered in order on a stream that stays; HEAD has no body; close ends it")
    func keepAlive() {
        let bench = Bench()
        let browser = bench.browser()
        browser.send("GET /a HTTP/1.1\r\nHost: localhost\r\n\r\nHEAD /b HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(bench.run { browser.answers == 2 })
        #expect(browser.reason == nil && bench.asked == ["GET /a", "HEAD /b"])
        #expect(browser.text.components("hello") == 1 && browser.text.components("Content-Length: 5\r\n") == 2)
        browser.send("GET /c HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        #expect(bench.run { browser.reason != nil })
        #expect(browser.text.hasSuffix("Connection: close\r\n\r\nhello"))
        #expect(!browser.text.lowercased().contains("access-control"))
    }

    @Test("strange hosts and methods do not reach the handler; noise ends the stream") func refusals() {
        let bench = Bench()
        let browser = bench.browser()
        browser.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\nGET / HTTP/1.1\r\n\r\n")
        browser.send("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(bench.run { browser.answers == 3 })
        for status in ["403 Forbidden", "400 Bad Request", "405 Method Not Allowed\r\n"] {
            #expect(browser.text.components("HTTP/1.1 \(status)") == 1, "\(status)")
        }
        #expect(browser.text.contains("Allow: GET, HEAD\r\n") && bench.asked.isEmpty)
        browser.send("\u{01}\u{02}")
        #expect(bench.run { browser.reason != nil })
    }

    @Test("a stream without a whole request ends after its time, dripping bytes or not") func idle() {
        let bench = Bench()
        let silent = bench.browser(), dripping = bench.browser()
        let began = bench.simulation.now
        while dripping.reason == nil, bench.simulation.now - began < .seconds(60) {
            dripping.send("G")
            bench.simulation.run(for: .seconds(1))
        }
        #expect(silent.reason != nil && dripping.reason != nil)
    }

    @Test("more streams than allowed are not taken; when one ends there is room again") func bounded() {
        let bench = Bench { $0.connections = 2 }
        let first = bench.browser()
        _ = bench.browser()
        let third = bench.browser()
        #expect(bench.run { third.reason != nil })
        first.connection?.close()
        bench.simulation.run(for: .seconds(1))
        let fourth = bench.browser()
        fourth.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(bench.run { fourth.answers == 1 })
    }

    @Test("who does not read is not read from, and gets everything in the end") func slowReader() {
        let bench = Bench()
        let slow = bench.browser()
        slow.connection?.pause()
        for _ in 0..<12 { slow.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n") }
        bench.simulation.run(for: .seconds(2))
        #expect(bench.asked.count < 12)
        slow.connection?.resume()
        #expect(bench.run { slow.bytes.count > 12 * 600_000 })
        #expect(bench.asked.count == 12)
    }
}
