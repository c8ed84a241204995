import Broker
import Platform

/// Brings each request to its handler. A handler is an extension of this type in `Handlers/NN_Name.swift`:
/// `func name(_ request: XRequest, _ context: RequestContext, then: @escaping (XResponse) -> Void)`, which calls `then` once.
package final class RequestRouter {
    package let node: BrokerNode
    package init(node: BrokerNode) { self.node = node }
}
