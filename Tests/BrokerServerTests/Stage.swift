import Broker
import Bytes
import ClusterModel
import Configuration
import CoordinationServer
import KafkaProtocol
import Platform
import Records
import SimulatedPlatform

@testable import BrokerServer

/// A coordinator and brokers on one simulated network, as the executable would run them.
final class Stage {
    let simulation: Simulation
    private(set) var brokers: [Int: BrokerProcess] = [:]
    private(set) var failures: [Int: String] = [:]

    init(seed: UInt64 = 1, options: SimulationOptions = SimulationOptions()) {
        simulation = Simulation(seed: seed, options: options)
        simulation.node("coordinator").boot { world in
            var config = CoordinatorConfig(dataDir: "/data")
            config.clientPort = 2181
            return try? CoordinationServer.start(config: config, world: world)
        }
    }

    static func settings(_ id: Int, _ more: [(String, String)] = []) -> Properties {
        var properties = Properties([
            "broker.id": "\(id)", "listeners": "PLAINTEXT://:9092",
            "advertised.listeners": "PLAINTEXT://broker-\(id):9092",
            "log.dirs": "/logs", "zookeeper.connect": "coordinator:2181", "zookeeper.session.timeout.ms": "6000",
            "group.initial.rebalance.delay.ms": "0",
        ])
        for (name, value) in more { properties[name] = value }
        return properties
    }

    func start(_ id: Int, _ more: KeyValuePairs<String, String> = [:], switches: Set<String> = []) {
        start(id, pairs: more.map { ($0.key, $0.value) }, switches: switches)
    }

    func start(_ id: Int, pairs: [(String, String)], switches: Set<String> = []) {
        let properties = Stage.settings(id, pairs)
        failures[id] = nil
        brokers[id] = nil
        simulation.node("broker-\(id)").boot { [self] world in
            failures[id] = nil
            do throws(ServerFailure) {
                let process = try BrokerProcess(properties, switches: switches, world: world)
                brokers[id] = process
                try process.start { [self] in failures[id] = $0.description }
                return process
            } catch {
                failures[id] = error.description
                return nil
            }
        }
    }

    /// After a crash.
    func restart(_ id: Int) {
        brokers[id] = nil
        simulation.node("broker-\(id)").restart()
    }

    /// Until every broker knows of all of them.
    @discardableResult
    func whenServing(_ ids: Int...) -> Bool {
        simulation.run(within: .seconds(60)) {
            ids.allSatisfy { id in
                failures[id] != nil
                    || (brokers[id]?.node.map { node in ids.allSatisfy { node.metadata.isAlive(BrokerID(Int32($0))) } }
                        ?? false)
            }
        }
    }

    func node(_ id: Int) -> BrokerNode? { brokers[id]?.node }

    /// The lines of one broker's journal.
    func said(_ id: Int) -> [String] { simulation.node("broker-\(id)").lines.map(\.text) }

    func client(of id: Int = 0) -> RawClient {
        let client = RawClient(self)
        let node = simulation.node("client")
        client.connection = node.world.network.connect(
            host: "broker-\(id)", port: 9092, timeout: .seconds(5), handler: client)
        return client
    }

    /// Behind the last whole batch.
    static func end(of bytes: UnsafeRawBufferPointer) -> Int64? {
        var batches = RecordBatches(bytes)
        var end: Int64?
        while let batch = try? batches.next() { end = batch.nextOffset }
        return end
    }

    static func batch(_ values: [String], key: String? = nil, producer: Int64 = -1, sequence: Int32 = -1) -> [UInt8] {
        var builder = BatchBuilder(codec: .none)
        for value in values {
            builder.append(timestamp: 1_700_000_000_000, key: key.map { Array($0.utf8) }, value: Array(value.utf8))
        }
        return (try? builder.build()) ?? []
    }
}

/// Sends whatever bytes it is told to, and cuts what comes into frames.
final class RawClient: ConnectionHandler {
    private let stage: Stage
    fileprivate(set) var connection: (any Connection)?
    private(set) var frames: [[UInt8]] = []
    private(set) var raw: [UInt8] = []
    private(set) var isClosed = false
    var cutsFrames = true

    fileprivate init(_ stage: Stage) { self.stage = stage }

    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        raw += bytes
        guard cutsFrames else { return bytes.count }
        var consumed = 0
        while bytes.count - consumed >= 4 {
            let size = Int(
                Int32(bigEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: consumed, as: Int32.self)))
            guard bytes.count - consumed - 4 >= size else { break }
            frames.append([UInt8](UnsafeRawBufferPointer(rebasing: bytes[(consumed + 4)..<(consumed + 4 + size)])))
            consumed += 4 + size
        }
        return consumed
    }

    func closed(_ connection: any Connection, _ reason: CloseReason) { isClosed = true }

    func send(_ bytes: [UInt8]) { connection?.send(bytes) }

    func send<R: RequestMessage>(_ request: R, version: Int16, correlation: Int32 = 7) throws {
        var writer = WireWriter()
        try writer.frame(request, version: version, correlationID: correlation, clientID: "test")
        send(writer.bytes.array)
    }

    /// The next frame, or nil when the connection ends or nothing comes.
    func next(within limit: Duration = .seconds(30)) -> [UInt8]? {
        stage.simulation.run(within: limit) { !frames.isEmpty || isClosed }
        return frames.isEmpty ? nil : frames.removeFirst()
    }

    func ask<R: RequestMessage>(_ request: R, version: Int16) throws -> R.Response? {
        try send(request, version: version)
        guard let frame = next() else { return nil }
        return try decode(R.self, frame, version: version)
    }

    func decode<R: RequestMessage>(_: R.Type, _ frame: [UInt8], version: Int16) throws -> R.Response {
        // Record slices lie in the frame: kept alive for the test's life.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.count, alignment: 8)
        copy.copyBytes(from: frame)
        var reader = WireReader(UnsafeRawBufferPointer(copy), version: version, isFlexible: false)
        _ = try ResponseHeader.read(from: &reader, key: R.key, version: version)
        return try R.Response.decode(reader.bytes.rest, version: version)
    }

    /// Until the connection is gone.
    func wasEnded() -> Bool {
        stage.simulation.run(within: .seconds(30)) { isClosed }
    }
}
