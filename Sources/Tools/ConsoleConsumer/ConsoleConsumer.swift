import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform

/// One run of the console consumer: from the first question about the topic to the last commit.
final class ConsoleConsumer {
    private enum End: Equatable {
        case limit
        case timeout
        case signal
        case deafEars
        case failed(String)
    }

    private let tool: any ToolWorld
    private let session: ClusterSession
    private let settings: ConsumerSettings
    private let bootstrap: String
    private let group: String
    private let printer: RecordPrinter
    private let fetcher: Fetcher
    private var membership: GroupMembership?
    private var filter: TopicFilter?
    private var end: End?
    private var signals = 0
    private var lastRecordAt: Instant
    /// Where this process stands, also in partitions that it does not have at the moment.
    private var remembered: [TopicPartition: Int64] = [:]
    private var committedAtStart: [TopicPartition: Int64] = [:]

    private var world: any World { tool.world }

    init(_ tool: any ToolWorld, _ session: ClusterSession, _ settings: ConsumerSettings, bootstrap: String) {
        self.tool = tool
        self.session = session
        self.settings = settings
        self.bootstrap = bootstrap
        group = settings.group ?? "console-consumer-\(tool.world.random() % 100_000)"
        printer = RecordPrinter(tool, settings)
        fetcher = Fetcher(world: tool.world, cluster: session.link, settings: settings)
        lastRecordAt = tool.world.clock.now
    }

    func run() -> Int32 {
        tool.onSignals([2, 15]) { [self] _ in
            signals += 1
            finish(.signal)
        }
        watchTimeout()
        connect()
        tool.run(until: { end != nil }, atMost: nil)
        close()
        var status: Int32 = 0
        switch end {
        case .timeout:
            let milliseconds = settings.timeout?.wholeMilliseconds ?? 0
            tool.warn(
                "ERROR Error processing message, terminating consumer process:  no message for \(milliseconds) ms")
        case .deafEars: tool.warn("Unable to write to standard out, closing consumer.")
        case .failed(let words):
            tool.warn("ERROR Error processing message, terminating consumer process:  \(words)")
            status = 1
        default: break
        }
        tool.warn("Processed a total of \(printer.count) messages")
        return status
    }

    private func finish(_ end: End) {
        if self.end == nil { self.end = end }
    }

    // MARK: The beginning

    private func connect() {
        fetcher.onRecords = { [unowned self] cursor, data in received(data, at: cursor) }
        fetcher.onResponse = { [unowned self] in
            if !printer.flush() { finish(.deafEars) }
        }
        fetcher.onOutOfRange = { [unowned self] cursor in resetPosition(of: cursor) }
        fetcher.onFatal = { [unowned self] words in finish(.failed(words)) }
        if case .pattern(let text) = settings.subject {
            do throws(ToolFailure) {
                filter = try TopicFilter(ConsoleConsumer.unquoted(text))
            } catch { return finish(.failed(error.message)) }
        }
        seekTopics(isFirst: true)
    }

    private static func unquoted(_ text: String) -> String {
        guard text.count >= 2, let first = text.first, first == text.last, first == "\"" || first == "'" else {
            return text
        }
        return String(text.dropFirst().dropLast())
    }

    /// Asks until the topics can be read, making a missing one as consumers do.
    private func seekTopics(isFirst: Bool, hasComplained: Bool = false) {
        guard end == nil else { return }
        var wanted: [String]?
        switch settings.subject {
        case .topic(let name), .partition(let name, _, _): wanted = [name]
        case .pattern: wanted = nil
        }
        session.link.metadata(
            of: wanted, allowCreation: settings.createsTopics && wanted != nil, until: session.deadline
        ) { [self] result in
            guard end == nil else { return }
            let metadata: MetadataResponse
            switch result {
            case .failure(let error):
                if isFirst { return finish(.failed(session.told(error, call: "fetchMetadata"))) }
                world.after(.milliseconds(500)) { [self] in
                    seekTopics(isFirst: false, hasComplained: hasComplained)
                }
                return
            case .success(let response): metadata = response
            }
            var hasComplained = hasComplained
            if let wanted, let topic = metadata.topics.first(where: { $0.name == wanted[0] }) {
                switch topic.errorCode {
                case .none where !topic.partitions.isEmpty: return begin(metadata)
                case .invalidTopicException: return finish(.failed("Invalid topics: [\(wanted[0])]"))
                case .topicAuthorizationFailed:
                    return finish(.failed("Not authorized to access topics: [\(wanted[0])]"))
                case .unknownTopicOrPartition where !hasComplained:
                    hasComplained = true
                    tool.warn("WARN there is no topic \(wanted[0]) yet; waiting for it")
                default: break
                }
            } else if wanted == nil {
                return begin(metadata)
            }
            world.after(.milliseconds(hasComplained ? 500 : 100)) { [self] in
                seekTopics(isFirst: false, hasComplained: hasComplained)
            }
        }
    }

