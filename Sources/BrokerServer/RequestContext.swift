import Broker
import ClusterModel
import KafkaProtocol
import Platform

/// Who asks, and in which words.
package struct RequestContext {
    package var version: Int16
    package var correlationID: Int32
    /// Empty when the client gave none.
    package var clientID: String
    package var peer: PeerAddress
    /// The name of the listener the request came in by: `PLAINTEXT`.
    package var listener: String
    /// Nil in tests: where a reply that waits leaves its visitor, so that a client that goes is forgotten.
    var connection: KafkaConnection?

    package init(version: Int16, correlationID: Int32 = 0, clientID: String = "", peer: PeerAddress, listener: String) {
        self.version = version
        self.correlationID = correlationID
        self.clientID = clientID
        self.peer = peer
        self.listener = listener
    }
}

/// One request on its way to its answer.
struct Call {
    let header: RequestHeader
    let serial: UInt64
    let connection: KafkaConnection

    func answer(_ response: some Message, regions: [FileRegion] = []) {
        connection.answer(serial, header, response, regions: regions)
    }
    func answerNothing() { connection.answerNothing(serial) }
    func end(_ reason: String) { connection.end(reason) }
}
