import Testing

@testable import CoordinationClient

@Suite("A connect string")
struct ConnectStringTests {
    @Test("names hosts, ports and a chroot")
    func parses() throws {
        let connect = try ConnectString("a, b:2182,[::1]:2183/kafka/one/")
        #expect(connect.hosts == [.init(name: "a"), .init(name: "b", port: 2182), .init(name: "::1", port: 2183)])
        #expect(connect.chroot == "/kafka/one")
        #expect(connect.description == "a:2181,b:2182,[::1]:2183/kafka/one")
        #expect(try ConnectString("h/").chroot == "")
    }

    @Test(
        "is refused when it names nobody or nonsense",
        arguments: ["", "/a", "a:", "a:0", "a:70000", "::1:2181", "a//b", "a:x"])
    func refuses(text: String) { #expect(throws: ConnectStringError.self) { try ConnectString(text) } }

    @Test("moves paths below its chroot and back")
    func moves() throws {
        let connect = try ConnectString("a/k")
        #expect(connect.serverPath("/") == "/k")
        #expect(connect.serverPath("/x") == "/k/x")
        #expect(connect.clientPath("/k") == "/")
        #expect(connect.clientPath("/k/x") == "/x")
        #expect(connect.clientPath("/kx") == nil)
    }
}
