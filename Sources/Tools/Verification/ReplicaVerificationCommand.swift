import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform
import Records

/// `kafka-replica-verification`: reads every replica of every partition and compares them, until it is ended.
package enum ReplicaVerificationCommand {
    static let help = HelpText(
        "Validate that all replicas for a set of topics have the same data.",
        examples: [
            "kafka-replica-verification.sh --broker-list localhost:9092",
            "kafka-replica-verification.sh --broker-list localhost:9092 --topics-include 'orders|letters' --time -2",
        ],
        options: [
            .value(
                "broker-list", "bootstrap-server", of: "HOST:PORT",
                help: "REQUIRED: the broker to ask first; several with commas. --bootstrap-server is the same."),
            .value(
                "fetch-size", of: "BYTES", help: "How much of a partition each request asks for (default: 1048576)."),
            .value(
                "max-wait-ms", of: "MS", help: "How long a request waits where nothing is new (default: 1000)."),
            .value("topics-include", of: "REGEX", help: "The topics to verify (default: .*)."),
            .value("topic-white-list", of: "REGEX", help: "DEPRECATED, the old name of --topics-include."),
            .value(
                "time", of: "TIME",
                help: "Where to begin: a timestamp, -1 (latest, the default) or -2 (earliest)."),
            .value("report-interval-ms", of: "MS", help: "How often the lag is told (default: 30000)."),
            .helpFlag, .versionFlag,
        ])

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.admin(arguments, help, tool, call: "listTopics") { line throws(CommandLineError) in
            if tool.environment("LETTERBOX_BOOTSTRAP") == nil { try line.require("broker-list") }
            if line.has("topics-include"), line.has("topic-white-list") {
                throw CommandLineError(
                    "Option \"[topics-include]\" can't be used with option \"[topic-white-list]\"")
            }
        } _: { line, session in
            let settings = try ReplicaVerification.Settings(line)
            let verification = ReplicaVerification(session, settings)
            try verification.prepare()
            return verification.run()
        }
    }
}

/// A run of the tool: rounds of one fetch to every broker, each followed by a comparison.
final class ReplicaVerification {
    struct Settings {
        var fetchSize: Int32 = 1 << 20
        var maxWaitMs: Int32 = 1000
        var filter: TopicFilter
        var time: Int64 = -1
        var reportInterval: Duration = .seconds(30)

        init(_ line: CommandLine) throws {
            func number(_ name: String, _ allowed: ClosedRange<Int>, _ usual: Int) throws(CommandLineError) -> Int {
                guard let given = try line.integer(name) else { return usual }
                guard allowed.contains(given) else {
                    throw CommandLineError("Option \(name) takes \(allowed.lowerBound) to \(allowed.upperBound)")
                }
                return given
            }
            fetchSize = Int32(try number("fetch-size", 1...Int(Int32.max), 1 << 20))
            maxWaitMs = Int32(try number("max-wait-ms", 0...Int(Int32.max), 1000))
            reportInterval = .milliseconds(Int64(try number("report-interval-ms", 0...Int(Int32.max), 30_000)))
            time = Int64(try number("time", -2...Int.max, -1))
            let included = try line.value("topics-include")
            filter = try TopicFilter(try included ?? line.value("topic-white-list") ?? ".*")
        }
    }

    private let session: ClusterSession
    private let tool: any ToolWorld
    private let settings: Settings
    private var comparison = ReplicaComparison([:])
    private var heldBy: [BrokerID: [TopicPartition]] = [:]
    /// What each broker, and each replica, said last instead of an answer: told once.
    private var troubles: [String: String] = [:]
    private var round = 0

    init(_ session: ClusterSession, _ settings: Settings) {
        self.session = session
        tool = session.tool
        self.settings = settings
    }

