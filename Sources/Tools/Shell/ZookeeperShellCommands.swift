import ClusterModel
import CoordinationClient
import CoordinationProtocol

/// The commands that speak to the coordinator. Each waits for its answer.
struct ShellCommands {
    let shell: ZookeeperShell
    let client: CoordinationClient

    private struct Form {
        var name: String
        var words: String
        /// Options by their letters; true when a value follows.
        var options: [String: Bool] = [:]
        /// Words needed besides options.
        var needs = 1
        var run: (ShellCommands, Given) throws -> Void
    }

    /// A command's words, taken apart.
    struct Given {
        var rest: [String]
        var options: [String: String]
        func has(_ name: String) -> Bool { options[name] != nil }
        var path: String { rest.first ?? "/" }
        func version() throws(ShellError) -> Int32 {
            guard let text = options["v"] else { return -1 }
            guard let version = Int32(text) else { throw ShellError("version '\(text)' is not a number") }
            return version
        }
    }

    private static var forms: [Form] { reading + writing + others }

    private static let stat = ["s": false]

    private static var reading: [Form] {
        [
            Form(name: "config", words: "[-c] [-w] [-s]", options: ["c": false, "w": false, "s": false], needs: 0) {
                try $0.config($1)
            },
            Form(
                name: "get", words: "[-s] [-w] [-b] [-x] path",
                options: ["s": false, "w": false, "b": false, "x": false]
            ) { try $0.get($1) },
            Form(name: "getAcl", words: "[-s] path", options: stat) { try $0.getACL($1) },
            Form(name: "getAllChildrenNumber", words: "path") { try $0.getAllChildrenNumber($1) },
            Form(name: "getEphemerals", words: "path", needs: 0) { try $0.getEphemerals($1) },
            Form(name: "listquota", words: "path") { try $0.listQuota($1) },
            Form(name: "ls", words: "[-s] [-w] [-R] path", options: ["s": false, "w": false, "R": false]) {
                try $0.list($1)
            },
            Form(name: "stat", words: "[-w] path", options: ["w": false]) { try $0.stat($1) },
            Form(name: "sync", words: "path") { try $0.sync($1) },
            Form(name: "tree", words: "[-d depth] [path]", options: ["d": true], needs: 0) { try $0.tree($1) },
            Form(name: "watch", words: "[-n events] path", options: ["n": true]) { try $0.watchUntilStopped($1) },
            Form(name: "whoami", words: "", needs: 0) { shell, _ in try shell.whoAmI() },
        ]
    }

    private static var writing: [Form] {
        [
            Form(
                name: "create", words: "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
                options: ["s": false, "e": false, "c": false, "t": true]
            ) { try $0.create($1) },
            Form(name: "delete", words: "[-v version] path", options: ["v": true]) { try $0.delete($1) },
            Form(name: "deleteall", words: "path [-b batch size]", options: ["b": true]) { try $0.deleteAll($1) },
            Form(
                name: "delquota", words: "[-n|-b|-N|-B] path",
                options: ["n": false, "b": false, "N": false, "B": false]
            ) { try $0.deleteQuota($1) },
            Form(
                name: "set", words: "path data [-s] [-v version] [-b]", options: ["s": false, "v": true, "b": false],
                needs: 2
            ) { try $0.set($1) },
            Form(
                name: "setAcl", words: "[-s] [-v version] [-R] path acl",
                options: ["s": false, "v": true, "R": false], needs: 2
            ) { try $0.setACL($1) },
            Form(
                name: "setquota", words: "-n|-b|-N|-B val path", options: ["n": true, "b": true, "N": true, "B": true]
            ) { try $0.setQuota($1) },
        ]
    }

    private static var others: [Form] {
        [
            Form(
                name: "addWatch",
                words: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is "
                    + "PERSISTENT_RECURSIVE",
                options: ["m": true]
            ) { try $0.addWatch($1) },
            Form(name: "addauth", words: "scheme auth") { $0.addAuth($1) },
            Form(name: "close", words: "", needs: 0) { shell, _ in
                let _: Bool = shell.shell.tool.wait { shell.client.close(then: $0) }
            },
            Form(
                name: "removewatches", words: "path [-c|-d|-a] [-l]",
                options: ["c": false, "d": false, "a": false, "l": false]
            ) { try $0.removeWatches($1) },
            Form(name: "version", words: "", needs: 0) { shell, _ in
                shell.shell.tool.say("ZooKeeper CLI version: 3.9.4 (Letterbox)")
            },
        ]
    }

