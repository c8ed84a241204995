import Bytes
import Glibc
import Records

/// One message as a line says it.
package struct LineRecord: Equatable {
    package var key: [UInt8]?
    package var value: [UInt8]?
    package var headers: [RecordHeader] = []
    package init(key: [UInt8]?, value: [UInt8]?, headers: [RecordHeader] = []) {
        self.key = key
        self.value = value
        self.headers = headers
    }
}

/// How the console producer reads lines: `headers TAB key TAB value`, the first two when they are asked for.
/// Rule: the properties and error lines of Kafka's line reader.
package struct LineReader {
    package var parsesKey = false
    package var parsesHeaders = false
    package var keySeparator: [UInt8] = [9]
    package var headersDelimiter: [UInt8] = [9]
    package var headersSeparator: [UInt8] = [UInt8(ascii: ",")]
    package var headerKeySeparator: [UInt8] = [UInt8(ascii: ":")]
    /// A line without the separator is a value, not an error.
    package var ignoresErrors = false
    package var nullMarker: [UInt8]?

    private var rest: [UInt8] = []
    package private(set) var lineNumber = 0

    package init() {}

    package init(properties: [(name: String, value: String)]) throws(ToolFailure) {
        func flag(_ text: String) -> Bool { text.lowercased() == "true" }
        for (name, value) in properties {
            switch name {
            case "parse.key": parsesKey = flag(value)
            case "parse.headers": parsesHeaders = flag(value)
            case "ignore.error": ignoresErrors = flag(value)
            case "key.separator": keySeparator = Array(value.utf8)
            case "headers.delimiter": headersDelimiter = Array(value.utf8)
            case "headers.separator": headersSeparator = Array(value.utf8)
            case "headers.key.separator": headerKeySeparator = Array(value.utf8)
            case "null.marker": nullMarker = Array(value.utf8)
            default: break  // for line readers of other makes
            }
        }
        if parsesKey, parsesHeaders, headersDelimiter == headersSeparator || headersSeparator == headerKeySeparator {
            throw ToolFailure("headers.delimiter, headers.separator and headers.key.separator must differ")
        }
        for (name, separator) in [
            ("key.separator", keySeparator), ("headers.delimiter", headersDelimiter),
            ("headers.separator", headersSeparator), ("headers.key.separator", headerKeySeparator),
        ] where separator.isEmpty {
            throw ToolFailure("\(name) must not be empty")
        }
    }

    /// Takes the lines that end in `bytes`; what follows the last line end is kept for the next call.
    package mutating func take(
        _ bytes: UnsafeRawBufferPointer, _ found: (LineRecord) -> Void
    ) throws(ToolFailure) {
        guard let base = bytes.baseAddress else { return }
        var start = 0
        while start < bytes.count, let end = memchr(base + start, 10, bytes.count - start) {
            let length = UnsafeRawPointer(end) - (base + start)
            let line = UnsafeRawBufferPointer(start: base + start, count: length)
            start += length + 1
            if rest.isEmpty {
                found(try record(line))
            } else {
                let whole = rest + line
                rest = []
                found(try record(whole))
            }
        }
        rest += bytes[start...]
    }

    /// A last line without its end.
    package mutating func finish(_ found: (LineRecord) -> Void) throws(ToolFailure) {
        guard !rest.isEmpty else { return }
        let last = rest
        rest = []
        found(try record(last))
    }

    private mutating func record(_ bytes: [UInt8]) throws(ToolFailure) -> LineRecord {
        var result: Result<LineRecord, ToolFailure>?
        bytes.withUnsafeBytes { raw in
            do throws(ToolFailure) { result = .success(try record(raw)) } catch { result = .failure(error) }
        }
        guard let result else { return LineRecord(key: nil, value: nil) }
        return try result.get()
    }

    mutating func record(_ bytes: UnsafeRawBufferPointer) throws(ToolFailure) -> LineRecord {
        lineNumber += 1
        var line = bytes
        if line.last == 13 { line = UnsafeRawBufferPointer(rebasing: line.dropLast()) }
        if !parsesKey, !parsesHeaders { return LineRecord(key: nil, value: part(line)) }
        var left = line
        var headers: [RecordHeader] = []
        if parsesHeaders {
            if let (head, tail) = split(left, headersDelimiter) {
                headers = try self.headers(head)
                left = tail
            } else if !ignoresErrors {
                throw wrong("No headers delimiter found on line number \(lineNumber): '\(text(line))'")
            }
        }
        guard parsesKey else { return LineRecord(key: nil, value: part(left), headers: headers) }
        guard let (key, value) = split(left, keySeparator) else {
            guard ignoresErrors else {
                throw wrong("No key separator found on line number \(lineNumber): '\(text(line))'")
            }
            return LineRecord(key: nil, value: part(left), headers: headers)
        }
        return LineRecord(key: part(key), value: part(value), headers: headers)
    }

    private func headers(_ bytes: UnsafeRawBufferPointer) throws(ToolFailure) -> [RecordHeader] {
        if part(bytes) == nil { return [] }
        var headers: [RecordHeader] = []
        var left = bytes
        while true {
            let (pair, tail) = split(left, headersSeparator) ?? (left, UnsafeRawBufferPointer(start: nil, count: 0))
            if let (key, value) = split(pair, headerKeySeparator) {
                headers.append(RecordHeader(key: [UInt8](key), value: part(value)))
            } else if ignoresErrors {
                headers.append(RecordHeader(key: [UInt8](pair), value: nil))
            } else {
                throw wrong("No header key separator found in pair '\(text(pair))' on line number \(lineNumber)")
            }
            if tail.baseAddress == nil { return headers }
            left = tail
        }
    }

    /// nil for the null marker.
    private func part(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        if let nullMarker, bytes.elementsEqual(nullMarker) { return nil }
        return [UInt8](bytes)
    }

    /// Around the first occurrence of `separator`.
    private func split(
        _ bytes: UnsafeRawBufferPointer, _ separator: [UInt8]
    ) -> (UnsafeRawBufferPointer, UnsafeRawBufferPointer)? {
        guard bytes.count >= separator.count else { return nil }
        for start in 0...(bytes.count - separator.count)
        where bytes[start] == separator[0] && bytes[start..<start + separator.count].elementsEqual(separator) {
            return (
                UnsafeRawBufferPointer(rebasing: bytes[..<start]),
                UnsafeRawBufferPointer(rebasing: bytes[(start + separator.count)...])
            )
        }
        return nil
    }

    private func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

    private func wrong(_ message: String) -> ToolFailure {
        ToolFailure("org.apache.kafka.common.KafkaException: \(message)")
    }
}
