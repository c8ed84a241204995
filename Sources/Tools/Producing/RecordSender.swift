import Bytes
import Compression
import KafkaClient
import KafkaProtocol
import Platform
import Records

/// Gathers records into batches and brings them to the leaders of one topic's partitions, in order: one request a broker and
/// one batch a partition are on their way at a time. While one is, the next batches grow.
package final class RecordSender {
    package struct Settings {
        package var topic = ""
        /// -1: all replicas in sync; 0: nobody answers.
        package var acks: Int16 = -1
        /// Batches are numbered, so that one sent twice is kept once (`enable.idempotence`).
        package var isIdempotent = false
        package var codec = Codec.none
        /// A batch is closed when it has so many bytes.
        package var batchBytes = 256 << 10
        /// How long a batch may wait for more records while nothing else keeps it back.
        package var linger: Duration = .zero
        /// nil: until the delivery timeout.
        package var retries: Int?
        package var retryBackoff: Duration = .milliseconds(100)
        package var requestTimeout: Duration = .seconds(30)
        package var deliveryTimeout: Duration = .seconds(120)
        package var requestBytes = 1 << 20
        package init() {}
    }

    private struct Batch {
        var bytes: [UInt8]
        var count: Int
        /// Of the first record, for the line that says it is lost.
        var firstKeyBytes: Int?
        var firstValueBytes: Int?
        var attempts = 0
        var since: Instant
        /// Of the first record; -1 before there is a producer id.
        var sequence: Int32 = -1
    }

    private final class Queue {
        let partition: Int32
        var open: BatchBuilder
        var opened = Instant.start
        var firstKeyBytes: Int?
        var firstValueBytes: Int?
        var closed: [Batch] = []
        var isOnItsWay = false
        /// Under which its batches are numbered; another one after a batch was given up, for that left a gap.
        var producer: (id: Int64, epoch: Int16)?
        /// What the next batch begins with.
        var sequence: Int32 = 0
        init(_ partition: Int32, _ codec: Codec) {
            self.partition = partition
            open = BatchBuilder(codec: codec)
        }
    }

    package let settings: Settings
    private let cluster: ClusterLink
    private let world: any World
    private let lost: (String) -> Void
    private var queues: [Queue] = []
    private var partitioner = Partitioner()
    private var busy: Set<Int32> = []
    private var isRefreshing = false
    private var isIntroducing = false
    private var flushing = false
    private var lingerTimer: TimerID?
    /// Records that never arrived.
    package private(set) var failures = 0
    /// Bytes of batches, open ones included, that are not acknowledged.
    package private(set) var unacknowledgedBytes = 0

    /// - Parameter partitions: how many the topic has.
    /// - Parameter lost: told in words of records that could not be delivered.
    package init(_ cluster: ClusterLink, _ settings: Settings, partitions: Int, lost: @escaping (String) -> Void) {
        self.cluster = cluster
        self.settings = settings
        self.lost = lost
        world = cluster.world
        queues = (0..<partitions).map { Queue(Int32($0), settings.codec) }
    }

    package var isIdle: Bool {
        if settings.acks == 0, !busy.isEmpty { return false }
        return queues.allSatisfy { $0.open.count == 0 && $0.closed.isEmpty && !$0.isOnItsWay }
    }

    // MARK: Gathering

    package func append(_ record: LineRecord) {
        let count = Int32(queues.count)
        let partition: Int32
        if let key = record.key {
            partition = Partitioner.partition(of: key, among: count)
        } else {
            let available = partitioner.sticky == nil ? (0..<count).filter { leader($0) != nil } : []
            partition = partitioner.next(available: available, among: count, random: world.random)
        }
        let queue = queues[Int(partition)]
        let more = BatchBuilder.sizeBound(
            keyBytes: record.key?.count ?? 0, valueBytes: record.value?.count ?? 0, headers: record.headers)
        if queue.open.count > 0, queue.open.estimatedSize + more > settings.batchBytes {
            close(queue)
            if record.key == nil { partitioner.moveOn() }
        }
        if queue.open.count == 0 {
            queue.opened = world.clock.now
            queue.firstKeyBytes = record.key?.count
            queue.firstValueBytes = record.value?.count
        }
        let before = queue.open.estimatedSize
        queue.open.append(
            timestamp: world.clock.wallMs, key: record.key, value: record.value, headers: record.headers)
        unacknowledgedBytes += queue.open.estimatedSize - before
    }

    private func close(_ queue: Queue) {
        guard queue.open.count > 0 else { return }
        let estimated = queue.open.estimatedSize - RecordBatch.headerSize
        do throws(CompressionError) {
            let bytes = try queue.open.build(producer: number(queue))
            unacknowledgedBytes += bytes.count - estimated
            queue.closed.append(
                Batch(
                    bytes: bytes, count: Int(queue.open.count), firstKeyBytes: queue.firstKeyBytes,
                    firstValueBytes: queue.firstValueBytes, since: queue.opened,
                    sequence: queue.producer == nil ? -1 : queue.sequence))
            if queue.producer != nil {
                queue.sequence = Sequence32.advanced(queue.sequence, by: queue.open.count)
            }
        } catch {
            unacknowledgedBytes -= estimated
            failures += Int(queue.open.count)
            lost("records could not be compressed: \(error)")
        }
        queue.open = BatchBuilder(codec: settings.codec)
    }

    // MARK: Numbers

    private func number(_ queue: Queue) -> BatchBuilder.Producer {
        queue.producer.map { BatchBuilder.Producer(id: $0.id, epoch: $0.epoch, baseSequence: queue.sequence) } ?? .none
    }

    /// Asks for a producer id, for every queue that has none.
    private func introduce() {
        guard !isIntroducing else { return }
        isIntroducing = true
        var request = InitProducerIdRequest()
        request.transactionalID = nil
        request.transactionTimeoutMs = Int32.max
        cluster.ask(
            .anyBroker, request, until: world.clock.now + settings.deliveryTimeout,
            again: { $0.errorCode.isRetriable ? $0.errorCode : nil }
        ) { [self] result in
            isIntroducing = false
            guard case .success(let answer) = result, answer.errorCode == .none else { return refresh() }
            for queue in queues where queue.producer == nil {
                queue.producer = (answer.producerID, answer.producerEpoch)
                queue.sequence = 0
                for index in queue.closed.indices {
                    rebuild(&queue.closed[index], number(queue))
                    queue.sequence = Sequence32.advanced(queue.sequence, by: Int32(clamping: queue.closed[index].count))
                }
            }
            pump()
        }
    }

    /// The same records under another number.
    private func rebuild(_ batch: inout Batch, _ producer: BatchBuilder.Producer) {
        var builder = BatchBuilder(codec: settings.codec)
        let before = batch.bytes.count
        let built = batch.bytes.withUnsafeBytes { raw -> [UInt8]? in
            guard let view = try? RecordBatch(raw), var records = try? RecordIterator(view) else { return nil }
            while let record = try? records.next() { builder.append(record.owned) }
            return try? builder.build(producer: producer)
        }
        guard let built else { return }
        batch.bytes = built
        batch.sequence = producer.baseSequence
        unacknowledgedBytes += built.count - before
    }

    // MARK: Sending

    private func leader(_ partition: Int32) -> Int32? { cluster.leader(of: settings.topic, partition) }

    /// Everything so far leaves as soon as it can, whatever the linger.
    package func flush() {
        flushing = true
        pump()
    }

    /// Sends what is ready to the brokers that have nothing on their way.
    package func pump() {
        let now = world.clock.now
        var perBroker: [Int32: [Queue]] = [:]
        var lingerUntil = Instant.distantFuture
        for queue in queues where !queue.isOnItsWay {
            if queue.closed.isEmpty {
                guard queue.open.count > 0 else { continue }
                let due = queue.opened + settings.linger
                guard flushing || due <= now else {
                    lingerUntil = min(lingerUntil, due)
                    continue
                }
            }
            if settings.isIdempotent, queue.producer == nil {
                introduce()
                continue
            }
            guard let leader = leader(queue.partition) else {
                refresh()
                continue
            }
            if !busy.contains(leader) { perBroker[leader, default: []].append(queue) }
        }
        for (broker, queues) in perBroker.sorted(by: { $0.key < $1.key }) { send(queues, to: broker) }
        if flushing, queues.allSatisfy({ $0.open.count == 0 }) { flushing = false }
        if lingerUntil < .distantFuture, lingerTimer == nil {
            lingerTimer = world.timers.schedule(at: lingerUntil) { [weak self] in
                self?.lingerTimer = nil
                self?.pump()
            }
        }
    }

    private func send(_ queues: [Queue], to broker: Int32) {
        guard let link = cluster.link(to: broker) else { return refresh() }
        var request = ProduceRequest()
        request.acks = settings.acks
        request.timeoutMs = Int32(clamping: settings.requestTimeout.wholeMilliseconds)
        var topic = ProduceRequest.TopicProduceData()
        topic.name = settings.topic
        var taken: [Queue] = []
        var bytes = 0
        for queue in queues {
            if queue.closed.isEmpty { close(queue) }
            guard let batch = queue.closed.first else { continue }
            if bytes > 0, bytes + batch.bytes.count > settings.requestBytes { continue }
            bytes += batch.bytes.count
            queue.closed[0].attempts += 1
            queue.isOnItsWay = true
            taken.append(queue)
            topic.partitionData.append(
                .with {
                    $0.index = queue.partition
                    $0.records = .owned(batch.bytes)
                })
        }
        guard !taken.isEmpty else { return }
        if queues.contains(where: { partitioner.sticky == $0.partition }) { partitioner.moveOn() }
        request.topicData = [topic]
        busy.insert(broker)
        if settings.acks == 0 { return tell(request, link, broker, taken) }
        // The broker answers at its timeout; a little later nobody will.
        link.send(request, timeout: settings.requestTimeout + .seconds(2)) { [self] result in
            busy.remove(broker)
            switch result {
            case .success(let response): answered(taken, response)
            case .failure(let error):
                if error.isRetriable { cluster.noteTrouble(error, with: broker) }
                for queue in taken {
                    queue.isOnItsWay = false
                    settle(queue, again: error.isRetriable || isClosed(error), "\(error)")
                }
            }
            if !isRefreshing { pump() }
        }
    }

    private func isClosed(_ error: LinkError) -> Bool {
        if case .closed = error { return true }
        return false
    }

    /// Without acknowledgement, what has left is done.
    private func tell(_ request: ProduceRequest, _ link: BrokerLink, _ broker: Int32, _ taken: [Queue]) {
        link.whenReady { [self] result in
            switch result {
            case .success:
                link.tell(request)
                for queue in taken { finish(queue) }
                drain(link, broker)
            case .failure(let error):
                busy.remove(broker)
                if error.isRetriable { cluster.noteTrouble(error, with: broker) }
                for queue in taken {
                    queue.isOnItsWay = false
                    settle(queue, again: error.isRetriable, "\(error)")
                }
            }
        }
    }

    private func drain(_ link: BrokerLink, _ broker: Int32) {
        guard link.unsentBytes > 0, !link.isEnded else {
            // The system has it at the end of this turn.
            world.after(.milliseconds(1)) { [self] in
                if link.unsentBytes > 0, !link.isEnded { return drain(link, broker) }
                busy.remove(broker)
                pump()
            }
            return
        }
        world.after(.milliseconds(5)) { [self] in drain(link, broker) }
    }

    private func answered(_ taken: [Queue], _ response: ProduceResponse) {
        var answers: [Int32: ProduceResponse.PartitionProduceResponse] = [:]
        for topic in response.responses {
            for partition in topic.partitionResponses { answers[partition.index] = partition }
        }
        for queue in taken {
            guard let answer = answers[queue.partition] else {
                queue.isOnItsWay = false
                settle(queue, again: true, "the broker did not answer for partition \(queue.partition)")
                continue
            }
            switch answer.errorCode {
            // An attempt that was thought lost had arrived.
            case .none, .duplicateSequenceNumber: finish(queue)
            // The broker does not know what came before: the same records go under a new number.
            case .outOfOrderSequenceNumber, .unknownProducerID, .invalidProducerEpoch:
                queue.isOnItsWay = false
                queue.producer = nil
                settle(queue, again: true, "\(answer.errorCode)")
            case .messageTooLarge where (queue.closed.first?.count ?? 0) > 1: split(queue)
            default:
                queue.isOnItsWay = false
                let words = answer.errorMessage.map { "\(answer.errorCode): \($0)" } ?? "\(answer.errorCode)"
                settle(queue, again: answer.errorCode.isRetriable, words)
            }
        }
    }

    private func finish(_ queue: Queue) {
        queue.isOnItsWay = false
        guard !queue.closed.isEmpty else { return }
        unacknowledgedBytes -= queue.closed.removeFirst().bytes.count
    }

    /// After a failed attempt: tries again, or gives the first batch up.
    private func settle(_ queue: Queue, again: Bool, _ reason: String) {
        guard let batch = queue.closed.first else { return }
        let isOver =
            world.clock.now - batch.since > settings.deliveryTimeout
            || settings.retries.map { batch.attempts > $0 } ?? false
        if again, !isOver { return refresh() }
        finish(queue)
        queue.producer = nil
        failures += batch.count
        let key = batch.firstKeyBytes.map { "\($0) bytes" } ?? "null"
        let value = batch.firstValueBytes.map { "\($0) bytes" } ?? "null"
        let others = batch.count > 1 ? " (and \(batch.count - 1) more of its batch)" : ""
        lost(
            "Error when sending message to topic \(settings.topic) with key: \(key), value: \(value)\(others) with error: \(reason)"
        )
    }

    /// The topic takes smaller batches only: this one is halved.
    private func split(_ queue: Queue) {
        queue.isOnItsWay = false
        let batch = queue.closed.removeFirst()
        unacknowledgedBytes -= batch.bytes.count
        var halves: [Batch] = []
        var sequence = batch.sequence
        let producer = queue.producer
        batch.bytes.withUnsafeBytes { raw in
            guard let view = try? RecordBatch(raw), var records = try? RecordIterator(view) else { return }
            var builder = BatchBuilder(codec: settings.codec)
            while let record = try? records.next() {
                builder.append(record.owned)
                let inHalves = halves.reduce(0, { $0 + Int($1.count) })
                guard builder.count == batch.count / 2 || Int(builder.count) + inHalves == batch.count else { continue }
                let number =
                    producer.map { BatchBuilder.Producer(id: $0.id, epoch: $0.epoch, baseSequence: sequence) } ?? .none
                guard let bytes = try? builder.build(producer: number) else { return }
                halves.append(
                    Batch(
                        bytes: bytes, count: Int(builder.count), firstKeyBytes: record.key?.count,
                        firstValueBytes: record.value?.count, since: batch.since, sequence: sequence))
                if sequence >= 0 { sequence = Sequence32.advanced(sequence, by: builder.count) }
                builder = BatchBuilder(codec: settings.codec)
            }
        }
        unacknowledgedBytes += halves.reduce(0) { $0 + $1.bytes.count }
        queue.closed.insert(contentsOf: halves, at: 0)
    }

    /// Asks who leads now, then goes on.
    private func refresh() {
        guard !isRefreshing else { return }
        isRefreshing = true
        world.after(settings.retryBackoff) { [self] in
            cluster.metadata(of: [settings.topic], until: world.clock.now + .seconds(5)) { [self] _ in
                isRefreshing = false
                giveUpOld()
                pump()
            }
        }
    }

    /// Batches that wait for a leader do not wait for ever.
    private func giveUpOld() {
        let now = world.clock.now
        for queue in queues where !queue.isOnItsWay {
            while let first = queue.closed.first, now - first.since > settings.deliveryTimeout {
                settle(
                    queue, again: false, "Expiring \(first.count) record(s) for \(settings.topic)-\(queue.partition)")
            }
        }
    }
}
