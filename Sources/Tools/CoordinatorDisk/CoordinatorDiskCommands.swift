import CoordinationServer
import Platform

/// `zkTxnLogToolkit`: ZooKeeper's words, options and lines.
package enum LogToolkitCommand {
    static let help = HelpText(
        "Prints the transactions of a log, or writes a copy of it with broken checksums computed again.",
        examples: [
            "zkTxnLogToolkit.sh data/zookeeper/version-2/log.1",
            "zkTxnLogToolkit.sh -r -v data/zookeeper/version-2/log.1",
            "zkTxnLogToolkit.sh -r -y data/zookeeper/version-2/log.1",
        ],
        options: [
            .flag("dump", "d", help: "Print every transaction (the default)."),
            .flag("recover", "r", help: "Write FILE.fixed, asking about each entry whose checksum is wrong."),
            .flag("verbose", "v", help: "While recovering, print all entries, not only those that are mended."),
            .flag("yes", "y", help: "While recovering, mend without asking."),
            .flag("help", "h", help: "This."),
        ])

    package static func run(_ words: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(words, help, tool) { (line) throws(ToolFailure) in
            guard let path = line.rest.first, line.rest.count == 1 else {
                throw ToolFailure.usage("which log file?", help)
            }
            var toolkit = LogToolkit(path: path)
            toolkit.recovers = line.has("recover")
            toolkit.isVerbose = line.has("verbose")
            let answersYes = line.has("yes")
            do throws(LogToolkit.Failure) {
                try toolkit.run(on: tool.world.disk, say: { tool.say($0) }) {
                    answersYes ? .fix : LogToolkitCommand.answer(tool)
                }
                return 0
            } catch { throw ToolFailure(error.message, status: error.status) }
        }
    }

    private static func answer(_ tool: any ToolWorld) -> LogToolkit.Answer {
        while true {
            var prompt = "Would you like to fix it (Yes/No/Abort) ? "
            prompt.withUTF8 { _ = tool.write(UnsafeRawBufferPointer($0)) }
            var line: [UInt8] = []
            var isOver = false
            withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { byte in
                while true {
                    guard tool.readInput(byte) > 0 else {
                        isOver = true
                        return
                    }
                    if byte[0] == UInt8(ascii: "\n") { return }
                    line.append(byte[0])
                }
            }
            switch line.first(where: { $0 != UInt8(ascii: " ") }) {
            case UInt8(ascii: "y"), UInt8(ascii: "Y"): return .fix
            case UInt8(ascii: "n"), UInt8(ascii: "N"): return .keep
            case UInt8(ascii: "a"), UInt8(ascii: "A"): return .abort
            default: if isOver { return .abort }
            }
        }
    }
}

/// `zkSnapShotToolkit`: ZooKeeper's words, options and lines.
package enum SnapshotToolkitCommand {
    static let help = HelpText(
        "Lists what a snapshot holds.",
        examples: [
            "zkSnapShotToolkit.sh data/zookeeper/version-2/snapshot.0",
            "zkSnapShotToolkit.sh -d data/zookeeper/version-2/snapshot.0",
            "zkSnapShotToolkit.sh -json data/zookeeper/version-2/snapshot.0 | ncdu -f -",
        ],
        options: [
            .flag("d", help: "The data of each node, in base 64."),
            .flag("json", help: "Sizes, in the form that ncdu reads."),
            .flag("help", "h", help: "This."),
        ])

    package static func run(_ words: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(words, help, tool) { (line) throws(ToolFailure) in
            guard let path = line.rest.first, line.rest.count == 1 else {
                throw ToolFailure("USAGE: SnapshotFormatter [-d|-json] snapshot_file", status: 2)
            }
            var toolkit = SnapshotToolkit(path: path)
            toolkit.showsData = line.has("d")
            toolkit.isJSON = line.has("json")
            guard !toolkit.showsData || !toolkit.isJSON else {
                throw ToolFailure("Cannot specify both data dump (-d) and json mode (-json) in same call", status: 2)
            }
            let problem = toolkit.run(on: tool.world.disk, wallMs: tool.world.clock.wallMs) { text in
                var text = text
                text.withUTF8 { _ = tool.write(UnsafeRawBufferPointer($0)) }
            }
            if let problem { throw ToolFailure(problem, status: 2) }
            return 0
        }
    }
}

/// `zkCleanup`: what `autopurge` does, once. The script names the directories of the configuration before the caller's words.
package enum CleanupCommand {
    static let help = HelpText(
        "Removes all but the newest snapshots, and the logs that none of the kept ones needs.",
        examples: [
            "zkCleanup.sh -n 3", "letterbox zkCleanup DATA_LOG_DIR [SNAP_DIR] -n COUNT",
        ],
        options: [
            .value("n", of: "COUNT", help: "How many snapshots are kept; at least 3."),
            .flag("help", "h", help: "This."),
        ])

    package static func run(_ words: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(words, help, tool) { (line) throws(ToolFailure) in
            let count: Int?
            do throws(CommandLineError) { count = try line.integer("n") } catch { throw ToolFailure(error.message) }
            guard let count else { throw ToolFailure.usage("how many snapshots are to be kept? -n COUNT", help) }
            guard count >= 3 else { throw ToolFailure("count should be greater than or equal to 3") }
            guard let logs = line.rest.first, line.rest.count <= 2 else {
                throw ToolFailure.usage("which directory?", help)
            }
            let snapshots = line.rest.count > 1 ? line.rest[1] : logs
            let disk = tool.world.disk
            for path in [logs, snapshots] where !disk.exists(path) {
                throw ToolFailure("Path '\(path)' does not exist. ")
            }
            do throws(DiskError) {
                _ = try SnapshotStore.purge(disk, snapshots + "/version-2", logs + "/version-2", keeping: count) {
                    path in
                    let written = (try? disk.modifiedMs(path)) ?? 0
                    tool.say("Removing file: \(SnapshotStore.time(written))\t\(path)")
                }
                return 0
            } catch { throw ToolFailure("\(error)") }
        }
    }
}

/// `letterbox coordinator check`.
package enum CheckCommand {
    static let help = HelpText(
        "Explains a coordinator's directory: snapshots, logs, damage, and what a start would do. Changes nothing without --execute.",
        examples: [
            "letterbox coordinator check data/zookeeper",
            "letterbox coordinator check data/zookeeper --execute",
            "letterbox coordinator check data/zookeeper --data-log-dir /fast/zookeeper",
        ],
        options: [
            .value("data-log-dir", of: "DIR", help: "Where the logs are, when dataLogDir says so."),
            .flag(
                "execute",
                help: "Make a start possible: what cannot be used is moved to version-2/set-aside, never deleted."),
            .flag("help", "h", help: "This."),
        ])

    package static func run(_ words: [String], _ tool: any ToolWorld) -> Int32 {
        ToolRun.guarded(words, help, tool) { (line) throws(ToolFailure) in
            guard let directory = line.rest.first, line.rest.count == 1 else {
                throw ToolFailure.usage("which directory? The one dataDir names", help)
            }
            let logs: String?
            do throws(CommandLineError) { logs = try line.value("data-log-dir") } catch {
                throw ToolFailure(error.message)
            }
            var check = DirectoryCheck(dataDir: directory, dataLogDir: logs)
            check.executes = line.has("execute")
            return check.run(on: tool.world.disk) { tool.say($0) }
        }
    }
}
