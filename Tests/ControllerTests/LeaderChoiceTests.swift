import ClusterModel
import Testing

@testable import Controller

@Suite("The choice of a leader")
struct LeaderChoiceTests {
    @Test("offline: the first assigned replica that is live and in sync; the set keeps its live members") func offline()
    {
        let chosen = LeaderChoice.forOffline(
            assignment: [1, 2, 3], inSync: [2, 3, 1], live: { $0 != 1 }, unclean: false)
        #expect(chosen == .init(leader: 2, inSync: [2, 3]))
        #expect(LeaderChoice.forOffline(assignment: [1, 2], inSync: [1], live: { $0 == 2 }, unclean: false) == nil)
    }
    @Test("unclean: only when asked for, and then alone in the set") func unclean() {
        let chosen = LeaderChoice.forOffline(assignment: [1, 2], inSync: [1], live: { $0 == 2 }, unclean: true)
        #expect(chosen == .init(leader: 2, inSync: [2], unclean: true))
        let clean = LeaderChoice.forOffline(assignment: [2, 1], inSync: [1], live: { _ in true }, unclean: true)
        #expect(clean == .init(leader: 1, inSync: [1]))
    }
    @Test("reassignment: the first of the target that is live and in sync") func reassignment() {
        let chosen = LeaderChoice.forReassignment(target: [4, 5], inSync: [1, 5, 4], live: { $0 != 4 })
        #expect(chosen == .init(leader: 5, inSync: [1, 5, 4]))
    }
    @Test("preferred: the first of the assignment or nobody") func preferred() {
        #expect(LeaderChoice.forPreferred(assignment: [1, 2], inSync: [2, 1], live: { _ in true })?.leader == 1)
        #expect(LeaderChoice.forPreferred(assignment: [1, 2], inSync: [2], live: { _ in true }) == nil)
    }
    @Test("controlled shutdown: the first that stays; those that leave are out of the set") func shutdown() {
        let chosen = LeaderChoice.forControlledShutdown(
            assignment: [1, 2, 3], inSync: [1, 2, 3], live: { _ in true }, shuttingDown: { $0 == 1 })
        #expect(chosen == .init(leader: 2, inSync: [2, 3]))
        let nobody = LeaderChoice.forControlledShutdown(
            assignment: [1, 2], inSync: [1], live: { _ in true }, shuttingDown: { $0 == 1 })
        #expect(nobody == nil)
    }
}
