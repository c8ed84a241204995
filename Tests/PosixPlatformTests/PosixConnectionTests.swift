import Glibc
import Testing

import Bytes
import Platform
@testable import PosixPlatform

/// Runs what the test says on a connection's events.
private final class Script: ConnectionHandler {
    var onOpened: (any Connection) -> Void = { _ in }
    var onReceived: (any Connection, UnsafeMutableRawBufferPointer) -> Int = { $1.count }
    var onDrained: (any Connection) -> Void = { _ in }
    var closedReason: CloseReason?
    var bytes: [UInt8] = []

    func opened(_ connection: any Connection) { onOpened(connection) }
    func received(_ connection: any Connection, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        self.bytes += bytes
        return onReceived(connection, bytes)
    }
    func drained(_ connection: any Connection) { onDrained(connection) }
    func closed(_ connection: any Connection, _ reason: CloseReason) { closedReason = reason }
}

private func world() -> PosixWorld { PosixWorld(speaker: "test", journalFD: 2) }

private func openDescriptors() -> Int {
    (try? world().disk.list("/proc/self/fd").count) ?? -1
}

@Suite("Connections over real sockets", .serialized)
struct PosixConnectionTests {
    @Test("echo what they receive, in frames of every size") func echo() throws {
        let world = world()
        let server = Script()
        server.onReceived = { connection, bytes in
            connection.send(UnsafeRawBufferPointer(bytes))
            return bytes.count
        }
        let listener = try world.network.listen(host: "127.0.0.1", port: 0) { _ in server }
        let client = Script()
        let sent = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        client.onOpened = { $0.send(sent) }
        world.network.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(5), handler: client)
        #expect(world.run(until: { client.bytes.count >= sent.count }, atMost: .seconds(20)))
        #expect(client.bytes == sent)
    }

    @Test("give a frame in one piece once its length was asked for") func needs() throws {
        let world = world()
        let server = Script()
        var frames: [Int] = []
        server.onReceived = { connection, bytes in
            guard bytes.count >= 4 else {
                connection.needs(4)
                return 0
            }
            let length = Int(Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
            guard bytes.count >= 4 + length else {
                connection.needs(4 + length)
                return 0
            }
            frames.append(length)
            return 4 + length
        }
        let listener = try world.network.listen(host: "", port: 0) { _ in server }
        let client = Script()
        let lengths = [0, 1, 70_000, 3, 1 << 20, 65_536, 200_000]
        client.onOpened = { connection in
            for length in lengths {
                var writer = ByteWriter()
                writer.int32(Int32(length))
                writer.zeros(length)
                connection.send(writer.bytes)
            }
        }
        world.network.connect(host: "localhost", port: listener.port, timeout: .seconds(5), handler: client)
        #expect(world.run(until: { frames.count == lengths.count }, atMost: .seconds(20)))
        #expect(frames == lengths)
    }

    @Test("send file regions between bytes, in order") func regions() throws {
        let world = world()
        let path = "/tmp/letterbox-region-\(getpid())"
        defer { unlink(path) }
        let file = try world.disk.open(path, .replace)
        let content = (0..<500_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try content.withUnsafeBytes { try file.write($0, at: 0) }
        let server = Script()
        server.onOpened = { connection in
            connection.send([1, 2, 3])
            connection.send(FileRegion(file: file, offset: 0, length: 100))
            connection.send(FileRegion(file: file, offset: 100, length: 400_000))
            connection.send([4])
            connection.send(FileRegion(file: file, offset: 400_100, length: 99_900))
            connection.closeWhenSent()
        }
        let listener = try world.network.listen(host: "127.0.0.1", port: 0) { _ in server }
        let client = Script()
        world.network.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(5), handler: client)
        #expect(world.run(until: { client.closedReason != nil }, atMost: .seconds(20)))
        #expect(client.closedReason == .byPeer)
        var expected: [UInt8] = [1, 2, 3]
        expected += content[..<400_100]
        expected.append(4)
        expected += content[400_100...]
        #expect(client.bytes == expected)
    }

    @Test("send a region whose file was closed and removed meanwhile") func closedFile() throws {
        let world = world()
        let path = "/tmp/letterbox-closed-\(getpid())"
        let server = Script()
        let content = [UInt8](repeating: 5, count: 4 << 20)
        server.onOpened = { connection in
            guard let file = try? world.disk.open(path, .replace) else { return }
            content.withUnsafeBytes { try? file.write($0, at: 0) }
            connection.send(FileRegion(file: file, offset: 0, length: content.count))
            file.close()
            unlink(path)
            connection.closeWhenSent()
        }
        let listener = try world.network.listen(host: "127.0.0.1", port: 0) { _ in server }
        let client = Script()
        world.network.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(5), handler: client)
        #expect(world.run(until: { client.closedReason != nil }, atMost: .seconds(20)))
        #expect(client.bytes == content)
        listener.close()
    }

    @Test("hear of a reset while paused, instead of being woken for ever") func resetWhilePaused() throws {
        let world = world()
        let server = Script()
        server.onOpened = { $0.pause() }
        let listener = try world.network.listen(host: "127.0.0.1", port: 0) { _ in server }
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(listener.port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(fd, $0, socklen_t(16)) }
        }
        #expect(connected == 0)
        send(fd, "x", 1, 0)
        #expect(!world.run(until: { server.closedReason != nil }, atMost: .milliseconds(20)))
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        close(fd)
        #expect(world.run(until: { server.closedReason != nil }, atMost: .seconds(5)))
        #expect(server.closedReason == .failed("Connection reset by peer") && server.bytes.isEmpty)
        listener.close()
    }

    @Test("end with a reason when a file is shorter than its region") func shortFile() throws {
        let world = world()
        let path = "/tmp/letterbox-short-\(getpid())"
        defer { unlink(path) }
        let file = try world.disk.open(path, .replace)
        try [UInt8](repeating: 1, count: 5000).withUnsafeBytes { try file.write($0, at: 0) }
        let server = Script()
        server.onOpened = { $0.send(FileRegion(file: file, offset: 0, length: 9000)) }
        let listener = try world.network.listen(host: "127.0.0.1", port: 0) { _ in server }
        let client = Script()
        world.network.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(5), handler: client)
        #expect(world.run(until: { server.closedReason != nil && client.closedReason != nil }, atMost: .seconds(20)))
        guard case .failed = server.closedReason else {
            Issue.record("\(String(describing: server.closedReason))")
            return
        }
    }

    @Test("stop reading while paused and go on where they were") func pausing() throws {
        let world = world()
        let server = Script()
        var held: (any Connection)?
        server.onReceived = { connection, bytes in
            held = connection
            connection.pause()
            return 1
        }
        let listener = try world.network.listen(host: "127.0.0.1", port: 0) { _ in server }
        let client = Script()
        client.onOpened = { $0.send([1, 2, 3]) }
        world.network.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(5), handler: client)
        #expect(world.run(until: { held != nil }, atMost: .seconds(5)))
        #expect(server.bytes == [1, 2, 3])
        #expect(!world.run(until: { server.bytes.count > 3 }, atMost: .milliseconds(20)))
        held?.resume()
        #expect(world.run(until: { server.bytes.count == 5 }, atMost: .seconds(5)))
        #expect(server.bytes == [1, 2, 3, 2, 3])
    }

    @Test("tell when a peer that was slow has taken what waited") func backPressure() throws {
        let world = world()
        let server = Script()
        var drained = false
        server.onOpened = { connection in
            connection.send([UInt8](repeating: 9, count: 8 << 20))
            #expect(connection.unsentBytes > OutputLimits.highWater)
        }
        server.onDrained = { _ in drained = true }
        let listener = try world.network.listen(host: "127.0.0.1", port: 0) { _ in server }
        let client = Script()
        world.network.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(5), handler: client)
        #expect(world.run(until: { drained }, atMost: .seconds(20)))
        #expect(world.run(until: { client.bytes.count == 8 << 20 }, atMost: .seconds(20)))
    }

    @Test("say who holds a port that is taken") func portTaken() throws {
        let world = world()
        let listener = try world.network.listen(host: "", port: 0) { _ in nil }
        defer { listener.close() }
        do throws(NetworkError) {
            _ = try world.network.listen(host: "127.0.0.1", port: listener.port) { _ in nil }
            Issue.record("a port was given twice")
        } catch {
            #expect(error.code == EADDRINUSE)
            #expect(error.description.contains("Address already in use by PID \(getpid()) ("))
        }
    }

    @Test("say why nobody could be reached") func refused() throws {
        let world = world()
        let listener = try world.network.listen(host: "127.0.0.1", port: 0) { _ in nil }
        let port = listener.port
        listener.close()
        let client = Script()
        world.network.connect(host: "127.0.0.1", port: port, timeout: .seconds(5), handler: client)
        #expect(world.run(until: { client.closedReason != nil }, atMost: .seconds(10)))
        #expect(client.closedReason == .failed("Connection refused"))
        let other = Script()
        world.network.connect(host: "no.such.host.invalid", port: 1, timeout: .seconds(5), handler: other)
        #expect(world.run(until: { other.closedReason != nil }, atMost: .seconds(10)))
    }

    @Test("leave no descriptor behind, a thousand times") func descriptors() throws {
        let world = world()
        let before = openDescriptors()
        let listener = try world.network.listen(host: "127.0.0.1", port: 0) { _ in Script() }
        var closed = 0
        for _ in 0..<10 {
            var clients: [Script] = []
            for _ in 0..<100 {
                let client = Script()
                client.onOpened = { connection in
                    connection.send([1])
                    connection.closeWhenSent()
                }
                clients.append(client)
                world.network.connect(host: "127.0.0.1", port: listener.port, timeout: .seconds(5), handler: client)
            }
            #expect(world.run(until: { clients.allSatisfy { $0.closedReason != nil } }, atMost: .seconds(20)))
            closed += clients.count
        }
        #expect(closed == 1000)
        listener.close()
        #expect(world.run(until: { openDescriptors() <= before }, atMost: .seconds(5)))
    }
}

