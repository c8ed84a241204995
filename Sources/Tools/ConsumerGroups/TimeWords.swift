/// Times as the options of Kafka's tools spell them.
package enum TimeWords {
    /// `2026-11-21T10:00:00.000`, with `Z`, `+01:00` or nothing (UTC) behind it. Milliseconds since 1970; nil when it is none.
    package static func dateTime(_ text: String) -> Int64? {
        guard let t = text.firstIndex(of: "T") else { return nil }
        let date = text[..<t].split(separator: "-", omittingEmptySubsequences: false)
        guard date.count == 3, let year = digits(date[0], 4), let month = digits(date[1], 2),
            let day = digits(date[2], 2),
            1...12 ~= month, 1...lengthOfMonth(month, year) ~= day
        else { return nil }
        var clock = text[text.index(after: t)...]
        var offsetMinutes: Int64 = 0
        if clock.last == "Z" {
            clock.removeLast()
        } else if let sign = clock.lastIndex(where: { $0 == "+" || $0 == "-" }) {
            var zone = clock[clock.index(after: sign)...].filter { $0 != ":" }
            if zone.count == 2 { zone += "00" }
            guard zone.count == 4, let hours = digits(zone.prefix(2), 2), let minutes = digits(zone.suffix(2), 2),
                hours < 24,
                minutes < 60
            else { return nil }
            offsetMinutes = (hours * 60 + minutes) * (clock[sign] == "-" ? -1 : 1)
            clock = clock[..<sign]
        }
        var milliseconds: Int64 = 0
        if let dot = clock.firstIndex(of: ".") {
            let fraction = clock[clock.index(after: dot)...]
            guard 1...3 ~= fraction.count, let value = digits(fraction, fraction.count) else { return nil }
            milliseconds = fraction.count == 1 ? value * 100 : fraction.count == 2 ? value * 10 : value
            clock = clock[..<dot]
        }
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let hour = digits(parts[0], 2), let minute = digits(parts[1], 2),
            let second = digits(parts[2], 2), hour < 24, minute < 60, second < 60
        else { return nil }
        let seconds = daysSince1970(year, month, day) * 86_400 + hour * 3600 + (minute - offsetMinutes) * 60 + second
        return seconds * 1000 + milliseconds
    }

    /// `P1DT2H30M1.5S` in milliseconds; nil when it is none. Rule: `java.time.Duration.parse`.
    package static func duration(_ text: String) -> Int64? {
        var rest = text.uppercased()[...]
        var sign: Int64 = 1
        if rest.first == "-" { sign = -1 }
        if rest.first == "-" || rest.first == "+" { rest.removeFirst() }
        guard rest.popFirst() == "P", !rest.isEmpty else { return nil }
        var total: Int64 = 0
        var units: [(name: Character, milliseconds: Int64)] = [("D", 86_400_000)]
        var number = ""
        var found = false
        while let next = rest.popFirst() {
            if next == "T" {
                guard number.isEmpty, units.first?.name != "H", !rest.isEmpty else { return nil }
                units = [("H", 3_600_000), ("M", 60_000), ("S", 1000)]
            } else if let place = units.firstIndex(where: { $0.name == next }) {
                guard let amount = milliseconds(number, each: units[place].milliseconds, fraction: next == "S") else {
                    return nil
                }
                let (sum, overflow) = total.addingReportingOverflow(amount)
                if overflow { return nil }
                total = sum
                found = true
                number = ""
                units.removeFirst(place + 1)
            } else {
                number.append(next)
            }
        }
        return found && number.isEmpty ? sign * total : nil
    }

    private static func milliseconds(_ text: String, each: Int64, fraction: Bool) -> Int64? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard !parts.isEmpty, let whole = Int64(parts[0]) else { return nil }
        let (product, overflow) = whole.multipliedReportingOverflow(by: each)
        if overflow { return nil }
        guard parts.count == 2 else { return product }
        let digits = parts[1].prefix(3)
        guard fraction, let value = Int64(digits.isEmpty ? "0" : digits), value >= 0 else { return nil }
        let scaled = digits.count == 1 ? value * 100 : digits.count == 2 ? value * 10 : value
        return product + (text.hasPrefix("-") ? -scaled : scaled)
    }

    private static func digits(_ text: some StringProtocol, _ count: Int) -> Int64? {
        guard text.utf8.count == count, text.utf8.allSatisfy({ 48...57 ~= $0 }) else { return nil }
        return Int64(text)
    }

    private static func lengthOfMonth(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Proleptic Gregorian; the year begins in March, so that the leap day is its last.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let y = month > 2 ? year : year - 1
        let m = (month + 9) % 12
        return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468
    }
}
