import CoordinationClient
import Platform

/// The coordinator's four-letter words as commands of the shell, each over a connection of its own.
enum FourLetterWord {
    /// `stat` alone is the word; with a path it is the shell's command.
    static let names = [
        "conf", "cons", "crst", "dirs", "dump", "envi", "isro", "mntr", "ruok", "srst", "srvr", "stat", "wchc", "wchp",
        "wchs",
    ]

    static func ask(_ word: String, _ host: ConnectString.Host, shell: ZookeeperShell) throws(ShellError) {
        let (bytes, reason) = try shell.wait { (done: @escaping (([UInt8], CloseReason)) -> Void) in
            let listener = Listener(word: word) { done(($0, $1)) }
            shell.tool.world.network.connect(
                host: host.name, port: host.port, timeout: .seconds(5), handler: listener)
        }
        guard !bytes.isEmpty || reason == .byPeer else { throw ShellError("\(host): \(reason)") }
        bytes.withUnsafeBytes { _ = shell.tool.write($0) }
        if bytes.last != 10 { shell.tool.say("") }
    }

    private final class Listener: ConnectionHandler {
        private let word: String
        private var bytes: [UInt8] = []
        private let done: ([UInt8], CloseReason) -> Void

        init(word: String, done: @escaping ([UInt8], CloseReason) -> Void) {
            self.word = word
            self.done = done
        }
        func opened(_ connection: any Connection) { connection.send(Array(word.utf8)) }
        func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
            self.bytes += bytes
            return bytes.count
        }
        func closed(_ connection: any Connection, _ reason: CloseReason) { done(bytes, reason) }
    }
}