    /// Finds the replicas, and where to begin.
    func prepare() throws {
        let metadata = try session.metadata()
        var replicas: [TopicPartition: [BrokerID]] = [:]
        for topic in metadata.topics {
            guard let name = topic.name, settings.filter.matches(name) else { continue }
            for partition in topic.partitions {
                replicas[TopicPartition(name, partition.partitionIndex)] = partition.replicaNodes.map { BrokerID($0) }
            }
        }
        guard !replicas.isEmpty else {
            throw ToolFailure(
                "No topics found. --topics-include if specified, is either filtering out all topics or there is no topic."
            )
        }
        var starts = try offsets(of: replicas.keys.sorted(), time: settings.time)
        // No record is that young: from the end.
        let none = starts.filter { $0.value < 0 }.keys.sorted()
        if !none.isEmpty { starts.merge(try offsets(of: none, time: -1)) { $1 } }
        comparison = ReplicaComparison(
            Dictionary(uniqueKeysWithValues: replicas.map { ($0.key, ($0.value, starts[$0.key] ?? 0)) }))
        for place in comparison.places {
            for replica in replicas[place] ?? [] { heldBy[replica, default: []].append(place) }
        }
    }

    /// Of each partition, from its leader.
    private func offsets(of places: [TopicPartition], time: Int64) throws -> [TopicPartition: Offset] {
        var found: [TopicPartition: Offset] = [:]
        let deadline = session.deadline
        var waiting = places
        while true {
            var refused = ErrorCode.leaderNotAvailable
            for (leader, asked) in Dictionary(
                grouping: waiting, by: { session.link.leader(of: $0.topic, $0.partition) }
            )
            .sorted(by: { ($0.key ?? -1) < ($1.key ?? -1) }) {
                guard let leader else { continue }
                var request = ListOffsetsRequest()
                request.replicaID = -1
                for place in asked {
                    if request.topics.last?.name != place.topic {
                        request.topics.append(.with { $0.name = place.topic })
                    }
                    request.topics[request.topics.count - 1].partitions.append(
                        .with {
                            $0.partitionIndex = place.partition
                            $0.timestamp = time
                        })
                }
                for topic in try session.ask(.broker(leader), request).topics {
                    for answer in topic.partitions {
                        guard answer.errorCode == .none else {
                            refused = answer.errorCode
                            guard refused.isRetriable else { throw ClusterError.refused(refused) }
                            continue
                        }
                        found[TopicPartition(topic.name, answer.partitionIndex)] =
                            answer.oldStyleOffsets.first ?? answer.offset
                    }
                }
            }
            waiting.removeAll { found[$0] != nil }
            if waiting.isEmpty { return found }
            guard tool.world.clock.now < deadline else { throw ClusterError.refused(refused) }
            tool.run(until: { false }, atMost: .milliseconds(100))
            _ = try session.metadata(of: Array(Set(waiting.map(\.topic))).sorted())
        }
    }

    /// Goes on until it is ended from outside, or finds logs that cannot be compared.
    func run() -> Int32 {
        say("verification process is started")
        var lastReport = tool.world.clock.now
        while true {
            let everybody = fetch()
            let (findings, lag) = comparison.compared()
            for finding in findings { say(finding.words) }
            if findings.contains(where: \.isFatal) { return 1 }
            let now = tool.world.clock.now
            if now - lastReport >= settings.reportInterval, let lag {
                say(
                    "max lag is \(lag.records) for partition \(lag.place) at offset \(lag.offset) among "
                        + "\(comparison.places.count) partitions")
                lastReport = now
            }
            if !everybody { tool.run(until: { false }, atMost: .milliseconds(200)) }
        }
    }

    private func say(_ words: String) {
        tool.say("\(LogDate.text(ms: tool.world.clock.wallMs)): \(words)")
    }

    // MARK: Fetching

