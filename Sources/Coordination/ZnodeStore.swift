/// Where the nodes lie: chunks that never move, and one table that finds a child by (parent, name). The table's slots hold
/// the whole hash, so that growing it does not touch the nodes.
struct ZnodeStore: ~Copyable {
    private struct Slot {
        var tag: UInt32
        /// `.none` is empty.
        var id: ZnodeID
    }

    private static let chunkBits = 10
    private static let chunkMask = (1 << chunkBits) - 1

    private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Znode>>
    private var chunkCount = 0
    private var chunkRoom = 16
    private var freeHead = ZnodeID.none
    /// One more than the largest number ever given.
    private(set) var end: ZnodeID = 0
    /// Nodes there are, the root included.
    private(set) var count = 0

    private let bodies = BodyPool()
    private var slots: UnsafeMutablePointer<Slot>
    private var mask: Int
    private var used = 0
    /// Changed by looking: so it lies apart.
    private let last = UnsafeMutablePointer<LastFound>.allocate(capacity: 1)

    init() {
        last.initialize(to: LastFound())
        chunks = .allocate(capacity: 16)
        slots = .allocate(capacity: 64)
        slots.initialize(repeating: Slot(tag: 0, id: .none), count: 64)
        mask = 63
        // The root, which no table slot leads to.
        let root = allocate()
        self[root].pointee.begin(name: UnsafeRawBufferPointer(start: nil, count: 0), data: nil, in: bodies)
    }

    deinit {
        for id in 0..<end { self[id].pointee.deallocate() }
        for index in 0..<chunkCount { chunks[index].deallocate() }
        chunks.deallocate()
        slots.deallocate()
        last.pointee.deallocate()
        last.deallocate()
    }

    @inline(__always)
    subscript(_ id: ZnodeID) -> UnsafeMutablePointer<Znode> {
        chunks[Int(id) >> ZnodeStore.chunkBits] + (Int(id) & ZnodeStore.chunkMask)
    }

    func child(of parent: ZnodeID, _ name: UnsafeRawBufferPointer) -> ZnodeID? {
        let tag = byteHash(name, seed: parent)
        var index = Int(tag) & mask
        while true {
            let slot = slots[index]
            if slot.id == .none { return nil }
            if slot.tag == tag {
                let node = self[slot.id]
                if node.pointee.parent == parent, node.pointee.name.sameBytes(as: name) { return slot.id }
            }
            index = (index + 1) & mask
        }
    }

    /// Follows a path from the root. Empty and `/` are the root; what is not a path leads nowhere.
    func find(_ path: PathBytes) -> ZnodeID? {
        if path.count == 0 { return .root }
        guard path[0] == ZnodePath.slash else { return nil }
        if path.count == 1 { return .root }
        if let known = last.pointee.id(of: path) { return known }
        guard let end = ZnodePath.lastSlash(path) else { return nil }
        let parent: ZnodeID
        if last.pointee.isBelowParent(path, end) {
            parent = last.pointee.parent
        } else {
            guard let walked = walk(PathBytes(rebasing: path[..<end])) else { return nil }
            parent = walked
        }
        let found = child(of: parent, PathBytes(rebasing: path[(end + 1)...]))
        last.pointee.found(path, parentCount: end, parent, found ?? .none)
        return found
    }

    /// - Parameter path: empty for the root, else with a slash before every name.
    private func walk(_ path: PathBytes) -> ZnodeID? {
        var here = ZnodeID.root
        var start = 1
        while start <= path.count {
            let end = firstIndex(of: ZnodePath.slash, in: path, from: start)
            guard end > start, let next = child(of: here, PathBytes(rebasing: path[start..<end])) else { return nil }
            here = next
            start = end + 1
        }
        return here
    }