    private func matching(_ metadata: MetadataResponse) -> [String] {
        metadata.topics.compactMap { topic in
            guard let name = topic.name, !topic.isInternal, let filter, filter.matches(name) else { return nil }
            return name
        }.sorted()
    }

    private func begin(_ metadata: MetadataResponse) {
        switch settings.subject {
        case .partition(let topic, let partition, let start):
            let count = metadata.topics.first { $0.name == topic }?.partitions.count ?? 0
            guard metadata.topics.contains(where: { $0.partitions.contains { $0.partitionIndex == partition } }) else {
                return finish(.failed("topic \(topic) has no partition \(partition); it has \(count)"))
            }
            var position: Int64?
            var seek: Int64 = -1
            switch start {
            case .earliest: seek = -2
            case .latest: break
            case .offset(let offset): position = offset
            }
            fetcher.assign([Cursor(TopicPartition(topic, partition), position: position, seek: seek)])
        case .topic(let topic): join([topic])
        case .pattern: join(matching(metadata))
        }
        if tool.outputIsTerminal {
            world.after(.seconds(2)) { [weak self] in self?.hint() }
        }
    }

    private func join(_ topics: [String]) {
        let membership = GroupMembership(
            world: world, cluster: session.link, settings: settings, group: group, topics: topics)
        self.membership = membership
        membership.onFatal = { [unowned self] words in finish(.failed(words)) }
        membership.onRevoked = { [unowned self] in
            let offsets = positions()
            remembered.merge(offsets) { _, new in new }
            fetcher.assign([])
            return offsets
        }
        membership.onAssigned = { [unowned self] places, committed in assigned(places, committed) }
        membership.start()
        if settings.commits { scheduleCommit() }
        scheduleRefresh()
    }

    private func assigned(_ places: [TopicPartition], _ committed: [TopicPartition: Int64]) {
        if committedAtStart.isEmpty { committedAtStart = committed }
        let seek: Int64 = settings.reset == .earliest ? -2 : -1
        // A group that commits nothing still does not read twice what this process has shown already.
        let cursors = places.map { Cursor($0, position: committed[$0] ?? remembered[$0], seek: seek) }
        let lost = cursors.filter { $0.position == nil }.map(\.place.description)
        if settings.reset == .none, !lost.isEmpty {
            return finish(
                .failed("Undefined offset with no reset policy for partitions: [\(lost.joined(separator: ", "))]"))
        }
        fetcher.assign(cursors)
    }

    private func resetPosition(of cursor: Cursor) {
        switch settings.reset {
        case .none:
            finish(
                .failed(
                    "Fetch position \(cursor.position ?? 0) is out of range for partition \(cursor.place), and no reset "
                        + "policy is defined"))
        case .earliest, .latest:
            tool.warn(
                "WARN offset \(cursor.position ?? 0) of \(cursor.place) is not in the log; going on at the "
                    + (settings.reset == .earliest ? "first" : "end"))
            cursor.seek = settings.reset == .earliest ? -2 : -1
            cursor.position = nil
        }
    }

    // MARK: Records

    private func received(_ data: FetchResponse.PartitionData, at cursor: Cursor) {
        guard end == nil else { return }
        let before = printer.count
        let outcome = printer.print(data, at: cursor)
        if printer.count > before { lastRecordAt = world.clock.now }
        switch outcome {
        case .goOn: return
        case .limit: finish(.limit)
        case .deafEars: finish(.deafEars)
        case .failed(let words): finish(.failed(words))
        }
        fetcher.pause()
    }

    private func watchTimeout() {
        guard let timeout = settings.timeout else { return }
        let due = lastRecordAt + timeout
        _ = world.timers.schedule(at: due) { [weak self] in
            guard let self, self.end == nil else { return }
            if self.lastRecordAt + timeout > due { return self.watchTimeout() }
            self.finish(.timeout)
        }
    }

    // MARK: Offsets

