import Bytes
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import KafkaClient

@Suite("A link to a broker")
struct BrokerLinkTests {
    let simulation = Simulation(seed: 3)
    let address = BrokerAddress(host: "broker", port: 9092)

    func broker(_ prepare: @escaping (ScriptedBroker) -> Void = { _ in }) {
        simulation.node("broker").boot { world in
            let broker = ScriptedBroker(world)
            prepare(broker)
            return broker
        }
    }

    func link(_ options: LinkOptions = LinkOptions(clientID: "test")) -> BrokerLink {
        BrokerLink(world: simulation.node("client").world, to: address, options: options)
    }

    func result<R: RequestMessage>(_ link: BrokerLink, _ request: R) -> Result<R.Response, LinkError>? {
        var result: Result<R.Response, LinkError>?
        link.send(request) { result = $0 }
        _ = simulation.run(within: .seconds(60)) { result != nil }
        return result
    }

    func error<R: RequestMessage>(_ link: BrokerLink, _ request: R) -> LinkError? {
        if case .failure(let error)? = result(link, request) { return error }
        return nil
    }

    @Test("speaks the highest version that both know") func versions() {
        var heard: [Int16] = []
        broker { broker in
            broker.versions = [
                .with {
                    $0.apiKey = 12
                    $0.maxVersion = 2
                }, .with { $0.apiKey = 18 },
                .with {
                    $0.apiKey = 14
                    $0.minVersion = 90
                    $0.maxVersion = 99
                },
            ]
            broker.answer = { header, _ in
                heard.append(header.version)
                return ScriptedBroker.frame(HeartbeatResponse.with { $0.errorCode = .rebalanceInProgress }, header)
            }
        }
        let link = link()
        #expect(try! result(link, HeartbeatRequest())?.get().errorCode == .rebalanceInProgress)
        #expect(heard == [2])
        #expect(error(link, SyncGroupRequest()) == .noCommonVersion(address, .syncGroup))
        #expect(link.isReady)
    }

    @Test("asks again in an older version when the broker does not know ours") func fallback() {
        broker { $0.highestApiVersions = 1 }
        let link = link()
        var ready = false
        link.whenReady { result in
            if case .success = result { ready = true }
        }
        simulation.run(within: .seconds(5)) { ready }
        #expect(link.isReady)
        #expect(link.version(of: .fetch) == 17)
    }

    @Test("keeps requests and answers in order, many at a time") func pipeline() {
        broker { broker in
            broker.answer = { header, _ in
                ScriptedBroker.frame(HeartbeatResponse.with { $0.throttleTimeMs = header.correlationID }, header)
            }
        }
        let link = link()
        var answers: [Int32] = []
        for _ in 0..<1000 {
            link.send(HeartbeatRequest()) { result in
                if case .success(let response) = result { answers.append(response.throttleTimeMs) }
            }
        }
        simulation.run(within: .seconds(20)) { answers.count == 1000 }
        #expect(answers == Array(answers[0]..<(answers[0] + 1000)))
        #expect(link.inFlight == 0)
    }

    @Test("ends when an answer does not come in time, and tells every request") func timeout() {
        broker()
        var options = LinkOptions(clientID: nil)
        options.requestTimeout = .seconds(1)
        let link = link(options)
        var errors: [LinkError] = []
        var ends = 0
        link.onEnd = { _ in ends += 1 }
        for _ in 0..<2 {
            link.send(HeartbeatRequest()) { result in
                if case .failure(let error) = result { errors.append(error) }
            }
        }
        simulation.run(within: .seconds(10)) { errors.count == 2 }
        #expect(errors == [LinkError](repeating: .timedOut(address, .heartbeat, milliseconds: 1000), count: 2))
        #expect(ends == 1)
        #expect(error(link, HeartbeatRequest()) != nil)
    }

    @Test("says that nobody listens, that a port speaks TLS or HTTP, and that a peer is no broker") func strangers() {
        if case .unreachable? = error(link(), HeartbeatRequest()) {} else { Issue.record("nobody listens") }
        for (raw, expected): ([UInt8], LinkError) in [
            ([0x15, 3, 1, 0, 2, 2, 80], .speaksTLS(address)),
            (Array("HTTP/1.1 400".utf8), .notBroker(address, "it speaks HTTP")),
            ([0x7f, 0, 0, 0, 1], .frameTooLarge(address, bytes: 0x7f00_0000, limit: 100 << 20)),
            ([0, 0, 0, 4, 0, 0, 0, 99], .notBroker(address, "an answer to request 99 instead of 1")),
        ] {
            simulation.node("broker").crash(.process)
            broker { $0.rawAnswer = raw }
            simulation.node("broker").restart()
            #expect(error(link(), HeartbeatRequest()) == expected)
        }
    }

    @Test("fails what is unanswered when its owner closes it") func closing() {
        broker()
        let link = link()
        var failure: LinkError?
        link.send(HeartbeatRequest()) { result in
            if case .failure(let error) = result { failure = error }
        }
        simulation.run(within: .seconds(2)) { link.isReady }
        link.close()
        simulation.run(within: .seconds(2)) { failure != nil }
        #expect(failure == .closed(address))
    }
}

@Suite("Addresses of brokers")
struct BrokerAddressTests {
    @Test("are host and port, several with commas") func parsing() {
        #expect(BrokerAddress("localhost:9092") == BrokerAddress(host: "localhost", port: 9092))
        #expect(BrokerAddress("[::1]:9092")?.host == "::1")
        #expect(BrokerAddress("[::1]:9092")?.description == "[::1]:9092")
        #expect(BrokerAddress.list("a:1,b:2")?.map(\.port) == [1, 2])
        for wrong in ["localhost", "localhost:", ":9092", "localhost:0", "localhost:65536", "a:1,b"] {
            #expect(BrokerAddress.list(wrong) == nil, "\(wrong)")
        }
    }
}
