import CoordinationProtocol

/// A node's number in the tree.
package typealias ZnodeID = UInt32

extension ZnodeID {
    static let root: ZnodeID = 0
    static let none: ZnodeID = .max
}

/// One node, packed into 48 bytes: no counted references, so that a million of them cost neither counting nor tracing. Children
/// are a ring through `next` and `previous`. What is of its own size for each lies apart in one piece, its body: the name's
/// count, the name, the data, and before them what only nodes have that were changed after their creation, have or had
/// children, or vanish by themselves: most nodes never need it.
struct Znode {
    var czxid: Int64 = 0
    var ctime: Int64 = 0
    /// Nil only for a free place.
    private(set) var body: UnsafeMutableRawPointer?
    /// One more than the bytes of data, none for null data; below that, in the lowest bit, whether there is a `Later`.
    private var sizes: UInt32 = 0
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

    private static let countBytes = MemoryLayout<UInt32>.size

    @inline(__always)
    private var later: UnsafeMutablePointer<Later>? {
        sizes & 1 == 0 ? nil : body?.assumingMemoryBound(to: Later.self)
    }

    @inline(__always)
    private mutating func apart() -> UnsafeMutablePointer<Later> { later ?? makeLater() }

    @inline(never)
    private mutating func makeLater() -> UnsafeMutablePointer<Later> {
        guard let old = body else { preconditionFailure("a free place has no numbers") }
        let oldCount = bodyCount
        let count = Znode.bodyCount(later: true, name: nameCount, data: Int(max(dataCount, 0)))
        let made = BodyPool.allocate(count, beside: old, oldCount)
        let later = made.bindMemory(to: Later.self, capacity: 1)
        later.initialize(to: Later(mzxid: czxid, pzxid: czxid, mtime: ctime))
        (made + MemoryLayout<Later>.size).copyMemory(from: old, byteCount: oldCount)
        BodyPool.free(old, oldCount)
        body = made
        sizes |= 1
        return later
    }

    @inline(__always)
    private var laterBytes: Int { sizes & 1 == 0 ? 0 : MemoryLayout<Later>.size }

    /// With a `Later` a multiple of eight, for its alignment.
    private var bodyCount: Int { Znode.bodyCount(later: sizes & 1 != 0, name: nameCount, data: Int(max(dataCount, 0))) }

    private static func bodyCount(later: Bool, name: Int, data: Int) -> Int {
        let count = countBytes + name + data
        return later ? (MemoryLayout<Later>.size + count + 7) & ~7 : count
    }

    /// Of a place that was free.
    mutating func begin(name: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer?, in pool: BodyPool) {
        sizes = 0
        let made = pool.allocate(Znode.bodyCount(later: false, name: name.count, data: data?.count ?? 0))
        made.storeBytes(of: UInt32(truncatingIfNeeded: name.count), as: UInt32.self)
        if let from = name.baseAddress, name.count > 0 {
            (made + Znode.countBytes).copyMemory(from: from, byteCount: name.count)
        }
        body = made
        put(data, behind: Znode.countBytes + name.count)
    }

    mutating func setData(_ data: UnsafeRawBufferPointer?, in pool: BodyPool) {
        guard let old = body else { preconditionFailure("a free place has no data") }
        let name = nameCount
        let before = laterBytes + Znode.countBytes + name
        let oldCount = bodyCount
        let count = Znode.bodyCount(later: sizes & 1 != 0, name: name, data: data?.count ?? 0)
        guard count != oldCount else { return put(data, behind: before) }
        let made = pool.allocate(count)
        made.copyMemory(from: old, byteCount: before)
        body = made
        put(data, behind: before)
        BodyPool.free(old, oldCount)
    }

    private mutating func put(_ data: UnsafeRawBufferPointer?, behind before: Int) {
        if let body, let from = data?.baseAddress, let count = data?.count, count > 0 {
            (body + before).copyMemory(from: from, byteCount: count)
        }
        sizes = (data.map { UInt32(truncatingIfNeeded: $0.count) + 1 } ?? 0) << 1 | sizes & 1
    }

    /// Gives back what belongs to the node alone.
    func deallocate() {
        if let body { BodyPool.free(body, bodyCount) }
    }

    var nameCount: Int {
        guard let body else { return 0 }
        return Int((body + laterBytes).load(as: UInt32.self))
    }
    /// -1 for null data.
    var dataCount: Int32 { Int32(bitPattern: sizes >> 1) - 1 }

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

    var name: UnsafeRawBufferPointer {
        guard let body else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let start = body + laterBytes
        return UnsafeRawBufferPointer(start: start + Znode.countBytes, count: Int(start.load(as: UInt32.self)))
    }
    var data: UnsafeRawBufferPointer? {
        guard sizes > 1, let body else { return nil }
        let start = body + laterBytes
        return UnsafeRawBufferPointer(
            start: start + Znode.countBytes + Int(start.load(as: UInt32.self)), count: Int(sizes >> 1) - 1)
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
