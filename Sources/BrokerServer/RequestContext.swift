import Broker
import ClusterModel
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

    package init(version: Int16, correlationID: Int32 = 0, clientID: String = "", peer: PeerAddress, listener: String) {
        self.version = version
        self.correlationID = correlationID
        self.clientID = clientID
        self.peer = peer
        self.listener = listener
    }
}
