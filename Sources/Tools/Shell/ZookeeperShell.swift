import CoordinationClient
import CoordinationProtocol
import Platform

/// `zookeeper-shell` and `zkCli`: the tree by hand. Words behind the address are one command; without them lines are read from
/// stdin. Prints what ZooKeeper's own shell prints.
package enum ZookeeperShellCommand {
    static let shellUsage =
        "USAGE: zookeeper-shell.sh zookeeper_host:port[/path] [-zk-tls-config-file file] [args...]"

    package static func run(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        guard let first = arguments.first else {
            tool.warn(shellUsage)
            return 1
        }
        if first == "--help" || first == "-help" || first == "-h" {
            tool.say(shellUsage)
            tool.say("  zookeeper-shell.sh localhost:2181 ls /brokers/ids")
            tool.say("Commands:\n" + ShellCommands.usage)
            return 0
        }
        if first.hasPrefix("-") { return runWithOptions(arguments, tool) }
        return shell(connect: first, Array(arguments.dropFirst()), tool)
    }

    /// `zkCli.sh [-server host:port] [-timeout ms] [-r] [-waitforconnection] [cmd args]`.
    package static func runWithOptions(_ arguments: [String], _ tool: any ToolWorld) -> Int32 {
        if ["-help", "--help", "-h"].contains(arguments.first ?? "") {
            tool.say("USAGE: zkCli.sh [-server HOST:PORT] [-timeout MS] [COMMAND...]")
            tool.say("  zkCli.sh -server localhost:2181 ls /brokers/ids")
            tool.say("The commands are those of zookeeper-shell.sh: zkCli.sh help lists them.")
            return 0
        }
        var connect = "localhost:2181"
        var rest = arguments[...]
        if let index = rest.firstIndex(of: "-server") {
            guard index + 1 < rest.endIndex else {
                tool.warn("Error: no argument found for option -server")
                return 1
            }
            connect = rest[index + 1]
            rest.removeSubrange(index...(index + 1))
        }
        return shell(connect: connect, Array(rest), tool)
    }

    private static func shell(connect: String, _ words: [String], _ tool: any ToolWorld) -> Int32 {
        var timeout = Duration.seconds(30)
        var words = words[...]
        while let option = words.first, option.hasPrefix("-") {
            words.removeFirst()
            switch option {
            case "-r", "-waitforconnection": break
            case "-timeout":
                guard let text = words.popFirst(), let ms = Int64(text), ms > 0 else {
                    tool.warn("Error: no argument found for option -timeout")
                    return 1
                }
                timeout = .milliseconds(ms)
            case "-zk-tls-config-file", "-client-configuration":
                _ = words.popFirst()
                tool.warn("note: \(option) was passed over, the coordinator speaks no TLS")
            default:
                tool.warn("Error: \(option) is not an option")
                return 1
            }
        }
        let place: ConnectString
        do throws(ConnectStringError) { place = try ConnectString(connect) } catch {
            tool.warn("\(error)")
            return 1
        }
        let shell = ZookeeperShell(tool, timeout: timeout)
        tool.say("Connecting to \(connect)")
        if words.isEmpty {
            tool.say("Welcome to ZooKeeper!")
            tool.say("JLine support is \(tool.inputIsTerminal ? "enabled" : "disabled")")
        }
        // Before the first helper thread.
        if tool.inputIsTerminal || words.first == "watch" {
            tool.onSignals([2, 15]) { [weak shell] in shell?.interrupted(by: $0) }
        }
        guard shell.connect(to: place) else { return 1 }
        if words.isEmpty { shell.readLines() } else { shell.execute(Array(words)) }
        shell.finish()
        return shell.status
    }
}

/// One run of the shell: its session, and what it remembers between lines.
final class ZookeeperShell {
    let tool: any ToolWorld
    let timeout: Duration
    private(set) var client: CoordinationClient?
    private var place = ConnectString(hosts: [])
    private(set) var status: Int32 = 0
    private var history: [String] = []
    var printsWatches = true
    private var isQuitting = false
    private var trouble: (host: String, reason: String)?
    private var saidTrouble = false
    private var input: [UInt8] = []
    private var inputEnded = false
    private var editor: LineEditor?
    /// Ctrl-C was pressed while a command ran; it ends that command.
    private(set) var isInterrupted = false

