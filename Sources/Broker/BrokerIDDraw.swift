import ClusterModel
import CoordinationClient
import Platform

/// A broker without a number draws one from the tree: the version of `/brokers/seqid` grows with each write, and
/// `reserved.broker.max.id` lies below all that are drawn.
package final class BrokerIDDraw {
    private let world: any World
    private let reserved: Int
    private let then: (Result<BrokerID, ServerFailure>) -> Void
    private var client: CoordinationClient?
    private var isOver = false

    package init(
        config: BrokerConfig, world: any World, then: @escaping (Result<BrokerID, ServerFailure>) -> Void
    ) throws(ServerFailure) {
        self.world = world
        self.then = then
        reserved = config[BrokerKeys.reservedMaxID]
        let connect: ConnectString
        do throws(ConnectStringError) { connect = try ConnectString(config.coordinator) } catch {
            throw ServerFailure("zookeeper.connect: \(error)")
        }
        let client = CoordinationClient(
            world: world, connect: connect, sessionTimeout: config[BrokerKeys.sessionTimeout], observer: { _ in })
        self.client = client
        client.start()
        client.makeChroot { [weak self] _ in self?.ask() }
        world.after(config[BrokerKeys.coordinatorConnectTimeout] ?? config[BrokerKeys.sessionTimeout]) { [weak self] in
            self?.end(
                .failure(
                    ServerFailure(
                        "LB-1009 no coordinator answered at \(connect), and broker.id is -1: a number must be drawn there. "
                            + "Start it: scripts/zookeeper-server-start.sh config/zookeeper.properties")))
        }
    }

    package func cancel() {
        isOver = true
        client?.abandon()
    }

    private func ask() {
        client?.makePath(Znodes.brokerSequence) { [weak self] result in
            guard let self, !self.isOver else { return }
            if case .failure(let error) = result {
                return self.end(.failure(ServerFailure("LB-1016 the coordinator answered \(error): \(error.message)")))
            }
            self.client?.setData(Znodes.brokerSequence, [], version: -1) { [weak self] result in
                guard let self else { return }
                switch result {
                case .success(let stat):
                    self.end(.success(BrokerID(Int32(clamping: self.reserved + Int(stat.version)))))
                case .failure(let error):
                    self.end(.failure(ServerFailure("LB-1016 the coordinator answered \(error): \(error.message)")))
                }
            }
        }
    }

    private func end(_ result: Result<BrokerID, ServerFailure>) {
        guard !isOver else { return }
        isOver = true
        let client = client
        self.client = nil
        // The client's last answer comes from within it.
        world.timers.soon { [then] in
            client?.close { _ in withExtendedLifetime(client) {} }
            then(result)
        }
    }
}
