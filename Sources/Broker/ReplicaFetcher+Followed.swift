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
        var state = State.busy
        var from: Offset = 0
        /// The fetch it was last part of.
        var askedIn: UInt64 = 0
        var askedFrom: Offset = 0
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
        init(_ host: PartitionHost) {
            self.host = host
            epoch = host.leaderEpoch
            promised = host.highWatermark
        }
    }
}
