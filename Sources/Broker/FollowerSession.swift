import Bytes
import ClusterModel
import KafkaProtocol

/// A follower's end of one fetch session (KIP-227): what the source was told already, so that a fetch names only what changed.
struct FollowerSession {
    typealias Key = WantedPartition.Key

    private var id: Int32 = 0
    private var epoch: Int32 = 0
    /// Topics are named by id (Fetch 13 and later).
    private(set) var usesIDs = true
    private var told: [Key: FetchRequest.FetchPartition] = [:]

    func key(_ host: PartitionHost) -> Key {
        usesIDs
            ? Key(topicID: host.topicID, name: "", partition: host.partition.partition)
            : Key(topicID: .zero, name: host.partition.topic, partition: host.partition.partition)
    }

    /// The next fetch is a full one; it names the old session, so that the source can drop it.
    mutating func forget() {
        epoch = 0
        told = [:]
    }

    /// A session speaks one way only.
    mutating func speak(usingIDs: Bool) {
        guard usesIDs != usingIDs else { return }
        forget()
        usesIDs = usingIDs
    }

    /// Puts into `request` what the source does not know yet, and what it may forget.
    /// - Parameter wanted: all of it, in the order of the partitions.
    mutating func name(
        _ wanted: [(host: PartitionHost, asked: FetchRequest.FetchPartition)], in request: inout FetchRequest
    ) {
        request.sessionID = id
        request.sessionEpoch = epoch
        var keys: Set<Key> = []
        for (host, asked) in wanted {
            let key = key(host)
            keys.insert(key)
            guard told[key] != asked else { continue }
            told[key] = asked
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
        guard told.count > keys.count else { return }
        let forgotten = told.keys.filter { !keys.contains($0) }.sorted {
            ($0.name, $0.topicID.text, $0.partition) < ($1.name, $1.topicID.text, $1.partition)
        }
        for key in forgotten {
            told[key] = nil
            request.forgottenTopicsData.append(
                .with {
                    $0.topic = key.name
                    $0.topicID = key.topicID
                    $0.partitions = [key.partition]
                })
        }
    }

    mutating func answered(under id: Int32) {
        self.id = id
        epoch = id == 0 ? 0 : (epoch == .max ? 1 : epoch + 1)
        if id == 0 { told = [:] }
    }

    /// Sessions may be dropped at any time: the next fetch simply names everything again.
    mutating func refused() { id = 0 }
}
