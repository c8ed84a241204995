/// The line being written, and the ones before it. No terminal: keys in, what became of the line out.
struct LineBuffer: Equatable {
    enum Outcome: Equatable {
        /// Draw the line anew.
        case changed
        case accepted(String)
        /// Given up with Ctrl-C.
        case abandoned
        /// Ctrl-D on an empty line.
        case ended
        case completionWanted
        case clearScreen
        /// Nothing can be done with this key here.
        case refused
    }

    private(set) var text: [Character] = []
    /// Characters before it are left of the cursor.
    private(set) var cursor = 0
    /// Older lines first; a line that repeats the last one is kept once.
    private(set) var history: [String] = []
    /// Which line of the history is shown; its count for the new one.
    private var shown = 0
    /// The new line while older ones are looked at.
    private var unfinished: [Character] = []
    private var killed: [Character] = []
    /// What is looked for backwards in the history, while that is so.
    private(set) var sought: String?

    mutating func press(_ key: Key) -> Outcome {
        if sought != nil, let outcome = pressWhileSearching(key) { return outcome }
        switch key {
        case .character(let character): insert([character])
        case .enter: return .accepted(accept())
        case .tab: return .completionWanted
        case .interrupt:
            begin()
            return .abandoned
        case .endOfInput:
            if text.isEmpty { return .ended }
            return remove(cursor..<min(cursor + 1, text.count))
        case .backspace: return remove(max(cursor - 1, 0)..<cursor)
        case .delete: return remove(cursor..<min(cursor + 1, text.count))
        case .killWord: return kill(wordStart..<cursor)
        case .killToStart: return kill(0..<cursor)
        case .killToEnd: return kill(cursor..<text.count)
        case .yank: insert(killed)
        case .left: return move(to: cursor - 1)
        case .right: return move(to: cursor + 1)
        case .wordLeft: return move(to: wordStart)
        case .wordRight: return move(to: wordEnd)
        case .home: cursor = 0
        case .end: cursor = text.count
        case .up: return show(shown - 1)
        case .down: return show(shown + 1)
        case .search: sought = ""
        case .clearScreen: return .clearScreen
        }
        return .changed
    }

    mutating func insert(_ characters: some Sequence<Character>) {
        let new = Array(characters)
        text.insert(contentsOf: new, at: cursor)
        cursor += new.count
    }

    private mutating func accept() -> String {
        let line = String(text)
        if !line.isEmpty, history.last != line { history.append(line) }
        begin()
        return line
    }

    private mutating func begin() {
        text = []
        cursor = 0
        shown = history.count
        unfinished = []
        sought = nil
    }

    private mutating func move(to place: Int) -> Outcome {
        guard (0...text.count).contains(place), place != cursor else { return .refused }
        cursor = place
        return .changed
    }

    private mutating func remove(_ range: Range<Int>) -> Outcome {
        guard !range.isEmpty else { return .refused }
        text.removeSubrange(range)
        cursor = range.lowerBound
        return .changed
    }

    private mutating func kill(_ range: Range<Int>) -> Outcome {
        guard !range.isEmpty else { return .refused }
        killed = Array(text[range])
        return remove(range)
    }

    /// Slashes divide a path as blanks divide words.
    private static func divides(_ character: Character) -> Bool { character == " " || character == "/" }

    private var wordStart: Int {
        var place = cursor
        while place > 0, LineBuffer.divides(text[place - 1]) { place -= 1 }
        while place > 0, !LineBuffer.divides(text[place - 1]) { place -= 1 }
        return place
    }

    private var wordEnd: Int {
        var place = cursor
        while place < text.count, LineBuffer.divides(text[place]) { place += 1 }
        while place < text.count, !LineBuffer.divides(text[place]) { place += 1 }
        return place
    }

    private mutating func show(_ place: Int) -> Outcome {
        guard (0...history.count).contains(place) else { return .refused }
        if shown == history.count { unfinished = text }
        shown = place
        text = place == history.count ? unfinished : Array(history[place])
        cursor = text.count
        return .changed
    }

    /// Nil when the key ends the search and then means what it means otherwise.
    private mutating func pressWhileSearching(_ key: Key) -> Outcome? {
        var wanted = sought ?? ""
        var below = history.count
        switch key {
        case .character(let character): wanted.append(character)
        case .backspace: wanted = String(wanted.dropLast())
        case .search: below = shown
        default:
            sought = nil
            return nil
        }
        guard let found = history[..<min(below, history.count)].lastIndex(where: { $0.contains(wanted) }) else {
            return .refused
        }
        sought = wanted
        _ = show(found)
        return .changed
    }
}
