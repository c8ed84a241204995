import Testing

import Bytes
@testable import ClusterModel

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// Recorded from Apache Kafka 3.9.0 on ZooKeeper 3.9.3.
@Suite("Znode payloads")
struct ZnodePayloadsTests {
    @Test("a broker's registration reads and writes as Kafka's") func broker() throws {
        let recorded =
            #"{"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"endpoints":["PLAINTEXT://127.0.0.1:19091"],"jmx_port":-1,"port":19091,"host":"127.0.0.1","version":5,"timestamp":"1795238585795"}"#
        let registration = try BrokerRegistration(payload: [UInt8](recorded.utf8))
        #expect(registration.endpoints == [Endpoint(listener: "PLAINTEXT", host: "127.0.0.1", port: 19091)])
        #expect(registration.timestampMs == 1_795_238_585_795)
        #expect(text(registration.payload) == recorded)
    }

    @Test("rack and recovery stand where Kafka's hash order puts them") func optionalKeys() {
        let broker = BrokerRegistration(
            endpoints: [Endpoint(listener: "EXTERNAL", host: "h", port: 1)],
            protocols: [(listener: "EXTERNAL", protocol: "SSL")], rack: "r1", timestampMs: 7)
        #expect(
            text(broker.payload)
                == #"{"features":{},"listener_security_protocol_map":{"EXTERNAL":"SSL"},"endpoints":["EXTERNAL://h:1"],"rack":"r1","jmx_port":-1,"port":-1,"host":null,"version":5,"timestamp":"7"}"#
        )
        let state = PartitionState(leader: 1, leaderEpoch: 2, controllerEpoch: 3, isr: [1], recoveryState: 1)
        #expect(
            text(state.payload)
                == #"{"controller_epoch":3,"leader":1,"version":1,"leader_recovery_state":1,"leader_epoch":2,"isr":[1]}"#
        )
    }

    @Test("a registration of version 1 has one plaintext endpoint") func oldBroker() throws {
        let registration = try BrokerRegistration(
            payload: [UInt8](#"{"version":1,"host":"h","port":9092,"jmx_port":9999}"#.utf8))
        #expect(registration.endpoints == [Endpoint(listener: "PLAINTEXT", host: "h", port: 9092)])
        #expect(registration.protocols.map(\.protocol) == ["PLAINTEXT"])
    }

    @Test("an assignment reads and writes as Kafka's") func assignment() throws {
        let recorded =
            #"{"partitions":{"0":[1,2,3],"1":[2,3,1],"2":[3,1,2]},"topic_id":"t8pFNFkySumCq336Vdkrtw","adding_replicas":{},"removing_replicas":{},"version":3}"#
        let assignment = try TopicAssignment(payload: [UInt8](recorded.utf8))
        #expect(assignment.replicas[1] == [2, 3, 1])
        #expect(assignment.topicID?.text == "t8pFNFkySumCq336Vdkrtw")
        #expect(text(assignment.payload) == recorded)
        let old = try TopicAssignment(payload: [UInt8](#"{"version":1,"partitions":{"0":[7]}}"#.utf8))
        #expect(old.topicID == nil && old.replicas == [0: [7]])
    }

    @Test("states, seats, configs and blocks read and write as Kafka's") func others() throws {
        let state = #"{"controller_epoch":1,"leader":1,"version":1,"leader_epoch":0,"isr":[1,2,3]}"#
        #expect(text(try PartitionState(payload: [UInt8](state.utf8)).payload) == state)
        let seat = #"{"version":2,"brokerid":1,"timestamp":"1795238585981","kraftControllerEpoch":-1}"#
        #expect(text(try ControllerSeatPayload(payload: [UInt8](seat.utf8)).payload) == seat)
        let config = #"{"version":1,"config":{"retention.ms":"3600000"}}"#
        #expect(text(try ConfigPayload(payload: [UInt8](config.utf8)).payload) == config)
        let change = #"{"version":2,"entity_path":"topics/orders"}"#
        #expect(text(try ConfigChangePayload(payload: [UInt8](change.utf8)).payload) == change)
        let id = #"{"version":"1","id":"0AJyrnDuR7qqzU7MJJdW0g"}"#
        #expect(text(try ClusterIDPayload(payload: [UInt8](id.utf8)).payload) == id)
        let block = #"{"version":1,"broker":3,"block_start":"1000","block_end":"1999"}"#
        #expect(text(try ProducerIDBlockPayload(payload: [UInt8](block.utf8)).payload) == block)
    }

    @Test("what cannot be read is an error with its beginning", arguments: ["", "null", "{", "[]", #"{"leader":"x"}"#])
    func damaged(_ payload: String) {
        #expect(throws: PayloadError.self) { try PartitionState(payload: [UInt8](payload.utf8)) }
    }

    @Test("texts are quoted as JSON wants") func quoting() throws {
        let config = ConfigPayload(["k\"": "a\\b\n\u{1}é"])
        #expect(try ConfigPayload(payload: config.payload) == config)
    }
}

@Suite("Names")
struct NamesTests {
    @Test(
        "of groups in paths go there and back",
        arguments: [
            ("", "%"), (".", "%2E"), ("..", "%2E%2E"), ("a/b", "a%2Fb"), ("50%", "50%25"),
            ("plain-1_x.y", "plain-1_x.y"),
            ("é", "%C3%A9"), ("with blank", "with blank"), ("tab\t", "tab%09"),
        ])
    func groups(_ id: String, _ name: String) {
        #expect(PathName.encode(id) == name)
        #expect(PathName.decode(name) == id)
    }

    @Test("that nobody encoded are refused", arguments: ["%2", "%zz", "%41", "%FF", "a%"])
    func strangers(_ name: String) { #expect(PathName.decode(name) == nil) }

    @Test("of topics keep Kafka's rule") func topics() {
        #expect(TopicName.problem("vmc-topic_1.x") == nil)
        #expect(TopicName.problem(".")?.contains("'.' is not allowed") == true)
        #expect(TopicName.problem("a b") != nil)
        #expect(TopicName.problem(String(repeating: "x", count: 249)) == nil)
        #expect(TopicName.problem(String(repeating: "x", count: 250)) != nil)
        #expect(TopicName.collide("a.b", "a_b"))
        #expect(!TopicName.collide("a.b", "a-b"))
    }

    @Test("of endpoints") func endpoints() {
        #expect(Endpoint("plaintext://:9092") == Endpoint(listener: "PLAINTEXT", host: "", port: 9092))
        #expect(Endpoint("SSL://[::1]:9093") == Endpoint(listener: "SSL", host: "::1", port: 9093))
        #expect(Endpoint("SSL://[::1]:9093")?.description == "SSL://[::1]:9093")
        for bad in [
            "", "9092", "PLAINTEXT://", "PLAINTEXT://h", "PLAINTEXT://h:x", "PLAINTEXT://h:70000", "://h:1",
            "A://::1:2",
        ] {
            #expect(Endpoint(bad) == nil, "\(bad)")
        }
    }
}
