import Broker
import ClusterModel
import CommitLog
import KafkaProtocol
import Platform
import Records
import Replication

/// What becomes of a Produce: with acks=0 nobody is told anything, but errors end the connection.
enum ProduceOutcome {
    case reply(ProduceResponse)
    case silence
    case close(String)
}

extension RequestRouter {
    /// Splits the request by partition; each batch is checked and appended where it lies in the receive buffer.
    /// `acks=all`
    /// waits in the waiting room until every partition's high watermark has passed, or the request's timeout.
    func produce(_ request: ProduceRequest, _ context: RequestContext, then: @escaping (ProduceOutcome) -> Void) {
        guard let acks = AcksRequirement(wire: request.acks) else {
            let job = ProduceJob(request: request, acks: .leader, router: self, context: context, then: then)
            return job.failAll(.invalidRequiredAcks)
        }
        let job = ProduceJob(request: request, acks: acks, router: self, context: context, then: then)
        for t in request.topicData.indices {
            let topic = request.topicData[t].name
            if TopicName.isInternal(topic), context.clientID != "__admin_client" {
                for p in request.topicData[t].partitionData.indices { job.failed(t, p, .invalidTopicException) }
                continue
            }
            for p in request.topicData[t].partitionData.indices {
                let data = request.topicData[t].partitionData[p]
                guard let host = node.partitions.host(topic, data.index) else {
                    job.failed(t, p, absence(of: topic, data.index))
                    continue
                }
                let epoch = host.leaderEpoch
                data.records.withBytes { bytes in
                    // The receive buffer is ours to change during this call.
                    host.append(
                        UnsafeMutableRawBufferPointer(mutating: bytes), acks: acks, isOldFormat: context.version < 3,
                        allowsZstd: context.version >= 7
                    ) { result in
                        switch result {
                        case .success(let appended): job.appended(t, p, host, epoch, appended.range, appended.timestamp)
                        case .failure(let error):
                            if let faults = error.recordFaults { job.rejected(t, p, faults.listed) }
                            job.failed(t, p, ErrorCode(rawValue: error.wireCode), error.detail)
                        }
                    }
                }
            }
        }
        job.started()
    }
}

/// One Produce from its first append to its reply.
private final class ProduceJob {
    private struct Pending {
        var topic: Int
        var partition: Int
        var host: PartitionHost
        var epoch: LeaderEpoch
        var end: Offset
    }

    private let acks: AcksRequirement
    private let timeout: Duration
    private let router: RequestRouter
    private let context: RequestContext
    private let then: (ProduceOutcome) -> Void
    private var response = ProduceResponse()
    /// Appends that have not been answered, and one for the request itself being gone over.
    private var open = 1
    private var waits: [Pending] = []
    private var firstError: ErrorCode?

    init(
        request: ProduceRequest, acks: AcksRequirement, router: RequestRouter, context: RequestContext,
        then: @escaping (ProduceOutcome) -> Void
    ) {
        self.acks = acks
        timeout = .milliseconds(Int(max(0, request.timeoutMs)))
        self.router = router
        self.context = context
        self.then = then
        response.responses.reserveCapacity(request.topicData.count)
        for topic in request.topicData {
            var answer = ProduceResponse.TopicProduceResponse()
            answer.name = topic.name
            answer.partitionResponses.reserveCapacity(topic.partitionData.count)
            for partition in topic.partitionData {
                var slot = ProduceResponse.PartitionProduceResponse()
                slot.index = partition.index
                slot.baseOffset = -1
                answer.partitionResponses.append(slot)
            }
            open += topic.partitionData.count
            response.responses.append(answer)
        }
    }

    func failAll(_ code: ErrorCode) {
        for t in response.responses.indices {
            for p in response.responses[t].partitionResponses.indices { failed(t, p, code) }
        }
        started()
    }

    /// KIP-467: which records are at fault.
    func rejected(_ t: Int, _ p: Int, _ faults: [RecordFaults.Fault]) {
        response.responses[t].partitionResponses[p].recordErrors = faults.map { fault in
            .with {
                $0.batchIndex = fault.index
                $0.batchIndexErrorMessage = fault.reason
            }
        }
    }

