import ClusterModel
import Platform

/// Who owns which groups. They hash into 64 buckets; each bucket is claimed by one broker, by rendezvous hashing over those
/// alive, and kept by it until it is gone or somebody else has been the better choice for a while.
package struct GroupOwnership {
    /// Fixed when the cluster is created: it is in every path of the claims.
    package static let bucketCount = 64
    /// A newcomer becomes the choice for some buckets at once; their owners wait this long, lest a restart move them twice.
    package static let handOverDelay = Duration.seconds(30)

    /// Java's hash of the name, as Kafka uses it, spread over the buckets.
    package static func bucket(of group: String) -> Int {
        let hash = javaHash(group)
        return hash == .min ? 0 : Int(abs(hash)) % bucketCount
    }

    package static func javaHash(_ text: String) -> Int32 {
        text.utf16.reduce(Int32(0)) { $0 &* 31 &+ Int32($1) }
    }

    /// The broker with the highest weight for the bucket. When one goes, only its own buckets move.
    package static func choice(for bucket: Int, among brokers: [BrokerID]) -> BrokerID? {
        brokers.max { a, b in
            let (ofA, ofB) = (weight(bucket, a), weight(bucket, b))
            return ofA == ofB ? a > b : ofA < ofB
        }
    }

    private static func weight(_ bucket: Int, _ broker: BrokerID) -> UInt64 {
        var random = SeededRandom(seed: UInt64(bucket) << 32 | UInt64(UInt32(bitPattern: broker.raw)))
        return random.next()
    }

    package enum Standing: Equatable, Sendable {
        /// Not this broker's.
        case elsewhere
        /// A claim is on its way to the tree.
        case claiming
        /// Claimed; its groups are being read. The epoch is what every write is conditional on.
        case loading(epoch: Int32)
        case serving(epoch: Int32)
        /// Given up; the tree still names this broker.
        case releasing
    }

    package enum Effect: Equatable, Sendable {
        /// Write these claims; each outcome comes back.
        case claim([Int])
        /// Stop serving and give the claim back.
        case release(Int, epoch: Int32)
    }

    package struct Bucket: Sendable {
        package fileprivate(set) var standing: Standing = .elsewhere
        /// Whom the tree names.
        package fileprivate(set) var owner: BrokerID?
        /// Whether the tree has been read: nobody claims what might be somebody's.
        package fileprivate(set) var isKnown = false
        fileprivate var notChosenSince: Instant?
    }

    package let me: BrokerID
    package private(set) var buckets = [Bucket](repeating: Bucket(), count: bucketCount)
    private var live: [BrokerID] = []

    package init(me: BrokerID) { self.me = me }

    package func owner(ofGroup group: String) -> BrokerID? { buckets[GroupOwnership.bucket(of: group)].owner }

    package mutating func liveBrokersAre(_ brokers: [BrokerID], at now: Instant) -> [Effect] {
        live = brokers
        return review(at: now)
    }

    /// The tree names this owner now, or nobody.
    package mutating func ownerSeen(_ bucket: Int, _ owner: BrokerID?) {
        buckets[bucket].isKnown = true
        buckets[bucket].owner = owner
    }

    package mutating func claimed(_ bucket: Int, epoch: Int32) {
        buckets[bucket].standing = .loading(epoch: epoch)
        buckets[bucket].owner = me
        buckets[bucket].notChosenSince = nil
    }

    /// Somebody was faster, or the tree could not be asked: it has to be read again before the next attempt.
    package mutating func claimFailed(_ bucket: Int) { forget(bucket) }

    package mutating func loaded(_ bucket: Int) {
        guard case .loading(let epoch) = buckets[bucket].standing else { return }
        buckets[bucket].standing = .serving(epoch: epoch)
    }

    /// The claim is gone: given back, or found to be another's.
    package mutating func lost(_ bucket: Int) { forget(bucket) }

    /// A new session begins with no roles, and knows nothing.
    package mutating func sessionLost() {
        for bucket in buckets.indices { forget(bucket) }
    }

    private mutating func forget(_ bucket: Int) { buckets[bucket] = Bucket() }

    /// What should be claimed or handed over now. Called whenever something changed, and every second or so.
    package mutating func review(at now: Instant) -> [Effect] {
        guard live.contains(me) else { return [] }
        var claims: [Int] = []
        var effects: [Effect] = []
        for bucket in buckets.indices {
            let isMine = GroupOwnership.choice(for: bucket, among: live) == me
            switch buckets[bucket].standing {
            case .elsewhere:
                guard isMine, buckets[bucket].isKnown, buckets[bucket].owner == nil else { continue }
                buckets[bucket].standing = .claiming
                claims.append(bucket)
            case .serving(let epoch):
                guard !isMine else {
                    buckets[bucket].notChosenSince = nil
                    continue
                }
                let since = buckets[bucket].notChosenSince ?? now
                buckets[bucket].notChosenSince = since
                guard now - since >= GroupOwnership.handOverDelay else { continue }
                buckets[bucket].standing = .releasing
                effects.append(.release(bucket, epoch: epoch))
            case .claiming, .loading, .releasing:
                continue
            }
        }
        if !claims.isEmpty { effects.insert(.claim(claims), at: 0) }
        return effects
    }
}
