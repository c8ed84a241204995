import ClusterModel

/// Who is the controller: the election on `/controller`, and the epoch that fences those who were.
///
/// A claim is one multi (create the ephemeral seat, raise `/controller_epoch` if its version still is the one read), so that
/// no two brokers ever hold the same epoch.
package struct ControllerSeat: Equatable, Sendable {
    package enum Effect: Equatable, Sendable {
        /// Read `/controller`, with a watch on it.
        case readSeat
        /// Read `/controller_epoch`; create it with 0 when it is missing, and read it again.
        case readEpoch
        /// In one multi: create `/controller` with our name, set `/controller_epoch` to `epoch` if its version is `expecting`.
        case claim(ControllerEpoch, expecting: Int32)
        /// We are; every write carries a check of `/controller_epoch` at this version.
        case takeOffice(ControllerEpoch, epochVersion: Int32)
        /// We are no longer: forget everything, close the channels.
        case leaveOffice
        /// Somebody else is, or nobody is yet.
        case follow(BrokerID?)
    }

    package struct Epoch: Equatable, Sendable {
        package var epoch: ControllerEpoch
        package var version: Int32
        package init(epoch: ControllerEpoch, version: Int32) {
            self.epoch = epoch
            self.version = version
        }
    }

    package enum ClaimOutcome: Equatable, Sendable {
        /// `version` of `/controller_epoch` after it.
        case won(version: Int32)
        /// The seat was taken, or the epoch raised, by somebody else.
        case lost
        /// The connection broke before the answer.
        case unknown
    }

    package enum Standing: Equatable, Sendable {
        case idle
        case looking
        case claiming(ControllerEpoch)
        /// An unanswered claim: the seat is read to find out whether it is ours.
        case checking(ControllerEpoch)
        case holding(ControllerEpoch, version: Int32)
        case following(BrokerID)
    }

    package let me: BrokerID
    package private(set) var standing: Standing = .idle
    package init(me: BrokerID) { self.me = me }

    package var epoch: ControllerEpoch? {
        if case .holding(let epoch, _) = standing { epoch } else { nil }
    }

    /// A session was made (again).
    package mutating func sessionBegan() -> [Effect] {
        let effects = leave()
        standing = .looking
        return effects + [.readSeat]
    }

    /// The session is gone, and our seat with it.
    package mutating func sessionEnded() -> [Effect] {
        let effects = leave()
        standing = .idle
        return effects
    }

    /// `/controller` was read.
    /// - Parameters:
    ///   - holder: nil when there is none.
    ///   - mine: the seat belongs to our present session.
    package mutating func seatRead(holder: BrokerID?, mine: Bool) -> [Effect] {
        switch standing {
        case .idle, .claiming: return []
        case .checking(let epoch):
            guard let holder else {
                standing = .looking
                return [.readEpoch]
            }
            guard mine, holder == me else { return follow(holder) }
            // Ours after all. Its epoch was written with it.
            standing = .checking(epoch)
            return [.readEpoch]
        case .holding:
            // Still ours, unless somebody removed it by hand.
            if mine, holder == me { return [] }
            let effects = leave()
            guard let holder else {
                standing = .looking
                return effects + [.readEpoch]
            }
            return effects + follow(holder)
        case .looking, .following:
            guard let holder else {
                standing = .looking
                return [.readEpoch]
            }
            if mine, holder == me {
                // Of our own session but unknown to us: an earlier claim. Its epoch is what the tree says.
                standing = .checking(-1)
                return [.readEpoch]
            }
            return follow(holder)
        }
    }

    package mutating func epochRead(_ found: Epoch) -> [Effect] {
        switch standing {
        case .looking:
            standing = .claiming(found.epoch.next)
            return [.claim(found.epoch.next, expecting: found.version)]
        case .checking(let claimed) where claimed == found.epoch || claimed == -1:
            standing = .holding(found.epoch, version: found.version)
            return [.takeOffice(found.epoch, epochVersion: found.version)]
        case .checking:
            standing = .looking
            return [.readSeat]
        default: return []
        }
    }

    package mutating func claimed(_ outcome: ClaimOutcome) -> [Effect] {
        guard case .claiming(let epoch) = standing else { return [] }
        switch outcome {
        case .won(let version):
            standing = .holding(epoch, version: version)
            return [.takeOffice(epoch, epochVersion: version), .readSeat]
        case .lost:
            standing = .looking
            return [.readSeat]
        case .unknown:
            standing = .checking(epoch)
            return [.readSeat]
        }
    }

    /// The watch on `/controller` fired.
    package mutating func seatChanged() -> [Effect] { standing == .idle ? [] : [.readSeat] }

    /// A write failed its check of the epoch: somebody was elected since.
    package mutating func fenced() -> [Effect] {
        guard case .holding = standing else { return [] }
        let effects = leave()
        standing = .looking
        return effects + [.readSeat]
    }

    private mutating func follow(_ holder: BrokerID) -> [Effect] {
        standing = .following(holder)
        return [.follow(holder)]
    }

    private mutating func leave() -> [Effect] {
        guard case .holding = standing else { return [] }
        standing = .looking
        return [.leaveOffice, .follow(nil)]
    }
}
