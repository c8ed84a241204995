import ClusterModel
import CoordinationClient
import CoordinationProtocol
import Platform

/// What the coordinator knows of a cluster, read once, for tools.
package struct CoordinatorLookup {
    package struct Broker: Equatable {
        package var id: Int32
        /// Its first endpoint, as clients are told it.
        package var address: String
    }
    /// By id.
    package var brokers: [Broker] = []
    package var controller: Int32?

    package static func read(
        _ text: String, _ tool: any ToolWorld, patience: Duration = .seconds(10)
    ) throws(ToolFailure) -> CoordinatorLookup {
        let place: ConnectString
        do throws(ConnectStringError) { place = try ConnectString(text) } catch { throw ToolFailure("\(error)") }
        let journal = Journal(speaker: "tool", level: .error, sink: Silence(), clock: tool.world.clock)
        let client = CoordinationClient(
            world: tool.world, connect: place, sessionTimeout: .seconds(10), journal: journal
        ) { _ in }
        client.start()
        tool.run(until: { client.isConnected || client.isOver }, atMost: patience)
        guard client.isConnected else {
            client.abandon()
            throw ToolFailure(
                "LB-2009 no coordinator answers on \(text). Start one: "
                    + "scripts/zookeeper-server-start.sh config/zookeeper.properties")
        }
        defer {
            let _: Bool = tool.wait { client.close(patience: .seconds(1), then: $0) }
        }
        func data(_ path: String) -> [UInt8]? {
            let read: Result<NodeData, CoordinationError> = tool.wait { client.getData(path, then: $0) }
            return (try? read.get())?.data
        }
        var facts = CoordinatorLookup()
        let listed: Result<NodeChildren, CoordinationError> = tool.wait {
            client.getChildren(Znodes.brokerIDs, then: $0)
        }
        for id in ((try? listed.get())?.children ?? []).compactMap({ Int32($0) }).sorted() {
            guard let data = data("\(Znodes.brokerIDs)/\(id)"), let broker = try? BrokerRegistration(payload: data),
                let endpoint = broker.endpoints.first
            else { continue }
            facts.brokers.append(Broker(id: id, address: "\(endpoint.host):\(endpoint.port)"))
        }
        facts.controller = data(Znodes.controller).flatMap { try? ControllerSeatPayload(payload: $0).broker.raw }
        return facts
    }

    /// The addresses of the brokers that are registered, for tutorials before Kafka 3: `--zookeeper HOST:2181` in place of
    /// `--bootstrap-server`.
    package static func brokers(_ text: String, _ tool: any ToolWorld) throws(ToolFailure) -> String {
        let addresses = try read(text, tool).brokers.map(\.address)
        guard let first = addresses.first else {
            throw ToolFailure(
                "LB-2008 the coordinator at \(text) knows no broker. Start one: "
                    + "scripts/kafka-server-start.sh config/server.properties")
        }
        tool.warn(
            "note: --zookeeper is gone since Kafka 3.0; used broker \(first) from the coordinator. "
                + "Write --bootstrap-server \(first)")
        return addresses.joined(separator: ",")
    }

    private final class Silence: JournalSink {
        func write(_ line: JournalLine) {}
    }
}
