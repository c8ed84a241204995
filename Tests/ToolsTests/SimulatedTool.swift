import CoordinationServer
import Platform
import SimulatedPlatform

@testable import Tools

/// A tool on one simulated machine, a coordinator on another; what it says is kept.
final class SimulatedTool: ToolWorld {
    let simulation = Simulation(seed: 7)
    var input: [UInt8] = []
    var out = ""
    var err = ""

    init(coordinator: Bool = true) {
        if coordinator {
            simulation.node("zk").boot { world in
                var config = CoordinatorConfig(dataDir: "/data")
                config.preallocation = 1 << 16
                return try? CoordinationServer.start(config: config, world: world)
            }
        }
        simulation.node("desk").boot { _ in nil }
    }

    var world: any World { simulation.node("desk").world }
    func run(until condition: () -> Bool, atMost limit: Duration?) -> Bool {
        simulation.run(within: limit ?? .seconds(600), until: condition)
    }
    func onSignals(_ numbers: [Int32], _ told: @escaping (Int32) -> Void) {}
    func environment(_ name: String) -> String? { nil }
    func readFile(_ path: String) -> Result<[UInt8], DiskError> {
        .failure(DiskError(operation: "open", path: path, code: 2, reason: "No such file or directory"))
    }
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        out += String(decoding: bytes, as: UTF8.self)
        return true
    }
    func complain(_ text: String) { err += text }
    var inputIsTerminal: Bool { false }
    var outputIsTerminal: Bool { false }
    func readInput(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, input.count, 7)
        buffer.copyBytes(from: input[..<count])
        input.removeFirst(count)
        return count
    }
    func watchInput(_ ready: @escaping () -> Bool) -> Bool { false }
    func takeKeys(_ on: Bool) -> Bool { false }
    var columns: Int { 80 }
}
