import CSystem
import Glibc
import Platform
import Synchronization

/// Something the loop watches a descriptor for.
protocol EventSource: AnyObject {
    func ready(_ events: UInt32)
}

/// What another thread has finished and the deciding thread is to hear of. Written by helpers, read by the loop.
final class Completions: Sendable {
    private struct Box: @unchecked Sendable {
        var work: [() -> Void] = []
    }
    private let waiting = Mutex(Box())
    let wakeup: Int32

    init() {
        wakeup = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        precondition(wakeup >= 0, "eventfd: errno \(errno)")
    }

    func post(_ work: @escaping () -> Void) {
        let carried = Carried(work)
        let wasEmpty = waiting.withLock { box -> Bool in
            let empty = box.work.isEmpty
            box.work.append(carried.value)
            return empty
        }
        if wasEmpty { eventfd_write(wakeup, 1) }
    }

    func take() -> [() -> Void] {
        var count: eventfd_t = 0
        eventfd_read(wakeup, &count)
        return waiting.withLock { box -> Carried<[() -> Void]> in
            defer { box.work.removeAll(keepingCapacity: false) }
            return Carried(box.work)
        }.value
    }
}

/// Carries a value from the thread that made it to the one thread that will use it. Safe because ownership moves with it.
struct Carried<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}

