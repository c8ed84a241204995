import Glibc
import Synchronization
import Testing

import Platform
@testable import PosixPlatform

/// Written by a job on whatever thread does it, read on the loop when the job is over.
private final class Trace: @unchecked Sendable {
    var lines: [String] = []
    var thread = pthread_self()
    let isAtJob = Atomic(false)
}

@Suite("A brief job of the disk", .serialized)
struct StandInTests {
    /// Has `then` called on the loop once brief jobs are done on the loop's own thread.
    private func whenInPassing(_ lane: any DiskLane, _ then: @escaping () -> Void) {
        let trace = Trace()
        let asked = pthread_self()
        lane.performBriefly {
            trace.thread = pthread_self()
        } then: { _ in
            if pthread_equal(trace.thread, asked) != 0 { then() } else { whenInPassing(lane, then) }
        }
    }

    @Test("is done between two turns by the loop's own thread") func inPassing() {
        let world = PosixWorld(speaker: "test", journalFD: 2)
        let lane = world.disk.lane("here")
        world.loop.soon {
            whenInPassing(lane) {
                #expect(lane.pending == 0)
                world.stop(0)
            }
        }
        #expect(world.run() == 0)
    }

    /// Has a job wait for what only the loop's next turn does, until one such job was done on the loop's own thread.
    private func last(_ lane: any DiskLane, _ world: PosixWorld, _ trace: Trace, _ reading: Int32, _ writing: Int32) {
        whenInPassing(lane) {
            let asked = pthread_self()
            trace.lines = []
            lane.performBriefly {
                trace.thread = pthread_self()
                trace.isAtJob.store(true, ordering: .sequentiallyConsistent)
                var byte: UInt8 = 0
                trace.lines.append(read(reading, &byte, 1) == 1 ? "first" : "failed")
            } then: { _ in
                trace.lines.append("told")
            }
            whenAtJob(trace, world) {
                lane.perform {
                    trace.lines.append("second")
                } then: { _ in
                    if pthread_equal(trace.thread, asked) != 0 {
                        #expect(pthread_equal(pthread_self(), asked) == 0)
                        world.stop(0)
                    } else {
                        last(lane, world, trace, reading, writing)
                    }
                }
                var byte: UInt8 = 1
                #expect(write(writing, &byte, 1) == 1)
            }
        }
    }

    private func whenAtJob(_ trace: Trace, _ world: PosixWorld, _ then: @escaping () -> Void) {
        world.after(.milliseconds(1)) {
            if trace.isAtJob.exchange(false, ordering: .sequentiallyConsistent) {
                then()
            } else {
                whenAtJob(trace, world, then)
            }
        }
    }

    @Test(
        "that lasts leaves the loop to a second thread; what follows it in its lane keeps the order",
        .timeLimit(.minutes(1)))
    func takenOver() {
        let world = PosixWorld(speaker: "test", journalFD: 2)
        let trace = Trace()
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        world.loop.soon { last(world.disk.lane("here"), world, trace, reading, writing) }
        #expect(world.run() == 0)
        #expect(trace.lines.filter { $0 != "told" } == ["first", "second"])
        close(reading)
        close(writing)
    }
}
