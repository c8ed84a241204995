import CoordinationProtocol

/// What `/zookeeper/quota<path>/zookeeper_limits` says: `count=5,bytes=-1`, hard limits behind it; -1 is none.
struct ShellQuota: Equatable {
    var count: Int64 = -1
    var bytes: Int64 = -1
    var countHard: Int64 = -1
    var bytesHard: Int64 = -1

    init() {}

    /// Pairs are parted by commas or semicolons; unknown ones are passed over.
    init(_ text: String) {
        for pair in text.split(whereSeparator: { $0 == "," || $0 == ";" }) {
            let parts = pair.split(separator: "=")
            guard parts.count == 2, let number = Int64(parts[1]) else { continue }
            switch parts[0] {
            case "count": count = number
            case "bytes": bytes = number
            case "countHardLimit": countHard = number
            case "byteHardLimit": bytesHard = number
            default: break
            }
        }
    }

    /// The lone `=` keeps parsers from before ZooKeeper 3.5 from reading the hard limits.
    var text: String { "count=\(count),bytes=\(bytes)=;byteHardLimit=\(bytesHard);countHardLimit=\(countHard)" }

    static let root = "/zookeeper/quota"
    static func node(_ path: String) -> String { path == "/" ? root : root + path }
    static func limits(_ path: String) -> String { node(path) + "/zookeeper_limits" }
    static func stats(_ path: String) -> String { node(path) + "/zookeeper_stats" }
}

extension ShellCommands {
    func listQuota(_ given: Given) throws {
        let path = try checked(given)
        shell.tool.warn("absolute path is \(ShellQuota.limits(path))")
        do {
            let limits = try answer { client.getData(ShellQuota.limits(path), then: $0) }
            shell.tool.say("Output quota for \(path) \(String(decoding: limits.data ?? [], as: UTF8.self))")
            let stats = try answer { client.getData(ShellQuota.stats(path), then: $0) }
            shell.tool.say("Output stat for \(path) \(String(decoding: stats.data ?? [], as: UTF8.self))")
        } catch let error as CoordinationError where error == .noNode {
            shell.tool.warn("quota for \(path) does not exist.")
        }
    }

    func setQuota(_ given: Given) throws {
        let path = try checked(given)
        if path.hasPrefix(ShellQuota.root) {
            throw ShellError("cannot set a quota under the path: \(ShellQuota.root)")
        }
        func limit(_ name: String, atLeast least: Int64) throws(ShellError) -> Int64? {
            guard let text = given.options[name] else { return nil }
            guard let number = Int64(text), number >= least else {
                throw ShellError("-\(name) takes a number of at least \(least), not \(text)")
            }
            return number
        }
        let wanted = (
            count: try limit("n", atLeast: 1), bytes: try limit("b", atLeast: 0), countHard: try limit("N", atLeast: 1),
            bytesHard: try limit("B", atLeast: 0)
        )
        guard wanted.count ?? wanted.bytes ?? wanted.countHard ?? wanted.bytesHard != nil else {
            throw ShellError("setquota -n|-b|-N|-B val path")
        }
        guard try answer({ client.exists(path, then: $0) }) != nil else { throw ShellError("\(path) does not exist.") }
        // One quota on any way from the root: above and below there must be none.
        var parent = path
        while let slash = parent.lastIndex(of: "/"), slash != parent.startIndex {
            parent = String(parent[..<slash])
            if try answer({ client.exists(ShellQuota.limits(parent), then: $0) }) != nil {
                throw ShellError("\(path) has a parent \(parent) which has a quota")
            }
        }
        if let child = try quotaBelow(path) { throw ShellError("\(path) has a child \(child) which has a quota") }
        let limits = ShellQuota.limits(path)
        var quota = ShellQuota()
        let isNew: Bool
        do {
            quota = ShellQuota(
                String(decoding: try answer { client.getData(limits, then: $0) }.data ?? [], as: UTF8.self))
            isNew = false
        } catch let error as CoordinationError where error == .noNode {
            isNew = true
        }
        if let count = wanted.count { quota.count = count }
        if let bytes = wanted.bytes { quota.bytes = bytes }
        if let count = wanted.countHard { quota.countHard = count }
        if let bytes = wanted.bytesHard { quota.bytesHard = bytes }
        let data = Array(quota.text.utf8)
        if isNew {
            try answer { client.makePath(ShellQuota.node(path), then: $0) }
            _ = try answer { client.create(limits, data, then: $0) }
            _ = try answer { client.create(ShellQuota.stats(path), Array("count=0,bytes=0".utf8), then: $0) }
        } else {
            _ = try answer { client.setData(limits, data, then: $0) }
        }
    }

    private func quotaBelow(_ path: String) throws -> String? {
        var queue = [ShellQuota.node(path)]
        while let node = queue.popLast() {
            let children: [String]
            do {
                children = try answer { client.getChildren(node, then: $0) }.children
            } catch let error as CoordinationError where error == .noNode {
                continue
            }
            if node != ShellQuota.node(path), children.contains("zookeeper_limits") {
                return String(node.dropFirst(ShellQuota.root.count))
            }
            queue += children.filter { !$0.hasPrefix("zookeeper_") }.map { "\(node)/\($0)" }
        }
        return nil
    }

    func deleteQuota(_ given: Given) throws {
        let path = try checked(given)
        let limits = ShellQuota.limits(path)
        guard try answer({ client.exists(limits, then: $0) }) != nil else {
            shell.tool.say("Quota does not exist for \(path)")
            return
        }
        guard given.options.isEmpty else {
            var quota = ShellQuota(
                String(decoding: try answer { client.getData(limits, then: $0) }.data ?? [], as: UTF8.self))
            if given.has("n") { quota.count = -1 }
            if given.has("b") { quota.bytes = -1 }
            if given.has("N") { quota.countHard = -1 }
            if given.has("B") { quota.bytesHard = -1 }
            _ = try answer { client.setData(limits, Array(quota.text.utf8), then: $0) }
            return
        }
        for child in try answer({ client.getChildren(ShellQuota.node(path), then: $0) }).children
        where child.hasPrefix("zookeeper_") {
            try answer { client.delete("\(ShellQuota.node(path))/\(child)", then: $0) }
        }
        // The empty nodes on the way down were made for it.
        var node = ShellQuota.node(path)
        while node != ShellQuota.root, try answer({ client.getChildren(node, then: $0) }).children.isEmpty {
            try answer { client.delete(node, then: $0) }
            guard let slash = node.lastIndex(of: "/") else { break }
            node = String(node[..<slash])
        }
    }
}
