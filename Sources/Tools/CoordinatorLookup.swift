import ClusterModel
import CoordinationClient
import CoordinationProtocol
import Platform

/// Brokers by way of the coordinator, as tutorials before Kafka 3 have it: `--zookeeper HOST:2181`.
package enum CoordinatorLookup {
    /// The addresses of the brokers that are registered, for `--bootstrap-server`.
    package static func brokers(_ text: String, _ tool: any ToolWorld) throws(ToolFailure) -> String {
        let place: ConnectString
        do throws(ConnectStringError) { place = try ConnectString(text) } catch { throw ToolFailure("\(error)") }
        let journal = Journal(speaker: "tool", level: .error, sink: Silence(), clock: tool.world.clock)
        let client = CoordinationClient(
            world: tool.world, connect: place, sessionTimeout: .seconds(10), journal: journal
        ) { _ in }
        client.start()
        defer {
            let _: Bool = tool.wait { client.close(patience: .seconds(1), then: $0) }
        }
        tool.run(until: { client.isConnected || client.isOver }, atMost: .seconds(10))
        guard client.isConnected else {
            throw ToolFailure(
                "LB-2009 no coordinator answers on \(text). Start one: "
                    + "scripts/zookeeper-server-start.sh config/zookeeper.properties")
        }
        var addresses: [String] = []
        let listed: Result<NodeChildren, CoordinationError> = tool.wait {
            client.getChildren(Znodes.brokerIDs, then: $0)
        }
        for id in ((try? listed.get())?.children ?? []).sorted() {
            let read: Result<NodeData, CoordinationError> = tool.wait {
                client.getData("\(Znodes.brokerIDs)/\(id)", then: $0)
            }
            guard let data = try? read.get().data, let broker = try? BrokerRegistration(payload: data),
                let endpoint = broker.endpoints.first
            else { continue }
            addresses.append("\(endpoint.host):\(endpoint.port)")
        }
        guard !addresses.isEmpty else {
            throw ToolFailure(
                "LB-2008 the coordinator at \(text) knows no broker. Start one: "
                    + "scripts/kafka-server-start.sh config/server.properties")
        }
        let bootstrap = addresses.joined(separator: ",")
        tool.warn(
            "note: --zookeeper is gone since Kafka 3.0; used broker \(addresses[0]) from the coordinator. "
                + "Write --bootstrap-server \(addresses[0])")
        return bootstrap
    }

    private final class Silence: JournalSink {
        func write(_ line: JournalLine) {}
    }
}
