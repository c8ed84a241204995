/// A place in a partition. Plain, because logs, batches and wires all count in it; ranges of it are half-open.
package typealias Offset = Int64

/// Numbers that must not be mixed up are types of their own.
package protocol Quantity: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible
where RawInteger: FixedWidthInteger, IntegerLiteralType == RawInteger {
    associatedtype RawInteger
    var raw: RawInteger { get set }
    init(_ raw: RawInteger)
}

extension Quantity {
    package init(integerLiteral value: RawInteger) { self.init(value) }
    package static func < (a: Self, b: Self) -> Bool { a.raw < b.raw }
    package var description: String { "\(raw)" }
    package var next: Self { Self(raw &+ 1) }
}

/// `broker.id`; -1 is nobody.
package struct BrokerID: Quantity {
    package var raw: Int32
    package init(_ raw: Int32) { self.raw = raw }
    package static let none: BrokerID = -1
    /// The leader of a partition whose topic is being deleted, as UpdateMetadata tells it.
    package static let duringDelete: BrokerID = -2
}

/// Counts the leaders of one partition; every election raises it.
package struct LeaderEpoch: Quantity {
    package var raw: Int32
    package init(_ raw: Int32) { self.raw = raw }
    package static let none: LeaderEpoch = -1
}

/// Counts controllers; `/controller_epoch`.
package struct ControllerEpoch: Quantity {
    package var raw: Int32
    package init(_ raw: Int32) { self.raw = raw }
}

/// The czxid of `/brokers/ids/N`: tells one life of a broker from the next (KIP-380).
package struct BrokerEpoch: Quantity {
    package var raw: Int64
    package init(_ raw: Int64) { self.raw = raw }
    package static let none: BrokerEpoch = -1
}

/// The znode version of a partition's `state`; what a change of the in-sync set is conditional on.
package struct PartitionEpoch: Quantity {
    package var raw: Int32
    package init(_ raw: Int32) { self.raw = raw }
}
