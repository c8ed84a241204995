import ClusterModel

// What an administrator changed, held against the tree and against what each broker knows and holds.
extension Judge {
    /// - Returns: what is not right (yet); nil when all is.
    func administrationLacks(_ administrator: Administrator) -> String? {
        guard let server = cluster.coordinator else { return "there is no coordinator" }
        for truth in truths where truth.isMoving || truth.replicas.count != Cluster.brokers {
            return "\(truth.partition) has replicas \(truth.replicas)\(truth.isMoving ? " and is being moved" : "")"
        }
        for topic in administrator.retention.keys.sorted() {
            guard let wanted = administrator.retention[topic] ?? nil else { continue }
            let settings = server.peek(Znodes.topicConfig(topic)).flatMap {
                try? ConfigPayload(payload: $0.data).settings
            }
            if settings?["retention.ms"] != wanted {
                return "retention.ms of \(topic) was set to \(wanted), and is \(settings?["retention.ms"] ?? "not set")"
            }
        }
        for topic in administrator.topics.keys.sorted() {
            let found = server.peek(Znodes.topic(topic)).flatMap { try? TopicAssignment(payload: $0.data) }
            switch administrator.topics[topic] {
            case .there(let partitions):
                guard let found else { return "\(topic) was made, and is not in the tree" }
                guard found.replicas.count == partitions else {
                    return "\(topic) should have \(partitions) partitions, and has \(found.replicas.count)"
                }
            case .gone: if found != nil { return "\(topic) was deleted, and is in the tree" }
            case .unknown, nil: break
            }
            if let lack = lacks(topic, found) { return lack }
        }
        return truths.lazy.compactMap { self.brokersDiffer($0.partition) }.first
    }

    /// No replica lies where it does not belong, and each where it does.
    private func lacks(_ topic: String, _ assignment: TopicAssignment?) -> String? {
        for id in 0..<Cluster.brokers {
            guard let node = cluster.node(id) else { return "broker \(id) is down" }
            let held = Set(node.partitions.hosts(of: topic).map(\.partition.partition))
            let due = (assignment?.replicas ?? [:]).filter { $0.value.contains(BrokerID(Int32(id))) }.map(\.key)
            if held != Set(due) {
                return "broker \(id) holds partitions \(held.sorted()) of \(topic), and should hold \(due.sorted())"
            }
            let known = node.metadata.topic(topic)?.partitions.map(\.index) ?? []
            if Set(known) != Set((assignment?.replicas ?? [:]).keys) {
                return "broker \(id) knows partitions \(known) of \(topic)"
            }
        }
        for partition in (assignment?.replicas ?? [:]).keys.sorted() {
            if let lack = brokersDiffer(TopicPartition(topic, partition)) { return lack }
        }
        return nil
    }

    /// Each broker's metadata say what the tree says.
    private func brokersDiffer(_ partition: TopicPartition) -> String? {
        guard let data = cluster.coordinator?.peek(Znodes.partitionState(partition))?.data,
            let state = try? PartitionState(payload: data)
        else { return "\(partition) has no state" }
        for id in 0..<Cluster.brokers {
            guard let known = cluster.node(id)?.metadata.partition(partition) else {
                return "broker \(id) does not know \(partition)"
            }
            if known.leader != state.leader || known.leaderEpoch != state.leaderEpoch || known.inSync != state.isr {
                return
                    "broker \(id) believes \(partition) to be led by \(known.leader) in epoch \(known.leaderEpoch) with "
                    + "\(known.inSync) in sync; the tree says \(state.leader), \(state.leaderEpoch), \(state.isr)"
            }
        }
        return nil
    }
}
