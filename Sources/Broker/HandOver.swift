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
        let tries = config[BrokerKeys.controlledShutdownBackoff] * max(1, config[BrokerKeys.controlledShutdownRetries])
        let attempt = HandOver(then)
        let limit = world.after(reachesCoordinator ? min(tries, .seconds(6)) : .seconds(1)) { [world] in
            guard !attempt.isOver else { return }
            world.journal.warning(
                "stops without having handed everything over",
                [
                    "partitions": attempt.stillLed,
                    "reason": reachesCoordinator ? attempt.problem : "the coordinator is away",
                ])
            attempt.end()
        }
        attempt.ended = { [world] in world.timers.cancel(limit) }
        ask(attempt)
    }

    /// There is nobody to take anything.
    private var isAlone: Bool { !metadata.brokers.contains { $0.id != id } }

    /// Asked again often: replicas catch up, controllers change, and the others may leave too.
    private func ask(_ attempt: HandOver) {
        guard !attempt.isOver else { return }
        if isAlone { return attempt.end() }
        var request = ControlledShutdownRequest()
        request.brokerID = id.raw
        request.brokerEpoch = epoch.raw
        let answered: (String?, Int) -> Void = { [self] problem, led in
            guard !attempt.isOver else { return }
            if problem == nil, led == 0 {
                world.journal.info("handed over")
                return attempt.end()
            }
            attempt.stillLed = led
            attempt.problem = problem ?? "no other replica is in sync"
            world.after(.milliseconds(200)) { [weak self] in self?.ask(attempt) }
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

/// One stop's asking: ends once.
private final class HandOver {
    private var then: (() -> Void)?
    var ended: () -> Void = {}
    var stillLed = 0
    var problem = "no answer in time"
    var isOver: Bool { then == nil }
    init(_ then: @escaping () -> Void) { self.then = then }
    func end() {
        guard let then else { return }
        self.then = nil
        ended()
        then()
    }
}

private final class Once {
    private var then: (() -> Void)?
    init(_ then: @escaping () -> Void) { self.then = then }
    func fire() {
        let then = then
        self.then = nil
        then?()
    }
}
