import KafkaClient
import KafkaProtocol
import Platform

/// To another broker, over its listener. A broken connection is made again for the next request.
package final class RemoteControlLink: ControlLink {
    private let world: any World
    private let address: () -> BrokerAddress?
    private let clientID: String
    private var link: BrokerLink?
    private var open = true
    /// Said once, until it answers again.
    private var complained = false

    /// - Parameter address: asked for each new connection, so that a broker that moved is found.
    package init(world: any World, clientID: String, address: @escaping () -> BrokerAddress?) {
        self.world = world
        self.clientID = clientID
        self.address = address
    }

    package func send(_ request: ControlRequest, then: @escaping (ControlAnswer?) -> Void) {
        guard open, let link = connected() else { return world.timers.soon { then(nil) } }
        switch request {
        case .leaderAndIsr(let request):
            link.send(request) { [weak self] in self?.answered($0.map { .leaderAndIsr($0) }, then) }
        case .updateMetadata(let request):
            link.send(request) { [weak self] in self?.answered($0.map { .updateMetadata($0) }, then) }
        case .stopReplica(let request):
            link.send(request) { [weak self] in self?.answered($0.map { .stopReplica($0) }, then) }
        case .listOffsets(let request):
            link.send(request) { [weak self] in self?.answered($0.map { .listOffsets($0) }, then) }
        }
    }

    package func close() {
        open = false
        link?.close()
        link = nil
    }

    private func connected() -> BrokerLink? {
        if let link, !link.isEnded { return link }
        guard let address = address() else { return nil }
        let made = BrokerLink(world: world, to: address, options: LinkOptions(clientID: clientID))
        link = made
        return made
    }

    private func answered(_ result: Result<ControlAnswer, LinkError>, _ then: @escaping (ControlAnswer?) -> Void) {
        guard open else { return }
        switch result {
        case .success(let answer):
            complained = false
            then(answer)
        case .failure(let error):
            if !complained { world.journal.info("a broker did not answer the controller", ["reason": "\(error)"]) }
            complained = true
            then(nil)
        }
    }
}
