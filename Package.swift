// swift-tools-version: 6.0
import PackageDescription

// One row a module, bottom to top; a module uses only rows above it (scripts/check compares the imports with this).
// With LETTERBOX_FUZZ set (scripts/fuzz.sh) the fuzzers are built in place of their unit test, and exclusivity is checked.
let fuzzes = Context.environment["LETTERBOX_FUZZ"] != nil
let fast: [SwiftSetting] =
    fuzzes
    ? []
    : [
        .unsafeFlags(["-enforce-exclusivity=unchecked", "-cross-module-optimization"], .when(configuration: .release))
    ]

func module(_ name: String, _ uses: [String] = []) -> Target {
    .target(
        name: name, dependencies: uses.map { .byName(name: $0) }, exclude: ["README.md"], swiftSettings: fast)
}

func tests(_ name: String, _ uses: [String], golden: Bool = false) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: ([name] + uses).map { .byName(name: $0) },
        resources: golden ? [.copy("Golden")] : [])
}

let fuzzed: [Target.Dependency] = [
    "Bytes", "Platform", "SimulatedPlatform", "ClusterModel", "CoordinationProtocol", "KafkaProtocol", "Compression",
    "Records", "CommitLog",
]
let fuzzing: Target =
    fuzzes
    ? .executableTarget(
        name: "letterbox-fuzz", dependencies: fuzzed, path: "Tests/FuzzingTests",
        exclude: ["README.md", "Corpus", "CorpusTests.swift"])
    : .testTarget(name: "FuzzingTests", dependencies: fuzzed, exclude: ["README.md", "Corpus", "Fuzzer.swift"])

