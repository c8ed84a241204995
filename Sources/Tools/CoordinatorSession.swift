import ClusterModel
import CoordinationClient
import CoordinationProtocol
import Platform

/// A tool's session at a coordinator, every call with its answer.
struct CoordinatorSession {
    let client: CoordinationClient
    let tool: any ToolWorld
    let address: String

    /// Connects, calls `body`, closes.
    static func run<T>(
        _ address: String, _ tool: any ToolWorld, patience: Duration = .seconds(10),
        _ body: (CoordinatorSession) throws(ToolFailure) -> T
    ) throws(ToolFailure) -> T {
        let place: ConnectString
        do throws(ConnectStringError) { place = try ConnectString(address) } catch { throw ToolFailure("\(error)") }
        let journal = Journal(speaker: "tool", level: .error, sink: Silence(), clock: tool.world.clock)
        let client = CoordinationClient(
            world: tool.world, connect: place, sessionTimeout: .seconds(10), journal: journal
        ) { _ in }
        client.start()
        tool.run(until: { client.isConnected || client.isOver }, atMost: patience)
        guard client.isConnected else {
            client.abandon()
            throw ToolFailure(
                "LB-2009 no coordinator answers on \(address). Start one: "
                    + "scripts/zookeeper-server-start.sh config/zookeeper.properties")
        }
        defer {
            let _: Bool = tool.wait { client.close(patience: .seconds(1), then: $0) }
        }
        return try body(CoordinatorSession(client: client, tool: tool, address: address))
    }

    private final class Silence: JournalSink {
        func write(_ line: JournalLine) {}
    }

    /// Nil when there is no such node.
    func node(_ path: String) throws(ToolFailure) -> NodeData? {
        let answer: Result<NodeData, CoordinationError> = tool.wait { client.getData(path, then: $0) }
        return try ifThere(answer, path)
    }

    /// None when there is no such node.
    func children(_ path: String) throws(ToolFailure) -> [String] {
        let answer: Result<NodeChildren, CoordinationError> = tool.wait { client.getChildren(path, then: $0) }
        return try ifThere(answer, path)?.children ?? []
    }

    func makePath(_ path: String) throws(ToolFailure) {
        let answer: Result<Void, CoordinationError> = tool.wait { client.makePath(path, then: $0) }
        _ = try ifThere(answer, path)
    }

    func makeChroot() throws(ToolFailure) {
        let answer: Result<Void, CoordinationError> = tool.wait { client.makeChroot(then: $0) }
        _ = try ifThere(answer, "the chroot")
    }

    /// All or nothing.
    func multi(_ operations: [MultiOperation]) throws(ToolFailure) {
        let answer: Result<[MultiResult], MultiError> = tool.wait { client.multi(operations, then: $0) }
        if case .failure(let error) = answer {
            let path = error.index.flatMap { operations.indices.contains($0) ? operations[$0].path : nil }
            throw ToolFailure(
                "the coordinator at \(address) answered \(error.error.message)" + (path.map { " for \($0)" } ?? ""))
        }
    }

    private func ifThere<T>(_ answer: Result<T, CoordinationError>, _ path: String) throws(ToolFailure) -> T? {
        switch answer {
        case .success(let value): return value
        case .failure(.noNode): return nil
        case .failure(let error):
            throw ToolFailure("the coordinator at \(address) answered \(error.message) for \(path)")
        }
    }
}
