import Bytes
import ClusterModel
import ConsumerGroups

/// Which znodes one group has, so that a change of it can be said in creates, sets and deletes. Pure: the store keeps one for
/// each group, tries a change on a copy, and keeps the copy when the tree has taken it.
package struct GroupNodes: Equatable {
    package struct Topic: Equatable {
        /// What the node of the topic says; nil when it is empty, as other writers leave it.
        var id: UUID128?
        /// Each partition's node, and whether it has a `meta`.
        var partitions: [Int32: Bool] = [:]
        /// Children nobody here understands: the node stays.
        var hasOthers = false
    }

    var exists = false
    var hasOffsets = false
    var hasHead = false
    /// Below the head, whether it names them or not.
    var chunks: [String] = []
    var topics: [String: Topic] = [:]
    var hasOthers = false
    var offsetsHasOthers = false

    package init() {}

    // MARK: offsets

    /// The node is exactly the decimal offset, as Kafka's own tools write and read it. What else there is to say stands in its
    /// child `meta`, with the offset it belongs to.
    package mutating func commit(_ lines: [OffsetLine], of group: String) -> [TreeOperation] {
        var all: [TreeOperation] = []
        for line in lines {
            let path = GroupPaths.partition(group, line.topic, line.partition)
            let offset = [UInt8]("\(line.value.offset)".utf8)
            if let operations = overwrite(line, path, offset) {
                all += operations
                continue
            }
            var operations: [TreeOperation] = []
            defer { all += operations }
            openTopic(line.topic, id: line.topicID, of: group, &operations)
            var topic = topics.removeValue(forKey: line.topic) ?? Topic()
            let meta = MetaNode(line.value)
            if let hasMeta = topic.partitions[line.partition] {
                operations.append(.set(path, offset))
                switch (hasMeta, meta) {
                case (true, let meta?): operations.append(.set(path + "/meta", meta.bytes))
                case (false, let meta?): operations.append(.create(path + "/meta", meta.bytes))
                case (true, nil): operations.append(.delete(path + "/meta"))
                case (false, nil): break
                }
            } else {
                operations.append(.create(path, offset))
                if let meta { operations.append(.create(path + "/meta", meta.bytes)) }
            }
            topic.partitions[line.partition] = meta != nil
            topics[line.topic] = topic
        }
        return all
    }

    /// The everyday commit: every node is there already, and nothing has to be remembered anew.
    private func overwrite(_ line: OffsetLine, _ path: String, _ offset: [UInt8]) -> [TreeOperation]? {
        guard let topic = topics[line.topic], line.topicID == nil || topic.id == line.topicID,
            let hasMeta = topic.partitions[line.partition]
        else { return nil }
        let meta = MetaNode(line.value)
        guard hasMeta == (meta != nil) else { return nil }
        return [.set(path, offset)] + (meta.map { [.set(path + "/meta", $0.bytes)] } ?? [])
    }

    private mutating func openTopic(
        _ name: String, id: UUID128?, of group: String, _ operations: inout [TreeOperation]
    ) {
        openGroup(group, &operations)
        if !hasOffsets {
            operations.append(.create(GroupPaths.offsets(group), []))
            hasOffsets = true
        }
        let path = GroupPaths.topic(group, name)
        let text = id.map { [UInt8]($0.text.utf8) } ?? []
        guard var topic = topics[name] else {
            operations.append(.create(path, text))
            topics[name] = Topic(id: id)
            return
        }
        guard let id, topic.id != id else { return }
        if topic.id != nil {
            // Another topic had this name: its offsets go before the first of this one's comes.
            for partition in topic.partitions.keys.sorted() {
                operations += deletes(of: partition, hasMeta: topic.partitions[partition] ?? false, below: path)
            }
            topic.partitions = [:]
        }
        operations.append(.set(path, text))
        topic.id = id
        topics[name] = topic
    }

    private func deletes(of partition: Int32, hasMeta: Bool, below path: String) -> [TreeOperation] {
        (hasMeta ? [.delete("\(path)/\(partition)/meta")] : []) + [.delete("\(path)/\(partition)")]
    }

    package mutating func remove(_ removed: [TopicPartition], of group: String) -> [TreeOperation] {
        var operations: [TreeOperation] = []
        for each in removed {
            guard var topic = topics[each.topic], let hasMeta = topic.partitions.removeValue(forKey: each.partition)
            else { continue }
            let path = GroupPaths.topic(group, each.topic)
            operations += deletes(of: each.partition, hasMeta: hasMeta, below: path)
            if topic.partitions.isEmpty, !topic.hasOthers {
                operations.append(.delete(path))
                topics[each.topic] = nil
            } else {
                topics[each.topic] = topic
            }
        }
        return operations
    }

    // MARK: the generation

    private mutating func openGroup(_ group: String, _ operations: inout [TreeOperation]) {
        guard !exists else { return }
        operations.append(.create(GroupPaths.group(group), []))
        exists = true
    }

    /// - Parameter stamp: a name no chunk of this group has had before.
    /// - Returns: multis to be done one after another. The last one puts the new head in force and collects the former chunks.
    package mutating func store(
        _ stored: StoredGroup, of group: String, stamp: String, chunkBytes: Int = GroupNodes.chunkBytes
    ) -> [[TreeOperation]] {
        let bytes = stored.encoded()
        var first: [TreeOperation] = []
        openGroup(group, &first)
        let former = chunks
        if bytes.count <= chunkBytes {
            chunks = []
            first.append(setHead(HeadNode.whole(bytes).bytes, of: group))
            return [first + former.map { .delete(GroupPaths.chunk(group, $0)) }]
        }
        if !hasHead { first.append(setHead([], of: group)) }
        var steps: [[TreeOperation]] = first.isEmpty ? [] : [first]
        chunks = []
        for start in stride(from: 0, to: bytes.count, by: chunkBytes) {
            let name = "\(stamp)-\(chunks.count)"
            let part = [UInt8](bytes[start..<min(start + chunkBytes, bytes.count)])
            steps.append([.create(GroupPaths.chunk(group, name), part)])
            chunks.append(name)
        }
        steps.append(
            [setHead(HeadNode.chunks(chunks).bytes, of: group)]
                + former.map { .delete(GroupPaths.chunk(group, $0)) })
        return steps
    }

    private mutating func setHead(_ bytes: [UInt8], of group: String) -> TreeOperation {
        defer { hasHead = true }
        return hasHead ? .set(GroupPaths.head(group), bytes) : .create(GroupPaths.head(group), bytes)
    }

    package static let chunkBytes = 500 << 10

    // MARK: the whole group

    /// Children before parents; what others have put below the group stays, and so do the nodes above it.
    package mutating func removeAll(of group: String) -> [TreeOperation] {
        var operations: [TreeOperation] = []
        for (name, topic) in topics.sorted(by: { $0.key < $1.key }) {
            let path = GroupPaths.topic(group, name)
            for (partition, hasMeta) in topic.partitions.sorted(by: { $0.key < $1.key }) {
                operations += deletes(of: partition, hasMeta: hasMeta, below: path)
            }
            if !topic.hasOthers { operations.append(.delete(path)) }
        }
        let keepsOffsets = offsetsHasOthers || topics.values.contains { $0.hasOthers }
        if hasOffsets, !keepsOffsets { operations.append(.delete(GroupPaths.offsets(group))) }
        operations += chunks.map { .delete(GroupPaths.chunk(group, $0)) }
        if hasHead { operations.append(.delete(GroupPaths.head(group))) }
        if exists, !hasOthers, !(hasOffsets && keepsOffsets) { operations.append(.delete(GroupPaths.group(group))) }
        self = GroupNodes()
        return operations
    }
}

