import CoordinationProtocol
import Platform
import SimulatedPlatform

extension CoordinatorRun {
    /// The last things that happened, everybody's in one order, and the log's end: for a run that failed.
    func timeline(_ transactions: [WitnessedTransaction]) -> String {
        var lines: [(at: Instant, text: String)] = simulation.story.map { entry in
            let fields = entry.line.fields.map { " \($0.key)=\($0.value)" }.joined()
            return (entry.at, "[\(entry.node)] \(entry.line.text)\(fields)")
        }
        for (at, fault) in plan.faults { lines.append((.start + at, "[fault] \(fault)")) }
        for stream in history.streams {
            let speaker = "[\(stream.client) \(stream.number)]"
            for exchange in stream.sent {
                lines.append((exchange.sentAt, "\(speaker) asked \(exchange.xid) \(exchange.request)"))
                guard let answer = exchange.answer else { continue }
                lines.append((answer.at, "\(speaker) told \(exchange.xid) zxid=\(answer.zxid) \(answer.error)"))
            }
            for case .event(let zxid, let event, let at) in stream.received {
                let kind = event.kind.map { "\($0)" } ?? "\(event.type)"
                lines.append((at, "\(speaker) told of \(kind) \(event.path) zxid=\(zxid)"))
            }
        }
        let ordered = lines.enumerated().sorted { ($0.element.at, $0.offset) < ($1.element.at, $1.offset) }
        return ordered.suffix(250).map { "\($0.element.at) \($0.element.text)" }.joined(separator: "\n")
            + "\nthe log's end:\n" + transactions.suffix(30).map { "  \($0)" }.joined(separator: "\n")
    }
}
