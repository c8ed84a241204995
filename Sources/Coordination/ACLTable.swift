import Bytes
import CoordinationProtocol

/// An access control list's number in the table.
struct ACLID: Hashable {
    var raw: UInt32
    /// Everybody may do everything: not stored.
    static let open = ACLID(raw: .max)
}

/// Access control lists by number. Most nodes of a tree share a few.
struct ACLTable: ~Copyable {
    private var keys = ByteKeys()
    private var lists: [[ACL]] = []
    private var uses: [Int] = []

    /// `[31 world:anyone]` as it lies in a request.
    static let openBytes: [UInt8] = {
        var writer = JuteWriter()
        var list = ACL.open
        writer.records(&list)
        return writer.bytes.array
    }()

    private let open: UnsafeRawBufferPointer

    init() {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: ACLTable.openBytes.count, alignment: 1)
        copy.copyBytes(from: ACLTable.openBytes)
        open = UnsafeRawBufferPointer(copy)
    }

    deinit { open.deallocate() }

    func isOpen(_ bytes: UnsafeRawBufferPointer) -> Bool { bytes.sameBytes(as: open) }

    subscript(_ id: ACLID) -> [ACL] { id == .open ? ACL.open : lists[Int(id.raw)] }

    /// The encoded vector.
    func bytes(_ id: ACLID) -> UnsafeRawBufferPointer { id == .open ? open : keys[id.raw] }

    /// Takes the list into use once more.
    mutating func use(_ bytes: UnsafeRawBufferPointer) -> ACLID {
        if isOpen(bytes) { return .open }
        let (key, isNew) = keys.insert(bytes)
        if isNew {
            let list = ACLTable.decoded(bytes)
            if Int(key) == lists.count {
                lists.append(list)
                uses.append(0)
            } else {
                lists[Int(key)] = list
                uses[Int(key)] = 0
            }
        }
        uses[Int(key)] += 1
        return ACLID(raw: key)
    }

    /// Takes a list that is in use into use once more.
    mutating func hold(_ id: ACLID) {
        if id != .open { uses[Int(id.raw)] += 1 }
    }

    mutating func drop(_ id: ACLID) {
        guard id != .open else { return }
        uses[Int(id.raw)] -= 1
        if uses[Int(id.raw)] == 0 {
            lists[Int(id.raw)] = []
            keys.remove(id.raw)
        }
    }

    /// Numbers in use, ascending.
    var inUse: [ACLID] { uses.indices.filter { uses[$0] > 0 }.map { ACLID(raw: UInt32($0)) } }

    static func decoded(_ bytes: UnsafeRawBufferPointer) -> [ACL] {
        var reader = JuteReader(bytes)
        var list: [ACL] = []
        // A list that cannot be read lets nobody in.
        do throws(JuteError) { try reader.records(&list) } catch { return [ACL([], scheme: "world", id: "anyone")] }
        return list
    }
}
