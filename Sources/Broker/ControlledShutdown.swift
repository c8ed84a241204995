import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform

/// A broker about to stop asks the controller to take its leaderships away first, so that clients move on without a gap. It goes
/// on without an answer after `tries`: stopping must not depend on anybody.
package final class ControlledShutdown {
    package struct Settings {
        /// `controlled.shutdown.max.retries`
        package var tries = 3
        /// `controlled.shutdown.retry.backoff.ms`
        package var backoff = Duration.seconds(5)
        package var requestTimeout = Duration.seconds(5)
        /// All tries together; a stop takes at most ten seconds.
        package var limit = Duration.seconds(8)
        package init() {}
    }

    private let world: any World
    private let me: BrokerID
    private let epoch: BrokerEpoch
    private let settings: Settings
    private let controller: () -> BrokerID?
    private let local: ControllerDriver?
    private let address: (BrokerID) -> BrokerAddress?
    private var link: BrokerLink?
    private var then: ((Bool) -> Void)?

    /// - Parameters:
    ///   - controller: who it is now; asked before each try.
    ///   - address: where a broker listens for brokers.
    package init(
        world: any World, me: BrokerID, epoch: BrokerEpoch, settings: Settings = Settings(), controller: @escaping () -> BrokerID?,
        local: ControllerDriver?, address: @escaping (BrokerID) -> BrokerAddress?
    ) {
        self.world = world
        self.me = me
        self.epoch = epoch
        self.settings = settings
        self.controller = controller
        self.local = local
        self.address = address
    }

    /// - Parameter then: told whether nothing is led here any more; called once. Keeps itself alive until then.
    package func begin(then: @escaping (Bool) -> Void) {
        self.then = then
        world.after(settings.limit) { [self] in
            guard self.then != nil else { return }
            world.journal.warning("stops without having handed over its leaderships", ["reason": "no answer in time"])
            finish(false)
        }
        attempt(1)
    }

    private func attempt(_ number: Int) {
        guard then != nil else { return }
        var request = ControlledShutdownRequest()
        request.brokerID = me.raw
        request.brokerEpoch = epoch.raw
        guard let controller = controller(), controller != .none else { return again(number, "nobody is controller") }
        if controller == me, let local {
            return local.controlledShutdown(request) { [self] in answered($0, number) }
        }
        guard let address = address(controller) else { return again(number, "the controller's address is not known") }
        link?.close()
        let link = BrokerLink(world: world, to: address, options: LinkOptions(clientID: "broker-\(me)-shutdown"))
        self.link = link
        link.send(request, timeout: settings.requestTimeout) { [self] result in
            switch result {
            case .success(let response): answered(response, number)
            case .failure(let error): again(number, "\(error)")
            }
        }
    }

    private func answered(_ response: ControlledShutdownResponse, _ number: Int) {
        guard then != nil else { return }
        guard response.errorCode == .none else { return again(number, "\(response.errorCode)") }
        guard response.remainingPartitions.isEmpty else {
            return again(number, "\(response.remainingPartitions.count) partitions have nobody else to lead them")
        }
        finish(true)
    }

    private func again(_ number: Int, _ reason: String) {
        guard then != nil else { return }
        guard number < settings.tries else {
            world.journal.warning("stops without having handed over its leaderships", ["reason": reason])
            return finish(false)
        }
        world.after(settings.backoff) { [self] in attempt(number + 1) }
    }

    private func finish(_ relieved: Bool) {
        link?.close()
        link = nil
        let then = then
        self.then = nil
        then?(relieved)
    }
}
