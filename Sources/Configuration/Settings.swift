/// A file's values under a list of keys: each one checked, each one read with its key's type.
package struct Settings: Sendable {
    package let properties: Properties
    package let keys: [any AnyConfigKey]
    private let values: [String: any Sendable]

    /// - Throws: the first wrong value, in the file's order.
    package init(_ properties: Properties, keys: [any AnyConfigKey]) throws(ConfigError) {
        let byName = Dictionary(keys.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var values: [String: any Sendable] = [:]
        for name in properties.names {
            guard let key = byName[name], let text = properties[name] else { continue }
            values[name] = try key.parsed(text)
        }
        self.properties = properties
        self.keys = keys
        self.values = values
    }

    package subscript<Value>(_ key: ConfigKey<Value>) -> Value { (values[key.name] as? Value) ?? key.defaultValue }

    package func isSet(_ key: some AnyConfigKey) -> Bool { properties[key.name] != nil }

    /// The value as DescribeConfigs shows it; nil when unset.
    package func text(_ key: any AnyConfigKey) -> String? {
        properties[key.name].map { trimmed($0) } ?? key.defaultText
    }

    /// Names in the file that no key bears, each with the nearest key if one is near.
    package var notUnderstood: [(name: String, nearest: String?)] {
        let known = Set(keys.map(\.name))
        return properties.names.filter { !known.contains($0) }.map {
            ($0, nearestName(to: $0, among: keys.map(\.name)))
        }
    }
}

/// The name a mistyped one was probably meant to be: at most a third of its letters away, the nearest first.
/// Cost: one edit distance a candidate; meant for start-up and for error messages.
package func nearestName(to name: String, among candidates: [String]) -> String? {
    let wanted = Array(name.lowercased().utf8)
    let limit = max(1, min(wanted.count / 3, 5))
    var best: (distance: Int, name: String)?
    for candidate in candidates {
        let letters = Array(candidate.lowercased().utf8)
        guard abs(letters.count - wanted.count) <= limit else { continue }
        let distance = editDistance(wanted, letters)
        guard distance <= limit else { continue }
        if let found = best, (found.distance, found.name) <= (distance, candidate) { continue }
        best = (distance, candidate)
    }
    return best?.name
}

private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var row = Array(0...b.count)
    for i in a.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let above = row[j + 1]
            row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
            diagonal = above
        }
    }
    return row[b.count]
}
