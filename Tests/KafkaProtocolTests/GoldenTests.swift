import Bytes
import Testing

@testable import KafkaProtocol

private func messages() -> [(name: String, type: any Message.Type)] {
    func response<R: RequestMessage>(_ request: R.Type) -> any Message.Type { R.Response.self }
    var all: [(name: String, type: any Message.Type)] = []
    for key in ApiKey.allCases {
        all.append(("\(key.name)Request", key.request))
        all.append(("\(key.name)Response", response(key.request)))
    }
    all.append(("ConsumerProtocolSubscription", ConsumerProtocolSubscription.self))
    all.append(("ConsumerProtocolAssignment", ConsumerProtocolAssignment.self))
    return all
}

private func decode<M: Message>(_ type: M.Type, _ bytes: UnsafeRawBufferPointer, _ version: Int16) throws -> any Message
{
    try M.decode(bytes, version: version)
}

@Suite("Every version of every message")
struct GoldenTests {
    @Test("reads Kafka's bytes into the fields they mean, and writes the same bytes") func roundTrip() throws {
        var seen = 0
        for (name, type) in messages() {
            let vectors = Golden.vectors(name)
            #expect(Set(vectors.map(\.version)) == Set(type.spoken.versions), "\(name)")
            for vector in vectors {
                seen += 1
                let label = "\(name) v\(vector.version) \(vector.kind)"
                vector.bytes.withUnsafeBytes { raw in
                    do {
                        let message = try decode(type, raw, vector.version)
                        let found = difference(message, vector.fields)
                        #expect(found == nil, "\(label)")
                        if vector.kind.contains("unknownTag") { return }
                        var writer = WireWriter()
                        try message.encode(version: vector.version, into: &writer)
                        #expect(writer.bytes.array == vector.bytes, "\(label)")
                    } catch {
                        Issue.record("\(label): \(error)")
                    }
                }
            }
        }
        #expect(seen > 1800)
    }

    @Test("refuses bytes that end too early, and bytes behind the end") func truncated() {
        for (name, type) in messages() {
            for vector in Golden.vectors(name) where vector.kind != "default" {
                vector.bytes.withUnsafeBytes { raw in
                    for length in 0..<raw.count {
                        let part = UnsafeRawBufferPointer(rebasing: raw[..<length])
                        if (try? decode(type, part, vector.version)) != nil {
                            Issue.record("\(name) v\(vector.version) \(vector.kind) was read from \(length) bytes")
                        }
                    }
                }
                let longer = vector.bytes + [0]
                #expect(throws: WireError.trailingBytes(1), "\(name) v\(vector.version)") {
                    try longer.withUnsafeBytes { _ = try decode(type, $0, vector.version) }
                }
            }
        }
    }

    @Test("survives bytes that mean nothing") func noise() {
        var random = UInt64(4711)
        func next() -> UInt64 {
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return random >> 33
        }
        for (name, type) in messages() {
            for vector in Golden.vectors(name) where vector.kind == "filled" {
                for _ in 0..<4 {
                    var bytes = vector.bytes
                    if bytes.isEmpty { continue }
                    for _ in 0..<3 {
                        bytes[Int(next()) % bytes.count] = UInt8(truncatingIfNeeded: next() | (next() & 0xff))
                    }
                    _ = try? bytes.withUnsafeBytes { try decode(type, $0, vector.version) }
                }
            }
        }
    }

    @Test("has the headers that a 3.9 broker gives it") func headers() {
        let lines = Golden.lines("apis")
        #expect(lines.count == ApiKey.allCases.map { $0.versions.count }.reduce(0, +))
        for line in lines {
            guard let code = Int16(line[0]), let version = Int16(line[2]), let key = ApiKey(rawValue: code) else {
                Issue.record("\(line)")
                continue
            }
            #expect(key.name == line[1])
            #expect("\(key.requestHeaderVersion(version))" == line[3], "\(line)")
            #expect("\(key.responseHeaderVersion(version))" == line[4], "\(line)")
        }
    }

    @Test("refuses to lose what an old version cannot say") func unspoken() {
        var request = HeartbeatRequest()
        request.groupInstanceID = "static"
        var writer = WireWriter()
        writer.bytes.int8(1)
        #expect(throws: WireError.unspokenField(version: 2)) { try request.encode(version: 2, into: &writer) }
        #expect(writer.bytes.array == [1])
        #expect(throws: WireError.unspokenVersion(5)) { try request.encode(version: 5, into: &writer) }
        #expect(throws: WireError.unexpectedNull) {
            try MetadataRequest.with { $0.topics = nil }.encode(version: 0, into: &writer)
        }
        var response = FetchResponse()
        response.throttleTimeMs = 5  // ignorable
        #expect(throws: Never.self) { try response.encode(version: 0, into: &writer) }
    }

    @Test("wants tags in ascending order, each of the size it announced") func tags() {
        // ApiVersionsResponse v3: no error, no keys, no throttle; two tags.
        let head: [UInt8] = [0, 0, 1, 0, 0, 0, 0]
        let fine: [UInt8] = head + [2, 3, 1, 1, 9, 1, 77]
        let decoded = try? fine.withUnsafeBytes { try ApiVersionsResponse.decode($0, version: 3) }
        #expect(decoded?.zkMigrationReady == true)
        for (tail, error): ([UInt8], WireError) in [
            ([2, 9, 1, 77, 3, 1, 1], .tagsOutOfOrder), ([2, 3, 1, 1, 3, 1, 1], .tagsOutOfOrder),
            ([1, 3, 2, 1, 0], .tagSizeMismatch), ([1, 3, 0], .malformed(.truncated(needed: 1, left: 0))),
        ] {
            #expect(throws: error) {
                try (head + tail).withUnsafeBytes { _ = try ApiVersionsResponse.decode($0, version: 3) }
            }
        }
    }
}
