import Platform

/// Entries of one size in a row: in memory while its segment grows, in their file once it is sealed. A crash may lose what is in
/// memory: recovery rebuilds the indexes of every segment that was not synced.
final class IndexFile {
    let path: String
    let entrySize: Int
    /// Nil once sealed: then the file is opened for each look-up, so that a sealed index holds no descriptor.
    private var memory: [UInt8]?
    private let disk: any Disk
    private(set) var count: Int

    /// Empty and growing.
    init(path: String, entrySize: Int, disk: any Disk) {
        self.path = path
        self.disk = disk
        self.entrySize = entrySize
        memory = []
        count = 0
    }

    /// What the file holds, sealed. A part of an entry at its end is what `hasOddSize` tells of.
    init(opening path: String, entrySize: Int, disk: any Disk) throws(DiskError) {
        self.path = path
        self.entrySize = entrySize
        self.disk = disk
        let file = try disk.open(path, .read)
        count = Int(file.size) / entrySize
        hasOddSize = Int(file.size) % entrySize != 0
        file.close()
    }

    private(set) var hasOddSize = false

    var isSealed: Bool { memory == nil }
    var sizeBytes: Int { count * entrySize }

    /// Calls `use` with the entry's bytes.
    func entry<T>(_ index: Int, _ use: (UnsafeRawBufferPointer) -> T) throws(DiskError) -> T {
        precondition(index >= 0 && index < count, "entry \(index) of \(count) in \(path)")
        if let memory {
            return memory.withUnsafeBytes {
                use(UnsafeRawBufferPointer(rebasing: $0[(index * entrySize)..<((index + 1) * entrySize)]))
            }
        }
        let file = try disk.open(path, .read)
        defer { file.close() }
        return try stored(index, in: file, use)
    }

    private func stored<T>(
        _ index: Int, in file: any File, _ use: (UnsafeRawBufferPointer) -> T
    ) throws(DiskError) -> T {
        var words: (UInt64, UInt64) = (0, 0)
        var result: Result<T, DiskError>?
        withUnsafeMutableBytes(of: &words) { raw in
            let buffer = UnsafeMutableRawBufferPointer(rebasing: raw[..<entrySize])
            do throws(DiskError) {
                guard try file.read(into: buffer, at: Int64(index * entrySize)) == entrySize else { throw shorter }
                result = .success(use(UnsafeRawBufferPointer(buffer)))
            } catch { result = .failure(error) }
        }
        guard let result else { preconditionFailure("an index entry was read without a result") }
        return try result.get()
    }

    private var shorter: DiskError {
        DiskError(operation: "read", path: path, code: 0, reason: "the index is shorter than it was")
    }

    func append(_ entry: UnsafeRawBufferPointer) {
        precondition(entry.count == entrySize && memory != nil, "append to a sealed index \(path)")
        memory?.append(contentsOf: entry)
        count += 1
    }

    func truncate(toCount count: Int) {
        precondition(memory != nil && count <= self.count, "truncate to \(count) of \(self.count) in \(path)")
        memory?.removeLast((self.count - count) * entrySize)
        self.count = count
    }

    /// Into memory again, to grow: for the last segment of a log.
    func unseal() throws(DiskError) {
        guard memory == nil else { return }
        let bytes = try disk.contents(path)
        guard bytes.count >= sizeBytes else { throw shorter }
        memory = Array(bytes[..<sizeBytes])
    }

    /// What the file must hold; nil when it does.
    var unwritten: [UInt8]? { memory }

    /// The file holds what `unwritten` gave: memory is no longer needed.
    func seal() { memory = nil }

    /// The last entry for which `isAtMost` holds, while it holds for all before it too; nil when it holds for none.
    /// Cost: of a sealed index, one opening of its file and a read a halving.
    func last<T>(
        _ decoded: (UnsafeRawBufferPointer) -> T, where isAtMost: (T) -> Bool
    ) throws(DiskError) -> (index: Int, entry: T)? {
        let file = memory == nil && count > 0 ? try disk.open(path, .read) : nil
        defer { file?.close() }
        var found: T?
        var low = -1
        var high = count
        while high - low > 1 {
            let middle = (low + high) / 2
            let entry = if let file { try stored(middle, in: file, decoded) } else { try entry(middle, decoded) }
            if isAtMost(entry) { (low, found) = (middle, entry) } else { high = middle }
        }
        return found.map { (low, $0) }
    }
}
