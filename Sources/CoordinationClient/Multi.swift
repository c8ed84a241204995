import CoordinationProtocol

/// Why a multi was not done. Nothing of it was, unless the error is `connectionLoss`: then all or nothing was.
package struct MultiError: Error, Equatable, Sendable, CustomStringConvertible {
    package var error: CoordinationError
    /// Which operation failed; nil when it was the multi as a whole.
    package var index: Int?
    package init(_ error: CoordinationError, index: Int? = nil) {
        self.error = error
        self.index = index
    }
    package var description: String { index.map { "\(error) (operation \($0))" } ?? error.description }
}

extension MultiOperation {
    package static func create(
        _ path: String, _ data: [UInt8]? = nil, mode: CreateMode = .persistent, acl: [ACL] = ACL.open
    ) -> MultiOperation {
        .create(CreateRequest(path: path, data: data, acl: acl, mode: mode))
    }
    package static func delete(_ path: String, version: Int32 = -1) -> MultiOperation {
        .delete(DeleteRequest(path: path, version: version))
    }
    package static func setData(_ path: String, _ data: [UInt8]?, version: Int32 = -1) -> MultiOperation {
        .setData(SetDataRequest(path: path, data: data, version: version))
    }
    /// Nothing is changed; the rest is done only if the node has this version.
    package static func check(_ path: String, version: Int32) -> MultiOperation {
        .check(CheckVersionRequest(path: path, version: version))
    }

    /// What it takes in a packet, for those who fill multis up to a limit.
    package var sizeBytes: Int {
        let base = 9 + 4 + path.utf8.count
        switch self {
        case .create(let r), .create2(let r), .createContainer(let r):
            return base + 12 + (r.data?.count ?? 0)
                + r.acl.reduce(0) { $0 + 12 + $1.scheme.utf8.count + $1.id.utf8.count }
        case .createTTL(let r):
            return base + 20 + (r.data?.count ?? 0)
                + r.acl.reduce(0) { $0 + 12 + $1.scheme.utf8.count + $1.id.utf8.count }
        case .delete, .check: return base + 4
        case .setData(let r): return base + 8 + (r.data?.count ?? 0)
        case .getData, .getChildren: return base + 1
        }
    }

    fileprivate func moved(_ place: (String) -> String) -> MultiOperation {
        func moved(_ request: CreateRequest) -> CreateRequest {
            var request = request
            request.path = place(request.path)
            return request
        }
        switch self {
        case .create(let r): return .create(moved(r))
        case .create2(let r): return .create2(moved(r))
        case .createContainer(let r): return .createContainer(moved(r))
        case .createTTL(var r):
            r.path = place(r.path)
            return .createTTL(r)
        case .delete(let r): return .delete(DeleteRequest(path: place(r.path), version: r.version))
        case .check(let r): return .check(CheckVersionRequest(path: place(r.path), version: r.version))
        case .setData(var r):
            r.path = place(r.path)
            return .setData(r)
        case .getData(let r): return .getData(GetDataRequest(path: place(r.path), watch: r.watch))
        case .getChildren(let r): return .getChildren(GetChildrenRequest(path: place(r.path), watch: r.watch))
        }
    }
}

extension CoordinationClient {
    /// All of the operations, or none.
    /// - Returns: a result for each, in order.
    package func multi(
        _ operations: [MultiOperation], then: @escaping (Result<[MultiResult], MultiError>) -> Void
    ) {
        guard operations.allSatisfy({ $0.path.first == "/" }) else {
            let index = operations.firstIndex { $0.path.first != "/" }
            return world.timers.soon { then(.failure(MultiError(.badArguments, index: index))) }
        }
        let request = MultiRequest(operations.map { $0.moved(connect.serverPath) })
        submit(.multi, request) { [connect] answer in
            switch answer {
            case .failure(let error): then(.failure(MultiError(error)))
            case .success(let body):
                guard let reply = try? MultiResponse.decode(body) else {
                    return then(.failure(MultiError(.marshallingError)))
                }
                // Before the one that failed stand zeros, behind it consequences.
                let failed = reply.results.firstIndex {
                    if case .error(let error) = $0 { error != .ok } else { false }
                }
                if let failed, case .error(let error) = reply.results[failed] {
                    return then(.failure(MultiError(error, index: failed)))
                }
                guard reply.results.count == operations.count else {
                    return then(.failure(MultiError(.marshallingError)))
                }
                then(.success(reply.results.map { $0.shown(connect) }))
            }
        }
    }
}

extension MultiResult {
    fileprivate func shown(_ connect: ConnectString) -> MultiResult {
        switch self {
        case .created(let path): .created(path: connect.clientPath(path) ?? path)
        case .created2(let path, let stat): .created2(path: connect.clientPath(path) ?? path, stat)
        default: self
        }
    }
}
