/// Reads requests from the bytes received so far. Pure: the same bytes give the same answer, however they were cut on their way.
/// Rules: RFC 9112, strict where leniency has been a hole: no folded headers, no blank before the colon, no chunked bodies, no
/// two lengths, no control characters.
package enum HTTPParser {
    package enum Outcome: Equatable {
        /// Nothing can be said yet; at least this many bytes are needed in all.
        case incomplete(needs: Int)
        /// - Parameter consumed: how many of the bytes it took.
        case request(HTTPRequest, consumed: Int)
        case problem(HTTPProblem)
    }

    package static func parse(_ bytes: UnsafeRawBufferPointer, _ limits: HTTPLimits = HTTPLimits()) -> Outcome {
        do throws(HTTPProblem) {
            guard let end = endOfHead(bytes, limits.head) else {
                if bytes.count >= limits.head { throw HTTPProblem(431, "the head is longer than \(limits.head) bytes") }
                // What cannot become a request is refused at once, not when its head ends.
                try checkBeginning(bytes)
                return .incomplete(needs: bytes.count + 1)
            }
            var lines = HeadLines(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
            // Empty lines before a request are left over from the one before (RFC 9112, 2.2).
            var first = lines.next()
            while let line = first, line.isEmpty { first = lines.next() }
            guard let first else { throw HTTPProblem(400, "no request line") }
            var request = try requestLine(first)
            while let line = lines.next(), !line.isEmpty {
                guard request.headers.count < limits.headers else {
                    throw HTTPProblem(431, "more than \(limits.headers) headers")
                }
                request.headers.append(try header(line))
            }
            let length = try bodyLength(request)
            guard length <= limits.body else { throw HTTPProblem(413, "the body is longer than \(limits.body) bytes") }
            guard bytes.count - end >= length else { return .incomplete(needs: end + length) }
            request.body = [UInt8](bytes[end..<(end + length)])
            return .request(request, consumed: end + length)
        } catch {
            return .problem(error)
        }
    }

    /// Behind the empty line that ends the head; nil when it is not there within `limit` bytes.
    private static func endOfHead(_ bytes: UnsafeRawBufferPointer, _ limit: Int) -> Int? {
        var start = 0
        // Empty lines at the very beginning end no head.
        while start < bytes.count, bytes[start] == 13 || bytes[start] == 10 { start += 1 }
        var index = start
        while index < min(bytes.count, limit) {
            if bytes[index] == 10 {
                if index + 1 < bytes.count, bytes[index + 1] == 10 { return index + 2 }
                if index + 2 < bytes.count, bytes[index + 1] == 13, bytes[index + 2] == 10 { return index + 3 }
            }
            index += 1
        }
        return nil
    }

    private static func checkBeginning(_ bytes: UnsafeRawBufferPointer) throws(HTTPProblem) {
        for byte in bytes {
            if byte == 0x20 || byte == 13 || byte == 10 { return }
            guard isToken(byte) else { throw HTTPProblem(400, "this is not HTTP") }
        }
    }

    private static func requestLine(_ line: ArraySlice<UInt8>) throws(HTTPProblem) -> HTTPRequest {
        let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, words[0].count <= 32, words[0].allSatisfy(isToken) else {
            throw HTTPProblem(400, "the request line is not METHOD TARGET VERSION")
        }
        let minor: Int
        switch String(decoding: words[2], as: UTF8.self) {
        case "HTTP/1.1": minor = 1
        case "HTTP/1.0": minor = 0
        case let version where version.hasPrefix("HTTP/"): throw HTTPProblem(505, "only HTTP/1.0 and 1.1 are spoken")
        default: throw HTTPProblem(400, "the request line is not METHOD TARGET VERSION")
        }
        var target = words[1]
        guard target.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw HTTPProblem(400, "the target has characters that must be percent-encoded")
        }
        // What a proxy would be sent: `http://host/path`.
        if target.starts(with: Array("http://".utf8)) {
            let rest = target.dropFirst(7)
            target = rest.firstIndex(of: UInt8(ascii: "/")).map { rest[$0...] } ?? [UInt8(ascii: "/")]
        }
        guard target.first == UInt8(ascii: "/") else { throw HTTPProblem(400, "the target does not begin with /") }
        let mark = target.firstIndex(of: UInt8(ascii: "?"))
        guard let path = decoded(target[..<(mark ?? target.endIndex)], plusIsBlank: false) else {
            throw HTTPProblem(400, "the path's percent-encoding is wrong")
        }
        var request = HTTPRequest(
            method: String(decoding: words[0], as: UTF8.self), path: path, minorVersion: minor)
        guard let mark else { return request }
        for pair in target[(mark + 1)...].split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard let name = decoded(pair[..<equals], plusIsBlank: true),
                let value = decoded(pair[equals...].dropFirst(), plusIsBlank: true)
            else { throw HTTPProblem(400, "the query's percent-encoding is wrong") }
            request.query.append((name, value))
        }
        return request
    }

    private static func header(_ line: ArraySlice<UInt8>) throws(HTTPProblem) -> (name: String, value: String) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line[..<colon].allSatisfy(isToken)
        else { throw HTTPProblem(400, "a header is not NAME: VALUE") }
        var value = line[(colon + 1)...]
        while let first = value.first, first == 0x20 || first == 9 { value.removeFirst() }
        while let last = value.last, last == 0x20 || last == 9 { value.removeLast() }
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 9 }) else {
            throw HTTPProblem(400, "a header has control characters")
        }
        return (String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self))
    }

    private static func bodyLength(_ request: HTTPRequest) throws(HTTPProblem) -> Int {
        if request.header("transfer-encoding") != nil { throw HTTPProblem(411, "say the body's Content-Length") }
        let lengths = request.headers.filter { $0.name == "content-length" }
        guard let text = lengths.first?.value else { return 0 }
        guard lengths.count == 1, !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw HTTPProblem(400, "Content-Length is not one number")
        }
        // More digits than an Int holds are simply too many bytes.
        return Int(text) ?? .max
    }

    /// Nil when a `%` is not followed by two hexadecimal digits, or the result is not UTF-8 or holds control characters.
    private static func decoded(_ bytes: ArraySlice<UInt8>, plusIsBlank: Bool) -> String? {
        var out: [UInt8] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                    return nil
                }
                out.append(high << 4 | low)
            } else {
                out.append(plusIsBlank && byte == UInt8(ascii: "+") ? 0x20 : byte)
            }
        }
        guard out.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { return nil }
        return String(validating: out, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

/// A head's lines without their ends; LF alone ends one too (RFC 9112, 2.2).
private struct HeadLines {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = [UInt8](bytes) }

    mutating func next() -> ArraySlice<UInt8>? {
        guard position < bytes.count else { return nil }
        let end = bytes[position...].firstIndex(of: 10) ?? bytes.endIndex
        var line = bytes[position..<end]
        position = end + 1
        if line.last == 13 { line.removeLast() }
        return line
    }
}
