import CoordinationProtocol

/// Replies and watch events that wait for a batch of changes to be durable, in the order they were made.
final class ReplyBatch {
    private var writer = JuteWriter(capacity: 4096)
    private var entries: [(connection: ClientConnection, count: Int)] = []

    func add(_ bytes: UnsafeRawBufferPointer, to connection: ClientConnection) {
        writer.bytes.raw(bytes)
        connection.heldBytes += bytes.count
        if let last = entries.indices.last, entries[last].connection === connection {
            entries[last].count += bytes.count
        } else {
            entries.append((connection, bytes.count))
        }
    }

    /// Everything leaves.
    func release() {
        var start = 0
        for (connection, count) in entries {
            connection.released(UnsafeRawBufferPointer(rebasing: writer.bytes.bytes[start..<(start + count)]))
            start += count
        }
        entries.removeAll(keepingCapacity: entries.count < 4096)
        writer.bytes.clear()
    }
}
