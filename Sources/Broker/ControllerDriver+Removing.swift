import ClusterModel
import Controller
import CoordinationClient
import CoordinationProtocol
import Platform

/// A topic leaves the tree.
extension ControllerDriver {
    /// Everything below a topic, then the topic, its config and its mark; from the leaves up, in pieces a multi can carry.
    func remove(_ name: String, _ term: Term) {
        let again: () -> Void = { [weak self] in
            guard let self, self.isCurrent(term) else { return }
            self.remove(name, term)
        }
        tree.children(Znodes.partitions(name)) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let numbers) = result else {
                return failed(result.error, "read topic \(name)", again: again)
            }
            let paths = numbers.map { "\(Znodes.partitions(name))/\($0)" }
            tree.readAll(paths, read: { [self] path, then in tree.children(path, then: then) }) { [self] result in
                guard isCurrent(term) else { return }
                guard case .success(let leaves) = result else {
                    return failed(result.error, "read topic \(name)", again: again)
                }
                var operations: [MultiOperation] = []
                for (path, children) in leaves {
                    for child in children { operations.append(.delete("\(path)/\(child)")) }
                    operations.append(.delete(path))
                }
                removePieces(operations[...], term, again: again) { [self] in removeTop(name, term, again: again) }
            }
        }
    }

    func removePieces(
        _ operations: ArraySlice<MultiOperation>, _ term: Term, again: @escaping () -> Void, then: @escaping () -> Void
    ) {
        guard !operations.isEmpty else { return then() }
        fenced(Array(operations.prefix(200)), term) { [weak self] failure in
            guard let self else { return }
            if let failure { return self.failed(failure.error, "remove a topic", again: again) }
            self.removePieces(operations.dropFirst(200), term, again: again, then: then)
        }
    }

    func removeTop(_ name: String, _ term: Term, again: @escaping () -> Void) {
        let paths = [Znodes.partitions(name), Znodes.topic(name), Znodes.topicConfig(name), Znodes.deletedTopic(name)]
        tree.readAll(paths, read: { [self] path, then in tree.stat(path, then: then) }) { [self] result in
            guard isCurrent(term) else { return }
            guard case .success(let found) = result else {
                return failed(result.error, "read topic \(name)", again: again)
            }
            let operations = found.filter { $0.value != nil }.map { MultiOperation.delete($0.path) }
            fenced(operations, term) { [weak self] failure in
                guard let self else { return }
                if let failure { return self.failed(failure.error, "remove topic \(name)", again: again) }
                self.happened(term) { $0.topicRemoved(name) }
                // It may have been made again while its watch was ours.
                self.topicsChanged(term)
            }
        }
    }
}
