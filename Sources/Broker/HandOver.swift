import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform

/// Before a clean stop: asks the controller to move this broker's leaderships, a few times if need be.
extension BrokerNode {
    /// It takes six seconds at most, whoever does not answer: a stop must not depend on anybody.
    /// - Parameter reachesCoordinator: false: moves cannot be recorded now, so waiting for them has little sense.
    package func handOver(reachesCoordinator: Bool = true, then: @escaping () -> Void) {
        isStopping = true
        guard config[BrokerKeys.controlledShutdown], epoch != .none, !isAlone else { return then() }
        let once = Once(then)
        let limit = world.after(reachesCoordinator ? .seconds(6) : .seconds(1)) { [world] in
            guard !once.hasFired else { return }
            world.journal.warning(
                "stops without having handed everything over",
                ["reason": reachesCoordinator ? "no answer in time" : "the coordinator is away"])
            once.fire()
        }
        ask(left: max(1, config[BrokerKeys.controlledShutdownRetries]), once) { [world] in
            world.timers.cancel(limit)
            once.fire()
        }
    }

    /// There is nobody to take anything.
    private var isAlone: Bool { !metadata.brokers.contains { $0.id != id } }

    private func ask(left: Int, _ once: Once, then: @escaping () -> Void) {
        guard !once.hasFired else { return }
        if isAlone { return then() }
        var request = ControlledShutdownRequest()
        request.brokerID = id.raw
        request.brokerEpoch = epoch.raw
        let asked = metadata.controller
        let answered: (String?, Int) -> Void = { [self] problem, led in
            guard !once.hasFired else { return }
            if problem == nil, led == 0 {
                world.journal.info("handed over")
                return then()
            }
            guard left > 1 else {
                world.journal.warning(
                    "stops without having handed everything over",
                    ["partitions": led, "reason": problem ?? "no other replica"])
                return then()
            }
            // A controller that is leaving or not ready is asked again soon; one that moved what it could, after the pause.
            let pause = problem == nil ? config[BrokerKeys.controlledShutdownBackoff] : .milliseconds(200)
            askAgain(left: problem == nil ? left - 1 : left, asked, world.clock.now + pause, once, then: then)
        }
        if controller?.isController == true {
            controller?.controlledShutdown(request) { response in
                answered(
                    response.errorCode == .none ? nil : "\(response.errorCode)", response.remainingPartitions.count)
            }
            return
        }
        guard let there = metadata.broker(metadata.controller),
            let address = there.address(listener: config.interBrokerListener) ?? there.addresses.first
        else { return answered("no controller is known", 0) }
        var options = LinkOptions(clientID: "broker-\(id)")
        options.connectTimeout = .seconds(2)
        let link = BrokerLink(
            world: world, to: BrokerAddress(host: address.host, port: Int(address.port)), options: options)
        link.send(request) { [self] result in
            world.timers.soon { link.close() }
            switch result {
            case .success(let response):
                answered(
                    response.errorCode == .none ? nil : "\(response.errorCode)", response.remainingPartitions.count)
            case .failure(let error): answered("\(error)", 0)
            }
        }
    }

    /// After the pause, or as soon as there is another controller, or nobody is left.
    private func askAgain(left: Int, _ asked: BrokerID, _ due: Instant, _ once: Once, then: @escaping () -> Void) {
        world.after(.milliseconds(50)) { [weak self] in
            guard let self, !once.hasFired else { return }
            let isOther = metadata.controller != asked && metadata.controller != .none
            guard isAlone || isOther || world.clock.now >= due else {
                return askAgain(left: left, asked, due, once, then: then)
            }
            ask(left: left, once, then: then)
        }
    }

    /// Calls back when the controller has told this broker about itself; at the latest after `limit`.
    package func whenKnown(within limit: Duration, then: @escaping () -> Void) {
        guard !metadata.isAlive(id) else { return then() }
        var timer: TimerID?
        let once = Once(then)
        timer = world.after(limit) { once.fire() }
        metadata.whenAlive(id) { [world] in
            if let timer { world.timers.cancel(timer) }
            once.fire()
        }
    }
}

private final class Once {
    private var then: (() -> Void)?
    var hasFired: Bool { then == nil }
    init(_ then: @escaping () -> Void) { self.then = then }
    func fire() {
        let then = then
        self.then = nil
        then?()
    }
}
