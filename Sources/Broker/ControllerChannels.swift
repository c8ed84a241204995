import ClusterModel
import KafkaProtocol
import Platform

/// A request of the controller to one broker.
package enum ControlRequest {
    case leaderAndIsr(LeaderAndIsrRequest)
    case updateMetadata(UpdateMetadataRequest)
    case stopReplica(StopReplicaRequest)
    /// How far logs go, asked as a debugging replica (-2): answered by any replica, whatever its role.
    case listOffsets(ListOffsetsRequest)
}

package enum ControlAnswer {
    case leaderAndIsr(LeaderAndIsrResponse)
    case updateMetadata(UpdateMetadataResponse)
    case stopReplica(StopReplicaResponse)
    case listOffsets(ListOffsetsResponse)
}

/// The way to one broker: over its listener, or straight into this process.
package protocol ControlLink: AnyObject {
    /// - Parameter then: nil when no answer came; called once unless the link was closed.
    func send(_ request: ControlRequest, then: @escaping (ControlAnswer?) -> Void)
    func close()
}

/// One ordered channel to each live broker, this one included: one request outstanding, asked again until it is answered or the
/// broker's life ends. Requests are idempotent (epochs guard them), so asking again is safe.
package final class ControllerChannels {
    private final class Channel {
        let broker: BrokerID
        let link: any ControlLink
        var queue: [(number: UInt64, request: ControlRequest)] = []
        var busy = false
        var open = true
        var doneThrough: UInt64 = 0
        init(broker: BrokerID, link: any ControlLink) {
            self.broker = broker
            self.link = link
        }
    }
    private struct Barrier {
        var number: UInt64
        var needs: [(broker: BrokerID, number: UInt64)]
        var then: () -> Void
    }

    private let world: any World
    private let connect: (BrokerID) -> any ControlLink
    private var channels: [BrokerID: Channel] = [:]
    private var nextNumber: UInt64 = 1
    private var barriers: [Barrier] = []
    /// What brokers answered, in the order of their answers.
    package var answered: (BrokerID, ControlRequest, ControlAnswer) -> Void = { _, _, _ in }

    /// - Parameter connect: makes the link to a broker; it may take its time to get through.
    package init(world: any World, connect: @escaping (BrokerID) -> any ControlLink) {
        self.world = world
        self.connect = connect
    }

    package func open(_ broker: BrokerID) {
        close(broker)
        channels[broker] = Channel(broker: broker, link: connect(broker))
    }

    package func close(_ broker: BrokerID) {
        guard let channel = channels.removeValue(forKey: broker) else { return }
        channel.open = false
        channel.queue = []
        channel.link.close()
        checkBarriers()
    }

    package func closeAll() {
        barriers = []
        for broker in channels.keys.sorted() { close(broker) }
    }

    package func send(_ request: ControlRequest, to broker: BrokerID) {
        guard let channel = channels[broker] else { return }
        channel.queue.append((nextNumber, request))
        nextNumber += 1
        pump(channel)
    }

    /// Calls back once everything sent so far was answered by every broker that is still there, or after `patience`: a broker
    /// that is dead but not yet known to be must hold up nobody.
    package func whenHeard(patience: Duration, then: @escaping () -> Void) {
        let needs = channels.keys.sorted().compactMap { broker -> (broker: BrokerID, number: UInt64)? in
            guard let last = channels[broker]?.queue.last else { return nil }
            return (broker, last.number)
        }
        let number = nextNumber
        nextNumber += 1
        barriers.append(Barrier(number: number, needs: needs, then: then))
        world.after(patience) { [weak self] in
            guard let self, let index = self.barriers.firstIndex(where: { $0.number == number }) else { return }
            self.barriers.remove(at: index).then()
        }
        world.timers.soon { [weak self] in self?.checkBarriers() }
    }

    private func checkBarriers() {
        var kept: [Barrier] = []
        var done: [Barrier] = []
        for barrier in barriers {
            let heard = barrier.needs.allSatisfy { need in
                guard let channel = channels[need.broker] else { return true }
                return channel.doneThrough >= need.number
            }
            if heard { done.append(barrier) } else { kept.append(barrier) }
        }
        barriers = kept
        for barrier in done { barrier.then() }
    }

    private func pump(_ channel: Channel) {
        guard channel.open, !channel.busy, let next = channel.queue.first else { return }
        channel.busy = true
        channel.link.send(next.request) { [weak self, weak channel] answer in
            guard let self, let channel, channel.open else { return }
            channel.busy = false
            guard let answer else {
                // Not heard, or not answered: again, until the broker's life is known to be over.
                self.world.after(.milliseconds(100)) { [weak self, weak channel] in
                    guard let self, let channel else { return }
                    self.pump(channel)
                }
                return
            }
            channel.queue.removeFirst()
            channel.doneThrough = next.number
            self.answered(channel.broker, next.request, answer)
            self.pump(channel)
            self.checkBarriers()
        }
    }
}

/// Into this very process, one turn later: in the same order and under the same checks as through the listener.
package final class LocalControlLink: ControlLink {
    private let timers: any Timers
    private let deliver: (ControlRequest, @escaping (ControlAnswer) -> Void) -> Void
    private var open = true

    package init(timers: any Timers, deliver: @escaping (ControlRequest, @escaping (ControlAnswer) -> Void) -> Void) {
        self.timers = timers
        self.deliver = deliver
    }
    package func send(_ request: ControlRequest, then: @escaping (ControlAnswer?) -> Void) {
        timers.soon { [self] in
            guard open else { return }
            deliver(request) { answer in then(answer) }
        }
    }
    package func close() { open = false }
}
