import ClusterModel
import KafkaClient
import KafkaProtocol
import Platform

/// Before a clean stop: asks the controller to move this broker's leaderships, a few times if need be.
extension BrokerNode {
    ///
    /// It takes six seconds at most, whoever does not answer: a stop must not depend on anybody.
    package func handOver(then: @escaping () -> Void) {
        isStopping = true
        // Alone there is nobody to take anything.
        guard config[BrokerKeys.controlledShutdown], epoch != .none, metadata.brokers.contains(where: { $0.id != id })
        else {
            return then()
        }
        let once = Once(then)
        let limit = world.after(.seconds(6)) { [world] in
            guard !once.hasFired else { return }
            world.journal.warning("stops without having handed everything over", ["reason": "no answer in time"])
            once.fire()
        }
        ask(left: max(1, config[BrokerKeys.controlledShutdownRetries])) { [world] in
            world.timers.cancel(limit)
            once.fire()
        }
    }

    private func ask(left: Int, then: @escaping () -> Void) {
        var request = ControlledShutdownRequest()
        request.brokerID = id.raw
        request.brokerEpoch = epoch.raw
        let answered: (String?, Int) -> Void = { [self] problem, led in
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
            world.after(config[BrokerKeys.controlledShutdownBackoff]) { [weak self] in
                self?.ask(left: left - 1, then: then)
            }
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
