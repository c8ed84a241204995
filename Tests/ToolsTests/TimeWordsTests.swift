import Testing

@testable import Tools

@Suite("Times in options")
struct TimeWordsTests {
    @Test("are UTC unless a zone follows") func zones() {
        #expect(TimeWords.dateTime("1970-01-01T00:00:00.000") == 0)
        #expect(TimeWords.dateTime("2020-01-01T00:00:00.000") == 1_577_836_800_000)
        #expect(TimeWords.dateTime("2020-01-01T01:00:00.5+01:00") == 1_577_836_800_500)
        #expect(TimeWords.dateTime("2019-12-31T19:00:00.000-0500") == 1_577_836_800_000)
        #expect(TimeWords.dateTime("2024-02-29T12:00:00Z") == 1_709_208_000_000)
        #expect(TimeWords.dateTime("1969-12-31T23:59:59.999") == -1)
    }

    @Test("that do not exist are refused") func refused() {
        for text in ["2023-02-29T00:00:00.000", "2020-01-01", "2020-13-01T00:00:00", "2020-01-01T24:00:00", "T", "x"] {
            #expect(TimeWords.dateTime(text) == nil)
        }
    }

    @Test("durations are Java's") func durations() {
        #expect(TimeWords.duration("PT30M") == 1_800_000)
        #expect(TimeWords.duration("P1DT2H3M4.5S") == 93_784_500)
        #expect(TimeWords.duration("-PT1S") == -1000)
        #expect(TimeWords.duration("pt0.25s") == 250)
        for text in ["", "P", "PT", "1D", "PT1D", "P1H", "PT1S1M", "P1DT", "PT99999999999999999999S"] {
            #expect(TimeWords.duration(text) == nil)
        }
    }
}
