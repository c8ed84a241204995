import CoordinationProtocol

/// A node's number in the tree.
package typealias ZnodeID = UInt32

extension ZnodeID {
    static let root: ZnodeID = 0
    static let none: ZnodeID = .max
}

/// One node, packed: no counted references, so that a million of them cost neither counting nor tracing. Children are a ring
/// through `next` and `previous`; name and data share one allocation. What only nodes have that were changed after their
/// creation, have or had children, or vanish by themselves, lies apart: most nodes never need it.
struct Znode {
    var czxid: Int64 = 0
    var ctime: Int64 = 0
    /// Name, then data. Nil only for a free place.
    var blob: UnsafeMutableRawPointer?
    private var later: UnsafeMutablePointer<Later>?
    var nameCount: UInt32 = 0
    /// -1 for null data.
    var dataCount: Int32 = -1
    var acl: ACLID = .open
    var parent: ZnodeID = .none
    var next: ZnodeID = .none
    var previous: ZnodeID = .none
    /// The snapshot that has this node already, or is not to have it.
    var stamp: UInt32 = 0

    /// As a node is when it was just created, but for its zxid and time, which are those of its creation.
    private struct Later {
        var mzxid: Int64
        var pzxid: Int64
        var mtime: Int64
        var owner: Int64 = 0
        var version: Int32 = 0
        var cversion: Int32 = 0
        var aversion: Int32 = 0
        var firstChild: ZnodeID = .none
        var childCount: UInt32 = 0
    }

    @inline(__always)
    private mutating func apart() -> UnsafeMutablePointer<Later> { later ?? makeLater() }

    @inline(never)
    private mutating func makeLater() -> UnsafeMutablePointer<Later> {
        let made = UnsafeMutablePointer<Later>.allocate(capacity: 1)
        made.initialize(to: Later(mzxid: czxid, pzxid: czxid, mtime: ctime))
        later = made
        return made
    }

    /// Gives back what belongs to the node alone.
    func deallocate() {
        blob?.deallocate()
        later?.deallocate()
    }

    /// Set after `czxid`, which it is until then.
    var mzxid: Int64 {
        get { later?.pointee.mzxid ?? czxid }
        set { if later != nil || newValue != czxid { apart().pointee.mzxid = newValue } }
    }
    /// Set after `czxid`, which it is until then.
    var pzxid: Int64 {
        get { later?.pointee.pzxid ?? czxid }
        set { if later != nil || newValue != czxid { apart().pointee.pzxid = newValue } }
    }
    /// Set after `ctime`, which it is until then.
    var mtime: Int64 {
        get { later?.pointee.mtime ?? ctime }
        set { if later != nil || newValue != ctime { apart().pointee.mtime = newValue } }
    }
    /// As stored: a session, 0, or a marker for container and TTL nodes.
    var owner: Int64 {
        get { later?.pointee.owner ?? 0 }
        set { if later != nil || newValue != 0 { apart().pointee.owner = newValue } }
    }
    var version: Int32 {
        get { later?.pointee.version ?? 0 }
        set { if later != nil || newValue != 0 { apart().pointee.version = newValue } }
    }
    /// Children ever created.
    var cversion: Int32 {
        get { later?.pointee.cversion ?? 0 }
        set { if later != nil || newValue != 0 { apart().pointee.cversion = newValue } }
    }
    var aversion: Int32 {
        get { later?.pointee.aversion ?? 0 }
        set { if later != nil || newValue != 0 { apart().pointee.aversion = newValue } }
    }
    var firstChild: ZnodeID {
        get { later?.pointee.firstChild ?? ZnodeID.none }
        set { if later != nil || newValue != ZnodeID.none { apart().pointee.firstChild = newValue } }
    }
    var childCount: UInt32 {
        get { later?.pointee.childCount ?? 0 }
        set { if later != nil || newValue != 0 { apart().pointee.childCount = newValue } }
    }

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
