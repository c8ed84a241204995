import CSystem
import Glibc

/// One thread that does what it is given, in order. Started with its first piece of work; ends when nobody holds it any more.
final class HelperThread: @unchecked Sendable {
    /// What the thread itself holds: so that the owner's end can be its end too.
    private final class Queue: @unchecked Sendable {
        let name: String
        let inBackground: Bool
        let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
        var work: [() -> Void] = []
        var idle = false
        var ended = false

        init(name: String, inBackground: Bool) {
            self.name = name
            self.inBackground = inBackground
            pthread_mutex_init(mutex, nil)
            pthread_cond_init(condition, nil)
        }
        deinit {
            pthread_mutex_destroy(mutex)
            pthread_cond_destroy(condition)
            mutex.deallocate()
            condition.deallocate()
        }
    }

    private let queue: Queue
    private var started = false

    /// - Parameter inBackground: it gets what processor time other threads leave.
    init(name: String, inBackground: Bool = false) {
        queue = Queue(name: String(name.prefix(15)), inBackground: inBackground)
    }

    deinit {
        pthread_mutex_lock(queue.mutex)
        queue.ended = true
        pthread_cond_signal(queue.condition)
        pthread_mutex_unlock(queue.mutex)
    }

    /// Called on the deciding thread only.
    func run(_ work: @escaping () -> Void) {
        if !started {
            started = true
            HelperThread.start(queue)
        }
        pthread_mutex_lock(queue.mutex)
        queue.work.append(work)
        if queue.idle { pthread_cond_signal(queue.condition) }
        pthread_mutex_unlock(queue.mutex)
    }

    private static func start(_ queue: Queue) {
        var thread = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        pthread_attr_setstacksize(&attributes, 1 << 20)
        let argument = Unmanaged.passRetained(queue).toOpaque()
        let code = pthread_create(&thread, &attributes, helperThreadMain, argument)
        pthread_attr_destroy(&attributes)
        precondition(code == 0, "pthread_create: \(code)")
    }

    fileprivate static func main(_ argument: UnsafeMutableRawPointer) {
        let queue = Unmanaged<Queue>.fromOpaque(argument).takeRetainedValue()
        csystem_name_thread(queue.name)
        if queue.inBackground { csystem_background_thread() }
        var batch: [() -> Void] = []
        while true {
            pthread_mutex_lock(queue.mutex)
            while queue.work.isEmpty, !queue.ended {
                queue.idle = true
                pthread_cond_wait(queue.condition, queue.mutex)
            }
            queue.idle = false
            swap(&batch, &queue.work)
            let over = batch.isEmpty
            pthread_mutex_unlock(queue.mutex)
            if over { return }
            for index in batch.indices {
                batch[index]()
                batch[index] = {}
            }
            batch.removeAll(keepingCapacity: true)
        }
    }
}

private nonisolated func helperThreadMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let argument { HelperThread.main(argument) }
    return nil
}