    /// A new last child of `parent`, all numbers zero. There must be no such child.
    mutating func insert(_ name: UnsafeRawBufferPointer, data: UnsafeRawBufferPointer?, under parent: ZnodeID)
        -> ZnodeID
    {
        let id = allocate()
        let node = self[id]
        node.pointee.parent = parent
        node.pointee.begin(name: name, data: data, in: bodies)
        let above = self[parent]
        let first = above.pointee.firstChild
        if first == .none {
            above.pointee.firstChild = id
            node.pointee.next = id
            node.pointee.previous = id
        } else {
            let last = self[first].pointee.previous
            node.pointee.next = first
            node.pointee.previous = last
            self[last].pointee.next = id
            self[first].pointee.previous = id
        }
        above.pointee.childCount += 1
        if (used + 1) * 4 > (mask + 1) * 3 { grow() }
        place(Slot(tag: byteHash(name, seed: parent), id: id))
        used += 1
        return id
    }

    /// Takes a childless node away.
    mutating func remove(_ id: ZnodeID) {
        let node = self[id]
        precondition(
            id != .root && node.pointee.childCount == 0, "removing node \(id) with \(node.pointee.childCount) children")
        let parent = node.pointee.parent
        last.pointee.removed(id)
        unplace(Slot(tag: byteHash(node.pointee.name, seed: parent), id: id))
        used -= 1
        let above = self[parent]
        if node.pointee.next == id {
            above.pointee.firstChild = .none
        } else {
            self[node.pointee.previous].pointee.next = node.pointee.next
            self[node.pointee.next].pointee.previous = node.pointee.previous
            if above.pointee.firstChild == id { above.pointee.firstChild = node.pointee.next }
        }
        above.pointee.childCount -= 1
        node.pointee.deallocate()
        node.pointee = Znode()
        node.pointee.next = freeHead
        freeHead = id
        count -= 1
    }

    mutating func setData(_ data: UnsafeRawBufferPointer?, of id: ZnodeID) {
        self[id].pointee.setData(data, in: bodies)
    }

    private mutating func allocate() -> ZnodeID {
        count += 1
        if freeHead != .none {
            let id = freeHead
            freeHead = self[id].pointee.next
            self[id].pointee.next = .none
            return id
        }
        let id = end
        if Int(id) >> ZnodeStore.chunkBits == chunkCount {
            if chunkCount == chunkRoom {
                let larger = UnsafeMutablePointer<UnsafeMutablePointer<Znode>>.allocate(capacity: chunkRoom * 2)
                larger.update(from: chunks, count: chunkCount)
                chunks.deallocate()
                chunks = larger
                chunkRoom *= 2
            }
            (chunks + chunkCount).initialize(to: .allocate(capacity: 1 << ZnodeStore.chunkBits))
            chunkCount += 1
        }
        end += 1
        self[id].initialize(to: Znode())
        return id
    }

    private func place(_ slot: Slot) {
        var index = Int(slot.tag) & mask
        while slots[index].id != .none { index = (index + 1) & mask }
        slots[index] = slot
    }

    private func unplace(_ slot: Slot) {
        var hole = Int(slot.tag) & mask
        while slots[hole].id != slot.id { hole = (hole + 1) & mask }
        // Later entries of the run move up, unless that would put them before their own place.
        var index = hole
        while true {
            index = (index + 1) & mask
            if slots[index].id == .none { break }
            let home = Int(slots[index].tag) & mask
            if (index &- home) & mask >= (index &- hole) & mask {
                slots[hole] = slots[index]
                hole = index
            }
        }
        slots[hole] = Slot(tag: 0, id: .none)
    }

    private mutating func grow() {
        let old = slots
        let oldCount = mask + 1
        slots = .allocate(capacity: oldCount * 2)
        slots.initialize(repeating: Slot(tag: 0, id: .none), count: oldCount * 2)
        mask = oldCount * 2 - 1
        for index in 0..<oldCount where old[index].id != .none { place(old[index]) }
        old.deallocate()
    }
}
