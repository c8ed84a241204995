import ClusterModel
import Platform
import Records
import Testing

@testable import CommitLog

@Suite("A log directory looked at from outside")
struct StoredPartitionTests {
    @Test("tells whose it is and where each log ends, and is left as it is") func golden() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let before = try fixture.disk.list(fixture.path)
        let (identity, partitions) = try StoredPartition.list(fixture.path, disk: fixture.disk)
        #expect(identity == DirectoryIdentity(brokerID: 9, clusterID: "TAKzlgB3RpitKB91OrDKIg"))
        #expect(partitions.map(\.partition.topic) == GoldenDirectoryTests.ends.map(\.0))
        for (stored, (_, end)) in zip(partitions, GoldenDirectoryTests.ends) {
            let found = try stored.end(fixture.disk)
            #expect(found.next == end && found.epoch == 0 && found.torn == 0)
            #expect(stored.topicID != nil)
            var next: Offset = 0
            #expect(try stored.batches(fixture.disk) { header, _ in next = header.lastOffset + 1 } == nil)
            #expect(next == end)
        }
        #expect(try fixture.disk.list(fixture.path) == before)
        #expect(try partitions.first { $0.partition.topic == "g-idemp" }?.end(fixture.disk).highestProducerID == 1)
    }

    @Test("ends before a batch that is not whole, and says where") func torn() throws {
        let fixture = try GoldenDirectoryTests.fixture()
        let path = "\(fixture.path)/g-none-0/00000000000000000000.log"
        let whole = try fixture.disk.contents(path)
        try fixture.disk.write(Array(whole.dropLast(3)), to: path)
        let (_, partitions) = try StoredPartition.list(fixture.path, disk: fixture.disk)
        let stored = try #require(partitions.first { $0.partition.topic == "g-none" })
        let end = try stored.end(fixture.disk)
        #expect(end.next < 57 && end.next > 0 && end.torn > 0)
        let broken = try #require(try stored.batches(fixture.disk) { _, _ in })
        #expect(broken.path == path && broken.position + end.torn == Int64(whole.count - 3))
    }
}
