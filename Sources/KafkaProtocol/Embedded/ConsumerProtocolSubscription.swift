/// What a consumer tells its group's leader inside JoinGroup, behind a two-byte version. A newer version is read as the
/// newest known one: versions only add fields at the end. Versions: 1 partitions owned (KIP-429); 2 generation; 3 rack
/// (KIP-881).
package struct ConsumerProtocolSubscription: Message {
    package static let spoken = Spoken.speaks(0...3)
    package var topics: [String] = []
    package var userData: [UInt8]?
    package var ownedPartitions: [TopicPartition] = []
    package var generationID: Int32 = -1
    package var rackID: String?
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&topics)
        try wire.bytes(&userData)
        try wire.array(&ownedPartitions, since: 1, ignorable: true)
        try wire.int32(&generationID, since: 2, ignorable: true)
        try wire.string(&rackID, since: 3, ignorable: true)
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct TopicPartition: WireStruct {
        package var topic = ""
        package var partitions: [Int32] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&topic)
            try wire.array(&partitions)
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
