import ClusterModel
import CoordinationProtocol
import KafkaProtocol
import Platform

/// Producer ids in blocks of a thousand, taken from `/latest_producer_id_block` by conditional set: no two brokers ever hold
/// the same block, and no id is given twice, also after the broker that held it died.
package final class ProducerIDs {
    package static let blockSize: Int64 = 1000
    private let tree: any Tree
    private let me: BrokerID
    private let journal: Journal
    private var next: Int64 = 0
    private var end: Int64 = 0
    private var waiting: [(Result<Int64, ErrorCode.Refused>) -> Void] = []
    private var asking = false

    package init(tree: any Tree, broker: BrokerID, journal: Journal) {
        self.tree = tree
        me = broker
        self.journal = journal
    }

    /// One id, never given before.
    package func take(then: @escaping (Result<Int64, ErrorCode.Refused>) -> Void) {
        if next < end {
            next += 1
            return then(.success(next - 1))
        }
        waiting.append(then)
        guard !asking else { return }
        asking = true
        takeBlock(for: me) { [self] result in
            asking = false
            let all = waiting
            waiting = []
            switch result {
            case .failure(let refused): for then in all { then(.failure(refused)) }
            case .success(let block):
                next = block.first
                end = block.last + 1
                // More than a block may have been waited for.
                for then in all { take(then: then) }
            }
        }
    }

    /// A whole block, for another broker (AllocateProducerIds).
    package func takeBlock(
        for broker: BrokerID, then: @escaping (Result<ProducerIDBlockPayload, ErrorCode.Refused>) -> Void
    ) {
        tree.readIfThere(Znodes.producerIDBlock) { [self] result in
            switch result {
            case .failure: then(.failure(.init(.coordinatorLoadInProgress)))
            case .success(nil):
                tree.ensure(Znodes.producerIDBlock) { [self] error in
                    if error != nil { return then(.failure(.init(.coordinatorLoadInProgress))) }
                    takeBlock(for: broker, then: then)
                }
            case .success(let node?):
                var first: Int64 = 0
                if !node.data.isEmpty {
                    guard let newest = try? ProducerIDBlockPayload(payload: node.data),
                        newest.last < Int64.max - ProducerIDs.blockSize
                    else {
                        journal.error("could not read the producer id block", ["path": Znodes.producerIDBlock])
                        return then(.failure(.init(.unknownServerError)))
                    }
                    first = newest.last + 1
                }
                let block = ProducerIDBlockPayload(
                    broker: broker, first: first, last: first + ProducerIDs.blockSize - 1)
                tree.multi([.set(Znodes.producerIDBlock, block.payload, version: node.stat.version)]) { [self] result in
                    guard case .failure(let failure) = result else {
                        journal.info(
                            "took a block of producer ids", ["broker": broker, "first": first, "last": block.last])
                        return then(.success(block))
                    }
                    switch failure.error {
                    // Another was first; or nobody knows whether we were: a block lost costs nothing.
                    case .badVersion, .connectionLoss, .noNode: takeBlock(for: broker, then: then)
                    default: then(.failure(.init(.coordinatorLoadInProgress)))
                    }
                }
            }
        }
    }

    /// InitProducerId for an idempotent producer, which has no transactional id.
    ///
    /// With one, the answer is TRANSACTIONAL_ID_AUTHORIZATION_FAILED until there are transactions: it is the one code
    /// that every client takes as final and shows at once, from `initTransactions`, together with the transactional id.
    /// UNSUPPORTED_VERSION and INVALID_REQUEST leave some clients retrying or blaming the connection, and
    /// COORDINATOR_NOT_AVAILABLE makes all of them wait for what never comes.
    package func initProducerID(_ request: InitProducerIdRequest, then: @escaping (InitProducerIdResponse) -> Void) {
        var response = InitProducerIdResponse()
        response.producerEpoch = -1
        if let id = request.transactionalID {
            response.errorCode = id.isEmpty ? .invalidRequest : .transactionalIDAuthorizationFailed
            return then(response)
        }
        guard (request.producerID == -1) == (request.producerEpoch == -1) else {
            response.errorCode = .invalidRequest
            return then(response)
        }
        take { result in
            switch result {
            case .success(let id):
                response.producerID = id
                response.producerEpoch = 0
            case .failure(let refused): response.errorCode = refused.code
            }
            then(response)
        }
    }

    /// The controller's answer to a broker that wants a block.
    package func allocate(
        _ request: AllocateProducerIdsRequest, controller: ControllerDriver,
        then: @escaping (AllocateProducerIdsResponse) -> Void
    ) {
        var response = AllocateProducerIdsResponse()
        let broker = BrokerID(request.brokerID)
        guard let view = controller.view else {
            response.errorCode = .notController
            return then(response)
        }
        guard let life = view.brokers[broker] else {
            response.errorCode = .brokerIDNotRegistered
            return then(response)
        }
        guard life.epoch.raw == request.brokerEpoch else {
            response.errorCode = .staleBrokerEpoch
            return then(response)
        }
        takeBlock(for: broker) { result in
            switch result {
            case .success(let block):
                response.producerIDStart = block.first
                response.producerIDLen = Int32(ProducerIDs.blockSize)
            case .failure(let refused): response.errorCode = refused.code
            }
            then(response)
        }
    }
}

extension ErrorCode {
    /// A code as an error of Swift.
    package struct Refused: Error, Equatable {
        package var code: ErrorCode
        package init(_ code: ErrorCode) { self.code = code }
    }
}
