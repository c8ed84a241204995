import BrokerServer
import Configuration
import CoordinationServer
import Glibc
import Platform
import Rehearsal
import Tools

/// `letterbox WORD …`: the first word chooses the server or the tool. Only here is the real platform chosen.
@main
struct Main {
    static let version = "0.1.0"

    static func main() {
        let words = Array(Swift.CommandLine.arguments.dropFirst())
        exit(run(words))
    }

    static func run(_ words: [String]) -> Int32 {
        guard let first = words.first else {
            complain(usage)
            return 1
        }
        let rest = Array(words.dropFirst())
        switch first {
        case "coordinator" where rest.first == "check":
            return CheckCommand.run(Array(rest.dropFirst()), ToolSurroundings(name: "coordinator check"))
        case "coordinator":
            return runServer(
                first, rest, switches: CoordinatorProcess.switches, speaker: { _ in first }
            ) { (arguments, world) throws(ServerFailure) in
                try CoordinatorProcess(arguments.properties, switches: arguments.switches, world: world)
            }
        case "broker":
            return runServer(
                first, rest, switches: BrokerProcess.switches,
                speaker: { properties in "broker " + (properties["broker.id"] ?? "?") }
            ) { (arguments, world) throws(ServerFailure) in
                try BrokerProcess(arguments.properties, switches: arguments.switches, world: world)
            }
        case "simulate": return SimulateCommand.run(rest, ToolSurroundings(name: first))
        case "--version", "-version", "version":
            tell(version)
            return 0
        case "--help", "-help", "-h", "help":
            tell(usage)
            return 0
        default:
            if let command = CommandTable.command(first) { return command.run(rest, ToolSurroundings(name: first)) }
            let nearest = nearestName(to: first, among: names + CommandTable.all().map(\.name))
            complain("letterbox: there is no \(first)" + (nearest.map { "; did you mean \($0)?" } ?? ""))
            complain(usage)
            return 1
        }
    }

    static let names = ["coordinator", "broker", "simulate", "help", "version"]

    static let usage = """
        letterbox: messages kept in order, in the manner of Kafka with ZooKeeper
          letterbox coordinator config/zookeeper.properties
          letterbox coordinator check data/zookeeper [--execute]
          letterbox broker config/server.properties [--override key=value]...
          letterbox simulate --seeds 1..200        (a whole cluster in one thread while things break)
          letterbox TOOL [--help | options]     (\(CommandTable.all().map(\.name).joined(separator: ", ")))
        scripts/ has the same under the names tutorials use; scripts/cluster.sh up starts everything.
        """
}
