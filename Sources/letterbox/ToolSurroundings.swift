import Glibc
import Platform
import PosixPlatform
import Tools

/// The real streams and files of a tool.
final class ToolSurroundings: ToolWorld {
    private let posix: PosixWorld

    init(name: String) {
        // What the platform has to say goes where it does not mix with data.
        posix = PosixWorld(speaker: name, level: .warning, journalFD: 2)
    }

    var world: any World { posix }

    func run(until condition: () -> Bool, atMost limit: Duration?) -> Bool {
        posix.run(until: condition, atMost: limit)
    }

    func onSignals(_ numbers: [Int32], _ told: @escaping (Int32) -> Void) { posix.onSignals(numbers, told) }

    func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    func readFile(_ path: String) -> Result<[UInt8], DiskError> {
        func failure(_ operation: String) -> Result<[UInt8], DiskError> {
            let code = errno
            return .failure(
                DiskError(operation: operation, path: path, code: code, reason: String(cString: strerror(code))))
        }
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return failure("open") }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(fd, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                return failure("read")
            }
            if count == 0 { return .success(bytes) }
            bytes += buffer[..<count]
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Bool { writeAll(1, bytes) }

    func complain(_ text: String) {
        var text = text
        text.withUTF8 { _ = writeAll(2, UnsafeRawBufferPointer($0)) }
    }

    private func writeAll(_ fd: Int32, _ bytes: UnsafeRawBufferPointer) -> Bool {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let count = Glibc.write(fd, base + done, bytes.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN {
                    var waiting = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
                    poll(&waiting, 1, -1)
                    continue
                }
                return false
            }
            done += count
        }
        return true
    }

    var inputIsTerminal: Bool { isatty(0) == 1 }
    var outputIsTerminal: Bool { isatty(1) == 1 }

    func readInput(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            let count = read(0, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var waiting = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
                poll(&waiting, 1, -1)
                continue
            }
            return count
        }
    }

    func watchInput(_ ready: @escaping () -> Bool) -> Bool { posix.watchReadable(0, ready) }

    private var terminalBefore: termios?

    func takeKeys(_ on: Bool) -> Bool {
        if on {
            var settings = termios()
            guard terminalBefore == nil, tcgetattr(0, &settings) == 0 else { return terminalBefore != nil }
            terminalBefore = settings
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
            settings.c_iflag &= ~tcflag_t(ICRNL | IXON)
            return tcsetattr(0, TCSADRAIN, &settings) == 0
        }
        guard var settings = terminalBefore else { return false }
        terminalBefore = nil
        return tcsetattr(0, TCSADRAIN, &settings) == 0
    }

    var columns: Int {
        var size = winsize()
        guard ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }
}
