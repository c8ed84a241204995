import Coordination
import CoordinationProtocol

/// What the journal tells at its debug level, as bits: `gtmk` shows them, `stmk` sets them. Rule: ZooKeeper's ZooTrace.
struct TraceMask: OptionSet {
    let rawValue: Int64
    static let requests = TraceMask(rawValue: 1 << 1)
    static let pings = TraceMask(rawValue: 1 << 3)
    static let packets = TraceMask(rawValue: 1 << 4)
    static let sessions = TraceMask(rawValue: 1 << 5)
    static let warnings = TraceMask(rawValue: 1 << 8)
    static let usual: TraceMask = [.requests, .packets, .sessions, .warnings]
}

extension CoordinationServer {
    func trace(_ packet: UnsafeRawBufferPointer, _ outcome: CoordinationCore.Outcome, _ connection: ClientConnection) {
        guard traceMask.contains(outcome.op == .ping ? .pings : .requests) else { return }
        world.journal.debug(
            "handled a request",
            [
                "op": outcome.op?.shortName ?? "NA", "bytes": packet.count, "peer": connection.connection.peer,
                "session": "0x" + LogFormat.hex(core.session(of: connection.client)),
                "zxid": "0x" + LogFormat.hex(core.zxid),
            ])
    }
}
