/// API 49. Changes client quotas.
/// Versions: 1 flexible.
package struct AlterClientQuotasRequest: RequestMessage {
    package typealias Response = AlterClientQuotasResponse
    package static let key = ApiKey.alterClientQuotas
    package static let spoken = Spoken.speaks(0...1, flexibleFrom: 1)
    package var entries: [EntryData] = []
    package var validateOnly = false
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.array(&entries)
        try wire.bool(&validateOnly)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct EntryData: WireStruct {
        package var entity: [EntityData] = []
        package var ops: [OpData] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.array(&entity)
            try wire.array(&ops)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct EntityData: WireStruct {
        package var entityType = ""
        package var entityName: String? = ""
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&entityType)
            try wire.string(&entityName)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct OpData: WireStruct {
        package var key = ""
        package var value: Double = 0
        package var remove = false
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&key)
            try wire.float64(&value)
            try wire.bool(&remove)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}

package struct AlterClientQuotasResponse: Message {
    package static let spoken = Spoken.speaks(0...1, flexibleFrom: 1)
    package var throttleTimeMs: Int32 = 0
    package var entries: [EntryData] = []
    package init() {}
    package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
        try wire.int32(&throttleTimeMs)
        try wire.array(&entries)
        try wire.tags()
    }
    package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
    package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }

    package struct EntryData: WireStruct {
        package var errorCode = ErrorCode.none
        package var errorMessage: String? = ""
        package var entity: [EntityData] = []
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.errorCode(&errorCode)
            try wire.string(&errorMessage)
            try wire.array(&entity)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }

    package struct EntityData: WireStruct {
        package var entityType = ""
        package var entityName: String? = ""
        package init() {}
        package mutating func walk(_ wire: inout some FieldWalker & ~Copyable) throws(WireError) {
            try wire.string(&entityType)
            try wire.string(&entityName)
            try wire.tags()
        }
        package mutating func read(from wire: inout WireReader) throws(WireError) { try walk(&wire) }
        package mutating func write(to wire: inout WireWriter) throws(WireError) { try walk(&wire) }
    }
}
