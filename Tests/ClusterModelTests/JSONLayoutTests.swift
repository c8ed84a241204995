import ClusterModel
import Testing

@Suite("JSON for people")
struct JSONLayoutTests {
    @Test("stands one member a line; what is in strings stays as it is") func indented() {
        #expect(
            JSONLayout.indented(Array(#"{"a":[1,2],"b":{},"c":"{\"x\": [,]}"}"#.utf8)) == """
                {
                  "a": [
                    1,
                    2
                  ],
                  "b": {},
                  "c": "{\\"x\\": [,]}"
                }
                """)
    }

    @Test("is left alone when it is no object or list") func notJSON() {
        for text in ["", "3", "null", "{", #"{"a":}"#, "hello"] {
            #expect(JSONLayout.indented(Array(text.utf8)) == nil)
        }
    }
}