/// The child `meta` of a committed offset: `offset epoch expiry`, a line feed, and the client's metadata.
package struct MetaNode: Equatable {
    package var offset: Offset
    package var leaderEpoch: Int32
    package var expireMs: Int64
    package var metadata: String

    /// Nil when there is nothing to say beside the offset.
    package init?(_ value: CommittedOffset) {
        guard value.leaderEpoch >= 0 || value.expireMs >= 0 || !value.metadata.isEmpty else { return nil }
        offset = value.offset
        leaderEpoch = value.leaderEpoch
        expireMs = value.expireMs
        metadata = value.metadata
    }

    package var bytes: [UInt8] { [UInt8]("\(offset) \(leaderEpoch) \(expireMs)\n\(metadata)".utf8) }

    package init?(bytes: [UInt8]) {
        guard let end = bytes.firstIndex(of: 10), let metadata = String(validating: bytes[(end + 1)...], as: UTF8.self)
        else { return nil }
        let numbers = String(decoding: bytes[..<end], as: UTF8.self).split(separator: " ")
        guard numbers.count == 3, let offset = Int64(numbers[0]), let epoch = Int32(numbers[1]),
            let expireMs = Int64(numbers[2])
        else { return nil }
        self.offset = offset
        leaderEpoch = epoch
        self.expireMs = expireMs
        self.metadata = metadata
    }
}

/// The head of a generation: the whole of it, or the names of the chunks it is cut into, in order.
package enum HeadNode: Equatable {
    case whole([UInt8])
    case chunks([String])

    package var bytes: [UInt8] {
        switch self {
        case .whole(let bytes): [0] + bytes
        case .chunks(let names): [1] + [UInt8](names.joined(separator: "\n").utf8)
        }
    }

    package init?(bytes: [UInt8]) {
        switch bytes.first {
        case 0: self = .whole([UInt8](bytes.dropFirst()))
        case 1:
            let names = String(decoding: bytes.dropFirst(), as: UTF8.self)
            self = .chunks(names.split(separator: "\n").map(String.init))
        default: return nil
        }
    }
}
