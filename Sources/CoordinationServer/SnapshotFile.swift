import Bytes
import Compression
import Coordination
import CoordinationProtocol
import Platform

/// How a snapshot is packed, which its name's end tells: `snapshot.compression.method` of an Apache server.
enum SnapshotPacking: String, CaseIterable {
    case plain = ""
    case gzip = ".gz"
    case snappy = ".snappy"
}

/// A snapshot by its name.
struct SnapshotFile: Equatable {
    var zxid: Int64
    var path: String
    var packing: SnapshotPacking

    /// `snapshot.1f`, `snapshot.1f.gz`; nil for every other name.
    init?(_ name: String, in directory: String) {
        guard name.hasPrefix("snapshot.") else { return nil }
        var number = name.dropFirst("snapshot.".count)
        packing = .plain
        for packing in SnapshotPacking.allCases where packing != .plain && number.hasSuffix(packing.rawValue) {
            self.packing = packing
            number = number.dropLast(packing.rawValue.count)
        }
        guard let value = UInt64(number, radix: 16) else { return nil }
        zxid = Int64(bitPattern: value)
        path = directory + "/" + name
    }

    var name: String { String(path.split(separator: "/").last ?? "") }

    /// Whether its writer came to the end: a quick look, for a purge. Loading it tells more.
    func looksWhole(on disk: any Disk) -> Bool {
        guard let file = try? disk.open(path, .read) else { return false }
        defer { file.close() }
        let size = file.size
        let (at, mark): (Int64, [UInt8])
        switch packing {
        case .plain:
            // The text `/` behind its length.
            guard size >= 10 else { return false }
            (at, mark) = (size - 5, [0, 0, 0, 1, UInt8(ascii: "/")])
        case .gzip: (at, mark) = (0, [0x1f, 0x8b])
        case .snappy: (at, mark) = (0, [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
        }
        return withUnsafeTemporaryAllocation(byteCount: mark.count, alignment: 1) { bytes in
            guard (try? file.read(into: bytes, at: at)) == mark.count else { return false }
            return bytes.elementsEqual(mark)
        }
    }
}

/// A snapshot's file is not whole, or no snapshot.
struct SnapshotDamage: Error, Equatable {
    var reason: String
}

/// What one snapshot holds.
package struct LoadedSnapshot: ~Copyable {
    package var tree: ZnodeTree
    /// Apache's checksum of the whole tree, and the zxid it stands for.
    package var digest: (zxid: Int64, version: Int32, value: Int64)?
    /// ZooKeeper 3.9 says how far the tree had come when the writing ended.
    package var lastProcessed: Int64?

    package consuming func takeTree() -> ZnodeTree { tree }
}

extension SnapshotFile {
    enum Outcome: ~Copyable {
        case whole(LoadedSnapshot)
        case damaged(SnapshotDamage)
    }

    /// Reads it all and compares its checksums.
    /// - Throws: when the file cannot be read at all.
    func load(from disk: any Disk) throws(DiskError) -> Outcome {
        if packing == .plain {
            let file = try disk.open(path, .read)
            defer { file.close() }
            return try SnapshotFile.load(file, zxid: zxid)
        }
        let packed = try disk.contents(path, limit: 1 << 30)
        let codec = packing == .gzip ? Codec.gzip : .snappy
        let bytes: [UInt8]
        do throws(CompressionError) { bytes = try codec.unpacked(packed, limit: Int(Int32.max) * 4) } catch {
            return .damaged(SnapshotDamage(reason: "it does not unpack (\(error))"))
        }
        return try SnapshotFile.load(MemoryFile(path, bytes), zxid: zxid)
    }

    private static func load(_ file: any File, zxid: Int64) throws(DiskError) -> Outcome {
        var source = SealedSource(file)
        do throws(SnapshotProblem) {
            var loading = SnapshotLoading()
            try source.read { (reader) throws(JuteError) in try loading.head(from: &reader) }
            var more = true
            while more {
                try source.read { (reader) throws(JuteError) in
                    // Many at a time; a cut one is read again with more in view.
                    var good = reader
                    var left = 256
                    do throws(JuteError) {
                        while left > 0, more {
                            more = try loading.node(from: &reader)
                            good = reader
                            left -= 1
                        }
                    } catch {
                        guard left < 256 else { throw error }
                        reader = good
                    }
                }
            }
            try source.checkSeal()
            var digest: (Int64, Int32, Int64)?
            if try source.hasMore(20) {
                try source.read { (reader) throws(JuteError) in
                    digest = (try reader.int64(), try reader.int32(), try reader.int64())
                }
                try source.checkSeal()
            }
            var lastProcessed: Int64?
            if try source.hasMore(8) {
                try source.read { (reader) throws(JuteError) in lastProcessed = try reader.int64() }
                try source.checkSeal()
            }
            return .whole(
                LoadedSnapshot(
                    tree: loading.finish(zxid: zxid), digest: digest.map { ($0, $1, $2) }, lastProcessed: lastProcessed)
            )
        } catch {
            switch error {
            case .disk(let problem): throw problem
            case .damage(let damage): return .damaged(damage)
            }
        }
    }
}

private enum SnapshotProblem: Error {
    case disk(DiskError)
    case damage(SnapshotDamage)
}

/// A file read in pieces, with the checksum of everything consumed.
private struct SealedSource: ~Copyable {
    private var window: FileWindow
    private let size: Int64
    private var sum: UInt32 = 1

    init(_ file: any File) {
        window = FileWindow(file)
        size = file.size
    }

    mutating func hasMore(_ count: Int) throws(SnapshotProblem) -> Bool { size - window.offset >= Int64(count) }

    /// Runs `body` on what is in view; when that is cut, once more with more of it.
    mutating func read(_ body: (inout JuteReader) throws(JuteError) -> Void) throws(SnapshotProblem) {
        while true {
            var reader = JuteReader(window.bytes)
            do throws(JuteError) {
                try body(&reader)
                consume(reader.bytes.position)
                return
            } catch {
                let wanted: Int
                switch error {
                case .truncated(let needed, _): wanted = window.bytes.count + max(needed, 1)
                default: throw .damage(SnapshotDamage(reason: "byte \(window.offset) and behind it is no snapshot"))
                }
                guard window.offset + Int64(window.bytes.count) < size else {
                    throw .damage(SnapshotDamage(reason: "it ends early, at byte \(size)"))
                }
                do throws(DiskError) { try window.fill(atLeast: Int(min(Int64(wanted), size - window.offset))) } catch {
                    throw .disk(error)
                }
            }
        }
    }

    private mutating func consume(_ count: Int) {
        sum = Checksum.adler32(UnsafeRawBufferPointer(rebasing: window.bytes[..<count]), continuing: sum)
        window.consume(count)
    }

    /// The checksum of everything before it, and `/`.
    mutating func checkSeal() throws(SnapshotProblem) {
        let wanted = Int64(sum)
        var found: Int64 = 0
        var isSlash = false
        try read { (reader) throws(JuteError) in
            found = try reader.int64()
            isSlash = try reader.text().isText("/")
        }
        guard found == wanted, isSlash else {
            throw .damage(SnapshotDamage(reason: "its checksum before byte \(window.offset) does not fit"))
        }
    }
}

/// Bytes that are read as a file is.
private final class MemoryFile: File {
    let path: String
    private let bytes: [UInt8]
    init(_ path: String, _ bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
    }
    var size: Int64 { Int64(bytes.count) }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(DiskError) -> Int {
        let rest = bytes[Int(min(max(offset, 0), size))...].prefix(buffer.count)
        buffer.copyBytes(from: rest)
        return rest.count
    }
    private func refuse() -> DiskError { DiskError(operation: "write", path: path, code: 9, reason: "read only") }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(DiskError) { throw refuse() }
    func truncate(to size: Int64) throws(DiskError) { throw refuse() }
    func allocate(to size: Int64) throws(DiskError) { throw refuse() }
    func sync() throws(DiskError) {}
    func close() {}
}
