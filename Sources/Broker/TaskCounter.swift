/// Gathers the answers of several parts into one; answers may come before all parts have begun.
final class TaskCounter<Key: Hashable, Value> {
    private var open: Set<Key> = []
    private var results: [Key: Value] = [:]
    private var begun = false
    private var then: (([Key: Value]) -> Void)?
    init(then: @escaping ([Key: Value]) -> Void) { self.then = then }
    func begin(_ key: Key) { open.insert(key) }
    func end(_ key: Key, _ value: Value) {
        results[key] = value
        open.remove(key)
        finish()
    }
    func allBegun() {
        begun = true
        finish()
    }
    private func finish() {
        guard begun, open.isEmpty, let then else { return }
        self.then = nil
        then(results)
    }
}
