import Platform

/// One thing that goes wrong, as data: when, what, to whom, for how long.
///
/// Its text is one line, `3250 cut leader followers for 4100`: milliseconds since the start of the play, the kind, the nodes, and
/// how long it lasts. A node is named (`broker-0`, `coordinator`, `producer-1`), or by its part in that moment: `leader` (of the
/// first partition), `controller`, `follower` (one of its followers), `followers`, `brokers`.
package struct Fault: Equatable, Sendable, CustomStringConvertible {
    package enum Kind: String, CaseIterable, Sendable {
        /// `kill -9`, and a start afterwards.
        case kill
        /// The plug is pulled, and put in again; only what was synced is certain. See ``Cluster/mayLosePower(_:)``.
        case power
        /// SIGSTOP and SIGCONT.
        case pause
        /// SIGTERM: a clean stop, and a start afterwards.
        case stop
        /// Nothing passes between the first node and the others.
        case cut
        /// Nothing passes from the first node to the others.
        case mute
        /// Every connection between them is reset.
        case reset
        /// The disk takes `amount` milliseconds longer for everything.
        case slow
        /// The next operations of the disk fail with EIO (`amount` 0) or ENOSPC (1); the machine is started anew afterwards.
        case disk
        /// The wall clock jumps by `amount` milliseconds, and back.
        case clock
        /// The wall clock runs `amount` parts in a million too fast.
        case drift
    }

    package var atMs: Int
    package var kind: Kind
    package var nodes: [String]
    package var lastsMs: Int
    package var amount: Int

    package init(atMs: Int, _ kind: Kind, _ nodes: [String], lastsMs: Int, amount: Int = 0) {
        self.atMs = atMs
        self.kind = kind
        self.nodes = nodes
        self.lastsMs = lastsMs
        self.amount = amount
    }

    package var description: String {
        "\(atMs) \(kind.rawValue) \(nodes.joined(separator: " ")) for \(lastsMs)" + (amount == 0 ? "" : " by \(amount)")
    }

    /// Nil when `text` is no fault.
    package init?(_ text: some StringProtocol) {
        var words = text.split(separator: " ")
        guard words.count >= 2, let at = Int(words[0]), at >= 0, let kind = Kind(rawValue: String(words[1])) else {
            return nil
        }
        words.removeFirst(2)
        var lasts = 0
        var amount = 0
        if words.count >= 2, words[words.count - 2] == "by" {
            guard let number = Int(words[words.count - 1]) else { return nil }
            amount = number
            words.removeLast(2)
        }
        if words.count >= 2, words[words.count - 2] == "for" {
            guard let number = Int(words[words.count - 1]), number >= 0 else { return nil }
            lasts = number
            words.removeLast(2)
        }
        guard !words.isEmpty else { return nil }
        self.init(atMs: at, kind, words.map { String($0) }, lastsMs: lasts, amount: amount)
    }

    /// Faults as one word of a command line: their lines, separated by semicolons.
    package static func list(_ text: String) -> [Fault]? {
        var faults: [Fault] = []
        for part in text.split(whereSeparator: { $0 == ";" || $0 == "\n" }) {
            if part.allSatisfy({ $0 == " " }) { continue }
            guard let fault = Fault(part) else { return nil }
            faults.append(fault)
        }
        return faults
    }
}
