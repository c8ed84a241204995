import Bytes

/// A group's generation as it lies in the tree: enough for another broker to go on with it without a rebalance.
package struct StoredGroup: Equatable, Sendable {
    package var protocolType: String?
    package var protocolName: String?
    package var generation: Int32
    package var leader: String?
    /// When the group came into this state; with no members: since when it is empty.
    package var timestampMs: Int64
    package var members: [StoredMember]

    package init(
        protocolType: String?, protocolName: String?, generation: Int32, leader: String?, timestampMs: Int64,
        members: [StoredMember]
    ) {
        self.protocolType = protocolType
        self.protocolName = protocolName
        self.generation = generation
        self.leader = leader
        self.timestampMs = timestampMs
        self.members = members
    }
}

package struct StoredMember: Equatable, Sendable {
    package var id: String
    package var instanceID: String?
    package var clientID: String
    package var clientHost: String
    package var rebalanceTimeoutMs: Int32
    package var sessionTimeoutMs: Int32
    package var protocols: [MemberProtocol]
    package var assignment: [UInt8]

    package init(
        id: String, instanceID: String?, clientID: String, clientHost: String, rebalanceTimeoutMs: Int32,
        sessionTimeoutMs: Int32, protocols: [MemberProtocol], assignment: [UInt8]
    ) {
        self.id = id
        self.instanceID = instanceID
        self.clientID = clientID
        self.clientHost = clientHost
        self.rebalanceTimeoutMs = rebalanceTimeoutMs
        self.sessionTimeoutMs = sessionTimeoutMs
        self.protocols = protocols
        self.assignment = assignment
    }
}

// The bytes: an int16 version (1), then the fields in the order above. Texts and bytes have an int32 length, -1 for nil.
extension StoredGroup {
    package static let version: Int16 = 1

    package func encoded() -> [UInt8] {
        var out = ByteWriter(capacity: 1024)
        out.int16(StoredGroup.version)
        out.text(protocolType)
        out.text(protocolName)
        out.int32(generation)
        out.text(leader)
        out.int64(timestampMs)
        out.int32(Int32(members.count))
        for member in members {
            out.text(member.id)
            out.text(member.instanceID)
            out.text(member.clientID)
            out.text(member.clientHost)
            out.int32(member.rebalanceTimeoutMs)
            out.int32(member.sessionTimeoutMs)
            out.int32(Int32(member.protocols.count))
            for offered in member.protocols {
                out.text(offered.name)
                out.sized(offered.metadata)
            }
            out.sized(member.assignment)
        }
        return out.array
    }

    /// Nil when these are not the bytes of a group that this version can read.
    package static func decoded(_ bytes: [UInt8]) -> StoredGroup? {
        bytes.withUnsafeBytes { raw -> StoredGroup? in
            var reader = ByteReader(raw)
            do throws(ByteError) {
                guard try reader.int16() == version else { return nil }
                var group = StoredGroup(
                    protocolType: try reader.text(), protocolName: try reader.text(), generation: try reader.int32(),
                    leader: try reader.text(), timestampMs: try reader.int64(), members: [])
                for _ in 0..<(try reader.count()) {
                    guard let id = try reader.text() else { return nil }
                    let instanceID = try reader.text()
                    var member = StoredMember(
                        id: id, instanceID: instanceID, clientID: try reader.text() ?? "",
                        clientHost: try reader.text() ?? "", rebalanceTimeoutMs: try reader.int32(),
                        sessionTimeoutMs: try reader.int32(), protocols: [], assignment: [])
                    for _ in 0..<(try reader.count()) {
                        member.protocols.append(
                            MemberProtocol(name: try reader.text() ?? "", metadata: try reader.sized()))
                    }
                    member.assignment = try reader.sized()
                    group.members.append(member)
                }
                return group
            } catch {
                return nil
            }
        }
    }
}

extension ByteWriter {
    fileprivate mutating func text(_ value: String?) {
        guard let value else { return int32(-1) }
        int32(Int32(value.utf8.count))
        utf8(value)
    }
    fileprivate mutating func sized(_ value: [UInt8]) {
        int32(Int32(value.count))
        raw(value)
    }
}

extension ByteReader {
    fileprivate mutating func text() throws(ByteError) -> String? {
        let length = Int(try int32())
        return length == -1 ? nil : try string(length)
    }
    fileprivate mutating func sized() throws(ByteError) -> [UInt8] { try array(Int(try int32())) }
    /// A count of things that take at least four bytes each.
    fileprivate mutating func count() throws(ByteError) -> Int {
        let count = Int(try int32())
        guard count >= 0, count <= left / 4 else { throw .badLength(count) }
        return count
    }
}
