import CSystem
import Glibc

/// Lets the loop's thread do a short blocking job by itself between two turns, although the loop must never stand still: a
/// second thread looks on and takes the loop over when one job lasts longer than a moment. Who comes back too late to find the
/// loop still its own looks on from then.
///
/// Why: handing a sync of 90 µs to a helper and hearing of its end cost two wake-ups of a thread, 15 to 25 µs each.
final class StandIn: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// All below is read and written under the mutex.
    private var isWatched = false
    private var dozes = false
    private var isEnded = false
    /// The holder is at a job now, the how many-th.
    private var isAtJob = false
    private var job: UInt64 = 0
    private var isTaken = false

    /// How long the loop may stand still, about.
    private static let momentNs = 1_000_000
    /// Looks in vain after which the watcher sleeps until it is called.
    private static let patience = 50

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }
    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(condition)
        mutex.deallocate()
        condition.deallocate()
    }

    private func locked<T>(_ body: () -> T) -> T {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Somebody would notice if a job took long.
    var canWatch: Bool { locked { isWatched && !isEnded } }

    /// By the thread that holds the loop, only while `canWatch`.
    /// - Returns: false when the loop has another holder now.
    func holds(through work: () -> Void) -> Bool {
        let wake = locked {
            isAtJob = true
            job &+= 1
            return dozes
        }
        if wake { pthread_cond_signal(condition) }
        work()
        return locked {
            isAtJob = false
            defer { isTaken = false }
            return !isTaken
        }
    }

    /// By the thread that does not hold the loop: returns when it does.
    /// - Returns: false when the loop has ended.
    func watch() -> Bool {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        isWatched = true
        defer { isWatched = false }
        var inVain = 0
        while !isEnded {
            let seen = isAtJob ? job : 0
            inVain = seen == 0 ? inVain + 1 : 0
            if inVain > StandIn.patience {
                dozes = true
                pthread_cond_wait(condition, mutex)
                dozes = false
                inVain = 0
                continue
            }
            pthread_mutex_unlock(mutex)
            var moment = timespec(tv_sec: 0, tv_nsec: StandIn.momentNs)
            nanosleep(&moment, nil)
            pthread_mutex_lock(mutex)
            if isAtJob, job == seen {
                isTaken = true
                return true
            }
        }
        return false
    }

    /// By the holder: there is nothing to watch any more.
    func end() {
        locked { isEnded = true }
        pthread_cond_signal(condition)
    }
}

extension EventLoop {
    /// The second thread, which ends with the loop.
    func startStandIn() {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let argument = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(&thread, &attributes, standInMain, argument)
        pthread_attr_destroy(&attributes)
        precondition(code == 0, "pthread_create: \(code)")
    }
}

private nonisolated func standInMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    csystem_name_thread("stand-in")
    Unmanaged<EventLoop>.fromOpaque(argument).takeRetainedValue().serve(holding: false)
    return nil
}
