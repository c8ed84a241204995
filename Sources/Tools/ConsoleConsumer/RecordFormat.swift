import Bytes
import Configuration
import Records

/// How a record becomes a line. Rule: the properties of Kafka's `DefaultMessageFormatter`.
package struct RecordFormat {
    /// What the bytes of a key, a value or a header mean.
    package enum Decoder: Equatable {
        case raw
        case int16, int32, int64, float32, float64, uuid

        /// By the name of Kafka's class, with or without its package.
        package init?(className: String) {
            switch className.split(separator: ".").last ?? "" {
            case "StringDeserializer", "ByteArrayDeserializer", "BytesDeserializer", "ByteBufferDeserializer":
                self = .raw
            case "ShortDeserializer": self = .int16
            case "IntegerDeserializer": self = .int32
            case "LongDeserializer": self = .int64
            case "FloatDeserializer": self = .float32
            case "DoubleDeserializer": self = .float64
            case "UUIDDeserializer": self = .uuid
            default: return nil
            }
        }

        /// How many bytes it wants; nil: any.
        var size: Int? {
            switch self {
            case .raw: nil
            case .int16: 2
            case .int32, .float32: 4
            case .int64, .float64: 8
            case .uuid: 36
            }
        }
    }

    /// `NoOpMessageFormatter`: records are counted, not shown.
    package var isSilent = false
    package var printsTimestamp = false
    package var printsPartition = false
    package var printsOffset = false
    package var printsHeaders = false
    package var printsKey = false
    package var printsValue = true
    package var keySeparator: [UInt8] = [9]
    package var lineSeparator: [UInt8] = [10]
    package var headersSeparator: [UInt8] = [44]
    package var nullLiteral = Array("null".utf8)
    package var keyDecoder = Decoder.raw
    package var valueDecoder = Decoder.raw
    package var headersDecoder = Decoder.raw

    package init() {}

    /// - Parameter name: the formatter's class, whose package does not matter.
    package init(formatter name: String, properties: Properties) throws(CommandLineError) {
        switch name.split(separator: ".").last ?? "" {
        // What the second one logs in addition, Kafka's own settings of the tool keep back.
        case "DefaultMessageFormatter", "LoggingMessageFormatter": break
        case "NoOpMessageFormatter": isSilent = true
        default: throw CommandLineError(name)
        }
        func flag(_ key: String, _ field: inout Bool) {
            if let text = properties[key] { field = trimmed(text).lowercased() == "true" }
        }
        func bytes(_ key: String, _ field: inout [UInt8]) {
            if let text = properties[key] { field = Array(text.utf8) }
        }
        func decoder(_ key: String, _ field: inout Decoder) throws(CommandLineError) {
            guard let name = properties[key] else { return }
            guard let known = Decoder(className: trimmed(name)) else { throw CommandLineError(name) }
            field = known
        }
        flag("print.timestamp", &printsTimestamp)
        flag("print.partition", &printsPartition)
        flag("print.offset", &printsOffset)
        flag("print.headers", &printsHeaders)
        flag("print.key", &printsKey)
        flag("print.value", &printsValue)
        bytes("key.separator", &keySeparator)
        bytes("line.separator", &lineSeparator)
        bytes("headers.separator", &headersSeparator)
        bytes("null.literal", &nullLiteral)
        try decoder("key.deserializer", &keyDecoder)
        try decoder("value.deserializer", &valueDecoder)
        try decoder("headers.deserializer", &headersDecoder)
    }

    private enum Part: CaseIterable { case timestamp, partition, offset, headers, key, value }

    private func prints(_ part: Part) -> Bool {
        switch part {
        case .timestamp: printsTimestamp
        case .partition: printsPartition
        case .offset: printsOffset
        case .headers: printsHeaders
        case .key: printsKey
        case .value: printsValue
        }
    }

    /// Nothing but values as they are: the way that has to be short.
    var isPlain: Bool {
        !isSilent && printsValue && valueDecoder == .raw && !printsTimestamp && !printsPartition && !printsOffset
            && !printsHeaders && !printsKey
    }

    /// Puts one record behind what `out` holds. When it throws, nothing was added.
    package func write(
        _ record: Record, partition: Int32, isLogAppendTime: Bool, into out: inout ByteWriter
    ) throws(ToolFailure) {
        if isSilent { return }
        let start = out.count
        let parts = Part.allCases.filter(prints)
        do throws(ToolFailure) {
            for part in parts {
                switch part {
                case .timestamp: out.utf8("\(isLogAppendTime ? "LogAppendTime" : "CreateTime"):\(record.timestamp)")
                case .partition: out.utf8("Partition:\(partition)")
                case .offset: out.utf8("Offset:\(record.offset)")
                case .headers: try writeHeaders(record, into: &out)
                case .key: try write(record.key, keyDecoder, into: &out)
                case .value: try write(record.value, valueDecoder, into: &out)
                }
                out.raw(part == parts.last ? lineSeparator : keySeparator)
            }
        } catch {
            out.truncate(to: start)
            throw error
        }
    }

    private func writeHeaders(_ record: Record, into out: inout ByteWriter) throws(ToolFailure) {
        let headers = record.headers
        if headers.isEmpty { return out.utf8("NO_HEADERS") }
        for (index, header) in headers.enumerated() {
            if index > 0 { out.raw(headersSeparator) }
            out.raw(header.key)
            out.utf8(":")
            try write(header.value, headersDecoder, into: &out)
        }
    }

    private func write(
        _ bytes: UnsafeRawBufferPointer?, _ decoder: Decoder, into out: inout ByteWriter
    ) throws(ToolFailure) {
        guard let bytes else { return out.raw(nullLiteral) }
        if let size = decoder.size, bytes.count != size {
            throw ToolFailure("Size of data received by the deserializer is not \(size) but \(bytes.count)")
        }
        switch decoder {
        case .raw, .uuid: out.raw(bytes)
        case .int16: out.utf8("\(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))")
        case .int32: out.utf8("\(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))")
        case .int64: out.utf8("\(Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)))")
        case .float32: out.utf8("\(Float(bitPattern: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))))")
        case .float64: out.utf8("\(Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))))")
        }
    }
}
