import ClusterModel
import CoordinationProtocol
import Platform

/// Watches `/config/changes`: whoever changes settings in the tree leaves a notification there that says whose.
final class ConfigChanges {
    private let tree: any Tree
    private let world: any World
    /// The newest change notification seen; those before it need not be read.
    private var newest: Int64 = -1
    private var life = 0
    /// `topics/T`, `brokers/0`, `brokers/<default>`: its settings are to be read again.
    private let changed: (_ entity: String) -> Void

    /// How long a change notification stays for others to read.
    private static let keptFor: Int64 = 15 * 60 * 1000

    init(tree: any Tree, world: any World, changed: @escaping (_ entity: String) -> Void) {
        self.tree = tree
        self.world = world
        self.changed = changed
    }

    /// A new session: `then` comes when changes are watched for, and so may read everything.
    func begin(then: @escaping () -> Void) {
        life += 1
        newest = -1
        look(life, first: true, then: then)
    }

    func end() { life += 1 }

    private func look(_ life: Int, first: Bool = false, then: @escaping () -> Void = {}) {
        let watch: () -> Void = { [weak self] in
            guard let self, life == self.life else { return }
            self.look(life)
        }
        tree.children(Znodes.configChanges, watch: watch) { [self] result in
            guard life == self.life, case .success(let names) = result else { return then() }
            let numbered = names.compactMap { name in ConfigChanges.number(name).map { (name: name, number: $0) } }
                .sorted { $0.number < $1.number }
            let fresh = first ? [] : numbered.filter { $0.number > newest }
            newest = max(newest, numbered.last?.number ?? -1)
            for (name, _) in fresh { read("\(Znodes.configChanges)/\(name)", life) }
            // Those that everybody has had time to read go; whoever looks takes them away.
            for (name, _) in numbered.prefix(16) where fresh.count > 0 {
                removeIfOld("\(Znodes.configChanges)/\(name)")
            }
            then()
        }
    }

    private static func number(_ name: String) -> Int64? {
        guard name.hasPrefix("config_change_") else { return nil }
        return Int64(name.dropFirst("config_change_".count))
    }

    private func read(_ path: String, _ life: Int) {
        tree.readIfThere(path) { [self] result in
            guard life == self.life, case .success(let node?) = result,
                let change = try? ConfigChangePayload(payload: node.data)
            else { return }
            changed(change.entityPath)
        }
    }

    private func removeIfOld(_ path: String) {
        tree.stat(path) { [self] result in
            guard case .success(let stat?) = result, world.clock.wallMs - stat.ctime > ConfigChanges.keptFor else {
                return
            }
            tree.multi([.delete(path)]) { _ in }
        }
    }
}