    init(_ tool: any ToolWorld, timeout: Duration) {
        self.tool = tool
        self.timeout = timeout
    }

    // MARK: The session

    func connect(to place: ConnectString? = nil) -> Bool {
        if let place { self.place = place }
        if let client, !client.isOver { closeSession(client) }
        let journal = Journal(
            speaker: "zookeeper-shell", level: .error, sink: SilentSink(), clock: tool.world.clock)
        let client = CoordinationClient(
            world: tool.world, connect: self.place, sessionTimeout: timeout, journal: journal
        ) { [weak self] event in self?.told(event) }
        self.client = client
        client.start()
        let patience = min(timeout, .seconds(10))
        tool.run(until: { client.isConnected || client.isOver }, atMost: patience)
        guard client.isConnected else {
            tool.warn(
                "KeeperErrorCode = ConnectionLoss: no coordinator answered at \(self.place) within "
                    + "\(patience.wholeMilliseconds / 1000) s")
            client.abandon()
            status = 1
            return false
        }
        return true
    }

    private func told(_ event: SessionEvent) {
        switch event {
        case .connected: state("SyncConnected")
        case .disconnected: state("Disconnected")
        case .expired: state("Expired")
        case .authFailed: state("AuthFailed")
        case .attemptFailed(let host, let reason):
            guard !saidTrouble else { return }
            saidTrouble = true
            tool.warn(
                "LB-2004 no coordinator at \(host) (\(reason)). Is it up?  start it: "
                    + "scripts/zookeeper-server-start.sh config/zookeeper.properties")
        }
    }

    private func state(_ name: String) { announce("state:\(name) type:None path:null zxid: -1") }

    func watched(_ event: WatchEvent) {
        announce(
            "state:SyncConnected type:\(ShellFormat.name(event.kind)) path:\(event.path) zxid: \(client?.lastZxid ?? -1)"
        )
    }

    private func announce(_ words: String) {
        guard printsWatches else { return }
        let text = "\nWATCHER::\n\nWatchedEvent \(words)"
        if let editor { editor.aside { tool.say(text) } } else { tool.say(text) }
    }

    func interrupted(by signal: Int32) {
        isInterrupted = true
        if signal != 2 { isQuitting = true }
    }

    /// Begins something and runs the loop until it has called back, or somebody presses Ctrl-C.
    func wait<T>(_ begin: (@escaping (T) -> Void) -> Void) throws(ShellError) -> T {
        var answer: T?
        begin { answer = $0 }
        while true {
            if let answer { return answer }
            if isInterrupted { throw ShellError("interrupted") }
            tool.run(until: { answer != nil || isInterrupted }, atMost: nil)
        }
    }

    private func closeSession(_ client: CoordinationClient) {
        let _: Bool = tool.wait { client.close(patience: .seconds(1), then: $0) }
    }

    func finish() {
        if let client, !client.isOver { closeSession(client) }
        if isQuitting { state("Closed") }
    }

    // MARK: Lines

    func readLines() {
        if tool.inputIsTerminal {
            editor = LineEditor(tool, stops: { [weak self] in self?.isQuitting ?? true }) { [weak self] in
                self?.completion(of: $0) ?? Completion()
            }
        }
        while !isQuitting {
            guard let line = editor == nil ? nextLine() : editor?.line(prompt: prompt) else { return }
            guard !line.allSatisfy({ $0 == " " }) else { continue }
            history.append(line)
            execute(ZookeeperShell.words(of: line))
        }
    }

    private var prompt: String {
        let state = client?.isConnected == true ? "CONNECTED" : client?.isOver == true ? "CLOSED" : "CONNECTING"
        return "[zk: \(place)(\(state)) \(history.count)] "
    }

    /// Names of commands, their options, and nodes of the tree as it is now.
    private func completion(of before: String) -> Completion {
        switch Completion.wanted(before: before) {
        case .nothing: return Completion()
        case .command(let prefix): return Completion(ShellCommands.names, prefix: prefix) { _ in " " }
        case .option(let command, let prefix):
            return Completion(ShellCommands.options(of: command), prefix: prefix) { _ in " " }
        case .node("", _): return Completion(["/"], prefix: "") { _ in "" }
        case .node(let parent, let prefix):
            let below = parent == "/" ? "/" : parent + "/"
            return Completion(children(of: parent), prefix: prefix) { name in
                children(of: below + name).isEmpty ? " " : "/"
            }
        }
    }

