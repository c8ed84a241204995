import Bytes
import ClusterModel

/// What was read of a message in an internal topic: its fields by their names, in the order of its layout.
package indirect enum StoredValue: Equatable {
    case null
    case integer(Int64)
    case text(String)
    case bytes([UInt8])
    case id(UUID128)
    case list([StoredValue])
    case structure([Field])

    package struct Field: Equatable {
        package var name: String
        package var value: StoredValue
    }

    /// Nil when this is no structure, or one whose version has no such field.
    package subscript(name: String) -> StoredValue? {
        guard case .structure(let fields) = self else { return nil }
        return fields.first { $0.name == name }?.value
    }

    package var integer: Int64? { if case .integer(let number) = self { number } else { nil } }
    package var text: String? { if case .text(let text) = self { text } else { nil } }
    package var list: [StoredValue]? { if case .list(let items) = self { items } else { nil } }

    /// The same with another value in place of `name`'s; unchanged where there is none.
    func replacing(_ name: String, _ change: (StoredValue) -> StoredValue?) -> StoredValue {
        guard case .structure(var fields) = self, let index = fields.firstIndex(where: { $0.name == name }),
            let new = change(fields[index].value)
        else { return self }
        fields[index].value = new
        return .structure(fields)
    }

    /// As Kafka's JSON converters write it: compact, bytes in base64.
    package var json: String {
        var out = ""
        write(to: &out)
        return out
    }

    private func write(to out: inout String) {
        switch self {
        case .null: out += "null"
        case .integer(let number): out += String(number)
        case .text(let text): out += JSONText.quoted(text)
        case .bytes(let bytes): out += JSONText.quoted(ShellFormat.base64(bytes))
        case .id(let id): out += JSONText.quoted(id.text)
        case .list(let items):
            out += "["
            for (index, item) in items.enumerated() {
                if index > 0 { out += "," }
                item.write(to: &out)
            }
            out += "]"
        case .structure(let fields):
            out += "{"
            for (index, field) in fields.enumerated() {
                if index > 0 { out += "," }
                out += JSONText.quoted(field.name) + ":"
                field.value.write(to: &out)
            }
            out += "}"
        }
    }
}
