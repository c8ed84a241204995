/// JSON to be written, its members in the order they were put.
package indirect enum JSON: Equatable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([Member])

    package struct Member: Equatable {
        package var key: String
        package var value: JSON
        package init(_ key: String, _ value: JSON) {
            self.key = key
            self.value = value
        }
    }

    package static func object(_ members: KeyValuePairs<String, JSON>) -> JSON {
        .object(members.map { Member($0.key, $0.value) })
    }
    package static func integer(_ number: Int) -> JSON { .integer(Int64(number)) }
    package static func integer(_ number: Int32) -> JSON { .integer(Int64(number)) }

    /// Two blanks a level and blanks around colons, as Jackson writes it and ZooKeeper's users know it.
    package var pretty: String {
        var out = ""
        write(to: &out, indentation: 0)
        return out
    }

    private func write(to out: inout String, indentation: Int) {
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .integer(let number): out += String(number)
        case .number(let number): out += number.isFinite ? String(number) : "null"
        case .string(let text): JSON.quote(text, to: &out)
        case .array(let items):
            out += "["
            for (index, item) in items.enumerated() {
                out += index == 0 ? " " : ", "
                item.write(to: &out, indentation: indentation)
            }
            out += " ]"
        case .object(let members):
            out += "{"
            for (index, member) in members.enumerated() {
                out += index == 0 ? "\n" : ",\n"
                out += String(repeating: " ", count: indentation + 2)
                JSON.quote(member.key, to: &out)
                out += " : "
                member.value.write(to: &out, indentation: indentation + 2)
            }
            if members.isEmpty { out += " " } else { out += "\n" + String(repeating: " ", count: indentation) }
            out += "}"
        }
    }

    private static func quote(_ text: String, to out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            default:
                if scalar.value < 0x20 {
                    let digits = String(scalar.value, radix: 16)
                    out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    out.unicodeScalars.append(scalar)
                }
            }
        }
        out += "\""
    }
}
