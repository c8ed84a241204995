/// Room for what belongs to one node alone: its name, its data, and what changes have left. Pieces of one size lie side by side
/// in a page, without the header and the rounding that a general allocator spends on each; a page goes with its last piece.
final class BodyPool {
    /// At the start of its page, which is aligned to its own size: so a piece leads to it.
    private struct Page {
        unowned(unsafe) let pool: BodyPool
        /// Of each piece.
        let size: Int
        var used = 0
        /// Offset of what was never given out.
        var fresh = BodyPool.headerBytes
        /// Offset of the piece given back last, which holds the offset of the one before; 0 is none.
        var free: UInt32 = 0
        /// In the list of those with room.
        var isListed = false
        var next: UnsafeMutablePointer<Page>?
        var previous: UnsafeMutablePointer<Page>?
    }

    private static let pageBytes = 1 << 18
    /// Of a page: what is left of its alignment is for the allocator's own header, so that the next page can follow at once.
    private static let usedBytes = pageBytes - 64
    private static let headerBytes = 64
    /// Sizes are multiples of this; those that are multiples of eight are aligned to eight.
    private static let grain = 4
    /// Above that a piece is the system's affair.
    private static let largest = 1024

    /// Pages with room, by size in grains.
    private var lists: [UnsafeMutablePointer<Page>?]

    init() { lists = Array(repeating: nil, count: BodyPool.largest / BodyPool.grain + 1) }

    /// All pieces must have been given back.
    deinit {
        for first in lists {
            var page = first
            while let here = page {
                page = here.pointee.next
                UnsafeMutableRawPointer(here).deallocate()
            }
        }
    }

    func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        guard count <= BodyPool.largest else { return .allocate(byteCount: count, alignment: 16) }
        let size = BodyPool.rounded(count)
        let page = lists[size / BodyPool.grain] ?? makePage(size)
        let base = UnsafeMutableRawPointer(page)
        page.pointee.used += 1
        let piece: UnsafeMutableRawPointer
        if page.pointee.free != 0 {
            piece = base + Int(page.pointee.free)
            page.pointee.free = piece.load(as: UInt32.self)
        } else {
            piece = base + page.pointee.fresh
            page.pointee.fresh += size
        }
        if page.pointee.free == 0, page.pointee.fresh + size > BodyPool.usedBytes { unlist(page) }
        return piece
    }

    /// - Parameter count: as it was asked for.
    static func free(_ piece: UnsafeMutableRawPointer, _ count: Int) {
        guard count <= BodyPool.largest else { return piece.deallocate() }
        page(of: piece).pointee.pool.takeBack(piece)
    }

    /// A piece of the pool that `piece` comes from, which is not given back.
    /// - Parameter old: what was asked for `piece`; not more than `count`.
    static func allocate(_ count: Int, beside piece: UnsafeMutableRawPointer, _ old: Int) -> UnsafeMutableRawPointer {
        precondition(old <= count, "a smaller piece is not asked for beside a larger one")
        guard count <= BodyPool.largest else { return .allocate(byteCount: count, alignment: 16) }
        return page(of: piece).pointee.pool.allocate(count)
    }

    private func takeBack(_ piece: UnsafeMutableRawPointer) {
        let page = BodyPool.page(of: piece)
        piece.storeBytes(of: page.pointee.free, as: UInt32.self)
        page.pointee.free = UInt32(truncatingIfNeeded: piece - UnsafeMutableRawPointer(page))
        page.pointee.used -= 1
        if !page.pointee.isListed { list(page) }
        guard page.pointee.used == 0 else { return }
        if page.pointee.next == nil, page.pointee.previous == nil {
            // The last of its size stays, as if it were new.
            page.pointee.free = 0
            page.pointee.fresh = BodyPool.headerBytes
        } else {
            unlist(page)
            UnsafeMutableRawPointer(page).deallocate()
        }
    }

    private static func rounded(_ count: Int) -> Int { max((count + grain - 1) & ~(grain - 1), grain) }

    @inline(__always)
    private static func page(of piece: UnsafeMutableRawPointer) -> UnsafeMutablePointer<Page> {
        let start = UnsafeMutableRawPointer(bitPattern: UInt(bitPattern: piece) & ~UInt(pageBytes - 1))
        guard let start else { preconditionFailure("a piece of no page") }
        return start.assumingMemoryBound(to: Page.self)
    }

    private func makePage(_ size: Int) -> UnsafeMutablePointer<Page> {
        let page = UnsafeMutableRawPointer.allocate(byteCount: BodyPool.usedBytes, alignment: BodyPool.pageBytes)
            .bindMemory(to: Page.self, capacity: 1)
        page.initialize(to: Page(pool: self, size: size))
        list(page)
        return page
    }

    private func list(_ page: UnsafeMutablePointer<Page>) {
        let index = page.pointee.size / BodyPool.grain
        page.pointee.previous = nil
        page.pointee.next = lists[index]
        lists[index]?.pointee.previous = page
        lists[index] = page
        page.pointee.isListed = true
    }

    private func unlist(_ page: UnsafeMutablePointer<Page>) {
        if let before = page.pointee.previous {
            before.pointee.next = page.pointee.next
        } else {
            lists[page.pointee.size / BodyPool.grain] = page.pointee.next
        }
        page.pointee.next?.pointee.previous = page.pointee.previous
        page.pointee.next = nil
        page.pointee.previous = nil
        page.pointee.isListed = false
    }
}
