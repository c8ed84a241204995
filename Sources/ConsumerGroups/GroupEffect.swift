import Bytes
import ClusterModel
import KafkaProtocol
import Platform

/// What the groups want done. The driver does it and decides nothing.
package enum GroupEffect {
    /// Send the reply this token stands for. Given at most once for a token.
    case answer(ReplyToken, GroupAnswer)
    /// Call `timeReached` for this group then; replaces what was asked for before.
    case wake(group: String, at: Instant)
    /// The group is gone: drop its timer.
    case forget(group: String)
    /// Write this to the tree, behind everything that was ordered before for the same group, and tell its outcome.
    case write(GroupWrite)
}

package enum GroupAnswer {
    case join(JoinGroupResponse)
    case sync(SyncGroupResponse)
    case commit(OffsetCommitResponse)
    case offsetDelete(OffsetDeleteResponse)
    case groupDelete(ErrorCode)
}

package struct GroupWrite {
    package var id: WriteID
    package var group: String
    package var change: Change

    package enum Change {
        /// The group's generation: its head and all its members.
        case generation(StoredGroup)
        /// One request's offsets: all of them or none.
        case commit([OffsetLine])
        case removeOffsets([TopicPartition])
        /// Everything this group has in the tree.
        case removeGroup
    }
}

/// How a write ended. Until then the owner's memory has not changed.
package enum WriteOutcome: Equatable {
    case written
    case failed(ErrorCode)
}

/// One committed offset on its way to the tree.
package struct OffsetLine: Equatable, Sendable {
    package var topic: String
    /// The id the topic has now; nil when nobody knows it.
    package var topicID: UUID128?
    package var partition: Int32
    package var value: CommittedOffset
    package init(topic: String, topicID: UUID128?, partition: Int32, value: CommittedOffset) {
        self.topic = topic
        self.topicID = topicID
        self.partition = partition
        self.value = value
    }
}

/// The buffer the core writes its orders into; the driver empties it after each event.
package struct GroupEffects {
    package private(set) var list: [GroupEffect] = []
    private var lastWrite: UInt64 = 0
    package init() {}

    package mutating func take() -> [GroupEffect] {
        defer { list.removeAll(keepingCapacity: true) }
        return list
    }
    mutating func answer(_ token: ReplyToken, _ answer: GroupAnswer) { list.append(.answer(token, answer)) }
    mutating func wake(_ group: String, at instant: Instant) { list.append(.wake(group: group, at: instant)) }
    mutating func forget(_ group: String) { list.append(.forget(group: group)) }
    mutating func write(_ group: String, _ change: GroupWrite.Change) -> WriteID {
        lastWrite += 1
        let id = WriteID(raw: lastWrite)
        list.append(.write(GroupWrite(id: id, group: group, change: change)))
        return id
    }
}

/// The two clocks an event arrives with: deadlines count in one, what is stored carries the other.
package struct Moment: Sendable {
    package var now: Instant
    package var wallMs: Int64
    package init(now: Instant, wallMs: Int64) {
        self.now = now
        self.wallMs = wallMs
    }
}

/// What the cluster says of one topic at the moment of a request.
package struct TopicFact: Equatable, Sendable {
    package var id: UUID128
    package var partitionCount: Int32
    package init(id: UUID128, partitionCount: Int32) {
        self.id = id
        self.partitionCount = partitionCount
    }
}
