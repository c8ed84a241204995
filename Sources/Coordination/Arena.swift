/// Memory for the paths that one request makes (sequence names, a session's nodes): given back all at once.
final class Arena {
    private var blocks: [UnsafeMutableRawBufferPointer] = []
    private var used = 0

    deinit { for block in blocks { block.deallocate() } }

    /// Everything handed out before is invalid from here on.
    func reset() {
        while blocks.count > 1 { blocks.removeLast().deallocate() }
        used = 0
    }

    func allocate(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if blocks.isEmpty || used + count > blocks[blocks.count - 1].count {
            blocks.append(.allocate(byteCount: max(4096, count), alignment: 1))
            used = 0
        }
        let block = blocks[blocks.count - 1]
        defer { used += count }
        return UnsafeMutableRawBufferPointer(rebasing: block[used..<(used + count)])
    }

    func copy(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let room = allocate(bytes.count)
        room.copyMemory(from: bytes)
        return UnsafeRawBufferPointer(room)
    }
}
