import Bytes

@testable import KafkaProtocol

extension FuzzTarget {
    /// Kafka's messages, each API and version, and their headers. An input is the message's number, the version, and the body.
    static let messages = FuzzTarget(name: "messages", maxLength: 8 << 10, mallocLimitMB: 16) { input in
        var choices = Choices(input)
        let number = Int(choices.byte())
        let version = Int16(choices.byte())
        try withCopy(choices.rest) { bytes in
            let raw = UnsafeRawBufferPointer(bytes)
            switch number {
            case 255: try readRequestFrame(raw)
            case 254:
                var wire = WireReader(raw)
                let key = ApiKey.allCases[Int(version) % ApiKey.allCases.count]
                _ = try? ResponseHeader.read(from: &wire, key: key, version: key.versions.upperBound)
            default:
                guard number < kinds.count else { return }
                try roundTrip(kinds[number].type, raw, version)
            }
        }
    } seeds: {
        var seeds: [[UInt8]] = []
        for (number, kind) in kinds.enumerated() {
            for vector in Golden.vectors(kind.name) {
                seeds.append([UInt8(number), UInt8(vector.version)] + vector.body)
            }
        }
        for key in ApiKey.allCases {
            var wire = WireWriter()
            let header = RequestHeader(key: key, version: key.versions.upperBound, correlationID: 7, clientID: "client")
            guard (try? header.write(to: &wire)) != nil else { continue }
            let body = Golden.vectors("\(key.name)Request").last?.body ?? []
            seeds.append([255, 0] + wire.bytes.array + body)
        }
        seeds.append([254, 3, 0, 0, 0, 1, 0])
        return seeds
    }

    // Nobody changes it.
    nonisolated(unsafe) private static let kinds: [(name: String, type: any Message.Type)] = {
        func response<R: RequestMessage>(_ request: R.Type) -> any Message.Type { R.Response.self }
        var all: [(name: String, type: any Message.Type)] = []
        for key in ApiKey.allCases {
            all.append(("\(key.name)Request", key.request))
            all.append(("\(key.name)Response", response(key.request)))
        }
        all.append(("ConsumerProtocolSubscription", ConsumerProtocolSubscription.self))
        all.append(("ConsumerProtocolAssignment", ConsumerProtocolAssignment.self))
        return all
    }()

    private static func readRequestFrame(_ raw: UnsafeRawBufferPointer) throws {
        var wire = WireReader(raw)
        guard let header = try? RequestHeader.read(from: &wire) else { return }
        try expect(wire.rest.count <= raw.count - 8, "a header of fewer than eight bytes")
        guard header.isSpoken else { return }
        try roundTrip(header.key.request, wire.rest, header.version)
    }

    /// What can be read can be written, and is read from that as the same.
    private static func roundTrip<M: Message>(
        _ type: M.Type, _ raw: UnsafeRawBufferPointer, _ version: Int16
    ) throws {
        guard let message = try? M.decode(raw, version: version) else { return }
        var first = WireWriter()
        try message.encode(version: version, into: &first)
        let bytes = first.bytes.array
        try bytes.withUnsafeBytes { again in
            let copy = try M.decode(again, version: version)
            var second = WireWriter()
            try copy.encode(version: version, into: &second)
            try expect(second.bytes.array == bytes, "\(M.self) v\(version) changes when it is read and written")
        }
    }
}
