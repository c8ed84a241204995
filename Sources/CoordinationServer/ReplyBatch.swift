import CoordinationProtocol
import Platform

/// Replies and watch events that wait for a batch of changes to be durable, in the order they were made.
final class ReplyBatch {
    enum Content {
        case event
        case read
        case update
    }

    /// What one connection will get in one piece.
    private struct Entry {
        var connection: ClientConnection
        var count: Int
        var reads: Int64 = 0
        var updates: Int64 = 0
        /// Arrivals of the requests behind it, in nanoseconds: of the first, of the last, and all after the first summed up.
        var first: Int64 = 0
        var last: Int64 = 0
        var laterBy: Double = 0
    }

    private var writer = JuteWriter(capacity: 4096)
    private var entries: [Entry] = []
    /// Replies, without events.
    private(set) var replies = 0
    /// Of requests above `largeRequestThreshold`.
    var largeBytes = 0

    /// - Parameter now: when the request behind it came.
    func add(_ bytes: UnsafeRawBufferPointer, to connection: ClientConnection, _ content: Content, at now: Instant) {
        writer.bytes.raw(bytes)
        connection.heldBytes += bytes.count
        if let last = entries.indices.last, entries[last].connection === connection {
            entries[last].count += bytes.count
        } else {
            entries.append(Entry(connection: connection, count: bytes.count))
        }
        if content == .event { return }
        replies += 1
        connection.heldReplies += 1
        let index = entries.count - 1
        let arrival = now.nanoseconds
        if entries[index].reads + entries[index].updates == 0 { entries[index].first = arrival }
        entries[index].last = arrival
        entries[index].laterBy += Double(arrival - entries[index].first)
        if content == .read { entries[index].reads += 1 } else { entries[index].updates += 1 }
    }

    /// Gives back what only large batches needed, when there was none since the last call.
    func relax() {
        defer { largest = 0 }
        guard entries.isEmpty, largest < ReplyBatch.usualBytes else { return }
        writer.bytes.clear(keeping: ReplyBatch.usualBytes)
    }
    /// Bytes of the largest batch since `relax`.
    private var largest = 0
    private static let usualBytes = 64 << 10

    /// Everything leaves.
    func release(at now: Instant, telling statistics: inout ServerStatistics) {
        largest = max(largest, writer.bytes.count)
        var start = 0
        for entry in entries {
            let count = entry.reads + entry.updates
            if count > 0 {
                entry.connection.heldReplies -= Int(count)
                let longest = now.nanoseconds - entry.first, shortest = now.nanoseconds - entry.last
                let total = Double(longest) * Double(count) - entry.laterBy
                entry.connection.statistics.released(
                    count: count, total: total, last: shortest, longest: longest, shortest: shortest)
                statistics.released(
                    reads: entry.reads, updates: entry.updates, mean: Int64(total / Double(count)) / 1000,
                    longest: longest / 1000, shortest: shortest / 1000)
            }
            entry.connection.released(
                UnsafeRawBufferPointer(rebasing: writer.bytes.bytes[start..<(start + entry.count)]))
            start += entry.count
        }
        entries.removeAll(keepingCapacity: entries.count < 4096)
        writer.bytes.clear()
        replies = 0
        largeBytes = 0
    }
}
