import CoordinationProtocol

/// What a read must have shown, of the state at its zxid.
struct ReadExpectation {
    private(set) var problem: String?

    init(_ exchange: Exchange, _ answer: Exchange.Answer, _ tree: ModelTree) {
        let expected: Shown
        do throws(CoordinationError) {
            expected = try ReadExpectation.expected(exchange, tree)
        } catch { expected = .error(error) }
        let got: Shown =
            answer.error == .ok ? ReadExpectation.shown(exchange.request, answer.body) : .error(answer.error)
        // Which watches a connection has is what its events show.
        if case .removeWatches = exchange.request, [.ok, .noWatcher].contains(answer.error) { return }
        if case .checkWatches = exchange.request, [.ok, .noWatcher].contains(answer.error) { return }
        if got != expected { problem = "shown \(got), should be \(expected)" }
    }

    private enum Shown: Equatable {
        case error(CoordinationError)
        case stat(Stat)
        case data([UInt8]?, Stat)
        case children([String], Stat)
        case path(String)
        case paths([String])
        case number(Int32)
        case results([MultiResult])
        case nothing
        case unreadable
    }

    private static func expected(_ exchange: Exchange, _ tree: ModelTree) throws(CoordinationError) -> Shown {
        let identities = exchange.stream.identities
        switch exchange.request {
        case .exists(let path, _): return .stat(try tree.readable(path, identities).stat)
        case .getData(let path, _):
            let node = try tree.readable(path, identities)
            return .data(node.data, node.stat)
        case .getChildren(let path, _):
            let node = try tree.readable(path, identities)
            // The root's own numbers have a past of their own.
            return .children(node.children.sorted(), path == "/" ? Stat() : node.stat)
        case .getACL(let path): return .stat(try tree.readable(path, identities, [.read, .admin]).stat)
        case .check(let request):
            try tree.check(request, identities)
            return .nothing
        case .sync(let path): return .path(path)
        case .ephemerals(let prefix):
            return .paths(tree.ephemerals(of: exchange.stream.session.id).filter { $0.hasPrefix(prefix) })
        case .descendants(let path):
            _ = try tree.readable(path, identities)
            return .number(Int32(tree.descendants(of: path)))
        case .reads(let operations):
            return .results(
                operations.map { operation in
                    do throws(CoordinationError) {
                        let node = try tree.readable(operation.path, identities)
                        if case .getData = operation { return .data(node.data, node.stat) }
                        return .children(node.children.sorted())
                    } catch { return .error(error) }
                })
        default: return .nothing
        }
    }

    private static func shown(_ request: Request, _ body: [UInt8]) -> Shown {
        do throws(JuteError) {
            switch request {
            case .exists: return .stat(try ExistsResponse.decode(body).stat)
            case .getData:
                let reply = try GetDataResponse.decode(body)
                return .data(reply.data, reply.stat)
            case .getChildren(let path, _):
                let reply = try GetChildren2Response.decode(body)
                return .children(
                    reply.children.filter { path != "/" || $0 != "zookeeper" }.sorted(),
                    path == "/" ? Stat() : reply.stat)
            case .getACL: return .stat(try GetACLResponse.decode(body).stat)
            case .sync: return .path(try SyncResponse.decode(body).path)
            case .ephemerals: return .paths(try GetEphemeralsResponse.decode(body).ephemerals.sorted())
            case .descendants: return .number(try GetAllChildrenNumberResponse.decode(body).totalNumber)
            case .reads:
                return .results(
                    try MultiResponse.decode(body).results.map { result in
                        if case .children(let names) = result { .children(names.sorted()) } else { result }
                    })
            default: return .nothing
            }
        } catch { return .unreadable }
    }
}
