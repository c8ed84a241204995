import Glibc
import Platform

package enum JournalStyle: String, Sendable {
    /// As log4j printed it: what scripts of other people search in.
    case classic
    /// One short line a fact, for people.
    case narrated
}

/// Writes lines to a descriptor, one system call each. Who does not read them (a stopped terminal, a full pipe) loses some and
/// is told how many: the deciding thread waits for nobody's screen.
package final class DescriptorSink: JournalSink {
    private static let patienceMs: Int32 = 50
    private var lost = 0
    private let fd: Int32
    private let style: JournalStyle
    private let colour: Bool

    package init(fd: Int32, style: JournalStyle) {
        self.fd = fd
        self.style = style
        colour = isatty(fd) == 1 && getenv("NO_COLOR") == nil || getenv("CLICOLOR_FORCE") != nil
    }

    package func write(_ line: JournalLine) {
        guard isWritable(withinMs: lost == 0 ? DescriptorSink.patienceMs : 0) else {
            lost += 1
            return
        }
        var text = ""
        if lost > 0 {
            text = "(\(lost) lines before this one were not written: nobody took them)\n"
            lost = 0
        }
        text += DescriptorSink.format(line, style, colour: colour) + "\n"
        put(&text)
    }

    private func put(_ text: inout String) {
        text.withUTF8 { bytes in
            var done = 0
            while done < bytes.count {
                // A pipe that can be written takes this much without blocking.
                let piece = min(bytes.count - done, 4096)
                let count = Glibc.write(fd, bytes.baseAddress.map { $0 + done }, piece)
                if count > 0 {
                    done += count
                    if done < bytes.count, !isWritable(withinMs: DescriptorSink.patienceMs) { return }
                } else if count < 0, errno == EINTR {
                    continue
                } else {
                    // Nobody reads our words any more; that must not stop the service.
                    return
                }
            }
        }
    }

    private func isWritable(withinMs limit: Int32) -> Bool {
        var asked = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
        return poll(&asked, 1, limit) != 0
    }

    static func format(_ line: JournalLine, _ style: JournalStyle, colour: Bool) -> String {
        var seconds = time_t(line.wallMs / 1000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        func padded(_ number: Int, _ width: Int = 2) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let clock = "\(padded(Int(parts.tm_hour))):\(padded(Int(parts.tm_min))):\(padded(Int(parts.tm_sec)))"
        let fields = line.fields.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        switch style {
        case .classic:
            let date =
                "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1))-\(padded(Int(parts.tm_mday)))"
            let level = ["DEBUG", "INFO", "INFO", "WARN", "ERROR"][line.level.rawValue]
            let tail =
                line.text.hasSuffix(")") && line.text.contains(" (") ? "" : " (letterbox.\(logger(line.speaker)))"
            return "[\(date) \(clock),\(padded(Int(line.wallMs % 1000), 3))] \(level) \(line.text)"
                + (fields.isEmpty ? "" : " \(fields)") + tail
        case .narrated:
            var text = "\(clock) "
            // A line that names its own speaker in Kafka's way keeps it: scripts wait for it.
            if !line.text.hasPrefix("[") { text += "\(line.speaker)  " }
            let mark = line.level >= .error ? "error: " : line.level == .warning ? "warning: " : ""
            if colour, !mark.isEmpty {
                text += line.level >= .error ? "\u{1b}[31m\(mark)\u{1b}[0m" : "\u{1b}[33m\(mark)\u{1b}[0m"
            } else {
                text += mark
            }
            text += line.text
            if !fields.isEmpty { text += colour ? "  \u{1b}[2m\(fields)\u{1b}[0m" : "  \(fields)" }
            return text
        }
    }

    private static func logger(_ speaker: String) -> String {
        speaker.split(separator: " ").filter { Int($0) == nil }.joined(separator: ".")
    }
}
