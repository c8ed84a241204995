import ClusterModel
import CoordinationProtocol
import Platform

/// The topics' own settings, as the tree holds them, kept current by `/config/changes`.
package final class TopicSettings {
    private let tree: any Tree
    private let world: any World
    package let defaults: TopicDefaults
    private var known: [String: TopicConfig] = [:]
    private let otherwise: TopicConfig
    /// The newest change notification seen; those before it need not be read.
    private var newest: Int64 = -1
    private var life = 0
    /// Settings of this topic are other ones now.
    package var changed: (String) -> Void = { _ in }

    /// How long a change notification stays for others to read.
    private static let keptFor: Int64 = 15 * 60 * 1000

    package init(tree: any Tree, world: any World, defaults: TopicDefaults) {
        self.tree = tree
        self.world = world
        self.defaults = defaults
        otherwise = TopicConfig(overrides: [:], defaults: defaults)
    }

    package subscript(_ topic: String) -> TopicConfig { known[topic] ?? otherwise }

    /// A new session: what was missed is read again, and changes are watched for.
    package func sessionBegan(then: @escaping () -> Void = {}) {
        life += 1
        let life = life
        newest = -1
        look(life, first: true) { [self] in
            tree.children(Znodes.configTopics) { [self] result in
                guard case .success(let topics) = result, life == self.life else { return then() }
                refresh(topics, then: then)
            }
        }
    }

    package func sessionEnded() { life += 1 }

    /// Reads these topics' settings. What cannot be read now stays as it was.
    package func refresh(_ topics: [String], then: @escaping () -> Void) {
        var left = topics.count
        guard left > 0 else { return then() }
        for topic in topics {
            tree.readIfThere(Znodes.topicConfig(topic)) { [self] result in
                switch result {
                case .failure(let error):
                    world.journal.warning("could not read a topic's settings", ["topic": topic, "error": error])
                case .success(let node): take(topic, node?.data)
                }
                left -= 1
                if left == 0 { then() }
            }
        }
    }

    private func take(_ topic: String, _ data: [UInt8]?) {
        var overrides: [String: String] = [:]
        if let data, !data.isEmpty {
            guard let payload = try? ConfigPayload(payload: data) else {
                return world.journal.warning("found a topic's settings unreadable", ["topic": topic])
            }
            overrides = payload.settings
        }
        let before = self[topic]
        known[topic] = overrides.isEmpty ? nil : TopicConfig(overrides: overrides, defaults: defaults)
        if self[topic] != before { changed(topic) }
    }

    // MARK: Changes

    private func look(_ life: Int, first: Bool = false, then: @escaping () -> Void = {}) {
        let watch: () -> Void = { [weak self] in
            guard let self, life == self.life else { return }
            self.look(life)
        }
        tree.children(Znodes.configChanges, watch: watch) { [self] result in
            guard life == self.life, case .success(let names) = result else { return then() }
            let numbered = names.compactMap { name in TopicSettings.number(name).map { (name: name, number: $0) } }
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
            let parts = change.entityPath.split(separator: "/", maxSplits: 1)
            guard parts.count == 2, parts[0] == "topics" else { return }
            refresh([String(parts[1])]) {}
        }
    }

    private func removeIfOld(_ path: String) {
        tree.stat(path) { [self] result in
            guard case .success(let stat?) = result, world.clock.wallMs - stat.ctime > TopicSettings.keptFor else {
                return
            }
            tree.multi([.delete(path)]) { _ in }
        }
    }
}
