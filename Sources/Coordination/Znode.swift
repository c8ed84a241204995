import CoordinationProtocol

/// A node's number in the tree.
package typealias ZnodeID = UInt32

extension ZnodeID {
    static let root: ZnodeID = 0
    static let none: ZnodeID = .max
}

/// One node, packed: no references, so that a million of them cost neither counting nor tracing. Children are a ring through
/// `next` and `previous`; name and data share one allocation.
struct Znode {
    var czxid: Int64 = 0
    var mzxid: Int64 = 0
    var pzxid: Int64 = 0
    var ctime: Int64 = 0
    var mtime: Int64 = 0
    /// As stored: a session, 0, or a marker for container and TTL nodes.
    var owner: Int64 = 0
    var version: Int32 = 0
    /// Children ever created.
    var cversion: Int32 = 0
    var aversion: Int32 = 0
    var acl: ACLID = .open
    var parent: ZnodeID = .none
    var firstChild: ZnodeID = .none
    var next: ZnodeID = .none
    var previous: ZnodeID = .none
    var childCount: UInt32 = 0
    /// The snapshot that has this node already, or is not to have it.
    var stamp: UInt32 = 0
    /// Name, then data. Nil only for a free place.
    var blob: UnsafeMutableRawPointer?
    var nameCount: UInt32 = 0
    /// -1 for null data.
    var dataCount: Int32 = -1

    var name: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: blob, count: Int(nameCount)) }
    var data: UnsafeRawBufferPointer? {
        guard dataCount >= 0, let blob else { return nil }
        return UnsafeRawBufferPointer(start: blob + Int(nameCount), count: Int(dataCount))
    }

    /// As clients see it.
    var stat: Stat {
        var stat = Stat()
        stat.czxid = czxid
        stat.mzxid = mzxid
        stat.ctime = ctime
        stat.mtime = mtime
        stat.version = version
        stat.cversion = cversion &* 2 &- Int32(truncatingIfNeeded: childCount)
        stat.aversion = aversion
        stat.ephemeralOwner = OwnerKind(owner) == .session ? owner : 0
        stat.dataLength = max(dataCount, 0)
        stat.numChildren = Int32(truncatingIfNeeded: childCount)
        stat.pzxid = pzxid
        return stat
    }
}

/// What a node's stored owner means.
package enum OwnerKind: Equatable {
    case nobody
    case session
    case container
    case ttl(milliseconds: Int64)

    package static let containerOwner = Int64.min
    private static let ttlMarker = Int64(bitPattern: 0xff00_0000_0000_0000)
    package static let longestTTL: Int64 = 0xff_ffff_ffff

    package init(_ owner: Int64) {
        if owner == 0 {
            self = .nobody
        } else if owner == OwnerKind.containerOwner {
            self = .container
        } else if UInt64(bitPattern: owner) >> 40 == 0xff_0000 {
            self = .ttl(milliseconds: owner & OwnerKind.longestTTL)
        } else {
            self = .session
        }
    }

    package static func owner(ttl: Int64) -> Int64 { ttlMarker | (ttl & longestTTL) }
}
