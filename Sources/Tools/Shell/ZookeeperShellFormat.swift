import CoordinationProtocol

/// How the shell writes numbers, times, bytes and access control lists.
enum ShellFormat {
    static func stat(_ stat: Stat) -> String {
        func hex(_ number: Int64) -> String { "0x" + String(UInt64(bitPattern: number), radix: 16) }
        return """
            cZxid = \(hex(stat.czxid))
            ctime = \(date(ms: stat.ctime))
            mZxid = \(hex(stat.mzxid))
            mtime = \(date(ms: stat.mtime))
            pZxid = \(hex(stat.pzxid))
            cversion = \(stat.cversion)
            dataVersion = \(stat.version)
            aclVersion = \(stat.aversion)
            ephemeralOwner = \(hex(stat.ephemeralOwner))
            dataLength = \(stat.dataLength)
            numChildren = \(stat.numChildren)
            """
    }

    /// `Sat Nov 21 05:23:05 UTC 2026`.
    static func date(ms: Int64) -> String {
        let seconds = Int64((Double(ms) / 1000).rounded(.down))
        let day = Int64((Double(seconds) / 86400).rounded(.down))
        let time = seconds - day * 86400
        let (year, month, dayOfMonth) = CivilDate.date(daysSince1970: day)
        let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let weekday = weekdays[Int(((day % 7) + 7) % 7)]
        return "\(weekday) \(months[month - 1]) \(two(Int64(dayOfMonth))) "
            + "\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60)) UTC \(year)"
    }

    /// `05:23:05.795`, UTC.
    static func timeOfDay(ms: Int64) -> String {
        let inDay = ((ms % 86_400_000) + 86_400_000) % 86_400_000
        func digits(_ number: Int64, _ count: Int) -> String {
            String(repeating: "0", count: max(count - "\(number)".count, 0)) + "\(number)"
        }
        return digits(inDay / 3_600_000, 2) + ":" + digits(inDay / 60_000 % 60, 2) + ":"
            + digits(inDay / 1000 % 60, 2) + "." + digits(inDay % 1000, 3)
    }

    static func name(_ kind: WatchEventType?) -> String {
        switch kind {
        case .nodeCreated: "NodeCreated"
        case .nodeDeleted: "NodeDeleted"
        case .nodeDataChanged: "NodeDataChanged"
        case .nodeChildrenChanged: "NodeChildrenChanged"
        default: "None"
        }
    }

    static func permissions(_ permissions: Permissions) -> String {
        let letters: [(Permissions, String)] = [
            (.create, "c"), (.delete, "d"), (.read, "r"), (.write, "w"), (.admin, "a"),
        ]
        return letters.map { permissions.contains($0.0) ? $0.1 : "" }.joined()
    }

    /// `world:anyone:cdrwa,digest:user:hash:r`.
    static func acl(_ text: String, _ tool: any ToolWorld) throws(ShellError) -> [ACL] {
        var list: [ACL] = []
        for part in text.split(separator: ",") {
            guard let first = part.firstIndex(of: ":"), let last = part.lastIndex(of: ":"), first != last else {
                throw ShellError("\(part) does not have the form scheme:id:perm")
            }
            var permissions: Permissions = []
            for letter in part[part.index(after: last)...] {
                switch letter {
                case "c": permissions.insert(.create)
                case "d": permissions.insert(.delete)
                case "r": permissions.insert(.read)
                case "w": permissions.insert(.write)
                case "a": permissions.insert(.admin)
                default: throw ShellError("Unknown perm type: \(letter)")
                }
            }
            list.append(
                ACL(
                    permissions, scheme: String(part[..<first]), id: String(part[part.index(after: first)..<last])))
        }
        return list
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func base64(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            var group: UInt32 = 0
            for index in 0..<3 {
                group = group << 8 | UInt32(index < part.count ? part[part.startIndex + index] : 0)
            }
            for digit in 0..<4 {
                out.append(
                    digit <= part.count
                        ? alphabet[Int(group >> UInt32(18 - 6 * digit) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    static func base64Decoded(_ text: String) -> [UInt8]? {
        var out: [UInt8] = []
        var group: UInt32 = 0
        var bits = 0
        for byte in text.utf8 where byte != UInt8(ascii: "=") {
            guard let digit = alphabet.firstIndex(of: byte) else { return nil }
            group = group << 6 | UInt32(digit)
            bits += 6
            if bits >= 8 {
                bits -= 8
                out.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
            }
        }
        return out
    }

    static func hexDump(_ bytes: [UInt8]) -> String {
        let rule = "+--------+-------------------------------------------------+----------------+"
        var lines = [
            "         +-------------------------------------------------+",
            "         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |", rule,
        ]
        func hex(_ number: Int, _ width: Int) -> String {
            let digits = String(number, radix: 16)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        for start in stride(from: 0, to: bytes.count, by: 16) {
            let row = bytes[start..<min(start + 16, bytes.count)]
            let blanks = 16 - row.count
            lines.append(
                "|\(hex(start, 8))|" + row.map { " " + hex(Int($0), 2) }.joined()
                    + String(repeating: "   ", count: blanks) + " |"
                    + String(decoding: row.map { $0 > 0x1f && $0 < 0x7f ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
                    + String(repeating: " ", count: blanks) + "|")
        }
        return (lines + [rule]).joined(separator: "\n")
    }
}

/// The calendar without a library: proleptic Gregorian, UTC.
enum CivilDate {
    static func date(daysSince1970 days: Int64) -> (year: Int64, month: Int, day: Int) {
        // Years that begin in March, in eras of 400: the leap day is the last of its year.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    static func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}
