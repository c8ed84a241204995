import ClusterModel
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
        try CoordinatorSession.run(text, tool, patience: patience) { (session) throws(ToolFailure) in
            var facts = CoordinatorLookup()
            for id in try session.children(Znodes.brokerIDs).compactMap({ Int32($0) }).sorted() {
                guard let data = try session.node("\(Znodes.brokerIDs)/\(id)")?.data,
                    let broker = try? BrokerRegistration(payload: data), let endpoint = broker.endpoints.first
                else { continue }
                facts.brokers.append(Broker(id: id, address: "\(endpoint.host):\(endpoint.port)"))
            }
            facts.controller = try session.node(Znodes.controller)?.data
                .flatMap { try? ControllerSeatPayload(payload: $0).broker.raw }
            return facts
        }
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
}
