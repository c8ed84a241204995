import ClusterModel
import Platform

/// What the group committed of one partition, and who had it in which generation.
struct CommitTruth {
    /// The greatest offset whose commit was acknowledged, or that a member was told to go on from: its committer may have heard
    /// nothing, and nobody commits it again.
    var acknowledged: Offset = 0
    /// The tree's.
    var recorded: Offset = 0
    /// By base offset: batches that a member has processed.
    var processed: Set<Offset> = []
    /// So many batches, from the first on, were processed by somebody.
    var processedCount = 0
    /// Who had it in which generation.
    var owners: [Int32: String] = [:]
}

extension Judge {
    static let group = "g"

    /// I17: one member a generation. It was told so now.
    func assigned(_ share: [Int], to member: String, in generation: Int32) {
        for index in share where commits.indices.contains(index) {
            let other = commits[index].owners.updateValue(member, forKey: generation)
            if let other, other != member {
                violated(
                    "I17: \(truths[index].partition) was given to \(other) and to \(member) in generation \(generation)"
                )
            }
        }
        if begun[generation] == nil { begun[generation] = now }
    }

    func processed(_ index: Int, _ base: Offset) { commits[index].processed.insert(base) }

    /// I17 to I19: a member was told that its commit counts.
    /// - Parameter sent: a commit that was sent when a later generation had begun is refused.
    func commitAcknowledged(_ offset: Offset, of index: Int, in generation: Int32, sent: Instant, by owner: Int) {
        let partition = truths[index].partition
        if let later = begun.keys.sorted().first(where: { $0 > generation }), let began = begun[later], began < sent {
            violated(
                "I17: broker \(owner) took a commit of \(partition) in generation \(generation), sent \(sent), though "
                    + "generation \(later) had begun at \(began)")
        }
        counts(offset, of: index)
    }

    private func counts(_ offset: Offset, of index: Int) {
        commits[index].acknowledged = max(commits[index].acknowledged, offset)
        let truth = truths[index]
        let partition = truth.partition
        while commits[index].processedCount < truth.committed.count,
            truth.committed[commits[index].processedCount].last < offset
        {
            let base = truth.committed[commits[index].processedCount].base
            guard commits[index].processed.remove(base) != nil else {
                return violated("I19: \(offset) of \(partition) is committed, and nobody processed \(base)")
            }
            commits[index].processedCount += 1
        }
    }

    /// I18: a member was told from where to go on.
    func told(_ offset: Offset, of index: Int, atLeast due: Offset, by owner: Int, to member: String) {
        guard max(0, offset) < due else { return counts(offset, of: index) }
        violated(
            "I18: broker \(owner) told \(member) to go on with \(truths[index].partition) at \(offset); \(due) was committed"
        )
    }

    /// I18: what the tree holds never goes back.
    func lookAtCommits() {
        guard let server = cluster.coordinator else { return }
        for index in commits.indices {
            let partition = truths[index].partition
            let path = "/consumers/\(Judge.group)/offsets/\(partition.topic)/\(partition.partition)"
            guard let found = server.peek(path), let offset = Int64(String(decoding: found.data, as: UTF8.self)) else {
                if commits[index].acknowledged > 0 { violated("I18: the commits of \(partition) are gone") }
                continue
            }
            let recorded = Offset(offset)
            if recorded < commits[index].recorded, commits[index].acknowledged > recorded {
                violated("I18: the commit of \(partition) went back from \(commits[index].recorded) to \(recorded)")
            }
            commits[index].recorded = recorded
        }
    }

    /// The group has read and committed everything.
    func groupIsDone() -> Bool { truths.indices.allSatisfy { commits[$0].acknowledged == truths[$0].end } }

    func groupLacks() -> String {
        truths.indices.map {
            "\(truths[$0].partition): committed by \(Judge.group) up to \(commits[$0].acknowledged) of \(truths[$0].end)"
        }.joined(separator: "\n")
    }
}
