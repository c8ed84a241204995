import ClusterModel
import CommitLog
import KafkaProtocol

extension ReplicaFetcher {
    /// What of the broker's settings concerns followers.
    struct Settings {
        /// `replica.fetch.wait.max.ms`
        var wait: Duration
        /// `replica.fetch.min.bytes`
        var minBytes: Int
        /// `replica.fetch.max.bytes`, per partition
        var partitionBytes: Int
        /// `replica.fetch.response.max.bytes`
        var responseBytes: Int
        /// `replica.fetch.backoff.ms`: the longest pause after errors; the first ones are shorter.
        var backoff: Duration
        /// `replica.socket.timeout.ms`
        var timeout: Duration

        init(_ config: BrokerConfig) {
            wait = config[BrokerKeys.replicaFetchWait]
            minBytes = config[BrokerKeys.replicaFetchMinBytes]
            partitionBytes = config[BrokerKeys.replicaFetchMaxBytes]
            responseBytes = config[BrokerKeys.replicaResponseMaxBytes]
            backoff = config[BrokerKeys.replicaBackoff]
            timeout = config[BrokerKeys.replicaSocketTimeout]
        }
    }
    /// One partition under one leader epoch: a new epoch makes a new one, so that answers meant for the old are told apart.
    final class Followed {
        enum State {
            /// Settling, cutting or asking for offsets.
            case busy
            case ready
            /// After an error.
            case pausing
            /// Until a new LeaderAndIsr.
            case waitsForController
        }
        let host: PartitionHost
        let epoch: LeaderEpoch
        var state = State.busy {
            didSet { line?.add(self) }
        }
        private weak let line: Line?
        fileprivate var isInLine = false
        var from: Offset = 0
        /// What the source was told, in which life of the session.
        var told = FetchRequest.FetchPartition()
        var toldIn: UInt64 = 0
        /// Errors since it was last answered.
        var errors = 0
        /// Below the leader's high watermark at the last answer.
        var isBehind = true
        /// Left out of the last fetch by the throttle.
        var isHeldBack = false
        /// The high watermark known here before the leader's last word.
        var promised: Offset = 0
        /// Followed no longer, or anew under another epoch.
        var isOver = false
        init(_ host: PartitionHost, _ line: Line) {
            self.host = host
            self.line = line
            epoch = host.leaderEpoch
            promised = host.highWatermark
        }
    }
    /// Whom the next fetch may have something new to say about, or has to leave out: everybody whose state has changed. What else a
    /// fetch says of a partition, the start of its log here, is looked at with the next survey.
    final class Line {
        private(set) var members: [Followed] = []
        func add(_ one: Followed) {
            guard !one.isInLine, !one.isOver else { return }
            one.isInLine = true
            members.append(one)
        }
        /// In the order of their partitions.
        func take() -> [Followed] {
            for one in members { one.isInLine = false }
            defer { members.removeAll(keepingCapacity: true) }
            return members.filter { !$0.isOver }.sorted { $0.host.partition < $1.host.partition }
        }
        func clear() {
            for one in members { one.isInLine = false }
            members.removeAll(keepingCapacity: true)
        }
    }
}
