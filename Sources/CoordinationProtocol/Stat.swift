/// What a node tells about itself beside its data: 68 bytes on the wire.
package struct Stat: JuteRecord, Hashable, Sendable {
    package static let sizeBytes = 68

    /// The transactions that created it, last set its data, and last created or deleted a child of it.
    package var czxid: Int64 = 0
    package var mzxid: Int64 = 0
    /// Milliseconds since 1970.
    package var ctime: Int64 = 0
    package var mtime: Int64 = 0
    package var version: Int32 = 0
    /// Children created plus children deleted.
    package var cversion: Int32 = 0
    package var aversion: Int32 = 0
    /// The session an ephemeral node belongs to, else 0.
    package var ephemeralOwner: Int64 = 0
    package var dataLength: Int32 = 0
    package var numChildren: Int32 = 0
    package var pzxid: Int64 = 0

    package init() {}

    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int64(&czxid)
        try jute.int64(&mzxid)
        try jute.int64(&ctime)
        try jute.int64(&mtime)
        try jute.int32(&version)
        try jute.int32(&cversion)
        try jute.int32(&aversion)
        try jute.int64(&ephemeralOwner)
        try jute.int32(&dataLength)
        try jute.int32(&numChildren)
        try jute.int64(&pzxid)
    }
}

/// A node's numbers as snapshots store them: `cversion` counts created children only, and the owner is the raw one.
package struct StatPersisted: JuteRecord, Hashable, Sendable {
    package static let sizeBytes = 60

    package var czxid: Int64 = 0
    package var mzxid: Int64 = 0
    package var ctime: Int64 = 0
    package var mtime: Int64 = 0
    package var version: Int32 = 0
    package var cversion: Int32 = 0
    package var aversion: Int32 = 0
    package var ephemeralOwner: Int64 = 0
    package var pzxid: Int64 = 0

    package init() {}

    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int64(&czxid)
        try jute.int64(&mzxid)
        try jute.int64(&ctime)
        try jute.int64(&mtime)
        try jute.int32(&version)
        try jute.int32(&cversion)
        try jute.int32(&aversion)
        try jute.int64(&ephemeralOwner)
        try jute.int64(&pzxid)
    }
}
