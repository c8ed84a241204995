import CoordinationProtocol

/// A node's data (null and empty stay apart) and numbers.
package struct NodeData: Equatable, Sendable {
    package var data: [UInt8]?
    package var stat: Stat
}

/// A node's children, sorted, and its own numbers.
package struct NodeChildren: Equatable, Sendable {
    package var children: [String]
    package var stat: Stat
}

package struct CreatedNode: Equatable, Sendable {
    /// With the number, when one was put behind it.
    package var path: String
    package var stat: Stat
}

/// The operations, one call each. `version` is the expected one; -1 accepts any.
extension CoordinationClient {
    package typealias WatchHandler = (WatchEvent) -> Void

    /// - Returns: the node's path, with the number of a sequential one.
    package func create(
        _ path: String, _ data: [UInt8]? = nil, mode: CreateMode = .persistent, acl: [ACL] = ACL.open,
        then: @escaping Completion<String>
    ) {
        guard let full = checked(path, then) else { return }
        ask(.create, CreateRequest(path: full, data: data, acl: acl, mode: mode), CreateResponse.self, then) {
            [connect] in connect.clientPath($0.path) ?? $0.path
        }
    }

    /// Like `create`, with the new node's numbers.
    package func create2(
        _ path: String, _ data: [UInt8]? = nil, mode: CreateMode = .persistent, acl: [ACL] = ACL.open,
        then: @escaping Completion<CreatedNode>
    ) {
        guard let full = checked(path, then) else { return }
        let op = mode == .container ? OpCode.createContainer : .create2
        ask(op, CreateRequest(path: full, data: data, acl: acl, mode: mode), Create2Response.self, then) { [connect] in
            CreatedNode(path: connect.clientPath($0.path) ?? $0.path, stat: $0.stat)
        }
    }

    /// A node that goes when it has had no children and no change for `milliseconds`.
    package func createTTL(
        _ path: String, _ data: [UInt8]?, sequential: Bool, milliseconds: Int64, acl: [ACL] = ACL.open,
        then: @escaping Completion<CreatedNode>
    ) {
        guard let full = checked(path, then) else { return }
        let request = CreateTTLRequest(
            path: full, data: data, acl: acl, mode: sequential ? .persistentSequentialWithTTL : .persistentWithTTL,
            ttl: milliseconds)
        ask(.createTTL, request, Create2Response.self, then) { [connect] in
            CreatedNode(path: connect.clientPath($0.path) ?? $0.path, stat: $0.stat)
        }
    }

    package func delete(_ path: String, version: Int32 = -1, then: @escaping Completion<Void>) {
        guard let full = checked(path, then) else { return }
        askNothing(.delete, DeleteRequest(path: full, version: version), then)
    }

    /// - Returns: nil when there is no such node; the watch then waits for its creation.
    package func exists(_ path: String, watch: WatchHandler? = nil, then: @escaping Completion<Stat?>) {
        guard let full = checked(path, then) else { return }
        submit(.exists, ExistsRequest(path: full, watch: watch != nil)) { [weak self] answer in
            switch answer {
            case .success(let body):
                guard let reply = try? ExistsResponse.decode(body) else { return then(.failure(.marshallingError)) }
                if let watch { self?.watch(.data, full, watch) }
                then(.success(reply.stat))
            case .failure(.noNode):
                if let watch { self?.watch(.existence, full, watch) }
                then(.success(nil))
            case .failure(let error): then(.failure(error))
            }
        }
    }

    /// The watch is set only when the node is there.
    package func getData(_ path: String, watch: WatchHandler? = nil, then: @escaping Completion<NodeData>) {
        guard let full = checked(path, then) else { return }
        ask(
            .getData, GetDataRequest(path: full, watch: watch != nil), GetDataResponse.self,
            watching: (.data, full, watch),
            then
        ) { NodeData(data: $0.data, stat: $0.stat) }
    }

    package func setData(_ path: String, _ data: [UInt8]?, version: Int32 = -1, then: @escaping Completion<Stat>) {
        guard let full = checked(path, then) else { return }
        ask(.setData, SetDataRequest(path: full, data: data, version: version), SetDataResponse.self, then) { $0.stat }
    }

    /// The watch is set only when the node is there.
    package func getChildren(_ path: String, watch: WatchHandler? = nil, then: @escaping Completion<NodeChildren>) {
        guard let full = checked(path, then) else { return }
        ask(
            .getChildren2, GetChildren2Request(path: full, watch: watch != nil), GetChildren2Response.self,
            watching: (.children, full, watch), then
        ) { NodeChildren(children: $0.children.sorted(), stat: $0.stat) }
    }

    package func getACL(_ path: String, then: @escaping Completion<GetACLResponse>) {
        guard let full = checked(path, then) else { return }
        ask(.getACL, GetACLRequest(path: full), GetACLResponse.self, then) { $0 }
    }

    package func setACL(_ path: String, _ acl: [ACL], version: Int32 = -1, then: @escaping Completion<Stat>) {
        guard let full = checked(path, then) else { return }
        ask(.setACL, SetACLRequest(path: full, acl: acl, version: version), SetACLResponse.self, then) { $0.stat }
    }

