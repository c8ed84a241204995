import Bytes
import ClusterModel
import KafkaProtocol
import Platform
import Records
import SimulatedPlatform
import Testing

@testable import Broker
@testable import BrokerServer

@Suite("The request router")
struct RequestRouterTests {
    private func served() -> Stage {
        let stage = Stage()
        stage.start(0)
        #expect(stage.whenServing(0))
        return stage
    }

    @Test("every announced version of every API is answered with words of that version")
    func everyVersion() throws {
        let stage = served()
        let client = stage.client()
        for (key, versions) in RequestRouter.spoken
        where key != .leaderAndIsr && key != .stopReplica && key != .updateMetadata {
            for version in versions {
                try answerIsReadable(key.request, version, client, "\(key.name) \(version)")
            }
        }
    }

    private func answerIsReadable<R: RequestMessage>(
        _: R.Type, _ version: Int16, _ client: RawClient, _ what: Comment
    ) throws {
        var request = R()
        if var produce = request as? ProduceRequest {
            produce.acks = -1
            produce.topicData = [
                .with {
                    $0.name = "nobody"
                    $0.partitionData = [.with { $0.records = .owned(Stage.batch(["a"])) }]
                }
            ]
            request = produce as? R ?? request
        }
        if var apiVersions = request as? ApiVersionsRequest, version >= 3 {
            apiVersions.clientSoftwareName = "test"
            apiVersions.clientSoftwareVersion = "1.0"
            request = apiVersions as? R ?? request
        }
        if var leave = request as? LeaveGroupRequest {
            leave.groupID = "g"
            if version >= 3 { leave.members = [.with { $0.memberID = "m" }] } else { leave.memberID = "m" }
            request = leave as? R ?? request
        }
        try client.send(request, version: version)
        guard let frame = client.next() else {
            Issue.record("no answer to \(what)")
            return
        }
        _ = try client.decode(R.self, frame, version: version)
    }

    @Test("ApiVersions in a version nobody knows is answered in the oldest one")
    func unknownApiVersions() throws {
        let stage = served()
        let client = stage.client()
        client.send([0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0])
        #expect(
            client.next() == [0, 0, 0, 1, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 4])
        // The connection goes on.
        let answer = try #require(try client.ask(ApiVersionsRequest(), version: 0))
        #expect(answer.apiKeys.map(\.apiKey) == RequestRouter.spoken.map(\.key.rawValue))
    }

    @Test("unknown APIs, unknown versions and broken bodies end the connection")
    func nonsense() throws {
        let stage = served()
        let nonsense: [[UInt8]] = [
            [0, 0, 0, 10, 0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
            [0, 0, 0, 10, 0, 1, 0, 99, 0, 0, 0, 1, 0xff, 0xff],
            // A Fetch in a version too old to be announced.
            [0, 0, 0, 10, 0, 1, 0, 3, 0, 0, 0, 1, 0xff, 0xff],
            // Metadata that promises two thousand million topics.
            [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff],
            [0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 1],
            [0xff, 0xff, 0xff, 0xff, 0, 3, 0, 1],
            [0, 0, 0, 2, 0, 3],
        ]
        for bytes in nonsense {
            let client = stage.client()
            client.send(bytes)
            #expect(client.wasEnded())
            #expect(client.raw.isEmpty)
        }
        // And nobody else has noticed.
        #expect(try stage.client().ask(ApiVersionsRequest(), version: 0) != nil)
    }

    @Test("bytes behind a request's last field are passed over: librdkafka sends three with Metadata 12")
    func trailingBytes() throws {
        let stage = served()
        let client = stage.client()
        client.send([0, 0, 0, 18, 0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0])
        let frame = try #require(client.next())
        let answer = try client.decode(MetadataRequest.self, frame, version: 12)
        #expect(answer.brokers.map(\.nodeID) == [0])
    }

    @Test("browsers and TLS clients are told apart from lengths")
    func otherProtocols() throws {
        let stage = served()
        let browser = stage.client()
        browser.cutsFrames = false
        browser.send([UInt8]("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        #expect(browser.wasEnded())
        #expect(String(decoding: browser.raw, as: UTF8.self).hasPrefix("HTTP/1.1 400 "))
        let tls = stage.client()
        tls.cutsFrames = false
        tls.send([0x16, 0x03, 0x01, 0x00, 0xa5, 0x01, 0x00])
        #expect(tls.wasEnded())
        #expect(tls.raw == [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46])
    }

    @Test("requests sent at once are answered one after another, in order, also behind a fetch that waits")
    func order() throws {
        let stage = served()
        let client = stage.client()
        var metadata = MetadataRequest()
        metadata.topics = [.with { $0.name = "t" }]
        _ = try client.ask(metadata, version: 4)
        var fetch = FetchRequest()
        fetch.maxWaitMs = 200
        fetch.minBytes = 1
        fetch.topics = [
            .with {
                $0.topic = "t"
                $0.partitions = [.with { $0.partitionMaxBytes = 1000 }]
            }
        ]
        try client.send(fetch, version: 4, correlation: 1)
        try client.send(ApiVersionsRequest(), version: 0, correlation: 2)
        try client.send(fetch, version: 4, correlation: 3)
        try client.send(ApiVersionsRequest(), version: 0, correlation: 4)
        #expect((1...4).map { _ in client.next()?[3] } == [1, 2, 3, 4])
    }
}
