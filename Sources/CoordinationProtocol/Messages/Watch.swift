/// What happened to a watched node.
package enum WatchEventType: Int32, Sendable {
    case none = -1
    case nodeCreated = 1
    case nodeDeleted = 2
    case nodeDataChanged = 3
    case nodeChildrenChanged = 4
    case dataWatchRemoved = 5
    case childWatchRemoved = 6
    case persistentWatchRemoved = 7
}

/// The body behind a reply header with xid -1.
package struct WatchEvent: JuteRecord, Hashable, Sendable {
    package var type: Int32 = 0
    /// 3 (connected) in everything a server sends.
    package var state: Int32 = 3
    package var path = ""
    package init() {}
    package init(_ type: WatchEventType, path: String) {
        self.type = type.rawValue
        self.path = path
    }
    package var kind: WatchEventType? { WatchEventType(rawValue: type) }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&type)
        try jute.int32(&state)
        try jute.string(&path)
    }
}

/// Sent after a reconnect: the watches the client believes to have, and the last zxid it saw.
package struct SetWatches: JuteRecord, Hashable, Sendable {
    package var relativeZxid: Int64 = 0
    package var dataWatches: [String] = []
    package var existWatches: [String] = []
    package var childWatches: [String] = []
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int64(&relativeZxid)
        try jute.strings(&dataWatches)
        try jute.strings(&existWatches)
        try jute.strings(&childWatches)
    }
}

package struct SetWatches2: JuteRecord, Hashable, Sendable {
    package var relativeZxid: Int64 = 0
    package var dataWatches: [String] = []
    package var existWatches: [String] = []
    package var childWatches: [String] = []
    package var persistentWatches: [String] = []
    package var persistentRecursiveWatches: [String] = []
    package init() {}
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int64(&relativeZxid)
        try jute.strings(&dataWatches)
        try jute.strings(&existWatches)
        try jute.strings(&childWatches)
        try jute.strings(&persistentWatches)
        try jute.strings(&persistentRecursiveWatches)
    }
}

package struct AddWatchRequest: JuteRecord, Hashable, Sendable {
    package var path = ""
    /// 0 persistent, 1 persistent and recursive.
    package var mode: Int32 = 0
    package init() {}
    package init(path: String, recursive: Bool) {
        self.path = path
        mode = recursive ? 1 : 0
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
        try jute.int32(&mode)
    }
}

/// The body of addWatch's reply, and a failed operation's result inside a multi.
package struct ErrorResponse: JuteRecord, Hashable, Sendable {
    package var error = CoordinationError.ok
    package init() {}
    package init(_ error: CoordinationError) { self.error = error }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&error.rawValue)
    }
}

/// Which watches checkWatches and removeWatches mean.
package enum WatcherType: Int32, Sendable {
    case children = 1
    case data = 2
    case any = 3
    case persistent = 4
    case persistentRecursive = 5
}

/// checkWatches and removeWatches.
package struct WatchesRequest: JuteRecord, Hashable, Sendable {
    package var path = ""
    package var type: Int32 = WatcherType.any.rawValue
    package init() {}
    package init(path: String, _ type: WatcherType) {
        self.path = path
        self.type = type.rawValue
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&path)
        try jute.int32(&type)
    }
}
package typealias CheckWatchesRequest = WatchesRequest
package typealias RemoveWatchesRequest = WatchesRequest
