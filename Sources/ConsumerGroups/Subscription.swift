import Bytes

/// What the group's owner reads in a consumer's metadata: the topics only (ConsumerProtocolSubscription, all versions begin alike).
package enum Subscription {
    /// Nil when these bytes are not a subscription; then nobody knows what the group reads.
    package static func topics(in metadata: [UInt8]) -> [String]? {
        metadata.withUnsafeBytes { raw -> [String]? in
            var reader = ByteReader(raw)
            do throws(ByteError) {
                _ = try reader.int16()
                let count = Int(try reader.int32())
                guard count >= 0, count <= reader.left / 2 else { return nil }
                var topics: [String] = []
                for _ in 0..<count { topics.append(try reader.string(Int(try reader.int16()))) }
                return topics
            } catch {
                return nil
            }
        }
    }
}
