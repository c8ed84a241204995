/// An answer: whole in memory, as everything served here is small or was just made.
package struct HTTPResponse: Equatable {
    package var status: Int
    package var contentType: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    package init(
        status: Int = 200, contentType: String = "text/plain; charset=utf-8",
        headers: [(name: String, value: String)] = [], body: [UInt8]
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
    }

    package init(status: Int = 200, text: String) {
        self.init(status: status, body: [UInt8](text.utf8))
    }

    package init(status: Int = 200, html: String) {
        self.init(status: status, contentType: "text/html; charset=utf-8", body: [UInt8](html.utf8))
    }

    package init(status: Int = 200, json: JSON) {
        self.init(status: status, contentType: "application/json", body: [UInt8](json.pretty.utf8))
    }

    package init(_ problem: HTTPProblem) { self.init(status: problem.status, text: problem.reason + "\n") }

    package static func notAllowed(_ methods: [String]) -> HTTPResponse {
        var response = HTTPResponse(status: 405, text: "only \(methods.joined(separator: " and ")) here\n")
        response.headers.append(("Allow", methods.joined(separator: ", ")))
        return response
    }

    /// The head of the stream's answer. Browsers are told not to guess the type, not to frame it, and not to load anything.
    package func head(keepsAlive: Bool) -> String {
        var text = "HTTP/1.1 \(status) \(HTTPResponse.phrase(status))\r\n"
        text += "Content-Type: \(contentType)\r\nContent-Length: \(body.count)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        text += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        text += "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n"
        text += "Connection: \(keepsAlive ? "keep-alive" : "close")\r\n\r\n"
        return text
    }

    package static func phrase(_ status: Int) -> String {
        switch status {
        case 200: "OK"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 411: "Length Required"
        case 413: "Content Too Large"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: "Status \(status)"
        }
    }

    package static func == (a: HTTPResponse, b: HTTPResponse) -> Bool {
        a.status == b.status && a.contentType == b.contentType && a.body == b.body
            && a.headers.elementsEqual(b.headers) { $0 == $1 }
    }
}

/// Text as it may stand in HTML, between tags and in quoted attributes.
package func escapedForHTML(_ text: String) -> String {
    var out = ""
    for character in text.unicodeScalars {
        switch character {
        case "&": out += "&amp;"
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        case "\"": out += "&quot;"
        case "'": out += "&#39;"
        default: out.unicodeScalars.append(character)
        }
    }
    return out
}
