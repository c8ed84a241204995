/// API 60. Which brokers live, and who is the controller.
/// Versions: 1 kind of endpoint.
package struct DescribeClusterRequest: RequestMessage {
    package typealias Response = DescribeClusterResponse
    package static let key = ApiKey.describeCluster
    package static let spoken = Spoken.speaks(0...1, flexibleFrom: 0)
    package var includeClusterAuthorizedOperations = false
    package var endpointType: Int8 = 1
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.bool(&includeClusterAuthorizedOperations)
        try wire.int8(&endpointType, since: 1, default: 1)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct DescribeClusterResponse: Message {
    package static let spoken = Spoken.speaks(0...1, flexibleFrom: 0)
    package var throttleTimeMs: Int32 = 0
    package var errorCode = ErrorCode.none
    package var errorMessage: String?
    package var endpointType: Int8 = 1
    package var clusterID = ""
    package var controllerID: Int32 = -1
    package var brokers: [DescribeClusterBroker] = []
    package var clusterAuthorizedOperations: Int32 = .min
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.errorCode(&errorCode)
        try wire.string(&errorMessage)
        try wire.int8(&endpointType, since: 1, default: 1)
        try wire.string(&clusterID)
        try wire.int32(&controllerID)
        try wire.array(&brokers)
        try wire.int32(&clusterAuthorizedOperations)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct DescribeClusterBroker: WireStruct {
        package var brokerID: Int32 = 0
        package var host = ""
        package var port: Int32 = 0
        package var rack: String?
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int32(&brokerID)
            try wire.string(&host)
            try wire.int32(&port)
            try wire.string(&rack)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
