import CoordinationClient
import CoordinationProtocol

/// What ZooKeeper's shell does not have.
extension ShellCommands {
    /// A subtree as it stands, one node a line, read node by node.
    func tree(_ given: Given) throws {
        let path = try checked(given)
        var depth = Int.max
        if let text = given.options["d"] {
            guard let number = Int(text), number >= 0 else { throw ShellError("-d needs a number of levels") }
            depth = number
        }
        struct Place {
            var path: String
            var lead: String
            var branch: String
            var below: String
            var level: Int
        }
        var stack = [Place(path: path, lead: path, branch: "", below: "", level: 0)]
        while let place = stack.popLast() {
            let answer: NodeChildren
            do {
                answer = try self.answer { client.getChildren(place.path, then: $0) }
            } catch let error as CoordinationError where error == .noNode && place.level > 0 {
                continue
            } catch let error as CoordinationError where error == .noAuth {
                shell.tool.say("\(place.branch)\(place.lead)  (may not be read)")
                continue
            }
            shell.tool.say(place.branch + place.lead + ShellCommands.remark(answer.stat))
            guard place.level < depth else { continue }
            let names = answer.children.sorted()
            for (index, name) in names.enumerated().reversed() {
                let isLast = index == names.count - 1
                stack.append(
                    Place(
                        path: place.path == "/" ? "/\(name)" : "\(place.path)/\(name)", lead: name,
                        branch: place.below + (isLast ? "└── " : "├── "),
                        below: place.below + (isLast ? "    " : "│   "), level: place.level + 1))
            }
        }
    }

    private static func remark(_ stat: Stat) -> String {
        var words: [String] = []
        if stat.ephemeralOwner != 0 {
            words.append("session 0x" + String(UInt64(bitPattern: stat.ephemeralOwner), radix: 16))
        }
        if stat.dataLength > 0 { words.append("\(stat.dataLength) B") }
        return words.isEmpty ? "" : "  (\(words.joined(separator: ", ")))"
    }

    /// Tells every change at and below a path, until Ctrl-C or as many events as were asked for.
    func watchUntilStopped(_ given: Given) throws {
        let path = try checked(given)
        var left = Int.max
        if let text = given.options["n"] {
            guard let number = Int(text), number > 0 else { throw ShellError("-n needs a number of events") }
            left = number
        }
        let shell = shell
        let tool = shell.tool
        try answer {
            client.addWatch(
                path, recursive: true,
                watch: { event in
                    guard left > 0 else { return }
                    left -= 1
                    tool.say(
                        "\(ShellFormat.timeOfDay(ms: tool.world.clock.wallMs)) \(ShellFormat.name(event.kind)) \(event.path)"
                    )
                }, then: $0)
        }
        tool.warn("watching \(path) and what is below it; Ctrl-C ends this")
        tool.run(until: { left == 0 || shell.isInterrupted || client.isOver }, atMost: nil)
        guard !client.isOver else { throw ShellError("the session is over") }
        let _: Result<Void, CoordinationError> = tool.wait { client.removeWatches(path, .any, then: $0) }
    }
}
