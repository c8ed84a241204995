import Platform

/// A node's disk as one of its lives sees it.
final class SimulatedDisk: Disk {
    private unowned let node: SimulatedNode
    private let world: Life
    private var lanes: [(directory: String, lane: SimulatedLane)] = []
    private var storage: SimulatedStorage { node.storage }

    init(_ world: SimulatedWorld) {
        node = world.node
        self.world = Life(world)
    }

    private func check(_ operation: DiskOperation, _ path: String) throws(DiskError) {
        try world.check(operation, path)
        try storage.check(operation, path)
        // A fault may be the life's end: then the operation is not done.
        try world.check(operation, path)
    }

    func open(_ path: String, _ mode: FileMode) throws(DiskError) -> any File {
        try check(.open, path)
        return SimulatedFile(path, try storage.file(path, mode, wallMs: node.wallMs), mode, node, world)
    }

    func exists(_ path: String) -> Bool { (try? storage.find(path, .list)) != nil }

    func list(_ directory: String) throws(DiskError) -> [DirectoryEntry] {
        try check(.list, directory)
        return try storage.directory(directory, .list).shown.sorted { $0.key < $1.key }.map { name, entry in
            if case .directory = entry {
                DirectoryEntry(name: name, isDirectory: true)
            } else {
                DirectoryEntry(name: name, isDirectory: false)
            }
        }
    }

    func createDirectory(_ path: String) throws(DiskError) {
        try check(.createDirectory, path)
        try storage.createDirectory(path)
    }
    func rename(_ from: String, to: String) throws(DiskError) {
        try check(.rename, from)
        try storage.rename(from, to)
    }
    func remove(_ path: String) throws(DiskError) {
        try check(.remove, path)
        try storage.remove(path)
    }
    func removeTree(_ path: String) throws(DiskError) {
        try check(.remove, path)
        try storage.removeTree(path)
    }
    func syncDirectory(_ directory: String) throws(DiskError) {
        try check(.syncDirectory, directory)
        try storage.syncDirectory(directory)
    }

    func lock(_ path: String) throws(DiskError) -> (any DiskLock)? {
        try check(.lock, path)
        if !exists(path) { _ = try storage.file(path, .createIfMissing, wallMs: node.wallMs) }
        let lock = SimulatedLock(path, storage)
        return storage.lock(path, lock) ? lock : nil
    }

    func freeBytes(_ path: String) throws(DiskError) -> Int64 {
        // Used bytes are a walk over the tree: not for disks nobody could fill.
        storage.capacity < 1 << 40 ? max(0, storage.capacity - storage.usedBytes) : storage.capacity
    }

    func totalBytes(_ path: String) throws(DiskError) -> Int64 { storage.capacity }

    func absolutePath(_ path: String) -> String { path.hasPrefix("/") ? path : "/\(path)" }

    func realPath(_ path: String) -> String {
        "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }

    func modifiedMs(_ path: String) throws(DiskError) -> Int64 {
        guard case .file(let inode) = try storage.find(path, .list) else { return 0 }
        return inode.modifiedMs
    }

    func setModified(_ path: String, toMs ms: Int64) throws(DiskError) {
        try check(.write, path)
        guard case .file(let inode) = try storage.find(path, .list) else { return }
        inode.modifiedMs = ms
    }

    func backgroundLane(_ directory: String) -> any DiskLane { lane(directory + "/#background") }

    func lane(_ directory: String) -> any DiskLane {
        if let known = lanes.first(where: { $0.directory == directory }) { return known.lane }
        let lane = SimulatedLane(node, world.number)
        lanes.append((directory, lane))
        return lane
    }
}

/// Which life of a node something belongs to, and whether that one goes on.
struct Life {
    private weak var world: SimulatedWorld?
    let number: Int
    init(_ world: SimulatedWorld) {
        self.world = world
        number = world.life
    }
    var isAlive: Bool { world?.isAlive == true }
    func check(_ operation: DiskOperation, _ path: String) throws(DiskError) {
        guard isAlive else {
            throw DiskError(
                operation: operation.rawValue, path: path, code: 5, reason: "this life of the node has ended")
        }
    }
}

private final class SimulatedLock: DiskLock {
    private let path: String
    private let storage: SimulatedStorage
    init(_ path: String, _ storage: SimulatedStorage) {
        self.path = path
        self.storage = storage
    }
    func release() { storage.unlock(path, self) }
    deinit { release() }
}

final class SimulatedFile: File {
    let path: String
    private let inode: Inode
    private let mode: FileMode
    private unowned let node: SimulatedNode
    private let world: Life
    private var isClosed = false

