/// How a node is made: its kind, and whether a number is put behind its name.
package enum CreateMode: Int32, Sendable {
    case persistent = 0
    case ephemeral = 1
    case persistentSequential = 2
    case ephemeralSequential = 3
    case container = 4
    case persistentWithTTL = 5
    case persistentSequentialWithTTL = 6

    package var isEphemeral: Bool { self == .ephemeral || self == .ephemeralSequential }
    package var isSequential: Bool {
        self == .persistentSequential || self == .ephemeralSequential || self == .persistentSequentialWithTTL
    }
    package var hasTTL: Bool { self == .persistentWithTTL || self == .persistentSequentialWithTTL }
}

/// For create, create2 and createContainer.
package struct CreateRequest: JuteRecord, Hashable, Sendable {
    package var path = ""
    package var data: [UInt8]?
    package var acl: [ACL] = ACL.open
    package var flags: Int32 = 0
    package init() {}
    package init(path: String, data: [UInt8]?, acl: [ACL] = ACL.open, mode: CreateMode = .persistent) {
        self.path = path
        self.data = data
        self.acl = acl
        flags = mode.rawValue
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
        try jute.buffer(&data)
        try jute.records(&acl)
        try jute.int32(&flags)
    }
}

package struct CreateTTLRequest: JuteRecord, Hashable, Sendable {
    package var path = ""
    package var data: [UInt8]?
    package var acl: [ACL] = ACL.open
    package var flags: Int32 = CreateMode.persistentWithTTL.rawValue
    /// Milliseconds.
    package var ttl: Int64 = 0
    package init() {}
    package init(path: String, data: [UInt8]?, acl: [ACL] = ACL.open, mode: CreateMode = .persistentWithTTL, ttl: Int64)
    {
        self.path = path
        self.data = data
        self.acl = acl
        flags = mode.rawValue
        self.ttl = ttl
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
        try jute.buffer(&data)
        try jute.records(&acl)
        try jute.int32(&flags)
        try jute.int64(&ttl)
    }
}

package struct CreateResponse: JuteRecord, Hashable, Sendable {
    package var path = ""
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
    }
}

/// Of create2, createContainer and createTTL.
package struct Create2Response: JuteRecord, Hashable, Sendable {
    package var path = ""
    package var stat = Stat()
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
        try stat.walk(&jute)
    }
}

/// A path and an expected version: delete and check. -1 matches every version.
package struct VersionedPathRequest: JuteRecord, Hashable, Sendable {
    package var path = ""
    package var version: Int32 = -1
    package init() {}
    package init(path: String, version: Int32 = -1) {
        self.path = path
        self.version = version
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
        try jute.int32(&version)
    }
}
package typealias DeleteRequest = VersionedPathRequest
package typealias CheckVersionRequest = VersionedPathRequest

/// A path, and whether to watch it: exists, getData, getChildren, getChildren2.
package struct WatchablePathRequest: JuteRecord, Hashable, Sendable {
    package var path = ""
    package var watch = false
    package init() {}
    package init(path: String, watch: Bool = false) {
        self.path = path
        self.watch = watch
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
        try jute.bool(&watch)
    }
}
package typealias ExistsRequest = WatchablePathRequest
package typealias GetDataRequest = WatchablePathRequest
package typealias GetChildrenRequest = WatchablePathRequest
package typealias GetChildren2Request = WatchablePathRequest

/// Only a path: getACL, sync, getAllChildrenNumber, getEphemerals, deleteContainer; also sync's reply.
package struct PathRequest: JuteRecord, Hashable, Sendable {
    package var path = ""
    package init() {}
    package init(path: String) { self.path = path }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
    }
}
package typealias GetACLRequest = PathRequest
package typealias SyncRequest = PathRequest
package typealias SyncResponse = PathRequest
package typealias GetAllChildrenNumberRequest = PathRequest
package typealias GetEphemeralsRequest = PathRequest

/// Of exists, setData and setACL.
package struct StatResponse: JuteRecord, Hashable, Sendable {
    package var stat = Stat()
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try stat.walk(&jute)
    }
}
package typealias ExistsResponse = StatResponse
package typealias SetDataResponse = StatResponse
package typealias SetACLResponse = StatResponse

package struct GetDataResponse: JuteRecord, Hashable, Sendable {
    package var data: [UInt8]?
    package var stat = Stat()
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.buffer(&data)
        try stat.walk(&jute)
    }
}

package struct SetDataRequest: JuteRecord, Hashable, Sendable {
    package var path = ""
    package var data: [UInt8]?
    package var version: Int32 = -1
    package init() {}
    package init(path: String, data: [UInt8]?, version: Int32 = -1) {
        self.path = path
        self.data = data
        self.version = version
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
        try jute.buffer(&data)
        try jute.int32(&version)
    }
}

package struct GetACLResponse: JuteRecord, Hashable, Sendable {
    package var acl: [ACL] = []
    package var stat = Stat()
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.records(&acl)
        try stat.walk(&jute)
    }
}

package struct SetACLRequest: JuteRecord, Hashable, Sendable {
    package var path = ""
    package var acl: [ACL] = []
    /// Of the list, not of the data.
    package var version: Int32 = -1
    package init() {}
    package init(path: String, acl: [ACL], version: Int32 = -1) {
        self.path = path
        self.acl = acl
        self.version = version
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
        try jute.records(&acl)
        try jute.int32(&version)
    }
}

package struct GetChildrenResponse: JuteRecord, Hashable, Sendable {
    package var children: [String] = []
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.strings(&children)
    }
}

package struct GetChildren2Response: JuteRecord, Hashable, Sendable {
    package var children: [String] = []
    package var stat = Stat()
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.strings(&children)
        try stat.walk(&jute)
    }
}

package struct GetAllChildrenNumberResponse: JuteRecord, Hashable, Sendable {
    package var totalNumber: Int32 = 0
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&totalNumber)
    }
}

package struct GetEphemeralsResponse: JuteRecord, Hashable, Sendable {
    package var ephemerals: [String] = []
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.strings(&ephemerals)
    }
}

package struct ReconfigRequest: JuteRecord, Hashable, Sendable {
    package var joiningServers: String?
    package var leavingServers: String?
    package var newMembers: String?
    package var currentConfigID: Int64 = -1
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.nullableString(&joiningServers)
        try jute.nullableString(&leavingServers)
        try jute.nullableString(&newMembers)
        try jute.int64(&currentConfigID)
    }
}
