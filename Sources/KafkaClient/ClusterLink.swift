import Bytes
import KafkaProtocol
import Platform

/// Why a cluster did not do what it was asked.
package enum ClusterError: Error, Equatable, CustomStringConvertible {
    case link(LinkError)
    /// The bootstrap broker answered, but the address that it told us to use for a broker does not.
    case advertised(by: BrokerAddress, broker: Int32, LinkError)
    /// There is no such broker in the cluster.
    case noBroker(Int32)
    /// No broker is controller at the moment.
    case noController
    /// Some answer said this, and it did not change until the deadline.
    case refused(ErrorCode)

    package var description: String {
        switch self {
        case .link(let error): "\(error)"
        case .advertised(let bootstrap, let broker, let error):
            "\(bootstrap) answered, but told to use another address (advertised.listeners of broker \(broker)): \(error)"
        case .noBroker(let id): "the cluster has no broker \(id) at the moment"
        case .noController: "the cluster has no controller at the moment"
        case .refused(let code): "\(code)"
        }
    }
}

/// A cluster as its clients see it: found through a few addresses, known by its metadata, one link a broker. Asks again,
/// until a deadline, what may be answered later or by somebody else.
package final class ClusterLink {
    package enum Target: Equatable {
        case anyBroker
        case controller
        case broker(Int32)
    }

    package let world: any World
    package let bootstrap: [BrokerAddress]
    package var options: LinkOptions
    package var retryBackoff: Duration = .milliseconds(100)
    /// Told of every failed attempt that is going to be made again.
    package var onTrouble: ((ClusterError) -> Void)?

    package private(set) var brokers: [Int32: BrokerAddress] = [:]
    package private(set) var controllerID: Int32 = -1
    package private(set) var clusterID: String?
    /// By topic, then partition; -1 while there is no leader.
    package private(set) var leaders: [String: [Int32: Int32]] = [:]
    /// Who answered last.
    package private(set) var informant: BrokerAddress?

    private var links: [BrokerAddress: BrokerLink] = [:]
    private var nextBootstrap = 0

    package init(world: any World, bootstrap: [BrokerAddress], options: LinkOptions) {
        self.world = world
        self.bootstrap = bootstrap
        self.options = options
    }

    package func close() {
        for (_, link) in links.sorted(by: { $0.key.description < $1.key.description }) { link.close() }
        links = [:]
    }

    package func leader(of topic: String, _ partition: Int32) -> Int32? {
        guard let leader = leaders[topic]?[partition], leader >= 0 else { return nil }
        return leader
    }

    /// The link to a broker known from the metadata; made, and begun, when there is none.
    package func link(to broker: Int32) -> BrokerLink? {
        guard let address = brokers[broker] else { return nil }
        return link(at: address)
    }

    package func link(at address: BrokerAddress) -> BrokerLink {
        if let link = links[address], !link.isEnded { return link }
        let link = BrokerLink(world: world, to: address, options: options)
        links[address] = link
        link.onEnd = { [weak self, weak link] _ in
            guard let self, let link, self.links[address] === link else { return }
            self.links[address] = nil
        }
        link.connect()
        return link
    }

    // MARK: Asking

    /// Asks until there is an answer that need not be asked for again.
    /// - Parameter again: the error in a response that another attempt may change; nil accepts the response.
    /// - Parameter atMost: for requests whose meaning needs an older version.
    package func ask<R: RequestMessage>(
        _ target: Target, _ request: R, atMost limit: Int16 = .max, until deadline: Instant,
        again: @escaping (R.Response) -> ErrorCode? = { _ in nil },
        then: @escaping (Result<R.Response, ClusterError>) -> Void
    ) {
        attempt(target, request, limit, again) { [self] result, error in
            guard let error else {
                if case .success(let response) = result { then(.success(response)) }
                return
            }
            let now = world.clock.now
            guard mayHelp(error), now + retryBackoff < deadline else {
                if case .success(let response) = result { return then(.success(response)) }
                return then(.failure(error))
            }
            onTrouble?(error)
            world.after(retryBackoff) { [self] in
                let anew = { [self] in
                    ask(target, request, atMost: limit, until: deadline, again: again, then: then)
                }
                // Who to ask may have changed.
                if target == .anyBroker { return anew() }
                describe(topics: [], allowCreation: false) { _ in anew() }
            }
        }
    }

    private func mayHelp(_ error: ClusterError) -> Bool {
        switch error {
        case .link(let error), .advertised(_, _, let error): error.isRetriable
        case .noBroker, .noController: true
        case .refused: true  // the caller said so
        }
    }

    /// One attempt. Both a response and an error when the response is not to be accepted.
    private func attempt<R: RequestMessage>(
        _ target: Target, _ request: R, _ limit: Int16, _ again: @escaping (R.Response) -> ErrorCode?,
        _ then: @escaping (Result<R.Response, ClusterError>, ClusterError?) -> Void
    ) {
        find(target) { [self] found in
            switch found {
            case .failure(let error): then(.failure(error), error)
            case .success(let link):
                link.send(request, atMost: limit) { [self] result in
                    switch result {
                    case .success(let response): then(.success(response), again(response).map { .refused($0) })
                    case .failure(let error):
                        let told = explained(error, target)
                        then(.failure(told), told)
                    }
                }
            }
        }
    }

    /// For owners of a link: tells `onTrouble` of an attempt that they are going to make again.
    package func noteTrouble(_ error: LinkError, with broker: Int32) { onTrouble?(explained(error, .broker(broker))) }

    /// A broker that cannot be reached where others say it is has told the wrong address.
    private func explained(_ error: LinkError, _ target: Target) -> ClusterError {
        guard error.isUnreachable, case .unreachable(let address, _) = error, !bootstrap.contains(address),
            let informant
        else { return .link(error) }
        let broker: Int32
        switch target {
        case .broker(let id): broker = id
        case .controller: broker = controllerID
        case .anyBroker: return .link(error)
        }
        return .advertised(by: informant, broker: broker, error)
    }

    private func find(_ target: Target, _ then: @escaping (Result<BrokerLink, ClusterError>) -> Void) {
        switch target {
        case .anyBroker: findAny(tried: 0, last: nil, then)
        case .broker(let id):
            if let link = link(to: id) { return then(.success(link)) }
            describe(topics: [], allowCreation: false) { [self] result in
                if case .failure(let error) = result { return then(.failure(error)) }
                guard let link = link(to: id) else { return then(.failure(.noBroker(id))) }
                then(.success(link))
            }
        case .controller:
            if let link = link(to: controllerID) { return then(.success(link)) }
            describe(topics: [], allowCreation: false) { [self] result in
                if case .failure(let error) = result { return then(.failure(error)) }
                guard let link = link(to: controllerID) else { return then(.failure(.noController)) }
                then(.success(link))
            }
        }
    }

    /// A live link, else one bootstrap address after the other, else the brokers known.
    private func findAny(
        tried: Int, last: ClusterError?, _ then: @escaping (Result<BrokerLink, ClusterError>) -> Void
    ) {
        if let informant, let link = links[informant], link.isReady { return then(.success(link)) }
        let known = brokers.sorted { $0.key < $1.key }.map(\.value).filter { !bootstrap.contains($0) }
        let candidates = bootstrap + known
        guard tried < candidates.count else { return then(.failure(last ?? .noController)) }
        let address = candidates[(nextBootstrap + tried) % candidates.count]
        let link = link(at: address)
        link.whenReady { [self] result in
            switch result {
            case .success:
                nextBootstrap = (nextBootstrap + tried) % candidates.count
                informant = address
                then(.success(link))
            case .failure(let error):
                // What is said in the end is about the addresses that were given.
                findAny(tried: tried + 1, last: last ?? .link(error), then)
            }
        }
    }

    // MARK: Metadata

    /// One attempt to learn about topics (nil: all of them) and brokers.
    private func describe(
        topics: [String]?, allowCreation: Bool, then: @escaping (Result<MetadataResponse, ClusterError>) -> Void
    ) {
        var request = MetadataRequest()
        request.topics = topics.map { names in names.map { name in .with { $0.name = name } } }
        // Where nothing can be created the question need not be asked; brokers before 0.11 do not know it.
        request.allowAutoTopicCreation = allowCreation || (topics?.isEmpty ?? true)
        attempt(.anyBroker, request, .max, { _ in nil }) { [self] result, _ in
            if case .success(let response) = result { learn(response) }
            then(result)
        }
    }

    /// What the cluster says about topics (nil: all of them), asked for until somebody answers. `again` decides whether an
    /// answer is good enough.
    package func metadata(
        of topics: [String]?, allowCreation: Bool = false, until deadline: Instant,
        again: @escaping (MetadataResponse) -> ErrorCode? = { _ in nil },
        then: @escaping (Result<MetadataResponse, ClusterError>) -> Void
    ) {
        var request = MetadataRequest()
        request.topics = topics.map { names in names.map { name in .with { $0.name = name } } }
        // Where nothing can be created the question need not be asked; brokers before 0.11 do not know it.
        request.allowAutoTopicCreation = allowCreation || (topics?.isEmpty ?? true)
        ask(.anyBroker, request, until: deadline, again: again) { [self] result in
            if case .success(let response) = result { learn(response) }
            then(result)
        }
    }

    private func learn(_ response: MetadataResponse) {
        brokers = [:]
        for broker in response.brokers {
            brokers[broker.nodeID] = BrokerAddress(host: broker.host, port: Int(broker.port))
        }
        controllerID = response.controllerID
        clusterID = response.clusterID
        for topic in response.topics {
            guard let name = topic.name else { continue }
            var byPartition: [Int32: Int32] = [:]
            for partition in topic.partitions { byPartition[partition.partitionIndex] = partition.leaderID }
            leaders[name] = topic.errorCode == .none || !byPartition.isEmpty ? byPartition : nil
        }
    }
}