/// The deciding thread's loop: descriptors, timers, completions, and the flush at the end of each turn.
package final class EventLoop: Platform.Clock, Timers {
    private let epoll: Int32
    private let completions = Completions()
    private let began: Int64
    private var sources: [Source] = []
    private var nextGeneration: UInt32 = 1
    private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: 256)

    private var heap: [HeapEntry] = []
    private var fires: [UInt64: () -> Void] = [:]
    private var nextTimer: UInt64 = 1

    private var soonWork: [() -> Void] = []
    private var toFlush: [PosixConnection] = []
    private var running = false
    /// A short blocking job for the end of this turn; what it returns is done on the thread that holds the loop then.
    private var passing: (() -> () -> Void)?
    private var standIn: StandIn?
    private var expectsAnswer = false
    private var afterBriefJob = AfterBriefJob()
    let buffers = BufferPool()

    private struct Source {
        var owner: (any EventSource)?
        var generation: UInt32 = 0
    }
    private struct HeapEntry {
        var at: Int64
        var id: UInt64
    }

    package init() {
        began = EventLoop.monotonicNanoseconds()
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "epoll_create1: errno \(errno)")
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.u64 = .max
        epoll_ctl(epoll, EPOLL_CTL_ADD, completions.wakeup, &event)
    }

    deinit {
        events.deallocate()
        Glibc.close(completions.wakeup)
        Glibc.close(epoll)
    }

    private static func monotonicNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    package var now: Instant { Instant(nanoseconds: EventLoop.monotonicNanoseconds() - began) }
    package var wallMs: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    // MARK: Descriptors

    func watch(_ fd: Int32, _ interest: UInt32, _ owner: any EventSource) -> Bool {
        while sources.count <= Int(fd) { sources.append(Source()) }
        nextGeneration &+= 1
        var event = epoll_event()
        event.events = interest
        event.data.u64 = UInt64(nextGeneration) << 32 | UInt64(UInt32(bitPattern: fd))
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 else { return false }
        sources[Int(fd)] = Source(owner: owner, generation: nextGeneration)
        return true
    }

    func change(_ fd: Int32, _ interest: UInt32) {
        var event = epoll_event()
        event.events = interest
        event.data.u64 = UInt64(sources[Int(fd)].generation) << 32 | UInt64(UInt32(bitPattern: fd))
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event)
    }

    /// Before the descriptor is closed.
    func forget(_ fd: Int32) {
        guard Int(fd) < sources.count, sources[Int(fd)].owner != nil else { return }
        epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nil)
        sources[Int(fd)] = Source()
    }

    // MARK: Timers

    package func schedule(at instant: Instant, _ fire: @escaping () -> Void) -> TimerID {
        let id = nextTimer
        nextTimer += 1
        fires[id] = fire
        push(HeapEntry(at: instant.nanoseconds, id: id))
        return TimerID(raw: id)
    }

    package func cancel(_ timer: TimerID) {
        guard fires.removeValue(forKey: timer.raw) != nil else { return }
        // Cancelled entries stay in the heap until their time; when they outnumber the living it is built anew.
        if heap.count > 64, heap.count > 4 * fires.count {
            let living = heap.filter { fires[$0.id] != nil }
            heap.removeAll(keepingCapacity: true)
            for entry in living { push(entry) }
        }
    }

    package func soon(_ work: @escaping () -> Void) { soonWork.append(work) }

    private func before(_ a: HeapEntry, _ b: HeapEntry) -> Bool { a.at == b.at ? a.id < b.id : a.at < b.at }

    private func push(_ entry: HeapEntry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard before(heap[child], heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private func pop() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if before(heap[child], heap[least]) { least = child }
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func fireDue() {
        guard !heap.isEmpty else { return }
        let time = now.nanoseconds
        // Only what was set before this moment: a timer that sets itself anew at once must not starve the sockets.
        let limit = nextTimer
        while let first = heap.first, first.at <= time, first.id < limit {
            pop()
            if let fire = fires.removeValue(forKey: first.id) { fire() }
        }
    }

    // MARK: Turns

    /// For helper threads: `work` runs on the deciding thread.
    var inbox: Completions { completions }

    func flushLater(_ connection: PosixConnection) { toFlush.append(connection) }

    private func waitMs() -> Int32 {
        if !soonWork.isEmpty || !toFlush.isEmpty || passing != nil { return 0 }
        while let first = heap.first, fires[first.id] == nil { pop() }
        guard let first = heap.first else { return -1 }
        let left = first.at - now.nanoseconds
        if left <= 0 { return 0 }
        return Int32(clamping: (left + 999_999) / 1_000_000)
    }

    private func turn(atMostMs limit: Int32 = -1) {
        var timeout = waitMs()
        if limit >= 0, timeout < 0 || timeout > limit { timeout = limit }
        var count: Int32 = 0
        if timeout != 0, expectsAnswer, afterBriefJob.isWorthIt {
            let until = EventLoop.monotonicNanoseconds() + AfterBriefJob.longestNs
            repeat {
                count = epoll_wait(epoll, events, 256, 0)
            } while count == 0
                && EventLoop.monotonicNanoseconds() < until
            afterBriefJob.ended(inVain: count == 0)
        }
        expectsAnswer = false
        if count == 0 { count = epoll_wait(epoll, events, 256, timeout) }
        if count > 0 {
            for index in 0..<Int(count) {
                let event = events[index]
                let tag = event.data.u64
                if tag == .max {
                    for work in completions.take() { work() }
                    continue
                }
                let fd = Int(UInt32(truncatingIfNeeded: tag))
                guard fd < sources.count, sources[fd].generation == UInt32(truncatingIfNeeded: tag >> 32),
                    let owner = sources[fd].owner
                else { continue }
                owner.ready(event.events)
            }
        }
        fireDue()
        if !soonWork.isEmpty {
            var work: [() -> Void] = []
            swap(&work, &soonWork)
            for piece in work { piece() }
        }
        flushAll()
    }

    /// A flush may tell its handler that the output has drained, and that may send more: it goes with the next turn.
    private func flushAll() {
        if toFlush.isEmpty { return }
        var connections: [PosixConnection] = []
        swap(&connections, &toFlush)
        for connection in connections { connection.flush() }
    }

    /// Does `work` on this thread when the turn is over, if somebody is there to take the loop over should it last.
    /// - Returns: false when nobody is, or another job is taken already.
    func doInPassing(_ work: @escaping () -> () -> Void) -> Bool {
        guard running, passing == nil else { return false }
        guard let standIn else {
            standIn = StandIn()
            startStandIn()
            return false
        }
        guard standIn.canWatch else { return false }
        passing = work
        return true
    }

    /// Until `stop`.
    package func run() {
        running = true
        serve(holding: true)
    }

    /// What both threads do: turns for who holds the loop, looking on for the other.
    func serve(holding: Bool) {
        var holding = holding
        while true {
            if holding {
                while running, holding {
                    turn()
                    guard let work = passing, let standIn else { continue }
                    passing = nil
                    var completion = {}
                    holding = standIn.holds { completion = work() }
                    if holding {
                        completion()
                        flushAll()
                        expectsAnswer = true
                    } else {
                        completions.post(completion)
                    }
                }
                if holding {
                    standIn?.end()
                    return
                }
            }
            guard let standIn, standIn.watch() else { return }
            holding = true
        }
    }

    package func stop() { running = false }

    /// Until the condition holds, looked at after every turn, or the time is over.
    @discardableResult
    package func run(until condition: () -> Bool, atMost limit: Duration? = nil) -> Bool {
        let deadline = limit.map { now + $0 }
        while !condition() {
            if let deadline {
                let left = deadline - now
                if left <= .zero { return false }
                turn(atMostMs: Int32(clamping: left.wholeMilliseconds + 1))
            } else {
                turn()
            }
        }
        return true
    }
}

/// Who waited for a brief job often speaks again as soon as it has its answer: looking out for that without sleeping saves a
/// wake-up. Only as long as it pays; else tried now and then.
private struct AfterBriefJob {
    static let longestNs: Int64 = 30_000
    private var inVain = 0
    private var passedOver = 0

    var isWorthIt: Bool {
        mutating get {
            if inVain < 4 { return true }
            passedOver += 1
            guard passedOver == 32 else { return false }
            passedOver = 0
            return true
        }
    }

    mutating func ended(inVain: Bool) { self.inVain = inVain ? self.inVain + 1 : 0 }
}

/// Receive buffers that are not in use: the last one given back is the first one taken, because it is still in the cache.
final class BufferPool {
    static let usual = 64 << 10
    private var free: [UnsafeMutableRawPointer] = []
    private var large: (base: UnsafeMutableRawPointer, capacity: Int)?

    func take(_ capacity: Int) -> (base: UnsafeMutableRawPointer, capacity: Int) {
        if capacity <= BufferPool.usual {
            if let base = free.popLast() { return (base, BufferPool.usual) }
            return (.allocate(byteCount: BufferPool.usual, alignment: 64), BufferPool.usual)
        }
        if let kept = large, kept.capacity >= capacity {
            large = nil
            return kept
        }
        return (.allocate(byteCount: capacity, alignment: 64), capacity)
    }

    func give(_ base: UnsafeMutableRawPointer, _ capacity: Int) {
        if capacity == BufferPool.usual, free.count < 16 {
            free.append(base)
        } else if capacity > BufferPool.usual, capacity <= 8 << 20, large.map({ $0.capacity < capacity }) ?? true {
            large?.base.deallocate()
            large = (base, capacity)
        } else {
            base.deallocate()
        }
    }
}