@Suite("The loop's timers", .serialized)
struct EventLoopTests {
    @Test("fire in order of time, then of setting; cancelled ones do not") func order() {
        let loop = EventLoop()
        var fired: [Int] = []
        let base = loop.now
        _ = loop.schedule(at: base + .milliseconds(3)) { fired.append(3) }
        _ = loop.schedule(at: base + .milliseconds(1)) { fired.append(1) }
        let cancelled = loop.schedule(at: base + .milliseconds(2)) { fired.append(2) }
        _ = loop.schedule(at: base + .milliseconds(1)) { fired.append(11) }
        loop.cancel(cancelled)
        #expect(loop.run(until: { fired.count == 3 }, atMost: .seconds(5)))
        #expect(fired == [1, 11, 3])
    }
}

@Suite("A lane of the disk", .serialized)
struct PosixDiskLaneTests {
    @Test("answers in the order it was asked, whoever does the work") func order() throws {
        let world = world()
        let directory = "/tmp/letterbox-lane-\(getpid())"
        try world.disk.createDirectory("\(directory)/deep/er")
        defer { try? world.disk.removeTree(directory) }
        let file = try world.disk.open("\(directory)/f", .createNew)
        let lane = world.disk.lane(directory)
        #expect(world.disk.lane(directory) === lane)
        var answers: [String] = []
        let bytes: [UInt8] = [1, 2, 3, 4]
        bytes.withUnsafeBytes { raw in lane.write(raw, to: file, at: 0) { _ in answers.append("first") } }
        #expect(answers == ["first"], "an idle lane writes in place")
        lane.sync(file) { _ in answers.append("sync") }
        bytes.withUnsafeBytes { raw in lane.write(raw, to: file, at: 4) { _ in answers.append("second") } }
        lane.perform { () throws(DiskError) in
            file.size
        } then: { result in
            #expect(result == .success(8))
            answers.append("size")
        }
        lane.perform { () throws(DiskError) -> Int in
            throw DiskError(operation: "x", path: "y", code: 5, reason: "z")
        } then: { result in
            if case .failure = result { answers.append("failure") }
        }
        #expect(lane.pending == 4)
        #expect(world.run(until: { lane.pending == 0 }, atMost: .seconds(10)))
        #expect(answers == ["first", "sync", "second", "size", "failure"])
    }

    @Test("locks, replaces and lists as asked") func files() throws {
        let world = world()
        let directory = "/tmp/letterbox-files-\(getpid())"
        try world.disk.createDirectory(directory)
        defer { try? world.disk.removeTree(directory) }
        let lock = try world.disk.lock("\(directory)/.lock")
        #expect(lock != nil)
        #expect(try world.disk.lock("\(directory)/.lock") == nil)
        lock?.release()
        #expect(try world.disk.lock("\(directory)/.lock") != nil)
        try world.disk.replace("\(directory)/b", with: [1])
        try world.disk.replace("\(directory)/b", with: [2, 3])
        #expect(try world.disk.contents("\(directory)/b") == [2, 3])
        #expect(try world.disk.list(directory).map(\.name) == [".lock", "b"])
        #expect(throws: DiskError.self) { try world.disk.open("\(directory)/missing", .read) }
    }
}
