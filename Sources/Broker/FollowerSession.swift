import Bytes
import ClusterModel
import KafkaProtocol

/// A follower's end of one fetch session (KIP-227): a fetch names only what the source was not told already. Who was told what
/// stands with each of those followed, so that a fetch costs a comparison for each and looks nothing up.
struct FollowerSession {
    typealias Key = WantedPartition.Key
    typealias Followed = ReplicaFetcher.Followed

    private var id: Int32 = 0
    private var epoch: Int32 = 0
    /// Topics are named by id (Fetch 13 and later).
    private(set) var usesIDs = true
    /// What was told in an earlier life counts for nothing.
    private var life: UInt64 = 1
    /// How many the source knows of.
    private(set) var count = 0
    /// Told, and asked for no longer.
    private var departed: Set<Key> = []

    func key(_ host: PartitionHost) -> Key {
        usesIDs
            ? Key(topicID: host.topicID, name: "", partition: host.partition.partition)
            : Key(topicID: .zero, name: host.partition.topic, partition: host.partition.partition)
    }

    /// The next fetch is a full one; it names the old session, so that the source can drop it.
    mutating func forget() {
        epoch = 0
        life += 1
        count = 0
        departed = []
    }

    /// A session speaks one way only.
    mutating func speak(usingIDs: Bool) {
        guard usesIDs != usingIDs else { return }
        forget()
        usesIDs = usingIDs
    }

    /// The next fetch names only what is new.
    var goesOn: Bool { epoch != 0 }

    /// Whether the source was asked for it.
    func knows(_ one: Followed) -> Bool { one.toldIn == life }

    // MARK: One request

    func begin(_ request: inout FetchRequest) {
        request.sessionID = id
        request.sessionEpoch = epoch
    }

    /// Neighbours of one topic share its entry.
    mutating func name(_ one: Followed, _ asked: FetchRequest.FetchPartition, in request: inout FetchRequest) {
        guard !knows(one) || one.told != asked else { return }
        if !knows(one) { count += 1 }
        one.told = asked
        one.toldIn = life
        let host = one.host
        // Followed anew, under another epoch: the source is told that, not to forget it.
        if !departed.isEmpty { departed.remove(key(host)) }
        if let last = request.topics.last, last.topic == host.partition.topic {
            request.topics[request.topics.count - 1].partitions.append(asked)
        } else {
            request.topics.append(
                .with {
                    $0.topic = host.partition.topic
                    $0.topicID = host.topicID
                    $0.partitions = [asked]
                })
        }
    }

    /// Followed no longer, or not asked for this time: the source may forget it.
    mutating func leaveOut(_ one: Followed) {
        guard knows(one) else { return }
        one.toldIn = 0
        count -= 1
        departed.insert(key(one.host))
    }

    /// Everything was named.
    mutating func end(_ request: inout FetchRequest) {
        guard !departed.isEmpty else { return }
        let inOrder = departed.sorted {
            ($0.name, $0.topicID.text, $0.partition) < ($1.name, $1.topicID.text, $1.partition)
        }
        for key in inOrder {
            request.forgottenTopicsData.append(
                .with {
                    $0.topic = key.name
                    $0.topicID = key.topicID
                    $0.partitions = [key.partition]
                })
        }
        departed = []
    }

    mutating func answered(under id: Int32) {
        self.id = id
        if id == 0 { forget() } else { epoch = epoch == .max ? 1 : epoch + 1 }
    }

    /// Sessions may be dropped at any time: the next fetch simply names everything again.
    mutating func refused() { id = 0 }
}
