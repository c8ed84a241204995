import Platform

/// What a tool may ask of its surroundings beyond what a server may: its streams, files, and the loop run until an answer is
/// there. The executable supplies the real one, a test its own.
package protocol ToolWorld: AnyObject {
    var world: any World { get }
    /// Runs the loop until `condition` holds, which is looked at after every turn. False when the time was over first.
    @discardableResult
    func run(until condition: () -> Bool, atMost limit: Duration?) -> Bool
    /// Calls `told` in the loop instead of ending the process.
    func onSignals(_ numbers: [Int32], _ told: @escaping (Int32) -> Void)
    func environment(_ name: String) -> String?
    func readFile(_ path: String) -> Result<[UInt8], DiskError>
    /// Puts bytes on stdout now. False when nobody reads it any more.
    @discardableResult
    func write(_ bytes: UnsafeRawBufferPointer) -> Bool
    /// Puts text on stderr now.
    func complain(_ text: String)

    var inputIsTerminal: Bool { get }
    var outputIsTerminal: Bool { get }
    /// Waits for stdin and reads what is there: 0 at its end, -1 when it cannot be read.
    func readInput(_ buffer: UnsafeMutableRawBufferPointer) -> Int
    /// Calls `ready` in the loop while stdin has something to read (or has ended), until it returns false. False when stdin is
    /// an ordinary file, which always has.
    func watchInput(_ ready: @escaping () -> Bool) -> Bool
    /// While on, the terminal hands over each key as it is pressed and shows none itself; it is given back as it was.
    /// False when stdin is no terminal.
    func takeKeys(_ on: Bool) -> Bool
    /// The terminal's width.
    var columns: Int { get }
}

extension ToolWorld {
    /// A line on stdout.
    package func say(_ line: String) {
        var line = line
        line.append("\n")
        line.withUTF8 { _ = write(UnsafeRawBufferPointer($0)) }
    }

    /// A line on stderr.
    package func warn(_ line: String) { complain(line + "\n") }

    /// Begins something and runs the loop until it has called back.
    package func wait<T>(_ begin: (@escaping (T) -> Void) -> Void) -> T {
        var answer: T?
        begin { answer = $0 }
        while true {
            if let answer { return answer }
            run(until: { answer != nil }, atMost: nil)
        }
    }
}

/// A tool gives up: what goes to stderr, and its exit status.
package struct ToolFailure: Error {
    package var message: String
    package var status: Int32
    package init(_ message: String, status: Int32 = 1) {
        self.message = message
        self.status = status
    }
}