    private static let own = [
        "connect host:port", "exit", "help", "history", "printwatches on|off", "quit", "redo cmdno",
    ]

    /// Whatever can be the first word.
    static var names: [String] {
        forms.map(\.name) + own.map { String($0.prefix { $0 != " " }) } + FourLetterWord.names.filter { $0 != "stat" }
    }

    static func options(of command: String) -> [String] {
        (forms.first { $0.name == command }?.options.keys).map { $0.map { "-" + $0 } } ?? []
    }

    static var usage: String {
        let lines = (forms.map { $0.words.isEmpty ? $0.name : "\($0.name) \($0.words)" } + own).sorted()
        return "ZooKeeper -server host:port -client-configuration properties-file cmd args\n"
            + lines.map { "\t" + $0 }.joined(separator: "\n")
    }

    func execute(_ words: [String]) throws(ShellError) {
        let name = words[0]
        guard let form = ShellCommands.forms.first(where: { $0.name == name }) else {
            shell.tool.warn(ShellCommands.usage)
            throw ShellError("Command not found: Command not found \(name)")
        }
        let given = try ShellCommands.given(words.dropFirst(), form.options)
        guard given.rest.count >= form.needs else { throw ShellError("\(form.name) \(form.words)") }
        do {
            try form.run(self, given)
        } catch let error as ShellError {
            throw error
        } catch let error as CoordinationError {
            throw ShellError(ShellCommands.words(for: error, given.path))
        } catch {
            throw ShellError("\(error)")
        }
    }

    static func given(_ words: ArraySlice<String>, _ options: [String: Bool]) throws(ShellError) -> Given {
        var given = Given(rest: [], options: [:])
        var words = words
        while let word = words.popFirst() {
            let name = String(word.drop { $0 == "-" })
            guard word.hasPrefix("-"), let takesValue = options[name] else {
                given.rest.append(word)
                continue
            }
            if takesValue {
                guard let value = words.popFirst() else { throw ShellError("Missing argument for option: \(name)") }
                given.options[name] = value
            } else {
                given.options[name] = ""
            }
        }
        return given
    }

    /// As ZooKeeper's shell says it.
    static func words(for error: CoordinationError, _ path: String) -> String {
        switch error {
        case .noNode: "Node does not exist: \(path)"
        case .noChildrenForEphemerals: "Ephemerals cannot have children: \(path)"
        case .nodeExists: "Node already exists: \(path)"
        case .notEmpty: "Node not empty: \(path)"
        case .notReadOnly: "Not a read-only call: \(path)"
        case .invalidACL: "Acl is not valid : \(path)"
        case .noAuth: "Insufficient permission : \(path)"
        case .badArguments: "Arguments are not valid : \(path)"
        case .badVersion: "version No is not valid : \(path)"
        case .quotaExceeded: "Quota has exceeded : \(path)"
        default: "KeeperErrorCode = \(error.name) for \(path)"
        }
    }

