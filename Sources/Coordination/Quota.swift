import CoordinationProtocol

/// What a quota's two nodes hold as text: limits or usage, in nodes and in bytes of data; -1 is none. ZooKeeper 3.9 writes
/// `count=4,bytes=200`, and limits behind the odd `=` that older readers need: `count=4,bytes=-1=;byteHardLimit=9`.
struct QuotaText: Equatable {
    private var values: [String: Int64] = [:]

    init(count: Int64, bytes: Int64) {
        self.count = count
        self.bytes = bytes
    }

    /// Nil for what is not pairs of a key and a number.
    init?(_ text: UnsafeRawBufferPointer?) {
        guard let text, let string = String(validating: text, as: UTF8.self) else { return nil }
        for pair in string.split(whereSeparator: { $0 == "," || $0 == ";" }) {
            let parts = pair.split(separator: "=")
            guard let key = parts.first else { return nil }
            guard let value = parts.count > 1 ? Int64(parts[1]) : -1 else { return nil }
            values[String(key)] = value
        }
    }

    var count: Int64 {
        get { values["count"] ?? -1 }
        set { values["count"] = newValue }
    }
    var bytes: Int64 {
        get { values["bytes"] ?? -1 }
        set { values["bytes"] = newValue }
    }
    var countHardLimit: Int64 { values["countHardLimit"] ?? -1 }
    var byteHardLimit: Int64 { values["byteHardLimit"] ?? -1 }

    var text: String {
        let others = values.keys.filter { $0 != "count" && $0 != "bytes" }.sorted()
        var text = "count=\(count),bytes=\(bytes)"
        if !others.isEmpty { text += "=" }
        for key in others { text += ";\(key)=\(values[key] ?? -1)" }
        return text
    }
}

/// A limit that is passed though nothing stopped it: a soft one, or a hard one while quotas are not enforced.
package struct QuotaExcess: Equatable {
    package enum Measure: String, Sendable { case count, bytes }
    package var path: String
    package var measure: Measure
    package var usage: Int64
    package var limit: Int64
    package var isHard: Bool
}

/// Quotas are nodes: `/zookeeper/quota/PATH/zookeeper_limits` makes one, `zookeeper_stats` beside it tells what is used. A change
/// counts for the nearest quota above it, the changed node included, and for no other.
/// Rule: ZooKeeper 3.9's DataTree and StatsTrack; here a limit stops only what grows.
extension ZnodeTree {
    private static let limitsName: StaticString = "zookeeper_limits"
    private static let usageName: StaticString = "zookeeper_stats"
    private static let home: StaticString = "/zookeeper/quota"

    /// The path whose quota a node under `parent` called `name` is about, when it is one of the two.
    @inline(__always)
    private func quotaSubject(_ parent: PathBytes, _ name: PathBytes) -> (path: PathBytes, isLimits: Bool)? {
        let home = ZnodeTree.home.utf8CodeUnitCount
        guard parent.count > home + 1, name.count == 15 || name.count == 16 else { return nil }
        let isLimits = name.isText(ZnodeTree.limitsName)
        guard isLimits || name.isText(ZnodeTree.usageName), parent[home] == ZnodePath.slash,
            PathBytes(rebasing: parent[..<home]).isText(ZnodeTree.home)
        else { return nil }
        return (PathBytes(rebasing: parent[home...]), isLimits)
    }

    /// A node was created, with `bytes` of data.
    @inline(__always)
    mutating func countCreated(_ path: PathBytes, parent: PathBytes, name: PathBytes, bytes: Int) {
        if let subject = quotaSubject(parent, name) {
            if subject.isLimits { _ = quotaPaths.insert(subject.path) } else { recount(subject.path) }
        }
        if quotaPaths.count > 0 { count(path, nodes: 1, bytes: Int64(bytes)) }
    }

    @inline(__always)
    mutating func countDeleted(_ path: PathBytes, parent: PathBytes, name: PathBytes, bytes: Int) {
        if quotaPaths.count == 0 { return }
        if let subject = quotaSubject(parent, name), subject.isLimits, let key = quotaPaths.find(subject.path) {
            quotaPaths.remove(key)
        }
        count(path, nodes: -1, bytes: -Int64(bytes))
    }

    @inline(__always)
    mutating func countChanged(_ path: PathBytes, by bytes: Int) {
        if quotaPaths.count > 0, bytes != 0 { count(path, nodes: 0, bytes: Int64(bytes)) }
    }

    /// After a snapshot was read: finds the quotas and counts what they are about anew.
    mutating func findQuotas() {
        guard let home = store.find(PathBytes(start: ZnodeTree.home.utf8Start, count: ZnodeTree.home.utf8CodeUnitCount))
        else { return }
        var limits: [ZnodeID] = []
        var open = [home]
        while let here = open.popLast() {
            let first = store[here].pointee.firstChild
            guard first != .none else {
                if here != home, store[here].pointee.name.isText(ZnodeTree.limitsName) { limits.append(here) }
                continue
            }
            var child = first
            repeat {
                open.append(child)
                child = store[child].pointee.next
            } while child != first
        }
        for node in limits where store[node].pointee.parent != home {
            let path = path(of: store[node].pointee.parent)
            let subject = PathBytes(rebasing: path[ZnodeTree.home.utf8CodeUnitCount...])
            _ = quotaPaths.insert(subject)
            recount(subject)
        }
        arena.reset()
    }

