import ClusterModel

/// `meta.properties`: whose directory this is.
package struct DirectoryIdentity: Equatable, Sendable {
    package var brokerID: BrokerID?
    package var clusterID: String?
    package var directoryID: String?
    package init(brokerID: BrokerID? = nil, clusterID: String? = nil, directoryID: String? = nil) {
        self.brokerID = brokerID
        self.clusterID = clusterID
        self.directoryID = directoryID
    }

    var text: String {
        var lines = ["#"]
        if let brokerID { lines.append("broker.id=\(brokerID)") }
        lines.append("version=0")
        if let clusterID { lines.append("cluster.id=\(clusterID)") }
        if let directoryID { lines.append("directory.id=\(directoryID)") }
        return lines.map { $0 + "\n" }.joined()
    }

    /// Nil when a value cannot be what the key wants, or the version is not 0.
    init?(text: String) {
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") && !line.hasPrefix("!") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            let key = line[..<equals].filter { $0 != " " }
            // Java's writer escapes what could end a key.
            let value = line[line.index(after: equals)...].drop { $0 == " " }.filter { $0 != "\\" }
            switch key {
            case "version": guard value == "0" else { return nil }
            case "broker.id":
                guard let id = Int32(value) else { return nil }
                brokerID = BrokerID(id)
            case "cluster.id": clusterID = value
            case "directory.id": directoryID = value
            default: break
            }
        }
    }
}
