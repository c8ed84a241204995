import CoordinationProtocol
import Platform

/// What a client asks for next: few paths, so that clients meet.
struct Workload {
    private let client: String
    private var count = 0
    /// Versions seen last, for conditional writes that sometimes hold.
    private var versions: [String: Int32] = [:]

    static let tops = ["/a", "/b", "/c"]
    private static let longTTL: Int64 = 20_000

    init(client: String) { self.client = client }

    mutating func answered(_ exchange: Exchange) {
        guard let answer = exchange.answer, answer.error == .ok else { return }
        switch exchange.request {
        case .change(.setData(let r)): versions[r.path] = (try? SetDataResponse.decode(answer.body))?.stat.version
        case .exists(let path, _): versions[path] = (try? ExistsResponse.decode(answer.body))?.stat.version
        case .getData(let path, _): versions[path] = (try? GetDataResponse.decode(answer.body))?.stat.version
        default: break
        }
    }

    private mutating func path(_ random: inout SeededRandom) -> String {
        let top = Workload.tops.randomElement(using: &random) ?? "/a"
        switch Int.random(in: 0..<20, using: &random) {
        case 0, 1: return top
        case 2, 3: return top + "/n\(Int.random(in: 0..<4, using: &random))/k\(Int.random(in: 0..<2, using: &random))"
        default: return top + "/n\(Int.random(in: 0..<4, using: &random))"
        }
    }

    private mutating func data(_ random: inout SeededRandom) -> [UInt8]? {
        count += 1
        switch Int.random(in: 0..<12, using: &random) {
        case 0: return nil
        case 1: return []
        case 2: return [UInt8](repeating: UInt8(truncatingIfNeeded: count), count: 700)
        default: return [UInt8]("\(client) \(count)".utf8)
        }
    }

    private mutating func version(_ path: String, _ random: inout SeededRandom) -> Int32 {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: versions[path] ?? 0
        case 1: Int32.random(in: 0...3, using: &random)
        default: -1
        }
    }

    private mutating func acl(_ random: inout SeededRandom) -> [ACL] {
        switch Int.random(in: 0..<24, using: &random) {
        case 0: ACL.creatorAll
        case 1: ACL.readOnly + ACL.creatorAll
        default: ACL.open
        }
    }

    private mutating func change(_ random: inout SeededRandom) -> MultiOperation {
        let path = path(&random)
        switch Int.random(in: 0..<60, using: &random) {
        case 0..<14: return .create(CreateRequest(path: path, data: data(&random), acl: acl(&random)))
        case 14..<18: return .create2(CreateRequest(path: path, data: data(&random)))
        case 18..<24: return .create(CreateRequest(path: path, data: data(&random), mode: .ephemeral))
        case 24..<29: return sequential(.persistentSequential, &random)
        case 29..<33: return sequential(.ephemeralSequential, &random)
        case 33..<35: return .createContainer(CreateRequest(path: path, data: nil, mode: .container))
        case 35..<37:
            return .createTTL(
                CreateTTLRequest(
                    path: path, data: data(&random), ttl: Bool.random(using: &random) ? 300 : Workload.longTTL))
        case 37..<50:
            return .setData(
                SetDataRequest(path: path, data: data(&random), version: version(path, &random)))
        default: return .delete(DeleteRequest(path: path, version: version(path, &random)))
        }
    }

    private mutating func sequential(_ mode: CreateMode, _ random: inout SeededRandom) -> MultiOperation {
        let top = Workload.tops.randomElement(using: &random) ?? "/a"
        let parent = Bool.random(using: &random) ? top : top + "/n0"
        return .create(CreateRequest(path: parent + "/s-", data: data(&random), mode: mode))
    }

    mutating func next(using random: inout SeededRandom) -> Request {
        // Whoever comes first makes the places where everything happens.
        if count < Workload.tops.count {
            count += 1
            return .change(.create(CreateRequest(path: Workload.tops[count - 1], data: nil)))
        }
        let path = path(&random)
        let watch = Int.random(in: 0..<3, using: &random) == 0
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<50: return .change(change(&random))
        case 50..<58:
            return .multi(
                (0..<Int.random(in: 1...4, using: &random)).map { _ in
                    Int.random(in: 0..<5, using: &random) == 0
                        ? .check(CheckVersionRequest(path: path, version: version(path, &random))) : change(&random)
                })
        case 58..<60: return .setACL(path, acl(&random), version: -1)
        case 60..<66: return .exists(path, watch: watch)
        case 66..<75: return .getData(path, watch: watch)
        case 75..<84: return .getChildren(path, watch: watch)
        case 84: return .getACL(path)
        case 85, 86: return .check(CheckVersionRequest(path: path, version: version(path, &random)))
        case 87, 88: return .sync(path)
        case 89: return .ephemerals(below: Bool.random(using: &random) ? "/" : Workload.tops[0])
        case 90: return .descendants(of: path)
        case 91, 92:
            return .reads([
                .getData(GetDataRequest(path: path)), .getChildren(GetChildrenRequest(path: Workload.tops[1])),
            ])
        case 93, 94: return .addWatch(path, recursive: Bool.random(using: &random))
        case 95, 96:
            return .removeWatches(
                path, [.any, .data, .children, .persistent].randomElement(using: &random) ?? .any)
        case 97: return .checkWatches(path, .any)
        default: return .getChildren("/", watch: watch)
        }
    }
}