    /// The nearest quota at or above `path`.
    func quota(over path: PathBytes) -> PathBytes? {
        var end = path.count
        while end > 1 {
            let prefix = PathBytes(rebasing: path[..<end])
            if quotaPaths.find(prefix) != nil { return prefix }
            repeat { end -= 1 } while end > 0 && path[end] != ZnodePath.slash
        }
        return nil
    }

    /// Whether a change may be made; in a multi, on top of what its earlier operations will add.
    /// - Throws: `quotaExceeded` when a hard limit would be passed and quotas are enforced.
    func checkQuota(
        _ path: PathBytes, nodes: Int64, bytes: Int64, _ rules: CoordinationRules, _ overlay: inout Overlay
    ) throws(CoordinationError) {
        guard rules.enforceQuota, quotaPaths.count > 0, let quota = quota(over: path) else { return }
        let pending = overlay.growth(of: quota)
        if nodes > 0 || bytes > 0, let limits = QuotaText(data(of: quota, ZnodeTree.limitsName)),
            let usage = QuotaText(data(of: quota, ZnodeTree.usageName))
        {
            if nodes > 0, limits.countHardLimit > -1, usage.count &+ pending.nodes &+ nodes > limits.countHardLimit {
                throw .quotaExceeded
            }
            if bytes > 0, limits.byteHardLimit > -1, usage.bytes &+ pending.bytes &+ bytes > limits.byteHardLimit {
                throw .quotaExceeded
            }
        }
        overlay.grow(quota, nodes: nodes, bytes: bytes)
    }

    // MARK: Within

    private mutating func count(_ path: PathBytes, nodes: Int64, bytes: Int64) {
        guard let quota = quota(over: path), let id = node(of: quota, ZnodeTree.usageName) else { return }
        guard var usage = QuotaText(store[id].pointee.data) else { return recount(quota) }
        usage.count &+= nodes
        usage.bytes &+= bytes
        write(usage, into: id)
        if notesQuotas, nodes > 0 || bytes > 0 { noteExcess(of: quota, usage, nodes: nodes, bytes: bytes) }
    }

    private mutating func recount(_ path: PathBytes) {
        guard let id = node(of: path, ZnodeTree.usageName) else { return }
        var count: Int64 = 0, bytes: Int64 = 0
        var open = store.find(path).map { [$0] } ?? []
        while let here = open.popLast() {
            count += 1
            bytes += Int64(max(store[here].pointee.dataCount, 0))
            let first = store[here].pointee.firstChild
            guard first != .none else { continue }
            var child = first
            repeat {
                open.append(child)
                child = store[child].pointee.next
            } while child != first
        }
        write(QuotaText(count: count, bytes: bytes), into: id)
    }

    /// Neither version nor time change, and nobody is told.
    private mutating func write(_ usage: QuotaText, into id: ZnodeID) {
        willChange(id)
        var text = usage.text
        dataSize -= Int(max(store[id].pointee.dataCount, 0))
        text.withUTF8 { store.setData(UnsafeRawBufferPointer($0), of: id) }
        dataSize += Int(max(store[id].pointee.dataCount, 0))
    }

    private mutating func noteExcess(of quota: PathBytes, _ usage: QuotaText, nodes: Int64, bytes: Int64) {
        guard let limits = QuotaText(data(of: quota, ZnodeTree.limitsName)) else { return }
        func note(_ measure: QuotaExcess.Measure, _ usage: Int64, soft: Int64, hard: Int64) {
            let limit = hard > -1 ? hard : soft
            if limit > -1, usage > limit {
                excesses.append(
                    QuotaExcess(path: quota.text, measure: measure, usage: usage, limit: limit, isHard: hard > -1))
            }
        }
        if nodes > 0 { note(.count, usage.count, soft: limits.count, hard: limits.countHardLimit) }
        if bytes > 0 { note(.bytes, usage.bytes, soft: limits.bytes, hard: limits.byteHardLimit) }
    }

    private func data(of quota: PathBytes, _ name: StaticString) -> UnsafeRawBufferPointer? {
        node(of: quota, name).flatMap { store[$0].pointee.data }
    }

    /// `/zookeeper/quota` + the path + the name, found without making text of it.
    private func node(of quota: PathBytes, _ name: StaticString) -> ZnodeID? {
        guard
            var here = store.find(PathBytes(start: ZnodeTree.home.utf8Start, count: ZnodeTree.home.utf8CodeUnitCount))
        else { return nil }
        for component in quota.split(separator: ZnodePath.slash) {
            guard let next = store.child(of: here, UnsafeRawBufferPointer(rebasing: component)) else { return nil }
            here = next
        }
        return store.child(of: here, UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }
}
