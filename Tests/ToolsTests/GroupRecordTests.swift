import ClusterModel
import Testing

@testable import Tools

@Suite("Records of __consumer_offsets")
struct GroupRecordTests {
    private func words(_ key: [UInt8]?, _ value: [UInt8]?, at offset: Offset = 0) -> [String?] {
        func withBytes<T>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> T) -> T {
            bytes.map { $0.withUnsafeBytes { body($0) } } ?? body(nil)
        }
        let found = withBytes(key) { key in
            withBytes(value) { GroupRecord.words(at: offset, key: key, value: $0) }
        }
        return [found.key, found.payload]
    }
    private func words(_ key: String, _ value: String) -> [String?] {
        words(GoldenFiles.hex(key), GoldenFiles.hex(value))
    }

    private func big(_ number: Int16) -> [UInt8] {
        [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
    }
    private func big(_ number: Int) -> [UInt8] {
        big(Int16(truncatingIfNeeded: number >> 16)) + big(Int16(truncatingIfNeeded: number))
    }
    private func text(_ text: String) -> [UInt8] { big(Int16(text.utf8.count)) + Array(text.utf8) }

    @Test("are shown as Kafka's converters write them, in every version") func converters() throws {
        let messages = try GoldenFiles.messages(
            "OffsetCommitKey", "OffsetCommitValue", "GroupMetadataKey", "GroupMetadataValue")
        #expect(messages.count == 41)
        for message in messages {
            let bytes = big(message.version) + message.bytes
            if message.name.hasSuffix("Key") {
                #expect(words(bytes, nil) == [#"{"type":"\#(message.version)","data":\#(message.json)}"#, "<DELETE>"])
                continue
            }
            let key =
                message.name.hasPrefix("Offset")
                ? big(Int16(1)) + text("g") + text("t") + big(7) : big(Int16(2)) + text("g")
            #expect(words(key, bytes)[1] == #"{"version":"\#(message.version)","data":\#(message.json)}"#)
        }
    }

    /// A group of the consumer protocol with one member.
    private func group(_ subscription: [UInt8], _ assignment: [UInt8], type: String = "consumer") -> [UInt8] {
        big(Int16(0)) + text(type) + big(1) + big(Int16(-1)) + text("m") + big(1) + text("m") + text("c") + text("h")
            + big(9) + big(subscription.count) + subscription + big(assignment.count) + assignment
    }
    private func shown(_ subscription: String, _ assignment: String, type: String = "consumer") -> String {
        #"{"version":"0","data":{"protocolType":"\#(type)","generation":1,"protocol":null,"leader":"m","members":[{"#
            + #""memberId":"m","clientId":"c","clientHost":"h","sessionTimeout":9,"subscription":\#(subscription),"#
            + #""assignment":\#(assignment)}]}}"#
    }

    @Test("tell what members of consumer groups said, in every version") func embedded() throws {
        let key = big(Int16(2)) + text("g")
        let messages = try GoldenFiles.messages("ConsumerProtocolSubscription", "ConsumerProtocolAssignment")
        #expect(messages.count == 24)
        for message in messages {
            let bytes = big(message.version) + message.bytes
            let isFirst = message.name.hasSuffix("Subscription")
            let value = isFirst ? group(bytes, []) : group([], bytes)
            let expected = isFirst ? shown(message.json, #""""#) : shown(#""""#, message.json)
            #expect(words(key, value)[1] == expected)
        }
    }

    @Test("keep members' bytes as they are where they cannot be read, and in groups of others") func opaque() {
        let key = big(Int16(2)) + text("g")
        // The first two bytes are a version that is unknown.
        #expect(
            words(key, group(Array("Subscription".utf8), Array("Assignment".utf8)))[1]
                == shown(#""U3Vic2NyaXB0aW9u""#, #""QXNzaWdubWVudA==""#))
        let assignment = big(Int16(0)) + big(1) + text("t") + big(1) + big(5) + big(-1)
        #expect(
            words(key, group([], assignment))[1]
                == shown(#""""#, #"{"assignedPartitions":[{"topic":"t","partitions":[5]}],"userData":null}"#))
        #expect(
            words(key, group([], assignment, type: "connect"))[1]
                == shown(#""""#, #""AAAAAAABAAF0AAAAAQAAAAX/////""#, type: "connect"))
        // A later version is read like the last known one as long as no structure lies in it.
        #expect(
            words(key, group([], big(Int16(4)) + big(0) + big(-1)))[1]
                == shown(#""""#, #"{"assignedPartitions":[],"userData":null}"#))
        #expect(
            words(key, group([], big(Int16(4)) + assignment.dropFirst(2)))[1]?.contains(#""assignment":"AAQA"#) == true)
    }

    @Test(
        "of KIP-848's groups are shown by their types",
        arguments: [
            ("0003 0001 67", "0000 0000000a 00", #"{"type":"3","data":{"groupId":"g"}}"#, #"{"epoch":10}"#),
            (
                "0004 0001 67",
                "0000 02 00112233445566778899aabbccddeeff 02 74 00000002 02 00000001 03 02 61 02 62 00 00 00",
                #"{"type":"4","data":{"groupId":"g"}}"#,
                #"{"topics":[{"topicId":"ABEiM0RVZneImaq7zN3u_w","topicName":"t","numPartitions":2,"#
                    + #""partitionMetadata":[{"partition":1,"racks":["a","b"]}]}]}"#
            ),
            (
                "0005 0001 67 0001 6d", "0000 00 02 72 02 63 02 68 02 02 74 00 000003e8 08 756e69666f726d 00",
                #"{"type":"5","data":{"groupId":"g","memberId":"m"}}"#,
                #"{"instanceId":null,"rackId":"r","clientId":"c","clientHost":"h","subscribedTopicNames":["t"],"#
                    + #""subscribedTopicRegex":null,"rebalanceTimeoutMs":1000,"serverAssignor":"uniform"}"#
            ),
            (
                // A member that speaks the classic protocol, and a tag that nobody knows.
                "0005 0001 67 0001 6d",
                "0000 00 00 02 63 02 68 01 02 2a ffffffff 00 02 00 0f 01 0000afc8 02 06 72616e6765 03 0102 00 00 07 01 ff",
                #"{"type":"5","data":{"groupId":"g","memberId":"m"}}"#,
                #"{"instanceId":null,"rackId":null,"clientId":"c","clientHost":"h","subscribedTopicNames":[],"#
                    + #""subscribedTopicRegex":"*","rebalanceTimeoutMs":-1,"serverAssignor":null,"classicMemberMetadata":"#
                    + #"{"sessionTimeoutMs":45000,"supportedProtocols":[{"name":"range","metadata":"AQI="}]}}"#
            ),
            ("0006 0001 67", "0000 00000003 00", #"{"type":"6","data":{"groupId":"g"}}"#, #"{"assignmentEpoch":3}"#),
            (
                "0007 0001 67 0001 6d", "0000 02 00112233445566778899aabbccddeeff 03 00000000 00000001 00 00",
                #"{"type":"7","data":{"groupId":"g","memberId":"m"}}"#,
                #"{"topicPartitions":[{"topicId":"ABEiM0RVZneImaq7zN3u_w","partitions":[0,1]}]}"#
            ),
            (
                "0008 0001 67 0001 6d",
                "0000 00000005 00000004 01 01 02 00000000000000000000000000000001 02 00000002 00 00",
                #"{"type":"8","data":{"groupId":"g","memberId":"m"}}"#,
                #"{"memberEpoch":5,"previousMemberEpoch":4,"state":1,"assignedPartitions":[],"#
                    + #""partitionsPendingRevocation":[{"topicId":"AAAAAAAAAAAAAAAAAAAAAQ","partitions":[2]}]}"#
            ),
        ]) func newGroups(key: String, value: String, type: String, content: String)
    {
        #expect(words(key, value) == [type, #"{"version":"0","data":\#(content)}"#])
        #expect(words(GoldenFiles.hex(key), nil) == [type, "<DELETE>"])
    }

    @Test("that cannot be read say why, in Kafka's words") func damage() {
        let commit = "0001 0001 67 0001 74 00000000"
        let error = "Error at offset 0, skipping. Could not read "
        #expect(
            words(nil, [1], at: 5) == [
                "Failed to decode message at offset 5 using offset topic decoder (message had a missing key)", nil,
            ])
        #expect(words([0x7f, 0xff], [], at: 3) == ["Unknown record type 32767 at offset 3, skipping.", nil])
        // Share groups exist in 3.9, but its tool does not show them.
        #expect(words("000b 0001 67", "0000 00000001 00") == ["Unknown record type 11 at offset 0, skipping.", nil])
        #expect(words([0], []) == [error + "version from key's buffer.", nil])
        #expect(words(GoldenFiles.hex(commit), [0]) == [error + "version from value's buffer.", nil])
        let key = error + "record with version 1 from key's buffer due to: "
        #expect(words("0001 0001 67 0001 74 0000", "") == [key + "null.", nil])
        #expect(
            words("0001 0009 67 0001", "") == [
                key + "Error reading byte array of 9 byte(s): only 3 byte(s) available.", nil,
            ])
        #expect(words("0001 ffff", "") == [key + "non-nullable field group was serialized as null.", nil])
        let four = error + "record with version 4 from value's buffer due to: "
        #expect(
            words(commit, "0004 0000000000000001 00000000 818004")
                == [four + "string field metadata had invalid length 65536.", nil])
        #expect(
            words(commit, "0004 0000000000000001 00000000 ffffffffff")
                == [
                    four
                        + "Varint is too long, the most significant bit in the 5th byte is set, converted value: ffffffff.",
                    nil,
                ])
        let group = error + "record with version 5 from value's buffer due to: "
        #expect(
            words("0002 0001 67", "0005 02 63 00000001 00 00 0000000000000001 02 00")
                == [group + "Can't read version 5 of MemberMetadata.", nil])
        #expect(
            words("0002 0001 67", "0000 0001 63 00000001 ffff ffff 00010000")
                == [
                    error + "record with version 0 from value's buffer due to: "
                        + "Tried to allocate a collection of size 65536, but there are only 0 bytes remaining..", nil,
                ])
        // What Kafka's own test expects of a member's metadata under the key of a group's.
        #expect(
            words("0003 0001 67", "0000 01 01 01 01 01 01 ffffffff 01 00")
                == [
                    error + "record with version 0 from value's buffer due to: "
                        + "Error reading byte array of 536870911 byte(s): only 1 byte(s) available.", nil,
                ])
    }

    @Test("of later and impossible versions are read by the nearest known one, as Kafka reads them") func versions() {
        let commit = "0001 0001 67 0001 74 00000000"
        #expect(
            words(commit, "0009 0000000000000001 00000002 02 6d 0000000000000003 00")[1]
                == #"{"version":"9","data":{"offset":1,"leaderEpoch":2,"metadata":"m","commitTimestamp":3}}"#)
        #expect(
            words(commit, "ffff 0000000000000001 0001 6d 0000000000000003")[1]
                == #"{"version":"-1","data":{"offset":1,"metadata":"m","commitTimestamp":3}}"#)
        #expect(
            words(commit, "0001 0000000000000001 0001 6d 0000000000000003 0000000000000004 beef")[1]
                == #"{"version":"1","data":{"offset":1,"metadata":"m","commitTimestamp":3,"expireTimestamp":4}}"#)
    }

    @Test("have names escaped as Jackson escapes them") func escapes() {
        let name = "\"\\/\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f}é😀"
        #expect(
            words(big(Int16(2)) + text(name), nil)[0]
                == #"{"type":"2","data":{"group":"\"\\/\u0001\b\t\n\u000B\f\r\u001F"# + "\u{7f}é😀\"}}")
        // What is no UTF-8 is shown, and harms nothing.
        #expect(words([0, 2, 0, 2, 0xff, 0x41], nil)[0] == "{\"type\":\"2\",\"data\":{\"group\":\"\u{fffd}A\"}}")
    }

    @Test("survive any changed byte and any cut") func noise() throws {
        for message in try GoldenFiles.messages("GroupMetadataValue", "OffsetCommitValue") {
            let key =
                message.name.hasPrefix("Offset")
                ? big(Int16(0)) + text("g") + text("t") + big(0) : big(Int16(2)) + text("g")
            let bytes = big(message.version) + message.bytes
            for at in bytes.indices {
                for change in [0x01, 0x80, 0xff] as [UInt8] {
                    var changed = bytes
                    changed[at] ^= change
                    #expect(words(key, changed)[0] != nil)
                }
                let cut = words(key, Array(bytes[..<at]))
                #expect(cut[0]?.hasPrefix("Error at offset 0, skipping. Could not read ") == true && cut[1] == nil)
            }
        }
    }
}
