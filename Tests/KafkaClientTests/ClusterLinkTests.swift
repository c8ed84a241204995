import Bytes
import KafkaProtocol
import Platform
import SimulatedPlatform
import Testing

@testable import KafkaClient

@Suite("A cluster")
struct ClusterLinkTests {
    let simulation = Simulation(seed: 5)

    /// Brokers 0 and 1 on hosts `b0` and `b1`; `controller` is asked at each question.
    func cluster(controller: @escaping () -> Int32, advertised: String? = nil) {
        for id in Int32(0)...1 {
            simulation.node("b\(id)").boot { world in
                let broker = ScriptedBroker(world)
                broker.answer = { header, _ in
                    switch header.key {
                    case .metadata:
                        var response = MetadataResponse()
                        response.controllerID = controller()
                        response.brokers = (Int32(0)...1).map { other in
                            .with {
                                $0.nodeID = other
                                $0.host = advertised ?? "b\(other)"
                                $0.port = 9092
                            }
                        }
                        response.topics = [
                            .with {
                                $0.name = "t"
                                $0.partitions = [
                                    .with {
                                        $0.partitionIndex = 0
                                        $0.leaderID = 1
                                    },
                                    .with {
                                        $0.partitionIndex = 1; $0.leaderID = -1
                                    },
                                ]
                            }
                        ]
                        return ScriptedBroker.frame(response, header)
                    case .createTopics:
                        let code = controller() == id ? ErrorCode.none : .notController
                        return ScriptedBroker.frame(
                            CreateTopicsResponse.with { $0.topics = [.with { $0.errorCode = code }] }, header)
                    default: return nil
                    }
                }
                return broker
            }
        }
    }

    func link(_ bootstrap: String) -> ClusterLink {
        ClusterLink(
            world: simulation.node("client").world, bootstrap: BrokerAddress.list(bootstrap) ?? [],
            options: LinkOptions(clientID: "test"))
    }

    func wait<T>(_ begin: (@escaping (T) -> Void) -> Void) -> T? {
        var result: T?
        begin { result = $0 }
        _ = simulation.run(within: .seconds(60)) { result != nil }
        return result
    }

    @Test("is found through whichever bootstrap address answers") func bootstrap() throws {
        cluster(controller: { 0 })
        let link = link("nowhere:9092,b1:9999,b1:9092")
        let response = try #require(
            wait { link.metadata(of: nil, until: simulation.now + .seconds(10), then: $0) })
        #expect(try response.get().topics.count == 1)
        #expect(link.leader(of: "t", 0) == 1)
        #expect(link.leader(of: "t", 1) == nil)
        #expect(link.brokers.count == 2)
    }

    @Test("is asked again when its controller has moved") func controllerMoves() throws {
        var controller: Int32 = 0
        cluster(controller: { controller })
        let link = link("b0:9092")
        _ = wait { link.metadata(of: [], until: simulation.now + .seconds(10), then: $0) }
        #expect(link.controllerID == 0)
        controller = 1
        let response = try #require(
            wait { then in
                link.ask(
                    .controller, CreateTopicsRequest(), until: simulation.now + .seconds(10),
                    again: { $0.topics.first.flatMap { $0.errorCode == .notController ? $0.errorCode : nil } },
                    then: then)
            })
        #expect(try response.get().topics.first?.errorCode == ErrorCode.none)
        #expect(link.controllerID == 1)
    }

    @Test("that tells an address where nobody is, is found out") func advertised() throws {
        cluster(controller: { 1 }, advertised: "elsewhere")
        let link = link("b0:9092")
        let response: Result<CreateTopicsResponse, ClusterError> = try #require(
            wait { link.ask(.controller, CreateTopicsRequest(), until: simulation.now + .seconds(3), then: $0) })
        guard case .failure(.advertised(let by, let broker, let error)) = response else {
            Issue.record("\(response)")
            return
        }
        #expect(by == BrokerAddress(host: "b0", port: 9092))
        #expect(broker == 1)
        #expect(error.isUnreachable)
    }

    @Test("that nobody answers for is given up at the deadline") func nobody() throws {
        let link = link("nowhere:9092")
        var troubles = 0
        link.onTrouble = { _ in troubles += 1 }
        let response = try #require(wait { link.metadata(of: nil, until: simulation.now + .seconds(2), then: $0) })
        guard case .failure(.link(let error)) = response else {
            Issue.record("\(response)")
            return
        }
        #expect(error.isUnreachable)
        #expect(troubles > 1)
        #expect(simulation.now < .start + .seconds(15))
    }
}
