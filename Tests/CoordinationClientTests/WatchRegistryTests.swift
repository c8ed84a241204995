import CoordinationProtocol
import Testing

@testable import CoordinationClient

@Suite("The watch registry")
struct WatchRegistryTests {
    private func taken(_ registry: inout WatchRegistry, _ type: WatchEventType, _ path: String) -> Int {
        registry.taken(for: WatchEvent(type, path: path)).count
    }

    @Test("forgets a one-shot watch when its event comes")
    func oneShot() {
        var registry = WatchRegistry()
        registry.add(.data, "/a") { _ in }
        registry.add(.data, "/a") { _ in }
        registry.add(.children, "/a") { _ in }
        #expect(taken(&registry, .nodeDataChanged, "/b") == 0)
        #expect(taken(&registry, .nodeDataChanged, "/a") == 2)
        #expect(taken(&registry, .nodeDataChanged, "/a") == 0)
        #expect(taken(&registry, .nodeDeleted, "/a") == 1)
        #expect(registry.isEmpty)
    }

    @Test("keeps persistent watches, the recursive ones for everything below")
    func persistent() {
        var registry = WatchRegistry()
        registry.add(.persistentRecursive, "/a") { _ in }
        #expect(taken(&registry, .nodeCreated, "/a/b/c") == 1)
        #expect(taken(&registry, .nodeChildrenChanged, "/a/b") == 0)
        #expect(taken(&registry, .nodeDeleted, "/ab") == 0)
        #expect(taken(&registry, .nodeDataChanged, "/a") == 1)
    }

    @Test("re-arms in pieces, sorted, with every kind in its list")
    func pieces() {
        var registry = WatchRegistry()
        for number in 0..<10 { registry.add(.data, "/node-\(number)") { _ in } }
        registry.add(.existence, "/x") { _ in }
        registry.add(.children, "/y") { _ in }
        let pieces = registry.rearming(since: 7, maxBytes: 50)
        #expect(pieces.count == 3)
        #expect(pieces.flatMap(\.dataWatches) == (0..<10).map { "/node-\($0)" })
        #expect(pieces.flatMap(\.existWatches) == ["/x"])
        #expect(pieces.flatMap(\.childWatches) == ["/y"])
        #expect(pieces.allSatisfy { $0.relativeZxid == 7 && $0.classic != nil })
    }
}
