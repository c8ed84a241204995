import Platform

/// Where replies wait: `acks=all` produces and long fetches. A reply that has not been given waits for a condition on
/// some
/// places or for its deadline, and this is the one spot to ask why.
///
/// `wake` only marks a place; its visitors are asked once at the end of the turn, however often it was woken in it: a
/// burst of
/// small produces becomes one fetch reply.
package final class WaitingRoom {
    /// A partition, as far as waiting is concerned.
    package struct Place: Hashable, Sendable {
        package var index: Int
    }

    package enum Ending: Equatable, Sendable {
        case satisfied
        case timedOut
    }

    /// One parked reply.
    package final class Visitor {
        fileprivate let places: [Place]
        /// Among those to be asked at the end of the turn.
        fileprivate var isCalled = false
        fileprivate let isOver: () -> Bool
        fileprivate let then: (Ending) -> Void
        fileprivate var timer: TimerID?
        package fileprivate(set) var isWaiting = true
        /// For the journal and for reports.
        package let reason: String
        package let since: Instant

        fileprivate init(
            places: [Place], reason: String, since: Instant, isOver: @escaping () -> Bool,
            then: @escaping (Ending) -> Void
        ) {
            self.places = places
            self.reason = reason
            self.since = since
            self.isOver = isOver
            self.then = then
        }
    }

    /// Stays at a place while visitors come and go: a fetch session, whose fetches would queue at a thousand places each time.
    package protocol Watcher: AnyObject {
        /// Something changed there.
        /// - Returns: whom to ask at the end of the turn.
        func placeWoken() -> Visitor?
        /// The partition is gone, and so is the watch.
        /// - Returns: who waits no longer.
        func placeClosed() -> Visitor?
    }

    private let timers: any Timers
    private let clock: any Clock
    private var rows: [[Visitor]] = []
    private var watchers: [[any Watcher]] = []
    private var free: [Int] = []
    private var woken: [Int] = []
    private var isMarked: [Bool] = []
    private var asks = false
    package private(set) var count = 0

    package init(timers: any Timers, clock: any Clock) {
        self.timers = timers
        self.clock = clock
    }

    package func makePlace() -> Place {
        if let index = free.popLast() { return Place(index: index) }
        rows.append([])
        watchers.append([])
        isMarked.append(false)
        return Place(index: rows.count - 1)
    }

    /// The partition is gone from here: its visitors are asked a last time, and must find that out.
    package func close(_ place: Place) {
        let visitors = rows[place.index]
        for visitor in visitors where visitor.isWaiting { finish(visitor, .satisfied) }
        rows[place.index] = []
        let watching = watchers[place.index]
        watchers[place.index] = []
        for watcher in watching {
            if let visitor = watcher.placeClosed(), visitor.isWaiting { finish(visitor, .satisfied) }
        }
        free.append(place.index)
    }

    /// - Parameter isOver: whether the reply can be given now; asked after one of the places was woken. It changes
    ///   nothing.
    /// - Parameter then: called once unless the visitor leaves, never from within this call.
    @discardableResult
    package func park(
        at places: [Place], until deadline: Instant, reason: String, isOver: @escaping () -> Bool,
        then: @escaping (Ending) -> Void
    ) -> Visitor {
        let visitor = Visitor(places: places, reason: reason, since: clock.now, isOver: isOver, then: then)
        for place in places { rows[place.index].append(visitor) }
        count += 1
        visitor.timer = timers.schedule(at: deadline) { [weak self] in
            guard let self, visitor.isWaiting else { return }
            visitor.timer = nil
            self.finish(visitor, .timedOut)
        }
        return visitor
    }

    /// Something changed there: records, the high watermark, who leads.
    package func wake(_ place: Place) {
        guard !rows[place.index].isEmpty || !watchers[place.index].isEmpty, !isMarked[place.index] else { return }
        isMarked[place.index] = true
        woken.append(place.index)
        guard !asks else { return }
        asks = true
        timers.soon { [weak self] in self?.ask() }
    }

    package func watch(_ place: Place, _ watcher: any Watcher) { watchers[place.index].append(watcher) }

    package func unwatch(_ place: Place, _ watcher: any Watcher) {
        watchers[place.index].removeAll { $0 === watcher }
    }

    /// Whoever waited is gone (its connection closed).
    package func leave(_ visitor: Visitor) {
        guard visitor.isWaiting else { return }
        remove(visitor)
    }

    /// Everybody who waits at `place`, in the order of arrival.
    package func visitors(at place: Place) -> [Visitor] { rows[place.index] }

    private func ask() {
        asks = false
        let places = woken
        woken.removeAll(keepingCapacity: true)
        var called: [Visitor] = []
        for index in places {
            isMarked[index] = false
            for watcher in watchers[index] {
                guard let visitor = watcher.placeWoken(), visitor.isWaiting, !visitor.isCalled else { continue }
                visitor.isCalled = true
                called.append(visitor)
            }
            // A copy: whoever is answered may park again at once.
            let visitors = rows[index]
            for visitor in visitors where visitor.isWaiting && visitor.isOver() { finish(visitor, .satisfied) }
        }
        for visitor in called {
            visitor.isCalled = false
            if visitor.isWaiting, visitor.isOver() { finish(visitor, .satisfied) }
        }
    }

    private func finish(_ visitor: Visitor, _ ending: Ending) {
        remove(visitor)
        visitor.then(ending)
    }

    private func remove(_ visitor: Visitor) {
        visitor.isWaiting = false
        count -= 1
        if let timer = visitor.timer { timers.cancel(timer) }
        visitor.timer = nil
        for place in visitor.places { rows[place.index].removeAll { $0 === visitor } }
    }
}
