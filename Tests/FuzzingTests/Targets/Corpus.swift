import FoundationEssentials

/// The inputs that are kept in the tree: those which together reach everything that was ever reached, one file a target
/// (`Corpus/TARGET.corpus`: length, big-endian, and bytes, one behind another), and those that once found something, each a file
/// of its own (`Corpus/found/TARGET-WHAT`).
enum Corpus {
    static let folder = Golden.tests + "/FuzzingTests/Corpus"

    static func kept(_ target: String) -> [[UInt8]] {
        let all = Golden.bytes("FuzzingTests/Corpus/\(target).corpus")
        var inputs: [[UInt8]] = []
        var at = 0
        while at + 4 <= all.count {
            let length = all[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
            at += 4
            guard length <= all.count - at else { break }
            inputs.append(Array(all[at..<at + length]))
            at += length
        }
        return inputs
    }

    static func found(_ target: String) -> [(name: String, bytes: [UInt8])] {
        Golden.names("FuzzingTests/Corpus/found").filter { $0.hasPrefix(target + "-") }.map {
            ($0, Golden.bytes("FuzzingTests/Corpus/found/\($0)"))
        }
    }

    /// Each input a file, as libFuzzer wants them.
    static func write(_ inputs: [[UInt8]], to directory: String, prefix: String) {
        try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for (number, input) in inputs.enumerated() {
            _ = FileManager.default.createFile(atPath: "\(directory)/\(prefix)\(number)", contents: Data(input))
        }
        print("\(inputs.count) inputs in \(directory)")
    }

    /// - Parameter directory: what libFuzzer's `-merge=1` left.
    static func keep(_ directory: String, as target: String) {
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
        let inputs = names.compactMap { FileManager.default.contents(atPath: "\(directory)/\($0)").map { [UInt8]($0) } }
        var all: [UInt8] = []
        for input in inputs.sorted(by: { ($0.count, $1.first ?? 0) < ($1.count, $0.first ?? 0) }) {
            for shift in [24, 16, 8, 0] { all.append(UInt8(truncatingIfNeeded: input.count >> shift)) }
            all += input
        }
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: "\(folder)/\(target).corpus", contents: Data(all))
        print("\(inputs.count) inputs, \(all.count) bytes kept as \(folder)/\(target).corpus")
    }
}
