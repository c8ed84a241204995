import Bytes
import KafkaProtocol
import Platform
import SimulatedPlatform

/// A broker that answers as a test says.
final class ScriptedBroker {
    /// What it says about ApiVersions; nil leaves it unanswered.
    var versions: [ApiVersionsResponse.ApiVersion] = []
    var highestApiVersions: Int16 = 4
    /// Answers a request's bytes with a frame, or with nothing.
    var answer: (RequestHeader, UnsafeRawBufferPointer) -> [UInt8]? = { _, _ in nil }
    /// Sent in place of any answer.
    var rawAnswer: [UInt8]?
    private(set) var seen: [RequestHeader] = []
    private var listener: (any Listener)?

    init(_ world: any World, port: Int = 9092) {
        for key in ApiKey.allCases {
            versions.append(
                .with {
                    $0.apiKey = key.rawValue
                    $0.minVersion = key.versions.lowerBound
                    $0.maxVersion = key.versions.upperBound
                })
        }
        listener = try? world.network.listen(host: "", port: port) { [unowned self] _ in Session(self) }
    }

    static func frame(_ response: some Message, _ header: RequestHeader) -> [UInt8] {
        var writer = WireWriter()
        try? writer.frame(response, answering: header)
        return writer.bytes.array
    }

    fileprivate func take(_ frame: UnsafeRawBufferPointer, _ connection: any Connection) {
        if let rawAnswer { return connection.send(rawAnswer) }
        var reader = WireReader(frame)
        guard var header = try? RequestHeader.read(from: &reader) else { return connection.close() }
        seen.append(header)
        if header.key == .apiVersions {
            var response = ApiVersionsResponse()
            response.apiKeys = versions
            if header.version > highestApiVersions {
                response.errorCode = .unsupportedVersion
                response.apiKeys = [
                    .with {
                        $0.apiKey = 18
                        $0.maxVersion = highestApiVersions
                    }
                ]
                header.version = 0
            }
            return connection.send(ScriptedBroker.frame(response, header))
        }
        if let bytes = answer(header, reader.rest) { connection.send(bytes) }
    }

    private final class Session: ConnectionHandler {
        unowned let broker: ScriptedBroker
        init(_ broker: ScriptedBroker) { self.broker = broker }
        func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
            var done = 0
            while bytes.count - done >= 4 {
                let length = Int(
                    UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: done, as: Int32.self).bigEndian)
                guard bytes.count - done >= 4 + length else { break }
                broker.take(UnsafeRawBufferPointer(rebasing: bytes[(done + 4)..<(done + 4 + length)]), connection)
                done += 4 + length
            }
            return done
        }
        func closed(_ connection: any Connection, _ reason: CloseReason) {}
    }
}
