import CSystem
import Glibc
import Platform

/// The real surroundings, put together. One a process.
package final class PosixWorld: World {
    package let loop = EventLoop()
    package let network: any Network
    package let disk: any Disk
    package var journal: Journal
    package let bootID: String
    package let hostName: String
    private var signals: SignalSource?
    private var random64 = SystemRandomNumberGenerator()
    /// What the process ends with after `stop`.
    package private(set) var exitCode: Int32 = 0

    package init(speaker: String, style: JournalStyle = .narrated, level: JournalLevel = .info, journalFD: Int32 = 1) {
        // Each comes back as an error of the call that caused it, which is told with its file.
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        let sink = DescriptorSink(fd: journalFD, style: style)
        journal = Journal(speaker: speaker, level: level, sink: sink, clock: loop)
        network = PosixNetwork(loop: loop, journal: journal)
        disk = PosixDisk(loop: loop)
        bootID = PosixWorld.firstLine("/proc/sys/kernel/random/boot_id") ?? "unknown"
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, 255)
        hostName = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    package var clock: any Platform.Clock { loop }
    package var timers: any Timers { loop }
    package func random() -> UInt64 { random64.next() }
    package func giveBackMemory() { csystem_trim_memory() }

    package func run() -> Int32 {
        loop.run()
        return exitCode
    }

    @discardableResult
    package func run(until condition: () -> Bool, atMost limit: Duration? = nil) -> Bool {
        loop.run(until: condition, atMost: limit)
    }

    package func stop(_ code: Int32) {
        exitCode = code
        loop.stop()
    }

    /// Calls `told` on the deciding thread. Must be asked for before any helper thread exists, so that all inherit the mask.
    package func onSignals(_ numbers: [Int32], _ told: @escaping (Int32) -> Void) {
        signals = SignalSource(loop: loop, numbers: numbers, told: told)
    }

    /// Calls `ready` while `fd` can be read, until it returns false. False when the system cannot watch it (an ordinary file).
    package func watchReadable(_ fd: Int32, _ ready: @escaping () -> Bool) -> Bool {
        let source = ReadableSource(loop: loop, fd: fd, told: ready)
        return loop.watch(fd, EPOLLIN.rawValue, source)
    }

    private static func firstLine(_ path: String) -> String? {
        let fd = csystem_open(path, O_RDONLY, 0)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = read(fd, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self)
    }
}

private final class ReadableSource: EventSource {
    private let loop: EventLoop
    private let fd: Int32
    private let told: () -> Bool
    init(loop: EventLoop, fd: Int32, told: @escaping () -> Bool) {
        self.loop = loop
        self.fd = fd
        self.told = told
    }
    func ready(_ events: UInt32) {
        if !told() { loop.forget(fd) }
    }
}

private final class SignalSource: EventSource {
    private let fd: Int32
    private let told: (Int32) -> Void

    init?(loop: EventLoop, numbers: [Int32], told: @escaping (Int32) -> Void) {
        self.told = told
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        fd = signalfd(-1, &set, Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC))
        guard fd >= 0, loop.watch(fd, EPOLLIN.rawValue, self) else { return nil }
    }

    func ready(_ events: UInt32) {
        var info = signalfd_siginfo()
        while read(fd, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
            told(Int32(bitPattern: info.ssi_signo))
        }
    }
}
