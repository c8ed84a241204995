/// Stands before every operation and result of a multi, and alone at its end.
package struct MultiHeader: JuteRecord, Hashable, Sendable {
    package var type: Int32 = -1
    package var done = true
    package var error: Int32 = -1
    package init() {}
    package init(type: Int32, done: Bool = false, error: Int32 = -1) {
        self.type = type
        self.done = done
        self.error = error
    }
    package static let end = MultiHeader()
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&type)
        try jute.bool(&done)
        try jute.int32(&error)
    }
}

/// One operation of a multi (the first seven) or of a multiRead (the last two).
package enum MultiOperation: Hashable, Sendable {
    case create(CreateRequest)
    case create2(CreateRequest)
    case createContainer(CreateRequest)
    case createTTL(CreateTTLRequest)
    case delete(DeleteRequest)
    case setData(SetDataRequest)
    case check(CheckVersionRequest)
    case getData(GetDataRequest)
    case getChildren(GetChildrenRequest)

    package var op: OpCode {
        switch self {
        case .create: .create
        case .create2: .create2
        case .createContainer: .createContainer
        case .createTTL: .createTTL
        case .delete: .delete
        case .setData: .setData
        case .check: .check
        case .getData: .getData
        case .getChildren: .getChildren
        }
    }
    package var path: String {
        switch self {
        case .create(let r), .create2(let r), .createContainer(let r): r.path
        case .createTTL(let r): r.path
        case .delete(let r), .check(let r): r.path
        case .setData(let r): r.path
        case .getData(let r), .getChildren(let r): r.path
        }
    }
}

/// All or nothing: operations under one zxid. The same form carries multiRead.
package struct MultiRequest: JuteRecord, Hashable, Sendable {
    package var operations: [MultiOperation] = []
    package init() {}
    package init(_ operations: [MultiOperation]) { self.operations = operations }

    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        // A list ended by a header has no count, so reading and writing take turns differently.
        var index = 0
        let given = operations
        if given.isEmpty { operations.removeAll() }
        while true {
            var header = index < given.count ? MultiHeader(type: given[index].op.rawValue) : .end
            try header.walk(&jute)
            if header.done { return }
            if index < given.count {
                try MultiRequest.walk(given[index], &jute)
            } else {
                operations.append(try MultiRequest.read(header.type, &jute))
            }
            index += 1
        }
    }

    private static func walk(_ operation: MultiOperation, _ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        switch operation {
        case .create(var r), .create2(var r), .createContainer(var r): try r.walk(&jute)
        case .createTTL(var r): try r.walk(&jute)
        case .delete(var r), .check(var r): try r.walk(&jute)
        case .setData(var r): try r.walk(&jute)
        case .getData(var r), .getChildren(var r): try r.walk(&jute)
        }
    }

    private static func read(_ type: Int32, _ jute: inout some JuteWalker & ~Copyable) throws(JuteError)
        -> MultiOperation
    {
        switch OpCode(rawValue: type) {
        case .create: return .create(try record(&jute))
        case .create2: return .create2(try record(&jute))
        case .createContainer: return .createContainer(try record(&jute))
        case .createTTL: return .createTTL(try record(&jute))
        case .delete: return .delete(try record(&jute))
        case .setData: return .setData(try record(&jute))
        case .check: return .check(try record(&jute))
        case .getData: return .getData(try record(&jute))
        case .getChildren: return .getChildren(try record(&jute))
        default: throw .badLength(Int(type))
        }
    }

    private static func record<R: JuteRecord>(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) -> R {
        var record = R()
        try record.walk(&jute)
        return record
    }
}

package enum MultiResult: Hashable, Sendable {
    case created(path: String)
    /// Of create2, createContainer and createTTL.
    case created2(path: String, Stat)
    case deleted
    case set(Stat)
    case checked
    case data([UInt8]?, Stat)
    case children([String])
    /// In a failed multi: ok before the one that failed, its error, runtimeInconsistency behind it.
    case error(CoordinationError)

    fileprivate var header: MultiHeader {
        switch self {
        case .created: MultiHeader(type: OpCode.create.rawValue, error: 0)
        case .created2: MultiHeader(type: OpCode.create2.rawValue, error: 0)
        case .deleted: MultiHeader(type: OpCode.delete.rawValue, error: 0)
        case .set: MultiHeader(type: OpCode.setData.rawValue, error: 0)
        case .checked: MultiHeader(type: OpCode.check.rawValue, error: 0)
        case .data: MultiHeader(type: OpCode.getData.rawValue, error: 0)
        case .children: MultiHeader(type: OpCode.getChildren.rawValue, error: 0)
        case .error(let error): MultiHeader(type: OpCode.error.rawValue, error: error.rawValue)
        }
    }
}

package struct MultiResponse: JuteRecord, Hashable, Sendable {
    package var results: [MultiResult] = []
    package init() {}
    package init(_ results: [MultiResult]) { self.results = results }

    /// The error that made the multi fail: the first one that is neither ok nor only a consequence.
    package var firstError: CoordinationError? {
        for case .error(let error) in results where error != .ok { return error }
        return nil
    }

    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        var index = 0
        let given = results
        while true {
            var header = index < given.count ? given[index].header : .end
            try header.walk(&jute)
            if header.done { return }
            if index < given.count {
                try MultiResponse.walk(given[index], &jute)
            } else {
                results.append(try MultiResponse.read(header.type, &jute))
            }
            index += 1
        }
    }

    private static func walk(_ result: MultiResult, _ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        switch result {
        case .created(var path): try jute.string(&path)
        case .created2(var path, var stat):
            try jute.string(&path)
            try stat.walk(&jute)
        case .deleted, .checked: break
        case .set(var stat): try stat.walk(&jute)
        case .data(var data, var stat):
            try jute.buffer(&data)
            try stat.walk(&jute)
        case .children(var children): try jute.strings(&children)
        case .error(var error): try jute.int32(&error.rawValue)
        }
    }

    private static func read(_ type: Int32, _ jute: inout some JuteWalker & ~Copyable) throws(JuteError) -> MultiResult
    {
        var path = ""
        var stat = Stat()
        switch OpCode(rawValue: type) {
        case .create:
            try jute.string(&path)
            return .created(path: path)
        case .create2, .createContainer, .createTTL:
            try jute.string(&path)
            try stat.walk(&jute)
            return .created2(path: path, stat)
        case .delete: return .deleted
        case .setData:
            try stat.walk(&jute)
            return .set(stat)
        case .check: return .checked
        case .getData:
            var data: [UInt8]?
            try jute.buffer(&data)
            try stat.walk(&jute)
            return .data(data, stat)
        case .getChildren:
            var children: [String] = []
            try jute.strings(&children)
            return .children(children)
        case .error:
            var error = CoordinationError.ok
            try jute.int32(&error.rawValue)
            return .error(error)
        default: throw .badLength(Int(type))
        }
    }
}
