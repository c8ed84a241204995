import Platform

/// What the seed chose for the cluster and its clients, before anything begins.
package struct Setting: Equatable, Sendable, CustomStringConvertible {
    /// Partitions of each topic; all have three replicas.
    package var partitions: [Int]
    package var minInSync = 2
    /// Every record is synced before it is acknowledged: then power failures are bound by nothing.
    package var syncsEach = false
    package var segmentBytes = 1 << 20
    package var sessionMs = 4000
    package var lagMaxMs = 3000
    package var fetchWaitMs = 500
    package var rebalanceSeconds = 300
    package var latency: ClosedRange<Duration> = .microseconds(50) ... .microseconds(500)
    package var diskDelay: ClosedRange<Duration> = .microseconds(20) ... .milliseconds(2)
    package var writesInPlace = 0.5
    package var connectionLoss = 0.0
    package var producers: [ProducerKind]
    /// Between two batches of one producer to one partition, on average.
    package var paceMs = 150
    package var readers = 1
    package var members = 2
    /// Somebody changes topics, assignments and settings meanwhile.
    package var hasAdministrator = false
    /// What is wrong with the cluster on purpose.
    package var planted: Planted?

    /// Mistakes that the judges must find: what they leave undone, or do wrong, is done by the surroundings, never by the product.
    package enum Planted: String, CaseIterable, Sendable {
        /// Syncs of the brokers' logs do nothing.
        case brokersNeverSync = "brokers-never-sync"
        /// Syncs of the coordinator's log do nothing.
        case coordinatorNeverSyncs = "coordinator-never-syncs"
        /// After a power failure the machine tells the boot id that it had before.
        case powerLossUnnoticed = "power-loss-unnoticed"
        /// A replica from outside the in-sync set may lead.
        case uncleanElection = "unclean-election"
        /// Idempotent producers send without their producer ids.
        case producersWithoutIDs = "producers-without-ids"
    }

    package enum ProducerKind: String, Sendable {
        /// Idempotent, acks=all, up to five requests under way.
        case idempotent
        /// acks=all, one request under way: what is sent again may be there twice.
        case plain
        /// acks=1: nothing is promised.
        case leaderOnly
    }

    package init(seed: UInt64) {
        var chance = SeededRandom(seed: seed ^ 0x5e77_1196)
        func one<T>(_ values: T...) -> T { values[Int.random(in: 0..<values.count, using: &chance)] }
        partitions = one([1], [2], [3], [2, 1], [1, 1])
        minInSync = one(2, 2, 2, 1)
        syncsEach = one(false, false, false, true)
        segmentBytes = one(700, 2000, 10_000, 1 << 20)
        sessionMs = one(2000, 3000, 4000, 6000)
        lagMaxMs = one(1500, 3000, 5000)
        fetchWaitMs = one(50, 200, 500, 500)
        rebalanceSeconds = one(5, 20, 300)
        latency = one(
            .microseconds(50) ... .microseconds(500), .microseconds(50) ... .microseconds(500),
            .microseconds(10) ... .milliseconds(20))
        diskDelay = one(
            .microseconds(20) ... .milliseconds(2), .microseconds(20) ... .milliseconds(2),
            .microseconds(100) ... .milliseconds(30))
        writesInPlace = one(0, 0.5, 1)
        connectionLoss = one(0, 0, 0, 0.0005)
        producers = one(
            [.idempotent], [.idempotent, .plain], [.idempotent, .leaderOnly], [.idempotent, .idempotent], [.plain])
        paceMs = one(60, 150, 300)
        readers = one(1, 1, 2)
        members = one(0, 1, 2, 3)
        // From a stream of its own: what seeds drew before there were administrators stays as it was.
        var another = SeededRandom(seed: seed ^ 0xad_3114)
        hasAdministrator = Int.random(in: 0...2, using: &another) == 0
    }

    package var description: String {
        "topics of \(partitions) partitions, min.insync.replicas \(minInSync)\(syncsEach ? ", every record synced" : ""), "
            + "segments of \(segmentBytes) bytes, sessions of \(sessionMs) ms, lag of \(lagMaxMs) ms, producers "
            + "\(producers.map(\.rawValue).joined(separator: " ")) every \(paceMs) ms, \(readers) readers, \(members) members"
            + (hasAdministrator ? ", an administrator" : "") + (planted.map { ", planted \($0.rawValue)" } ?? "")
            + (connectionLoss > 0 ? ", losing connections" : "")
    }
}

/// A whole play as data: equal plans play alike, byte for byte.
package struct Plan: Equatable, Sendable {
    package var seed: UInt64
    /// How long clients work and things break; behind it everything is mended and must come right.
    package var seconds: Int
    package var setting: Setting
    package var faults: [Fault]

    /// - Parameter administrator: whether there is one; nil: as the seed draws it.
    package init(
        seed: UInt64, seconds: Int = 60, faults: [Fault]? = nil, administrator: Bool? = nil,
        planted: Setting.Planted? = nil
    ) {
        self.seed = seed
        self.seconds = seconds
        setting = Setting(seed: seed)
        if let administrator { setting.hasAdministrator = administrator }
        setting.planted = planted
        // What is never synced must be promised to be.
        if planted == .brokersNeverSync { setting.syncsEach = true }
        self.faults = faults ?? FaultDraw(seed: seed, seconds: seconds, setting: setting).faults
    }

    /// The command that plays it again.
    package var command: String {
        let drawn = FaultDraw(seed: seed, seconds: seconds, setting: setting).faults
        let words = faults == drawn ? "" : " --faults '\(faults.map(\.description).joined(separator: "; "))'"
        let mistake = setting.planted.map { " --planted \($0.rawValue)" } ?? ""
        let isDrawn = setting.hasAdministrator == Setting(seed: seed).hasAdministrator
        let administrator = isDrawn ? "" : setting.hasAdministrator ? " --administrator" : " --no-administrator"
        return "letterbox simulate --seed \(seed) --seconds \(seconds)\(words)\(mistake)\(administrator)"
    }
}
