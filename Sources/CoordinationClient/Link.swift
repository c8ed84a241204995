import Bytes
import CoordinationProtocol
import Platform

/// One connection of a session: cuts the stream into packets. A client that has given it up hears nothing more from it.
final class Link: ConnectionHandler {
    /// Replies above this are not believed.
    static let largestPacket: Int32 = 64 << 20

    private weak var client: CoordinationClient?
    private(set) var connection: (any Connection)?
    let host: ConnectString.Host
    private var isGreeted = false

    init(_ client: CoordinationClient, host: ConnectString.Host) {
        self.client = client
        self.host = host
    }

    /// What was made for this link; told again when it opens.
    func adopt(_ connection: any Connection) { self.connection = connection }

    func giveUp(sendingTheRest: Bool) {
        client = nil
        if sendingTheRest { connection?.closeWhenSent() } else { connection?.close() }
        connection = nil
    }

    func opened(_ connection: any Connection) {
        guard let client else { return connection.close() }
        self.connection = connection
        client.linkOpened(self)
    }

    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        var done = 0
        while let client {
            let left = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[done...])
            guard left.count >= 4 else {
                connection.needs(4)
                break
            }
            let length = Int32(bigEndian: left.loadUnaligned(as: Int32.self))
            guard length >= 0, length <= Link.largestPacket else {
                client.linkBroken(self, "a packet of \(length) bytes was announced")
                return bytes.count
            }
            guard left.count - 4 >= Int(length) else {
                connection.needs(4 + Int(length))
                break
            }
            let packet = UnsafeRawBufferPointer(rebasing: left[4..<(4 + Int(length))])
            done += 4 + Int(length)
            if isGreeted {
                client.linkReceived(self, packet)
            } else {
                isGreeted = true
                client.linkGreeted(self, packet)
            }
        }
        return client == nil ? bytes.count : done
    }

    func closed(_ connection: any Connection, _ reason: CloseReason) {
        self.connection = nil
        client?.linkBroken(self, reason.description)
    }
}
