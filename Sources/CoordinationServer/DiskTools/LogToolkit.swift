import Bytes
import CoordinationProtocol
import Platform

/// ZooKeeper's `TxnLogToolkit`: prints a log's transactions, or writes a copy of it with its checksums made right.
package struct LogToolkit {
    /// What to do about an entry whose checksum does not fit.
    package enum Answer { case fix, keep, abort }

    package struct Failure: Error {
        package var message: String
        package var status: Int32
    }

    package var path: String
    package var recovers = false
    /// In recovery, every entry is printed.
    package var isVerbose = false

    package init(path: String) { self.path = path }

    /// - Parameter ask: about each broken entry, in recovery.
    package func run(
        on disk: any Disk, say: (String) -> Void, ask: () -> Answer
    ) throws(Failure) {
        guard disk.exists(path), let file = try? disk.open(path, .read) else {
            throw Failure(message: "File doesn't exist or not readable: \(path)", status: 1)
        }
        defer { file.close() }
        let fixedPath = path + ".fixed"
        if recovers, disk.exists(fixedPath) {
            throw Failure(message: "Recovery file \(fixedPath) already exists or not writable", status: 1)
        }
        do throws(DiskError) {
            var copy = recovers ? LogCopy(try disk.open(fixedPath, .createNew)) : nil
            let fixed = try read(file, &copy, say, ask)
            guard let copy else { return }
            try copy.file.sync()
            if let fixed {
                say("Recovery file \(fixedPath) has been written with \(fixed) fixed CRC error(s)")
            }
        } catch {
            throw Failure(message: "\(error)", status: 1)
        }
    }

    private struct LogCopy {
        let file: any File
        var position: Int64 = 0
        init(_ file: any File) { self.file = file }
        mutating func append(_ bytes: UnsafeRawBufferPointer) throws(DiskError) {
            try file.write(bytes, at: position)
            position += Int64(bytes.count)
        }
    }

    private func read(
        _ file: any File, _ copy: inout LogCopy?, _ say: (String) -> Void, _ ask: () -> Answer
    ) throws(DiskError) -> Int? {
        func failure(_ text: String) -> DiskError { DiskError(operation: "read", path: path, code: 0, reason: text) }
        var window = FileWindow(file)
        try window.fill(atLeast: LogFormat.headerBytes)
        var head = JuteReader(window.bytes)
        guard (try? head.int32()) == LogFormat.magic, let version = try? head.int32(), let dbid = try? head.int64()
        else {
            throw failure("Invalid magic number for \(path.split(separator: "/").last ?? "")")
        }
        say("ZooKeeper Transactional Log File with dbid \(dbid) txnlog format version \(version)")
        try copy?.append(UnsafeRawBufferPointer(rebasing: window.bytes[..<LogFormat.headerBytes]))
        window.consume(LogFormat.headerBytes)
        var count = 0, fixed = 0
        while true {
            try window.fill(atLeast: 12)
            var reader = JuteReader(window.bytes)
            guard let sum = try? reader.int64(), let length = try? reader.int32(), length != 0,
                window.offset + 12 + Int64(length) <= file.size
            else {
                say("EOF reached after \(count) txns.")
                return fixed
            }
            guard length > 0 else { throw failure("a length of \(length) at byte \(window.offset)") }
            try window.fill(atLeast: Int(length) + LogFormat.framingBytes)
            let entry = UnsafeRawBufferPointer(rebasing: window.bytes[12..<(12 + Int(length))])
            let right = Int64(Checksum.adler32(entry))
            var written = sum
            if sum != right {
                if recovers {
                    let line = "\(LogToolkit.line(entry))"
                    switch ask() {
                    case .fix:
                        say("CRC FIXED - \(line)")
                        written = right
                        fixed += 1
                    case .keep: say("CRC ERROR - \(line)")
                    case .abort:
                        say("Recovery aborted.")
                        return nil
                    }
                } else {
                    say("CRC ERROR - \(LogToolkit.line(entry))")
                }
            }
            if !recovers || isVerbose { say(LogToolkit.line(entry)) }
            guard window.bytes.count >= Int(length) + LogFormat.framingBytes,
                window.bytes[Int(length) + 12] == LogFormat.endMark
            else { throw failure("Last transaction was partial.") }
            if copy != nil {
                var writer = JuteWriter(capacity: Int(length) + LogFormat.framingBytes)
                writer.int64(written)
                writer.slice(entry)
                writer.bytes.uint8(LogFormat.endMark)
                try copy?.append(writer.bytes.bytes)
            }
            count += 1
            window.consume(Int(length) + LogFormat.framingBytes)
        }
    }

    private static func line(_ entry: UnsafeRawBufferPointer) -> String {
        var reader = JuteReader(entry)
        guard let header = try? TransactionHeader(from: &reader) else { return "(not a transaction)" }
        guard let record = try? TransactionRecord(header.op, from: &reader) else {
            return "zxid 0x\(LogFormat.hex(header.zxid)) \(header.op) (its record cannot be read)"
        }
        return TransactionText.line(header, record)
    }
}