    /// None when the answer takes longer than somebody at a keyboard waits.
    private func children(of path: String) -> [String] {
        guard let client, client.isConnected else { return [] }
        var found: [String]?
        client.getChildren(path) { found = (try? $0.get().children) ?? [] }
        tool.run(until: { found != nil }, atMost: .seconds(1))
        return found ?? []
    }

    /// Waits in the loop, so that the session is kept alive meanwhile.
    private func nextLine() -> String? {
        while true {
            if let end = input.firstIndex(of: 10) {
                let line = input[..<end]
                let text = String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
                input.removeSubrange(...end)
                return text
            }
            if inputEnded {
                defer { input = [] }
                return input.isEmpty ? nil : String(decoding: input, as: UTF8.self)
            }
            var isReady = false
            if tool.watchInput({
                isReady = true
                return false
            }) {
                tool.run(until: { isReady }, atMost: nil)
            }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = buffer.withUnsafeMutableBytes { tool.readInput($0) }
            if count > 0 { input += buffer[..<count] } else { inputEnded = true }
        }
    }

    /// Blanks separate words, quotes of either kind hold them together.
    static func words(of line: String) -> [String] {
        var words: [String] = []
        var rest = line[...]
        while true {
            rest = rest.drop { $0 == " " || $0 == "\t" }
            guard let first = rest.first else { return words }
            if first == "\"" || first == "'", let end = rest.dropFirst().firstIndex(of: first) {
                words.append(String(rest[rest.index(after: rest.startIndex)..<end]))
                rest = rest[rest.index(after: end)...]
            } else {
                let word = rest.prefix { $0 != " " && $0 != "\t" }
                words.append(String(word))
                rest = rest[word.endIndex...]
            }
        }
    }

    // MARK: Commands

    func execute(_ words: [String]) {
        guard let name = words.first else { return }
        isInterrupted = false
        do throws(ShellError) {
            switch name {
            case let name where words.count == 1 && FourLetterWord.names.contains(name):
                guard let host = client?.host ?? place.hosts.first else { return }
                try FourLetterWord.ask(name, host, shell: self)
            case "quit", "exit": isQuitting = true
            case "help": tool.warn(ShellCommands.usage)
            case "history":
                for (index, line) in history.enumerated().suffix(11) { tool.say("\(index) - \(line)") }
            case "redo": try redo(words)
            case "printwatches":
                if words.count == 1 {
                    tool.say("printwatches is \(printsWatches ? "on" : "off")")
                } else {
                    printsWatches = words[1] == "on"
                }
            case "connect":
                guard words.count < 2 || (try? ConnectString(words[1])) != nil else {
                    throw ShellError("\(words[1]) is not HOST:PORT")
                }
                guard connect(to: words.count < 2 ? nil : try? ConnectString(words[1])) else {
                    throw ShellError("Not connected")
                }
            default:
                guard let client, !client.isOver else {
                    tool.say("Not connected")
                    return
                }
                tool.run(until: { client.isConnected || client.isOver || isInterrupted }, atMost: timeout)
                guard client.isConnected else { throw ShellError("KeeperErrorCode = ConnectionLoss") }
                try ShellCommands(shell: self, client: client).execute(words)
            }
            status = 0
        } catch {
            tool.warn(error.message)
            status = 1
        }
    }

    private func redo(_ words: [String]) throws(ShellError) {
        guard words.count > 1, let index = Int(words[1]), history.indices.dropLast().contains(index) else {
            throw ShellError("Command index out of range")
        }
        let again = ZookeeperShell.words(of: history[index])
        guard again.first != "redo" else { throw ShellError("No redoing redos") }
        history[history.count - 1] = history[index]
        execute(again)
    }
}

struct ShellError: Error {
    var message: String
    init(_ message: String) { self.message = message }
}

/// The shell says what is to be said itself.
private final class SilentSink: JournalSink {
    func write(_ line: JournalLine) {}
}
