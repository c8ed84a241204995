import ClusterModel
import Testing

@testable import Tools

@Suite("Records of __transaction_state")
struct TransactionRecordTests {
    private func words(_ key: [UInt8]?, _ value: [UInt8]?) -> [String?] {
        func withBytes<T>(_ bytes: [UInt8]?, _ body: (UnsafeRawBufferPointer?) -> T) -> T {
            bytes.map { $0.withUnsafeBytes { body($0) } } ?? body(nil)
        }
        let found = withBytes(key) { key in
            withBytes(value) { TransactionRecord.words(at: 6, key: key, value: $0) }
        }
        return [found.key, found.payload]
    }
    private let key: [UInt8] = [0, 0, 0, 2, 0x74, 0x78]
    private let shown = "transaction_metadata::transactionalId=tx"

    @Test("are shown as Kafka shows them, in every version") func versions() throws {
        let messages = try GoldenFiles.messages("TransactionLogValue")
        #expect(messages.count == 7)
        var states: Set<String> = []
        for message in messages {
            let json = try #require(JSONValue(parsing: Array(message.json.utf8)))
            let found = try #require(words(key, [0, UInt8(message.version)] + message.bytes)[1])
            let state = try #require(json["transactionStatus"]?.integer)
            let names = [0: "Empty", 1: "Ongoing", 5: "CompleteAbort"] as [Int64: String]
            guard state >= 0, state < 8 else {
                #expect(
                    found
                        == "Error at offset 6, skipping. Unknown transaction state id \(state) from the transaction status message"
                )
                continue
            }
            func number(_ name: String) throws -> Int64 { try #require(json[name]?.integer) }
            let name = try #require(names[state])
            states.insert(name)
            let before =
                "producerId:\(try number("producerId")),producerEpoch:\(try number("producerEpoch")),state=\(name),partitions=["
            let after =
                "],txnLastUpdateTimestamp=\(try number("transactionLastUpdateTimestampMs")),"
                + "txnTimeoutMs=\(try number("transactionTimeoutMs"))"
            #expect(found.hasPrefix(before) && found.hasSuffix(after))
            var partitions: Set<String> = []
            if state != 0 {
                for topic in json["transactionPartitions"]?.array ?? [] {
                    for id in topic["partitionIds"]?.array ?? [] {
                        partitions.insert("\(topic["topic"]?.string ?? "")-\(id.integer ?? 0)")
                    }
                }
            }
            let list = found.dropFirst(before.count).dropLast(after.count)
            #expect(Set(list.split(separator: ",").map(String.init)) == partitions)
        }
        #expect(states.contains("Empty") && states.count > 1)
    }

    @Test("name partitions in the order of Scala's hash sets") func order() {
        func order(_ topics: (String, [Int32])...) -> String {
            var set = HashSetOrder()
            for (topic, partitions) in topics { set.add(topic, partitions) }
            return set.ordered.joined(separator: ",")
        }
        // Expected values: what a transliteration of scala.collection.mutable.HashSet (2.13.14) into Java gave.
        #expect(
            order(("orders", [0, 1, 2]), ("payments", [0, 1, 2]))
                == "payments-0,payments-2,payments-1,orders-0,orders-1,orders-2")
        #expect(
            order(("orders", Array(0..<12)), ("größe", [0]))
                == "orders-7,orders-8,orders-9,orders-10,orders-11,größe-0,orders-0,orders-1,orders-2,orders-3,orders-4,"
                + "orders-5,orders-6")
        #expect(
            order(
                ("a", [0, 1, 2, 3]), ("b", [0, 1, 2, 3]), ("c", [0, 1, 2, 3]), ("d", [0, 1, 2, 3]), ("e", [0, 1, 2, 3]))
                == "a-2,b-3,a-1,b-2,c-3,a-0,b-1,c-2,d-3,b-0,c-1,d-2,e-3,c-0,d-1,e-2,d-0,e-1,e-0,a-3")
        #expect(
            order(("orders", [2, 1, 2, 0, 50, 7]), ("orders", [7, 3]), ("__consumer_offsets", Array(0..<6)))
                == "orders-7,__consumer_offsets-0,orders-0,orders-1,__consumer_offsets-5,orders-2,orders-50,orders-3,"
                + "__consumer_offsets-3,__consumer_offsets-4,__consumer_offsets-1,__consumer_offsets-2")
        #expect(
            order(("topic-7", [-100009, 100070]), ("topic-12", [100098, -100015]))
                == "topic-12-100098,topic-7-100070,topic-7--100009,topic-12--100015")
    }

    @Test("that are tombstones, of unknown versions or damaged say so") func strange() {
        #expect(words(key, nil) == [shown, "<DELETE>"])
        #expect(words([0, 1, 2], [0]) == ["unknown::version=1", nil])
        #expect(words(nil, [0]) == ["Error at offset 6, skipping. The record has no key.", nil])
        #expect(words([0], [0]) == ["Error at offset 6, skipping. It ends too early.", nil])
        #expect(
            words([0, 0, 0, 9, 0x74], nil)
                == [
                    "Error at offset 6, skipping. Error reading byte array of 9 byte(s): only 1 byte(s) available", nil,
                ])
        #expect(
            words(key, [0, 2])
                == [shown, "Error at offset 6, skipping. Unknown version 2 from the transaction log message value"])
        let value = GoldenFiles.hex("0000 0000000000000001 0002 00000003 01 ffffffff 0000000000000004 0000000000000005")
        #expect(
            words(key, value)
                == [shown, "Error at offset 6, skipping. A transaction that is Ongoing has no partitions."])
        for end in 0..<value.count {
            #expect(words(key, Array(value[..<end]))[1] == "Error at offset 6, skipping. It ends too early.")
        }
        // An empty one's partitions are not looked at.
        var empty = value
        empty[16] = 0
        #expect(
            words(key, empty)[1]
                == "producerId:1,producerEpoch:2,state=Empty,partitions=[],txnLastUpdateTimestamp=4,txnTimeoutMs=3")
    }
}
