import ClusterModel
import CoordinationProtocol
import Platform

/// The topics' own settings and the brokers', as the tree holds them, kept current by `/config/changes`.
package final class TopicSettings {
    private let tree: any Tree
    private let world: any World
    private let me: BrokerID
    private var changes: ConfigChanges?
    private var life = 0
    private var known: [String: TopicConfig] = [:]
    private var otherwise: TopicConfig
    /// This broker's, as they stand now.
    package private(set) var broker: BrokerSettings
    /// Settings of this topic are other ones now.
    package var changed: (String) -> Void = { _ in }
    /// Settings of this broker are, and those of all topics may be.
    package var brokerChanged: () -> Void = {}

    package init(tree: any Tree, world: any World, me: BrokerID, broker: BrokerSettings) {
        self.tree = tree
        self.world = world
        self.me = me
        self.broker = broker
        otherwise = TopicConfig(overrides: [:], defaults: broker.topicDefaults)
        changes = ConfigChanges(tree: tree, world: world) { [weak self] entity in self?.refresh(entity: entity) {} }
    }

    package subscript(_ topic: String) -> TopicConfig { known[topic] ?? otherwise }

    /// A new session: what was missed is read again, and changes are watched for.
    package func sessionBegan(then: @escaping () -> Void = {}) {
        life += 1
        let life = life
        changes?.begin { [self] in
            guard life == self.life else { return then() }
            refreshBroker { [self] in
                tree.children(Znodes.configTopics) { [self] result in
                    guard case .success(let topics) = result, life == self.life else { return then() }
                    refresh(topics, then: then)
                }
            }
        }
    }

    package func sessionEnded() {
        life += 1
        changes?.end()
    }

    // MARK: Reading

    /// - Parameter entity: as notifications name it.
    package func refresh(entity: String, then: @escaping () -> Void) {
        let parts = entity.split(separator: "/", maxSplits: 1)
        guard parts.count == 2 else { return then() }
        switch parts[0] {
        case "topics": refresh([String(parts[1])], then: then)
        case "brokers" where parts[1] == "<default>" || parts[1] == me.description: refreshBroker(then: then)
        default: then()
        }
    }

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
        guard let overrides = settings(data, of: "topic \(topic)") else { return }
        let before = self[topic]
        known[topic] = overrides.isEmpty ? nil : TopicConfig(overrides: overrides, defaults: broker.topicDefaults)
        if self[topic] != before { changed(topic) }
    }

    /// Reads what the tree says of this broker and of all of them. What cannot be read now stays as it was.
    package func refreshBroker(then: @escaping () -> Void) {
        tree.readIfThere(Znodes.brokerConfigDefault) { [self] cluster in
            tree.readIfThere(Znodes.brokerConfig(me)) { [self] own in
                guard case .success(let cluster) = cluster, case .success(let own) = own else {
                    world.journal.warning("could not read the brokers' settings")
                    return then()
                }
                if let cluster = settings(cluster?.data, of: "all brokers"),
                    let own = settings(own?.data, of: "broker \(me)")
                {
                    take(broker: own, cluster: cluster)
                }
                then()
            }
        }
    }

    private func take(broker own: [String: String], cluster: [String: String]) {
        guard own != broker.ofBroker || cluster != broker.ofCluster else { return }
        let before = broker.current.properties
        for problem in broker.take(broker: own, cluster: cluster) {
            world.journal.warning("a setting in the tree cannot be used", ["reason": problem])
        }
        let after = broker.current
        let changes = Set(before.names + after.properties.names).sorted().compactMap { name -> String? in
            guard before[name] != after.properties[name], let key = BrokerSettings.keys[name] else { return nil }
            return "\(name)=\(key.isSensitive ? "[hidden]" : after.text(key) ?? "")"
        }
        world.journal.notice("took new settings", ["settings": changes.joined(separator: " ")])
        otherwise = TopicConfig(overrides: [:], defaults: broker.topicDefaults)
        for (topic, config) in known {
            known[topic] = TopicConfig(overrides: config.overrides, defaults: broker.topicDefaults)
        }
        brokerChanged()
    }

    /// Nil, and told, when it is unreadable.
    private func settings(_ data: [UInt8]?, of whom: String) -> [String: String]? {
        guard let data, !data.isEmpty else { return [:] }
        guard let payload = try? ConfigPayload(payload: data) else {
            world.journal.warning("found settings unreadable", ["of": whom])
            return nil
        }
        return payload.settings
    }
}
