package enum JournalLevel: Int, Comparable, Sendable {
    case debug, info, notice, warning, error
    package static func < (a: JournalLevel, b: JournalLevel) -> Bool { a.rawValue < b.rawValue }
}

/// One fact, in the past tense, with its keys.
package struct JournalLine {
    package var wallMs: Int64
    package var level: JournalLevel
    /// Who speaks: `coordinator`, `broker 0`, `broker 0 controller`.
    package var speaker: String
    package var text: String
    package var fields: [(key: String, value: String)]
    package init(
        wallMs: Int64, level: JournalLevel, speaker: String, text: String, fields: [(key: String, value: String)]
    ) {
        self.wallMs = wallMs
        self.level = level
        self.speaker = speaker
        self.text = text
        self.fields = fields
    }
}

/// Where the lines go: the real platform writes them in its style, a test keeps them.
package protocol JournalSink: AnyObject {
    func write(_ line: JournalLine)
}

/// Tells what happened, one line a fact. A journal costs nothing below its level: the fields are not even built.
package struct Journal {
    package var speaker: String
    /// Holds until somebody sets a logger's.
    package var level: JournalLevel
    package let loggers: Loggers
    private let sink: any JournalSink
    private let clock: any Clock

    package init(speaker: String, level: JournalLevel = .info, sink: any JournalSink, clock: any Clock) {
        self.speaker = speaker
        self.level = level
        loggers = Loggers(base: level)
        self.sink = sink
        self.clock = clock
    }

    package func speaking(as speaker: String) -> Journal {
        var other = self
        other.speaker = speaker
        return other
    }

    package typealias Fields = KeyValuePairs<String, any CustomStringConvertible>

    package func debug(_ text: String, _ fields: @autoclosure () -> Fields = [:], file: StaticString = #fileID) {
        write(.debug, text, fields, file)
    }
    package func info(_ text: String, _ fields: @autoclosure () -> Fields = [:], file: StaticString = #fileID) {
        write(.info, text, fields, file)
    }
    package func notice(_ text: String, _ fields: @autoclosure () -> Fields = [:], file: StaticString = #fileID) {
        write(.notice, text, fields, file)
    }
    package func warning(_ text: String, _ fields: @autoclosure () -> Fields = [:], file: StaticString = #fileID) {
        write(.warning, text, fields, file)
    }
    package func error(_ text: String, _ fields: @autoclosure () -> Fields = [:], file: StaticString = #fileID) {
        write(.error, text, fields, file)
    }

    private func write(_ level: JournalLevel, _ text: String, _ fields: () -> Fields, _ file: StaticString) {
        guard loggers.isUntouched ? level >= self.level : loggers.lets(level, from: file) else { return }
        sink.write(
            JournalLine(
                wallMs: clock.wallMs, level: level, speaker: speaker, text: text,
                fields: fields().map { (key: $0.key, value: $0.value.description) }))
    }
}
