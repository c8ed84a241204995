/// A request as it came, its head checked and its body whole.
package struct HTTPRequest: Equatable {
    /// A token of RFC 9110, as written: methods are case-sensitive.
    package var method: String
    /// Percent-decoded, always beginning with `/`; dot segments are not resolved, as nothing here is a file name.
    package var path: String
    /// Percent-decoded, in their order; `+` is a blank.
    package var query: [(name: String, value: String)]
    /// Names in lower case, in their order; of doubled ones `header` gives the first.
    package var headers: [(name: String, value: String)]
    /// 0 or 1: HTTP/1.0 or HTTP/1.1.
    package var minorVersion: Int
    package var body: [UInt8]

    package init(
        method: String, path: String, query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [], minorVersion: Int = 1, body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.minorVersion = minorVersion
        self.body = body
    }

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    package func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// Whether the stream goes on after the answer: the default of 1.1, on demand in 1.0.
    package var keepsAlive: Bool {
        let wishes = (header("connection") ?? "").lowercased().split(separator: ",").map { $0.filter { $0 != " " } }
        return minorVersion >= 1 ? !wishes.contains("close") : wishes.contains("keep-alive")
    }

    package static func == (a: HTTPRequest, b: HTTPRequest) -> Bool {
        a.method == b.method && a.path == b.path && a.minorVersion == b.minorVersion && a.body == b.body
            && a.query.elementsEqual(b.query) { $0 == $1 } && a.headers.elementsEqual(b.headers) { $0 == $1 }
    }
}

/// Bytes that are no request this server takes; answered with its status, then the stream ends.
package struct HTTPProblem: Error, Equatable {
    package var status: Int
    package var reason: String
    package init(_ status: Int, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}

/// What one request may cost in memory before anybody has said who asks.
package struct HTTPLimits: Equatable, Sendable {
    /// The request line and all headers, in bytes.
    package var head = 16 << 10
    package var headers = 100
    package var body = 0
    package init() {}
}