    init(_ path: String, _ inode: Inode, _ mode: FileMode, _ node: SimulatedNode, _ world: Life) {
        self.path = path
        self.inode = inode
        self.mode = mode
        self.node = node
        self.world = world
    }

    var size: Int64 { inode.content.size }

    private func check(_ operation: DiskOperation) throws(DiskError) {
        try world.check(operation, path)
        // Reading stays possible: a region on its way to a socket outlives its owner's `close`.
        if isClosed, operation != .read {
            throw DiskError(
                operation: operation.rawValue, path: path, code: 9, reason: "Bad file descriptor")
        }
        try node.storage.check(operation, path)
        // A fault may be the life's end: then the operation is not done.
        try world.check(operation, path)
        if mode == .read, operation != .read, operation != .sync {
            throw DiskError(operation: operation.rawValue, path: path, code: 9, reason: "opened for reading")
        }
    }

    private func checkRoom(_ operation: DiskOperation, _ newSize: Int64) throws(DiskError) {
        let growth = newSize - size
        // Used bytes are a walk over the tree: not for disks nobody could fill.
        guard growth > 0, node.storage.capacity < 1 << 40 else { return }
        if node.storage.usedBytes + growth > node.storage.capacity { throw node.storage.failure(operation, path, 28) }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(DiskError) -> Int {
        try check(.read)
        return inode.content.read(into: buffer, at: offset)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(DiskError) {
        try check(.write)
        try checkRoom(.write, offset + Int64(bytes.count))
        guard !bytes.isEmpty else { return }
        node.simulation.mix(bytes)
        inode.apply(.write(offset: offset, bytes: [UInt8](bytes)))
        inode.modifiedMs = node.wallMs
    }

    func truncate(to size: Int64) throws(DiskError) {
        try check(.truncate)
        inode.apply(.resize(size))
        inode.modifiedMs = node.wallMs
    }

    func allocate(to size: Int64) throws(DiskError) {
        try check(.allocate)
        guard size > self.size else { return }
        try checkRoom(.allocate, size)
        inode.apply(.resize(size))
    }

    func sync() throws(DiskError) {
        do throws(DiskError) { try check(.sync) } catch {
            // Of a process that was killed the system still writes the pages some day.
            if world.isAlive { inode.syncFailed() }
            throw error
        }
        if !node.storage.syncsNothing { inode.sync() }
    }

    func close() { isClosed = true }
}

/// Operations done later, in order, each at a moment of its own before its completion is heard of.
final class SimulatedLane: DiskLane {
    private unowned let node: SimulatedNode
    private let life: Int
    private(set) var pending = 0
    private var lastDone = Instant.start

    init(_ node: SimulatedNode, _ life: Int) {
        self.node = node
        self.life = life
    }

    private var simulation: Simulation { node.simulation }

    func write(
        _ bytes: UnsafeRawBufferPointer, to file: any File, at offset: Int64, then: @escaping (DiskError?) -> Void
    ) {
        if pending == 0, node.diskSlowness == .zero, simulation.chance(simulation.options.writesInPlace) {
            var problem: DiskError?
            do throws(DiskError) { try file.write(bytes, at: offset) } catch { problem = error }
            return then(problem)
        }
        let copy = [UInt8](bytes)
        enqueue("disk write") {
            var problem: DiskError?
            copy.withUnsafeBytes { raw in
                do throws(DiskError) { try file.write(raw, at: offset) } catch { problem = error }
            }
            return { then(problem) }
        }
    }

    func sync(_ file: any File, then: @escaping (DiskError?) -> Void) {
        enqueue("disk sync") {
            var problem: DiskError?
            do throws(DiskError) { try file.sync() } catch { problem = error }
            return { then(problem) }
        }
    }

    func perform<T>(_ job: @escaping () throws(DiskError) -> T, then: @escaping (Result<T, DiskError>) -> Void) {
        enqueue("disk job") {
            let result: Result<T, DiskError>
            do throws(DiskError) { result = .success(try job()) } catch { result = .failure(error) }
            return { then(result) }
        }
    }

    private func enqueue(_ label: String, _ work: @escaping () -> () -> Void) {
        pending += 1
        let options = simulation.options
        let delay =
            simulation.chance(options.diskStallChance) ? options.diskStall : simulation.chosen(options.diskDelay)
        let done = max(simulation.now, lastDone) + delay + node.diskSlowness
        let heard = done + .microseconds(Int.random(in: 1...50, using: &simulation.random))
        lastDone = heard
        simulation.schedule(at: done, on: node, life: life, label) { [self] in
            let then = work()
            simulation.schedule(at: heard, on: node, life: life, "\(label) done") { [self] in
                pending -= 1
                then()
            }
        }
    }
}
