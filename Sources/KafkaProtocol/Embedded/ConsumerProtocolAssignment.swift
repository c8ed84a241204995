/// What the group's leader assigns to one consumer inside SyncGroup, behind a two-byte version.
package struct ConsumerProtocolAssignment: Message {
    package static let spoken = Spoken.speaks(0...3)
    package var assignedPartitions: [TopicPartition] = []
    package var userData: [UInt8]?
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&assignedPartitions)
        try wire.bytes(&userData)
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