    static func checkPath(_ path: String) throws(ShellError) {
        guard path.hasPrefix("/") else {
            throw ShellError("Path must start with / character")
        }
        if path == "/" { return }
        if path.hasSuffix("/") { throw ShellError("Path must not end with / character") }
        for element in path.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            if element.isEmpty {
                throw ShellError("Invalid path string \"\(path)\" caused by empty node name specified")
            }
            if element == "." || element == ".." {
                throw ShellError("Invalid path string \"\(path)\" caused by relative paths not allowed")
            }
        }
    }

    func answer<T>(_ ask: (@escaping CoordinationClient.Completion<T>) -> Void) throws -> T {
        try shell.wait { (done: @escaping (Result<T, CoordinationError>) -> Void) in ask(done) }.get()
    }

    func checked(_ given: Given) throws(ShellError) -> String {
        try ShellCommands.checkPath(given.path)
        return given.path
    }

    private var watch: CoordinationClient.WatchHandler { { [weak shell] in shell?.watched($0) } }

    // MARK: Reading

    private func list(_ given: Given) throws {
        let path = try checked(given)
        if given.has("R") {
            // A level at a time, as ZooKeeper 3.8 does.
            var queue = [path]
            var next = 0
            while next < queue.count {
                let parent = queue[next]
                next += 1
                do {
                    let children = try answer { client.getChildren(parent, then: $0) }.children
                    queue += children.map { parent == "/" ? "/\($0)" : "\(parent)/\($0)" }
                } catch let error as CoordinationError where error == .noNode && parent != path {
                    continue
                }
                shell.tool.say(parent)
            }
            return
        }
        let answer = try answer { client.getChildren(path, watch: given.has("w") ? watch : nil, then: $0) }
        shell.tool.say("[" + answer.children.joined(separator: ", ") + "]")
        if given.has("s") { shell.tool.say(ShellFormat.stat(answer.stat)) }
    }

    private func get(_ given: Given) throws {
        let path = try checked(given)
        let answer = try answer { client.getData(path, watch: given.has("w") ? watch : nil, then: $0) }
        let data = answer.data ?? Array("null".utf8)
        let shown: [UInt8] =
            given.has("x")
            ? Array(ShellFormat.hexDump(data).utf8) : given.has("b") ? Array(ShellFormat.base64(data).utf8) : data
        if given.options.keys.allSatisfy({ $0 == "s" || $0 == "w" }), shell.tool.outputIsTerminal,
            let laidOut = JSONLayout.indented(data)
        {
            shell.tool.say(laidOut)
        } else {
            (shown + [10]).withUnsafeBytes { _ = shell.tool.write($0) }
        }
        if given.has("s") { shell.tool.say(ShellFormat.stat(answer.stat)) }
    }

    private func stat(_ given: Given) throws {
        let path = try checked(given)
        guard let stat = try answer({ client.exists(path, watch: given.has("w") ? watch : nil, then: $0) }) else {
            throw CoordinationError.noNode
        }
        shell.tool.say(ShellFormat.stat(stat))
    }

    private func getAllChildrenNumber(_ given: Given) throws {
        let path = try checked(given)
        shell.tool.say("\(try answer { client.getAllChildrenNumber(path, then: $0) })")
    }

    private func getEphemerals(_ given: Given) throws {
        let path = try checked(given)
        let paths = try answer { client.getEphemerals(below: path, then: $0) }
        shell.tool.say("[" + paths.joined(separator: ", ") + "]")
    }

    private func config(_ given: Given) throws {
        let answer = try answer { client.getData("/zookeeper/config", watch: given.has("w") ? watch : nil, then: $0) }
        shell.tool.say(String(decoding: answer.data ?? [], as: UTF8.self))
        if given.has("s") { shell.tool.say(ShellFormat.stat(answer.stat)) }
    }

    private func sync(_ given: Given) throws {
        let path = try checked(given)
        try answer { client.sync(path, then: $0) }
        shell.tool.say("Sync is OK")
    }

    private func whoAmI() throws {
        let known = try answer { client.whoAmI(then: $0) }
        shell.tool.say("Auth scheme: User")
        for one in known { shell.tool.say("\(one.scheme): \(one.user)") }
    }

    // MARK: Writing

    private func create(_ given: Given) throws {
        let path = given.path
        // A sequential node may have an empty name before its number.
        if given.has("s"), path.hasSuffix("/"), path.hasPrefix("/") {} else { try ShellCommands.checkPath(path) }
        let (e, s, c, t) = (given.has("e"), given.has("s"), given.has("c"), given.has("t"))
        if c, e || s {
            throw ShellError("-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.")
        }
        if t, e { throw ShellError("TTLs cannot be used with Ephemeral znodes") }
        if t, c { throw ShellError("TTLs cannot be used with Container znodes") }
        let data = given.rest.count > 1 ? Array(given.rest[1].utf8) : nil
        let acl = given.rest.count > 2 ? try ShellFormat.acl(given.rest[2], shell.tool) : ACL.open
        let made: String
        if t {
            guard let ttl = given.options["t"].flatMap({ Int64($0) }) else {
                throw ShellError("-t argument must be a long value")
            }
            made = try answer {
                client.createTTL(path, data, sequential: s, milliseconds: ttl, acl: acl, then: $0)
            }.path
        } else if c {
            made = try answer { client.create2(path, data, mode: .container, acl: acl, then: $0) }.path
        } else {
            let mode: CreateMode =
                e ? (s ? .ephemeralSequential : .ephemeral) : (s ? .persistentSequential : .persistent)
            made = try answer { client.create(path, data, mode: mode, acl: acl, then: $0) }
        }
        shell.tool.warn("Created \(made)")
    }

    private func set(_ given: Given) throws {
        let path = try checked(given)
        var data = Array(given.rest[1].utf8)
        if given.has("b") {
            guard let plain = ShellFormat.base64Decoded(given.rest[1]) else {
                throw ShellError("the data is not base64")
            }
            data = plain
        }
        let version = try given.version()
        let stat = try answer { client.setData(path, data, version: version, then: $0) }
        if given.has("s") { shell.tool.say(ShellFormat.stat(stat)) }
    }

    private func delete(_ given: Given) throws {
        let path = try checked(given)
        let version = try given.version()
        try answer { client.delete(path, version: version, then: $0) }
    }

    private func deleteAll(_ given: Given) throws {
        let path = try checked(given)
        var queue = [path]
        var next = 0
        while next < queue.count {
            let parent = queue[next]
            next += 1
            do {
                let children = try answer { client.getChildren(parent, then: $0) }.children
                queue += children.filter { parent != "/" || $0 != "zookeeper" }
                    .map { parent == "/" ? "/\($0)" : "\(parent)/\($0)" }
            } catch let error as CoordinationError where error == .noNode && parent != path {
                continue
            }
        }
        var failed = false
        for node in queue.reversed() where node != "/" {
            let result: Result<Void, CoordinationError> = shell.tool.wait { client.delete(node, then: $0) }
            if case .failure(let error) = result, error != .noNode { failed = true }
        }
        if failed { shell.tool.warn("Failed to delete some node(s) in the subtree!") }
    }

    // MARK: Access control and watches

    private func getACL(_ given: Given) throws {
        let path = try checked(given)
        let answer = try answer { client.getACL(path, then: $0) }
        for acl in answer.acl {
            shell.tool.say("'\(acl.scheme),'\(acl.id)\n: \(ShellFormat.permissions(acl.permissions))")
        }
        if given.has("s") { shell.tool.say(ShellFormat.stat(answer.stat)) }
    }

    private func setACL(_ given: Given) throws {
        let path = try checked(given)
        let acl = try ShellFormat.acl(given.rest[1], shell.tool)
        let version = try given.version()
        var paths = [path]
        var next = 0
        while given.has("R"), next < paths.count {
            let parent = paths[next]
            next += 1
            let children = try answer { client.getChildren(parent, then: $0) }.children
            paths += children.map { parent == "/" ? "/\($0)" : "\(parent)/\($0)" }
        }
        for node in paths {
            let stat = try answer { client.setACL(node, acl, version: version, then: $0) }
            if given.has("s") { shell.tool.say(ShellFormat.stat(stat)) }
        }
    }

    private func addAuth(_ given: Given) {
        client.addAuth(scheme: given.rest[0], given.rest.count > 1 ? Array(given.rest[1].utf8) : [])
    }

    private func addWatch(_ given: Given) throws {
        let path = try checked(given)
        let mode = given.options["m"]?.uppercased() ?? "PERSISTENT_RECURSIVE"
        guard mode == "PERSISTENT" || mode == "PERSISTENT_RECURSIVE" else {
            throw ShellError("mode is PERSISTENT or PERSISTENT_RECURSIVE, not \(mode)")
        }
        try answer { client.addWatch(path, recursive: mode == "PERSISTENT_RECURSIVE", watch: watch, then: $0) }
    }

    private func removeWatches(_ given: Given) throws {
        let path = try checked(given)
        let type: WatcherType = given.has("c") ? .children : given.has("d") ? .data : .any
        try answer { client.removeWatches(path, type, then: $0) }
    }
}