    private func positions() -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        for cursor in fetcher.cursors { offsets[cursor.place] = cursor.position }
        return offsets
    }

    private func scheduleCommit() {
        world.after(settings.commitInterval) { [weak self] in
            guard let self, self.end == nil, let membership = self.membership else { return }
            if membership.isStable { membership.commit(self.positions()) { _ in } }
            self.scheduleCommit()
        }
    }

    /// Topics that appear, and partitions that are added, change the group.
    private func scheduleRefresh() {
        world.after(max(settings.metadataAge, .milliseconds(100))) { [weak self] in
            guard let self, self.end == nil, let membership = self.membership else { return }
            let wanted = self.filter == nil ? membership.topics : nil
            self.session.link.metadata(of: wanted, until: self.session.deadline) { [weak self] result in
                guard let self, self.end == nil else { return }
                if case .success(let metadata) = result { self.refreshed(metadata, membership) }
                self.scheduleRefresh()
            }
        }
    }

    private func refreshed(_ metadata: MetadataResponse, _ membership: GroupMembership) {
        if filter != nil {
            let topics = matching(metadata)
            if topics != membership.topics {
                membership.topics = topics
                return membership.rejoin()
            }
        }
        guard membership.isLeader else { return }
        for topic in metadata.topics {
            guard let name = topic.name, let count = membership.countsAtAssignment[name] else { continue }
            if topic.partitions.count > Int(count) { return membership.rejoin() }
        }
    }

    // MARK: The end

    /// Says how far was read, and leaves; each for a few seconds at most, and a second signal ends the waiting.
    private func close() {
        fetcher.pause()
        _ = printer.flush()
        defer { fetcher.stop() }
        guard let membership else { return }
        let hurry = signals + 1
        if settings.commits, membership.isStable {
            // A partition that was not heard of yet has a place to be committed too.
            tool.run(until: { fetcher.lookupsInFlight == 0 || signals > hurry }, atMost: .milliseconds(500))
            let deadline = world.clock.now + .seconds(3)
            while membership.isStable, world.clock.now < deadline, signals <= hurry {
                var answer: ErrorCode?
                membership.commit(positions()) { answer = $0 }
                tool.run(until: { answer != nil || signals > hurry }, atMost: deadline - world.clock.now)
                guard let answer, answer.isRetriable else { break }
                tool.run(until: { signals > hurry }, atMost: .milliseconds(100))
            }
        }
        var hasLeft = false
        membership.leave { hasLeft = true }
        tool.run(until: { hasLeft || signals > hurry }, atMost: .seconds(1))
    }

    // MARK: Hints

    /// Why nothing is shown, when somebody is looking and nothing was for a while.
    private func hint() {
        guard end == nil, printer.count == 0, !fetcher.cursors.isEmpty else { return }
        let cursors = fetcher.cursors
        let topics = Set(cursors.map(\.place.topic)).sorted().joined(separator: ", ")
        if settings.isFromBeginning {
            guard let offset = committedAtStart.values.max(), case .topic(let topic) = settings.subject else { return }
            tool.warn(
                "group \(group) already stands at offset \(offset), so --from-beginning has no effect; to rewind: "
                    + "kafka-consumer-groups.sh --bootstrap-server \(bootstrap) --group \(group) --topic \(topic) "
                    + "--reset-offsets --to-earliest --execute")
            return
        }
        var byLeader: [Int32: ListOffsetsRequest] = [:]
        for cursor in cursors {
            guard let leader = session.link.leader(of: cursor.place.topic, cursor.place.partition) else { return }
            var request = byLeader[leader] ?? .with { $0.replicaID = -1 }
            if request.topics.last?.name != cursor.place.topic {
                request.topics.append(.with { $0.name = cursor.place.topic })
            }
            request.topics[request.topics.count - 1].partitions.append(
                .with {
                    $0.partitionIndex = cursor.place.partition
                    $0.timestamp = -2
                })
            byLeader[leader] = request
        }
        var waiting = byLeader.count
        var starts: [TopicPartition: Int64] = [:]
        for (leader, request) in byLeader.sorted(by: { $0.key < $1.key }) {
            session.link.ask(.broker(leader), request, until: world.clock.now + .seconds(2)) { [weak self] result in
                waiting -= 1
                if case .success(let response) = result {
                    for topic in response.topics {
                        for answer in topic.partitions where answer.errorCode == .none {
                            starts[TopicPartition(topic.name, answer.partitionIndex)] = answer.offset
                        }
                    }
                }
                guard waiting == 0, let self, self.end == nil, self.printer.count == 0 else { return }
                let before = cursors.reduce(Int64(0)) { sum, cursor in
                    guard let position = cursor.position, let start = starts[cursor.place] else { return sum }
                    return sum + max(0, position - start)
                }
                guard before > 0 else { return }
                let partitions = cursors.count == 1 ? "1 partition" : "\(cursors.count) partitions"
                let advice =
                    self.committedAtStart.isEmpty
                    ? "Add --from-beginning to read them." : "group \(self.group) has read them."
                self.tool.warn(
                    "waiting at the end of \(topics) (\(partitions), \(before) messages before you). \(advice)")
            }
        }
    }
}
