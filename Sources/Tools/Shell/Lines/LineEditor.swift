/// Reads lines from a terminal key by key. The loop runs meanwhile, so that sessions stay alive and events are shown as they
/// come, above the line being written.
final class LineEditor {
    private let tool: any ToolWorld
    /// What may stand at the cursor, asked when Tab is pressed.
    private let complete: (_ before: String) -> Completion
    private var buffer = LineBuffer()
    private var decoder = KeyDecoder()
    /// Keys that came behind the last line's end.
    private var waiting: ArraySlice<Key> = []
    private var prompt = ""
    private var isReading = false
    private let stops: () -> Bool

    /// - Parameter stops: true ends the reading as the end of input does.
    init(_ tool: any ToolWorld, stops: @escaping () -> Bool, complete: @escaping (_ before: String) -> Completion) {
        self.tool = tool
        self.stops = stops
        self.complete = complete
    }

    var history: [String] { buffer.history }

    /// - Returns: nil at the end of input.
    func line(prompt: String) -> String? {
        self.prompt = prompt
        guard tool.takeKeys(true) else { return nil }
        isReading = true
        draw()
        defer {
            isReading = false
            _ = tool.takeKeys(false)
        }
        while true {
            while let key = waiting.popFirst() {
                switch buffer.press(key) {
                case .changed: draw()
                case .refused: tool.complain("\u{7}")
                case .clearScreen:
                    tool.complain("\u{1b}[H\u{1b}[2J")
                    draw()
                case .completionWanted: offer()
                case .accepted(let line):
                    tool.complain("\r\n")
                    return line
                case .abandoned:
                    tool.complain("^C\r\n")
                    draw()
                case .ended:
                    tool.complain("\r\n")
                    return nil
                }
            }
            guard let bytes = nextBytes() else { return nil }
            waiting += decoder.keys(from: bytes)
        }
    }

    /// Runs `print` with the line out of the way.
    func aside(_ print: () -> Void) {
        guard isReading else { return print() }
        tool.complain("\r\u{1b}[K")
        _ = tool.takeKeys(false)
        print()
        _ = tool.takeKeys(true)
        draw()
    }

    private func nextBytes() -> ArraySlice<UInt8>? {
        var isReady = false
        guard
            tool.watchInput({
                isReady = true
                return false
            })
        else { return nil }
        tool.run(until: { [stops] in isReady || stops() }, atMost: nil)
        guard isReady else { return nil }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = bytes.withUnsafeMutableBytes { tool.readInput($0) }
        return count > 0 ? bytes[..<count] : nil
    }

    private func offer() {
        let before = String(buffer.text[..<buffer.cursor])
        let completion = complete(before)
        if !completion.insertion.isEmpty {
            buffer.insert(completion.insertion)
            draw()
        } else if completion.choices.count > 1 {
            tool.complain("\r\n" + Completion.columns(completion.choices, width: tool.columns) + "\r\n")
            draw()
        } else {
            tool.complain("\u{7}")
        }
    }

    private func draw() {
        let shownPrompt = buffer.sought.map { "(search)`\($0)': " } ?? prompt
        tool.complain(LineEditor.drawing(of: buffer, prompt: shownPrompt, columns: tool.columns))
    }

    /// One row: a line that is too long is shown around the cursor.
    static func drawing(of buffer: LineBuffer, prompt: String, columns: Int) -> String {
        let room = max(columns - prompt.reduce(0) { $0 + width($1) } - 1, 8)
        var start = buffer.cursor
        var left = 0
        while start > 0, left + width(buffer.text[start - 1]) <= room {
            start -= 1
            left += width(buffer.text[start])
        }
        var end = buffer.cursor
        var all = left
        while end < buffer.text.count, all + width(buffer.text[end]) <= room {
            all += width(buffer.text[end])
            end += 1
        }
        let back = all - left
        return "\r\u{1b}[K" + prompt + String(buffer.text[start..<end]) + (back > 0 ? "\u{1b}[\(back)D" : "")
    }

    /// Columns a character takes: two in the scripts of East Asia and for pictures.
    private static func width(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff00...0xff60,
            0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
            return 2
        default: return 1
        }
    }
}
