import Bytes
import ClusterModel
import FoundationEssentials
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import CommitLog

/// One machine with one log directory.
final class LogFixture {
    let simulation: Simulation
    let node: SimulatedNode
    let path = "/data/logs"
    var settings = LogSettings()

    init(seed: UInt64 = 1, writesInPlace: Double = 1) {
        var options = SimulationOptions()
        options.writesInPlace = writesInPlace
        simulation = Simulation(seed: seed, options: options)
        node = simulation.node("broker")
    }

    var world: SimulatedWorld { node.world }
    var disk: any Disk { node.world.disk }

    func open() throws -> LogDirectory {
        let directory = try LogDirectory.open(path, world: world)
        let settings = self.settings
        try directory.loadLogs { _ in settings }
        return directory
    }

    func settle() { simulation.run(for: .seconds(10)) }

    func close(_ directory: LogDirectory, _ highWatermarks: [TopicPartition: Offset] = [:]) -> LogOpenError? {
        var result: LogOpenError??
        directory.close(highWatermarks: highWatermarks, brokerEpoch: 7) { result = .some($0) }
        simulation.run { result != nil }
        return result ?? LogOpenError(path: path, "not answered")
    }

    /// Beside this file.
    static let goldenRoot = parentDirectory(of: #filePath) + "/Golden"

    /// Copies a golden directory to this machine's disk, and syncs nothing.
    func install(golden name: String, at path: String) throws {
        try install(LogFixture.goldenRoot + "/" + name, path)
    }

    private func install(_ source: String, _ path: String) throws {
        try disk.createDirectory(path)
        for name in try FileManager.default.contentsOfDirectory(atPath: source) {
            var isDirectory = false
            _ = FileManager.default.fileExists(atPath: "\(source)/\(name)", isDirectory: &isDirectory)
            if isDirectory {
                try install("\(source)/\(name)", "\(path)/\(name)")
            } else {
                try disk.write(try LogFixture.contents("\(source)/\(name)"), to: "\(path)/\(name)")
            }
        }
    }

    static func golden(_ name: String) throws -> [UInt8] { try contents(goldenRoot + "/" + name) }

    private static func contents(_ path: String) throws -> [UInt8] {
        [UInt8](try #require(FileManager.default.contents(atPath: path)))
    }
}

extension PartitionLog {
    /// The leader's append, waited for.
    func append(
        _ batch: [UInt8], epoch: LeaderEpoch = 0, in simulation: Simulation
    ) throws(AppendError) -> AppendedRange {
        var result: Result<AppendedRange, AppendError>?
        var batch = batch
        batch.withUnsafeMutableBytes { append($0, leaderEpoch: epoch) { result = $0 } }
        // What the log keeps of them must be a copy.
        for index in batch.indices { batch[index] = 0xee }
        simulation.run { result != nil }
        guard let result else { throw .closed }
        return try result.get()
    }

    /// All bytes from `offset` to `below`, read in pieces.
    func bytes(from offset: Offset, below: Offset, maxBytes: Int = 1 << 20) throws -> [UInt8] {
        var result: [UInt8] = []
        var next = offset
        while next < below {
            let slice = try read(from: next, maxBytes: maxBytes, below: below, atLeastOneBatch: true)
            let piece = try slice.contents()
            guard !piece.isEmpty else { break }
            let whole = try piece.withUnsafeBytes { raw in
                var batches = RecordBatches(raw)
                while let batch = try batches.next() { next = batch.nextOffset }
                return batches.position
            }
            result += piece[..<whole]
            if whole == 0 { break }
        }
        return result
    }
}

func batch(
    _ count: Int = 1, timestamp: Int64 = 1000, size: Int = 10, producer: BatchBuilder.Producer = .none
) -> [UInt8] {
    var builder = BatchBuilder()
    for index in 0..<count {
        builder.append(
            timestamp: timestamp + Int64(index), key: nil, value: [UInt8](repeating: UInt8(index & 255), count: size))
    }
    return (try? builder.build(producer: producer)) ?? []
}
