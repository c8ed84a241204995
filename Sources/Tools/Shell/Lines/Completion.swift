/// What Tab may put at the cursor.
struct Completion: Equatable {
    /// Goes into the line: what all choices share, and a blank behind a lone one.
    var insertion = ""
    /// Whole names, sorted, to be shown when nothing can be put in.
    var choices: [String] = []

    /// What the word at the cursor may become.
    enum Wanted: Equatable {
        case command(prefix: String)
        case option(command: String, prefix: String)
        /// A child of `parent` that begins with `prefix`.
        case node(parent: String, prefix: String)
        case nothing
    }

    static func wanted(before: String) -> Wanted {
        let words = before.drop { $0 == " " }.split(separator: " ", omittingEmptySubsequences: false)
        let last = String(words.last ?? "")
        guard words.count > 1, let command = words.first else { return .command(prefix: last) }
        if last.hasPrefix("-") { return .option(command: String(command), prefix: last) }
        if last.isEmpty { return .node(parent: "", prefix: "") }
        guard last.hasPrefix("/"), let slash = last.lastIndex(of: "/") else { return .nothing }
        return .node(
            parent: slash == last.startIndex ? "/" : String(last[..<slash]),
            prefix: String(last[last.index(after: slash)...]))
    }

    /// - Parameter behindLone: what follows the only choice: a blank, or a slash when it goes on.
    init(_ candidates: some Sequence<String>, prefix: String, behindLone: (String) -> String) {
        choices = candidates.filter { $0.hasPrefix(prefix) }.sorted()
        guard let first = choices.first else { return }
        if choices.count == 1 {
            insertion = String(first.dropFirst(prefix.count)) + behindLone(first)
            return
        }
        var shared = Substring(first)
        for other in choices.dropFirst() {
            shared = shared.prefix(zip(shared, other).prefix { $0 == $1 }.count)
        }
        insertion = String(shared.dropFirst(prefix.count))
    }

    init() {}

    /// Names in as many columns as fit, read downwards. Thousands are not shown.
    static func columns(_ names: [String], width: Int) -> String {
        let limit = 200
        let shown = names.prefix(limit)
        let cell = (shown.map(\.count).max() ?? 0) + 2
        let across = max(width / cell, 1)
        let rows = (shown.count + across - 1) / across
        var lines = (0..<rows).map { row in
            let inRow = stride(from: row, to: shown.count, by: rows).map { shown[$0] }
            return inRow.dropLast().map { $0 + String(repeating: " ", count: cell - $0.count) }.joined()
                + (inRow.last ?? "")
        }
        if names.count > limit { lines.append("… and \(names.count - limit) more") }
        return lines.joined(separator: "\r\n")
    }
}
