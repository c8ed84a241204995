import Bytes
import Testing

@testable import KafkaProtocol

@Suite("Request headers")
struct HeadersTests {
    @Test("keep the client id's two-byte length in flexible versions") func clientIDLength() throws {
        var writer = WireWriter()
        try RequestHeader(key: .fetch, version: 12, correlationID: 7, clientID: "me").write(to: &writer)
        #expect(writer.bytes.array == [0, 1, 0, 12, 0, 0, 0, 7, 0, 2, 109, 101, 0])
    }
    @Test("of ControlledShutdown v0 have no client id") func controlledShutdown() throws {
        var writer = WireWriter()
        try RequestHeader(key: .controlledShutdown, version: 0, correlationID: 7, clientID: "me").write(to: &writer)
        #expect(writer.bytes.array == [0, 7, 0, 0, 0, 0, 0, 7])
    }
    @Test("of unknown APIs are refused") func unknown() {
        let bytes: [UInt8] = [0, 99, 0, 0, 0, 0, 0, 1, 255, 255]
        #expect(throws: WireError.unknownApi(99)) {
            try bytes.withUnsafeBytes { raw in
                var reader = WireReader(raw)
                _ = try RequestHeader.read(from: &reader)
            }
        }
    }
    @Test("frames count the bytes that are put in from elsewhere") func splices() throws {
        var response = FetchResponse()
        let partition = FetchResponse.PartitionData.with { $0.records = .elsewhere(length: 1000) }
        response.responses = [
            .with {
                $0.topic = "t"; $0.partitions = [partition, partition]
            }
        ]
        var writer = WireWriter()
        try writer.frame(response, answering: RequestHeader(key: .fetch, version: 12, correlationID: 1))
        #expect(writer.splices.map(\.length) == [1000, 1000])
        let length = writer.bytes.bytes.loadUnaligned(as: Int32.self).bigEndian
        #expect(Int(length) == writer.bytes.count - 4 + 2000)
        writer.clear()
        #expect(writer.splices.isEmpty)
    }
}
