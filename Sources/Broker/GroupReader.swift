import Bytes
import ClusterModel
import ConsumerGroups

/// Reads everything the tree holds of one group. Lost answers are asked for again; only the session's end gives up.
package final class GroupReader {
    package struct Found {
        package var nodes = GroupNodes()
        package var stored: StoredGroup?
        package var offsets = OffsetTable()
        /// Whether a group of ours is there, rather than just a node an old consumer left.
        package var isGroup: Bool { stored != nil || !offsets.isEmpty }
    }

    private let tree: any GroupTree
    private let group: String
    private let then: (Found?) -> Void
    private var found = Found()
    private var outstanding = 0
    private var hasFailed = false

    private init(_ tree: any GroupTree, _ group: String, _ then: @escaping (Found?) -> Void) {
        self.tree = tree
        self.group = group
        self.then = then
    }

    /// - Parameter then: nil when the session ended before everything was read.
    package static func read(_ group: String, from tree: any GroupTree, then: @escaping (Found?) -> Void) {
        let reader = GroupReader(tree, group, then)
        reader.begin()
        reader.ended()
    }

    private func begin() {
        outstanding += 1
        children(GroupPaths.group(group)) { names in
            guard let names else { return }
            self.found.nodes.exists = true
            for name in names {
                switch name {
                case "offsets": self.readOffsets()
                case "group": self.readHead()
                default: self.found.nodes.hasOthers = true
                }
            }
        }
    }

    private func ended() {
        outstanding -= 1
        if outstanding == 0 { then(hasFailed ? nil : found) }
    }

    private func readOffsets() {
        found.nodes.hasOffsets = true
        children(GroupPaths.offsets(group)) { names in
            for name in names ?? [] { self.readTopic(name) }
        }
    }

    private func readTopic(_ name: String) {
        let path = GroupPaths.topic(group, name)
        node(path) { node in
            guard let node else { return }
            let id = UUID128(text: String(decoding: node.data, as: UTF8.self))
            self.found.nodes.topics[name, default: GroupNodes.Topic()].id = id
            self.children(path) { names in
                for child in names ?? [] {
                    if let partition = Int32(child), partition >= 0, "\(partition)" == child {
                        self.readPartition(name, id, partition)
                    } else {
                        self.found.nodes.topics[name]?.hasOthers = true
                    }
                }
            }
        }
    }

    private func readPartition(_ topic: String, _ id: UUID128?, _ partition: Int32) {
        node(GroupPaths.partition(group, topic, partition)) { node in
            guard let node else { return }
            self.found.nodes.topics[topic]?.partitions[partition] = node.childCount > 0
            let text = String(decoding: node.data, as: UTF8.self)
            // What is not a number is nobody's offset; the next commit overwrites it.
            guard let offset = Int64(text) else { return }
            var value = CommittedOffset(offset: offset, commitMs: node.modifiedMs)
            guard node.childCount > 0 else { return self.keep(topic, id, partition, value) }
            self.node(GroupPaths.meta(self.group, topic, partition)) { meta in
                if let meta = meta.flatMap({ MetaNode(bytes: $0.data) }), meta.offset == offset {
                    value.leaderEpoch = meta.leaderEpoch
                    value.metadata = meta.metadata
                    value.expireMs = meta.expireMs
                }
                self.keep(topic, id, partition, value)
            }
        }
    }

    private func keep(_ topic: String, _ id: UUID128?, _ partition: Int32, _ value: CommittedOffset) {
        found.offsets.apply(OffsetLine(topic: topic, topicID: id, partition: partition, value: value))
    }

    private func readHead() {
        found.nodes.hasHead = true
        let path = GroupPaths.head(group)
        node(path) { node in
            guard let node else { return }
            if node.childCount > 0 {
                self.children(path) { self.found.nodes.chunks = ($0 ?? []).sorted() }
            }
            switch HeadNode(bytes: node.data) {
            case nil: break
            case .whole(let bytes)?: self.found.stored = StoredGroup.decoded(bytes)
            case .chunks(let names)?: self.readChunks(names)
            }
        }
    }

    private func readChunks(_ names: [String]) {
        var parts = [[UInt8]?](repeating: nil, count: names.count)
        var left = names.count
        for (place, name) in names.enumerated() {
            node(GroupPaths.chunk(group, name)) { node in
                parts[place] = node?.data
                left -= 1
                if left == 0, !parts.contains(nil) {
                    self.found.stored = StoredGroup.decoded(parts.flatMap { $0 ?? [] })
                }
            }
        }
    }

    // MARK: one question

    private func node(_ path: String, _ then: @escaping (TreeNode?) -> Void) {
        outstanding += 1
        tree.read(path) { result in
            switch result {
            case .success(let node): then(node)
            case .failure(let failure): self.failed(failure, missing: { then(nil) }, again: { self.node(path, then) })
            }
            self.ended()
        }
    }

    private func children(_ path: String, _ then: @escaping ([String]?) -> Void) {
        outstanding += 1
        tree.children(path) { result in
            switch result {
            case .success(let names): then(names)
            case .failure(let failure):
                self.failed(failure, missing: { then(nil) }, again: { self.children(path, then) })
            }
            self.ended()
        }
    }

    private func failed(_ failure: TreeFailure, missing: () -> Void, again: () -> Void) {
        switch failure.cause {
        case .noNode: missing()
        case .connectionLost where !hasFailed: again()
        default: hasFailed = true
        }
    }
}
