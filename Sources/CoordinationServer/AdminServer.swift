import Configuration
import HTTP
import Platform

/// The coordinator's HTTP: a page for people, ZooKeeper's commands as JSON, metrics for Prometheus. Everything is made when it
/// is asked for; nothing runs while nobody asks.
final class AdminServer {
    private unowned let server: CoordinationServer
    private var http: HTTPServer?

    /// `http://127.0.0.1:2180/`
    var url: String { "http://\(shownHost):\(http?.port ?? 0)/" }

    /// Listens, and says where. When the port cannot be had it says so in one line, and the coordinator goes on without.
    static func start(_ server: CoordinationServer) -> AdminServer? {
        guard let port = server.config.adminPort else { return nil }
        let admin = AdminServer(server)
        do throws(NetworkError) {
            try admin.listen(port)
        } catch {
            server.world.journal.warning(
                "admin HTTP is off: \(server.config.adminAddress):\(port): \(error). Choose another admin.serverPort, or admin.enableServer=false"
            )
            return nil
        }
        server.world.journal.info("admin HTTP: \(admin.url) (commands, metrics)")
        return admin
    }

    private init(_ server: CoordinationServer) { self.server = server }

    private func listen(_ port: Int) throws(NetworkError) {
        var options = HTTPServer.Options()
        options.idleTimeout = server.config.adminIdleTimeout
        options.hosts = HostGuard(names: [server.world.hostName, server.config.adminAddress])
        http = try HTTPServer(
            host: server.config.adminAddress, port: port, world: server.world, options: options
        ) { [weak self] request in
            self?.answer(request) ?? HTTPResponse(status: 503, text: "stopping\n")
        }
    }

    func close() { http?.close() }

    private var shownHost: String {
        let host = server.config.adminAddress
        if host.isEmpty || host == "0.0.0.0" || host == "::" { return "localhost" }
        return host.contains(":") ? "[\(host)]" : host
    }

    private func answer(_ request: HTTPRequest) -> HTTPResponse {
        let commands = server.config.adminPath
        switch request.path {
        case "/": return HTTPResponse(html: frontPage)
        case "/metrics":
            return HTTPResponse(
                contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: [UInt8](server.metrics().map(\.prometheus).joined().utf8))
        case commands, commands + "/":
            return HTTPResponse(
                html: AdminCommand.offered.map(\.name).sorted().map {
                    "<a href=\"\(escapedForHTML(commands))/\($0)\">\($0)</a>\n<br/>\n"
                }.joined())
        case let path where path.hasPrefix(commands + "/"):
            return AdminCommand.run(String(path.dropFirst(commands.utf8.count + 1)), request, server)
        default: return HTTPResponse(status: 404, text: "Nothing here. Try / , \(commands) or /metrics\n")
        }
    }

    private var frontPage: String {
        let commands = escapedForHTML(server.config.adminPath)
        let rows = [
            ("Zookeeper protocol", "port \(server.port)"), ("Mode", "standalone"),
            ("Zxid", "0x" + LogFormat.hex(server.durableZxid)), ("Znodes", grouped(server.shownNodeCount)),
            ("Sessions", grouped(server.core.sessionCount)), ("Connections", grouped(server.connectionCount)),
            ("Watches", grouped(server.core.watchCounts.all)),
            ("Up", "\((server.world.clock.now - server.startedAt).wholeMilliseconds / 1000) s"),
        ]
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>Coordinator</title>
            <style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:40rem;padding:0 1rem}th{text-align:left;padding-right:2rem}</style>
            </head><body><h1>Coordinator of \(escapedForHTML(server.world.hostName))</h1>
            <table>\(rows.map { "<tr><th>\($0.0)</th><td>\(escapedForHTML($0.1))</td></tr>" }.joined())</table>
            <p><a href="\(commands)">commands</a> · <a href="\(commands)/stats">stats</a> · <a href="/metrics">metrics</a></p>
            </body></html>

            """
    }
}

extension CoordinationServer {
    /// Where a browser is sent that came to the client port.
    var adminURL: String? { admin?.url }
}