let package = Package(
    name: "letterbox",
    products: [.executable(name: "letterbox", targets: ["letterbox"])],
    dependencies: [],
    targets: [
        // C: what Swift cannot express, and the system's libraries.
        .target(name: "CSystem", exclude: ["README.md"]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CSnappy", providers: [.apt(["libsnappy-dev"])]),

        // Ground.
        module("Bytes", ["CSystem", "CZlib"]),
        module("Platform"),
        module("Configuration"),
        module("PosixPlatform", ["CSystem", "Platform"]),
        module("SimulatedPlatform", ["Platform"]),
        module("HTTP", ["Platform"]),

        // Nouns and wires.
        module("ClusterModel", ["Bytes"]),
        module("CoordinationProtocol", ["Bytes"]),
        module("KafkaProtocol", ["Bytes"]),
        module("Compression", ["Bytes", "CZlib", "CLZ4", "CZstd", "CSnappy"]),
        module("Records", ["Bytes", "ClusterModel", "Compression"]),

        // Coordination.
        module("Coordination", ["Bytes", "CoordinationProtocol"]),
        module(
            "CoordinationServer",
            ["Bytes", "Compression", "Platform", "Configuration", "HTTP", "CoordinationProtocol", "Coordination"]),
        module("CoordinationClient", ["Bytes", "Platform", "CoordinationProtocol"]),

        // The log, and who decides about it.
        module("CommitLog", ["Bytes", "Platform", "ClusterModel", "Records"]),
        module("Replication", ["Platform", "ClusterModel"]),
        module("Controller", ["Bytes", "ClusterModel"]),
        module("ConsumerGroups", ["Bytes", "Platform", "ClusterModel", "KafkaProtocol"]),

        // Brokers and those who speak to them.
        module("KafkaClient", ["Bytes", "Platform", "KafkaProtocol"]),
        module(
            "Broker",
            [
                "Bytes", "Platform", "Configuration", "ClusterModel", "CoordinationProtocol", "CoordinationClient",
                "KafkaProtocol", "Records", "CommitLog", "Replication", "Controller", "ConsumerGroups", "KafkaClient",
            ]),
        module(
            "BrokerServer",
            [
                "Bytes", "Platform", "Configuration", "ClusterModel", "CoordinationClient", "KafkaProtocol",
                "Records", "CommitLog",
                "Replication", "ConsumerGroups", "Broker",
            ]),
        module(
            "Tools",
            [
                "Bytes", "Platform", "Configuration", "ClusterModel", "CoordinationProtocol", "CoordinationClient",
                "CoordinationServer", "KafkaProtocol", "Compression", "Records", "CommitLog", "Controller",
                "KafkaClient",
            ]),
        module(
            "Rehearsal",
            [
                "Bytes", "Platform", "SimulatedPlatform", "Configuration", "ClusterModel", "CoordinationServer",
                "KafkaProtocol", "Records", "CommitLog", "Replication", "KafkaClient", "Broker", "BrokerServer",
                "Tools",
            ]),
        .executableTarget(
            name: "letterbox",
            dependencies: [
                "CSystem", "Platform", "PosixPlatform", "Configuration", "CoordinationServer", "BrokerServer", "Tools",
                "Rehearsal",
            ],
            exclude: ["README.md"],
            swiftSettings: fast,
            // No symbols for others, and relocations packed (glibc 2.36): 3 MB that a start would have to touch.
            linkerSettings: [
                .unsafeFlags(
                    [
                        "-static-stdlib", "-use-ld=lld", "-Xlinker", "--gc-sections", "-Xlinker",
                        "--no-export-dynamic", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs",
                    ], .when(configuration: .release))
            ]),

        // Tests, one suite a source file.
        tests("Bytes", []),
        tests("Configuration", []),
        tests("PosixPlatform", ["Bytes", "Platform"]),
        tests("SimulatedPlatform", ["Platform"]),
        tests("HTTP", ["Platform", "SimulatedPlatform"]),
        tests("ClusterModel", ["Bytes"]),
        tests("CoordinationProtocol", ["Bytes"], golden: true),
        tests("KafkaProtocol", ["Bytes"], golden: true),
        tests("Compression", ["Bytes"]),
        tests("Records", ["Bytes", "Compression"], golden: true),
        tests("Coordination", ["Bytes", "CoordinationProtocol"]),
        tests(
            "CoordinationServer",
            [
                "Bytes", "Platform", "Configuration", "SimulatedPlatform", "HTTP", "CoordinationProtocol",
                "Coordination",
            ]),
        tests(
            "CoordinationClient",
            [
                "Bytes", "Platform", "SimulatedPlatform", "CoordinationProtocol", "Coordination", "CoordinationServer",
            ]),
        tests(
            "CommitLog",
            ["Bytes", "Platform", "PosixPlatform", "SimulatedPlatform", "ClusterModel", "Compression", "Records"],
            golden: true),
        tests("Replication", ["Platform", "ClusterModel"]),
        tests("Controller", ["Bytes", "ClusterModel"]),
        tests("ConsumerGroups", ["Bytes", "Platform", "ClusterModel", "KafkaProtocol"]),
        tests("KafkaClient", ["Bytes", "Platform", "SimulatedPlatform", "KafkaProtocol"]),
        tests(
            "Broker",
            [
                "Bytes", "Platform", "SimulatedPlatform", "Configuration", "ClusterModel", "KafkaProtocol", "Records",
                "CommitLog", "Controller", "ConsumerGroups", "CoordinationServer", "CoordinationClient", "KafkaClient",
            ]),
        tests(
            "BrokerServer",
            [
                "Bytes", "Platform", "SimulatedPlatform", "Configuration", "ClusterModel", "KafkaProtocol", "Records",
                "CommitLog", "CoordinationServer", "KafkaClient", "Broker",
            ]),
        tests("Rehearsal", ["Platform", "SimulatedPlatform"]),
        tests(
            "Tools",
            [
                "Bytes", "Platform", "SimulatedPlatform", "Configuration", "ClusterModel", "CoordinationProtocol",
                "CoordinationServer", "KafkaProtocol", "Compression", "Records", "CommitLog", "Controller",
                "KafkaClient",
            ], golden: true),

        // Any bytes at all, as fuzzers found them.
        fuzzing,

        // The simulated machine rooms: whole services under faults, judged by models.
        .testTarget(
            name: "SimulationTests",
            dependencies: [
                "Bytes", "Platform", "SimulatedPlatform", "CoordinationProtocol", "CoordinationServer",
            ],
            exclude: ["README.md"]),
    ],
    swiftLanguageModes: [.v6]
)
