import Broker
import Bytes
import ClusterModel
import KafkaProtocol
import Platform

/// Brings each request to its handler. A handler is an extension of this type in `Handlers/NN_Name.swift`:
/// `func name(_ request: XRequest, _ context: RequestContext, then: @escaping (XResponse) -> Void)`, which calls
/// `then` once.
package final class RequestRouter {
    package let node: BrokerNode
    /// False until everything a request may reach is assembled; connections wait.
    package var isServing = false
    let requestMaxBytes: Int
    let complaints: Complaints
    private var writer = WireWriter(capacity: 64 << 10)
    /// Fetches of consumers that never change the order of their partitions.
    var oldFetches = 0

    package init(node: BrokerNode) {
        self.node = node
        requestMaxBytes = node.config[BrokerKeys.requestMaxBytes]
        complaints = Complaints(world: node.world)
    }

    /// What ApiVersions announces: exactly what `dispatch` serves.
    package static let spoken: [(key: ApiKey, versions: ClosedRange<Int16>)] = ApiKey.allCases.sorted().compactMap {
        key in
        guard let versions = versions(of: key) else { return nil }
        return (key, versions)
    }

    /// Nil for what is not served (yet).
    static func versions(of key: ApiKey) -> ClosedRange<Int16>? {
        switch key {
        case .produce, .fetch, .listOffsets, .metadata, .leaderAndIsr, .stopReplica, .updateMetadata, .offsetCommit,
            .offsetFetch,
            .findCoordinator, .joinGroup, .heartbeat, .leaveGroup, .syncGroup, .describeGroups, .listGroups,
            .apiVersions,
            .deleteRecords, .offsetForLeaderEpoch, .describeConfigs, .deleteGroups, .offsetDelete, .describeCluster,
            .controlledShutdown, .createTopics, .deleteTopics, .initProducerID, .createPartitions, .alterPartition,
            .alterConfigs, .incrementalAlterConfigs, .alterReplicaLogDirs, .describeLogDirs,
            .allocateProducerIDs, .electLeaders, .alterPartitionReassignments, .listPartitionReassignments:
            key.spoken.versions
        default: nil
        }
    }

    /// - Throws: for what cannot be answered at all; the connection then ends, as Kafka does it.
    func route(_ frame: UnsafeRawBufferPointer, from connection: KafkaConnection, serial: UInt64) throws(WireError) {
        var reader = WireReader(frame, version: 0, isFlexible: false)
        let header = try RequestHeader.read(from: &reader)
        let call = Call(header: header, serial: serial, connection: connection)
        guard let versions = RequestRouter.versions(of: header.key) else { throw .unknownApi(header.key.rawValue) }
        guard versions.contains(header.version) else {
            guard header.key == .apiVersions else { throw .unspokenVersion(header.version) }
            return refuseApiVersions(call)
        }
        var context = RequestContext(
            version: header.version, correlationID: header.correlationID, clientID: header.clientID ?? "",
            peer: connection.peer, listener: connection.listener)
        context.connection = connection
        try dispatch(call, reader.bytes.rest, context)
    }

    private func dispatch(_ call: Call, _ body: UnsafeRawBufferPointer, _ context: RequestContext) throws(WireError) {
        switch call.header.key {
        case .produce:
            let request = try read(ProduceRequest.self, body, context)
            produce(request, context) { outcome in
                switch outcome {
                case .reply(let response): call.answer(response)
                case .silence: call.answerNothing()
                case .close(let reason):
                    call.answerNothing()
                    call.end(reason)
                }
            }
        case .fetch:
            let request = try read(FetchRequest.self, body, context)
            fetch(request, context) { response, regions in call.answer(response, regions: regions) }
        case .listOffsets: try serve(call, body, context, listOffsets)
        case .metadata: try serve(call, body, context, metadata)
        case .leaderAndIsr: try serve(call, body, context, leaderAndIsr)
        case .stopReplica: try serve(call, body, context, stopReplica)
        case .updateMetadata: try serve(call, body, context, updateMetadata)
        case .controlledShutdown: try serve(call, body, context, controlledShutdown)
        case .offsetCommit: try serve(call, body, context, offsetCommit)
        case .offsetFetch: try serve(call, body, context, offsetFetch)
        case .findCoordinator: try serve(call, body, context, findCoordinator)
        case .joinGroup: try serve(call, body, context, joinGroup)
        case .heartbeat: try serve(call, body, context, heartbeat)
        case .leaveGroup: try serve(call, body, context, leaveGroup)
        case .syncGroup: try serve(call, body, context, syncGroup)
        case .describeGroups: try serve(call, body, context, describeGroups)
        case .listGroups: try serve(call, body, context, listGroups)
        case .apiVersions: try serve(call, body, context, apiVersions)
        case .createTopics: try serve(call, body, context, createTopics)
        case .deleteTopics: try serve(call, body, context, deleteTopics)
        case .initProducerID: try serve(call, body, context, initProducerID)
        case .deleteRecords: try serve(call, body, context, deleteRecords)
        case .offsetForLeaderEpoch: try serve(call, body, context, offsetForLeaderEpoch)
        case .describeConfigs: try serve(call, body, context, describeConfigs)
        case .alterConfigs: try serve(call, body, context, alterConfigs)
        case .incrementalAlterConfigs: try serve(call, body, context, incrementalAlterConfigs)
        case .alterReplicaLogDirs: try serve(call, body, context, alterReplicaLogDirs)
        case .describeLogDirs: try serve(call, body, context, describeLogDirs)
        case .createPartitions: try serve(call, body, context, createPartitions)
        case .alterPartition: try serve(call, body, context, alterPartition)
        case .allocateProducerIDs: try serve(call, body, context, allocateProducerIDs)
        case .electLeaders: try serve(call, body, context, electLeaders)
        case .alterPartitionReassignments: try serve(call, body, context, alterPartitionReassignments)
        case .listPartitionReassignments: try serve(call, body, context, listPartitionReassignments)
        case .deleteGroups: try serve(call, body, context, deleteGroups)
        case .offsetDelete: try serve(call, body, context, offsetDelete)
        case .describeCluster: try serve(call, body, context, describeCluster)
        default: throw .unknownApi(call.header.key.rawValue)
        }
    }

    private func serve<R: RequestMessage>(
        _ call: Call, _ body: UnsafeRawBufferPointer, _ context: RequestContext,
        _ handler: (R, RequestContext, @escaping (R.Response) -> Void) -> Void
    ) throws(WireError) {
        let request = try read(R.self, body, context)
        handler(request, context) { response in call.answer(response) }
    }

    /// A body. What follows its last field is passed over, as Kafka does it: librdkafka 2 asks for the metadata of all
    /// topics with
    /// three zeros too many.
    private func read<R: RequestMessage>(
        _: R.Type, _ body: UnsafeRawBufferPointer, _ context: RequestContext
    ) throws(WireError) -> R {
        var reader = WireReader(body, version: context.version, isFlexible: R.spoken.isFlexible(context.version))
        var request = R()
        try request.read(from: &reader)
        return request
    }

    /// ApiVersions in words nobody knows: answered in the oldest ones with what is spoken of itself (KIP-511).
    private func refuseApiVersions(_ call: Call) {
        var response = ApiVersionsResponse()
        response.errorCode = .unsupportedVersion
        response.apiKeys = [
            .with {
                $0.apiKey = ApiKey.apiVersions.rawValue
                $0.minVersion = ApiKey.apiVersions.spoken.versions.lowerBound
                $0.maxVersion = ApiKey.apiVersions.spoken.versions.upperBound
            }
        ]
        var header = call.header
        header.version = 0
        call.connection.answer(call.serial, header, response)
    }

    /// Writes one response frame; file regions go out from where they lie.
    func put(
        _ response: some Message, answering header: RequestHeader, regions: [FileRegion], on stream: any Connection
    ) throws(WireError) {
        writer.clear()
        try writer.frame(response, answering: header)
        let bytes = writer.bytes.bytes
        var sent = 0
        if !writer.splices.isEmpty {
            precondition(
                writer.splices.count == regions.count, "\(writer.splices.count) splices for \(regions.count) regions")
            for (splice, region) in zip(writer.splices, regions) {
                precondition(splice.length == region.length, "a splice of \(splice.length) for \(region.length) bytes")
                stream.send(UnsafeRawBufferPointer(rebasing: bytes[sent..<splice.position]))
                stream.send(region)
                sent = splice.position
            }
        }
        stream.send(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
    }

    // MARK: What several handlers need

    var me: BrokerID { node.id }

    /// Where `broker` is for clients of `context`'s listener.
    func address(of broker: BrokerID, for context: RequestContext) -> (address: MetadataCache.Address, rack: String?)? {
        guard let broker = node.metadata.broker(broker), let address = broker.address(listener: context.listener) else {
            return nil
        }
        return (address, broker.rack)
    }

    /// No replica here: does the partition exist at all?
    func absence(of topic: String, _ partition: Int32) -> ErrorCode {
        node.metadata.topic(topic)?.partition(partition) == nil ? .unknownTopicOrPartition : .notLeaderOrFollower
    }
}