    /// What is read afterwards is at least as new as what anybody had been told before.
    package func sync(_ path: String = "/", then: @escaping Completion<Void>) {
        guard let full = checked(path, then) else { return }
        ask(.sync, SyncRequest(path: full), SyncResponse.self, then) { _ in () }
    }

    package func getEphemerals(below prefix: String = "/", then: @escaping Completion<[String]>) {
        guard let full = checked(prefix, then) else { return }
        ask(.getEphemerals, GetEphemeralsRequest(path: full), GetEphemeralsResponse.self, then) { [connect] in
            $0.ephemerals.compactMap { connect.clientPath($0) }.sorted()
        }
    }

    package func getAllChildrenNumber(_ path: String, then: @escaping Completion<Int32>) {
        guard let full = checked(path, then) else { return }
        ask(.getAllChildrenNumber, GetAllChildrenNumberRequest(path: full), GetAllChildrenNumberResponse.self, then) {
            $0.totalNumber
        }
    }

    package func whoAmI(then: @escaping Completion<[ClientInfo]>) {
        ask(.whoAmI, Optional<SyncRequest>.none, WhoAmIResponse.self, then) { $0.clientInfo }
    }

    /// A watch that stays: on the node and its children, or on everything below.
    package func addWatch(
        _ path: String, recursive: Bool, watch: @escaping WatchHandler, then: @escaping Completion<Void>
    ) {
        guard let full = checked(path, then) else { return }
        submit(.addWatch, AddWatchRequest(path: full, recursive: recursive)) { [weak self] answer in
            if case .success = answer { self?.watch(recursive ? .persistentRecursive : .persistent, full, watch) }
            then(answer.map { _ in () })
        }
    }

    package func removeWatches(_ path: String, _ type: WatcherType, then: @escaping Completion<Void>) {
        guard let full = checked(path, then) else { return }
        submit(.removeWatches, RemoveWatchesRequest(path: full, type)) { [weak self] answer in
            if case .success = answer, let self {
                let kinds: [WatchRegistry.Kind] =
                    switch type {
                    case .children: [.children]
                    case .data: [.data, .existence]
                    case .any: [.data, .existence, .children, .persistent, .persistentRecursive]
                    case .persistent: [.persistent]
                    case .persistentRecursive: [.persistentRecursive]
                    }
                for kind in kinds { _ = forgetWatch(kind, full) }
            }
            then(answer.map { _ in () })
        }
    }

    /// Makes a node and those above it that are missing, with null data. Those that are there are left as they are.
    package func makePath(_ path: String, then: @escaping Completion<Void>) {
        create(path) { [weak self] answer in
            switch answer {
            case .success, .failure(.nodeExists): then(.success(()))
            case .failure(.noNode):
                guard let self, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
                    return then(.failure(.noNode))
                }
                makePath(String(path[..<slash])) { [weak self] answer in
                    guard case .success = answer, let self else { return then(answer) }
                    // Once more: it is there then, unless somebody takes the parents away.
                    create(path) { answer in
                        switch answer {
                        case .success, .failure(.nodeExists): then(.success(()))
                        case .failure(let error): then(.failure(error))
                        }
                    }
                }
            case .failure(let error): then(.failure(error))
            }
        }
    }

    /// Makes the chroot itself, which no path of ours can name the parents of.
    package func makeChroot(then: @escaping Completion<Void>) {
        let elements = connect.chroot.split(separator: "/")
        guard !elements.isEmpty else { return world.timers.soon { then(.success(())) } }
        var path = ""
        for (index, element) in elements.enumerated() {
            path += "/" + element
            submit(.create, CreateRequest(path: path, data: nil)) { answer in
                guard index == elements.count - 1 else { return }
                switch answer {
                case .success, .failure(.nodeExists): then(.success(()))
                case .failure(let error): then(.failure(error))
                }
            }
        }
    }

    // MARK: Asking

    /// The server's path, or nil after a refusal.
    func checked<Value>(_ path: String, _ then: @escaping Completion<Value>) -> String? {
        guard path.first == "/" else {
            world.timers.soon { then(.failure(.badArguments)) }
            return nil
        }
        return connect.serverPath(path)
    }

    private func ask<Reply: JuteRecord, Value>(
        _ op: OpCode, _ request: (some JuteRecord)?, _: Reply.Type,
        watching: (kind: WatchRegistry.Kind, path: String, handler: WatchHandler?)? = nil,
        _ then: @escaping Completion<Value>, _ value: @escaping (Reply) -> Value
    ) {
        submit(op, request) { [weak self] answer in
            switch answer {
            case .success(let body):
                guard let reply = try? Reply.decode(body) else { return then(.failure(.marshallingError)) }
                if let (kind, path, handler) = watching, let handler { self?.watch(kind, path, handler) }
                then(.success(value(reply)))
            case .failure(let error): then(.failure(error))
            }
        }
    }

    private func askNothing(_ op: OpCode, _ request: some JuteRecord, _ then: @escaping Completion<Void>) {
        submit(op, request) { then($0.map { _ in () }) }
    }
}
