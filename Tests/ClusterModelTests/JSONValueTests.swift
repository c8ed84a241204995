import Testing

@testable import ClusterModel

@Suite("JSON in znodes")
struct JSONValueTests {
    private func parsed(_ text: String) -> JSONValue? { JSONValue(parsing: [UInt8](text.utf8)) }

    @Test("is read with blanks, escapes, nesting and every kind of value")
    func reads() {
        let json = parsed(#" { "a" : [1, -2, 3.5, true, false, null], "b":{"c":"x\u00e9\n\"\ud83d\ude00"}, "n":"7" } "#)
        #expect(json?["a"] == .array([.integer(1), .integer(-2), .number(3.5), .bool(true), .bool(false), .null]))
        #expect(json?["b"]?["c"]?.string == "xé\n\"😀")
        #expect(json?["n"]?.integer == 7)
        #expect(json?["missing"] == nil)
    }

    @Test(
        "that is not whole is refused",
        arguments: [
            "", " ", "{", "[1,", #"{"a"}"#, #"{"a":1,}"#, "{} x", #""\ud83d""#, #""\q""#, "\"a\nb\"", "tru", "-", "1e",
            #"{a:1}"#,
        ])
    func refuses(_ text: String) { #expect(parsed(text) == nil) }

    @Test("that nests too deeply is refused, and its strings must be UTF-8")
    func hostile() {
        #expect(parsed(String(repeating: "[", count: 100_000)) == nil)
        #expect(JSONValue(parsing: [0x22, 0xff, 0x22]) == nil)
    }

    @Test("with a doubled key counts the last one") func doubled() {
        #expect(parsed(#"{"a":1,"a":2}"#)?["a"] == .integer(2))
    }
}
