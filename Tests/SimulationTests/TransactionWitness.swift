import Bytes
import CoordinationProtocol
import SimulatedPlatform

/// A change as the transaction log has it: who asked, and whether it was done; not what it did, which the model knows by itself.
struct WitnessedTransaction: Equatable {
    enum Kind: Equatable {
        case createSession(timeout: Int32)
        case closeSession
        /// An empty container or an old TTL node was taken away by the service.
        case reap(path: String)
        case done(OpCode)
        case failed(CoordinationError)
        /// One code an operation.
        case failedMulti([CoordinationError])
    }
    var session: Int64
    var cxid: Int32
    var zxid: Int64
    /// Milliseconds since 1970 by the service's clock.
    var time: Int64
    var kind: Kind
}

/// Reads the transaction logs on the simulated disk, by the format's description and not with the service's own reader, and keeps
/// what purging takes away. What it holds in the end is the one history that every client must have seen a part of.
final class TransactionWitness {
    private let storage: SimulatedStorage
    private let directory: String
    private var known: [Int64: WitnessedTransaction] = [:]
    private var names: Set<String> = []

    init(_ storage: SimulatedStorage, directory: String) {
        self.storage = storage
        self.directory = directory
    }

    /// A file was made here, or is about to go.
    func touched(_ path: String) {
        guard path.hasPrefix(directory + "/log.") else { return }
        names.insert(path)
    }

    func willRemove(_ path: String) {
        guard names.contains(path) else { return }
        for transaction in TransactionWitness.read(storage.contents(path) ?? []) {
            known[transaction.zxid] = transaction
        }
        names.remove(path)
    }

    /// After a crash and before the next life, and at the end: what was only in memory or lost with the power is no history.
    func look() {
        var last: Int64?
        for path in names.sorted() {
            guard let bytes = storage.contents(path) else {
                names.remove(path)
                continue
            }
            for transaction in TransactionWitness.read(bytes) {
                known[transaction.zxid] = transaction
                last = max(last ?? 0, transaction.zxid)
            }
        }
        guard let last else { return }
        for zxid in known.keys where zxid > last { known[zxid] = nil }
    }

    /// Ordered by zxid.
    var history: [WitnessedTransaction] { known.values.sorted { $0.zxid < $1.zxid } }

    static func read(_ bytes: [UInt8]) -> [WitnessedTransaction] {
        var found: [WitnessedTransaction] = []
        bytes.withUnsafeBytes { raw in
            var position = 16
            while position + 12 <= raw.count {
                let sum = Int64(bigEndian: raw.loadUnaligned(fromByteOffset: position, as: Int64.self))
                let count = Int(Int32(bigEndian: raw.loadUnaligned(fromByteOffset: position + 8, as: Int32.self)))
                let start = position + 12
                guard count > 0, start + count < raw.count, raw[start + count] == 0x42 else { return }
                let entry = UnsafeRawBufferPointer(rebasing: raw[start..<(start + count)])
                guard Int64(Checksum.adler32(entry)) == sum, let transaction = transaction(entry) else { return }
                found.append(transaction)
                position = start + count + 1
            }
        }
        return found
    }

    private static func transaction(_ entry: UnsafeRawBufferPointer) -> WitnessedTransaction? {
        var reader = JuteReader(entry)
        guard let session = try? reader.int64(), let cxid = try? reader.int32(), let zxid = try? reader.int64(),
            let time = try? reader.int64(), let type = try? reader.int32(), let op = OpCode(rawValue: type)
        else { return nil }
        let kind: WitnessedTransaction.Kind
        switch op {
        case .createSession: kind = .createSession(timeout: (try? reader.int32()) ?? 0)
        case .closeSession: kind = .closeSession
        case .deleteContainer: kind = .reap(path: (try? reader.string()) ?? "")
        case .error: kind = .failed(CoordinationError(rawValue: (try? reader.int32()) ?? 0))
        case .multi:
            var errors: [CoordinationError] = []
            for _ in 0..<((try? reader.int32()) ?? 0) {
                guard let part = try? reader.int32(), let body = try? reader.slice() else { return nil }
                if part == OpCode.error.rawValue {
                    var inner = JuteReader(body)
                    errors.append(CoordinationError(rawValue: (try? inner.int32()) ?? 0))
                }
            }
            kind = errors.isEmpty ? .done(.multi) : .failedMulti(errors)
        default: kind = .done(op)
        }
        return WitnessedTransaction(session: session, cxid: cxid, zxid: zxid, time: time, kind: kind)
    }
}
