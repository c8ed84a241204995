import ConsumerGroups
import KafkaProtocol
import Platform

/// Carries the writes of one bucket's groups to the tree: in order, several in one multi, one multi at a time, each conditional
/// on this broker's still owning the bucket.
package final class GroupWriter {
    /// What waits together shares a multi up to here; one write alone may be longer, but not larger.
    package static let maxOperations = 1000
    package static let maxBytes = 512 << 10

    package struct Events {
        package var ended: (GroupWrite, WriteOutcome) -> Void
        /// It has waited for `offsets.commit.timeout.ms`, and goes on waiting.
        package var delayed: (GroupWrite) -> Void
        /// The bucket is another broker's now, or the session is over.
        package var fenced: () -> Void
        package init(
            ended: @escaping (GroupWrite, WriteOutcome) -> Void, delayed: @escaping (GroupWrite) -> Void,
            fenced: @escaping () -> Void
        ) {
            self.ended = ended
            self.delayed = delayed
            self.fenced = fenced
        }
    }

    private struct Waiting {
        var write: GroupWrite
        var deadline: Instant
        var isTold = false
        /// Failed in company: now it is tried by itself.
        var isAlone = false
        var attempts = 0
    }

    package let bucket: Int
    package let epoch: Int32
    private let world: any World
    private let tree: any GroupTree
    private let timeout: Duration
    private let events: Events
    private var queue: [Waiting] = []
    private var nodes: [String: GroupNodes] = [:]
    private var isBusy = false
    private var isClosed = false
    private var whenIdle: (() -> Void)?
    private var timer: TimerID?

    package init(
        bucket: Int, epoch: Int32, world: any World, tree: any GroupTree, timeout: Duration, events: Events
    ) {
        self.bucket = bucket
        self.epoch = epoch
        self.world = world
        self.tree = tree
        self.timeout = timeout
        self.events = events
    }

    /// What the tree has of a group, as just read.
    package func learn(_ group: String, _ nodes: GroupNodes) { self.nodes[group] = nodes }

    package func enqueue(_ write: GroupWrite) {
        guard !isClosed else { return }
        queue.append(Waiting(write: write, deadline: world.clock.now + timeout))
        armTimer()
        pump()
    }

    /// Sends nothing more. `then` is called when what is under way has ended.
    package func close(then: (() -> Void)? = nil) {
        isClosed = true
        queue = []
        if let timer { world.timers.cancel(timer) }
        timer = nil
        if isBusy { whenIdle = then } else { then?() }
    }

    private func pump() {
        // What has ended may bring new writes in while this runs.
        while !isBusy, !isClosed, !queue.isEmpty {
            var trial: [String: GroupNodes] = [:]
            var operations: [TreeOperation] = []
            var weight = 0
            var count = 0
            while count < queue.count {
                let item = queue[count]
                if count > 0, item.isAlone || queue[0].isAlone { break }
                let group = item.write.group
                var changed = trial[group] ?? nodes[group] ?? GroupNodes()
                let steps = plan(item.write, &changed)
                let stepWeight = steps.first?.reduce(0) { $0 + $1.weight } ?? 0
                if steps.count > 1 || (isCommit(item.write) && stepWeight > GroupWriter.maxBytes) { break }
                let step = steps.first ?? []
                if count > 0,
                    operations.count + step.count > GroupWriter.maxOperations
                        || weight + stepWeight > GroupWriter.maxBytes
                {
                    break
                }
                trial[group] = changed
                operations += step
                weight += stepWeight
                count += 1
            }
            if count == 0 {
                let item = queue[0]
                if isCommit(item.write) {
                    queue.removeFirst()
                    events.ended(item.write, .failed(.invalidCommitOffsetSize))
                    continue
                }
                var changed = nodes[item.write.group] ?? GroupNodes()
                let steps = plan(item.write, &changed)
                isBusy = true
                return perform(steps[...], count: 1, [item.write.group: changed])
            }
            if operations.isEmpty {
                succeeded(count, trial)
                continue
            }
            isBusy = true
            return perform([operations], count: count, trial)
        }
    }

    private func isCommit(_ write: GroupWrite) -> Bool {
        if case .commit = write.change { return true }
        return false
    }

    private func plan(_ write: GroupWrite, _ nodes: inout GroupNodes) -> [[TreeOperation]] {
        switch write.change {
        case .generation(let stored):
            nodes.store(stored, of: write.group, stamp: "\(stored.generation)-\(epoch)-\(write.id.raw)")
        case .commit(let lines): [nodes.commit(lines, of: write.group)]
        case .removeOffsets(let partitions): slices(nodes.remove(partitions, of: write.group))
        case .removeGroup: slices(nodes.removeAll(of: write.group))
        }
    }

    /// Removals need not be one: each multi leaves something that can be gone on with.
    private func slices(_ operations: [TreeOperation]) -> [[TreeOperation]] {
        var slices: [[TreeOperation]] = []
        var weight = 0
        for operation in operations {
            if let last = slices.last, last.count < GroupWriter.maxOperations,
                weight + operation.weight <= GroupWriter.maxBytes
            {
                slices[slices.count - 1].append(operation)
                weight += operation.weight
            } else {
                slices.append([operation])
                weight = operation.weight
            }
        }
        return slices
    }

    /// One multi after another, for the first `count` writes of the queue.
    private func perform(
        _ steps: ArraySlice<[TreeOperation]>, count: Int, _ changed: [String: GroupNodes]
    ) {
        guard let step = steps.first else {
            isBusy = false
            if isClosed { return idle() }
            succeeded(count, changed)
            return pump()
        }
        tree.multi([.check(GroupPaths.bucket(bucket), version: epoch)] + step) { [self] result in
            switch result {
            case .success: perform(steps.dropFirst(), count: count, changed)
            case .failure(let failure): failed(failure, count, Array(changed.keys).sorted())
            }
        }
    }

    private func succeeded(_ count: Int, _ changed: [String: GroupNodes]) {
        for (group, nodes) in changed {
            if nodes.isAbsent { self.nodes[group] = nil } else { self.nodes[group] = nodes }
        }
        let done = queue.prefix(count)
        queue.removeFirst(count)
        for item in done { events.ended(item.write, .written) }
    }

    private func failed(_ failure: TreeFailure, _ count: Int, _ groups: [String]) {
        isBusy = false
        if isClosed { return idle() }
        switch failure.cause {
        case .sessionExpired: return fenced()
        case .badVersion where failure.operation == 0, .noNode where failure.operation == 0: return fenced()
        case .connectionLost, .noNode, .nodeExists, .badVersion, .notEmpty, .other: break
        }
        for place in 0..<count {
            queue[place].attempts += 1
            // Somebody else wrote below these groups, or nobody knows what happened: from here on each by itself.
            queue[place].isAlone = failure.cause != .connectionLost || queue[place].attempts > 1
        }
        if count == 1, queue[0].attempts >= 4 {
            let item = queue.removeFirst()
            world.journal.warning(
                "gave a group's write up", ["group": item.write.group, "cause": "\(failure.cause)"])
            events.ended(item.write, .failed(.coordinatorNotAvailable))
        }
        guard !isClosed else { return }
        read(groups[...])
    }

    /// Nothing newer is sent before it is known what is there.
    private func read(_ groups: ArraySlice<String>) {
        guard let group = groups.first else { return pump() }
        isBusy = true
        GroupReader.read(group, from: tree) { [self] found in
            isBusy = false
            if isClosed { return idle() }
            guard let found else { return fenced() }
            nodes[group] = found.nodes
            read(groups.dropFirst())
        }
    }

    private func fenced() {
        close()
        events.fenced()
    }

    private func idle() {
        let then = whenIdle
        whenIdle = nil
        then?()
    }

    private func armTimer() {
        guard timer == nil, let next = queue.first(where: { !$0.isTold }) else { return }
        timer = world.timers.schedule(at: next.deadline) { [weak self] in
            guard let self else { return }
            timer = nil
            let now = world.clock.now
            var late: [GroupWrite] = []
            for place in queue.indices where !queue[place].isTold && queue[place].deadline <= now {
                queue[place].isTold = true
                late.append(queue[place].write)
            }
            for write in late { events.delayed(write) }
            armTimer()
        }
    }
}

extension GroupNodes {
    var isAbsent: Bool { self == GroupNodes() }
}