    func failed(_ t: Int, _ p: Int, _ code: ErrorCode, _ message: String? = nil) {
        refuse(t, p, code, message)
        close()
    }

    private func refuse(_ t: Int, _ p: Int, _ code: ErrorCode, _ message: String? = nil) {
        if firstError == nil { firstError = code }
        response.responses[t].partitionResponses[p].errorCode = code
        response.responses[t].partitionResponses[p].baseOffset = -1
        response.responses[t].partitionResponses[p].logAppendTimeMs = -1
        response.responses[t].partitionResponses[p].logStartOffset = -1
        response.responses[t].partitionResponses[p].errorMessage = message
        guard code == .notLeaderOrFollower, context.version >= 10 else { return }
        // KIP-951: where the leader went, as far as is known here.
        let topic = response.responses[t].name
        let index = response.responses[t].partitionResponses[p].index
        guard let known = router.node.metadata.topic(topic)?.partition(index) else { return }
        response.responses[t].partitionResponses[p].currentLeader.leaderID = known.leader.raw
        response.responses[t].partitionResponses[p].currentLeader.leaderEpoch = known.leaderEpoch.raw
        guard !response.nodeEndpoints.contains(where: { $0.nodeID == known.leader.raw }),
            let there = router.address(of: known.leader, for: context)
        else { return }
        response.nodeEndpoints.append(
            .with {
                $0.nodeID = known.leader.raw
                $0.host = there.address.host
                $0.port = there.address.port
                $0.rack = there.rack
            })
    }

    func appended(
        _ t: Int, _ p: Int, _ host: PartitionHost, _ epoch: LeaderEpoch, _ range: AppendedRange, _ timestamp: Int64
    ) {
        response.responses[t].partitionResponses[p].baseOffset = range.offsets.lowerBound
        response.responses[t].partitionResponses[p].logAppendTimeMs = timestamp
        response.responses[t].partitionResponses[p].logStartOffset = host.log.logStartOffset
        if acks == .allInSync {
            waits.append(Pending(topic: t, partition: p, host: host, epoch: epoch, end: range.offsets.upperBound))
        }
        close()
    }

    func started() { close() }

    private func close() {
        open -= 1
        guard open == 0 else { return }
        settle()
        waits.isEmpty ? finish() : park(until: router.node.world.clock.now + timeout)
    }

    private func park(until deadline: Instant) {
        let visitor = router.node.waiting.park(
            at: waits.map(\.host.place), until: deadline, reason: "acks=all", isOver: { self.isSettled() },
            then: { ending in
                self.settle()
                if ending == .timedOut {
                    for wait in self.waits { self.refuse(wait.topic, wait.partition, .requestTimedOut) }
                    self.waits = []
                }
                // One partition has left this broker; the others are still waited for.
                self.waits.isEmpty ? self.finish() : self.park(until: deadline)
            })
        context.connection?.visitor = visitor
    }

    /// Takes out of `waits` whatever is decided.
    private func settle() {
        guard !waits.isEmpty else { return }
        var waiting: [Pending] = []
        for wait in waits {
            switch wait.host.verdict(acks, upTo: wait.end, epoch: wait.epoch) {
            case .success(.waiting): waiting.append(wait)
            case .success(.acknowledged): break
            case .success(.refused(let refusal)):
                refuse(wait.topic, wait.partition, ErrorCode(rawValue: PartitionError.refused(refusal).wireCode))
            case .failure(let error):
                refuse(wait.topic, wait.partition, ErrorCode(rawValue: error.wireCode), error.detail)
            }
        }
        waits = waiting
    }

    private func isSettled() -> Bool {
        waits.allSatisfy { wait in
            if case .success(.waiting) = wait.host.verdict(acks, upTo: wait.end, epoch: wait.epoch) { return false }
            return true
        }
    }

    private func finish() {
        if acks == .none {
            if let firstError {
                return then(.close("a Produce with acks=0 that failed with error \(firstError.rawValue)"))
            }
            return then(.silence)
        }
        then(.reply(response))
    }
}
