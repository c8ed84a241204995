/// The node that was found last and the one above it, by the bytes of their path: a request looks for the same node when it is
/// decided, when it is made so and when it is answered, and the next one is often about a node beside it.
struct LastFound {
    private static let longest = 256
    private let bytes = UnsafeMutableRawPointer.allocate(byteCount: LastFound.longest, alignment: 8)
    /// Of the parent's path; -1 when nothing is known.
    private var parentCount = -1
    private(set) var parent = ZnodeID.none
    /// Of the whole path; -1 when only the parent is known.
    private var count = -1
    private var node = ZnodeID.none

    func deallocate() { bytes.deallocate() }

    /// The node, when it is one of the two.
    @inline(__always)
    func id(of path: PathBytes) -> ZnodeID? {
        if path.count == count, isSame(path, count) { return node }
        if path.count == parentCount, isSame(path, parentCount) { return parent }
        return nil
    }

    /// Whether the first `count` bytes of `path` are those of the known parent.
    @inline(__always)
    func isBelowParent(_ path: PathBytes, _ count: Int) -> Bool { count == parentCount && isSame(path, count) }

    @inline(__always)
    private func isSame(_ path: PathBytes, _ count: Int) -> Bool {
        guard let base = path.baseAddress else { return true }
        return sameMemory(base, bytes, count)
    }

    /// - Parameter node: `.none` when there is only the parent.
    mutating func found(_ path: PathBytes, parentCount: Int, _ parent: ZnodeID, _ node: ZnodeID) {
        guard path.count <= LastFound.longest, let base = path.baseAddress else { return }
        bytes.copyMemory(from: base, byteCount: path.count)
        self.parentCount = parentCount
        self.parent = parent
        count = node == .none ? -1 : path.count
        self.node = node
    }

    /// The node is no more.
    @inline(__always)
    mutating func removed(_ id: ZnodeID) {
        if id == node {
            node = .none
            count = -1
        }
        if id == parent {
            parent = .none
            parentCount = -1
        }
    }
}
