import Testing

@testable import Tools

@Suite("A line written at the terminal")
struct LineBufferTests {
    /// Types `text`; `<key>` stands for the bytes a terminal sends.
    private func line(after typed: [UInt8]..., in buffer: inout LineBuffer) -> [LineBuffer.Outcome] {
        var decoder = KeyDecoder()
        return decoder.keys(from: typed.joined()).map { buffer.press($0) }.filter { $0 != .changed }
    }
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
    private let left = Array("\u{1b}[D".utf8)
    private let up = Array("\u{1b}[A".utf8)
    private let down = Array("\u{1b}[B".utf8)

    @Test("is changed at the cursor, by letters of any script") func editing() {
        var buffer = LineBuffer()
        #expect(
            line(after: bytes("gt /ü"), left, left, left, left, bytes("e"), [5, 13], in: &buffer) == [
                .accepted("get /ü")
            ])
        #expect(line(after: bytes("ab"), [0x7f, 0x7f, 0x7f], in: &buffer) == [.refused])
        #expect(line(after: bytes("ls /brokers/ids"), [0x17, 13], in: &buffer) == [.accepted("ls /brokers/")])
        #expect(
            line(after: bytes("one two"), [0x15], bytes("x "), [0x19, 13], in: &buffer) == [.accepted("x one two")])
    }

    @Test("comes back from the history, and the unfinished one with it") func history() {
        var buffer = LineBuffer()
        _ = line(after: bytes("ls /\rget /a\rget /a\rnew"), in: &buffer)
        #expect(buffer.history == ["ls /", "get /a"])
        #expect(line(after: up, up, up, in: &buffer) == [.refused])
        #expect(String(buffer.text) == "ls /")
        _ = line(after: down, down, in: &buffer)
        #expect(String(buffer.text) == "new")
        _ = line(after: [0x12], bytes("ls"), in: &buffer)
        #expect(buffer.sought == "ls")
        #expect(line(after: [13], in: &buffer) == [.accepted("ls /")])
    }

    @Test("is given up with Ctrl-C, and ends the input with Ctrl-D when it is empty") func ends() {
        var buffer = LineBuffer()
        #expect(line(after: bytes("half"), [3, 4], in: &buffer) == [.abandoned, .ended])
        #expect(line(after: bytes("ab"), left, [4, 13], in: &buffer) == [.accepted("a")])
    }

    @Test("takes keys that come in pieces, and passes over those it does not know") func pieces() {
        var decoder = KeyDecoder()
        #expect(decoder.keys(from: [0x1b]) == [])
        #expect(decoder.keys(from: [UInt8(ascii: "[")]) == [])
        #expect(decoder.keys(from: bytes("1;5C")) == [.wordRight])
        #expect(decoder.keys(from: [0xc3]) == [])
        #expect(decoder.keys(from: [0xbc]) == [.character("ü")])
        #expect(decoder.keys(from: bytes("\u{1b}[99~x")) == [.character("x")])
        #expect(decoder.keys(from: [0xff, 0xff, 0xff, 0xff, 0x61]).last == .character("a"))
    }

    @Test("that is longer than the row is shown around its cursor") func longLine() {
        var buffer = LineBuffer()
        _ = line(after: bytes(String(repeating: "x", count: 30) + "end"), in: &buffer)
        #expect(LineEditor.drawing(of: buffer, prompt: "> ", columns: 13) == "\r\u{1b}[K> xxxxxxxend")
        _ = line(after: [1], in: &buffer)
        #expect(LineEditor.drawing(of: buffer, prompt: "> ", columns: 13) == "\r\u{1b}[K> xxxxxxxxxx\u{1b}[10D")
    }
}

@Suite("Tab in the shell")
struct CompletionTests {
    @Test("asks for commands first, then options and nodes") func wanted() {
        #expect(Completion.wanted(before: "ge") == .command(prefix: "ge"))
        #expect(Completion.wanted(before: "  ge") == .command(prefix: "ge"))
        #expect(Completion.wanted(before: "get -") == .option(command: "get", prefix: "-"))
        #expect(Completion.wanted(before: "get -s /") == .node(parent: "/", prefix: ""))
        #expect(Completion.wanted(before: "get /bro") == .node(parent: "/", prefix: "bro"))
        #expect(Completion.wanted(before: "get /brokers/i") == .node(parent: "/brokers", prefix: "i"))
        #expect(Completion.wanted(before: "get ") == .node(parent: "", prefix: ""))
        #expect(Completion.wanted(before: "set /a da") == .nothing)
    }

    @Test("puts in what the choices share, and shows them when that is nothing") func choices() {
        let names = ["getAcl", "get", "ls", "getEphemerals"]
        #expect(Completion(names, prefix: "g") { _ in " " } == made("et", ["get", "getAcl", "getEphemerals"]))
        #expect(Completion(names, prefix: "get") { _ in " " } == made("", ["get", "getAcl", "getEphemerals"]))
        #expect(Completion(names, prefix: "getA") { _ in " " } == made("cl ", ["getAcl"]))
        #expect(Completion(names, prefix: "x") { _ in " " } == Completion())
        #expect(Completion.columns(["a", "b", "ccc"], width: 10) == "a    ccc\r\nb")
    }

    private func made(_ insertion: String, _ choices: [String]) -> Completion {
        var completion = Completion()
        completion.insertion = insertion
        completion.choices = choices
        return completion
    }
}
