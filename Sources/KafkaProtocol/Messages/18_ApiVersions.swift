/// API 18. Which versions of which APIs a broker speaks. Any broker answers it in any version; the header of its response
/// never changes.
/// Versions: 1 throttle time; 3 flexible, client software, features (KIP-584); 4 features may begin with version 0.
package struct ApiVersionsRequest: RequestMessage {
    package typealias Response = ApiVersionsResponse
    package static let key = ApiKey.apiVersions
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 3)
    package var clientSoftwareName = ""
    package var clientSoftwareVersion = ""
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.string(&clientSoftwareName, since: 3, ignorable: true)
        try wire.string(&clientSoftwareVersion, since: 3, ignorable: true)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
}

package struct ApiVersionsResponse: Message {
    package static let spoken = Spoken.speaks(0...4, flexibleFrom: 3)
    package var errorCode = ErrorCode.none
    package var apiKeys: [ApiVersion] = []
    package var throttleTimeMs: Int32 = 0
    package var supportedFeatures: [SupportedFeatureKey] = []
    package var finalizedFeaturesEpoch: Int64 = -1
    package var finalizedFeatures: [FinalizedFeatureKey] = []
    package var zkMigrationReady = false
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.errorCode(&errorCode)
        try wire.array(&apiKeys)
        try wire.int32(&throttleTimeMs, since: 1, ignorable: true)
        var tags = try wire.beginTags()
        if try wire.tag(0, &tags, since: 3, ignorable: true, present: !supportedFeatures.isEmpty) {
            try wire.array(&supportedFeatures)
        }
        if try wire.tag(1, &tags, since: 3, ignorable: true, present: finalizedFeaturesEpoch != -1) {
            try wire.int64(&finalizedFeaturesEpoch)
        }
        if try wire.tag(2, &tags, since: 3, ignorable: true, present: !finalizedFeatures.isEmpty) {
            try wire.array(&finalizedFeatures)
        }
        if try wire.tag(3, &tags, since: 3, ignorable: true, present: zkMigrationReady) {
            try wire.bool(&zkMigrationReady)
        }
        try wire.endTags(&tags)
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct ApiVersion: WireStruct {
        package var apiKey: Int16 = 0
        package var minVersion: Int16 = 0
        package var maxVersion: Int16 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.int16(&apiKey)
            try wire.int16(&minVersion)
            try wire.int16(&maxVersion)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct SupportedFeatureKey: WireStruct {
        package var name = ""
        package var minVersion: Int16 = 0
        package var maxVersion: Int16 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.int16(&minVersion)
            try wire.int16(&maxVersion)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct FinalizedFeatureKey: WireStruct {
        package var name = ""
        package var maxVersionLevel: Int16 = 0
        package var minVersionLevel: Int16 = 0
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&name)
            try wire.int16(&maxVersionLevel)
            try wire.int16(&minVersionLevel)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