    /// One fetch to every broker, at the same time.
    /// - Returns: whether everybody answered for everything.
    private func fetch() -> Bool {
        round += 1
        var waiting = heldBy.count
        var isWhole = true
        for (broker, places) in heldBy.sorted(by: { $0.key < $1.key }) {
            // Another partition comes first in each round, so that a full response starves none.
            let first = round % places.count
            let request = request(for: places[first...] + places[..<first])
            let limit = tool.world.clock.now + session.patience + .milliseconds(Int64(settings.maxWaitMs))
            // Version 13 has ids in place of names.
            session.link.ask(.broker(broker.raw), request, atMost: 12, until: limit) { [self] result in
                waiting -= 1
                switch result {
                case .failure(let error):
                    isWhole = false
                    tell("broker \(broker)", "\(error)")
                case .success(let response):
                    tell("broker \(broker)", nil)
                    if !take(response, from: broker) { isWhole = false }
                }
            }
        }
        tool.run(until: { waiting == 0 }, atMost: nil)
        return isWhole
    }

    private func request(for places: some Collection<TopicPartition>) -> FetchRequest {
        var request = FetchRequest()
        // Any replica answers this one, up to its log's end.
        request.replicaID = -2
        request.maxWaitMs = settings.maxWaitMs
        request.minBytes = 1
        for place in places {
            if request.topics.last?.topic != place.topic { request.topics.append(.with { $0.topic = place.topic }) }
            request.topics[request.topics.count - 1].partitions.append(
                .with {
                    $0.partition = place.partition
                    $0.fetchOffset = comparison.offset(of: place)
                    $0.partitionMaxBytes = settings.fetchSize
                })
        }
        return request
    }

    private func take(_ response: FetchResponse, from broker: BrokerID) -> Bool {
        var isWhole = response.errorCode == .none
        for topic in response.responses {
            for data in topic.partitions {
                let place = TopicPartition(topic.topic, data.partitionIndex)
                let replica = "replica \(broker) of \(place)"
                guard data.errorCode == .none else {
                    isWhole = false
                    tell(replica, "\(data.errorCode)")
                    continue
                }
                do throws(RecordError) {
                    let batches = try summaries(data.records)
                    comparison.answered(place, by: broker, .init(highWatermark: data.highWatermark, batches: batches))
                    tell(replica, nil)
                } catch {
                    isWhole = false
                    tell(replica, "\(error)")
                }
            }
        }
        return isWhole
    }

    /// The bytes are there during this call only.
    private func summaries(_ records: RecordsField) throws(RecordError) -> [ReplicaComparison.Batch] {
        guard case .slice(let bytes) = records else { return [] }
        var batches: [ReplicaComparison.Batch] = []
        var rest = RecordBatches(bytes)
        while let batch = try rest.next() {
            batches.append(.init(lastOffset: batch.lastOffset, checksum: batch.computedCRC))
        }
        return batches
    }

    /// On stderr, when it changes: somebody who does not answer holds the comparison up.
    private func tell(_ who: String, _ trouble: String?) {
        guard troubles[who] != trouble else { return }
        troubles[who] = trouble
        tool.warn(trouble.map { "\(who) cannot be compared for now: \($0)" } ?? "\(who) answers again")
    }
}

/// `2026-11-21 10:00:00,000`, as Kafka's tools begin a line; UTC.
enum LogDate {
    static func text(ms: Int64) -> String {
        let day = ms >= 0 ? ms / 86_400_000 : (ms - 86_399_999) / 86_400_000
        let time = ms - day * 86_400_000
        let date = CivilDate.date(daysSince1970: day)
        func padded(_ number: Int64, _ digits: Int) -> String {
            let text = "\(number)"
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        return "\(padded(date.year, 4))-\(padded(Int64(date.month), 2))-\(padded(Int64(date.day), 2)) "
            + "\(padded(time / 3_600_000, 2)):\(padded(time / 60_000 % 60, 2)):\(padded(time / 1000 % 60, 2)),"
            + padded(time % 1000, 3)
    }
}
