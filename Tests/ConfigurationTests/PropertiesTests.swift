import Testing

@testable import Configuration

@Suite("A properties file")
struct PropertiesTests {
    @Test("separates keys and values by =, : or blanks")
    func separators() throws {
        let file = try Properties(parsing: "a=1\nb: 2\nc 3\nd\ne = x = y\n  f\t:\t4  \n")
        #expect(file.names == ["a", "b", "c", "d", "e", "f"])
        #expect(file.names.map { file[$0] } == ["1", "2", "3", "", "x = y", "4  "])
    }

    @Test("skips comments and blank lines, also behind blanks, whatever ends the lines")
    func comments() throws {
        let file = try Properties(parsing: "# one\r\n  ! two = 2\r\n\r\na=1\rb=2 # not a comment\\\n#continued\n")
        #expect(file.names == ["a", "b"])
        #expect(file["b"] == "2 # not a comment#continued")
    }

    @Test("continues a line that ends in an odd number of backslashes, dropping the next one's indent")
    func continuation() throws {
        let file = try Properties(parsing: "list=a,\\\n     b,\\\n\tc\npath=x\\\\\nlast=end\\")
        #expect(file["list"] == "a,b,c")
        #expect(file["path"] == "x\\")
        #expect(file["last"] == "end")
    }

    @Test("knows Java's escapes, surrogate pairs among them")
    func escapes() throws {
        let file = try Properties(parsing: #"with\ blank\:=tab\there \u00e4 \uD83D\uDE00 \q"#)
        #expect(file["with blank:"] == "tab\there ä 😀 q")
    }

    @Test("names the line whose escape is broken")
    func errors() {
        #expect(throws: PropertiesError(line: 3, reason: "\\u must be followed by four hexadecimal digits")) {
            try Properties(parsing: "a=1\n\nb=\\\n\\u12g4\n")
        }
    }

    @Test("lets the later of two lines win, and the command line over both")
    func duplicates() throws {
        var file = try Properties(parsing: "a=1\nb=2\na=3\n")
        #expect(file["a"] == "3" && file.names == ["a", "b"] && file.line(of: "a") == 3)
        let taken = file.override("a = 4 ")
        let refused = [file.override("novalue"), file.override("=1")]
        #expect(file["a"] == "4" && file.line(of: "a") == nil)
        #expect(taken && refused == [false, false])
    }

    @Test("that is not UTF-8 is read as ISO-8859-1")
    func latin() throws {
        #expect(try Properties(parsing: Array("a=".utf8) + [0xe4])["a"] == "ä")
    }
}
