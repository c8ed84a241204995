import ClusterModel
import ConsumerGroups
import Platform

/// The groups' place in the tree: reads whole buckets.
package final class GroupStore {
    private let world: any World
    private let tree: any GroupTree
    /// Groups read at the same time for one bucket.
    private static let window = 16

    package init(world: any World, tree: any GroupTree) {
        self.world = world
        self.tree = tree
    }

    /// The ids of all groups, sorted; nil when the session ended.
    package func groups(then: @escaping ([String]?) -> Void) {
        tree.children(GroupPaths.consumers) { [self] result in
            switch result {
            case .success(let names): then(names.compactMap(PathName.decode).sorted())
            case .failure(let failure):
                switch failure.cause {
                case .noNode: then([])
                case .connectionLost: groups(then: then)
                default: then(nil)
                }
            }
        }
    }

    /// - Parameter then: nil when the session ended first.
    package func read(_ groups: [String], then: @escaping ([(String, GroupReader.Found)]?) -> Void) {
        var found: [(String, GroupReader.Found)] = []
        var next = 0
        var reading = 0
        var isOver = false
        func go() {
            while !isOver, reading < GroupStore.window, next < groups.count {
                let group = groups[next]
                next += 1
                reading += 1
                GroupReader.read(group, from: tree) { one in
                    reading -= 1
                    guard !isOver else { return }
                    guard let one else {
                        isOver = true
                        return then(nil)
                    }
                    found.append((group, one))
                    go()
                }
            }
            if !isOver, reading == 0, next == groups.count {
                isOver = true
                then(found.sorted { $0.0 < $1.0 })
            }
        }
        go()
    }
}
