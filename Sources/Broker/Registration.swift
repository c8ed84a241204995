import Bytes
import ClusterModel
import CoordinationClient
import CoordinationProtocol
import Platform

/// This broker in the tree: the cluster's id, the layout's version, and the registration `/brokers/ids/N` with its twin
/// `/letterbox/brokers/N`, made in one multi so that neither ever stands alone. The broker epoch is the registration's czxid.
package final class Registration {
    package struct Settings {
        package var broker: BrokerID
        package var endpoints: [Endpoint]
        package var protocols: [(listener: String, protocol: String)]
        package var rack: String?
        /// `zookeeper.session.timeout.ms`: how long a dead broker's registration can stand.
        package var sessionTimeout: Duration
        /// Where the session is remembered: `letterbox.session` in the first log directory.
        package var sessionFile: String
        package init(
            broker: BrokerID, endpoints: [Endpoint], protocols: [(listener: String, protocol: String)], rack: String?,
            sessionTimeout: Duration, sessionFile: String
        ) {
            self.broker = broker
            self.endpoints = endpoints
            self.protocols = protocols
            self.rack = rack
            self.sessionTimeout = sessionTimeout
            self.sessionFile = sessionFile
        }
    }

    package enum Refusal: Error, Equatable, CustomStringConvertible {
        case layoutTooNew(found: String)
        case mixedCluster(BrokerID)
        case idInUse(BrokerID, by: String)
        case addressInUse(Endpoint, by: BrokerID)
        case coordinator(CoordinationError)
        case unreadable(String)

        package var description: String {
            switch self {
            case .layoutTooNew(let found):
                "LB-1013 the tree was laid out by a newer Letterbox (/letterbox says \(found), this one knows \(Znodes.layoutVersion)). Start that version"
            case .mixedCluster(let broker):
                "LB-1014 broker \(broker) is registered without /letterbox/brokers/\(broker): it is not a Letterbox broker. Clusters are not mixed: stop it, or use another chroot in zookeeper.connect"
            case .idInUse(let id, let address):
                "LB-1012 broker.id \(id) is in use by host \(address) (session alive). Give this one another broker.id"
            case .addressInUse(let endpoint, let broker):
                "LB-1015 \(endpoint) is already told to clients by broker \(broker). Give this one another advertised.listeners"
            case .coordinator(let error):
                "LB-1016 the coordinator answered \(error): \(error.message)"
            case .unreadable(let what):
                "LB-1017 the tree holds what this version cannot read: \(what)"
            }
        }
    }

    private let world: any World
    private let tree: any Tree
    private let settings: Settings
    private let journal: Journal
    /// Counts registrations asked for; answers to older ones are void.
    private var attempt = 0
    private var waitTimer: TimerID?
    /// Whether the logs may hold less than was acknowledged; asked at each registration.
    package var isSuspect: () -> Bool = { false }
    /// Of the present life; none before registration and after the session's end.
    package private(set) var brokerEpoch = BrokerEpoch.none

    package init(world: any World, tree: any Tree, settings: Settings) {
        self.world = world
        self.tree = tree
        self.settings = settings
        journal = world.journal
    }

    // MARK: Before the logs are opened

    /// Makes what every broker makes at its start, and finds the cluster's id (or gives it one).
    package func prepare(then: @escaping (Result<String, Refusal>) -> Void) {
        checkLayout { [self] refusal in
            if let refusal { return then(.failure(refusal)) }
            tree.ensure(all: Znodes.madeAtStart + [Znodes.letterboxBrokers]) { [self] error in
                if let error { return then(.failure(.coordinator(error))) }
                findClusterID(then: then)
            }
        }
    }

    private func checkLayout(then: @escaping (Refusal?) -> Void) {
        let version = Znodes.layoutVersion
        tree.ensure(Znodes.letterbox, data: [UInt8]("\(version)".utf8)) { [self] error in
            if let error { return then(.coordinator(error)) }
            tree.read(Znodes.letterbox) { result in
                switch result {
                case .failure(let error): then(.coordinator(error))
                case .success(let node):
                    let text = String(decoding: node.data, as: UTF8.self)
                    guard let found = Int(text), found <= version else { return then(.layoutTooNew(found: text)) }
                    then(nil)
                }
            }
        }
    }

    private func findClusterID(then: @escaping (Result<String, Refusal>) -> Void) {
        tree.readIfThere(Znodes.clusterID) { [self] result in
            switch result {
            case .failure(let error): then(.failure(.coordinator(error)))
            case .success(let node?):
                do throws(PayloadError) {
                    then(.success(try ClusterIDPayload(payload: node.data).id))
                } catch { then(.failure(.unreadable("\(Znodes.clusterID): \(error)"))) }
            case .success(nil):
                var random = WorldRandom(world)
                let id = UUID128.random(using: &random).text
                tree.ensure(Znodes.clusterID, data: ClusterIDPayload(id: id).payload) { [self] error in
                    if let error { return then(.failure(.coordinator(error))) }
                    // Read again: somebody else's may have been first.
                    findClusterID(then: then)
                }
            }
        }
    }

    // MARK: A life

    /// Registers under the present session. Called again after each new session: that is a new life with a new epoch.
    package func register(then: @escaping (Result<BrokerEpoch, Refusal>) -> Void) {
        attempt += 1
        brokerEpoch = .none
        if let waitTimer { world.timers.cancel(waitTimer) }
        waitTimer = nil
        // A lease and its last tick.
        let deadline = world.clock.now + settings.sessionTimeout + .seconds(4)
        checkOthers(attempt) { [self] refusal in
            if let refusal { return then(.failure(refusal)) }
            claim(attempt, until: deadline, then: then)
        }
    }

    /// The session is gone, and this life with it.
    package func sessionEnded() {
        attempt += 1
        brokerEpoch = .none
        if let waitTimer { world.timers.cancel(waitTimer) }
        waitTimer = nil
    }

    private func claim(_ attempt: Int, until deadline: Instant, then: @escaping (Result<BrokerEpoch, Refusal>) -> Void)
    {
        guard attempt == self.attempt else { return }
        let path = Znodes.broker(settings.broker)
        let payload = BrokerRegistration(
            endpoints: settings.endpoints, protocols: settings.protocols, rack: settings.rack,
            timestampMs: world.clock.wallMs
        ).payload
        let operations: [MultiOperation] = [
            // Created and then set, as Kafka does: a set answers with the node's numbers, and czxid is the epoch.
            .create(path, nil, mode: .ephemeral), .set(path, payload, version: 0),
            .create(
                Znodes.twin(settings.broker), BrokerTwin(bootID: world.bootID, isSuspect: isSuspect()).payload,
                mode: .ephemeral),
        ]
        tree.multi(operations) { [self] result in
            guard attempt == self.attempt else { return }
            switch result {
            case .success(let results):
                guard results.count > 1, case .set(let stat) = results[1] else {
                    return then(.failure(.coordinator(.marshallingError)))
                }
                registered(stat, then: then)
            case .failure(let failure):
                switch failure.error {
                case .nodeExists: inspect(attempt, until: deadline, then: then)
                case .connectionLoss: inspect(attempt, until: deadline, then: then)
                case .sessionExpired: break  // sessionEnded, and then a new session, will come
                default: then(.failure(.coordinator(failure.error)))
                }
            }
        }
    }

    /// Somebody stands there, or our own answer was lost.
    private func inspect(
        _ attempt: Int, until deadline: Instant, then: @escaping (Result<BrokerEpoch, Refusal>) -> Void
    ) {
        let path = Znodes.broker(settings.broker)
        tree.readIfThere(path, watch: { [weak self] in self?.claimAgain(attempt, until: deadline, then: then) }) {
            [self] result in
            guard attempt == self.attempt else { return }
            switch result {
            case .failure(.sessionExpired): break
            case .failure(let error): then(.failure(.coordinator(error)))
            case .success(nil): inspectTwin(attempt, until: deadline, then: then)
            case .success(let node?):
                if node.stat.ephemeralOwner == tree.sessionID { return registered(node.stat, then: then) }
                waitForEnd(attempt, of: node, until: deadline, then: then)
            }
        }
    }

    /// The registration is free but the multi met a node: the twin of a broker that ended in between, or nothing any more.
    private func inspectTwin(
        _ attempt: Int, until deadline: Instant, then: @escaping (Result<BrokerEpoch, Refusal>) -> Void
    ) {
        tree.stat(Znodes.twin(settings.broker)) { [self] result in
            guard attempt == self.attempt else { return }
            switch result {
            case .failure(.sessionExpired): break
            case .failure(let error): then(.failure(.coordinator(error)))
            case .success:
                world.after(.milliseconds(100)) { [weak self] in self?.claim(attempt, until: deadline, then: then) }
            }
        }
    }

    private func claimAgain(
        _ attempt: Int, until deadline: Instant, then: @escaping (Result<BrokerEpoch, Refusal>) -> Void
    ) {
        guard attempt == self.attempt, brokerEpoch == .none else { return }
        if let waitTimer { world.timers.cancel(waitTimer) }
        waitTimer = nil
        claim(attempt, until: deadline, then: then)
    }

    /// A session that nobody keeps alive ends by itself; one that does not is somebody.
    private func waitForEnd(
        _ attempt: Int, of node: ReadNode, until deadline: Instant,
        then: @escaping (Result<BrokerEpoch, Refusal>) -> Void
    ) {
        guard attempt == self.attempt, brokerEpoch == .none else { return }
        let left = deadline - world.clock.now
        var address = "?"
        if let registration = try? BrokerRegistration(payload: node.data), let endpoint = registration.endpoints.first {
            address = "\(endpoint.host):\(endpoint.port)"
        }
        guard left > .zero else { return then(.failure(.idInUse(settings.broker, by: address))) }
        journal.notice(
            "waits for the former registration of this broker.id to expire",
            ["broker_id": settings.broker, "host": address, "seconds_left": max(1, left.wholeMilliseconds / 1000)])
        waitTimer = world.after(min(left, .seconds(5))) { [weak self] in
            self?.waitForEnd(attempt, of: node, until: deadline, then: then)
        }
    }

    private func registered(_ stat: Stat, then: @escaping (Result<BrokerEpoch, Refusal>) -> Void) {
        brokerEpoch = BrokerEpoch(stat.czxid)
        journal.notice("registered", ["broker_id": settings.broker, "broker_epoch": stat.czxid])
        then(.success(brokerEpoch))
    }

    // MARK: The others

    /// Every live registration has a twin, and nobody tells clients our address.
    private func checkOthers(_ attempt: Int, then: @escaping (Refusal?) -> Void) {
        tree.children(Znodes.brokerIDs) { [self] result in
            guard attempt == self.attempt else { return }
            switch result {
            case .failure(.sessionExpired): break
            case .failure(let error): then(.coordinator(error))
            case .success(let names):
                let others = names.compactMap { Int32($0) }.map { BrokerID($0) }.filter { $0 != settings.broker }
                check(attempt, others[...], then: then)
            }
        }
    }

    private func check(_ attempt: Int, _ others: ArraySlice<BrokerID>, then: @escaping (Refusal?) -> Void) {
        guard let other = others.first else { return then(nil) }
        tree.readIfThere(Znodes.broker(other)) { [self] result in
            guard attempt == self.attempt else { return }
            guard case .success(let node) = result else {
                if case .failure(let error) = result, error != .sessionExpired { then(.coordinator(error)) }
                return
            }
            guard let node else { return check(attempt, others.dropFirst(), then: then) }
            if let registration = try? BrokerRegistration(payload: node.data) {
                for endpoint in settings.endpoints
                where registration.endpoints.contains(where: { $0.host == endpoint.host && $0.port == endpoint.port }) {
                    return then(.addressInUse(endpoint, by: other))
                }
            }
            tree.stat(Znodes.twin(other)) { [self] twin in
                guard attempt == self.attempt else { return }
                guard case .success(let twin) = twin else {
                    if case .failure(let error) = twin, error != .sessionExpired { then(.coordinator(error)) }
                    return
                }
                if twin != nil { return check(attempt, others.dropFirst(), then: then) }
                // Both vanish in one transaction: only one that is still the same registration is without a twin.
                tree.stat(Znodes.broker(other)) { [self] again in
                    guard attempt == self.attempt else { return }
                    if case .success(let stat?) = again, stat.czxid == node.stat.czxid {
                        return then(.mixedCluster(other))
                    }
                    check(attempt, others.dropFirst(), then: then)
                }
            }
        }
    }

    // MARK: The session on disk

    /// The session of this broker's last life, so that a start can end it at once instead of waiting for its expiry.
    package struct RememberedSession: Equatable, Sendable {
        package var id: Int64
        package var password: [UInt8]
        package init(id: Int64, password: [UInt8]) {
            self.id = id
            self.password = password
        }

        package init?(text: String) {
            var id: Int64?
            var password: [UInt8]?
            for line in text.split(separator: "\n") {
                guard let equals = line.firstIndex(of: "=") else { continue }
                let value = line[line.index(after: equals)...]
                switch line[..<equals] {
                case "session": id = UInt64(value, radix: 16).map { Int64(bitPattern: $0) }
                case "password": password = RememberedSession.bytes(value)
                default: break
                }
            }
            guard let id, let password, id != 0 else { return nil }
            self.init(id: id, password: password)
        }
        package var text: String {
            let hex = password.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            return "version=1\nsession=\(String(UInt64(bitPattern: id), radix: 16))\npassword=\(hex)\n"
        }
        private static func bytes(_ hex: Substring) -> [UInt8]? {
            let digits = Array(hex)
            guard digits.count % 2 == 0, digits.count <= 64 else { return nil }
            var bytes: [UInt8] = []
            for index in stride(from: 0, to: digits.count, by: 2) {
                guard let byte = UInt8(String(digits[index...index + 1]), radix: 16) else { return nil }
                bytes.append(byte)
            }
            return bytes
        }
    }

    package static func rememberedSession(in file: String, disk: any Disk) -> RememberedSession? {
        guard disk.exists(file), let bytes = try? disk.contents(file, limit: 1024) else { return nil }
        return RememberedSession(text: String(decoding: bytes, as: UTF8.self))
    }

    /// Written before the session is used to register, so that no registration outlives the memory of its session.
    package func remember(_ session: RememberedSession) {
        do throws(DiskError) {
            try world.disk.replace(settings.sessionFile, with: [UInt8](session.text.utf8))
        } catch {
            journal.warning(
                "could not remember the session: a quick restart will wait for its expiry", ["error": error.description]
            )
        }
    }

    package func forgetSession() {
        guard world.disk.exists(settings.sessionFile) else { return }
        try? world.disk.remove(settings.sessionFile)
    }
}
