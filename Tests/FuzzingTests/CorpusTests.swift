import Testing

@Suite("What fuzzers found")
struct CorpusTests {
    @Test("is survived, and breaks no promise", arguments: FuzzTarget.all.map(\.name))
    func replay(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let kept = Corpus.kept(name)
        #expect(!kept.isEmpty, "Corpus/\(name).corpus")
        for (number, input) in kept.enumerated() {
            do {
                try input.withUnsafeBytes { try target.run($0) }
            } catch {
                Issue.record("input \(number) of Corpus/\(name).corpus: \(error)")
            }
        }
        for (file, input) in Corpus.found(name) {
            do {
                try input.withUnsafeBytes { try target.run($0) }
            } catch {
                Issue.record("Corpus/found/\(file): \(error)")
            }
        }
    }

    @Test("includes the golden data in every target's form", arguments: FuzzTarget.all.map(\.name))
    func seeds(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let seeds = target.seeds()
        #expect(seeds.count > 20)
        for (number, seed) in seeds.enumerated() {
            do {
                try seed.withUnsafeBytes { try target.run($0) }
            } catch {
                Issue.record("seed \(number): \(error)")
            }
        }
    }
}
