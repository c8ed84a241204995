import ClusterModel
import KafkaProtocol
import Platform
import SimulatedPlatform

/// What became of a plan.
package struct Outcome: Sendable {
    package var plan: Plan
    /// What was violated, when something was.
    package var violation: String?
    /// Equal for equal plays.
    package var hash: UInt64
    package var events: Int
    package var acknowledged: Int
    package var committed: Int
    /// How long it took, in simulated time, until all was well behind the last fault.
    package var mendedAfter: Duration
    /// The last lines of all journals and what was done to the nodes, in order; empty when all is well.
    package var timeline: [String] = []
}

/// One plan from beginning to end: the cluster starts, topics are made, clients work while things break, everything is mended
/// and has to come right.
package final class Play {
    private let plan: Plan
    private let simulation: Simulation
    private let cluster: Cluster
    private let judge: Judge
    private let faults: FaultsAtWork
    private var producers: [ModelProducer] = []
    private var readers: [ModelReader] = []
    private var members: [String: ModelMember] = [:]
    private var administrator: Administrator?

    package init(_ plan: Plan) {
        self.plan = plan
        var options = SimulationOptions()
        options.latency = plan.setting.latency
        options.diskDelay = plan.setting.diskDelay
        options.writesInPlace = plan.setting.writesInPlace
        // A play of 60 s has some 100,000; a hundred times of that is no play any more.
        options.eventLimit = 2_000_000 + 200_000 * plan.seconds
        options.connectionLoss = plan.setting.connectionLoss
        simulation = Simulation(seed: plan.seed, options: options)
        cluster = Cluster(simulation: simulation, setting: plan.setting)
        judge = Judge(simulation: simulation, cluster: cluster)
        faults = FaultsAtWork(simulation: simulation, cluster: cluster, judge: judge)
    }

    package static func play(_ plan: Plan) -> Outcome { Play(plan).run() }

    package func run() -> Outcome {
        var mended = Duration.zero
        if start(), violation == nil {
            work()
            if violation == nil {
                let before = simulation.now
                mend()
                mended = simulation.now - before
            }
        }
        defer { simulation.end() }
        return Outcome(
            plan: plan, violation: violation, hash: simulation.traceHash, events: simulation.eventCount,
            acknowledged: judge.acknowledged, committed: judge.truths.reduce(0) { $0 + $1.committed.count },
            mendedAfter: mended, timeline: violation == nil ? [] : timeline(300))
    }

    private var violation: String? { judge.violation }

    private func until(_ limit: Duration, _ what: String, _ condition: () -> Bool) -> Bool {
        simulation.run(within: limit) { violation != nil || condition() }
        guard violation == nil else { return false }
        guard condition() else {
            let group =
                members.isEmpty ? [] : [judge.groupLacks()] + members.keys.sorted().map { members[$0]?.state ?? "" }
            let asked = administrator.flatMap { judge.administrationLacks($0) }.map { [$0] } ?? []
            let lacks = ([judge.lacks()] + asked + group).joined(separator: "\n")
            judge.violated("liveness: after \(limit) still not \(what)\n\(lacks)")
            return false
        }
        return true
    }

    // MARK: Acts

    private func start() -> Bool {
        cluster.start()
        guard until(.seconds(60), "serving", cluster.isServing) else { return false }
        let topics = plan.setting.partitions.enumerated().map { (name: "t\($0.offset)", partitions: $0.element) }
        let maker = TopicMaker(simulation.node("admin").world, topics, minInSync: plan.setting.minInSync, judge: judge)
        guard until(.seconds(60), "a cluster with topics", { maker.isDone }) else { return false }
        judge.watch(topics.flatMap { topic in (0..<topic.partitions).map { TopicPartition(topic.name, Int32($0)) } })
        return true
    }

    private func work() {
        for (index, kind) in plan.setting.producers.enumerated() {
            let name = "producer-\(index)"
            simulation.node(name).boot { [unowned self] world in
                let producer = ModelProducer(name, kind: kind, paceMs: plan.setting.paceMs, world: world, judge: judge)
                producers.append(producer)
                return producer
            }
        }
        for index in 0..<plan.setting.readers {
            let name = "reader-\(index)"
            simulation.node(name).boot { [unowned self] world in
                let reader = ModelReader(name, world: world, judge: judge)
                readers.append(reader)
                return reader
            }
        }
        for index in 0..<plan.setting.members {
            let name = "member-\(index)"
            simulation.node(name).boot { [unowned self] world in
                let member = ModelMember(name, world: world, judge: judge)
                members[name] = member
                return member
            }
        }
        if plan.setting.hasAdministrator {
            administrator = Administrator(world: simulation.node("administrator").world, judge: judge)
        }
        faults.schedule(plan.faults)
        let end = simulation.now + .seconds(plan.seconds)
        simulation.run(within: .seconds(plan.seconds)) { violation != nil || simulation.now >= end }
    }

    private func mend() {
        faults.mend()
        let served = judge.acknowledged
        // Somebody must be served again before all stop.
        guard
            until(
                .seconds(120), "served", { judge.acknowledged > served || producers.allSatisfy { !$0.expectsAnswers } })
        else { return }
        for producer in producers { producer.isStopping = true }
        guard until(.seconds(120), "acknowledged everything", { producers.allSatisfy(\.isDone) }) else { return }
        if let administrator {
            var isRestored = false
            administrator.restore { isRestored = true }
            guard until(.seconds(120), "given all replicas again", { isRestored }) else { return }
        }
        guard until(.seconds(120), "whole", judge.isWhole) else { return }
        if let administrator {
            let isDone = { [judge] in judge.administrationLacks(administrator) == nil }
            guard until(.seconds(120), "as it was asked for", isDone) else { return }
        }
        if !members.isEmpty {
            guard until(.seconds(120), "read and committed by the group", judge.groupIsDone) else { return }
        }
        for reader in readers { reader.isStopping = true }
        for name in members.keys.sorted() { members[name]?.isStopping = true }
    }

    // MARK: The story

    private func timeline(_ count: Int) -> [String] {
        var lines: [(at: Instant, order: Int, text: String)] = []
        for (index, entry) in simulation.story.suffix(count).enumerated() {
            let fields = entry.line.fields.map { " \($0.key)=\($0.value)" }.joined()
            lines.append((entry.at, index, "[\(entry.node)] \(entry.line.text)\(fields)"))
        }
        let first = lines.first?.at ?? .start
        for fault in faults.done where fault.at >= first { lines.append((fault.at, -1, "------ \(fault.text)")) }
        for failure in cluster.failures where failure.at >= first {
            lines.append((failure.at, .max, "[\(failure.node)] ends: \(failure.reason)"))
        }
        return lines.sorted { ($0.at, $0.order) < ($1.at, $1.order) }.map { "\($0.at)  \($0.text)" }
    }
}
